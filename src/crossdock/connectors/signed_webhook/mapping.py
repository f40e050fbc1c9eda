"""CloudEvents in, Standard Webhooks messages out: both carry the hub's own words, so mapping is checking."""

from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec

from crossdock.connect.contract import Account, Inbound, Translation
from crossdock.connect.reading import parse, read, unmapped
from crossdock.errors import Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.party import Party, People
from crossdock.model.registry import EVENTS, TYPE_PREFIX, decode, short_type
from crossdock.model.requests import CancelRelease, Notify, RecordMilestone, ReleaseOrder
from crossdock.model.thread import KEY_LENGTH_MAX

OWN_WORK: Final = (
    "availability.changed.", "case.", "claim.", "clock.", "effect.", "goodsIssue.reversalRequested.", "identifier.", "masterData.", "message.", "numbers.", "order.returnAsked.", "person.", "return.matched.", "serial.", "stock.bookAgain.", "stock.opened.", "stock.recalled.", "stock.reconciled.", "stock.unbooked.", "thread.", "timer.",
)  # fmt: skip
"""Facts that only the hub itself can state; nobody outside may send them."""
EVENTS_MAX: Final = 1000


class IncomingEvent(msgspec.Struct, frozen=True):
    """A CloudEvents 1.0 JSON object; required attributes are optional here so that we can name them."""

    specversion: str = ""
    id: str = ""
    source: str = ""
    type: str = ""
    subject: str = ""
    time: datetime | None = None
    sequence: str | int | None = None
    datacontenttype: str = "application/json"
    dataschema: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


def to_translation(inbound: Inbound, _account: Account) -> Translation:
    """One event or an array of them. Raises `Malformed`, `Rejected` or `Unsupported`."""
    if inbound.channel != "events":
        raise Unsupported(f"channel {inbound.channel}")
    document = parse(inbound.body)
    if isinstance(document, list):
        raws = msgspec.json.decode(inbound.body, type=list[msgspec.Raw])
        places = [(bytes(raw), f"/{at}") for at, raw in enumerate(raws)]
    else:
        places = [(inbound.body, "")]
    if not 0 < len(places) <= EVENTS_MAX:
        raise Rejected("/", f"{len(places)} events in one message, 1 to {EVENTS_MAX} are possible")
    events = tuple(to_event(body, at) for body, at in places)
    return Translation(
        source_id=inbound.headers.get("webhook-id") or _derived_source_id(events),
        events=events,
        unmapped=tuple(dict.fromkeys(path for body, at in places for path in _unread(body, at))),
    )


def _derived_source_id(events: tuple[NewEvent, ...]) -> str:
    if len(events) == 1:
        return events[0].id
    return blake2b(" ".join(event.id for event in events).encode(), digest_size=16).hexdigest()


def to_event(body: bytes, at: str) -> NewEvent:
    """One CloudEvent of our own types; `at` is its place in the message."""
    event = _read_at(IncomingEvent, body, at)
    if event.specversion != "1.0":
        raise Rejected(f"{at}/specversion", "CloudEvents 1.0 is spoken here")
    for name in ("id", "source", "type", "subject"):
        if not getattr(event, name).strip():
            raise Rejected(f"{at}/{name}", "missing")
    kind = short_type(event.type)
    if not event.type.startswith(TYPE_PREFIX) or kind not in EVENTS or kind.startswith(OWN_WORK):
        raise Unsupported(event.type)
    if "/" not in event.subject or len(event.subject) > KEY_LENGTH_MAX:
        raise Rejected(f"{at}/subject", "not a thread such as order/shop/1042")
    if event.time is not None and event.time.tzinfo is None:
        raise Rejected(f"{at}/time", "a time needs its offset")
    if not bytes(event.data).strip():
        raise Rejected(f"{at}/data", "missing")
    _read_at(EVENTS[kind], bytes(event.data), f"{at}/data")
    return NewEvent(
        thread=event.subject,
        data=decode(kind, bytes(event.data)),
        id=event.id,
        occurred_at=event.time,
        sequence=_sequence(event.sequence, f"{at}/sequence"),
    )


def _read_at(shape: type[msgspec.Struct], body: bytes, at: str) -> Any:
    """Read a part of the message; its errors name the place in the whole."""
    try:
        return read(shape, body)
    except Rejected as error:
        raise Rejected(f"{at}{error.path}" if error.path != "/" else at or "/", error.reason) from None


def _sequence(value: str | int | None, at: str) -> int | None:
    if value is None or value == "":
        return None
    try:
        number = int(value)
    except ValueError:
        raise Rejected(at, "not a whole number") from None
    if not 0 <= number < 2**63:
        raise Rejected(at, "not a 63-bit number")
    return number


def _unread(body: bytes, at: str) -> tuple[str, ...]:
    document = parse(body)
    shape = EVENTS[short_type(document["type"])]
    return (*unmapped(IncomingEvent, document, at), *unmapped(shape, document["data"], f"{at}/data"))


def from_payload(kind: str, payload: msgspec.Struct, people: People, _account: Account) -> bytes:
    """Render one effect as `{type, timestamp, data}`; the timestamp is when it happened, null if unknown."""
    match payload:
        case Notify() if kind == "customer.notify":
            data = _notification(payload, people.buyer)
        case RecordMilestone() if kind == "milestone.record":
            data = msgspec.to_builtins(payload)
        case ReleaseOrder() if kind == "warehouse_order.release":
            data = _purchase(payload, people.ship_to)
        case CancelRelease() if kind == "warehouse_order.cancel":
            data = msgspec.to_builtins(payload)
        case _:
            raise Unsupported(kind)
    when: datetime | None = getattr(payload, "at", None)
    at = when.isoformat() if when else None
    return msgspec.json.encode({"type": kind, "timestamp": at, "data": data})


def _purchase(payload: ReleaseOrder, ship_to: Party) -> dict[str, Any]:
    """What a supplier is to send where: the consignee's address and no more. What our customer pays, or how to reach
    him, is none of his business.
    """
    address = msgspec.structs.replace(ship_to, email="", phone="")
    told: dict[str, Any] = msgspec.to_builtins(payload)
    lines = [
        {
            "line": x.line,
            "item": x.item,
            "quantity": msgspec.to_builtins(x.ordered),
            "description": x.description,
        }
        for x in payload.lines
    ]
    return told | {"lines": lines, "release": payload.release, "ship_to": msgspec.to_builtins(address)}


def _notification(payload: Notify, buyer: Party) -> dict[str, Any]:
    """What the follower needs to tell the customer: the buyer's name and addresses, no more."""
    told = {"name": buyer.name, "email": buyer.email, "phone": buyer.phone}
    return {
        **msgspec.to_builtins(payload),
        "customer": {name: value for name, value in told.items() if value},
    }
