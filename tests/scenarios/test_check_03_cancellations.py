"""DOMAIN check 3: a cancellation is undone where the goods are, in four different ways; a race has one winner."""

import asyncio
from collections import Counter
from decimal import Decimal

from e2e.running import eventually
from scenarios.group import Group


async def until_effect(group: Group, system: str, effect: str, reference: str) -> dict[str, object]:
    async def look() -> dict[str, object] | None:
        rows = await group.journal(system, effect)
        return next((x for x in rows if x["reference"].partition("~")[0] == reference), None)

    found = await eventually(look, what=f"{system} has {effect} for {reference}")
    assert isinstance(found, dict)
    return found


async def nothing_was_booked(group: Group, reference: str) -> None:
    assert await group.booked(reference, "goods_issue.post") == {}
    assert await group.booked(reference, "invoice.release") == {}
    assert await group.left(reference) == {}


async def test_after_release_the_warehouse_stops_and_the_sales_order_goes(group: Group) -> None:
    """The warehouse is asked; the sales order is cancelled; the stock is free again."""
    async with group.quirks("wms-1", merge_orders=1.0):  # picked orders wait, so there is time
        reference = await group.buy(("GAD-1", 2))
        await until_effect(group, "wms-1", "warehouse_order.release", reference)
        await group.cancel(reference)
        await group.until(reference, "cancelled")

    assert (await until_effect(group, "sap-1", "sales_order.cancel", reference))["reference"] == reference
    assert await group.line(reference, "GAD-1") == {"ordered": Decimal(2), "cancelled": Decimal(2)}
    await nothing_was_booked(group, reference)


async def until_floor(group: Group, reference: str, status: str) -> None:
    """The warehouse's own books say that the order stands there."""

    async def look() -> bool:
        orders = await group.twin("wms-1", "/orders")
        return any(x["reference"] == reference and x["status"] == status for x in orders)

    await eventually(look, what=f"{reference} is {status} in the warehouse")


async def test_after_the_pick_the_goods_go_back_to_the_shelf(group: Group) -> None:
    """What is in the tote is put back, in the warehouse's books and in the ledger alike."""
    before = (await group.stock("GAD-2"))["SITE1"]["available"]
    async with group.quirks("wms-1", merge_orders=1.0):  # picked orders wait, so there is time
        reference = await group.buy(("GAD-2", 3))
        await until_floor(group, reference, "picked")
        await group.cancel(reference)
        await group.until(reference, "cancelled")

    await nothing_was_booked(group, reference)
    assert await group.line(reference, "GAD-2") == {"ordered": Decimal(3), "cancelled": Decimal(3)}
    assert (await group.stock("GAD-2"))["SITE1"]["available"] == before
    assert (await until_effect(group, "sap-1", "sales_order.cancel", reference))["reference"] == reference


async def test_a_warehouse_that_will_not_stop_ships_and_bills_it(group: Group) -> None:
    """Picking is finished and the floor refuses: the order goes on, and customer service hears of it."""
    async with group.quirks("wms-1", merge_orders=1.0, cancel_refused=1.0):
        reference = await group.buy(("GAD-2", 1))
        await until_floor(group, reference, "picked")
        await group.cancel(reference)
        case = await group.until_case(f"order/{reference}", "cancellation")
    await group.until(reference, "completed")

    assert case["owner"] == "customer service"
    assert await group.booked(reference, "goods_issue.post") == {"GAD-2": Decimal(1)}
    assert await group.booked(reference, "invoice.release") == {"GAD-2": Decimal(1)}


async def test_after_the_label_it_is_voided_too(group: Group) -> None:
    """Packed and labelled, and the truck is not there: the shipment is taken apart, its label voided, and nothing is paid."""
    async with group.quirks("wms-1", late_truck=1.0), group.quirks("ups-1", late_truck=1.0):
        reference = await group.buy(("GAD-2", 1))
        await until_floor(group, reference, "labelled")
        [thread] = await group.until_shipments(reference, 1)
        await group.cancel(reference)
        await group.until(reference, "cancelled")

    shipment = thread.partition("/")[2]
    made = [x["key"] for x in await group.journal("ups-1", "label.create") if x["reference"] == shipment]

    async def voided() -> bool:
        rows = [x["key"] for x in await group.journal("ups-1", "label.void") if x["reference"] == shipment]
        return bool(rows) and rows == made

    await eventually(voided, what="the label that was made is voided, once")
    await nothing_was_booked(group, reference)
    assert not [x for x in await group.journal("sap-1", "freight.accrue") if x["reference"] == shipment]


async def test_after_departure_a_person_is_asked(group: Group) -> None:
    """Nothing is rolled back that is on the road: goods issue stands, and customer service has a case."""
    async with group.quirks("sap-1", slow=1.0):  # what is invoiced is done, and cannot be cancelled
        reference = await group.buy(("LMP-1", 1))
        await group.until_left(reference)
        await group.cancel(reference)
        case = await group.until_case(f"order/{reference}", "cancellation")
    await group.until(reference, "completed")

    assert case["owner"] == "customer service"
    assert await group.booked(reference, "goods_issue.post") == {"LMP-1": Decimal(1)}
    assert not [x for x in await group.journal("sap-1", "sales_order.cancel") if x["reference"] == reference]


async def test_before_release_only_the_ledger_knows(group: Group) -> None:
    """A held order is cancelled without asking anybody."""
    reference = await group.buy(("LATE-1", 1))
    await group.until(reference, "held")
    await group.cancel(reference)
    await group.until(reference, "cancelled")

    assert not [
        x for x in await group.journal("wms-1", "warehouse_order.release") if x["reference"] == reference
    ]
    assert not [x for x in await group.journal("sap-1", "sales_order.create") if x["reference"] == reference]


async def test_the_race_with_ship_confirmation_has_one_winner(group: Group) -> None:
    """Cancelled at any moment: either it left and is billed whole, or it did not and nothing is; never both, never half."""
    references = []
    for number in range(8):
        reference = await group.buy(("BKS-1", 2))
        references.append(reference)
        await asyncio.sleep(number * 0.12)
        await group.cancel(reference)
    ends = Counter()
    for reference in references:
        end = await group.until(reference, "cancelled", "completed")
        ends[end] += 1
        left = await group.left(reference)
        expected = {"BKS-1": Decimal(2)} if end == "completed" else {}
        assert left == expected, (reference, end)
        assert await group.booked(reference, "goods_issue.post") == expected
        assert await group.booked(reference, "invoice.release") == expected
        released = [
            x for x in await group.journal("wms-1", "warehouse_order.release") if x["reference"] == reference
        ]
        assert len(released) <= 1
    assert sum(ends.values()) == 8
