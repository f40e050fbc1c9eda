"""Nodes that run in parallel with an old system, before a cut-over: the hub hears and books, and sends nothing for them. Pure."""

from typing import Final

import msgspec

from crossdock.processes.inbound_state import State as Inbound
from crossdock.processes.intents import Do
from crossdock.processes.order_state import State as Order
from crossdock.processes.policy import Policy
from crossdock.processes.returning_state import State as Return
from crossdock.processes.shipment_state import State as Shipment

QUESTIONS: Final = frozenset({"inbound.fetch", "item.fetch"})
"""They book nothing, and the ledger needs their answers."""


def silences(state: msgspec.Struct | None, do: Do, policy: Policy) -> str:
    """Why this is not sent; empty where it is. `state` is that of the thread that wishes it."""
    if do.kind in QUESTIONS:
        return ""
    nodes = policy.routing.nodes
    for name in (getattr(do.payload, "location", ""), _home(state)):
        if name in nodes and nodes[name].parallel and do.kind not in nodes[name].sends:
            return f"{name} runs in parallel: nothing is sent for it"
    return ""


def _home(state: msgspec.Struct | None) -> str:
    """Where the goods of a thread are, if it is one place: the two ends of a transfer are each named by what is sent there."""
    match state:
        case Order(nodes=nodes):
            return next((x.location for x in state.lines if x.location), nodes[0] if nodes else "")
        case Shipment(location=location) | Inbound(location=location) | Return(location=location):
            return location
        case _:
            return ""
