"""The receiving side of a transfer: receipts, what differs from what was shipped, and what becomes of it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.movement import InboundReceived, ReceivedLine, TransferSettled
from crossdock.model.quantity import Quantity
from crossdock.processes import serial
from crossdock.processes.authority import not_theirs
from crossdock.processes.intents import ClearTimer, CloseCase, Do, Intent, OpenCase, Publish, SetTimer, Step
from crossdock.processes.policy import Policy
from crossdock.processes.receiving import (
    ACCEPT,
    ZERO,
    Receipt,
    accept_case,
    accepted,
    anew,
    arrive,
    bucket_of,
    dock,
    is_elsewhere,
    moved,
    with_cost,
    with_document,
)
from crossdock.processes.transfer_state import (
    Leg,
    State,
    at_receiver,
    layer_of,
    on_the_road,
    outside,
    terms,
    with_leg,
)

TRANSIT: Final = "transit"
"""The timer of goods that are on the road for too long."""
VARIANCE: Final = "variance"
DAY_SECONDS: Final = 86_400
replace = msgspec.structs.replace
Handler = Callable[[State, Recorded, Policy], Step]


def leg_of(state: State, shipment: str, line: str, item: str) -> Leg | None:
    return next((x for x in state.legs if (x.shipment, x.line, x.item) == (shipment, line, item)), None)


def _received(state: State, event: Recorded, policy: Policy) -> Step:
    """A truck was counted: what it brought is on the shelf, whatever its papers said."""
    data: InboundReceived = event.data
    order = state.order
    assert order is not None
    if not policy.speaks_for(event.source, data.location) or data.location != order.receiver.location:
        return Step(state, (not_theirs(event, "receipts", data.location, policy),), "ignored")
    if any(x.receipt == data.receipt for x in state.receipts):
        return Step(state, (), "duplicate")
    before = state
    intents: list[Intent] = []
    for line in data.lines:
        docked, parts = arrive(state.docked, data.receipt, line)
        state = replace(state, docked=docked)
        for part in parts:
            state, more = _take(state, data.delivery, part)
            intents += more
    state = replace(
        state,
        receipts=(*state.receipts, Receipt(data.receipt, event.occurred_at, asked=not order.owner)),
    )
    if not order.owner:
        intents.append(_post(state, data, event, policy))
    intents += [Publish(item, data.location) for item in dict.fromkeys(x.item for x in data.lines)]
    intents += serial.tell(data.lines, "received", data.location, event.thread, data.receipt)
    return Step(state, (*intents, *_noticed(before, state, data, policy)))


def _take(state: State, delivery: str, told: ReceivedLine) -> tuple[State, list[Intent]]:
    """From the road as far as it goes; then of what was missing, of what was given up; the rest is too much."""
    quantity, unit = told.quantity.value, told.quantity.unit
    leg = _leg_for(state, delivery, told)
    shelf = (at_receiver(state, told.item, told.lot), bucket_of(told))
    road = on_the_road(state, leg)
    expected = min(quantity, leg.in_transit)
    missing = min(quantity - expected, max(ZERO, leg.variance))
    given_up = min(quantity - expected - missing, max(ZERO, leg.settled))
    over = quantity - expected - missing - given_up
    intents = moved(road, shelf, expected + missing, unit, expires_on=told.expires_on)
    intents += moved(outside(shelf[0]), shelf, given_up + over, unit, expires_on=told.expires_on)
    damaged = quantity if told.condition == "damaged" else ZERO
    leg = replace(
        leg, received=leg.received + quantity, variance=leg.variance - missing - over, settled=leg.settled - given_up,
        damaged=leg.damaged + damaged,
    )  # fmt: skip
    return with_leg(state, leg), with_cost(intents, told.cost or layer_of(state, told.line, told.item))


def _leg_for(state: State, delivery: str, told: ReceivedLine) -> Leg:
    """The truck it is told for; without one, the first that still carries the line."""
    same = [x for x in state.legs if (x.line, x.item, x.unit) == (told.line, told.item, told.quantity.unit)]
    if delivery:
        same = [x for x in same if x.shipment == delivery]
    best = sorted(same, key=lambda x: not x.in_transit)
    return best[0] if best else Leg(delivery, told.line, told.item, told.quantity.unit)


def _post(state: State, data: InboundReceived, event: Recorded, policy: Policy) -> Do:
    order = state.order
    assert order is not None
    payload = requests.PostGoodsReceipt(
        data.receipt, f"transfer/{state.reference}", order.receiver.order or order.number, data.location, data.lines,
        event.occurred_at, terms=terms(state, data.lines),
    )  # fmt: skip
    erp = policy.erp_of_node(order.receiver.location)
    return Do("goods_receipt.post", erp, data.receipt, payload, state.reference, priority=2)


def _noticed(before: State, state: State, data: InboundReceived, policy: Policy) -> list[Intent]:
    """What a person should know, now or when nobody explains it in time."""
    found: list[Intent] = []
    if not state.in_transit:
        found += [ClearTimer(TRANSIT), CloseCase(TRANSIT, "it arrived")]
    if any(x.condition == "damaged" for x in data.lines):
        listed = ", ".join(f"{Quantity(x.damaged, x.unit)} of {x.item}" for x in state.legs if x.damaged)
        found += anew(
            accept_case(
                "damaged", state.reference, f"Goods of transfer {state.reference} came damaged: {listed}",
                "They lie apart and are not for sale. Claim them from whoever carried them, then retry the case.",
            )
        )  # fmt: skip
    if any(x.variance and not x.shipped for x in state.legs):
        found.append(SetTimer("parent", policy.parent_wait_seconds))
    if any(x.variance and x.shipped for x in state.legs) and state.variances != before.variances:
        found += anew(_variance_case(state))
    elif not state.variances:
        found += agreed("all of it arrived")
    return found


def agreed(because: str) -> list[Intent]:
    """Nothing differs any more."""
    return [ClearTimer("parent"), CloseCase(ACCEPT + VARIANCE, because)]


def _variance_case(state: State) -> OpenCase:
    listed = ", ".join(
        f"{Quantity(abs(x.variance), x.unit)} of {x.item} {'missing' if x.variance > ZERO else 'too much'}"
        for x in state.variances
    )
    return accept_case(
        VARIANCE, state.reference, f"Transfer {state.reference} did not arrive as it was sent: {listed}",
        "Look for it at both sites. Retry the case to settle it as it is: what is missing is then lost, what is too much is kept."
        " Or send transfer.settled for a part of it.",
    )  # fmt: skip


def _stored(state: State, event: Recorded, policy: Policy) -> Step:
    """Put away at the receiving site: from the dock to the shelf."""
    data = event.data
    if not policy.speaks_for(event.source, data.location):
        return Step(state, (not_theirs(event, "receipts", data.location, policy),), "ignored")
    intents: list[Intent] = []
    for told in data.lines:
        docked, met = dock(state.docked, data.receipt, told, arrives=False)
        state = replace(state, docked=docked)
        place = at_receiver(state, told.item, told.lot)
        intents += moved((place, "quarantine"), (place, "available"), met, told.quantity.unit)
        intents.append(Publish(told.item, data.location))
    return Step(state, tuple(intents))


def _closed(state: State, event: Recorded, policy: Policy) -> Step:
    """No more of this truck will be received: what is missing is a variance now, or settled where the policy says so."""
    if is_elsewhere(event.source, event.data.location, policy):
        return Step(state, (not_theirs(event, "receipts", event.data.location, policy),), "ignored")
    delivery = event.data.delivery
    open_ = [x for x in state.legs if x.in_transit and delivery in ("", x.shipment)]
    if not open_:
        return Step(state, (), "duplicate")
    intents: list[Intent] = []
    for one in open_:
        missing = one.in_transit
        leg = replace(one, variance=one.variance + missing)
        if missing <= policy.transfer_settle_max:
            leg, more = _settle(state, leg, missing)
            intents += more
        state = with_leg(state, leg)
    if not state.in_transit:
        intents += [ClearTimer(TRANSIT), CloseCase(TRANSIT, "the warehouse closed it")]
    return Step(state, (*intents, *(anew(_variance_case(state)) if state.variances else [])))


def _settle(state: State, leg: Leg, quantity: Decimal) -> tuple[Leg, list[Intent]]:
    """What is missing is gone from whoever's goods it was; what was too much stays where it is."""
    if leg.variance > ZERO:
        gone = min(quantity, leg.variance)
        place, bucket = on_the_road(state, leg)
        intents = moved((place, bucket), outside(place), gone, leg.unit)
        return replace(leg, variance=leg.variance - gone, settled=leg.settled + gone), intents
    kept = min(quantity, -leg.variance)
    return replace(leg, variance=leg.variance + kept, settled=leg.settled - kept), []


