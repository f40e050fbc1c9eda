"""`reconcile`: compare a system's stock with the ledger, see why they differ, settle what a person must decide."""

import asyncio
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused

POLL_SECONDS: Final = 0.5
WAIT_SECONDS: Final = 600.0


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Compare stock with other systems, and settle differences.", no_args_is_help=True
    )
    group.command("run")(run)
    group.command("show")(show)
    group.command("approve")(approve)
    group.command("agreement")(agreement)
    app.add_typer(group, name="reconcile")


def run(
    hub: HubOption = Path(),
    *,
    system: Annotated[str, typer.Option(help="Whose stock; left out, every warehouse's.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Compare now, and wait for what is found."""

    async def all_of() -> list[dict[str, Any]]:
        async with Client(hub) as client:
            return [await _run(client, one) for one in ([system] if system else _warehouses(hub))]

    found = _asking(all_of())
    _tell(found, as_json)
    if any(one["run"]["state"] == "failed" for one in found):
        raise typer.Exit(1)


def show(
    number: Annotated[int, typer.Argument(metavar="[RUN]", min=0)] = 0,
    hub: HubOption = Path(),
    *,
    as_json: JsonOption = False,
) -> None:
    """What a run found; the newest one, if none is named."""

    async def one() -> list[dict[str, Any]]:
        async with Client(hub) as client:
            run = number
            if not run:
                runs = (await client.get("/v1/reconciliations", limit="1"))["runs"]
                if not runs:
                    note("error: nothing was compared yet: crossdock reconcile run")
                    raise typer.Exit(1)
                run = runs[0]["id"]
            return [await _whole(client, run)]

    _tell(_asking(one()), as_json)


def agreement(
    hub: HubOption = Path(),
    *,
    system: Annotated[str, typer.Option(help="Whose stock; left out, every system's.")] = "",
    days: Annotated[int, typer.Option(help="So many days back.", min=1, max=366)] = 14,
    as_json: JsonOption = False,
) -> None:
    """How far the ledger agreed with other systems, by the last comparison of each day: the proof before a cut-over."""

    async def all_days() -> list[dict[str, Any]]:
        async with Client(hub) as client:
            found = await client.get("/v1/reconciliations/agreement", system=system, days=str(days))
            return list(found["days"])

    found = _asking(all_days())
    if as_json:
        sys.stdout.write(json.dumps({"days": found}) + "\n")
        return
    if not found:
        note("nothing was compared in that time: crossdock reconcile run")
    for day in found:
        sys.stdout.write(agreed(day) + "\n")


def agreed(day: dict[str, Any]) -> str:
    """One day as text."""
    share = f", {day['percent']} %" if day["percent"] is not None else ""
    causes = ", ".join(f"{cause} {count}" for cause, count in day["causes"].items())
    under_way = f"; {day['under_way']} moves under way" if day["under_way"] else ""
    return (
        f"{day['day']} {day['system']} run {day['run']}: {day['equal']} of {day['counted']} rows equal{share}"
        f"{'; ' + causes if causes else ''}{under_way}"
    )


def approve(
    difference: Annotated[int, typer.Argument(metavar="DIFFERENCE", min=1)],
    hub: HubOption = Path(),
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands in the entry.")],
    as_json: JsonOption = False,
) -> None:
    """Settle an open difference: the ledger follows the other side, or it is noted as accepted."""

    async def one() -> Any:
        async with Client(hub) as client:
            return await client.post(
                f"/v1/reconciliations/differences/{difference}/approve", {"reason": reason}
            )

    said = _asking(one())
    sys.stdout.write(json.dumps(said) + "\n" if as_json else f"difference {difference}: {said['state']}\n")


def _asking(question: Any) -> Any:
    try:
        return asyncio.run(question)
    except Refused as error:
        note(f"error: {error}")
        raise typer.Exit(1) from None


def _warehouses(hub: Path) -> list[str]:
    from crossdock.runtime.hub import load_hub

    policy = load_hub(hub).policy
    return sorted(
        {policy.warehouse} | {node.warehouse for node in policy.routing.nodes.values() if node.kind == "site"}
    )


async def _run(client: Client, system: str) -> dict[str, Any]:
    number = (await client.post("/v1/reconciliations", {"system": system}))["run"]
    note(f"comparing with {system}, run {number} …")
    for _ in range(int(WAIT_SECONDS / POLL_SECONDS)):
        found = (await client.get(f"/v1/reconciliations/{number}", limit="1"))["run"]
        if found["state"] in ("done", "failed"):
            break
        await asyncio.sleep(POLL_SECONDS)
    return await _whole(client, number)


async def _whole(client: Client, run: int) -> dict[str, Any]:
    found: dict[str, Any] = await client.get(f"/v1/reconciliations/{run}", limit="500")
    after = found["next"]
    while after:
        page = await client.get(f"/v1/reconciliations/{run}", limit="500", after=str(after))
        found["differences"] += page["differences"]
        after = page["next"]
    return found


def _tell(found: list[dict[str, Any]], as_json: bool) -> None:
    for one in found:
        sys.stdout.write(json.dumps(one) + "\n" if as_json else "\n".join(lines(one)) + "\n")


def lines(found: dict[str, Any]) -> Iterator[str]:
    """A run as text: what it was, and each difference with its evidence."""
    run = found["run"]
    up_to = f" up to their event {run['watermark']}" if run["watermark"] is not None else ""
    yield (
        f"run {run['id']} of {run['system']}: {run['state']}, {run['counted']} rows{up_to},"
        f" {run['differences']} differences ({run['open']} open), {run['under_way']} moves under way"
    )
    if run["failed_because"]:
        yield f"  {run['failed_because']}"
    for d in found["differences"]:
        place = " ".join(x for x in (d["item"], d["location"], d["lot"], d["owner"]) if x)
        held = f", held {_signed(d['held'])}" if Decimal(d["held"]) else ""
        worth = f", {d['currency']} {d['value']}" if d["value"] is not None else ""
        yield f"{d['id']:>6} {place}: {_signed(d['good'])} {d['unit']}{held}{worth}  {d['cause']}  {d['state']}"
        for sentence in d["evidence"]:
            yield f"         {sentence}"
        if d["reason"]:
            yield f"         {d['decided_by']}: {d['reason']}"


def _signed(text: str) -> str:
    return f"{Decimal(text).normalize():+f}"
