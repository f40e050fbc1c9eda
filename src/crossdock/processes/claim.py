"""A claim that another program asked for: the ledger keeps it; its thread tells what happened to it unasked."""

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.processes.intents import Step, Summary
from crossdock.processes.policy import Policy

KIND = "claim"
VERSION = 1


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    expired: bool = False


def initial(_thread: str) -> State:
    return State()


def step(state: State, event: Recorded, _policy: Policy) -> Step:
    if event.type != "claim.expired.v1" or event.source != "crossdock":
        return Step(state, (), "ignored")
    return Step(State(expired=True), (), "duplicate" if state.expired else "applied")


def summary(state: State, _policy: Policy) -> Summary:
    return Summary("expired" if state.expired else "kept", done=True)
