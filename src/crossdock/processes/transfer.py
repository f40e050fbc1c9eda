"""A transfer between two sites: ordered → set aside → released → shipped → received → what differs settled.

What a warehouse says has happened counts, whatever was asked of it. Here is the sending side, and what both share; the
receiving side is in `transfer_arrival`.
"""

from collections.abc import Callable

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.movement import ExpectedLine, MovedLine, TransferOrdered, TransferShipped
from crossdock.model.quantity import Quantity
from crossdock.model.registry import decode, encode
from crossdock.model.stock import ClaimGranted, ClaimLine
from crossdock.processes import serial, transfer_arrival
from crossdock.processes.authority import not_theirs
from crossdock.processes.intents import (
    Claim,
    ClearTimer,
    CloseCase,
    Do,
    Intent,
    Move,
    OpenCase,
    Publish,
    SetTimer,
    Step,
    Summary,
)
from crossdock.processes.order_state import Early
from crossdock.processes.policy import Policy
from crossdock.processes.receiving import ZERO, moved, with_cost
from crossdock.processes.transfer_state import (
    VERSION,
    Issue,
    Leg,
    Line,
    State,
    at_sender,
    initial,
    lawful,
    layer_of,
    line_of,
    on_the_road,
    outside,
    terms,
    with_leg,
    with_line,
)

__all__ = ["KIND", "VERSION", "State", "initial", "step", "summary"]

KIND = "transfer"
WAITING_MAX = 50
replace = msgspec.structs.replace
Handler = Callable[[State, Recorded, Policy], Step]


def step(state: State, event: Recorded, policy: Policy) -> Step:
    """One event of its life; unknown types change nothing. What comes before its order waits for it."""
    handler = _HANDLERS.get(event.type)
    if handler is None:
        return Step(state, (), "ignored")
    if state.order is None and event.type != "transfer.ordered.v1":
        return _keep(state, event)
    done = handler(state, event, policy)
    assert isinstance(done.state, State)
    lawful(done.state)
    return done


def _keep(state: State, event: Recorded) -> Step:
    if len(state.early) >= WAITING_MAX:
        return Step(state, (), "ignored")
    kept = Early(
        event.type, encode(event.data), event.occurred_at, event.recorded_at, event.source, event.about
    )
    return Step(replace(state, early=(*state.early, kept)), (), "waiting")


def _catch_up(state: State, event: Recorded, policy: Policy) -> Step:
    """What was kept happens now."""
    intents: list[Intent] = []
    for x in state.early:
        then = Recorded(
            thread=event.thread, type=x.type, data=decode(x.type, x.data), id=event.id, source=x.source, about=x.about,
            occurred_at=x.occurred_at, recorded_at=x.recorded_at,
        )  # fmt: skip
        done = _HANDLERS[x.type](state, then, policy)
        assert isinstance(done.state, State)
        state = done.state
        intents += done.intents
    return Step(replace(state, early=()), tuple(intents))


def _ordered(state: State, event: Recorded, policy: Policy) -> Step:
    order: TransferOrdered = event.data
    if state.order is not None:
        return Step(state, () if order == state.order else (_changed(state),), "duplicate")
    wrong = _wrong(order)
    if wrong:
        case = OpenCase(
            f"transfer-value/{state.reference}", "value", "transfer cannot be read", f"Transfer {order.number} makes no sense: {wrong}",
            "Nothing of it was applied. Send it again, corrected.", "purchasing", "value",
        )  # fmt: skip
        return Step(state, (case,), "ignored")
    lines = tuple(Line(x.line, x.item, x.quantity.unit, x.quantity.value) for x in order.lines)
    state = replace(state, order=order, lines=lines)
    state, claim = _claim(state)
    later = _catch_up(state, event, policy)
    return Step(later.state, (CloseCase("value", "corrected"), *claim, *later.intents))


