"""Shopify's return document in the hub's words. Pure."""

from decimal import Decimal
from typing import Any, Final

from crossdock.connect.contract import Account, Translation
from crossdock.connect.reading import read, unmapped
from crossdock.connectors.shopify.documents import Named, Return, ReturnLineItem
from crossdock.errors import Rejected
from crossdock.model.envelope import NewEvent
from crossdock.model.quantity import Quantity
from crossdock.model.returning import ReturnAuthorised, ReturnCancelled, ReturnLine
from crossdock.model.thread import thread_key

APPROVED: Final = "returns/approve"
CANCELLED: Final = "returns/cancel"
TOPICS: Final = (APPROVED, CANCELLED)
LINES_MAX: Final = 1000


def to_translation(
    body: bytes, document: dict[str, Any], topic: str, account: Account, given: str
) -> Translation:
    """`given` is the event's id, by which Shopify repeats it."""
    told = read(Return, body)
    number = _id(told.id, "/id")
    source_id = given or f"{topic}/{number}"
    data = ReturnCancelled() if topic == CANCELLED else _authorised(told, account)
    event = NewEvent(thread=thread_key("return", account.name, str(number)), data=data)
    return Translation(source_id=source_id, events=(event,), unmapped=unmapped(Return, document))


def _authorised(told: Return, account: Account) -> ReturnAuthorised:
    """The order knows which item its line is; Shopify names the line only."""
    order = _named(told.order, "/order/id")
    if not told.return_line_items or len(told.return_line_items) > LINES_MAX:
        raise Rejected("/return_line_items", "the return has no lines, or too many")
    lines = tuple(_line(x, f"/return_line_items/{at}") for at, x in enumerate(told.return_line_items))
    return ReturnAuthorised(told.name or str(told.id), f"{account.name}/{order}", lines)


def _line(told: ReturnLineItem, at: str) -> ReturnLine:
    if told.quantity is None or told.quantity <= 0:
        raise Rejected(f"{at}/quantity", "not a quantity above zero")
    fulfilled = told.fulfillment_line_item
    order_line = _named(
        fulfilled.line_item if fulfilled else None, f"{at}/fulfillment_line_item/line_item/id"
    )
    reason = (told.return_reason or "").lower().replace("_", " ")
    return ReturnLine(
        str(_id(told.id, f"{at}/id")), str(order_line), "", Quantity(Decimal(told.quantity)), reason
    )


def _named(told: Named | None, at: str) -> int:
    return _id(told.id if told else None, at)


def _id(number: int | None, at: str) -> int:
    if number is None or not 0 < number < 2**63:
        raise Rejected(at, "no usable id")
    return number
