"""DOMAIN checks 24 and 25: items that come late, other codes for the same item, two ERPs, and who may say what."""

import asyncio
from decimal import Decimal
from typing import Any

from crossdock.store.codes import READ_EVERY_SECONDS
from e2e.running import eventually
from scenarios.group import PRICE, Group


async def say(group: Group, source: str, kind: str, type_: str, data: dict[str, Any], number: str) -> None:
    event = {
        "specversion": "1.0", "id": f"{kind}-{number}", "source": source, "type": f"crossdock.logistics.{type_}",
        "subject": f"{kind}/{data[kind]}", "data": data,
    }  # fmt: skip
    answer = await group.api.post("/v1/events", event)
    assert answer.status == 202, answer.body


async def test_orders_wait_under_one_case_for_an_item_and_go_on_when_it_comes(group: Group) -> None:
    """Three orders, one cause; after the ERP knows the item, all three leave and nobody retried anything."""
    references = [await group.buy(("LATE-1", 1)) for _ in range(3)]
    cases = {
        (await group.until_case(f"order/{reference}", "master data"))["number"] for reference in references
    }
    assert len(cases) == 1

    item = {"price": PRICE, "currency": "EUR", "unit": "EA", "available": "1000"}
    await group.twin("sap-1", "/materials", {"LATE-1": item}, "PUT")
    await say(group, "sap-1", "item", "item.defined.v1", {"item": "LATE-1", "description": "Late"}, "late-1")

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
    await say(
        group, "wms-1", "item", "item.defined.v1", {"item": "WHOSE-1", "description": "mine"}, "whose-1"
    )

    case = await group.until_case("item/WHOSE-1", "not the authority")

    assert "sap-1" in case["detail"] or "SAP" in case["detail"]
    record = await group.api.get("/v1/master/item/WHOSE-1")
    assert record["record"] is None


async def test_the_second_company_trades_on_its_own_erp(group: Group) -> None:
    """Its shop's order is booked in its ERP and leaves its site; the first ERP hears nothing of it."""
    reference = await group.buy(("US-1", 2), shop="woo-us")
    await group.until(reference, "completed")

    assert await group.booked(reference, "goods_issue.post", "sap-2") == {"US-1": Decimal(2)}
    assert await group.booked(reference, "invoice.release", "sap-2") == {"US-1": Decimal(2)}
    assert not [x for x in await group.journal("sap-1", "sales_order.create") if x["reference"] == reference]
    [thread] = await group.shipments(reference)
    assert thread.startswith("shipment/wms-2/")
    accrued = [x["reference"] for x in await group.journal("sap-2", "freight.accrue")]
    assert thread.partition("/")[2] in accrued


async def test_the_same_item_has_other_codes_elsewhere(group: Group) -> None:
    """The shop's code is read as ours; the second ERP is asked by its own, and both books hold what left."""
    codes = [{"system": "woo-us", "code": "W-ONE"}, {"system": "sap-2", "code": "4711"}]
    await say(group, "sap-1", "item", "item.defined.v1", {"item": "US-1", "codes": codes}, "us-1")
    material = {"price": PRICE, "currency": "EUR", "unit": "EA", "available": "1000"}
    await group.twin("sap-2", "/materials", {"4711": material}, "PUT")
    await group.twin("woo-us", "/products", {"W-ONE": {}}, "PUT")

    async def known() -> bool:
        answer = await group.api.call("GET", "/v1/master/item/W-ONE", system="woo-us")
        return answer.status == 200

    await eventually(known, what="the code is known")

    await asyncio.sleep(READ_EVERY_SECONDS + 1)  # by then every process counts with them
    reference = await group.buy(("W-ONE", 1), shop="woo-us")
    await group.until(reference, "completed")

    assert (await group.story(f"order/{reference}"))["lines"][0]["item"] == "US-1"
    assert await group.booked(reference, "goods_issue.post", "sap-2") == {"4711": Decimal(1)}


async def test_a_warehouse_speaks_for_its_own_site_only(group: Group) -> None:
    """Stock of the second site reported by the first site's system is not applied."""
    before = (await group.stock("US-1"))["SITE2"]["available"]
    event = {
        "specversion": "1.0", "id": "stray-1", "source": "wms-1", "type": "crossdock.logistics.stock.adjusted.v1",
        "subject": "stock/SITE2/US-1",
        "data": {"place": {"item": "US-1", "location": "SITE2"}, "change": {"value": "500", "unit": "EA"}, "reason": "found"},
    }  # fmt: skip
    assert (await group.api.post("/v1/events", event)).status == 202

    await group.until_case("stock/SITE2/US-1", "not the authority")

    assert (await group.stock("US-1"))["SITE2"]["available"] == before
