"""A site changes its warehouse system: each finishes what it was given, and only the new one gets more."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from crossdock.model import order as o
from crossdock.model import shipment as s
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.model.stock import ClaimGranted, ClaimLine, StockPlace
from crossdock.processes import intents as i
from crossdock.processes import order, shipment
from crossdock.processes.policy import Policy
from crossdock.processes.routing import Node, Routing

NOW = datetime(2026, 1, 15, 8, tzinfo=UTC)
ONE = Quantity(Decimal(1))
BEFORE = Policy(routing=Routing(nodes={"SITE1": Node("wms-old")}))
MEANWHILE = Policy(routing=Routing(nodes={"SITE1": Node("wms-new", leaving="wms-old")}))
AFTER = Policy(routing=Routing(nodes={"SITE1": Node("wms-new")}))
ORDERED = (
    o.OrderReceived(
        number="#1", reference="shop/1", channel="shop", total=Money(Decimal(5), "EUR"),
        lines=(o.OrderLine("1", "WID-1", ONE, Money(Decimal(5), "EUR")),),
    ),
    o.OrderChecked(credit="ok", lines=(o.LineCheck("1", True, ONE),)),
    ClaimGranted("shop/1#0", (ClaimLine("1", StockPlace("WID-1", "SITE1"), ONE),)),
)  # fmt: skip
PACKED = s.ShipmentPacked(
    shipment="S-1", location="SITE1", service="standard",
    packages=(s.Package("001234567890123456", Quantity(Decimal(1), "KGM"), (o.LineShipped("shop/1", "1", "WID-1", ONE),)),),
)  # fmt: skip
LABELLED = s.LabelGenerated(
    "ups", "L-1", (s.LabelledPackage("001234567890123456", "1Z1"),), Money(Decimal(4), "EUR")
)


def said(thread: str, source: str, data: msgspec.Struct) -> Recorded:
    return Recorded(
        thread=thread,
        type=TYPE_OF[type(data)],
        data=data,
        id="e",
        source=source,
        occurred_at=NOW,
        recorded_at=NOW,
    )


def released(policy: Policy) -> tuple[order.State, list[str]]:
    """The order once it was released under these rules, and who got it."""
    state, accounts = order.initial("order/shop/1"), []
    for data in ORDERED:
        step = order.step(state, said("order/shop/1", "shop", data), policy)
        state = step.state
        accounts += [
            x.account for x in step.intents if isinstance(x, i.Do) and x.kind == "warehouse_order.release"
        ]
    return state, accounts


def test_new_work_goes_to_the_new_system_only() -> None:
    """Before the hand-over the old one gets it, from its begin the new one."""
    assert released(BEFORE)[1] == ["wms-old"]
    assert released(MEANWHILE)[1] == ["wms-new"]


def test_what_the_old_system_was_given_it_is_asked_to_stop() -> None:
    """A cancellation goes to whoever works on the order, not to whoever would get it today."""
    state, _ = released(BEFORE)

    step = order.step(state, said("order/shop/1", "shop", o.OrderCancelRequested("shop/1")), MEANWHILE)

    asked = [x.account for x in step.intents if isinstance(x, i.Do) and x.kind == "warehouse_order.cancel"]
    assert asked == ["wms-old"]


def test_a_label_goes_to_the_system_that_packed() -> None:
    """Also when it comes after the hand-over has ended."""
    thread = "shipment/wms-old/S-1"
    state = shipment.step(shipment.initial(thread), said(thread, "wms-old", PACKED), MEANWHILE).state

    step = shipment.step(state, said(thread, "ups-1", LABELLED), AFTER)

    attached = [x.account for x in step.intents if isinstance(x, i.Do) and x.kind == "label.attach"]
    assert attached == ["wms-old"]


def test_after_the_hand_over_the_old_system_is_not_heard() -> None:
    """What it then reports is nobody's word, and becomes a case."""
    thread = "shipment/wms-old/S-1"

    step = shipment.step(shipment.initial(thread), said(thread, "wms-old", PACKED), AFTER)

    assert step.verdict == "ignored"
    assert [x.cause for x in step.intents if isinstance(x, i.OpenCase)] == ["not the authority"]
