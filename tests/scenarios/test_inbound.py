"""Goods that come in: expected, announced, received truck by truck, booked once; judged by the warehouse's and the ERP's own books."""

import asyncio
import json
from decimal import Decimal
from typing import Any

from e2e.running import eventually
from scenarios.goods_between import (
    announced,
    at_dock,
    buckets,
    erp_stock,
    posted,
    purchase,
    say,
    until_done,
    until_phase,
)
from scenarios.group import Group


async def test_three_trucks_one_damaged(group: Group) -> None:
    """Expected goods are seen and not sold; what came is on the shelf, what is damaged lies apart, the ERP has each receipt once."""
    thread = await purchase(group, "4500001001", "IN-1", 100)
    await announced(group, thread, "wms-1")
    assert await buckets(group, "IN-1") == {"expected": 100}
    shown = await asyncio.to_thread(group.api.hub.crossdock, "stock", "show", "IN-1")
    assert "inbound 100 EA" in shown.stdout
    assert "sellable 0 EA" in shown.stdout

    receipts = []
    for line in ({"quantity": "60"}, {"quantity": "30"}, {"quantity": "10", "condition": "DAMAGED"}):
        told = await at_dock(group, "wms-1", "receive", reference=thread, lines=[{"line": "10"} | line])
        receipts.append(told["receipt"])

    story = await until_done(group, thread)
    assert story["phase"] == "received"
    assert await buckets(group, "IN-1") == {"available": 90, "damaged": 10}
    assert await posted(group, "sap-1", "goods_receipt.post", "4500001001") == sorted(
        zip(receipts, ("60", "30", "10"), strict=True)
    )
    stock = await erp_stock(group, "sap-1", "IN-1", "1010")
    assert (stock["unrestricted"], stock["blocked"]) == ("90", "10")
    for system in ("wms-1", "sap-1"):
        assert "IN-1" not in await differing(group, system)
    case = await group.until_case(thread, "damaged")
    await group.retry(case)

    async def accepted() -> bool:
        return not await group.cases(thread)

    await eventually(accepted, what="the damage is accepted")
    labels = [x["label"] for x in (await group.story(thread))["milestones"] if x["classifier"] == "actual"]
    assert labels == ["expected", "announced", "received", "goods receipt"]


async def differing(group: Group, system: str) -> dict[str, Any]:
    """What the hub and this system do not agree on, by item."""
    said = await asyncio.to_thread(
        group.api.hub.crossdock, "reconcile", "run", "--system", system, "--json", seconds=120
    )
    assert said.returncode == 0, said.stderr
    return {d["item"]: d for d in json.loads(said.stdout)["differences"]}


async def test_lost_and_doubled_messages_book_nothing_twice(group: Group) -> None:
    """Half of the ERP's answers are lost, the warehouse repeats and reorders what it says: each receipt is one document."""
    async with (
        group.quirks("sap-1", answer_lost=0.5),
        group.quirks("wms-1", duplicate_event=0.7, reordered_event=0.7, answer_lost=0.3),
    ):
        thread = await purchase(group, "4500001002", "IN-2", 40)
        await announced(group, thread, "wms-1")
        for _ in range(4):
            await at_dock(
                group, "wms-1", "receive", reference=thread, lines=[{"line": "10", "quantity": "10"}]
            )
        await until_done(group, thread)

    assert await buckets(group, "IN-2") == {"available": 40}
    assert [q for _, q in await posted(group, "sap-1", "goods_receipt.post", "4500001002")] == ["10"] * 4
    assert (await erp_stock(group, "sap-1", "IN-2", "1010"))["unrestricted"] == "40"


async def test_too_much_waits_for_a_person(group: Group) -> None:
    """Far more than ordered is put aside, and the ERP refuses to book it; accepted here and ordered there, it is sold and booked."""
    thread = await purchase(group, "4500001003", "IN-3", 10)
    await announced(group, thread, "wms-1")
    await at_dock(group, "wms-1", "receive", reference=thread, lines=[{"line": "10", "quantity": "15"}])
    over = await group.until_case(thread, "over")
    refused = await group.until_case(thread, "refused by target")
    assert refused["owner"] == "finance"
    assert await buckets(group, "IN-3") == {"available": 11, "quarantine": 4}

    await group.retry(over)

    async def on_shelf() -> bool:
        return await buckets(group, "IN-3") == {"available": 15}

    await eventually(on_shelf, what="it can be sold")
    await purchase(group, "4500001003", "IN-3", 15)
    await group.retry(refused)
    await until_done(group, thread)
    assert [q for _, q in await posted(group, "sap-1", "goods_receipt.post", "4500001003")] == ["15"]


