"""shopify-app-js#603, ShopifySharp#919, convoy#1525: updates before creations, one event 46 times, at the same moment."""

import asyncio
import json
from decimal import Decimal

from crossdock.connectors.shopify.twin_shop import order_document
from scenarios.group import Group

COPIES = 46


async def test_one_event_forty_six_times_at_once_is_one_order(group: Group) -> None:
    """Byte for byte, over as many connections: every copy is answered, one order follows, and it leaves once."""
    number = 9_100_000_000_000_001
    line = {
        "id": 9_100_000_000_001,
        "sku": "MUG-1",
        "quantity": 2,
        "open": 2,
        "price": "8.75",
        "title": "Mug",
    }
    customer = {
        "id": 91, "first_name": "Ada", "last_name": "Storm", "email": "ada@example.org", "phone": "+49301", "address1": "Kade 1",
        "city": "Utrecht", "zip": "3511 AB", "country_code": "NL",
    }  # fmt: skip
    at = "2026-11-26T10:00:00+00:00"
    order = {
        "id": number, "name": "#9100", "order_number": 9100, "created_at": at, "updated_at": at, "cancelled_at": None, "cancel_reason": None,
        "currency": "EUR", "customer": customer, "express": False, "tags": "", "lines": [line],
    }  # fmt: skip
    body = json.dumps(order_document(order)).encode()
    headers = {"x-shopify-event-id": "storm-14"}

    answers = await asyncio.gather(
        *(
            group.api.deliver("shopify-eu", "webhooks", body, "orders/updated", **headers)
            for _ in range(COPIES // 2)
        ),
        *(
            group.api.deliver("shopify-eu", "webhooks", body, "orders/create", **headers)
            for _ in range(COPIES // 2)
        ),
    )

    assert {x.status for x in answers} <= {200, 202}
    reference = f"shopify-eu/{number}"
    await group.until_left(reference)
    assert await group.left(reference) == {"MUG-1": Decimal(2)}
    released = [
        x for x in await group.journal("wms-1", "warehouse_order.release") if x["reference"] == reference
    ]
    assert len(released) == 1
    assert (
        len([x for x in await group.journal("sap-1", "sales_order.create") if x["reference"] == reference])
        == 1
    )
