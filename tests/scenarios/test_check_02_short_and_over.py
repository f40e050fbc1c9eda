"""DOMAIN check 2: what the warehouse does not find, packs too much of, or packs something else for."""

from decimal import Decimal

from e2e.running import eventually
from scenarios.group import Group

TEN, FIVE, ELEVEN = Decimal(10), Decimal(5), Decimal(11)


async def test_a_short_pick_waits_for_stock_and_leaves_later(group: Group) -> None:
    """Half is found and leaves; the other half is a backorder, a second release and a second goods issue."""
    async with group.quirks("wms-1", short_pick=1.0):
        reference = await group.buy(("SHORT-1", 10))
        await group.until_shipments(reference, 1)

    await group.until(reference, "completed")

    assert len(await group.shipments(reference)) == 2
    assert await group.left(reference) == {"SHORT-1": TEN}
    assert await group.booked(reference, "goods_issue.post") == {"SHORT-1": TEN}
    assert await group.booked(reference, "invoice.release") == {"SHORT-1": TEN}
    released = [x["reference"] for x in await group.journal("wms-1", "warehouse_order.release")]
    assert [x for x in released if x.partition("~")[0] == reference] == [reference, f"{reference}~1"]


async def test_a_company_may_take_off_what_was_not_found(group: Group) -> None:
    """By the second company's policy the customer gets what there is, is told so, and pays for that."""
    async with group.quirks("wms-2", short_pick=1.0):
        reference = await group.buy(("US-1", 4), shop="woo-us")
        await group.until(reference, "completed")

    two = {"US-1": Decimal(2)}
    assert await group.left(reference) == two
    assert await group.booked(reference, "goods_issue.post", "sap-2") == two
    assert await group.booked(reference, "invoice.release", "sap-2") == two
    line = await group.line(reference, "US-1")
    assert [line[x] for x in ("ordered", "shipped", "short_closed")] == [4, 2, 2]
    told = [x["reference"] for x in await group.journal("crm", "customer.notify")]
    assert sum(x.startswith(f"changed|{reference}") for x in told) == 1


async def test_what_was_not_found_is_on_nobodys_shelf(group: Group) -> None:
    """The ledger holds what the warehouse holds: the missing half left the books once."""
    async with group.quirks("wms-1", short_pick=1.0):
        reference = await group.buy(("SHORT-1", 10))
        await group.until_shipments(reference, 1)
    await group.until(reference, "completed")

    async def equal() -> bool:
        held = (await group.stock("SHORT-1"))["SITE1"]
        counted = Decimal((await group.twin("wms-1", "/stock"))["SHORT-1"]["quantity"])
        return held["available"] == counted and not held["firm_claim"] + held["allocated"] + held["picked"]

    await eventually(equal, what="ledger and warehouse count the same")


async def test_one_more_than_ordered_is_within_the_tolerance(group: Group) -> None:
    """Eleven of ten leave, are posted and billed; nobody is asked."""
    async with group.quirks("wms-1", over_pick=1.0):
        reference = await group.buy(("OVER-1", 10))
        await group.until(reference, "completed")

    assert await group.left(reference) == {"OVER-1": ELEVEN}
    assert await group.booked(reference, "goods_issue.post") == {"OVER-1": ELEVEN}
    assert (await group.line(reference, "OVER-1"))["over_shipped"] == 1
    assert await group.cases(f"order/{reference}") == []


async def test_more_than_the_tolerance_becomes_a_case(group: Group) -> None:
    """Two of one is twice as much: somebody must look before the truck leaves."""
    async with group.quirks("wms-1", over_pick=1.0):
        reference = await group.buy(("OVER-1", 1))
        case = await group.until_case(f"order/{reference}", "over-pick")

    assert "1 EA of OVER-1 more than ordered" in case["title"]


async def test_a_substitute_keeps_the_link_to_its_line(group: Group) -> None:
    """Another item leaves for the line; the sales order follows, the ordered item stays on the shelf."""
    await group.twin("wms-1", "/substitutes", {"SUB-1": "SUB-2"}, "PUT")
    before = (await group.stock("SUB-1"))["SITE1"]["available"]
    async with group.quirks("wms-1", substitute=1.0):
        reference = await group.buy(("SUB-1", 5))
        await group.until(reference, "completed")

    lines = (await group.story(f"order/{reference}"))["lines"]
    assert {(x["item"], x["instead_of"]) for x in lines} == {("SUB-1", ""), ("SUB-2", "SUB-1")}
    assert len({x["line"] for x in lines}) == 1
    assert await group.left(reference) == {"SUB-2": FIVE}
    assert await group.booked(reference, "goods_issue.post") == {"SUB-2": FIVE}
    assert (await group.stock("SUB-1"))["SITE1"]["available"] == before


async def test_what_is_not_there_is_backordered_and_released_when_it_comes(group: Group) -> None:
    """Five of eight are promised at once; three follow when the warehouse receives more."""
    reference = await group.buy(("BACK-1", 8))
    await group.until_shipments(reference, 1)
    assert (await group.line(reference, "BACK-1"))["backordered"] == 3

    held = await group.twin("wms-1", "/stock")
    now = Decimal(held["BACK-1"]["quantity"]) + 20
    await group.twin("wms-1", "/stock", {"BACK-1": {"quantity": str(now), "lot": ""}}, "PUT")
    await group.until(reference, "completed")

    assert await group.left(reference) == {"BACK-1": Decimal(8)}
    assert await group.booked(reference, "invoice.release") == {"BACK-1": Decimal(8)}
