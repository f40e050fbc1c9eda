"""DOMAIN check 25: two ERPs, other codes for the same item, and whose word counts at which site, also while it changes."""

import asyncio
from decimal import Decimal

from crossdock.store.codes import READ_EVERY_SECONDS
from e2e.documents import next_number
from e2e.running import eventually
from scenarios.group import PRICE, Group

HANDED_OVER = "SITE3"
"""wms-2 takes it over from wms-1: see the landscape of these tests."""


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
    await group.say("sap-1", "item", "item.defined.v1", {"item": "US-1", "codes": codes}, "us-1")
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
    await found(group, "wms-1", "SITE2", "US-1", 500)

    await group.until_case("stock/SITE2/US-1", "not the authority")

    assert (await group.stock("US-1"))["SITE2"]["available"] == before


async def test_two_systems_own_a_site_while_it_is_handed_over(group: Group) -> None:
    """What the old and the new warehouse system count there is booked, what a third one says is not."""
    await found(group, "wms-1", HANDED_OVER, "OVER-1", 7)
    await found(group, "wms-2", HANDED_OVER, "OVER-1", 5)
    await found(group, "sap-1", HANDED_OVER, "OVER-1", 100)

    await group.until_case(f"stock/{HANDED_OVER}/OVER-1", "not the authority")

    assert (await group.stock("OVER-1"))[HANDED_OVER]["available"] == Decimal(12)


async def found(group: Group, system: str, location: str, item: str, quantity: int) -> None:
    """`system` says that so much more of an item was found there."""
    data = {
        "place": {"item": item, "location": location},
        "change": {"value": str(quantity), "unit": "EA"},
        "reason": "found",
    }
    event = {
        "specversion": "1.0", "id": f"found-{next_number()}", "source": system,
        "type": "crossdock.logistics.stock.adjusted.v1", "subject": f"stock/{location}/{item}", "data": data,
    }  # fmt: skip
    answer = await group.api.post("/v1/events", event)
    assert answer.status == 202, answer.body
