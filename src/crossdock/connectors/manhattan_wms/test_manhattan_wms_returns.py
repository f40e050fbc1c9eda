"""Returns at the twin over HTTP: announced or not, held until they are inspected, and what is told of them."""

from decimal import Decimal
from typing import Any

from aiohttp import ClientSession

from crossdock.connect.contract import Done
from crossdock.connectors.manhattan_wms.conftest import Bench, account
from crossdock.connectors.manhattan_wms.mapping_out import from_payload
from crossdock.model.movement import ExpectedLine
from crossdock.model.party import People
from crossdock.model.quantity import Quantity
from crossdock.model.requests import AnnounceInbound

RETURN = "return/shopify-eu/77"


async def at_desk(wms: Bench, what: str, **body: Any) -> Any:
    async with ClientSession() as http, http.post(f"{wms.base_url}/_twin/{what}", json=body) as answer:
        return await answer.json() if answer.status == 200 else answer.status


async def stock(wms: Bench) -> tuple[str, str]:
    found = (await wms.get("/_twin/stock"))["WID-1"]
    return found["quantity"], found["held"]


def judged(quantity: int, disposition: str) -> dict[str, Any]:
    return {"line": "1", "item": "WID-1", "quantity": quantity, "disposition": disposition}


async def test_an_announced_return_is_held_until_it_is_inspected(wms: Bench) -> None:
    """Received like anything else, and nobody can pick it; each disposition then goes its way."""
    lines = (ExpectedLine("1", "WID-1", Quantity(Decimal(6))),)
    body = from_payload(
        "inbound.announce", AnnounceInbound(RETURN, "#1042-R1", "SITE1", lines), People(), account()
    )
    assert isinstance(await wms.send("inbound.announce", body), Done)

    came = await at_desk(wms, "receive", reference=RETURN)
    assert await stock(wms) == ("6", "6")
    told = [judged(2, "RESTOCK"), judged(1, "REFURBISH"), judged(1, "RTV"), judged(2, "SCRAP")]
    await at_desk(wms, "inspect", receipt=came["receipt"], lines=told)

    assert await stock(wms) == ("3", "1")
    [received] = await wms.told("inbound.received.v1")
    [inspected] = await wms.told("return.dispositioned.v1")
    assert received.thread == inspected.thread == RETURN
    assert [(x.disposition, x.quantity.value) for x in inspected.data.lines] == [
        ("restock", 2), ("refurbish", 1), ("vendor", 1), ("scrap", 2),
    ]  # fmt: skip


async def test_what_nobody_announced_goes_by_its_receipt(wms: Bench) -> None:
    """With a slip the order is told as well; without one only that it came."""
    line = {"line": "1", "item": "WID-1", "quantity": 2, "order_line": "14001", "reason": "TOO_SMALL"}
    first = await at_desk(wms, "return", lines=[line], order="shopify-eu/1042")
    await at_desk(wms, "return", lines=[line])
    await at_desk(wms, "inspect", receipt=first["receipt"], lines=[judged(2, "RESTOCK")])

    one, two = await wms.told("inbound.received.v1", 2)
    [slip] = await wms.told("return.identified.v1")
    [inspected] = await wms.told("return.dispositioned.v1")
    assert one.thread != two.thread
    assert slip.thread == one.thread == inspected.thread == f"return/{account().name}/{first['receipt']}"
    assert (slip.data.order, slip.data.lines[0].order_line) == ("shopify-eu/1042", "14001")
    assert await stock(wms) == ("4", "2")


async def test_an_inspection_of_nothing_is_not_found(wms: Bench) -> None:
    """Nothing is told."""
    assert await at_desk(wms, "inspect", receipt="R-0", lines=[]) == 404
    assert wms.heard == []