def _wrong(order: TransferOrdered) -> str:
    names = [x.line for x in order.lines]
    if not names or len(set(names)) < len(names):
        return "it has no lines, or two with one number"
    if any(x.quantity.value <= ZERO for x in order.lines):
        return "a quantity is not above zero"
    return "both sites are the same" if order.sender.location == order.receiver.location else ""


def _changed(state: State) -> OpenCase:
    return OpenCase(
        f"transfer-changed/{state.reference}", "duplicate", "transfer changed",
        f"Transfer {state.reference} was ordered again, and otherwise", "The first order stands. Cancel it and order under another number.",
        "purchasing", "changed",
    )  # fmt: skip


def _claim(state: State) -> tuple[State, list[Intent]]:
    """All of it is set aside at the sending site, so that no order gets it."""
    name = f"{KIND}/{state.reference}#{state.claims}"
    lines = tuple(
        ClaimLine(x.line, at_sender(state, x.item), Quantity(x.ordered, x.unit)) for x in state.lines
    )
    return replace(state, claim=name, claims=state.claims + 1), [Claim(name, lines)]


def _granted(state: State, event: Recorded, policy: Policy) -> Step:
    data: ClaimGranted = event.data
    if data.claim != state.claim or state.granted:
        return Step(state, (), "duplicate")
    for x in data.lines:
        line = line_of(state, x.line)
        assert line is not None
        state = with_line(state, replace(line, claimed=line.claimed + x.quantity.value))
    state = replace(state, granted=True)
    closed: list[Intent] = [CloseCase("stock", "the stock is there"), ClearTimer("recheck")]
    if state.cancelled or state.legs:
        state, back = _give_back(state)
        return Step(state, (*closed, *back))
    state, released = _release(state, policy)
    return Step(state, (*closed, *released))


def _refused(state: State, event: Recorded, policy: Policy) -> Step:
    if event.data.claim != state.claim or state.granted or state.cancelled or state.legs:
        return Step(state, (), "stale")
    listed = ", ".join(f"{x.quantity} of {x.place.item}" for x in event.data.missing)
    case = OpenCase(
        f"transfer-stock/{state.reference}", "value", "not enough stock", f"Transfer {state.reference} waits for stock: {listed} missing",
        "It is tried again by itself. Nothing leaves before all of it is there, unless the warehouse sends it all the same.",
        "warehouse", "stock",
    )  # fmt: skip
    again = [SetTimer("recheck", policy.recheck_seconds)] if state.claims < policy.rechecks_max else []
    return Step(state, (case, *again))


def _release(state: State, policy: Policy, *, cancelled: bool = False) -> tuple[State, list[Intent]]:
    order = state.order
    assert order is not None
    lines = tuple(MovedLine(x.line, x.item, x.quantity) for x in order.lines)
    payload = requests.ReleaseTransfer(
        f"{KIND}/{state.reference}", order.number, order.sender.location, order.receiver.location, lines, order.due_on, cancelled
    )  # fmt: skip
    do = Do(
        "transfer.release", policy.warehouse_of(order.sender.location), state.reference, payload, state.reference, state.releases,
        priority=2,
    )  # fmt: skip
    return replace(state, releases=state.releases + 1), [do]


def _released(state: State, event: Recorded, _policy: Policy) -> Step:
    return Step(replace(state, released=event.data.document))


def _cancelled(state: State, event: Recorded, policy: Policy) -> Step:
    """Only what has not left can be: nothing that is on the road is called back from here."""
    if state.cancelled or state.legs:
        return Step(state, (), "duplicate" if state.cancelled else "stale")
    state = replace(state, cancelled=True, reason=event.data.reason)
    state, back = _give_back(state)
    ended: list[Intent] = [ClearTimer("recheck"), CloseCase("stock", "cancelled")]
    if state.releases:
        state, told = _release(state, policy, cancelled=True)
        ended += told
    return Step(state, (*back, *ended))