def _settled(state: State, event: Recorded, policy: Policy) -> Step:
    """A person says what became of it, line by line."""
    data: TransferSettled = event.data
    intents: list[Intent] = []
    before = state
    for told in data.lines:
        for one in state.variances:
            fits = (one.variance > ZERO) == (data.outcome != "surplus")
            if (one.shipment, one.line, one.unit) != (
                told.shipment,
                told.line,
                told.quantity.unit,
            ) or not fits:
                continue
            quantity = max(ZERO, told.quantity.value)
            if data.outcome == "found":
                state = with_leg(state, replace(one, variance=one.variance - min(quantity, one.variance)))
                continue
            leg, more = _settle(state, one, quantity)
            state = with_leg(state, leg)
            intents += more
    if state == before:
        return Step(state, (), "stale")
    if data.outcome == "found":
        intents.append(SetTimer(TRANSIT, policy.transit_days_max * DAY_SECONDS))
    rest = anew(_variance_case(state)) if state.variances else agreed(data.reason or "settled")
    return Step(state, (*intents, *rest))


def _accepted(state: State, event: Recorded, _policy: Policy) -> Step:
    """A person settles all that differs, as it is."""
    what, by = event.data.what, event.data.by
    intents: list[Intent] = [accepted(what, by)]
    if what == VARIANCE:
        for one in state.variances:
            leg, more = _settle(state, one, abs(one.variance))
            state = with_leg(state, leg)
            intents += more
    return Step(state, tuple(intents))


