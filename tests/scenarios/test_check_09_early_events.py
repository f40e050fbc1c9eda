"""DOMAIN check 9: events before their parent wait, and everything ends as if they had come in order."""

from decimal import Decimal

from scenarios.group import Group


async def test_reordered_and_doubled_messages_change_nothing(group: Group) -> None:
    """Departures before packing, scans before labels, changes before creations: shipped and billed once each."""
    async with (
        group.quirks("wms-1", reordered_event=0.6, duplicate_event=0.6),
        group.quirks("ups-1", early_scan=1.0, late_scan=0.6, duplicate_scan=0.6),
        group.quirks("shopify-eu", reordered_webhook=0.5, duplicate_webhook=0.5, update_storm=0.5),
    ):
        references = [await group.buy(("WID-2", 1), ("CBL-2", 2)) for _ in range(5)]
        for reference in references:
            await group.until(reference, "completed")

    for reference in references:
        both = {"WID-2": Decimal(1), "CBL-2": Decimal(2)}
        assert await group.left(reference) == both
        assert await group.booked(reference, "goods_issue.post") == both
        assert await group.booked(reference, "invoice.release") == both


async def test_a_change_is_followed_until_the_goods_are_packed(group: Group) -> None:
    """The warehouse is asked to stop, the order begins again with what is wanted now, and only that leaves."""
    async with group.quirks("wms-1", merge_orders=1.0):  # picked orders wait, so there is time
        reference = await group.buy(("MUG-1", 4))
        await group.until(reference, "released")
        await group.edit(reference, quantities={"MUG-1": 1}, lines=[{"sku": "PEN-1", "quantity": 2}])
        await group.until(reference, "completed")

    assert await group.left(reference) == {"MUG-1": Decimal(1), "PEN-1": Decimal(2)}
    assert await group.booked(reference, "invoice.release") == {"MUG-1": Decimal(1), "PEN-1": Decimal(2)}


async def test_a_change_that_comes_too_late_is_put_before_a_person(group: Group) -> None:
    """What is packed leaves as it is."""
    async with group.quirks("sap-1", slow=1.0):  # what is invoiced is done, and cannot be changed
        reference = await group.buy(("BAG-1", 1))
        await group.until_left(reference)
        await group.edit(reference, quantities={"BAG-1": 3})
        case = await group.until_case(f"order/{reference}", "order change")

    assert case["owner"] == "customer service"
    await group.until(reference, "completed")
    assert await group.left(reference) == {"BAG-1": Decimal(1)}
