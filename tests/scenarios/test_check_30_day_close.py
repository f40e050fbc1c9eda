"""DOMAIN check 30: at the end of a day counts and values tie across shop, warehouse, carrier and ERP, or the difference has a cause and an owner."""

import asyncio
import json
from decimal import Decimal
from typing import Any

from e2e.running import eventually
from scenarios.group import PRICE, Group

ITEM = "OVER-1"


async def close(group: Group) -> tuple[dict[str, Any], int]:
    """(what the command says, its exit status)"""
    said = await asyncio.to_thread(group.api.hub.crossdock, "day", "close", "--zone", "UTC", "--json")
    return json.loads(said.stdout), said.returncode


def tie(day: dict[str, Any], name: str) -> tuple[int, int]:
    found = next(x for x in day["ties"] if x["name"] == name)
    return found["said"]["count"], found["confirmed"]["count"]


async def counted(group: Group, system: str, effect: str) -> int:
    """By the system's own books."""
    return len({x["reference"] for x in await group.journal(system, effect)})


async def test_what_does_not_tie_has_a_cause_and_an_owner(own_group: Group) -> None:
    """Three orders go through, one is refused by a closed period, one is of an item that nobody knows: the day says exactly that."""
    group = own_group
    for reference in [await group.buy((ITEM, 2)) for _ in range(3)]:
        await group.until(reference, "completed")
    async with group.quirks("sap-1", period_closed=1.0):
        refused = await group.buy((ITEM, 1))
        await group.until_left(refused)
        await eventually(lambda: group.cases(f"order/{refused}"), what="the goods issue is refused")
    unknown = await group.buy(("NOBODY-30", 1))
    await group.until(unknown, "held")

    async def delivered() -> bool:
        return tie((await close(group))[0], "deliveries") == (4, 4)

    await eventually(delivered, what="all four parcels arrived")
    day, status = await close(group)

    assert status == 3
    assert tie(day, "orders") == (
        await counted(group, "shopify-eu", "order.placed"),
        await counted(group, "sap-1", "sales_order.create"),
    )
    assert tie(day, "goods issues") == (
        await counted(group, "wms-1", "shipment.departed"),
        await counted(group, "sap-1", "goods_issue.post"),
    )
    assert tie(day, "carriage") == (4, await counted(group, "ups-1", "label.create"))
    assert tie(day, "channels") == (4, await counted(group, "shopify-eu", "fulfilment.create"))
    assert tie(day, "freight accruals") == (4, await counted(group, "sap-1", "freight.accrue"))
    assert tie(day, "invoices") == (3, await counted(group, "sap-1", "invoice.release"))
    [issued] = [x for x in day["ties"] if x["name"] == "goods issues"]
    assert Decimal(issued["said"]["value"]["EUR"]) == 7 * Decimal(PRICE)
    assert Decimal(issued["confirmed"]["value"]["EUR"]) == 6 * Decimal(PRICE)
    found = {(x["kind"], x["thread"]): x for x in day["differences"]}
    assert set(found) == {
        ("shipped, not issued", f"order/{refused}"),
        ("placed, not booked", f"order/{unknown}"),
    }
    assert all(x["cause"] and x["owner"] and x["case"] for x in found.values())
    assert found["shipped, not issued", f"order/{refused}"]["owner"] == "finance"

    [case] = await group.cases(f"order/{refused}")
    await group.retry(case)
    await group.until(refused, "completed")
    await group.cancel(unknown)
    await group.until(unknown, "cancelled")
    day, status = await close(group)
    assert (day["differences"], status) == ([], 0)
    assert all(x["said"] == x["confirmed"] | {"says": x["said"]["says"]} for x in day["ties"])


async def test_scans_and_issues_of_nothing_are_named(own_group: Group) -> None:
    """A scan whose parcel nobody packed, and a goods issue that no warehouse reported: each is a difference of its own."""
    group = own_group
    reference = await group.buy((ITEM, 1))
    await group.until(reference, "completed")
    scan = {
        "trackingNumber": "1ZA1B2C30399999999", "localActivityDate": "20261126", "localActivityTime": "101500",
        "activityLocation": {"city": "Bonn", "stateProvince": "", "postalCode": "", "country": "DE"},
        "activityStatus": {"type": "I", "code": "DP", "description": "scan"},
    }  # fmt: skip
    assert (await group.api.deliver("ups-1", "track-alert", json.dumps(scan).encode())).status == 202
    event = {
        "specversion": "1.0", "id": "issue-30", "source": "sap-1", "type": "crossdock.logistics.goodsIssue.posted.v1",
        "subject": f"order/{reference}", "data": {"delivery": "89999999", "document": "4999999999", "shipment": "wms-1/S-9999"},
    }  # fmt: skip
    assert (await group.api.post("/v1/events", event)).status == 202

    async def named() -> set[tuple[str, str]]:
        found = {(x["kind"], x["called"]) for x in (await close(group))[0]["differences"]}
        return found if len(found) == 2 else set()

    assert await eventually(named, what="both are named") == {
        ("scan without shipment", "Tracking number 1ZA1B2C30399999999"), ("issued, not shipped", "Goods issue 4999999999"),
    }  # fmt: skip
