"""The home of one identifier: events that know only it wait here until it is bound, then are forwarded in order."""

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.registry import decode, encode
from crossdock.processes.intents import Intent, Step, Summary, Tell
from crossdock.processes.policy import Policy

KIND = "identifier"
VERSION = 2
WAITING_MAX = 200
replace = msgspec.structs.replace


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """An event kept as it came; `data` is its JSON."""

    type: str
    data: bytes


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`waiting` is bounded: beyond it the oldest facts are in the log still, and the thread says so."""

    bound: str = ""
    waiting: tuple[Waiting, ...] = ()
    dropped: int = 0


def initial(_thread: str) -> State:
    return State()


def step(state: State, event: Recorded, _policy: Policy) -> Step:
    if event.type == "identifier.bound.v1":
        if state.bound == event.data.thread:
            return Step(state, (), "duplicate")
        told: tuple[Intent, ...] = tuple(
            Tell(event.data.thread, decode(x.type, x.data)) for x in state.waiting
        )
        return Step(replace(state, bound=event.data.thread, waiting=()), told)
    if state.bound:
        return Step(state, (Tell(state.bound, event.data),))
    if len(state.waiting) >= WAITING_MAX:
        return Step(replace(state, dropped=state.dropped + 1), (), "ignored")
    kept = Waiting(event.type, encode(event.data))
    return Step(replace(state, waiting=(*state.waiting, kept)), (), "waiting")


def summary(state: State, _policy: Policy) -> Summary:
    if state.bound:
        return Summary("bound", done=True)
    return Summary("unbound", "the object this identifier belongs to", "operations")
