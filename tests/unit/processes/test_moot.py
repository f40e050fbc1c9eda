"""What was refused and does not matter any more is taken back, and its case with it; what still matters stays."""

from decimal import Decimal

import msgspec
import pytest

from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.operations import EffectRefused
from crossdock.model.order import LineShipped
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.model.shipment import Package, ShipmentCancelled
from crossdock.processes import order, order_ship, shipment
from crossdock.processes.intents import Step, Withdraw
from crossdock.processes.lines import Line
from crossdock.processes.order_state import Part
from crossdock.processes.policy import Policy
from crossdock.processes.shipment_state import Track
from unit.processes.goods import NOW

POLICY = Policy(erp="sap-1")
LINE = LineShipped("shop/1", "1", "WID-1", Quantity(Decimal(1)))
LABELLED = shipment.State(
    shipment="wms-1/S-1", location="SITE1", packages=(Package("001", Quantity(Decimal(1), "KGM"), (LINE,)),), carrier="ups",
    label="L2", labelled_at=NOW, labels=2, tracks=(Track("1Z1", "001"),),
)  # fmt: skip
SOLD = order.State(
    form=2, reference="shop/1", number="#1", channel="shop", phase="shipped", total=Money(Decimal(5), "EUR"), sales_order="4711",
    erp="sap-1", lines=(Line("1", "WID-1", "EA", Decimal(5), Decimal(2), shipped=Decimal(2)),),
    parts=(Part("wms-1/S-1", (LINE,), "ups", ("1Z1",), shipped_at=NOW),),
)  # fmt: skip


def recorded(data: msgspec.Struct, thread: str) -> Recorded:
    return Recorded(
        thread=thread,
        type=TYPE_OF[type(data)],
        data=data,
        id="e",
        source="wms-1",
        occurred_at=NOW,
        recorded_at=NOW,
    )


def taken_back(step: Step) -> set[tuple[str, int]]:
    return {(x.kind, x.generation) for x in step.intents if isinstance(x, Withdraw)}


def refused(kind: str) -> EffectRefused:
    return EffectRefused("e", kind, "sap-1", "V1/302", "no")


def test_a_cancelled_shipment_needs_no_label_attached() -> None:
    """Of none of its labels, whether the warehouse refused before or refuses now."""
    gone = shipment.step(LABELLED, recorded(ShipmentCancelled("taken apart"), "shipment/wms-1/S-1"), POLICY)

    assert {("label.attach", 0), ("label.attach", 1), ("tracking.subscribe", 1)} <= taken_back(gone)
    late = shipment.step(gone.state, recorded(refused("label.attach"), "shipment/wms-1/S-1"), POLICY)
    assert ("label.attach", 1) in taken_back(late)


def test_the_label_in_use_must_be_attached() -> None:
    """A refusal of the newest label stays a case; only the older one does not matter."""
    step = shipment.step(LABELLED, recorded(refused("label.attach"), "shipment/wms-1/S-1"), POLICY)

    assert taken_back(step) == {("label.attach", 0), ("tracking.subscribe", 0)}


def test_a_newer_change_of_the_sales_order_takes_the_place_of_older_ones() -> None:
    """Unsent or refused before; or refused while the newer one waits behind it."""
    state, intents = order_ship.tell_erp_lines(
        order.replace(SOLD, erp_changes=2, erp_lines="otherwise"), POLICY
    )
    assert {x.generation for x in intents if isinstance(x, Withdraw)} == {0, 1}
    assert state.erp_changes == 3

    step = order.step(state, recorded(refused("sales_order.change"), "order/shop/1"), POLICY)
    assert taken_back(step) == {("sales_order.change", 0), ("sales_order.change", 1)}


@pytest.mark.parametrize("kind", ["sales_order.change", "goods_issue.post", "fulfilment.create"])
def test_what_still_matters_stays(kind: str) -> None:
    """The only change, a goods issue, a fulfilment of an order that goes on."""
    step = order.step(order.replace(SOLD, erp_changes=1), recorded(refused(kind), "order/shop/1"), POLICY)

    assert taken_back(step) == set()


def test_a_cancelled_order_is_fulfilled_nowhere() -> None:
    """The channel refused the fulfilment because it had cancelled: nobody has to settle that."""
    step = order.step(
        order.replace(SOLD, cancel="refused"), recorded(refused("fulfilment.create"), "order/shop/1"), POLICY
    )

    assert taken_back(step) == {("fulfilment.create", 0)}
