"""A claim that another program asked for: the ledger keeps it; its thread tells what happened to it unasked."""

import msgspec

from crossdock.model.envelope import HUB, Recorded
from crossdock.model.stock import LotRecalled
from crossdock.model.thread import reference_of
from crossdock.processes.intents import CloseCase, OpenCase, Step, Summary
from crossdock.processes.policy import Policy

KIND = "claim"
VERSION = 1
replace = msgspec.structs.replace


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    expired: bool = False
    taken_by: str = ""
    """The thread of the order that took it over."""
    recalls: tuple[str, ...] = ()
    """Keys of the cases that its recalled goods opened."""


def initial(_thread: str) -> State:
    return State()


def step(state: State, event: Recorded, _policy: Policy) -> Step:
    if event.type == "stock.recalled.v1" and event.source == HUB:
        return _recalled(state, event)
    if event.type == "claim.takenOver.v1" and event.source == HUB:
        return _taken_over(state, event)
    if event.type != "claim.expired.v1" or event.source != HUB:
        return Step(state, (), "ignored")
    return Step(replace(state, expired=True), (), "duplicate" if state.expired else "applied")


def _taken_over(state: State, event: Recorded) -> Step:
    """Of a recalled lot the order took nothing: what the claim had of it is held by now."""
    closed = tuple(
        CloseCase(x, f"{event.data.by} took the claim over, and nothing of the lot") for x in state.recalls
    )
    return Step(replace(state, taken_by=event.data.by, recalls=()), closed)


def _recalled(state: State, event: Recorded) -> Step:
    """The program that holds the claim may still use it: only a person can talk to its owner."""
    data: LotRecalled = event.data
    key = f"recall/{data.item}/{data.lot}"
    others = tuple(x for x in state.recalls if x != key)
    if data.lifted:
        return Step(replace(state, recalls=others), (CloseCase(key, "the recall was lifted"),))
    if state.taken_by:
        return Step(state, (), "stale")
    claim = reference_of(event.thread)
    case = OpenCase(
        f"{key}/{claim}", "value", "recall", f"Claim {claim} has goods of lot {data.lot} of {data.item}, which is recalled"[:200],
        f"{data.reason}. Have it released by whoever made it: what goes back is held; what is posted leaves.", "operations", key,
    )  # fmt: skip
    return Step(replace(state, recalls=(*others, key)), (case,))


def summary(state: State, _policy: Policy) -> Summary:
    ended = "taken over" if state.taken_by else "expired" if state.expired else "kept"
    return Summary(ended, done=True)
