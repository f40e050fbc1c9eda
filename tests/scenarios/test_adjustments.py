"""Stock that changes without an order is told the ERP of record once, so that its stock is the hub's."""

import asyncio
import json
from decimal import Decimal
from typing import Any
from uuid import uuid4

from e2e.running import eventually
from scenarios.goods import SITE, make_known, totals
from scenarios.goods_between import erp_stock, stocked
from scenarios.group import Group

KIND = "stock_adjustment.post"
ERP, PLANT = "sap-1", "1010"


async def there(group: Group, item: str, quantity: int = 100) -> None:
    """So much of a new item, for sale, in the books of warehouse, hub and ERP."""
    await make_known(group, item)
    await stocked(group, item, quantity)


async def tell(group: Group, type_: str, item: str, amount: int, *, id_: str = "", **more: str) -> str:
    """What the warehouse says of an item at its site, under a number of its own; returns that."""
    name = "change" if type_ == "adjusted" else "quantity"
    data: dict[str, Any] = {
        "place": {"item": item, "location": SITE},
        name: {"value": str(amount), "unit": "EA"},
        "reason": "CC",
    }
    event = {
        "specversion": "1.0", "id": id_ or uuid4().hex, "source": "wms-1", "type": f"crossdock.logistics.stock.{type_}.v1",
        "subject": f"stock/{SITE}/{item}", "data": data | more,
    }  # fmt: skip
    answer = await group.api.post("/v1/events", event)
    assert answer.status in (200, 202), answer.body
    return str(event["id"])


async def booked(group: Group, item: str) -> list[tuple[str, str]]:
    """(movement type, quantity) of the item's adjustments by the ERP's own books, in the order of its documents."""
    rows = [x["detail"] for x in await group.journal(ERP, KIND)]
    return [(x["movement"], x["quantities"][item]) for x in rows if item in x["quantities"]]


async def until_booked(group: Group, item: str, *movements: str) -> None:
    """Just these, in this order."""
    found: list[str] = []

    async def look() -> bool:
        found[:] = [movement for movement, _ in await booked(group, item)]
        return len(found) >= len(movements)

    await eventually(look, what=f"the ERP books {movements} of {item}")
    assert found == list(movements)


async def stands(group: Group, item: str) -> tuple[Decimal, Decimal]:
    """(for sale, inspected or blocked) in the ERP's own books."""
    stock = await erp_stock(group, ERP, item, PLANT)
    return Decimal(stock["unrestricted"]), Decimal(stock["quality"]) + Decimal(stock["blocked"])


async def until_equal(group: Group, item: str) -> None:
    """What the ERP has for sale and held is what the hub's ledger has; a comparison finds nothing to say of the item."""
    on_hand, sellable = await totals(group, item)
    wanted = (sellable, on_hand - sellable)

    async def look() -> bool:
        return await stands(group, item) == wanted

    await eventually(look, what=f"the ERP has {wanted} of {item}")
    assert item not in await differing(group, ERP)


async def differing(group: Group, system: str) -> dict[str, dict[str, Any]]:
    asked = ("reconcile", "run", "--system", system, "--json")
    said = await asyncio.to_thread(group.api.hub.crossdock, *asked, seconds=120)
    assert said.returncode == 0, said.stderr + said.stdout
    return {d["item"]: d for d in json.loads(said.stdout)["differences"]}


async def test_each_fact_is_booked_as_what_it_is(group: Group) -> None:
    """Counts, a hold and its release, damage of which some is good again and some destroyed: in order, once each."""
    item = "ADJ-1"
    await there(group, item)
    await group.twin("wms-1", "/stock", {item: {"quantity": "97", "lot": ""}}, "PUT")
    await until_booked(group, item, "702")
    await tell(group, "adjusted", item, 2)
    await tell(group, "held", item, 4)
    await until_booked(group, item, "702", "701", "322")
    assert await erp_stock(group, ERP, item, PLANT) == {
        "unrestricted": "95",
        "quality": "4",
        "blocked": "0",
        "unit": "EA",
    }
    await until_equal(group, item)

    await tell(group, "releasedFromHold", item, 4)
    await tell(group, "held", item, 5, condition="damaged", reason="fell off a forklift")
    await tell(group, "releasedFromHold", item, 2, condition="damaged", reason="repacked")
    await tell(group, "adjusted", item, -1, condition="damaged", reason="destroyed")
    await tell(group, "adjusted", item, -6, reason="Expired")

    await until_booked(group, item, "702", "701", "322", "321", "344", "343", "555", "551")
    assert await booked(group, item) == [
        ("702", "3"), ("701", "2"), ("322", "4"), ("321", "4"), ("344", "5"), ("343", "2"), ("555", "1"), ("551", "6"),
    ]  # fmt: skip
    assert await stands(group, item) == (90, 2)
    assert await totals(group, item) == (92, 90)
    await until_equal(group, item)


