"""ORDER_CHANGE notifications in the hub's words. They hold neither prices nor addresses: an order is read, not told.

Two things do not wait for that reading, because goods may leave meanwhile: a cancellation, and a buyer who asks for one.
Of an order that Amazon ships itself, only what left is told.
"""

from decimal import Decimal
from typing import Any, Final

from crossdock.connect.contract import Account, Translation
from crossdock.connect.reading import read, unmapped
from crossdock.connect.saying import content_of
from crossdock.connectors.amazon_marketplace.documents import (
    ChangedItem,
    Forwarded,
    Notification,
    OrderChange,
    Summary,
    Trigger,
)
from crossdock.connectors.amazon_marketplace.reading import AMAZONS, instant, micros, order_id
from crossdock.errors import Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.movement import MovedLine
from crossdock.model.order import HoldPlaced, OrderCancelRequested, ShippedElsewhere
from crossdock.model.quantity import Quantity
from crossdock.model.thread import order_thread, reference_of, thread_key

ORDER_CHANGE: Final = "ORDER_CHANGE"
ASKED: Final = "BuyerRequestedChange"
BUYERS_HOLD: Final = "buyer asks to cancel"
HINT: Final = "a hint: what the order says is read from the list of changed orders"
ID_LENGTH_MAX: Final = 100
REASON_LENGTH_MAX: Final = 200


def wrapped(document: dict[str, Any]) -> str | None:
    """The place of a notification in a document: "" for itself, `/detail` in EventBridge's envelope; None without one."""
    if _kind(document):
        return ""
    detail = document.get("detail")
    return "/detail" if isinstance(detail, dict) and _kind(detail) else None


def _kind(document: dict[str, Any]) -> object:
    return document.get("NotificationType") or document.get("notificationType")


def told(body: bytes, document: dict[str, Any], account: Account) -> Translation:
    """A document in which `wrapped` found a notification. Raises `Rejected` or `Unsupported`."""
    at = wrapped(document)
    kind = _kind(document["detail"] if at else document)
    if kind != ORDER_CHANGE:
        raise Unsupported(f"notifications of type {str(kind)[:60]}")
    said = read(Forwarded, body).detail if at else read(Notification, body)
    metadata, payload = said.notification_metadata, said.payload
    given = (metadata.notification_id if metadata else None) or ""
    if not 0 < len(given) <= ID_LENGTH_MAX:
        raise Rejected(f"{at}/NotificationMetadata/NotificationId", "the notification has no usable id")
    change = payload.order_change_notification if payload else None
    if change is None:
        raise Rejected(f"{at}/Payload/OrderChangeNotification", "missing")
    place = f"{at}/Payload/OrderChangeNotification"
    source_id = f"notification/{given}"
    number = order_id(change.amazon_order_id, f"{place}/AmazonOrderId")
    summary = change.summary or Summary()
    if summary.fulfillment_type == "AFN":
        event = _shipped_by_amazon(change, place, thread_key("elsewhere", account.name, number), source_id)
    else:
        event = _event(change, place, order_thread(account.name, number), source_id)
    return Translation(
        source_id=source_id,
        events=(event,) if event else (),
        content=content_of((event,) if event else ()),
        ignored="" if event else AMAZONS if summary.fulfillment_type == "AFN" else HINT,
        unmapped=unmapped(Forwarded if at else Notification, document) if event else (),
    )


def _shipped_by_amazon(change: OrderChange, at: str, thread: str, source_id: str) -> NewEvent | None:
    """What left so far of an order that Amazon ships itself; it tells neither parcels nor lots."""
    items = enumerate((change.summary or Summary()).order_items or ())
    left = tuple(_moved(item, f"{at}/Summary/OrderItems/{n}") for n, item in items if item.quantity_shipped)
    if not left:
        return None
    trigger = change.order_change_trigger or Trigger()
    changed_at = instant(trigger.time_of_order_change, f"{at}/OrderChangeTrigger/TimeOfOrderChange")
    return NewEvent(
        thread=thread, data=ShippedElsewhere(left), id=f"{source_id}/order", occurred_at=changed_at, sequence=micros(changed_at)
    )  # fmt: skip


def _moved(item: ChangedItem, at: str) -> MovedLine:
    if not item.seller_sku:
        raise Rejected(f"{at}/SellerSKU", "missing")
    return MovedLine(item.order_item_id or "", item.seller_sku, Quantity(Decimal(item.quantity_shipped or 0)))


def _event(change: OrderChange, at: str, thread: str, source_id: str) -> NewEvent | None:
    summary, trigger = change.summary or Summary(), change.order_change_trigger or Trigger()
    reason = (trigger.change_reason or "")[:REASON_LENGTH_MAX]
    if summary.order_status == "Canceled":
        data: OrderCancelRequested | HoldPlaced = OrderCancelRequested(
            reference_of(thread), "cancelled at Amazon", final=True
        )
    elif change.order_change_type == ASKED and any(
        item.is_buyer_requested_cancel for item in summary.order_items or ()
    ):
        data = HoldPlaced(
            BUYERS_HOLD,
            f"The buyer asks to cancel ({reason or 'no reason given'}): cancel it in Seller Central, or release the hold",
        )
    else:
        return None
    changed_at = instant(trigger.time_of_order_change, f"{at}/OrderChangeTrigger/TimeOfOrderChange")
    return NewEvent(
        thread=thread, data=data, id=f"{source_id}/order", occurred_at=changed_at, sequence=micros(changed_at)
    )
