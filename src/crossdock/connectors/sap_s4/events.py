"""SAP's business events → canonical events. Pure.

They are notices: which product or purchase order it was, not what about it changed. SAP is asked for that.
"""

from datetime import datetime
from typing import Annotated, Final, TypeVar

import msgspec

from crossdock.connect.contract import Account, Inbound, Translation
from crossdock.connect.reading import parse, read, unmapped
from crossdock.errors import Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.master import ItemChanged
from crossdock.model.movement import InboundChanged
from crossdock.model.thread import thread_key

CHANNEL: Final = "events"
PRODUCT_CREATED: Final = "sap.s4.beh.product.v1.Product.Created.v1"
PRODUCT_CHANGED: Final = "sap.s4.beh.product.v1.Product.Changed.v1"
ORDER_CREATED: Final = "sap.s4.beh.purchaseorder.v1.PurchaseOrder.Created.v1"
ORDER_CHANGED: Final = "sap.s4.beh.purchaseorder.v1.PurchaseOrder.Changed.v1"
K = TypeVar("K", bound=msgspec.Struct)
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


class OrderKey(msgspec.Struct, frozen=True, rename="pascal"):
    purchase_order: Annotated[str, msgspec.Meta(min_length=1, max_length=10)]


def to_events(inbound: Inbound, account: Account) -> Translation:
    """One notice → one event. A notice's id is unique within its source."""
    if inbound.channel != CHANNEL:
        raise Unsupported(inbound.channel)
    notice = read(Notice, inbound.body)
    left = list(unmapped(Notice, parse(inbound.body)))
    if notice.type in (PRODUCT_CREATED, PRODUCT_CHANGED):
        product = _key(ProductKey, notice, left).product
        thread, data = thread_key("item", product), ItemChanged(item=product)
        event = NewEvent(thread=thread, data=data, occurred_at=notice.time)
    elif notice.type in (ORDER_CREATED, ORDER_CHANGED):
        order = _key(OrderKey, notice, left).purchase_order
        thread = thread_key("inbound", account.name, order)
        event = NewEvent(thread=thread, data=InboundChanged(order), occurred_at=notice.time)
    else:
        raise Unsupported(notice.type)
    return Translation(source_id=f"{notice.source}#{notice.id}", events=(event,), unmapped=tuple(left))


def _key(shape: type[K], notice: Notice, left: list[str]) -> K:
    """What a notice is about; fields beside it are counted as unmapped."""
    data = bytes(notice.data)
    try:
        found = read(shape, data)
    except Rejected as problem:
        raise Rejected(f"/data{problem.path}".rstrip("/"), problem.reason, problem.cause) from None
    left += unmapped(shape, parse(data), "/data")
    return found
