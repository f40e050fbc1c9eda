"""A message that no mapping could read: kept, classified, and put before a person."""

import msgspec

from crossdock.model.causes import known_class
from crossdock.model.envelope import Recorded
from crossdock.model.operations import MessageNotTranslated
from crossdock.processes.intents import OpenCase, Step, Summary
from crossdock.processes.policy import Policy

KIND = "message"
VERSION = 1


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    system: str = ""
    path: str = ""
    reason: str = ""


def initial(_thread: str) -> State:
    return State()


def step(state: State, event: Recorded, _policy: Policy) -> Step:
    if event.type != "message.notTranslated.v1":
        return Step(state, (), "ignored")
    data: MessageNotTranslated = event.data
    where = f" at {data.path}" if data.path else ""
    case = OpenCase(
        fingerprint=f"message/{data.system}/{data.channel}/{data.problem}/{_shape(data.path)}/{data.reason}",
        problem=known_class(data.problem),
        cause="contract change" if data.problem == "unsupported" else "message content",
        title=f"{data.system} sent a message we cannot read{where}",
        detail=f"{data.reason}. The message is kept; correct it at the sender, or extend the mapping, and send it again.",
        owner="integration",
    )
    return Step(State(data.system, data.path, data.reason), (case,))


def _shape(path: str) -> str:
    """A path without its list positions: the same field of another line is the same cause."""
    return "/".join("*" if part.isdigit() else part for part in path.split("/"))


def summary(state: State, _policy: Policy) -> Summary:
    return Summary("not translated", f"a correction of {state.path or 'the message'}", "integration")
