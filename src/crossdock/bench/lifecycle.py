"""The order lifecycle of 14 events that benches feed, as CloudEvents: what partners would say of one order."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from crossdock.model import operations, order, shipment, stock
from crossdock.model.money import Money
from crossdock.model.party import Party, People, Place
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF, TYPE_PREFIX, encode
from crossdock.model.thread import order_thread, shipment_thread, stock_thread

EVENTS_PER_ORDER = 14
ITEMS = 200
LOCATION = "SITE1"
SHOP, ERP, WMS, CARRIER = "shopify-eu", "sap-1", "wms-1", "ups-1"
_ENCODER = msgspec.json.Encoder(decimal_format="string")
_EACH = Quantity(Decimal(2))
_PRICE = Money(Decimal("12.50"), "EUR")


def _event(source: str, id_: str, thread: str, data: msgspec.Struct) -> bytes:
    envelope = {
        "specversion": "1.0", "id": id_, "source": source, "type": TYPE_PREFIX + TYPE_OF[type(data)], "subject": thread,
        "time": datetime.now(UTC), "data": msgspec.Raw(encode(data)),
    }  # fmt: skip
    return _ENCODER.encode(envelope)


def opening_stock() -> list[bytes]:
    """Enough of every item for any run."""
    return [
        _event(WMS, f"opening-{n}", stock_thread(LOCATION, f"ITEM-{n}"),
               stock.StockReceived(stock.StockPlace(f"ITEM-{n}", LOCATION), Quantity(Decimal(10_000_000)), "opening"))
        for n in range(ITEMS)
    ]  # fmt: skip


def stages(run: str, number: int) -> list[bytes]:
    """The 14 events of one order, in causal order."""
    name = f"{run}{number}"
    reference, item, ship, tracking = f"{SHOP}/{name}", f"ITEM-{number % ITEMS}", f"S{name}", f"1Z{name}"
    thread, parcel = order_thread(SHOP, name), shipment_thread(WMS, ship)
    line = order.LineShipped(reference, "1", item, _EACH)
    package = shipment.Package(f"00{number:016d}", Quantity(Decimal("1.2"), "KGM"), (line,))
    person = Party(
        name="Ada Jansen",
        lines=("Kade 12",),
        city="Utrecht",
        postal_code="3511 AB",
        country="NL",
        email="ada@example.org",
    )
    people, subject = People(person, person), f"customer/{name}"
    ordered = (order.OrderLine("1", item, _EACH, _PRICE, "Widget"),)
    total = Money(Decimal("25.00"), "EUR")

    def scan(milestone: shipment.Milestone, code: str) -> shipment.MilestoneReached:
        return shipment.MilestoneReached(milestone, "ACT", tracking, "ups", datetime.now(UTC), raw=code)

    told: list[tuple[str, str, msgspec.Struct]] = [
        (SHOP, thread, order.OrderReceived(f"#{name}", reference, SHOP, ordered, total, Place("NL"), people=people, subject=subject)),
        (ERP, thread, order.OrderChecked("ok", (order.LineCheck("1", True, _EACH, total),), total)),
        (ERP, thread, order.SalesOrderPosted(f"45{name}")),
        (WMS, thread, order.OrderReleased(f"W{name}", (f"T{name}",))),
        (WMS, thread, order.OrderAllocated((order.LineAllocation("1", item, _EACH, LOCATION),))),
        (WMS, parcel, shipment.ShipmentPacked(ship, LOCATION, (package,), destination=Place("NL"), people=people, subject=subject)),
        (CARRIER, parcel, shipment.LabelGenerated("ups", f"L{name}", (shipment.LabelledPackage(package.sscc, tracking),), Money(Decimal("7.90"), "EUR"))),
        (WMS, parcel, shipment.ShipmentDeparted(ship, LOCATION, (package,))),
        (ERP, parcel, shipment.FreightAccrued(f"F{name}", Money(Decimal("7.90"), "EUR"))),
        (ERP, thread, shipment.GoodsIssuePosted(f"80{name}", f"49{name}", f"{WMS}/{ship}")),
        (CARRIER, parcel, scan("in_transit", "I")),
        (CARRIER, parcel, scan("out_for_delivery", "OT")),
        (CARRIER, parcel, scan("delivered", "D")),
        (ERP, thread, order.InvoiceReleased(f"90{name}", f"{WMS}/{ship}")),
    ]  # fmt: skip
    assert len(told) == EVENTS_PER_ORDER
    return [
        _event(source, f"{name}-{place}", where, data) for place, (source, where, data) in enumerate(told)
    ]


def simple_events(run: str, count: int) -> list[bytes]:
    """Events that are cheap to process, for measuring the append alone."""
    return [
        _event(WMS, f"{run}-{n}", stock_thread(LOCATION, f"ADJ-{n % 5000}"), operations.TimerFired("bench")) for n in range(count)
    ]  # fmt: skip


def batches(events: list[bytes], size: int = 100) -> list[bytes]:
    """JSON arrays of `size` events."""
    return [b"[" + b",".join(events[n : n + size]) + b"]" for n in range(0, len(events), size)]
