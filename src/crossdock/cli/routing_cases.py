"""`config test`: the routing tables answer as the company says they should, case by case, before a hub runs on them."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import typer

from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.errors import CrossdockError, Misconfigured
from crossdock.model.stock import Change
from crossdock.processes.policy import Policy
from crossdock.processes.routing import route_order, route_transport, ship_day
from crossdock.yaml_file import read_yaml

FOLDER = Path("tests") / "routing"


class OrderFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the order table looks at; `at` (with offset) is when the order came."""

    channel: str = ""
    country: str = ""
    region: str = ""
    service: str = "standard"
    at: datetime | None = None


class ShipmentFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the transport table looks at; `weight` in kilograms."""

    node: str
    country: str = ""
    region: str = ""
    service: str = "standard"
    weight: Decimal = Decimal(0)
    packages: int = 1


class StockFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stock that changed at a node without an order; `owner` empty: our own."""

    node: str
    change: Change
    owner: str = ""


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is left out may be anything. Of stock, an empty `erp` means that none is told."""

    company: str | None = None
    erp: str | None = None
    nodes: tuple[str, ...] | None = None
    ships_on: date | None = None
    by: str | None = None
    system: str | None = None
    service: str | None = None


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One case: an order, a shipment or a change of stock, and the answer that is right for it."""

    name: str
    expect: Expected
    order: OrderFacts | None = None
    shipment: ShipmentFacts | None = None
    stock: StockFacts | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    file: str
    name: str
    ok: bool
    because: str
    differences: list[str]


def put_cases(hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """Put the cases of `tests/routing/*.yaml` to the landscape's tables; exit 1 where one is answered otherwise."""
    try:
        verdicts = list(run(hub))
    except CrossdockError as error:
        note(f"error: {error}")
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.write(
            json.dumps({"ok": all(x.ok for x in verdicts), "cases": [asdict(x) for x in verdicts]}) + "\n"
        )
    else:
        _tell(hub, verdicts)
    if not all(x.ok for x in verdicts):
        raise typer.Exit(1)


def _tell(folder: Path, verdicts: list[Verdict]) -> None:
    for x in verdicts:
        sys.stdout.write(f"{'ok' if x.ok else 'FAILED'}: {x.file}: {x.name}\n    {x.because}\n")
        for line in x.differences:
            sys.stdout.write(f"    {line}\n")
    failed = sum(not x.ok for x in verdicts)
    if verdicts:
        note(f"{len(verdicts)} cases, {failed} failed.")
    else:
        note(f"No cases in {folder / FOLDER}. docs/howto/routing.md shows how to write one.")


def run(folder: Path) -> Iterator[Verdict]:
    """Every case of the landscape, in the order of the files. Raises `Misconfigured` with file and field."""
    from crossdock.runtime.hub import load_hub

    policy = load_hub(folder).policy
    for path in sorted((folder / FOLDER).glob("*.yaml")):
        try:
            cases = msgspec.convert(read_yaml(path), list[Given])
        except msgspec.ValidationError as error:
            raise Misconfigured(str(path), str(error)) from None
        for case in cases:
            if sum(x is not None for x in (case.order, case.shipment, case.stock)) != 1:
                raise Misconfigured(f"{path}: {case.name}", "give one of order, shipment and stock")
            yield _judged(path, case, policy)


def _judged(path: Path, case: Given, policy: Policy) -> Verdict:
    answer, because = _answered(case, policy)
    wanted = {
        name: value
        for name in Expected.__struct_fields__
        if (value := getattr(case.expect, name)) is not None
    }
    differences = [
        f"{name}: expected {_shown(value)}, the tables say {_shown(answer.get(name))}"
        for name, value in wanted.items()
        if answer.get(name) != value
    ]
    return Verdict(
        file=path.name, name=case.name, ok=not differences, because=because, differences=differences
    )


def _answered(case: Given, policy: Policy) -> tuple[dict[str, Any], str]:
    if case.order is not None:
        return _order(case.order, policy)
    return _stock(case.stock, policy) if case.stock is not None else _shipment(case.shipment, policy)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _order(facts: OrderFacts, policy: Policy) -> tuple[dict[str, Any], str]:
    given = {
        "channel": facts.channel,
        "country": facts.country,
        "region": facts.region,
        "service": facts.service,
    }
    route = route_order(policy.routing, given, policy.erp, policy.location)
    answer: dict[str, Any] = {"company": route.company, "erp": route.erp, "nodes": route.nodes}
    if facts.at is None:
        return answer, route.because
    if facts.at.tzinfo is None:
        raise Misconfigured("order.at", "needs an offset, as in 2026-11-25T15:30:00+01:00")
    leaves = ship_day(policy.routing, route.nodes[0], facts.service, facts.at)
    return answer | {"ships_on": leaves.day}, f"{route.because}; leaves {leaves.day}: {leaves.because}"


def _stock(facts: StockFacts, policy: Policy) -> tuple[dict[str, Any], str]:
    erp = policy.books_stock(facts.node, facts.owner)
    if not erp:
        return {"erp": ""}, f"no ERP of ours has {facts.owner or 'these'} goods at {facts.node} in its books"
    told = policy.adjustments_at(facts.node)
    if facts.change not in told:
        return {"erp": ""}, f"{facts.node} tells {erp} of {', '.join(told) or 'nothing'}"
    return {"erp": erp}, f"{erp} has them in its books and is told of every {facts.change}"


def _shipment(facts: ShipmentFacts | None, policy: Policy) -> tuple[dict[str, Any], str]:
    assert facts is not None
    given = {"node": facts.node, "country": facts.country, "region": facts.region, "service": facts.service}
    route = route_transport(policy.routing, given, facts.weight, facts.packages, policy.carrier)
    return {"by": route.by, "system": route.system, "service": route.service}, route.because
