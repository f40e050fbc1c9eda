"""DOMAIN check 24: items that come late, and who may say what of them."""

from decimal import Decimal

from e2e.running import eventually
from scenarios.group import PRICE, Group


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
