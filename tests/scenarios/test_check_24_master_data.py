"""DOMAIN check 24: items and places that come late, are renamed, merged or given up, and who may say what of them."""

import asyncio
from decimal import Decimal

from crossdock.store.codes import READ_EVERY_SECONDS
from e2e.running import eventually
from scenarios.callers import define
from scenarios.goods import make_known
from scenarios.group import PRICE, Group
from scenarios.test_check_03_cancellations import until_floor
from scenarios.test_check_04_kits import kits


async def test_orders_wait_under_one_case_for_an_item_and_go_on_when_it_comes(group: Group) -> None:
    """Three orders, one cause; after the ERP knows the item, all three leave and nobody retried anything."""
    references = [await group.buy(("LATE-1", 1)) for _ in range(3)]
    cases = {
        (await group.until_case(f"order/{reference}", "master data"))["number"] for reference in references
    }
    assert len(cases) == 1

    item = {"price": PRICE, "currency": "EUR", "unit": "EA", "available": "1000"}
    await group.twin("sap-1", "/materials", {"LATE-1": item}, "PUT")
    await group.say("sap-1", "item", "item.defined.v1", {"item": "LATE-1", "description": "Late"}, "late-1")

    for reference in references:
        await group.until(reference, "completed")
        assert await group.left(reference) == {"LATE-1": Decimal(1)}


async def test_an_order_goes_on_when_its_item_is_created_in_the_erp(group: Group) -> None:
    """SAP tells of the new product, the hub asks what it is, and the waiting order leaves; nobody did anything here."""
    reference = await group.buy(("LATE-2", 1))
    await group.until_case(f"order/{reference}", "master data")

    async def answers() -> list[bool]:
        asked = await group.journal("sap-1", "item.fetch")
        return [x["detail"]["found"] for x in asked if x["reference"] == "LATE-2"]

    await eventually(answers, what="the ERP was asked for the item")
    product = {"price": PRICE, "descriptions": {"EN": "Later"}, "units": {"CAR": {"numerator": 12}}}
    await group.twin("sap-1", "/products", {"LATE-2": product}, "PUT")

    await group.until(reference, "completed")
    record = (await group.api.get("/v1/master/item/LATE-2"))["record"]
    assert record["description"] == "Later"
    assert {x["unit"]: x["numerator"] for x in record["units"]} == {"EA": 1, "XCT": 12}
    assert await answers() == [False, True]
    assert not await group.cases("item/LATE-2")


async def test_only_the_authority_defines_items(group: Group) -> None:
    """What the warehouse says of an item is not applied; a case names both."""
    await group.say("wms-1", "item", "item.defined.v1", {"item": "WHOSE-1", "description": "mine"}, "whose-1")

    case = await group.until_case("item/WHOSE-1", "not the authority")

    assert "sap-1" in case["detail"]
    record = await group.api.get("/v1/master/item/WHOSE-1")
    assert record["record"] is None


async def test_an_item_that_is_renamed_while_an_order_is_under_way(group: Group) -> None:
    """What was ordered by the old code leaves, is issued and billed; the next order is told to the ERP by the new one."""
    old, new = "OLD-24", "NEW-24"
    await make_known(group, old)
    await group.twin("wms-1", "/stock", {old: {"quantity": "20", "lot": ""}}, "PUT")
    await define(group, old, codes=[{"system": "wms-1", "code": old}])  # the warehouse keeps its own
    async with group.quirks("wms-1", late_truck=1.0), group.quirks("ups-1", late_truck=1.0):
        first = await group.buy((old, 2))
        await until_floor(group, first, "labelled")
        await group.say("sap-1", "item", "item.renamed.v1", {"item": old, "now": new}, "renamed-24")
        await make_known(group, new)
        await asyncio.sleep(READ_EVERY_SECONDS + 1)  # by then every process counts with it
    await group.until(first, "completed")
    second = await group.buy((new, 3))
    await group.until(second, "completed")

    assert await group.left(first) == {old: Decimal(2)}
    for effect in ("goods_issue.post", "invoice.release"):
        assert await group.booked(first, effect) == {old: Decimal(2)}
        assert await group.booked(second, effect) == {new: Decimal(3)}
    assert (await group.stock(old))["SITE1"]["available"] == 15
    for code in (old, new):
        assert (await group.api.get(f"/v1/master/item/{code}"))["record"]["item"] == old


async def test_a_kit_that_is_given_up_while_an_order_is_under_way(group: Group) -> None:
    """The order that has it leaves whole; the next one waits under one case for whoever decides, and stock is not touched."""
    await kits(group, "24", {"CUP": 20, "PLATE": 20, "SPOON": 20})
    async with group.quirks("wms-1", late_truck=1.0), group.quirks("ups-1", late_truck=1.0):
        first = await group.buy(("SET-24", 1))
        await until_floor(group, first, "labelled")
        await define(group, "SET-24", status="discontinued")
        material = (await group.twin("sap-1", "/materials"))["SET-24"]
        await group.twin("sap-1", "/materials", {"SET-24": material | {"deleted": True}}, "PUT")
        await group.until(first, "completed")
    before = (await group.stock("CUP-24"))["SITE1"]

    second = await group.buy(("SET-24", 1))
    case = await group.until_case(f"order/{second}", "master data")

    assert await group.booked(first, "goods_issue.post") == {"SET-24": Decimal(1)}
    assert "SET-24" in case["title"]
    assert (await group.stock("CUP-24"))["SITE1"] == before
    await group.cancel(second)
    await group.until(second, "cancelled")


async def test_customers_that_are_merged_are_one(group: Group) -> None:
    """Whoever asks for the old number is told the one it became."""
    for number in ("C-OLD", "C-NEW"):
        await group.say("crm", "customer", "customer.defined.v1", {"customer": number}, number)
    await group.say(
        "crm", "customer", "customer.merged.v1", {"customer": "C-OLD", "into": "C-NEW"}, "merge-24"
    )

    async def merged() -> bool:
        return bool((await group.api.get("/v1/master/customer/C-OLD"))["now"] == "C-NEW")

    await eventually(merged, what="the old number leads to the new one")
    assert (await group.api.get("/v1/master/customer/C-NEW"))["now"] == ""


async def test_goods_at_a_place_that_nobody_serves_orders_from_are_kept_and_not_sold(group: Group) -> None:
    """A new location is in the ledger from its first message on; no order gets what lies there until a rule names it."""
    place = {"item": "SHORT-1", "location": "SITE9"}
    received = {
        "specversion": "1.0", "id": "new-place-24", "source": "wms-9", "type": "crossdock.logistics.stock.received.v1",
        "subject": "stock/SITE9/SHORT-1", "data": {"place": place, "quantity": {"value": "7", "unit": "EA"}, "document": "R-9"},
    }  # fmt: skip
    answer = await group.api.post("/v1/events", received)
    assert answer.status == 202, answer.body

    async def there() -> bool:
        return (await group.stock("SHORT-1")).get("SITE9", {}).get("available") == 7

    await eventually(there, what="the ledger has it")
    reference = await group.buy(("SHORT-1", 1))
    await group.until(reference, "completed")
    assert (await group.stock("SHORT-1"))["SITE9"]["available"] == 7
