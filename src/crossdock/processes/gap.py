"""Messages of one sender that never came, by its own running number: a case while any is missing, and one when it begins anew."""

from datetime import datetime

import msgspec

from crossdock.model.envelope import HUB, Recorded
from crossdock.model.operations import NumbersCompared
from crossdock.processes.intents import CloseCase, Intent, OpenCase, Step, Summary
from crossdock.processes.policy import Policy

KIND = "gap"
VERSION = 1
MISSING, ANEW = "missing", "anew"
"""What within the thread a case is about."""


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`missing` numbers are named now; `anew_at` is when the sender last began to count anew."""

    missing: int = 0
    anew_at: datetime | None = None


def initial(_thread: str) -> State:
    return State()


def step(state: State, event: Recorded, _policy: Policy) -> Step:
    if event.type != "numbers.compared.v1" or event.source != HUB:
        return Step(state, (), "ignored")
    data: NumbersCompared = event.data
    intents: list[Intent] = []
    if data.missing and not state.missing:
        intents.append(_missing(data))
    if state.missing and not data.missing:
        intents.append(
            CloseCase(
                MISSING,
                "what was missing came" if data.anew_at == state.anew_at else "the sender counts anew",
            )
        )
    if data.anew_at is not None and data.anew_at != state.anew_at:
        intents.append(_anew(data))
    return Step(State(data.missing, data.anew_at), tuple(intents))


def _missing(data: NumbersCompared) -> OpenCase:
    runs = ", ".join(f"{x.first}" if x.first == x.last else f"{x.first} to {x.last}" for x in data.runs)
    return OpenCase(
        f"gap/{data.system}", "missing", "messages missing", f"{data.system} sent messages that never came"[:200],
        f"Of {data.series} number {runs} when this was opened; the list of gaps has what is missing now.", "integration", MISSING,
    )  # fmt: skip


def _anew(data: NumbersCompared) -> OpenCase:
    stood, went_on, missing = data.anew
    lost = f" {missing} of the old numbers had not come." if missing else ""
    return OpenCase(
        f"gap/{data.system}/anew", "missing", "messages missing", f"{data.system} numbers its messages anew"[:200],
        f"{data.series} stood at {stood} and went on at {went_on}.{lost} What it sent last before cannot be told by numbers:"
        " compare stock and orders, then resolve the case.", "integration", ANEW,
    )  # fmt: skip


def summary(state: State, _policy: Policy) -> Summary:
    if state.missing:
        return Summary("incomplete", "messages that never came", "integration")
    return Summary("complete", done=True)
