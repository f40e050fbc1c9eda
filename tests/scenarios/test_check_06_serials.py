"""DOMAIN check 6: a piece with a serial number is in one place, whatever warehouses say of it, and quantities stay right."""

import asyncio
import json
from typing import Any

from e2e.running import eventually
from scenarios.goods import broken_law, lots, make_known, until_shown
from scenarios.goods_between import transfer
from scenarios.group import Group
from scenarios.test_check_18_returns import phase


async def stock(group: Group, item: str, *serials: str, wms: str = "wms-1", lot: str = "") -> None:
    """All pieces of it that a warehouse has, by its own books."""
    told = {item: {"quantity": str(len(serials)), "lot": lot, "serials": list(serials)}}
    await group.twin(wms, "/stock", told, "PUT")


async def piece(group: Group, item: str, serial: str, wanted: str) -> dict[str, Any]:
    """The piece's story, once it stands there."""
    return await phase(group, f"serial/{item}/{serial}", wanted)


async def found(group: Group, text: str) -> dict[str, list[str]]:
    """Thread → what it is linked to."""
    hits = (await group.api.get("/v1/find", q=text))["hits"]
    return {x["found"]["thread"]: [y["thread"] for y in x["linked"]] for x in hits}


async def test_a_serial_leads_to_where_it_is(group: Group) -> None:
    """From the shelf into a parcel of an order, back with a return, by its number alone; a count takes it off the books."""
    item = "SER-1"
    await make_known(group, item)
    await stock(group, item, "S1-A", "S1-B")
    await piece(group, item, "S1-A", "on hand")
    await until_shown(group, item, 2)
    reference = await group.buy((item, 1))
    await group.until(reference, "completed")

    story = await piece(group, item, "S1-A", "left")
    [shipment] = await group.shipments(reference)
    [package] = (await group.story(shipment))["packages"]
    assert await found(group, "S1-A") == {f"serial/{item}/S1-A": [shipment, f"order/{reference}"]}
    assert story["headline"]["facts"] == [
        f"of {item}", f"gone from SITE1 in {package['sscc']} to order {reference}"
    ]  # fmt: skip

    line = {"line": "1", "item": item, "quantity": "1", "serials": ["S1-A"]}
    await group.twin("wms-1", "/return", {"lines": [line], "order": reference}, "POST")
    story = await piece(group, item, "S1-A", "on hand")
    assert story["cases"] == []
    said = await asyncio.to_thread(group.api.hub.crossdock, "stock", "pieces", item, "S1-A", "S1-Z", "--json")
    [back, stranger] = json.loads(said.stdout)["pieces"]
    [left] = back["departures"]
    assert (left["sscc"], left["shipment"], left["order"]) == (package["sscc"], shipment, reference)
    assert [x.partition(" (")[0] for x in back["places"]] == ["on hand at SITE1"]
    assert (stranger["known"], stranger["departures"]) == (False, [])
    text = await asyncio.to_thread(group.api.hub.crossdock, "stock", "pieces", item, "S1-A", "S1-Z")
    assert package["sscc"] in text.stdout
    assert "S1-Z: nobody told of it" in text.stdout
    await stock(group, item, "S1-A")
    await piece(group, item, "S1-B", "gone")
    assert await broken_law(group) == []


async def test_news_twice_and_in_any_order_contradicts_nothing(group: Group) -> None:
    """Receipts, boxes and departures come doubled and overtake each other: each piece is where it is, once, without a case."""
    item, serials = "SER-6", [f"S6-{n}" for n in range(6)]
    await make_known(group, item)
    async with group.quirks("wms-1", duplicate_event=0.5, reordered_event=0.5):
        await stock(group, item, *serials)
        await until_shown(group, item, 6)
        orders = [await group.buy((item, 2)) for _ in range(2)]
        for reference in orders:
            await group.until(reference, "completed")

    for serial in serials:
        story = await piece(group, item, serial, "left" if serial < "S6-4" else "on hand")
        assert story["cases"] == []


