"""DOMAIN check 17: two companies with an ERP and a currency each; every piece is accounted for at every step."""

import asyncio
import json
from decimal import Decimal

from e2e.running import eventually
from scenarios.goods import broken_law
from scenarios.goods_between import (
    announced,
    at_dock,
    buckets,
    erp_stock,
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


async def warehouse_has(group: Group, wms: str, item: str) -> str:
    return str((await group.twin(wms, "/stock"))[item]["quantity"])


async def moved(group: Group, wms: str, effect: str, thread: str) -> int:
    """How many pieces of a transfer this warehouse's own books say it sent, or received."""
    rows = [x["detail"]["lines"] for x in await group.journal(wms, effect) if x["reference"] == thread]
    return int(sum(Decimal(x.get("quantity") or x["Quantity"]) for lines in rows for x in lines))


async def adds_up(
    group: Group, thread: str, item: str, *, sent: int, received: int, road: int, settled: int = 0
) -> None:
    """What left by the sender's books is what came by the receiver's, what the ledger has on the road, and what was settled."""
    assert sent == received + road + settled
    assert await moved(group, "wms-1", "transfer.shipped", thread) == sent
    assert await moved(group, "wms-2", "inbound.received", thread) == received
    wanted = (sent, received, road, settled)

    async def so() -> bool:
        return await by_hub(group, thread, item) == wanted

    try:
        await eventually(so, what=f"the hub counts {wanted}", seconds=30)
    except AssertionError as error:
        raise AssertionError(f"{error}: {await by_hub(group, thread, item)}") from None


async def by_hub(group: Group, thread: str, item: str) -> tuple[int, int, int, int]:
    """(sent, received, on the road by the ledger, settled)"""
    [line] = (await group.story(thread))["lines"]
    road = sum((await buckets(group, item, possessor="RDWY")).values(), Decimal(0))
    return tuple(
        int(Decimal(x))
        for x in (line["shipped"], line["delivered"], road, line["extras"].get("settled", "0"))
    )  # type: ignore[return-value]


async def test_partial_receipts_are_booked_once_by_each_company(group: Group) -> None:
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


async def test_what_is_lost_in_transit_is_settled_with_the_erps_document(group: Group) -> None:
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


async def test_every_piece_is_accounted_for_at_every_step(group: Group) -> None:
    """Two trucks: one loses five, of which one is found and four are given up; the other brings one too many. The law holds all along."""
    await stocked(group, "TR-17", 50)
    thread = await transfer(group, "4600000017", "TR-17", 20, layer="LAYER-17")
    await released(group, thread)
    lines = [{"line": "10", "quantity": "12"}]
    first = (
        await at_dock(group, "wms-1", "send", reference=thread, carrier="RDWY", lines=lines, last=False)
    )["shipment"]
    await adds_up(group, thread, "TR-17", sent=12, received=0, road=12)
    second = (await at_dock(group, "wms-1", "send", reference=thread, carrier="RDWY"))["shipment"]
    await adds_up(group, thread, "TR-17", sent=20, received=0, road=20)

    async def receive(truck: str, quantity: int, **more: object) -> None:
        await announced(group, thread, "wms-2", delivery=truck)
        told = [{"line": "10", "quantity": str(quantity)}] if quantity else []
        await at_dock(group, "wms-2", "receive", reference=thread, delivery=truck, lines=told, **more)

    await receive(first, 7)
    await adds_up(group, thread, "TR-17", sent=20, received=7, road=13)
    await receive(first, 0, close=True, reason="truck is empty")
    assert "5 EA of TR-17 missing" in (await group.until_case(thread, "variance"))["title"]
    await adds_up(group, thread, "TR-17", sent=20, received=7, road=13)

    async def settle(outcome: str, quantity: int, truck: str, document: str = "") -> None:
        data = {
            "outcome": outcome, "lines": [{"shipment": truck, "line": "10", "quantity": {"value": str(quantity), "unit": "EA"}}],
            "reason": outcome, "by": "ada", "document": document,
        }  # fmt: skip
        await say(group, thread, "transfer.settled.v1", data, source_id=f"17-{outcome}", source="operator")

    await settle("found", 1, first)
    await receive(first, 1)
    await adds_up(group, thread, "TR-17", sent=20, received=8, road=12)
    await settle("lost", 4, first, "4900000017")
    await adds_up(group, thread, "TR-17", sent=20, received=8, road=8, settled=4)
    await receive(second, 9)
    assert "1 EA of TR-17 too much" in (await group.until_case(thread, "variance"))["title"]
    await settle("surplus", 1, second)
    await adds_up(group, thread, "TR-17", sent=20, received=17, road=0, settled=3)

    await until_done(group, thread)
    assert await buckets(group, "TR-17", "SITE1") == {"available": 30}
    assert await buckets(group, "TR-17", "SITE2") == {"available": 17}
    assert await posted(group, "sap-1", "transfer_issue.post", "4600000017") == [(first, "12"), (second, "8")]
    assert sorted(q for _, q in await posted(group, "sap-2", "goods_receipt.post", "94600000017")) == [
        "1",
        "7",
        "9",
    ]
    assert await broken_law(group) == []


async def test_price_and_cost_are_carried_as_they_were_given_to_both_companies(group: Group) -> None:
    """9.50 EUR and a cost layer stand beside what each ERP books, with two receipts each; nobody's dollars, and nothing reckoned."""
    await stocked(group, "TR-18", 50)
    thread = await transfer(group, "4600000018", "TR-18", 20, layer="LAYER-18")
    await released(group, thread)
    truck = (await at_dock(group, "wms-1", "send", reference=thread, carrier="RDWY"))["shipment"]
    await announced(group, thread, "wms-2", delivery=truck)
    for quantity, condition in (("15", "GOOD"), ("5", "DAMAGED")):
        line = {"line": "10", "quantity": quantity, "condition": condition}
        await at_dock(group, "wms-2", "receive", reference=thread, delivery=truck, lines=[line])
    await group.retry(await group.until_case(thread, "damaged"))
    await until_done(group, thread)

    booked = {
        (erp, effect): [x["detail"] for x in await group.journal(erp, effect) if x["detail"]["order"].endswith("4600000018")]
        for erp in ("sap-1", "sap-2") for effect in ("transfer_issue.post", "goods_receipt.post")
    }  # fmt: skip
    said = {where: [x["texts"] for x in found] for where, found in booked.items()}
    carried = ["9.50 EUR LAYER-18"]
    assert said == {
        ("sap-1", "transfer_issue.post"): [carried], ("sap-1", "goods_receipt.post"): [],
        ("sap-2", "transfer_issue.post"): [], ("sap-2", "goods_receipt.post"): [carried, carried],
    }  # fmt: skip
    orders = [
        (await group.twin(erp, "/purchase_orders"))[f"{n}4600000018"]["items"]["10"]
        for erp, n in (("sap-1", ""), ("sap-2", "9"))
    ]
    assert [(x["price"], x["currency"]) for x in orders] == [("6.20", "EUR"), ("10.31", "USD")]
    [shown] = (await group.story(thread))["lines"]
    assert (shown["price"], shown["currency"]) == ("9.50", "EUR")
    entries = (await group.api.get("/v1/stock/entries/TR-18", limit="100"))["entries"]
    moved = [
        x["cost_layer"]
        for x in entries
        if x["thread"] == thread and x["type"].startswith(("transfer.shipped", "inbound.received"))
    ]
    assert set(moved) == {"LAYER-18"}
    assert (await erp_stock(group, "sap-2", "TR-18", "2010")).items() >= {
        "unrestricted": "15",
        "blocked": "5",
    }.items()
