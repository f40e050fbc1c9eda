"""One shipment's share of an order: found, replaced, posted at the ERP; and where the order stands by all of them."""

import msgspec

from crossdock.model import requests
from crossdock.processes import gates
from crossdock.processes.intents import Do, Intent
from crossdock.processes.lines import settled
from crossdock.processes.order_state import CLOSED, Part, State, erp_of, node_of
from crossdock.processes.policy import Policy

replace = msgspec.structs.replace


def part_of(state: State, shipment: str) -> Part | None:
    return next((x for x in state.parts if x.shipment == shipment), None)


def emptied(part: Part) -> bool:
    """Nothing is in it any more; it is kept for the goods issue that was posted of it."""
    return not part.lines and part.shipped_at is None


def with_part(state: State, part: Part) -> State:
    others = tuple(x for x in state.parts if x.shipment != part.shipment)
    return replace(state, parts=(*others, part))


def roll_up(state: State) -> State:
    """The header's phase follows from its lines and shipments, once goods move."""
    if state.phase in CLOSED or state.phase in ("new", "checking", "claiming", "held", "changing"):
        return state
    if state.phase == "cancelling" and not all(map(settled, state.lines)):
        return state
    parts = [x for x in state.parts if not emptied(x)]
    left = [x for x in parts if x.shipped_at]
    if not left:
        return replace(state, phase="shipping") if parts and state.phase != "cancelling" else state
    if not all(map(settled, state.lines)) or len(left) < len(parts):
        return replace(state, phase="shipping")
    if all((x.invoice and x.reversed_at is None and not x.reversing) or x.settled for x in parts):
        return replace(state, phase="completed")
    delivered = all(x.delivered_at or x.settled for x in parts)
    return replace(state, phase="delivered" if delivered else "shipped")


def post_goods_issue(state: State, part: Part, policy: Policy) -> list[Intent]:
    """Nothing for a shipment that completes no kit (what was sold leaves with the last component), nor for what was never ours."""
    if not part.lines or policy.is_supplier(part.location) or gates.ISSUE.lacks(state, part, policy):
        return []
    assert part.shipped_at is not None
    at = part.location or node_of(state, policy)
    payload = requests.PostGoodsIssue(
        part.shipment, state.reference, state.sales_order, at, part.lines, part.shipped_at, part.tracking,
        posting_on=policy.day_at(at, part.shipped_at), reversed=part.reversed,
    )  # fmt: skip
    erp = erp_of(state, policy)
    return [Do("goods_issue.post", erp, part.shipment, payload, state.reference, part.issue, priority=2)]
