"""A shipment of two parcels that fare differently: the one that is furthest stands for it, and followers hear of each."""

from decimal import Decimal

import pytest

from crossdock.model.money import Money
from crossdock.model.order import LineShipped
from crossdock.model.quantity import Quantity
from crossdock.model.shipment import GoodsIssuePosted, Milestone, MilestoneReached, Package
from crossdock.processes import order, shipment
from crossdock.processes.lines import Line
from crossdock.processes.order_state import Part
from crossdock.processes.policy import Policy
from crossdock.processes.shipment_state import Track
from unit.processes.goods import NOW, Goods

POLICY = Policy(erp="sap-1", follow=("sap-1", "crm"))
LINE = LineShipped("shop/1", "1", "WID-1", Quantity(Decimal(1)))


def reached(milestone: Milestone, tracking: str) -> MilestoneReached:
    return MilestoneReached(milestone, "ACT", tracking, "ups", NOW)


def of_order() -> Goods:
    """Both parcels left; the ERP has not posted the goods issue yet."""
    made = Goods("order/shop/1", POLICY)
    made.state = order.State(
        form=2, reference="shop/1", number="#1", phase="shipped", total=Money(Decimal(5), "EUR"), sales_order="4711", erp="sap-1",
        lines=(Line("1", "WID-1", "EA", Decimal(5), Decimal(2), shipped=Decimal(2)),),
        parts=(Part("wms-1/S-1", (LINE, LINE), "ups", ("1Z1", "1Z2"), shipped_at=NOW),),
    )  # fmt: skip
    return made


@pytest.mark.parametrize("after", ["out_for_delivery", "in_transit"])
def test_the_erp_hears_where_the_furthest_parcel_is(after: Milestone) -> None:
    """One is lost, the other still on its way when the goods issue comes: lost is what the ERP is told, the CRM hears of both."""
    made = of_order()
    made.hear(reached("lost", "1Z1"), "crossdock")
    made.hear(reached(after, "1Z2"), "crossdock")
    made.hear(GoodsIssuePosted("80000001", "4900000001"), "sap-1", about="wms-1/S-1")

    told = {
        name: [x.payload.milestone for x in made.done if x.kind == "milestone.record" and x.account == name]  # type: ignore[attr-defined]
        for name in POLICY.follow
    }
    assert told == {"sap-1": ["lost"], "crm": ["lost", after]}


def test_the_shipment_stands_where_its_furthest_parcel_is() -> None:
    """A parcel that is behind does not take it back."""
    made = Goods("shipment/wms-1/S-1", POLICY)
    packages = tuple(Package(f"00{n}", Quantity(Decimal(1), "KGM"), (LINE,)) for n in (1, 2))
    made.state = shipment.State(
        shipment="wms-1/S-1", location="SITE1", packages=packages, carrier="ups", label="L", departed_at=NOW, labelled_at=NOW,
        tracks=(Track("1Z1", "001"), Track("1Z2", "002")),
    )  # fmt: skip

    for milestone, tracking in (("in_transit", "1Z1"), ("lost", "1Z1"), ("out_for_delivery", "1Z2")):
        made.hear(reached(milestone, tracking), "ups-1")  # type: ignore[arg-type]

    assert made.summary.phase == "lost"
