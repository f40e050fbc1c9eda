"""WooCommerce's order document in the hub's words: webhooks, and the REST answers of a back-fill.

Reads only; a person's data goes nowhere but into `People`.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

import msgspec

from crossdock.connect.contract import Account, Inbound, Translation
from crossdock.connect.reading import noted, parse, read, unmapped
from crossdock.connect.saying import content_of
from crossdock.connectors.woocommerce.documents import Address, LineItem, Order, ShippingLine, StoppedOrder
from crossdock.errors import Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.money import Money
from crossdock.model.order import OrderCancelRequested, OrderLine, OrderReceived
from crossdock.model.party import Party, People, Place
from crossdock.model.quantity import Quantity
from crossdock.model.thread import order_thread, reference_of

UPSERTS: Final = ("order.created", "order.updated", "order.restored")
DELETED: Final = "order.deleted"
STOPPED: Final = ("cancelled", "failed", "refunded", "trash")
"""Statuses of an order that shall not be fulfilled (any more)."""
DRAFTS: Final = ("auto-draft", "checkout-draft")
CLAIM_KEYS: Final = ("_crossdock_claim", "crossdock_claim")
"""A field whose name begins with an underscore is hidden from the shop's pages."""
ID_MAX: Final = 2**63 - 1
DIGITS_MAX: Final = 12
DECIMALS_MAX: Final = 20
ORDERS_MAX: Final = 100
"""The most that one page of the shop's REST API holds."""
ORDER_MARKS: Final = frozenset({"line_items", "order_key", "billing", "payment_method", "cart_hash"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_GMT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?")


def to_translation(inbound: Inbound, account: Account) -> Translation:
    """Any message of the `webhooks` channel. Raises `Malformed`, `Rejected` or `Unsupported`."""
    if inbound.channel != "webhooks":
        raise Unsupported(f"channel {inbound.channel}")
    if re.fullmatch(rb"\s*webhook_id=\d+\s*", inbound.body):
        raise Unsupported("the ping of a new webhook")
    document = parse(inbound.body)
    topic = inbound.headers.get("x-wc-webhook-topic", "")
    if topic and topic not in (*UPSERTS, DELETED):
        raise Unsupported(topic)
    given = inbound.headers.get("x-wc-webhook-delivery-id", "")
    if isinstance(document, list):
        return _many(inbound.body, document, account, given)
    if not isinstance(document, dict):
        raise Rejected("/", "not an object")
    if not topic and not _looks_like_order(document):
        raise Unsupported(_describe(document))
    source_id = _source_id(topic, document, given)
    events = _events(inbound.body, document, "", account, source_id, deleted=topic == DELETED)
    return Translation(
        source_id=source_id, events=events, unmapped=unmapped(Order, document), content=content_of(events)
    )


def _many(body: bytes, documents: list[Any], account: Account, given: str) -> Translation:
    """A page of the REST API. One wrong order refuses the page: it is sent again once that is corrected."""
    strangers = [x for x in documents if not isinstance(x, dict) or not _looks_like_order(x)]
    if strangers or not documents or len(documents) > ORDERS_MAX:
        raise Unsupported("a list that is not one of orders")
    source_id = given or f"orders/{blake2b(body, digest_size=16).hexdigest()}"
    events: list[NewEvent] = []
    for at, raw in enumerate(msgspec.json.decode(body, type=list[msgspec.Raw])):
        try:
            events += _events(bytes(raw), documents[at], f"/{at}", account, source_id)
        except Rejected as error:
            path = error.path if error.path.startswith(f"/{at}/") else f"/{at}{error.path.rstrip('/')}"
            raise Rejected(path, error.reason, error.cause) from None
    return Translation(source_id=source_id, events=tuple(events), unmapped=unmapped(Order, documents))


def _looks_like_order(document: dict[str, Any]) -> bool:
    """Without a topic, the shape decides; refunds have lines as well, products have an id and a status."""
    return "refund" not in document and len(ORDER_MARKS & document.keys()) > 1


def _describe(document: dict[str, Any]) -> str:
    names = ", ".join(sorted(map(str, document))[:3])
    return f"a document without topic, with {names}" if names else "an empty document without topic"


def _source_id(topic: str, document: dict[str, Any], given: str) -> str:
    """The order's state, which a list shows as well; the delivery's id only where nothing tells when it changed."""
    state = document.get("date_modified_gmt") or (not given and document.get("date_modified")) or ""
    if given and not state:
        return given
    kind = topic if topic == DELETED else "order"
    return f"{kind}/{str(document.get('id'))[:40]}/{str(state)[:40]}"


def _events(
    body: bytes, document: dict[str, Any], at: str, account: Account, source_id: str, *, deleted: bool = False
) -> tuple[NewEvent, ...]:  # fmt: skip
    """The order, and its stop. A stop gets through by the id alone, even where the order itself could not be taken."""
    status = document.get("status")
    if status in DRAFTS:
        raise Unsupported(f"an order that is {status}")
    if not deleted and status not in STOPPED:
        return (_received(read(Order, body), at, account, source_id),)
    stopped = _stopped(
        read(StoppedOrder, body), at, account, source_id, "deleted" if deleted else str(status)
    )
    if deleted:
        return (stopped,)
    try:  # whoever heard nothing of it yet knows what was stopped
        return _received(read(Order, body), at, account, source_id), stopped
    except Rejected:
        return (stopped,)


def _received(order: Order, at: str, account: Account, source_id: str) -> NewEvent:
    number = _order_id(order.id, at)
    return NewEvent(
        thread=order_thread(account.name, str(number)),
        data=to_order_received(order, at, account.name),
        id=f"{source_id}/{number}/received",
        occurred_at=_instant(order.date_modified_gmt, f"{at}/date_modified_gmt")
        or _instant(order.date_created_gmt, f"{at}/date_created_gmt"),
        sequence=_micros(_instant(order.date_modified_gmt, f"{at}/date_modified_gmt")),
    )


def _stopped(order: StoppedOrder, at: str, account: Account, source_id: str, reason: str) -> NewEvent:
    number = _order_id(order.id, at)
    thread = order_thread(account.name, str(number))
    modified = _instant(order.date_modified_gmt, f"{at}/date_modified_gmt")
    return NewEvent(
        thread=thread,
        data=OrderCancelRequested(reference_of(thread), reason),
        id=f"{source_id}/{number}/stopped",
        occurred_at=modified,
        sequence=_micros(modified),
    )


def _order_id(number: int | None, at: str) -> int:
    if number is None:
        raise Rejected(f"{at}/id", "the order has no id")
    if not 0 < number <= ID_MAX:
        raise Rejected(f"{at}/id", "not a 63-bit number")
    return number


def _instant(text: str | None, at: str) -> datetime | None:
    """A `_gmt` field is UTC without saying so; its neighbours, in the shop's local time, are not read."""
    if not text:
        return None
    if not _GMT.fullmatch(text):
        raise Rejected(at, "not a time of the form 2026-01-15T12:00:00")
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise Rejected(at, "not a time of the calendar") from None


def _micros(moment: datetime | None) -> int | None:
    return (moment - _EPOCH) // timedelta(microseconds=1) if moment else None


def to_order_received(order: Order, at: str, channel: str) -> OrderReceived:
    """The canonical order; `at` is the order's own place in the partner's document."""
    currency = order.currency or ""
    if not re.fullmatch("[A-Z]{3}", currency):
        reason = f"{currency!r} is not an ISO 4217 code" if currency else "the order has no currency"
        raise Rejected(f"{at}/currency", reason)
    if not order.line_items:
        raise Rejected(f"{at}/line_items", "the order has no lines")
    lines = tuple(_to_line(item, f"{at}/line_items/{n}", currency) for n, item in enumerate(order.line_items))
    total = sum((line.unit_price.amount * line.ordered.value for line in lines), Decimal(0))
    if order.total is not None:
        total = _amount(order.total, f"{at}/total")
    billing, shipping = order.billing or Address(), order.shipping or Address()
    goal = shipping if shipping.country or shipping.city else billing
    return OrderReceived(
        number=str(order.number or order.id),
        reference=f"{channel}/{order.id}",
        channel=channel,
        lines=lines,
        total=Money(total, currency),
        destination=Place(goal.country or "", goal.state or ""),
        service=_service(order.shipping_lines or ()),
        people=People(buyer=_party(billing, billing), ship_to=_party(goal, billing)),
        subject=_subject(order, channel),
        claim=noted(order.meta_data, "key", CLAIM_KEYS),
    )


def _to_line(item: LineItem, at: str, currency: str) -> OrderLine:
    if item.id is None or not 0 < item.id <= ID_MAX:
        raise Rejected(f"{at}/id", "the line has no usable id")
    if item.sku is None or not item.sku.strip():
        raise Rejected(f"{at}/sku", "the line names no SKU", "master-data")
    if item.quantity is None or _amount(item.quantity, f"{at}/quantity") == 0:
        raise Rejected(f"{at}/quantity", "not a quantity above zero")
    if item.price is None:
        raise Rejected(f"{at}/price", "the line has no price")
    return OrderLine(
        line=str(item.id),
        item=item.sku,
        ordered=Quantity(item.quantity),
        unit_price=Money(_amount(item.price, f"{at}/price"), currency),
        description=item.name or "",
    )


def _amount(amount: Decimal, at: str) -> Decimal:
    exponent = amount.as_tuple().exponent
    if (
        not isinstance(exponent, int)
        or amount < 0
        or amount.adjusted() > DIGITS_MAX
        or exponent < -DECIMALS_MAX
    ):
        raise Rejected(at, "not an amount")
    return amount


def _service(lines: tuple[ShippingLine, ...]) -> str:
    wish = (lines[0].method_title or lines[0].method_id or "").casefold() if lines else ""
    return "express" if "express" in wish or "overnight" in wish else "standard"


def _party(address: Address, billing: Address) -> Party:
    """The shop asks for e-mail and telephone with the billing address only."""
    return Party(
        name=" ".join(part for part in (address.first_name, address.last_name) if part),
        company=address.company or "",
        lines=tuple(str(line) for line in (address.address_1, address.address_2) if line),
        city=address.city or "",
        region=address.state or "",
        postal_code=str(address.postcode or ""),
        country=address.country or "",
        email=address.email or billing.email or "",
        phone=str(address.phone or billing.phone or ""),
    )


def _subject(order: Order, channel: str) -> str:
    """Whose key seals the personal data: the customer's, else the guest's by address, else the order's."""
    email = (order.billing.email or "").strip().casefold() if order.billing else ""
    if order.customer_id:
        who = str(order.customer_id)
    elif email:
        who = f"email-{blake2b(email.encode(), digest_size=12).hexdigest()}"
    else:
        who = f"order-{order.id}"
    return f"customer/{channel}/{who}"
