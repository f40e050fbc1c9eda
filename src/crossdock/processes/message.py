"""A message that no mapping could read: kept, classified, and put before a person until it is corrected or can be read."""

import msgspec

from crossdock.model.causes import known_class
from crossdock.model.envelope import Recorded
from crossdock.model.operations import MessageCorrected, MessageNotTranslated, MessageReadAgain
from crossdock.processes.intents import CloseCase, OpenCase, Step, Summary
from crossdock.processes.policy import Policy

KIND = "message"
VERSION = 1


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    system: str = ""
    path: str = ""
    reason: str = ""
    settled: str = ""
    """What became of it; empty while a person must look."""


def initial(_thread: str) -> State:
    return State()


def step(state: State, event: Recorded, _policy: Policy) -> Step:
    match event.type:
        case "message.notTranslated.v1":
            return _unread(event)
        case "message.corrected.v1":
            corrected: MessageCorrected = event.data
            return _settled(
                state,
                "corrected",
                f"{corrected.by} corrected it (K-{corrected.correction}): {corrected.reason}",
            )
        case "message.readAgain.v1":
            again: MessageReadAgain = event.data
            return _settled(state, "read again", f"replay R-{again.replay} read it: {again.reason}")
        case _:
            return Step(state, (), "ignored")


def _settled(state: State, how: str, because: str) -> Step:
    return Step(msgspec.structs.replace(state, settled=how), (CloseCase("", because),))


def _unread(event: Recorded) -> Step:
    data: MessageNotTranslated = event.data
    where = f" at {data.path}" if data.path else ""
    case = OpenCase(
        fingerprint=f"message/{data.system}/{data.channel}/{data.problem}/{_shape(data.path)}/{data.reason}",
        problem=known_class(data.problem),
        cause="contract change" if data.problem == "unsupported" else "message content",
        title=f"{data.system} sent a message we cannot read{where}",
        detail=f"{data.reason}. The message is kept; correct it here or at the sender, or extend the mapping and replay it.",
        owner="integration",
    )
    return Step(State(data.system, data.path, data.reason), (case,))


def _shape(path: str) -> str:
    """A path without its list positions: the same field of another line is the same cause."""
    return "/".join("*" if part.isdigit() else part for part in path.split("/"))


def summary(state: State, _policy: Policy) -> Summary:
    if state.settled:
        return Summary(state.settled, done=True)
    return Summary("not translated", f"a correction of {state.path or 'the message'}", "integration")
