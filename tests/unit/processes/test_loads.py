"""A load that the TMS finds a carrier for: whatever overtakes what, the order hears that it left, how it moved and that it came."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from crossdock.model.envelope import Recorded
from crossdock.model.order import LinesDelivered, LineShipped, LinesShipped
from crossdock.model.registry import TYPE_OF
from crossdock.model.shipment import (
    LoadAccepted,
    LoadTendered,
    MilestoneReached,
    Package,
    ShipmentDeparted,
    ShipmentPacked,
)
from crossdock.processes import shipment
from crossdock.processes.intents import Tell
from crossdock.processes.policy import Policy
from crossdock.processes.routing import Routing, TransportRule
from unit.processes.goods import NOW, qty

POLICY = Policy(
    warehouse="wms-1", location="SITE1", routing=Routing(transport=(TransportRule("all", by="tms", system="otm-1"),))
)  # fmt: skip
LINE = LineShipped("shop/1", "1", "WID-1", qty(100))
PACKAGES = (Package("00340", qty(80, "KGM"), (LINE,)),)
PACKED = ShipmentPacked("S-1", "SITE1", PACKAGES)
NEWS: dict[str, msgspec.Struct] = {
    "tendered": LoadTendered("L-1"),
    "accepted": LoadAccepted("L-1", "ODFL", "PRO-1"),
    "departed": ShipmentDeparted("S-1", "SITE1", PACKAGES),
    "on its way": MilestoneReached("in_transit", "ACT", "PRO-1", "ODFL", NOW + timedelta(hours=1)),
    "delivered": MilestoneReached("delivered", "ACT", "PRO-1", "ODFL", NOW + timedelta(hours=2)),
}


def told(course: tuple[str, ...]) -> list[Any]:
    """What the order hears, in its order."""
    state: Any = shipment.initial("shipment/wms-1/S-1")
    heard: list[Any] = []
    for number, data in enumerate((PACKED, *(NEWS[name] for name in course))):
        at = NOW + timedelta(hours=3, seconds=number)
        event = Recorded(
            thread="shipment/wms-1/S-1", type=TYPE_OF[type(data)], data=data, id=f"e{number}",
            source="wms-1" if number == 0 or data is NEWS["departed"] else "otm-1", occurred_at=at, recorded_at=at,
        )  # fmt: skip
        step = shipment.step(state, event, POLICY)
        state = step.state
        heard += [x.data for x in step.intents if isinstance(x, Tell) and x.thread == "order/shop/1"]
    assert shipment.summary(state, POLICY).phase == "delivered"
    return heard


@pytest.mark.parametrize("course", list(permutations(NEWS)), ids=" → ".join)
def test_statuses_that_overtake_the_acceptance_or_the_departure_wait_for_them(
    course: tuple[str, ...],
) -> None:
    """Left once with its freight bill number, delivered once, never delivered before it left."""
    heard = [x for x in told(course) if isinstance(x, LinesShipped | LinesDelivered)]

    assert [type(x) for x in heard] == [LinesShipped, LinesDelivered]
    assert heard[0].tracking == ("PRO-1",)
    assert heard[1].at == NOW + timedelta(hours=2)
