"""Stock of one item at one location, as the warehouse reports it; the quantities themselves stand in the ledger."""

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.stock import Bucket
from crossdock.processes.authority import not_theirs
from crossdock.processes.intents import Intent, Move, Publish, Step, Summary
from crossdock.processes.policy import Policy

KIND = "stock"
VERSION = 1
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


def summary(_state: State, _policy: Policy) -> Summary:
    return Summary("kept", done=True)
