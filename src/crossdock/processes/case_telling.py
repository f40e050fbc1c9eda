"""The thread of a case's messages to its watchers. What is refused is a case like any other, of which nobody is told."""

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.processes.intents import Step, Summary
from crossdock.processes.policy import Policy

KIND = "case"
VERSION = 1


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    told: int = 0
    """Messages that were taken."""


def initial(_thread: str) -> State:
    return State()


def step(state: State, event: Recorded, _policy: Policy) -> Step:
    if event.type == "case.told.v1":
        return Step(State(state.told + 1))
    return Step(state, (), "applied" if event.type.startswith("effect.") else "ignored")


def summary(_state: State, _policy: Policy) -> Summary:
    return Summary("told", done=True)
