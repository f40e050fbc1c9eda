"""A kept message read with today's mapping and rules, as it came or corrected. Takes nothing in."""

from dataclasses import dataclass, replace
from typing import Final

from crossdock.connect.contract import Inbound
from crossdock.errors import Malformed, Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.runtime.canonical import read_event
from crossdock.runtime.hub import Hub
from crossdock.runtime.intake import Intake
from crossdock.store.messages import Message

CANONICAL: Final = "events"
"""The channel of single events that others post in our own words."""
CANONICAL_DAYS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """What a message says: `source` is whose word its events are."""

    source: str
    source_id: str
    events: tuple[NewEvent, ...]
    content: bytes = b""
    days: int = CANONICAL_DAYS
    unmapped: tuple[str, ...] = ()
    ignored: str = ""
    rules: str = ""


def understand(hub: Hub, intake: Intake, message: Message) -> Understood:
    """Raises `Malformed`, `Rejected` or `Unsupported`, as when it came."""
    system = hub.system(message.system)
    inbox = hub.manifest(message.system).inbound.get(message.channel) if system else None
    if inbox is not None:
        return _translated(hub, intake, message, inbox.dedupe_days)
    if message.channel == CANONICAL:
        return _canonical(message.body)
    raise Unsupported(f"messages of {message.system}, channel {message.channel}: send them again from there")


def _translated(hub: Hub, intake: Intake, message: Message, days: int) -> Understood:
    translate = hub.connector(message.system).translate
    assert translate is not None, "a system with channels can be understood"
    read, rules = intake.rules.read(message.system, message.channel, message.body)
    inbound = Inbound(
        channel=message.channel, headers=message.headers, body=message.body, received_at=message.received_at
    )
    found = translate(replace(inbound, body=read), hub.account(message.system))
    if found.unread:
        raise found.unread[0]
    return Understood(
        source=message.system, source_id=found.source_id, events=found.events, content=found.content, days=days,
        unmapped=found.unmapped, ignored=found.ignored, rules=rules,
    )  # fmt: skip


def _canonical(body: bytes) -> Understood:
    event, source, error = read_event(body)
    if event is None:
        if not error.get("kept"):
            raise Malformed(error["detail"], error["pointer"])
        raise Rejected(error["pointer"], error["detail"])
    return Understood(source=source, source_id=event.id, events=(event,))


def trouble_of(error: Malformed | Rejected | Unsupported) -> tuple[str, str]:
    """(where, what is wrong there)."""
    match error:
        case Malformed():
            return error.at, error.reason
        case Rejected():
            return error.path, error.reason
        case _:
            return "", str(error)