def _give_back(state: State) -> tuple[State, list[Intent]]:
    """What is still set aside can be had by others."""
    intents: list[Intent] = []
    for line in state.lines:
        if line.claimed:
            place = at_sender(state, line.item)
            intents.append(
                Move(place, "firm_claim", "available", line.claimed, line.unit, state.claim, line.line)
            )
            intents.append(Publish(line.item, place.location))
            state = with_line(state, replace(line, claimed=ZERO))
    return state, intents


def _shipped(state: State, event: Recorded, policy: Policy) -> Step:
    """A truck left. From here the sending company's books owe it, and the receiving site is told what comes."""
    data: TransferShipped = event.data
    order = state.order
    assert order is not None
    if not policy.speaks_for(event.source, data.location) or data.location != order.sender.location:
        return Step(state, (not_theirs(event, "a transfer", data.location, policy),), "ignored")
    if any(x.shipment == data.shipment for x in state.issues):
        return Step(state, (), "duplicate")
    intents: list[Intent] = []
    for told in data.lines:
        state, more = _leave(state, data, told)
        intents += more
    ours = not order.owner
    state = replace(
        state, issues=(*state.issues, Issue(data.shipment, ours)), complete=state.complete or data.complete
    )
    if state.complete:
        state, back = _give_back(state)
        intents += back
    intents += [Publish(item, data.location) for item in dict.fromkeys(x.item for x in data.lines)]
    intents += serial.tell(data.lines, "sent", data.location, event.thread, data.shipment)
    intents += [ClearTimer("recheck"), CloseCase("stock", "it left"), *_follow(state, data, policy)]
    if ours:
        intents.append(_issue(state, event, policy))
    if not state.variances:
        intents += transfer_arrival.agreed("the shipment was told of")
    return Step(state, tuple(intents))


def _leave(state: State, data: TransferShipped, told: MovedLine) -> tuple[State, list[Intent]]:
    """Of what was set aside first, then of what is there. What arrived before we heard of it goes straight through."""
    quantity, unit = told.quantity.value, told.quantity.unit
    leg = transfer_arrival.leg_of(state, data.shipment, told.line, told.item) or Leg(
        data.shipment, told.line, told.item, unit
    )
    arrived = min(quantity, max(ZERO, -leg.variance))
    leg = replace(leg, carrier=data.carrier, shipped=leg.shipped + quantity, variance=leg.variance + arrived)
    line = line_of(state, told.line)
    claimed = min(quantity, line.claimed) if line is not None and line.item == told.item else ZERO
    if line is not None and claimed:
        state = with_line(state, replace(line, claimed=line.claimed - claimed))
    place, through = at_sender(state, told.item), arrived
    intents: list[Intent] = []
    for bucket, part in (("firm_claim", claimed), ("available", quantity - claimed)):
        name = (state.claim, told.line) if bucket == "firm_claim" else ("", "")
        gone = min(part, through)
        through -= gone
        source = (place, bucket)
        intents += moved(source, outside(place), gone, unit, claimed=name)  # type: ignore[arg-type]
        intents += moved(source, on_the_road(state, leg), part - gone, unit, claimed=name)  # type: ignore[arg-type]
    return with_leg(state, leg), with_cost(intents, layer_of(state, told.line, told.item))


def _follow(state: State, data: TransferShipped, policy: Policy) -> list[Intent]:
    """The receiving warehouse expects the truck, and somebody asks where it is when it does not come."""
    order = state.order
    assert order is not None
    lines = tuple(
        ExpectedLine(x.line, x.item, Quantity(x.in_transit, x.unit), order.owner)
        for x in state.legs
        if x.shipment == data.shipment and x.in_transit
    )
    if not lines:
        return []
    receiver = order.receiver.location
    payload = requests.AnnounceInbound(
        f"{KIND}/{state.reference}", data.shipment, receiver, lines, order.due_on
    )
    do = Do(
        "inbound.announce", policy.warehouse_of(receiver), data.shipment, payload, state.reference, priority=2
    )
    return [do, SetTimer(transfer_arrival.TRANSIT, policy.transit_days_max * transfer_arrival.DAY_SECONDS)]