async def test_a_piece_in_two_parcels_is_a_case_and_no_quantity(group: Group) -> None:
    """A warehouse scans one number twice: both parcels leave, the ledger counts two pieces, and a person is told of both boxes."""
    item = "SER-2"
    await make_known(group, item)
    await stock(group, item, "S2-A", "S2-B", "S2-C")
    await until_shown(group, item, 3)
    async with group.quirks("wms-1", serial_twice=1.0):
        orders = [await group.buy((item, 1)) for _ in range(2)]
        for reference in orders:
            await group.until(reference, "completed")

    story = await piece(group, item, "S2-A", "contradicted")
    [case] = story["cases"]
    boxes = [
        package["sscc"]
        for reference in orders
        for shipment in await group.shipments(reference)
        for package in (await group.story(shipment))["packages"]
    ]
    assert len(set(boxes)) == 2
    assert all(x in case["title"] for x in (*boxes, *orders))
    assert await lots(group, item) == {"": 1}
    assert [await group.left(x) for x in orders] == [{item: 1}, {item: 1}]
    assert await broken_law(group) == []


async def test_a_piece_that_two_sites_have_is_a_case_that_a_correction_closes(group: Group) -> None:
    """Both sites' quantities stand as told; once one of them takes its word back, the piece is where the other has it."""
    item = "SER-3"
    await make_known(group, item)
    await stock(group, item, "S3-A")
    await piece(group, item, "S3-A", "on hand")
    await stock(group, item, "S3-A", wms="wms-2")

    story = await piece(group, item, "S3-A", "contradicted")
    [case] = story["cases"]
    assert all(f"on hand at {site}" in case["title"] for site in ("SITE1", "SITE2"))
    assert {site: x["available"] for site, x in (await group.stock(item)).items()} == {"SITE1": 1, "SITE2": 1}
    await stock(group, item, wms="wms-1")
    story = await piece(group, item, "S3-A", "on hand")
    assert story["cases"] == []
    assert "on hand at SITE2" in story["headline"]["facts"][1]


async def test_a_piece_that_comes_back_and_never_left_is_a_case(group: Group) -> None:
    """It is on hand as returned all the same; a person who retries the case believes it."""
    item = "SER-4"
    await make_known(group, item)
    line = {"line": "1", "item": item, "quantity": "1", "serials": ["S4-X"]}
    await group.twin("wms-1", "/return", {"lines": [line]}, "POST")

    story = await piece(group, item, "S4-X", "contradicted")
    [case] = story["cases"]
    assert "had not left" in case["title"]
    assert await lots(group, item, "returned") == {"": 1}
    await group.retry(case)
    story = await piece(group, item, "S4-X", "on hand")
    assert story["cases"] == []


async def test_a_transfer_carries_its_pieces(group: Group) -> None:
    """On the road between two sites, and on hand at the other: never in both."""
    item = "SER-5"
    await make_known(group, item)
    await stock(group, item, "S5-A")
    await group.twin("sap-1", "/material_stock", {"1010": {item: {"unrestricted": "1"}}}, "PUT")
    await piece(group, item, "S5-A", "on hand")
    thread = await transfer(group, "4500060005", item, 1)

    async def released() -> bool:
        return any(x["reference"] == thread for x in await group.twin("wms-1", "/transfers"))

    await eventually(released, what="the warehouse has the transfer")
    await group.twin("wms-1", "/send", {"reference": thread}, "POST")
    await piece(group, item, "S5-A", "on the road")

    async def announced() -> bool:
        return any(x["reference"] == thread for x in await group.twin("wms-2", "/asns"))

    await eventually(announced, what="the other warehouse expects it")
    lines = [{"line": "10", "item": item, "quantity": "1", "serials": ["S5-A"]}]
    await group.twin("wms-2", "/receive", {"reference": thread, "lines": lines}, "POST")
    story = await piece(group, item, "S5-A", "on hand")
    assert "at SITE2" in story["headline"]["facts"][1]
    assert story["cases"] == []
