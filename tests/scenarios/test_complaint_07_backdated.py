"""Complaint 7: a receipt that is dated before a stock count is added on top of what was counted."""

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from e2e.running import eventually
from scenarios.callers import fact, until_balance
from scenarios.goods import broken_law
from scenarios.group import Group
from scenarios.test_check_13_counts import compared

ITEM = "DATED-1"


async def on_hand(group: Group, at: datetime, known_at: datetime | None = None) -> Decimal:
    """As `crossdock stock as-of` says it."""
    known = ("--known-at", known_at.isoformat()) if known_at else ()
    said = await asyncio.to_thread(
        group.api.hub.crossdock, "stock", "as-of", ITEM, "--at", at.isoformat(), *known, "--json"
    )
    assert said.returncode == 0, said.stderr
    [total] = json.loads(said.stdout)["totals"]
    return Decimal(total["on_hand"])


async def entries(group: Group) -> list[dict[str, Any]]:
    """Oldest first."""
    found: list[dict[str, Any]] = (await group.api.get(f"/v1/stock/entries/{ITEM}"))["entries"]
    return found[::-1]


async def test_a_receipt_dated_before_a_count_changes_the_past_and_not_the_count(own_group: Group) -> None:
    """Fifteen were counted of ten; the missing note of five comes later: fifteen stay, and were there before the count too."""
    group = own_group
    await group.twin("wms-1", "/stock", {ITEM: {"quantity": "10", "lot": ""}}, "PUT")
    await until_balance(group, ITEM, "SITE1", available=10)
    opening = datetime.now(UTC)
    await asyncio.sleep(0.1)
    arrived = datetime.now(UTC)
    await asyncio.sleep(0.1)
    between = datetime.now(UTC)
    await group.twin("wms-1", "/recount", {ITEM: {"quantity": "15"}}, "PUT")
    _, found = await compared(group)
    assert (found[ITEM]["good"], found[ITEM]["cause"], found[ITEM]["state"]) == ("5", "counted", "settled")
    await until_balance(group, ITEM, "SITE1", available=15)
    before, counted = await entries(group), datetime.now(UTC)

    note = {"quantity": {"value": "5", "unit": "EA"}, "document": "DN-5"}
    await fact(group, "stock.received.v1", "SITE1", ITEM, note, at=arrived)

    async def booked() -> bool:
        return len(await entries(group)) == len(before) + 2

    await eventually(booked, what="the receipt is booked")
    await until_balance(group, ITEM, "SITE1", available=15)
    past = [await on_hand(group, at) for at in (opening, between, counted)]
    assert past == [10, 15, 15]
    assert await on_hand(group, between, known_at=counted) == 10
    assert (await entries(group))[: len(before)] == before
    _, later = await compared(group)
    assert ITEM not in later

    await group.twin("wms-1", "/stock", {ITEM: {"quantity": "18", "lot": ""}}, "PUT")
    await until_balance(group, ITEM, "SITE1", available=18)
    assert await broken_law(group) == []