async def test_the_same_fact_told_twice_is_booked_once(group: Group) -> None:
    """The warehouse sends it again, and somebody replays it: one document."""
    item = "ADJ-2"
    await there(group, item)
    number = await tell(group, "adjusted", item, -3)
    await until_booked(group, item, "702")
    await tell(group, "adjusted", item, -3, id_=number)
    asked = ("replay", "--thread", f"stock/{SITE}/{item}", "--reason", "to be sure")
    said = await asyncio.to_thread(group.api.hub.crossdock, *asked, seconds=120)
    assert said.returncode == 0, said.stderr + said.stdout

    await tell(group, "adjusted", item, 1)
    await until_booked(group, item, "702", "701")
    assert await stands(group, item) == (98, 0)
    await until_equal(group, item)


async def test_an_answer_lost_after_the_commit_books_nothing_twice(group: Group) -> None:
    """SAP has booked it and nobody heard: it is found by its reference."""
    item = "ADJ-3"
    await there(group, item)
    async with group.quirks(ERP, answer_lost=1.0):
        await tell(group, "adjusted", item, -3)
        await until_booked(group, item, "702")
    await tell(group, "held", item, 2)

    await until_booked(group, item, "702", "322")
    await until_equal(group, item)
    assert await group.cases(f"stock/{SITE}/{item}") == []


async def test_a_closed_period_is_a_case_and_is_booked_on_another_day(group: Group) -> None:
    """What comes after it waits in its order; other items go on. The ledger does not wait."""
    item, other = "ADJ-4", "ADJ-5"
    await there(group, item)
    await there(group, other)
    thread = f"stock/{SITE}/{item}"
    async with group.quirks(ERP, period_closed=1.0):
        await tell(group, "adjusted", item, -3)
        case = await group.until_case(thread, "period closed")
        [one] = [x for x in (await differing(group, ERP)).values() if x["item"] == item]
        assert (one["good"], one["cause"]) == ("3", "not_told")
    await tell(group, "held", item, 2)
    await tell(group, "adjusted", other, -1)
    await until_booked(group, other, "702")
    assert await booked(group, item) == []
    assert await totals(group, item) == (97, 95)

    body = {"reason": "the new month", "posting_on": "2027-01-04"}
    answer = await group.api.post(f"/v1/cases/{case['number']}/retry", body)
    assert answer.status in (200, 202), answer.body

    await until_booked(group, item, "702", "322")
    rows = [x["detail"] for x in await group.journal(ERP, KIND) if item in x["detail"]["quantities"]]
    assert rows[0]["posted_on"] == "/Date(1799020800000)/"
    await until_equal(group, item)


async def test_more_than_there_is_is_booked_as_far_as_there_is(group: Group) -> None:
    """The ledger takes what it has, a person hears of the rest, and the ERP is told what was taken."""
    item = "ADJ-6"
    await there(group, item, 4)
    await tell(group, "adjusted", item, -6)

    await until_booked(group, item, "702")
    assert await booked(group, item) == [("702", "4")]
    assert [x["cause"] for x in await group.cases(f"stock/{SITE}/{item}")] == ["stock difference"]
    await until_equal(group, item)


async def test_a_count_that_a_comparison_settles_is_told_the_erp(group: Group) -> None:
    """The ledger follows the warehouse, and the ERP follows the ledger, held stock too."""
    item = "ADJ-7"
    await there(group, item)
    await group.twin("wms-1", "/recount", {item: {"quantity": "98", "held": "3"}}, "PUT")
    found = await differing(group, "wms-1")
    assert (found[item]["good"], found[item]["held"], found[item]["state"]) == ("-5", "3", "settled")

    await until_booked(group, item, "322", "702")
    assert await stands(group, item) == (95, 3)
    await until_equal(group, item)


async def test_what_a_picker_did_not_find_is_missing_in_the_erp_too(group: Group) -> None:
    """And what left is issued: the two together are what is gone from the shelf."""
    item = "ADJ-8"
    await there(group, item)
    async with group.quirks("wms-1", short_pick=1.0):
        reference = await group.buy((item, 4))
        await until_booked(group, item, "702")
    await group.until(reference, "completed")

    assert await group.left(reference) == {item: 4}
    assert await booked(group, item) == [("702", "2")]
    assert await stands(group, item) == (94, 0)
    await until_equal(group, item)


async def test_a_sites_own_erp_is_told_and_no_other(group: Group) -> None:
    """SITE2 keeps its books in the second company's ERP."""
    item = "ADJ-9"
    await make_known(group, item)
    await group.twin("sap-2", "/material_stock", {"2010": {item: {"unrestricted": "50"}}}, "PUT")
    await group.twin("wms-2", "/stock", {item: {"quantity": "50", "lot": ""}}, "PUT")
    await group.twin("wms-2", "/stock", {item: {"quantity": "49", "lot": ""}}, "PUT")

    async def look() -> bool:
        return (await erp_stock(group, "sap-2", item, "2010"))["unrestricted"] == "49"

    await eventually(look, what="the second ERP has 49")
    assert await booked(group, item) == []