async def test_an_order_that_grows_covers_what_came(group: Group) -> None:
    """The buyer corrects it in the ERP: what was put aside can be sold, and nobody has to retry that case."""
    thread = await purchase(group, "4500001006", "IN-6", 10)
    await announced(group, thread, "wms-1")
    await at_dock(group, "wms-1", "receive", reference=thread, lines=[{"line": "10", "quantity": "15"}])
    await group.until_case(thread, "over")
    refused = await group.until_case(thread, "refused by target")

    await purchase(group, "4500001006", "IN-6", 15)

    async def settled() -> bool:
        return [x["cause"] for x in await group.cases(thread)] == ["refused by target"]

    await eventually(settled, what="only the ERP's refusal is left")
    assert await buckets(group, "IN-6") == {"available": 15}
    await group.retry(refused)
    await until_done(group, thread)


async def test_short_is_closed_and_an_order_is_served_from_the_rest(group: Group) -> None:
    """The warehouse closes what will not come; what came over the dock is sold once it is put away."""
    materials = {"IN-4": {"price": "10.00", "currency": "EUR", "unit": "EA", "available": "1000"}}
    await group.twin("sap-1", "/materials", materials, "PUT")
    thread = await purchase(group, "4500001004", "IN-4", 20)
    await announced(group, thread, "wms-1")
    told = await at_dock(
        group, "wms-1", "receive", reference=thread, lines=[{"line": "10", "quantity": "12"}], on_dock=True, close=True,
        reason="the rest is not coming",
    )  # fmt: skip
    story = await until_phase(group, thread, "closed")
    assert "put-away" in story["waiting_on"] or "goods receipt" in story["waiting_on"]
    assert await buckets(group, "IN-4") == {"quarantine": 12}
    reference = await group.buy(("IN-4", 2))
    await group.until(reference, "held")

    await at_dock(group, "wms-1", "put_away", receipt=told["receipt"])

    await until_done(group, thread)
    await group.until(reference, "completed")
    assert await buckets(group, "IN-4") == {"available": 10}


async def test_receipts_before_the_order(group: Group) -> None:
    """What nobody announced is on the shelf at once, and is booked when the order is said."""
    number, thread = "4500001005", "inbound/sap-1/4500001005"
    line = {"line": "10", "item": "IN-5", "quantity": {"value": "5", "unit": "EA"}}
    data = {"receipt": "BLIND-1", "location": "SITE1", "lines": [line]}
    await say(group, thread, "inbound.received.v1", data, source_id="blind-1", source="wms-1")

    async def on_shelf() -> bool:
        return await buckets(group, "IN-5") == {"available": 5}

    await eventually(on_shelf, what="it is on the shelf")
    assert await posted(group, "sap-1", "goods_receipt.post", number) == []
    await purchase(group, number, "IN-5", 8)
    await until_phase(group, thread, "announced", "receiving")

    async def booked() -> bool:
        return await posted(group, "sap-1", "goods_receipt.post", number) == [("BLIND-1", "5")]

    await eventually(booked, what="the receipt is booked")
    assert (
        await say(group, thread, "inbound.cancelled.v1", {"reason": "no more"}, source_id=f"{number}-2")
        == "new"
    )
    await until_done(group, thread)
    assert await buckets(group, "IN-5") == {"available": Decimal(5)}
    [asn] = [x for x in await group.twin("wms-1", "/asns") if x["reference"] == thread]
    assert asn["status"] == "cancelled"


async def test_what_the_erp_refused_to_book_is_named(group: Group) -> None:
    """The goods are on the shelf while its period is closed; the two differ by that receipt until it is booked."""
    thread = await purchase(group, "4500001007", "IN-7", 30)
    await announced(group, thread, "wms-1")
    await at_dock(group, "wms-1", "receive", reference=thread, lines=[{"line": "10", "quantity": "20"}])

    async def booked() -> bool:
        return len(await posted(group, "sap-1", "goods_receipt.post", "4500001007")) == 1

    await eventually(booked, what="the first receipt is booked")
    async with group.quirks("sap-1", period_closed=1.0):
        receipt = (await at_dock(group, "wms-1", "receive", reference=thread))["receipt"]
        case = await group.until_case(thread, "period closed")
        found = await differing(group, "sap-1")
    one = found["IN-7"]
    assert (Decimal(one["good"]), one["cause"]) == (-10, "not_told")
    assert receipt in one["evidence"][0]
    assert "was refused there" in one["evidence"][0]
    assert await buckets(group, "IN-7") == {"available": 30}

    await group.retry(case)
    await until_done(group, thread)
    assert "IN-7" not in await differing(group, "sap-1")
