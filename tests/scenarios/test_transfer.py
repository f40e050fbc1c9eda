"""DOMAIN check 16: whose goods are on the road between sites; judged by both warehouses' and both ERPs' own books."""

import asyncio

import pytest

from e2e.running import eventually
from scenarios.goods_between import (
    announced,
    at_dock,
    buckets,
    on_the_road,
    posted,
    released,
    say,
    stocked,
    transfer,
    until_done,
    until_phase,
)
from scenarios.group import Group


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
        case = await group.until_case(thread, "period closed")
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
