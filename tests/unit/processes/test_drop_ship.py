"""Orders that a supplier sends: the ledger never hears of them, and they are billed by a gate of their own."""

import msgspec
import pytest

from crossdock.model import order as o
from crossdock.model.order import InvoiceReleased
from crossdock.processes.routing import Node, OrderRule, Routing, serving
from unit.processes.order_floor import POLICY, Floor, _boxes

ROUTING = Routing(
    nodes={"SITE1": Node("wms"), "DROP1": Node("supplier", kind="supplier")},
    orders=(OrderRule("dropped", nodes=("DROP1",)),),
)


def ordered(pieces: int = 5, **rules: object) -> Floor:
    """There is plenty on our own shelf, which nobody shall touch."""
    return Floor(
        [("A", pieces)],
        {("A", "L"): (50, None)},
        policy=msgspec.structs.replace(POLICY, routing=ROUTING, **rules),
    )


def send(floor: Floor, shipment: str, pieces: int, location: str = "DROP1") -> None:
    told = _boxes((("1", "A", pieces, ""),))
    floor.say(o.LinesShipped(shipment=shipment, carrier="dhl", tracking=(), lines=told, location=location))


def untouched(floor: Floor) -> bool:
    return floor.claims == [] and floor.of_owners() == {"": 50} and floor.short == 0 and not floor.held


def test_nothing_is_claimed_and_the_supplier_is_told() -> None:
    """All of it, at his system, as one release."""
    floor = ordered()

    [release] = floor.told("warehouse_order.release")
    assert (release.location, [x.ordered.value for x in release.lines]) == ("DROP1", [5])
    assert [x.account for x in floor.done if x.kind == "warehouse_order.release"] == ["supplier"]
    assert untouched(floor)


def test_his_notices_ship_it_and_one_invoice_bills_it() -> None:
    """Once all of it left and the sales order is there, whichever comes last; there is no goods issue to wait for."""
    for sales_order_last in (False, True):
        floor = ordered()
        if not sales_order_last:
            floor.say(o.SalesOrderPosted("4711"))
        send(floor, "V-1", 2)
        assert floor.told("invoice.release") == []
        send(floor, "V-2", 3, location="")
        send(floor, "V-2", 3)
        if sales_order_last:
            assert floor.told("invoice.release") == []
            floor.say(o.SalesOrderPosted("4711"))

        [billed] = floor.told("invoice.release")
        assert (billed.sales_order, billed.delivery, billed.goods_issue) == ("4711", "", "")
        floor.say(InvoiceReleased("90000001", billed.shipment), about="shop/1")
        assert floor.state.phase == "completed"
        assert floor.told("goods_issue.post") == []
        assert untouched(floor)


def test_it_can_wait_for_proof_of_delivery() -> None:
    """Where the company wants that, of every dispatch."""
    floor = ordered(supplier_invoice_needs=("dispatch", "delivery"))
    floor.say(o.SalesOrderPosted("4711"))
    send(floor, "V-1", 5)
    assert floor.told("invoice.release") == []

    floor.say(o.LinesDelivered("V-1", "dhl", (), _boxes((("1", "A", 5, ""),))))
    assert len(floor.told("invoice.release")) == 1


@pytest.mark.parametrize("asked", [False, True])
def test_stopped_or_sent_short_it_stays_off_our_books(*, asked: bool) -> None:
    """A cancellation asks him; what he cannot find is not looked for on our shelf."""
    floor = ordered()
    if asked:
        floor.say(o.OrderCancelRequested("shop/1", "wrong size"))
        [stop] = floor.told("warehouse_order.cancel")
        assert stop.location == "DROP1"
        floor.say(o.CancellationAnswered(accepted=True), about="shop/1")
        assert floor.state.phase in ("cancelling", "cancelled")
    else:
        floor.say(o.LinesShort(_boxes((("1", "A", 2, ""),)), "DROP1", "sold out"))
        assert floor.part("backordered") == {("A", ""): 2}
    assert untouched(floor)


def test_channels_are_shown_nothing_of_his() -> None:
    """A shop that he serves is told no number of ours; others keep theirs."""
    rules = (OrderRule("dropped", channel=("a",), nodes=("DROP1",)), OrderRule("ours", nodes=("SITE1",)))
    routing = msgspec.structs.replace(ROUTING, orders=rules)

    assert serving(routing, "a", "SITE1") == ()
    assert serving(routing, "b", "SITE1") == ("SITE1",)
