"""The client against the twin over HTTP: what the warehouse floor does with an order: stops, shortens, splits, merges."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from aiohttp import ClientSession

from crossdock.connectors.manhattan_wms.conftest import (
    REFERENCE,
    SITE2,
    Bench,
    account,
    attach,
    bench,
    cancel,
    eventually,
    release,
)
from crossdock.connectors.manhattan_wms.connector import CONNECTOR
from crossdock.connectors.manhattan_wms.gs1 import sscc
from crossdock.connectors.manhattan_wms.mapping_out import order_id
from crossdock.model.order import CancellationAnswered, LineShipped, LinesShort
from crossdock.model.quantity import Quantity
from crossdock.model.shipment import ShipmentCancelled


async def test_cancelling_before_picking_is_accepted_for_good(wms: Bench) -> None:
    """The answer is the receipt, the second one is the same, and the order never moves again."""
    await wms.send("warehouse_order.release", release())
    first = await wms.send("warehouse_order.cancel", cancel())
    again = await wms.send("warehouse_order.cancel", cancel())
    await wms.stock(WID_1="10")
    await asyncio.sleep(0.1)

    assert first.receipt == again.receipt == CancellationAnswered(accepted=True)
    assert wms.journal("warehouse_order.cancel") == [(REFERENCE, order_id(REFERENCE))]
    assert (await wms.get("/_twin/orders"))[0]["status"] == "cancelled"


async def test_cancelling_frees_what_was_allocated(tmp_path: Path) -> None:
    """The stock of an order that is stopped between allocation and picking can be sold again."""
    async with bench(tmp_path / "wms.db", pace_seconds=0.2) as wms:
        await wms.stock(WID_1="10")
        await wms.send("warehouse_order.release", release())
        await wms.status("allocated")
        await wms.send("warehouse_order.cancel", cancel())

        assert (await wms.get("/_twin/stock"))["WID-1"]["allocated"] == "0"


async def test_cancelling_after_packing_takes_the_shipment_apart(wms: Bench) -> None:
    """The goods are back on the shelf, the shipment says so once, and late labels find nothing to stick to."""
    await wms.stock(WID_1="10")
    await wms.send("warehouse_order.release", release())
    await wms.status("packed")
    first = await wms.send("warehouse_order.cancel", cancel())
    again = await wms.send("warehouse_order.cancel", cancel())
    told = await wms.told("shipment.cancelled.v1")

    assert first.receipt == again.receipt == CancellationAnswered(accepted=True)
    assert [(event.thread, event.data) for event in told] == [
        ("shipment/wms-1/S-1", ShipmentCancelled("S-1", "changed their mind"))
    ]
    assert wms.journal("shipment.cancelled") == [("S-1", "S-1")]
    assert await wms.counted("WID-1") == ("10", "0")
    assert (await wms.send("label.attach", attach(sscc("4012345", 1)))).code == "SHIPMENT_CLOSED"


async def test_cancelling_what_is_loaded_is_refused_and_stays_refused(tmp_path: Path) -> None:
    """A refusal is a good answer of the WMS, not a failed effect; the truck leaves."""
    async with bench(tmp_path / "wms.db", pace_seconds=0.1) as wms:
        await wms.stock(WID_1="10")
        await wms.send("warehouse_order.release", release())
        await wms.status("packed")
        await wms.send("label.attach", attach(sscc("4012345", 1)))
        await wms.status("loaded")
        outcomes = [await wms.send("warehouse_order.cancel", cancel()) for _ in range(2)]
        await wms.status("departed")

        refused = CancellationAnswered(accepted=False, reason="the goods are loaded")
        assert [outcome.receipt for outcome in outcomes] == [refused, refused]
        assert wms.journal("warehouse_order.cancel") == []
        assert wms.journal("shipment.departed") == [("S-1", "S-1")]


async def test_a_short_order_waits_and_says_so(wms: Bench) -> None:
    """Allocation is tried again until the stock is there; a smaller count is an adjustment."""
    await wms.stock(WID_1="1")
    await wms.send("warehouse_order.release", release())
    await wms.status("waiting_for_stock")
    await wms.stock(WID_1="5")
    await wms.status("packed")
    await wms.stock(WID_1="4")
    await eventually(lambda: len(wms.heard) == 5)

    adjusted = wms.events()[-1]
    assert adjusted.type == "stock.adjusted.v1"
    assert adjusted.data.change == Quantity(Decimal(-1))


async def test_quirk_cancel_refused(wms: Bench) -> None:
    """As soon as picking is finished, and for good."""
    wms.quirk("cancel_refused")
    await wms.stock(WID_1="10")
    await wms.send("warehouse_order.release", release())
    await wms.status("picked", "packed")
    outcomes = [await wms.send("warehouse_order.cancel", cancel()) for _ in range(2)]

    refused = CancellationAnswered(accepted=False, reason="picking is finished")
    assert [outcome.receipt for outcome in outcomes] == [refused, refused]
    assert wms.journal("warehouse_order.cancel") == []


async def test_quirk_short_pick_ships_the_rest(wms: Bench) -> None:
    """Half of the line is gone from the stock, is told once, and the other half is packed."""
    wms.quirk("short_pick")
    await wms.stock(WID_1="10")
    await wms.send("warehouse_order.release", release(quantity="5", number=1))
    [short] = await wms.told("order.shortPicked.v1")
    [packed] = await wms.told("shipment.packed.v1")

    missing = LineShipped(REFERENCE, "10", "WID-1", Quantity(Decimal(3)), release=1)
    assert (short.thread, short.data) == (f"order/{REFERENCE}", LinesShort((missing,), "SITE1", "NOT_FOUND"))
    assert packed.data.packages[0].lines == (
        LineShipped(REFERENCE, "10", "WID-1", Quantity(Decimal(2)), release=1),
    )
    assert await wms.counted("WID-1") == ("7", "2")
    assert [event.type for event in wms.events()].count("stock.adjusted.v1") == 0


async def test_quirk_short_pick_of_all_there_was_ends_the_order(wms: Bench) -> None:
    """Nothing is left to ship: no shipment, and the WMS closes the order."""
    wms.quirk("short_pick")
    await wms.stock(WID_1="1")
    await wms.send("warehouse_order.release", release(quantity="1"))
    await wms.told("order.shortPicked.v1")
    await wms.status("cancelled")

    assert await wms.get("/_twin/shipments") == []
    assert await wms.counted("WID-1") == ("0", "0")


async def test_quirk_over_pick(wms: Bench) -> None:
    """One more than ordered is packed and leaves the stock; without one more there is none."""
    wms.quirk("over_pick")
    await wms.stock(WID_1="3", WID_2="2")
    await wms.send("warehouse_order.release", release())
    await wms.send("warehouse_order.release", release("shopify-eu/2", item="WID-2"))
    packed = await wms.told("shipment.packed.v1", 2)

    amounts = {line.item: line.quantity.value for event in packed for line in event.data.packages[0].lines}
    assert amounts == {"WID-1": Decimal(3), "WID-2": Decimal(2)}
    assert await wms.counted("WID-1") == ("3", "3")


async def test_quirk_substitute(wms: Bench) -> None:
    """Another item stands for the line; the ordered one is free again, and cancelling frees the other."""
    wms.quirk("substitute")
    async with (
        ClientSession() as http,
        http.put(f"{wms.base_url}/_twin/substitutes", json={"WID-1": "WID-9"}) as answer,
    ):
        assert await answer.json() == {"WID-1": "WID-9"}
    await wms.stock(WID_1="10", WID_9="10")
    await wms.send("warehouse_order.release", release())
    [packed] = await wms.told("shipment.packed.v1")

    assert packed.data.packages[0].lines == (
        LineShipped(REFERENCE, "10", "WID-9", Quantity(Decimal(2)), release=0),
    )
    assert (await wms.counted("WID-1"), await wms.counted("WID-9")) == (("10", "0"), ("10", "2"))
    await wms.send("warehouse_order.cancel", cancel())
    assert await wms.counted("WID-9") == ("10", "0")


async def test_quirk_split_packages(wms: Bench) -> None:
    """One shipment, two packages, all of the order in them."""
    wms.quirk("split_packages")
    await wms.stock(WID_1="10", WID_2="10")
    await wms.send("warehouse_order.release", release(item="WID-1 WID-2"))
    [packed] = await wms.told("shipment.packed.v1")

    assert [[line.item for line in one.lines] for one in packed.data.packages] == [["WID-1"], ["WID-2"]]
    ssccs = [package.sscc for package in packed.data.packages]
    await wms.send("label.attach", attach(*ssccs))
    [departed] = await wms.told("shipment.departed.v1")
    assert departed.data.packages == packed.data.packages


async def test_quirk_split_shipments(wms: Bench) -> None:
    """Two shipments, each leaves on its own; the order has left with the second."""
    wms.quirk("split_shipments")
    await wms.stock(WID_1="10")
    await wms.send("warehouse_order.release", release(quantity="3"))
    packed = await wms.told("shipment.packed.v1", 2)
    for event in packed:
        await wms.send("label.attach", attach(event.data.packages[0].sscc, shipment=event.data.shipment))
        await wms.told("shipment.departed.v1", 1 if event is packed[0] else 2)
        [order] = await wms.get("/_twin/orders")
        assert order["status"] == ("packed" if event is packed[0] else "departed")

    amounts = [event.data.packages[0].lines[0].quantity.value for event in packed]
    assert amounts == [Decimal(1), Decimal(2)]
    assert await wms.counted("WID-1") == ("7", "0")
    assert order["shipments"] == ["S-1", "S-2"]


async def test_a_half_departed_order_cannot_be_cancelled(wms: Bench) -> None:
    """What is on the road decides, though the other half still stands in the house."""
    wms.quirk("split_shipments")
    await wms.stock(WID_1="10")
    await wms.send("warehouse_order.release", release())
    first, _ = await wms.told("shipment.packed.v1", 2)
    await wms.send("label.attach", attach(first.data.packages[0].sscc))
    await wms.told("shipment.departed.v1")

    outcome = await wms.send("warehouse_order.cancel", cancel())
    assert outcome.receipt == CancellationAnswered(accepted=False, reason="the goods are loaded")


async def test_quirk_merge_orders(wms: Bench) -> None:
    """Two orders of one ship-to share a shipment; cancelling one of them packs the other anew."""
    wms.quirk("merge_orders")
    await wms.stock(WID_1="10")
    for reference in (REFERENCE, "shopify-eu/2"):
        await wms.send("warehouse_order.release", release(reference))
    [packed] = await wms.told("shipment.packed.v1")
    assert [line.order for line in packed.data.packages[0].lines] == sorted((REFERENCE, "shopify-eu/2"))

    await wms.send("warehouse_order.cancel", cancel())
    anew = (await wms.told("shipment.packed.v1", 2))[1]
    assert [line.order for line in anew.data.packages[0].lines] == ["shopify-eu/2"]
    assert [event.data.shipment for event in wms.events() if event.type == "shipment.cancelled.v1"] == ["S-1"]
    assert await wms.counted("WID-1") == ("10", "2")


async def test_orders_of_different_ship_tos_never_share(wms: Bench) -> None:
    """Merging needs the same address."""
    wms.quirk("merge_orders")
    await wms.stock(WID_1="10")
    await wms.send("warehouse_order.release", release())
    body = release("shopify-eu/2").replace(b"Road 1", b"Road 2")
    await wms.send("warehouse_order.release", body)

    assert len(await wms.told("shipment.packed.v1", 2)) == 2


async def test_releases_of_one_order_are_orders_of_their_own(wms: Bench) -> None:
    """The WMS knows each by a name of its own, cancels one alone, and speaks of the order in every message."""
    await wms.stock(WID_1="10")
    first = await wms.send("warehouse_order.release", release())
    second = await wms.send("warehouse_order.release", release(number=1))
    again = await wms.send("warehouse_order.release", release(number=1))
    packed = await wms.told("shipment.packed.v1", 2)

    assert second.receipt.warehouse_order == order_id(f"{REFERENCE}~1") != first.receipt.warehouse_order
    assert again.receipt == second.receipt
    assert wms.journal("warehouse_order.release") == [
        (REFERENCE, first.document), (f"{REFERENCE}~1", second.document),
    ]  # fmt: skip
    assert {event.data.packages[0].lines[0].order for event in packed} == {REFERENCE}
    allocated = await wms.told("order.allocated.v1", 2)
    assert {event.thread for event in allocated} == {f"order/{REFERENCE}"}
    await wms.send("warehouse_order.cancel", cancel(number=1))
    assert [order["status"] for order in await wms.get("/_twin/orders")].count("cancelled") == 1


async def test_every_message_names_the_facility_of_its_twin(tmp_path: Path) -> None:
    """A second warehouse is a second twin with a facility of its own."""
    async with bench(tmp_path / "wms.db", facility="SITE2") as wms:
        wms.client = CONNECTOR.open(replace(account(wms.base_url), settings=SITE2), wms.transport)
        wms.quirk("short_pick")
        await wms.stock(WID_1="10")
        await wms.send("warehouse_order.release", release(quantity="4", location="SITE2"))
        [packed] = await wms.told("shipment.packed.v1")
        await wms.send("label.attach", attach(packed.data.packages[0].sscc))
        await wms.told("shipment.departed.v1")

        kinds = ("order.shortPicked.v1", "shipment.packed.v1", "shipment.departed.v1")
        places = [event.data.location for event in wms.events() if event.type in kinds]
        [allocated] = await wms.told("order.allocated.v1")
        assert [*places, allocated.data.lines[0].location] == ["SITE2"] * 4


async def serialised(wms: Bench, *serials: str) -> None:
    body = {"WID-1": {"quantity": str(len(serials)), "serials": list(serials)}}
    async with ClientSession() as http, http.put(f"{wms.base_url}/_twin/stock", json=body) as answer:
        assert answer.status == 200


async def test_pieces_with_serial_numbers_are_crossed_off(wms: Bench) -> None:
    """Each number is told when it comes, stands in one package, is back when that is taken apart, and is gone by a count."""
    await serialised(wms, "A", "B", "C", "D")
    await wms.send("warehouse_order.release", release())
    [packed] = await wms.told("shipment.packed.v1")
    [received] = await wms.told("stock.received.v1")

    assert received.data.serials == ("A", "B", "C", "D")
    assert [line.serials for line in packed.data.packages[0].lines] == [("A", "B")]
    assert (await wms.get("/_twin/stock"))["WID-1"]["serials"] == ["C", "D"]
    await wms.send("warehouse_order.cancel", cancel())
    assert (await wms.get("/_twin/stock"))["WID-1"]["serials"] == ["C", "D", "A", "B"]
    await serialised(wms, "A", "B")
    [counted] = await wms.told("stock.adjusted.v1")
    assert counted.data.serials == ("C", "D")


async def test_quirk_serial_twice(wms: Bench) -> None:
    """Two packages bear one number; of the quantities nothing is wrong."""
    wms.quirk("serial_twice")
    await serialised(wms, "A", "B", "C")
    await wms.send("warehouse_order.release", release(quantity="1"))
    await wms.send("warehouse_order.release", release("shopify-eu/2", quantity="1"))
    packed = await wms.told("shipment.packed.v1", 2)

    assert [x.data.packages[0].lines[0].serials for x in packed] == [("A",), ("A",)]
    assert await wms.counted("WID-1") == ("3", "2")
