"""Orders that a supplier sends from his own stock: nothing is claimed, moved or issued, and he is told what to send where.

His notice of dispatch (`order.shipped.v1`) ships the lines; one invoice is released for all of it, by a gate of its own.
"""

import msgspec

from crossdock.model import requests
from crossdock.processes import gates
from crossdock.processes.intents import Do, Intent, Move, Publish, Step
from crossdock.processes.lines import Line, advance
from crossdock.processes.order_state import State, erp_of
from crossdock.processes.policy import Policy

replace = msgspec.structs.replace


def supplier_of(state: State, policy: Policy) -> str:
    """The supplier's node that serves the order; empty where a site of ours does."""
    return next((x for x in state.nodes if policy.is_supplier(x)), "")


def promised(state: State, supplier: str) -> State:
    """His stock is his: what is ordered counts as set aside, without a claim."""
    return replace(state, lines=tuple(_promised(x, supplier) for x in state.lines))


def _promised(line: Line, supplier: str) -> Line:
    waiting = line.open + line.backordered
    return advance(replace(line, location=supplier), "reserved", waiting)[0] if waiting else line


def off_our_books(step: Step, policy: Policy) -> Step:
    """Whatever becomes of such lines, our ledger and what channels are shown of it stay as they are."""
    kept = tuple(x for x in step.intents if not policy.is_supplier(_location(x)))
    return step if len(kept) == len(step.intents) else Step(step.state, kept, step.verdict)


def _location(intent: Intent) -> str:
    match intent:
        case Move():
            return intent.place.location
        case Publish():
            return intent.location
        case _:
            return ""


def invoice(state: State, policy: Policy) -> tuple[Do, ...]:
    """Once he sent all of it: one invoice of the order, since there is no goods issue to bill by."""
    parts = gates.supplied(state, policy)
    if not parts or any(x.invoice for x in parts) or gates.SUPPLIER_INVOICE.lacks(state, state, policy):
        return ()
    last = max(parts, key=lambda x: (x.shipped_at, x.shipment)).shipment
    payload = requests.ReleaseInvoice(state.reference, last, state.sales_order, "", "")
    return (
        Do("invoice.release", erp_of(state, policy), state.reference, payload, state.reference, priority=3),
    )


def invoiced(state: State, document: str, policy: Policy) -> State:
    """It bills every dispatch of his."""
    parts = tuple(replace(x, invoice=document) if policy.is_supplier(x.location) else x for x in state.parts)
    return replace(state, parts=parts)
