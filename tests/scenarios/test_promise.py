"""What can be promised for a day: what is there, what surely comes by then, less what somebody waits for."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from e2e.running import eventually
from scenarios.goods_between import announced, at_dock, purchase
from scenarios.group import PRICE, Group

ITEM = "ATP-1"


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


async def promised(group: Group, days: int) -> dict[str, Any]:
    found = await group.api.get(f"/v1/promise/{ITEM}", channel="shopify-eu", on=day(days))
    assert isinstance(found, dict)
    return found


async def test_what_comes_later_is_promised_for_later(group: Group) -> None:
    """Nothing today; what is ordered for next week counts then, and less what an order already waits for."""
    material = {"price": PRICE, "currency": "EUR", "unit": "EA", "available": "1000"}
    await group.twin("sap-1", "/materials", {ITEM: material}, "PUT")
    await group.twin("shopify-eu", "/products", {ITEM: {"price": PRICE, "title": ITEM}}, "PUT")
    unknown = await group.api.call("GET", f"/v1/promise/{ITEM}", channel="shopify-eu")
    assert unknown.status == 404
    thread = await purchase(group, "4500002001", ITEM, 100, due_on=day(7))
    await announced(group, thread, "wms-1")

    assert Decimal((await promised(group, 0))["available_to_promise"]) == 0
    later = await promised(group, 7)
    assert Decimal(later["available_to_promise"]) == 100
    [coming] = later["coming"]
    assert (coming["thread"], coming["due_on"], coming["counts"]) == (thread, day(7), True)

    await at_dock(group, "wms-1", "receive", reference=thread, lines=[{"line": "10", "quantity": "10"}])

    async def there() -> bool:
        found = await promised(group, 0)
        return Decimal(found["available"]) == 10 and Decimal(found["inbound"]) == 0

    await eventually(there, what="ten are on the shelf")
    reference = await group.buy((ITEM, 12))

    async def waits() -> bool:
        return Decimal((await promised(group, 7))["backordered"]) == 2

    await eventually(waits, what=f"two of {reference} are backordered")
    found = await promised(group, 7)
    terms = [Decimal(found[x]) for x in ("available", "kept_back", "inbound", "backordered")]
    assert Decimal(found["available_to_promise"]) == max(
        Decimal(0), terms[0] - terms[1] + terms[2] - terms[3]
    )
    assert terms[0] == 0
    assert terms[2] == 90
    shown = await asyncio.to_thread(
        group.api.hub.crossdock, "stock", "promise", ITEM, "--channel", "shopify-eu", "--on", day(7)
    )
    assert f"90 EA to SITE1 with {thread}, due {day(7)}" in shown.stdout
    nobody = await group.api.call("GET", f"/v1/promise/{ITEM}", channel="nobody")
    assert nobody.status == 404
    assert "roles.channels names shopify-eu" in nobody.problem["detail"]
