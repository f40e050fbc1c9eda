"""Goods of an inbound delivery on their way: ours from departure, by the terms they were bought on, or when they are here.

What is ours on the road stands as `in_transit_in` in the carrier's hands; the rest stays `expected`.
"""

from datetime import date
from decimal import Decimal

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.incoterms import title_passes
from crossdock.model.movement import InboundDispatched
from crossdock.model.quantity import Quantity
from crossdock.processes.inbound_state import Line, Notice, OnRoad, State, line_of, place_of, with_line
from crossdock.processes.intents import Intent, Step
from crossdock.processes.policy import Policy
from crossdock.processes.receiving import (
    EXPECTED,
    IN_TRANSIT,
    OUTSIDE,
    ZERO,
    Stand,
    accept_case,
    anew,
    is_elsewhere,
    moved,
)

replace = msgspec.structs.replace


def dispatched(state: State, event: Recorded, policy: Policy) -> Step:
    """A truck left the supplier. Before the order it waits; after the end of it nothing follows."""
    data: InboundDispatched = event.data
    if is_elsewhere(event.source, state.location, policy):
        return Step(state, (), "ignored")
    if any(x.notice == data.notice for x in state.notices):
        return Step(state, (), "duplicate")
    if state.ended:
        return Step(state, (), "stale")
    state = replace(state, notices=(*state.notices, Notice(data.notice, data.carrier, data.lines)))
    if state.said is None:
        return Step(state, (), "waiting")
    state, intents = catch_up(state)
    return Step(state, tuple(intents))


def catch_up(state: State) -> tuple[State, list[Intent]]:
    """Notices that were not looked at yet, once the terms are known."""
    assert state.said is not None
    ours = title_passes(state.said.terms) == "departure"
    intents: list[Intent] = []
    for notice in state.notices:
        for told in notice.lines if ours else ():
            line = line_of(state, told.line)
            if line is None or line.owner or (line.item, line.unit) != (told.item, told.quantity.unit):
                continue
            quantity = min(told.quantity.value, line.left - line.on_road)
            intents += moved(
                (place_of(state, line), EXPECTED), _on_road(state, line, notice.carrier), quantity, line.unit
            )
            if quantity > ZERO:
                line = replace(line, road=(*line.road, OnRoad(notice.carrier, quantity)))
            state = with_line(state, line)
    return replace(state, notices=tuple(replace(x, lines=()) for x in state.notices)), intents


def _on_road(state: State, line: Line, carrier: str) -> Stand:
    return replace(place_of(state, line), possessor=carrier), IN_TRANSIT


def arrived(
    state: State, line: Line, quantity: Decimal, to: Stand, expires_on: date | None = None
) -> tuple[Line, Decimal, list[Intent]]:
    """(the line, how much of the quantity was on the road, its way from there); the first to leave is the first to come."""
    intents: list[Intent] = []
    road: list[OnRoad] = []
    left = quantity
    for x in line.road:
        here = min(left, x.quantity)
        left -= here
        intents += moved(_on_road(state, line, x.carrier), to, here, line.unit, expires_on=expires_on)
        if here < x.quantity:
            road.append(OnRoad(x.carrier, x.quantity - here))
    return replace(line, road=tuple(road)), quantity - left, intents


def no_longer(state: State, line: Line) -> tuple[Line, list[Intent]]:
    """What is on the road beyond all that may still come is on no road any more."""
    surplus = max(ZERO, line.on_road - line.left)
    line, _, intents = arrived(state, line, surplus, (place_of(state, line), OUTSIDE))
    return line, intents


def lost(before: State, state: State) -> list[Intent]:
    """It was ours already: somebody has to ask the carrier for it."""
    listed = ", ".join(f"{Quantity(x.on_road, x.unit)} of {x.item}" for x in before.lines if x.on_road)
    if not listed:
        return []
    terms = before.said.terms if before.said else ""
    case = accept_case(
        "road", state.reference, f"Goods of {state.reference} were ours on the road and did not come: {listed}",
        f"Bought {terms}, they were ours from departure. Claim them from whoever carried them, then retry the case.",
    )  # fmt: skip
    return anew(case)
