"""A canonical event as others post it: one CloudEvent in structured JSON, read and checked; nothing is kept here."""

import msgspec

from crossdock.connect.reading import parse, pointer
from crossdock.errors import Malformed
from crossdock.model.envelope import HUB, CloudEvent, NewEvent
from crossdock.model.registry import EVENTS, decode, short_type
from crossdock.model.thread import KEY_LENGTH_MAX
from crossdock.processes.catalogue import PROCESSES
from crossdock.processes.shipment_reversal import PERSON

KINDS = tuple(sorted(set(PROCESSES) - {"message"}))
_single = msgspec.json.Decoder(CloudEvent)


def read_event(body: bytes) -> tuple[NewEvent | None, str, dict[str, str]]:
    """(event, source, error). An error that is `kept` is JSON of an authenticated sender that names no event of ours."""
    try:
        envelope = _single.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return None, "", _unread(body, error)
    type_ = short_type(envelope.type)
    if type_ not in EVENTS:
        return None, "", {"pointer": "/type", "detail": f"unknown event type {envelope.type}", "kept": "1"}
    if envelope.subject.partition("/")[0] not in KINDS or len(envelope.subject) > KEY_LENGTH_MAX:
        return (
            None,
            "",
            {"pointer": "/subject", "detail": f"must be a thread key: {', '.join(KINDS)}/…", "kept": "1"},
        )
    if not envelope.id or not envelope.source:
        return None, "", {"pointer": "/id", "detail": "id and source are required and not empty", "kept": "1"}
    if envelope.source == HUB:
        return (
            None,
            "",
            {"pointer": "/source", "detail": f"{HUB} is the hub itself: name yourself", "kept": "1"},
        )
    if envelope.source.startswith(PERSON):
        detail = f"{PERSON}… is what people do through the API: name a system"
        return None, "", {"pointer": "/source", "detail": detail, "kept": "1"}
    if envelope.time is not None and envelope.time.tzinfo is None:
        return None, "", {"pointer": "/time", "detail": "needs an offset (RFC 3339)", "kept": "1"}
    try:
        data = decode(type_, bytes(envelope.data))
    except msgspec.ValidationError as error:
        return None, "", _invalid(error, "/data")
    sequence = int(envelope.sequence) if envelope.sequence.isdigit() else None
    event = NewEvent(
        thread=envelope.subject, data=data, id=envelope.id, occurred_at=envelope.time, sequence=sequence
    )
    return event, envelope.source, {}


def _unread(body: bytes, error: Exception) -> dict[str, str]:
    """JSON with a wrong field is kept; what is no JSON at all (also after that field) is refused."""
    try:
        parse(body)
    except Malformed as malformed:
        return {"pointer": malformed.at, "detail": malformed.reason}
    if isinstance(error, msgspec.ValidationError):
        return _invalid(error, "")
    return {"pointer": "", "detail": "unreadable JSON"}


def _invalid(error: msgspec.ValidationError, below: str) -> dict[str, str]:
    text, _, path = str(error).partition(" - at `$")
    return {"pointer": below + (pointer(path.rstrip("`")) if path else ""), "detail": text, "kept": "1"}
