"""DOMAIN check 19: what was estimated, accrued and billed for a shipment, and every way in which they differ."""

from decimal import Decimal
from typing import Any

from e2e.running import eventually
from scenarios.group import Group

PALLET = ("WID-1", 1000)


async def heavy(group: Group, **quirks: float) -> tuple[str, str]:
    """An order that travels by load; its reference and its shipment's thread."""
    async with group.quirks("otm-1", **quirks):
        reference = await group.buy(PALLET)
        await group.until(reference, "completed")
        [thread] = await group.shipments(reference)

        async def billed() -> bool:
            rows = await group.journal("otm-1", "freight.invoiced")
            return any(x["reference"] == thread.partition("/")[2] for x in rows)

        await eventually(billed, what="the carrier has billed")
        return reference, thread


async def entries(group: Group, effect: str, thread: str) -> list[dict[str, Any]]:
    shipment = thread.partition("/")[2]
    return [x for x in await group.journal("sap-1", effect) if x["reference"].startswith(shipment)]


async def test_a_reweighed_load_is_disputed_or_accepted_by_finance(group: Group) -> None:
    """Eighteen percent more weight is beyond the tolerance: nothing is booked until finance accepts the bill."""
    _, thread = await heavy(group, reweighed=1.0)
    case = await group.until_case(thread, "freight difference")
    assert await entries(group, "freight.adjust", thread) == []

    await group.retry(case)

    async def adjusted() -> list[dict[str, Any]]:
        return await entries(group, "freight.adjust", thread)

    [entry] = await eventually(adjusted, what="the accrual is adjusted, once")
    [accrual] = await entries(group, "freight.accrue", thread)
    [bill] = [
        x
        for x in await group.journal("otm-1", "freight.invoiced")
        if x["reference"] == thread.partition("/")[2]
    ]

    def amount(row: dict[str, Any]) -> Decimal:
        found = row["detail"]["amount"]
        return Decimal(str(found["amount"] if isinstance(found, dict) else found))

    assert amount(accrual) + amount(entry) == amount(bill)


async def test_the_same_bill_twice_is_one(group: Group) -> None:
    """The carrier sends it again under another message number: nothing follows from it."""
    _, thread = await heavy(group, duplicate_freight_bill=1.0)

    assert len(await entries(group, "freight.accrue", thread)) == 1
    assert len(await entries(group, "freight.adjust", thread)) <= 1
    assert all(x["cause"] != "freight billed twice" for x in await group.cases(thread))


async def test_a_second_bill_for_one_carriage_is_a_question(group: Group) -> None:
    """Another invoice number for the same load: not booked, put before finance."""
    _, thread = await heavy(group, double_billed=1.0)

    case = await group.until_case(thread, "freight billed twice")

    assert case["owner"] == "finance"
    assert len(await entries(group, "freight.accrue", thread)) == 1


async def test_nobody_takes_the_load(group: Group) -> None:
    """All carriers decline: transport has a case, and the order says what it waits for."""
    async with group.quirks("otm-1", carrier_declines=1.0):
        reference = await group.buy(PALLET)
        [thread] = await group.until_shipments(reference, 1)
        case = await group.until_case(thread, "no carrier")

    assert case["owner"] == "transport"
    assert await group.booked(reference, "goods_issue.post") == {}


async def test_a_spoilt_label_is_made_again_and_paid_once(group: Group) -> None:
    """The old label is voided; what is accrued is the price of the one that travels."""
    async with group.quirks("wms-1", late_truck=1.0), group.quirks("ups-1", late_truck=1.0):
        reference = await group.buy(("WID-1", 1))
        [thread] = await group.until_shipments(reference, 1, "labelled")
        event = {
            "specversion": "1.0", "id": f"again-{thread}", "source": "packing-desk", "subject": thread,
            "type": "crossdock.logistics.label.reprintRequested.v1", "data": {"by": "packing desk", "reason": "it is torn"},
        }  # fmt: skip
        answer = await group.api.post("/v1/events", event)
        assert answer.status == 202, answer.body
        await group.until(reference, "completed")

    shipment = thread.partition("/")[2]

    async def keys(effect: str) -> list[str]:
        return [
            x["key"]
            for x in await group.journal("ups-1", effect)
            if x["reference"].partition("~")[0] == shipment
        ]

    first, second = await keys("label.create")
    assert await keys("label.void") == [first]
    assert [x["tracking"] for x in (await group.story(thread))["packages"]] == [second]
    assert len(await entries(group, "freight.accrue", thread)) == 1


async def test_what_comes_back_was_carried_all_the_same(group: Group) -> None:
    """A parcel that its receiver refused is not billed to him; its freight stands accrued, once."""
    async with group.quirks("ups-1", returned=1.0):
        reference = await group.buy(("WID-1", 1))
        await group.until_case(f"order/{reference}", "returned")

    [thread] = await group.shipments(reference)
    assert len(await entries(group, "freight.accrue", thread)) == 1
    assert await entries(group, "freight.adjust", thread) == []
    assert await group.booked(reference, "invoice.release") == {}
