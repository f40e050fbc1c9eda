"""Stock of one item at one location, as the warehouse reports it; the quantities themselves stand in the ledger."""

from decimal import Decimal
from typing import Final

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.stock import Bucket
from crossdock.processes.authority import not_theirs
from crossdock.processes.intents import Intent, Move, Publish, Step, Summary
from crossdock.processes.policy import Policy

KIND = "stock"
VERSION = 1
HUB: Final = "crossdock"
"""Settlements are decided here; nobody else may say that one was."""
AVAILABLE: Final[Bucket] = "available"
QUARANTINE: Final[Bucket] = "quarantine"
OUTSIDE: Final[Bucket] = "outside"
ZERO: Final = Decimal(0)
replace = msgspec.structs.replace


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    entries: int = 0
    published: str = ""


def initial(_thread: str) -> State:
    return State()


def step(state: State, event: Recorded, policy: Policy) -> Step:
    match event.type:
        case "stock.received.v1":
            place, change = event.data.place, event.data.quantity
        case "stock.adjusted.v1":
            place, change = event.data.place, event.data.change
        case "stock.reconciled.v1":
            return _reconciled(state, event)
        case "availability.published.v1":
            return Step(replace(state, published=str(event.data.available)))
        case _:
            return Step(state, (), "ignored")
    if change.value == 0:
        return Step(state, (), "ignored")
    if not policy.speaks_for(event.source, place.location):
        return Step(state, (not_theirs(event, "stock", place.location, policy),), "ignored")
    source: Bucket = "outside" if change.value > 0 else "available"
    target: Bucket = "available" if change.value > 0 else "outside"
    move: Intent = Move(place, source, target, abs(change.value), change.unit)
    return Step(replace(state, entries=state.entries + 1), (move, Publish(place.item, place.location)))


def _reconciled(state: State, event: Recorded) -> Step:
    """What both change by is moved between shelf and quarantine, the rest comes from outside or goes there."""
    if event.source != HUB:
        return Step(state, (), "ignored")
    place, good, held = event.data.place, event.data.good.value, event.data.held.value
    unit = event.data.good.unit
    both = min(abs(good), abs(held)) if good * held < 0 else ZERO
    moves: list[Intent] = []
    if both:
        way: tuple[Bucket, Bucket] = ("available", "quarantine") if held > 0 else ("quarantine", "available")
        moves.append(Move(place, *way, both, unit))
    for change, bucket in ((good, AVAILABLE), (held, QUARANTINE)):
        rest = abs(change) - both
        if rest > 0:
            source, target = (OUTSIDE, bucket) if change > 0 else (bucket, OUTSIDE)
            moves.append(Move(place, source, target, rest, unit))
    state = replace(state, entries=state.entries + len(moves))
    return Step(state, (*moves, Publish(place.item, place.location)))


def summary(_state: State, _policy: Policy) -> Summary:
    return Summary("kept", done=True)
