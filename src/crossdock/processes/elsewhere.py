"""An order that a marketplace ships from its own warehouse: none of our work and none of our stock, and its lots are unknown.

It is kept so that whoever recalls a lot is told that some of it may have gone this way.
"""

from datetime import datetime

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.movement import MovedLine
from crossdock.model.thread import reference_of
from crossdock.processes.intents import Step, Summary
from crossdock.processes.policy import Policy

KIND = "elsewhere"
VERSION = 1
replace = msgspec.structs.replace


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`lines` are all that left so far, by the newest word."""

    reference: str
    system: str = ""
    lines: tuple[MovedLine, ...] = ()
    at: datetime | None = None


def initial(thread: str) -> State:
    return State(reference_of(thread))


def step(state: State, event: Recorded, _policy: Policy) -> Step:
    if event.type != "order.shippedElsewhere.v1":
        return Step(state, (), "ignored")
    if event.data.lines == state.lines:
        return Step(state, (), "duplicate")
    if state.at is not None and event.occurred_at < state.at:
        return Step(state, (), "stale")
    return Step(replace(state, system=event.source, lines=event.data.lines, at=event.occurred_at))


def summary(state: State, _policy: Policy) -> Summary:
    lots = tuple(dict.fromkeys((x.item, "") for x in state.lines))
    return Summary("shipped" if state.lines else "kept", done=True, lots=lots)
