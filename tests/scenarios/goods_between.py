"""What a dock, a purchasing department and an ERP do with goods that come in and go between sites."""

import json
from decimal import Decimal
from typing import Any

from crossdock.model.registry import TYPE_PREFIX
from e2e.running import eventually, rows
from scenarios.group import Group

SITES = {"SITE1": ("wms-1", "sap-1", "1010"), "SITE2": ("wms-2", "sap-2", "2010")}
"""Location → its warehouse, the ERP of its company, the plant there."""


async def say(
    group: Group, thread: str, type_: str, data: dict[str, Any], *, source_id: str, source: str = "sap-1"
) -> str:
    """A canonical event, as an ERP's or portal's program posts it; the hub's verdict."""
    event = {
        "specversion": "1.0", "id": source_id, "source": source, "type": TYPE_PREFIX + type_, "subject": thread, "data": data,
    }  # fmt: skip
    answer = await group.api.call("POST", "/v1/events", json.dumps(event).encode())
    assert answer.status in (200, 202), answer.body
    return str(answer.json()["verdict"])


async def purchase(group: Group, number: str, item: str, quantity: int, **line: str) -> str:
    """An order of ours to a supplier, in the ERP; nobody else tells the hub of it. Returns the thread."""
    order = {
        "supplier": "SUP-1",
        "items": {"10": {"material": item, "plant": "1010", "quantity": str(quantity)} | line},
    }
    await group.twin("sap-1", "/purchase_orders", {number: order}, "PUT")
    return f"inbound/sap-1/{number}"


async def transfer(
    group: Group, number: str, item: str, quantity: int, *, layer: str = "", **terms: Any
) -> str:
    """From SITE1 of one company to SITE2 of the other: an order in each ERP's books, in its own money, and said to the hub."""
    material = {"material": item, "quantity": str(quantity)}
    cost, theirs = {"price": "6.20", "currency": "EUR"}, {"price": "10.31", "currency": "USD"}
    sending = {"supplying_plant": "1010", "items": {"10": material | {"plant": "1020"} | cost}}
    receiving = {"items": {"10": material | {"plant": "2010"} | theirs}}
    await group.twin("sap-1", "/purchase_orders", {number: sending}, "PUT")
    await group.twin("sap-2", "/purchase_orders", {f"9{number}": receiving}, "PUT")
    price = {"amount": "9.50", "currency": "EUR"}
    data = {
        "number": number, "incoterm": "DAP",
        "sender": {"location": "SITE1", "company": "Acme EU", "order": number},
        "receiver": {"location": "SITE2", "company": "Acme US", "order": f"9{number}"},
        "lines": [{"line": "10", "item": item, "quantity": {"value": str(quantity), "unit": "EA"}, "price": price, "cost_layer": layer}],
    } | terms  # fmt: skip
    thread = f"transfer/sap-1/{number}"
    await say(group, thread, "transfer.ordered.v1", data, source_id=f"{number}-1")
    return thread


async def stocked(group: Group, item: str, quantity: int, location: str = "SITE1") -> None:
    """So many lie there, by the warehouse, its ERP and the hub."""
    wms, erp, plant = SITES[location]
    await group.twin(wms, "/stock", {item: {"quantity": str(quantity), "lot": ""}}, "PUT")
    await group.twin(erp, "/material_stock", {plant: {item: {"unrestricted": str(quantity)}}}, "PUT")

    async def heard() -> bool:
        return (await buckets(group, item, location)).get("available") == quantity

    await eventually(heard, what=f"the hub has heard of {item}")


async def on_the_road(group: Group, number: str, item: str, quantity: int, **terms: str) -> tuple[str, str]:
    """(thread, truck): it left SITE1, and SITE2 knows of it."""
    await stocked(group, item, 50)
    thread = await transfer(group, number, item, quantity, **terms)
    await released(group, thread)
    truck = (await at_dock(group, "wms-1", "send", reference=thread, carrier="RDWY"))["shipment"]
    await announced(group, thread, "wms-2", delivery=truck)
    return thread, truck


async def announced(group: Group, thread: str, wms: str, *, delivery: str = "") -> None:
    """The receiving warehouse knows of it."""

    async def look() -> bool:
        asns = await group.twin(wms, "/asns")
        return any(x["reference"] == thread and delivery in ("", x["delivery"]) for x in asns)

    await eventually(look, what=f"{wms} knows of {thread} {delivery}")


async def released(group: Group, thread: str, wms: str = "wms-1") -> None:
    async def look() -> bool:
        return any(x["reference"] == thread for x in await group.twin(wms, "/transfers"))

    await eventually(look, what=f"{wms} has {thread}")


async def at_dock(group: Group, wms: str, what: str, **body: Any) -> dict[str, Any]:
    """`receive`, `put_away` or `send`."""
    found = await group.twin(wms, f"/{what}", body, "POST")
    assert isinstance(found, dict), found
    return found


async def until_phase(group: Group, thread: str, *phases: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        story = await group.story(thread)
        return story if story["phase"] in phases else None

    try:
        found = await eventually(look, what=f"{thread} is {phases}")
    except AssertionError as error:
        story = await group.story(thread)
        trouble = [f"{x['called']}: {x['trouble']}" for x in story["systems"] if x["trouble"]]
        raise AssertionError(f"{error}: {story['phase']}, {story['sentence']} {trouble}") from None
    assert isinstance(found, dict)
    return found


async def until_done(group: Group, thread: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        story = await group.story(thread)
        return story if story["done"] else None

    try:
        found = await eventually(look, what=f"{thread} is done")
    except AssertionError as error:
        story = await group.story(thread)
        trouble = [f"{x['called']}: {x['trouble']}" for x in story["systems"] if x["trouble"]]
        raise AssertionError(f"{error}: {story['phase']}, {story['sentence']} {trouble}") from None
    assert isinstance(found, dict)
    return found


async def buckets(group: Group, item: str, location: str = "", **where: str) -> dict[str, Decimal]:
    """What the hub's ledger holds of it, added up over the balances that fit; nothing where it is zero."""
    found: dict[str, Decimal] = {}
    for row in await rows(group.api.hub, "select * from stock_balance where item = $1", item):
        if location in ("", row["location"]) and all(row[name] == value for name, value in where.items()):
            for name, value in dict(row).items():
                if isinstance(value, Decimal) and name != "published" and value:
                    found[name] = found.get(name, Decimal(0)) + value
    return found


async def posted(group: Group, erp: str, effect: str, order: str) -> list[tuple[str, str]]:
    """(receipt or truck, quantity) of every document that the ERP's own books have for this order."""
    found = []
    for row in await group.journal(erp, effect):
        if row["detail"]["order"] == order:
            [quantity] = row["detail"]["quantities"].values()
            found.append((row["reference"], quantity))
    return sorted(found)


async def erp_stock(group: Group, erp: str, item: str, plant: str) -> dict[str, str]:
    found = await group.twin(erp, "/material_stock")
    return dict(found.get(plant, {}).get(item, {}))
