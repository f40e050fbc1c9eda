"""SAP's business events → canonical events. Pure.

They are notices: which product it was, not what about it changed. The authority is asked for that.
"""

from datetime import datetime
from typing import Annotated, Final

import msgspec

from crossdock.connect.contract import Account, Inbound, Translation
from crossdock.connect.reading import parse, read, unmapped
from crossdock.errors import Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.master import ItemChanged
from crossdock.model.thread import thread_key

CHANNEL: Final = "events"
PRODUCT_CREATED: Final = "sap.s4.beh.product.v1.Product.Created.v1"
PRODUCT_CHANGED: Final = "sap.s4.beh.product.v1.Product.Changed.v1"
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class Notice(msgspec.Struct, frozen=True):
    """A CloudEvent in structured mode, as SAP's brokers pass it on."""

    id: Text
    source: Text
    type: Text
    data: msgspec.Raw = msgspec.Raw(b"{}")
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    specversion: str = ""
    datacontenttype: str = ""


class ProductKey(msgspec.Struct, frozen=True, rename="pascal"):
    product: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


def to_events(inbound: Inbound, _account: Account) -> Translation:
    """One notice → one event. A notice's id is unique within its source."""
    if inbound.channel != CHANNEL:
        raise Unsupported(inbound.channel)
    notice = read(Notice, inbound.body)
    if notice.type not in (PRODUCT_CREATED, PRODUCT_CHANGED):
        raise Unsupported(notice.type)
    data = bytes(notice.data)
    try:
        product = read(ProductKey, data).product
    except Rejected as problem:
        raise Rejected(f"/data{problem.path}".rstrip("/"), problem.reason, problem.cause) from None
    event = NewEvent(
        thread=thread_key("item", product), data=ItemChanged(item=product), occurred_at=notice.time
    )
    left = (*unmapped(Notice, parse(inbound.body)), *unmapped(ProductKey, parse(data), "/data"))
    return Translation(source_id=f"{notice.source}#{notice.id}", events=(event,), unmapped=left)
