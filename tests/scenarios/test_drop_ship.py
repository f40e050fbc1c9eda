"""DOMAIN check 16, drop-ship: what a supplier sends from his own stock is sold, billed and followed, and never in our books."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from crossdock.demo.twins import Twins
from e2e.running import Api, RunningHub, eventually, rows
from scenarios.conftest import trading
from scenarios.goods import make_known
from scenarios.goods_between import buckets, until_phase
from scenarios.group import Group

NODE, SUPPLIER, SHOP, ERP = "DROP1", "portal", "woo-us", "sap-2"


@pytest.fixture(scope="module")
def dropping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, Twins]]:
    """The American shop sells what a supplier sends; its ERP knows his place as a third party's."""
    directory: Path = tmp_path_factory.mktemp("drop") / "hub"

    def served_by_supplier(routing: dict[str, Any]) -> None:
        routing["nodes"][NODE] = {"kind": "supplier", "warehouse": SUPPLIER, "erp": ERP}
        next(x for x in routing["orders"] if x.get("channel") == [SHOP])["nodes"] = [NODE]
        path = directory / "systems" / f"{ERP}.yaml"
        system = yaml.safe_load(path.read_text())
        system["settings"]["third_party"] = NODE
        path.write_text(yaml.safe_dump(system))

    with trading(directory, served_by_supplier) as made:
        yield made


@pytest.fixture
async def group(dropping: tuple[RunningHub, Twins]) -> AsyncIterator[Group]:
    hub, twins = dropping
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        made = Group(Api(hub, session), twins, seed=17)
        yield made
        await made.calm()


async def ordered(group: Group, item: str, quantity: int) -> tuple[str, dict[str, Any]]:
    """(reference, what the supplier was told to send)"""
    await make_known(group, item)
    await group.twin(SHOP, "/products", {item: {}}, "PUT")
    reference = await group.buy((item, quantity), shop=SHOP)

    async def told() -> dict[str, Any] | None:
        found = [
            x["data"]
            for x in await group.twin(SUPPLIER, "/notifications")
            if x["type"] == "warehouse_order.release"
        ]
        return next((x for x in found if x["reference"] == reference), None)

    told_ = await eventually(told, what=f"the supplier has {reference}")
    assert isinstance(told_, dict)
    return reference, told_


async def dispatched(
    group: Group, reference: str, told: dict[str, Any], shipment: str, quantity: int
) -> None:
    """His notice, twice, as partners send."""
    line = told["lines"][0]
    shipped = {
        "order": reference, "line": line["line"], "item": line["item"],
        "quantity": {"value": str(quantity), "unit": line["quantity"]["unit"]},
    }  # fmt: skip
    data = {
        "shipment": shipment, "carrier": "dhl", "tracking": [f"JD{shipment}"], "lines": [shipped], "location": NODE,
    }  # fmt: skip
    for number in range(2):
        event = {
            "type": "order.shipped.v1",
            "subject": f"order/{reference}",
            "data": data,
            "id": f"{shipment}-{number}",
        }
        await group.twin(SUPPLIER, "/events", {"events": [event]}, "POST")


async def left_alone(group: Group, item: str) -> None:
    """No balance, no entry and no claim of it, and no goods issue or withdrawal in the ERP."""
    assert await buckets(group, item) == {}
    found = await rows(
        group.api.hub,
        "select * from stock_entry e join stock_balance b on b.id = e.balance where b.item = $1",
        item,
    )
    assert found == []
    assert await rows(group.api.hub, "select * from stock_balance where location = $1", NODE) == []


async def test_a_supplier_sends_what_we_sold(group: Group) -> None:
    """He hears what to send where and not for how much; two notices ship it, and one invoice bills all of it."""
    reference, told = await ordered(group, "DS-1", 5)
    assert (told["lines"][0]["item"], told["lines"][0]["quantity"]["value"]) == ("DS-1", "5")
    assert "ship_to" in told
    assert "price" not in str(told)

    await dispatched(group, reference, told, "V-1", 2)

    async def part_left() -> bool:
        return (await group.line(reference, "DS-1")).get("shipped") == 2

    await eventually(part_left, what="his first notice ships two")
    assert await group.booked(reference, "invoice.release", ERP) == {}
    async with group.quirks(ERP, answer_lost=0.5):
        await dispatched(group, reference, told, "V-2", 3)
        await group.until(reference, "completed")

    billed = [x for x in await group.journal(ERP, "invoice.release") if x["reference"].endswith(reference)]
    assert [x["detail"]["quantities"] for x in billed] == [{"DS-1": "5.000"}]
    assert await group.booked(reference, "goods_issue.post", ERP) == {}
    assert (await group.line(reference, "DS-1"))["shipped"] == Decimal(5)
    await left_alone(group, "DS-1")


async def test_a_cancellation_asks_the_supplier(group: Group) -> None:
    """He stops it, and nothing is billed; where he cannot, it goes on to the customer."""
    reference, _ = await ordered(group, "DS-2", 2)
    await group.cancel(reference)
    await until_phase(group, f"order/{reference}", "cancelled")

    late, told = await ordered(group, "DS-3", 2)
    async with group.quirks(SUPPLIER, cancel_refused=1.0):
        await group.cancel(late)
        await group.until_case(f"order/{late}", "cancellation")
    await dispatched(group, late, told, "V-9", 2)

    async def left() -> bool:
        return (await group.line(late, "DS-3")).get("shipped") == 2

    await eventually(left, what="it was sent all the same")

    async def billed() -> bool:
        return await group.booked(late, "invoice.release", ERP) == {"DS-3": Decimal(2)}

    await eventually(billed, what="and is billed")
    assert await group.booked(reference, "invoice.release", ERP) == {}
    for item in ("DS-2", "DS-3"):
        await left_alone(group, item)