def _booked(state: State, event: Recorded, _policy: Policy) -> Step:
    receipt = event.about or event.data.receipt
    return Step(replace(state, receipts=with_document(state.receipts, receipt, event.data.document)))


def _announced(state: State, _event: Recorded, _policy: Policy) -> Step:
    return Step(state)


def waited(state: State, event: Recorded, policy: Policy) -> Step:
    """Nothing came, or nobody said that it left."""
    if event.data.name == "parent" and state.variances:
        return Step(state, tuple(anew(_variance_case(state))))
    if event.data.name != TRANSIT or not state.in_transit:
        return Step(state, (), "stale")
    carriers = ", ".join(dict.fromkeys(x.carrier for x in state.legs if x.in_transit and x.carrier))
    case = OpenCase(
        f"transit/{state.reference}", "missing", "transfer overdue",
        f"Transfer {state.reference} is on the road for more than {policy.transit_days_max} days{f' with {carriers}' if carriers else ''}",
        "Ask the carrier. When it is lost, have the receiving warehouse close it: what is missing becomes a variance.",
        "transport", TRANSIT,
    )  # fmt: skip
    return Step(state, (case,))


HANDLERS: Final[dict[str, Handler]] = {
    "inbound.announced.v1": _announced,
    "inbound.received.v1": _received,
    "inbound.stored.v1": _stored,
    "inbound.closed.v1": _closed,
    "inbound.accepted.v1": _accepted,
    "goodsReceipt.posted.v1": _booked,
    "transfer.settled.v1": _settled,
}
