"""Goods of a scenario's own: known to shop and ERP, told of by the first warehouse, and what the shop shows of them."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from crossdock.store.ledger_law import differences
from crossdock.store.pool import connect
from e2e.running import eventually
from scenarios.group import PRICE, Group

SITE = "SITE1"


async def make_known(group: Group, *items: str) -> None:
    """To the shop and both ERPs; there are none of them yet."""
    await group.twin("shopify-eu", "/products", {x: {"price": PRICE, "title": x} for x in items}, "PUT")
    material = {"price": PRICE, "currency": "EUR", "unit": "EA", "available": "100000"}
    for erp in ("sap-1", "sap-2"):
        await group.twin(erp, "/materials", dict.fromkeys(items, material), "PUT")


async def tell(group: Group, type_: str, item: str, quantity: int, *, lot: str = "", **more: str) -> None:
    """What the warehouse says of an item at its site."""
    data = {
        "place": {"item": item, "location": SITE, "lot": lot},
        "quantity": {"value": str(quantity), "unit": "EA"},
    }
    event: dict[str, Any] = {
        "specversion": "1.0", "id": uuid4().hex, "source": "wms-1", "type": f"crossdock.logistics.{type_}",
        "subject": f"stock/{SITE}/{item}", "data": data | more,
    }  # fmt: skip
    answer = await group.api.post("/v1/events", event)
    assert answer.status == 202, answer.body


async def shown(group: Group, item: str) -> Decimal:
    """What the shop's own books say may still be sold of it."""
    return Decimal(str((await group.twin("shopify-eu", "/inventory")).get(item, -1)))


async def until_shown(group: Group, item: str, quantity: int) -> None:
    async def look() -> bool:
        return await shown(group, item) == quantity

    try:
        await eventually(look, what=f"the shop shows {quantity} of {item}")
    except AssertionError as error:
        raise AssertionError(f"{error}: it shows {await shown(group, item)}") from None


async def told(group: Group, item: str) -> list[int]:
    """Every number that the shop was told of the item, in the order in which it took them."""
    rows = await group.journal("shopify-eu", "availability.publish")
    return [int(x["detail"]["available"]) for x in rows if x["reference"] == item]


async def totals(group: Group, item: str) -> tuple[Decimal, Decimal]:
    """(on hand, sellable) by the hub."""
    [total] = (await group.api.get(f"/v1/stock/{item}"))["totals"]
    return Decimal(total["on_hand"]), Decimal(total["sellable"])


async def lots(group: Group, item: str, bucket: str = "available") -> dict[str, Decimal]:
    """Lot → quantity in a bucket of the hub's ledger, where there is any."""
    answer = await group.api.call("GET", f"/v1/stock/{item}")
    places = answer.json()["places"] if answer.status == 200 else []
    found = {x["lot"]: Decimal(x["buckets"].get(bucket, "0")) for x in places if x["location"] == SITE}
    return {lot: quantity for lot, quantity in found.items() if quantity}


async def broken_law(group: Group) -> list[str]:
    """Where entries, claims and balances of the hub's ledger do not add up."""
    connection = await connect(group.api.hub.dsn)
    try:
        return [str(x) for x in await differences(connection)]
    finally:
        await connection.close()
