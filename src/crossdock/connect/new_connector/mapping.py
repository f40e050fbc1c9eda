"""The partner's messages in the hub's words, and the hub's in the partner's. Pure; every oddity of its data lives here."""

from datetime import datetime
from typing import Annotated, Final

import msgspec

from crossdock.connect.contract import Account, Inbound, Translation
from crossdock.connect.reading import parse, read, unmapped
from crossdock.errors import Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.order import OrderCancelRequested
from crossdock.model.party import People
from crossdock.model.requests import RecordMilestone
from crossdock.model.thread import thread_key

STOPPED: Final = "order.stopped"
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Stopped(msgspec.Struct, frozen=True):
    """Somebody at the partner stopped an order. `order` is the hub's reference: `shop-1/5001`."""

    id: Code
    type: str
    order: Code
    at: Instant
    reason: str = ""


class Scan(msgspec.Struct, frozen=True):
    """What the partner is told of a parcel."""

    shipment: str
    order: str
    state: str
    at: datetime | None


# todo: A struct for each of the partner's messages, in place of the two samples above.
def to_translation(inbound: Inbound, _account: Account) -> Translation:
    """Any message of a declared channel. Raises `Malformed`, `Rejected` or `Unsupported`."""
    if inbound.channel != "events":
        raise Unsupported(f"channel {inbound.channel}")
    document = parse(inbound.body)
    if not isinstance(document, dict):
        raise Rejected("/", "is no object")
    if document.get("type") != STOPPED:
        raise Unsupported(f"type {document.get('type')}"[:80])
    message = read(Stopped, inbound.body)
    event = NewEvent(
        thread=thread_key("order", message.order),
        data=OrderCancelRequested(message.order, message.reason),
        id=f"{message.id}/stopped",
        occurred_at=message.at,
    )
    return Translation(source_id=message.id, events=(event,), unmapped=unmapped(Stopped, document))


def from_payload(kind: str, payload: msgspec.Struct, _people: People, _account: Account) -> bytes:
    """The body of one effect. `Rejected`: the partner cannot express it."""
    match payload:
        case RecordMilestone() if kind == "milestone.record":
            scan = Scan(payload.shipment, payload.reference, payload.milestone, payload.at)
            return msgspec.json.encode(scan)
        case _:
            raise Unsupported(kind)
