"""gs1/EPCIS#48, #403; RalphTro#53: whoever drops what has a known event id drops the sender's own word that the event was wrong. A duplicate is not a correction.

A naive hub drops the second, or books it beside the first; both are silent, and the stock is wrong for ever.
"""

import json
from decimal import Decimal
from typing import Any

from e2e.documents import encoded, next_number, shop_order
from e2e.running import Answer, eventually
from scenarios.callers import until_balance
from scenarios.goods import broken_law, make_known
from scenarios.group import Group

SHOP = ("shopify-eu", "webhooks")
SITE = "SITE1"


async def adjusted(group: Group, item: str, id_: str, change: int, reason: str = "counted") -> Answer:
    """The warehouse says by how much the shelf differs."""
    data = {
        "place": {"item": item, "location": SITE},
        "change": {"value": str(change), "unit": "EA"},
        "reason": reason,
    }
    event = {
        "specversion": "1.0", "id": id_, "source": "wms-1", "type": "crossdock.logistics.stock.adjusted.v1",
        "subject": f"stock/{SITE}/{item}", "data": data,
    }  # fmt: skip
    return await group.api.post("/v1/events", event)


def said(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["verdict"]


async def test_a_fact_told_again_with_another_content_is_neither_dropped_nor_booked_twice(
    group: Group,
) -> None:
    """Five, then three under the same id: five are booked, a case names both; the sender's own declaration moves the stock, once."""
    item, fact = f"DECL-{next_number()}", f"count-{next_number()}"
    await make_known(group, item)
    assert said(await adjusted(group, item, fact, 5)) == (202, "new")
    assert said(await adjusted(group, item, fact, 5)) == (200, "duplicate")
    await until_balance(group, item, SITE, available=5)

    assert said(await adjusted(group, item, fact, 3)) == (202, "different")

    case = await group.until_case(f"stock/{SITE}/{item}", "told otherwise")
    assert fact in case["title"]
    assert "+3 EA" in json.dumps(await group.api.get(f"/v1/cases/{case['number']}"))
    assert said(await adjusted(group, item, fact, 3)) == (200, "duplicate")
    await until_balance(group, item, SITE, available=5)

    declared = f"{fact}-declared-wrong"
    assert said(await adjusted(group, item, declared, -2, f"{fact} was wrong: three")) == (202, "new")
    await until_balance(group, item, SITE, available=3)
    assert said(await adjusted(group, item, declared, -2, f"{fact} was wrong: three")) == (200, "duplicate")
    await until_balance(group, item, SITE, available=3)
    timeline = (await group.story(f"stock/{SITE}/{item}"))["timeline"]
    assert len([x for x in timeline if x["lineage"]["message"]]) == 3, "all that was said is kept"
    assert await broken_law(group) == []


def ordered(order: dict[str, Any], quantity: int, updated_at: str) -> bytes:
    line = order["line_items"][0] | {"sku": "WID-1", "quantity": quantity, "current_quantity": quantity}
    return encoded(order | {"line_items": [line], "updated_at": updated_at})


async def test_an_order_under_a_known_id_with_another_content_is_another_version(group: Group) -> None:
    """Newer: it counts. As old and different: a person decides. The same: nothing. Taken back: it is, and what is older revives nothing."""
    order, event = shop_order(), {"x-shopify-event-id": f"order-{next_number()}"}
    thread = f"order/shopify-eu/{order['id']}"
    first, second, third = (
        ordered(order, 2, "2026-11-26T10:00:00+00:00"), ordered(order, 1, "2026-11-26T10:05:00+00:00"),
        ordered(order, 7, "2026-11-26T10:05:00+00:00"),
    )  # fmt: skip
    reference = thread.partition("/")[2]
    async with group.quirks("sap-1", credit_blocked=1.0):
        assert said(await group.api.deliver(*SHOP, first, "orders/create", **event)) == (202, "new")
        await group.until(reference, "held")
        assert said(await group.api.deliver(*SHOP, second, "orders/create", **event)) == (202, "new")

        async def one() -> bool:
            return (await group.line(reference, "WID-1")).get("ordered") == Decimal(1)

        await eventually(one, what="the newer version counts")
        assert said(await group.api.deliver(*SHOP, second, "orders/create", **event)) == (200, "duplicate")
        assert said(await group.api.deliver(*SHOP, third, "orders/create", **event)) == (202, "different")
        await group.until_case(thread, "order change")
        assert await one()

        cancelled = json.loads(second) | {
            "cancelled_at": "2026-11-26T10:10:00+00:00", "cancel_reason": "customer", "updated_at": "2026-11-26T10:10:00+00:00",
        }  # fmt: skip
        assert said(await group.api.deliver(*SHOP, encoded(cancelled), "orders/cancelled"))[0] == 202
        await group.until(reference, "cancelled")
    late = ordered(order, 4, "2026-11-26T10:06:00+00:00")
    assert said(await group.api.deliver(*SHOP, late, "orders/updated"))[0] == 202
    await group.until(reference, "cancelled")
    assert await group.left(reference) == {}
    assert [
        x for x in await group.journal("sap-1", "sales_order.create") if x["reference"] == reference
    ] == []
