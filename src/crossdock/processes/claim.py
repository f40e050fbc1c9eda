"""A claim that another program asked for: the ledger keeps it; its thread tells what happened to it unasked."""

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.stock import LotRecalled
from crossdock.model.thread import reference_of
from crossdock.processes.intents import CloseCase, OpenCase, Step, Summary
from crossdock.processes.policy import Policy

KIND = "claim"
VERSION = 1


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    expired: bool = False


def initial(_thread: str) -> State:
    return State()


def step(state: State, event: Recorded, _policy: Policy) -> Step:
    if event.type == "stock.recalled.v1" and event.source == "crossdock":
        return _recalled(state, event)
    if event.type != "claim.expired.v1" or event.source != "crossdock":
        return Step(state, (), "ignored")
    return Step(State(expired=True), (), "duplicate" if state.expired else "applied")


def _recalled(state: State, event: Recorded) -> Step:
    """The program that holds the claim may still use it: only a person can talk to its owner."""
    data: LotRecalled = event.data
    key = f"recall/{data.item}/{data.lot}"
    if data.lifted:
        return Step(state, (CloseCase(key, "the recall was lifted"),))
    claim = reference_of(event.thread)
    case = OpenCase(
        f"{key}/{claim}", "value", "recall", f"Claim {claim} has goods of lot {data.lot} of {data.item}, which is recalled"[:200],
        f"{data.reason}. Have it released by whoever made it: what goes back is held; what is posted leaves.", "operations", key,
    )  # fmt: skip
    return Step(state, (case,))


def summary(state: State, _policy: Policy) -> Summary:
    return Summary("expired" if state.expired else "kept", done=True)
