"""Nodes that run in parallel: what is withheld for them, and that nobody sells from them."""

from decimal import Decimal

import msgspec
import pytest

from crossdock.model import requests
from crossdock.model.quantity import Quantity
from crossdock.processes.inbound_state import State as Inbound
from crossdock.processes.intents import Do
from crossdock.processes.lines import Line
from crossdock.processes.order_state import State as Order
from crossdock.processes.parallel import silences
from crossdock.processes.policy import Policy
from crossdock.processes.routing import Node, OrderRule, Routing, route_order, serving
from crossdock.processes.shipment_state import State as Shipment

ROUTING = Routing(
    nodes={
        "SITE1": Node("wms-1"),
        "SITE3": Node("wms-3", parallel=True, sends=("item.fetch", "label.create")),
    },
    orders=(
        OrderRule("theirs", channel=("old-shop",), nodes=("SITE3",)),
        OrderRule("ours", nodes=("SITE3", "SITE1")),
    ),
)
POLICY = Policy(location="SITE1", routing=ROUTING)
LINE = Line("1", "NUT", "EA", Decimal(1), Decimal(1), location="SITE3")
NOTIFY = requests.Notify("shipped", "old-shop/1", "#1")
PUBLISH = requests.PublishAvailability("NUT", "SITE3", Quantity(Decimal(1)), 1)
FREIGHT = requests.SubscribeTracking("wms-3/S-1", ("1Z",))


def do(kind: str, payload: msgspec.Struct) -> Do:
    return Do(kind, "somebody", "thing", payload, "lane")


@pytest.mark.parametrize(
    ("state", "kind", "payload", "withheld"),
    [
        (Order(nodes=("SITE3",)), "customer.notify", NOTIFY, True),
        (Order(nodes=("SITE1",)), "customer.notify", NOTIFY, False),
        (Order(nodes=("SITE1",), lines=(LINE,)), "customer.notify", NOTIFY, True),
        (Shipment(location="SITE3"), "tracking.subscribe", FREIGHT, True),
        (Shipment(location="SITE3"), "label.create", FREIGHT, False),
        (Shipment(location="SITE1"), "tracking.subscribe", FREIGHT, False),
        (Inbound("sap-1/1", "SITE3"), "inbound.fetch", requests.FetchInbound("1"), False),
        (None, "availability.publish", PUBLISH, True),
        (None, "inbound.fetch", requests.FetchInbound("1"), False),
    ],
)
def test_what_concerns_the_node_is_not_sent(
    state: msgspec.Struct | None, kind: str, payload: msgspec.Struct, *, withheld: bool
) -> None:
    """By what the payload names or where the thread's goods are; questions and what the node marks go out."""
    assert bool(silences(state, do(kind, payload), POLICY)) is withheld
    assert not silences(state, do(kind, payload), Policy(routing=Routing(nodes={"SITE3": Node("wms-3")})))


def test_nobody_sells_from_it() -> None:
    """Orders that could go elsewhere do; those of the business that is taken over stay with it, and are only followed."""
    assert route_order(ROUTING, {"channel": "shop"}, "erp", "SITE1").nodes == ("SITE1",)
    assert route_order(ROUTING, {"channel": "old-shop"}, "erp", "SITE1").nodes == ("SITE3",)
    assert serving(ROUTING, "shop", "SITE1") == ("SITE1",)
