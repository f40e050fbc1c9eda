"""DOMAIN checks 16 and 17: goods between sites and companies; judged by both warehouses' and both ERPs' own books."""

import asyncio
import json
from decimal import Decimal

import pytest

from e2e.running import eventually
from scenarios.goods_between import (
    announced,
    at_dock,
    buckets,
    erp_stock,
    posted,
    released,
    say,
    stocked,
    transfer,
    until_done,
    until_phase,
)
from scenarios.group import Group


async def on_the_road(group: Group, number: str, item: str, quantity: int, **terms: str) -> tuple[str, str]:
    """(thread, truck): it left SITE1, and SITE2 knows of it."""
    await stocked(group, item, 50)
    thread = await transfer(group, number, item, quantity, **terms)
    await released(group, thread)
    truck = (await at_dock(group, "wms-1", "send", reference=thread, carrier="RDWY"))["shipment"]
    await announced(group, thread, "wms-2", delivery=truck)
    return thread, truck


async def warehouse_has(group: Group, wms: str, item: str) -> str:
    return str((await group.twin(wms, "/stock"))[item]["quantity"])


@pytest.mark.parametrize(
    ("number", "terms", "bucket", "location", "owner"),
    [
        ("4600000001", {"title_passes": "arrival"}, "in_transit_out", "SITE1", "Acme EU"),
        ("4600000002", {"title_passes": "departure", "incoterm": "FCA"}, "in_transit_in", "SITE2", "Acme US"),
    ],
)
async def test_check_16_ownership_on_the_road(
    group: Group, number: str, terms: dict[str, str], bucket: str, location: str, owner: str
) -> None:
    """The carrier has the goods; by the terms they are still the sender's, or the buyer's already; nobody can sell them."""
    item = f"TR-{number[-1]}"
    thread, _ = await on_the_road(group, number, item, 20, **terms)

    assert await buckets(group, item, possessor="RDWY") == {bucket: 20}
    assert await buckets(group, item, location, owner=owner) == {bucket: 20}
    assert await buckets(group, item, "SITE1", owner="") == {"available": 30}
    shown = await asyncio.to_thread(group.api.hub.crossdock, "stock", "show", item)
    assert f"owner {owner} possessor RDWY" in shown.stdout
    assert bucket in shown.stdout

    await at_dock(group, "wms-2", "receive", reference=thread)
    await until_done(group, thread)
    assert await buckets(group, item) == {"available": 50}
    assert await buckets(group, item, "SITE2", owner="", possessor="") == {"available": 20}


async def test_check_16_a_depositor_owns_his_goods_all_the_way(group: Group) -> None:
    """Stock of a third party goes from site to site under his name, and is in nobody's ERP."""
    place = {"item": "TR-D", "location": "SITE1", "owner": "DEPOSITOR"}
    data = {"place": place, "quantity": {"value": "30", "unit": "EA"}}
    await say(group, "stock/SITE1/TR-D", "stock.received.v1", data, source_id="depositor-1", source="wms-1")

    async def there() -> bool:
        return await buckets(group, "TR-D", owner="DEPOSITOR") == {"available": 30}

    await eventually(there, what="his stock is there")
    thread = await transfer(group, "4600000003", "TR-D", 10, owner="DEPOSITOR")
    await released(group, thread)
    await group.twin("wms-1", "/recount", {"TR-D": {"quantity": "30"}}, "PUT")
    truck = (await at_dock(group, "wms-1", "send", reference=thread, carrier="RDWY"))["shipment"]
    await announced(group, thread, "wms-2", delivery=truck)
    assert await buckets(group, "TR-D", owner="DEPOSITOR", possessor="RDWY") == {"in_transit_out": 10}
    await at_dock(group, "wms-2", "receive", reference=thread)

    await until_done(group, thread)
    assert await buckets(group, "TR-D", owner="DEPOSITOR") == {"available": 30}
    assert await buckets(group, "TR-D", owner="") == {}
    for erp, effect in (("sap-1", "transfer_issue.post"), ("sap-2", "goods_receipt.post")):
        orders = [row["detail"]["order"] for row in await group.journal(erp, effect)]
        assert not [x for x in orders if x.endswith("4600000003")]


async def test_check_17_two_companies_partial_receipts(group: Group) -> None:
    """Two trucks, three receipts, lost answers on every side: each ERP has its own side once, in its own order; prices are only carried."""
    quirks = {"answer_lost": 0.4}
    async with (
        group.quirks("sap-1", **quirks), group.quirks("sap-2", **quirks),
        group.quirks("wms-1", duplicate_event=0.6, reordered_event=0.6), group.quirks("wms-2", duplicate_event=0.6),
    ):  # fmt: skip
        await stocked(group, "TR-4", 50)
        thread = await transfer(group, "4600000004", "TR-4", 20)
        await released(group, thread)
        line = {"line": "10", "quantity": "8"}
        first = (
            await at_dock(group, "wms-1", "send", reference=thread, carrier="RDWY", lines=[line], last=False)
        )["shipment"]
        second = (await at_dock(group, "wms-1", "send", reference=thread, carrier="RDWY"))["shipment"]
        for truck, counts in ((first, ("5", "3")), (second, ("12",))):
            await announced(group, thread, "wms-2", delivery=truck)
            for count in counts:
                await at_dock(
                    group,
                    "wms-2",
                    "receive",
                    reference=thread,
                    delivery=truck,
                    lines=[{"line": "10", "quantity": count}],
                )
        story = await until_done(group, thread)

    assert story["phase"] == "received"
    assert await buckets(group, "TR-4", "SITE1") == {"available": 30}
    assert await buckets(group, "TR-4", "SITE2") == {"available": 20}
    issues = await posted(group, "sap-1", "transfer_issue.post", "4600000004")
    receipts = await posted(group, "sap-2", "goods_receipt.post", "94600000004")
    assert issues == [(first, "8"), (second, "12")]
    assert sorted(q for _, q in receipts) == ["12", "3", "5"]
    assert (await erp_stock(group, "sap-1", "TR-4", "1010"))["unrestricted"] == "30"
    assert (await erp_stock(group, "sap-2", "TR-4", "2010"))["unrestricted"] == "20"
    assert (await warehouse_has(group, "wms-1", "TR-4"), await warehouse_has(group, "wms-2", "TR-4")) == (
        "30",
        "20",
    )
    [shown] = story["lines"]
    assert (shown["price"], shown["currency"], shown["delivered"]) == ("9.50", "EUR", "20")