def _issue(state: State, event: Recorded, policy: Policy) -> Do:
    data, order = event.data, state.order
    assert order is not None
    payload = requests.PostTransferIssue(
        data.shipment, f"{KIND}/{state.reference}", order.sender.order or order.number, order.sender.location,
        order.receiver.location, data.lines, event.occurred_at, terms(state, data.lines),
    )  # fmt: skip
    erp = policy.erp_of_node(order.sender.location)
    return Do("transfer_issue.post", erp, data.shipment, payload, state.reference, priority=2)


def _issued(state: State, event: Recorded, _policy: Policy) -> Step:
    shipment = event.about or event.data.shipment
    issues = tuple(
        replace(x, document=event.data.document) if x.shipment == shipment else x for x in state.issues
    )
    return Step(replace(state, issues=issues))


def _waited(state: State, event: Recorded, policy: Policy) -> Step:
    if event.data.name != "recheck":
        return transfer_arrival.waited(state, event, policy)
    if state.granted or state.cancelled or state.legs:
        return Step(state, (), "stale")
    state, claim = _claim(state)
    return Step(state, tuple(claim))


_HANDLERS: dict[str, Handler] = {
    "transfer.ordered.v1": _ordered,
    "transfer.cancelled.v1": _cancelled,
    "transfer.released.v1": _released,
    "transfer.shipped.v1": _shipped,
    "claim.granted.v1": _granted,
    "claim.refused.v1": _refused,
    "goodsIssue.posted.v1": _issued,
    "timer.fired.v1": _waited,
    **transfer_arrival.HANDLERS,
}


def summary(state: State, policy: Policy) -> Summary:
    phase, waiting, owner = _stands(state, policy)
    ended = state.cancelled or (state.complete and not state.in_transit and not state.variances)
    number = state.order.number if state.order else ""
    return Summary(phase, waiting, owner, ended and not waiting, number=number)


def _stands(state: State, policy: Policy) -> tuple[str, str, str]:
    """(phase, what it waits on, whose move it is)"""
    order = state.order
    if order is None:
        return "unknown", "its order", "purchasing"
    sender, receiver = (
        policy.warehouse_of(order.sender.location),
        policy.warehouse_of(order.receiver.location),
    )
    if not state.legs:
        if state.cancelled:
            return "cancelled", "", ""
        if not state.granted:
            return "ordered", f"stock at {order.sender.location}", sender
        return "released" if state.released else "ordered", f"the truck of {sender}", sender
    if state.in_transit:
        began = any(x.received for x in state.legs)
        return "receiving" if began else "in transit", f"the goods at {order.receiver.location}", receiver
    if not state.complete:
        return "receiving", f"the next truck of {sender}", sender
    if state.variances:
        return "variance", "a decision on what differs", "purchasing"
    return _booked(state, policy)


def _booked(state: State, policy: Policy) -> tuple[str, str, str]:
    """All of it is accounted for; what the two ERPs have not booked yet."""
    order = state.order
    assert order is not None
    phase = "settled" if any(x.settled for x in state.legs) else "received"
    if any(x.asked and not x.document for x in state.issues):
        erp = policy.erp_of_node(order.sender.location)
        return phase, f"the goods issue in {erp}", erp
    if any(x.asked and not x.document for x in state.receipts):
        erp = policy.erp_of_node(order.receiver.location)
        return phase, f"the goods receipt in {erp}", erp
    if any(x.quantity > ZERO for x in state.docked):
        warehouse = policy.warehouse_of(order.receiver.location)
        return phase, f"put-away by {warehouse}", warehouse
    return phase, "", ""