async def test_check_17_loss_in_transit(group: Group) -> None:
    """Three are missing: the truck is closed, a person settles them with the ERP's document; every piece is accounted for."""
    thread, truck = await on_the_road(group, "4600000005", "TR-5", 20)
    lines = [{"line": "10", "quantity": "15"}, {"line": "10", "quantity": "2", "condition": "DAMAGED"}]
    await at_dock(
        group,
        "wms-2",
        "receive",
        reference=thread,
        delivery=truck,
        lines=lines,
        close=True,
        reason="truck is empty",
    )

    story = await until_phase(group, thread, "variance")
    assert await buckets(group, "TR-5", "SITE1") == {"available": 30, "in_transit_out": 3}
    assert await buckets(group, "TR-5", "SITE2") == {"available": 15, "damaged": 2}
    assert "3 EA of TR-5 missing" in (await group.until_case(thread, "variance"))["title"]
    [shown] = story["lines"]
    assert shown["extras"] == {"variance": "3", "damaged": "2"}
    lost = {
        "outcome": "lost", "lines": [{"shipment": truck, "line": "10", "quantity": {"value": "2", "unit": "EA"}}],
        "reason": "carrier paid", "by": "ada", "document": "4900000077",
    }  # fmt: skip
    await say(group, thread, "transfer.settled.v1", lost, source_id="settled-1", source="operator")

    async def two_gone() -> bool:
        return await buckets(group, "TR-5", "SITE1") == {"available": 30, "in_transit_out": 1}

    await eventually(two_gone, what="two are settled")
    await group.retry(await group.until_case(thread, "variance"))
    await until_done(group, thread)
    assert await buckets(group, "TR-5", "SITE1") == {"available": Decimal(30)}
    entries = await asyncio.to_thread(
        group.api.hub.crossdock, "stock", "show", "TR-5", "--json", "--entries", "50"
    )
    causes = {e["type"] for p in json.loads(entries.stdout)["places"] for e in p["entries"]}
    assert causes >= {"claim.granted.v1", "transfer.shipped.v1", "inbound.received.v1", "transfer.settled.v1", "inbound.accepted.v1"} - {"claim.granted.v1"}  # fmt: skip


async def test_it_waits_for_stock_and_the_period(group: Group) -> None:
    """Without stock nothing is released; a closed period at the sender stops its posting, and not the goods."""
    await stocked(group, "TR-6", 5)
    thread = await transfer(group, "4600000006", "TR-6", 20)
    await group.until_case(thread, "not enough stock")
    assert not any(x["reference"] == thread for x in await group.twin("wms-1", "/transfers"))

    await stocked(group, "TR-6", 40)
    await released(group, thread)
    async with group.quirks("sap-1", period_closed=1.0):
        await at_dock(group, "wms-1", "send", reference=thread, carrier="RDWY")
        case = await group.until_case(thread, "refused by target")
        assert case["owner"] == "finance"
        await announced(group, thread, "wms-2")
        await at_dock(group, "wms-2", "receive", reference=thread)
        story = await until_phase(group, thread, "received")
        assert "goods issue" in story["waiting_on"]
        assert await posted(group, "sap-1", "transfer_issue.post", "4600000006") == []
    await group.retry(case)

    await until_done(group, thread)
    assert len(await posted(group, "sap-1", "transfer_issue.post", "4600000006")) == 1


async def test_cancelled_before_it_leaves(group: Group) -> None:
    """Both the hub's and the warehouse's stock are free again, and it never leaves."""
    await stocked(group, "TR-7", 30)
    thread = await transfer(group, "4600000007", "TR-7", 20)
    await released(group, thread)
    await say(group, thread, "transfer.cancelled.v1", {"reason": "not needed"}, source_id="cancel-7")

    await until_phase(group, thread, "cancelled")

    async def told() -> bool:
        return any(
            x["reference"] == thread and x["status"] == "cancelled"
            for x in await group.twin("wms-1", "/transfers")
        )

    await eventually(told, what="the warehouse knows")
    assert await buckets(group, "TR-7") == {"available": 30}
    stock = (await group.twin("wms-1", "/stock"))["TR-7"]
    assert (stock["quantity"], stock["allocated"]) == ("30", "0")


async def test_the_ledger_adds_up(group: Group) -> None:
    """After all of it, entries lead to balances, and each names its cause."""
    said = await asyncio.to_thread(group.api.hub.crossdock, "doctor", seconds=120)
    ledger = [line for line in said.stdout.splitlines() if "ledger" in line]
    assert ledger, said.stdout
    assert all("ok" in line.lower() or "✓" in line for line in ledger), ledger
