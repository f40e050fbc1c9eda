"""Shopify's order document in the hub's words: webhooks, and the REST answers of a back-fill.

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
from crossdock.connectors.shopify import mapping_returns
from crossdock.connectors.shopify.documents import (
    Address,
    CancelledOrder,
    Customer,
    LineItem,
    ManyOrders,
    OneOrder,
    Order,
    ShippingLine,
)  # fmt: skip
from crossdock.errors import Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.money import Money
from crossdock.model.order import OrderCancelRequested, OrderLine, OrderReceived
from crossdock.model.party import Party, People, Place
from crossdock.model.quantity import Quantity
from crossdock.model.thread import order_thread, reference_of

UPSERTS: Final = ("orders/create", "orders/paid", "orders/updated")
CANCELLED: Final = "orders/cancelled"
CLAIM_ATTRIBUTE: Final = "crossdock_claim"
ID_MAX: Final = 2**63 - 1
PRICE_DIGITS_MAX: Final = 12
ORDER_MARKS: Final = frozenset(
    {
        "line_items",
        "order_number",
        "financial_status",
        "fulfillment_status",
        "total_price",
        "currency",
        "checkout_id",
    }
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_translation(inbound: Inbound, account: Account) -> Translation:
    """Any message of the `webhooks` channel. Raises `Malformed`, `Rejected` or `Unsupported`."""
    if inbound.channel != "webhooks":
        raise Unsupported(f"channel {inbound.channel}")
    document = parse(inbound.body)
    topic = inbound.headers.get("x-shopify-topic", "")
    if topic and topic not in (*UPSERTS, CANCELLED, *mapping_returns.TOPICS):
        raise Unsupported(topic)
    if not isinstance(document, dict):
        raise Rejected("/", "not an object")
    given = inbound.headers.get("x-shopify-event-id") or inbound.headers.get("x-shopify-webhook-id") or ""
    if topic in mapping_returns.TOPICS:
        return mapping_returns.to_translation(inbound.body, document, topic, account, given)
    wrapped = next((name for name in ("orders", "order") if name in document), "")
    if not topic and not wrapped and not _looks_like_order(document):
        raise Unsupported(_describe(document))
    if topic == CANCELLED and not wrapped:
        return _cancellation(inbound.body, document, account, given)
    if wrapped == "orders":
        orders = [(order, f"/orders/{at}") for at, order in enumerate(read(ManyOrders, inbound.body).orders)]
    elif wrapped:
        orders = [(read(OneOrder, inbound.body).order, "/order")]
    else:
        orders = [(read(Order, inbound.body), "")]
    source_id = _source_id(orders, given)
    events = [event for order, at in orders for event in _to_events(order, at, topic, account, source_id)]
    return Translation(
        source_id=source_id,
        events=tuple(events),
        content=content_of(events),
        unmapped=unmapped(
            Order, document[wrapped] if wrapped else document, f"/{wrapped}" if wrapped else ""
        ),
    )


def _looks_like_order(document: dict[str, Any]) -> bool:
    """Without a topic, the shape decides; fulfilments and refunds have an `order_id` and lines as well."""
    if "/Order/" in str(document.get("admin_graphql_api_id")):
        return True
    return "order_id" not in document and len(ORDER_MARKS & document.keys()) > 1


def _describe(document: dict[str, Any]) -> str:
    names = ", ".join(sorted(map(str, document))[:3])
    return f"a document without topic, with {names}" if names else "an empty document without topic"


def _source_id(orders: list[tuple[Order, str]], given: str) -> str:
    """The order's state, which a list shows as well; the event's id only where nothing tells when it changed."""
    if len(orders) != 1:
        states = ",".join(f"{order.id}@{_micros(order.updated_at)}" for order, _ in orders)
        return given or f"orders/{blake2b(states.encode(), digest_size=16).hexdigest()}"
    order = orders[0][0]
    return given if given and order.updated_at is None else f"order/{order.id}/{_micros(order.updated_at)}"


def _sequence(order: Order, *, changed: bool) -> int | None:
    """Shopify's times have whole seconds: a change within the second of the creation still comes after it."""
    micros = _micros(order.updated_at)
    return micros if micros is None else micros + changed


def _micros(moment: datetime | None) -> int | None:
    return (moment - _EPOCH) // timedelta(microseconds=1) if moment else None


def _order_id(number: int | None, at: str) -> int:
    if number is None:
        raise Rejected(f"{at}/id", "the order has no id")
    if not 0 < number <= ID_MAX:
        raise Rejected(f"{at}/id", "not a 63-bit number")
    return number


def _cancellation(body: bytes, document: dict[str, Any], account: Account, given: str) -> Translation:
    order = read(CancelledOrder, body)
    thread = order_thread(account.name, str(_order_id(order.id, "")))
    source_id = given or f"{CANCELLED}/{order.id}/{_micros(order.updated_at)}"
    events = (_cancel_event(order, thread, source_id),)
    return Translation(
        source_id=source_id,
        events=events,
        unmapped=unmapped(Order, document),
    )


def _cancel_event(order: Order | CancelledOrder, thread: str, source_id: str) -> NewEvent:
    return NewEvent(
        thread=thread,
        data=OrderCancelRequested(reference_of(thread), order.cancel_reason or ""),
        id=f"{source_id}/{order.id}/cancelled",
        occurred_at=order.cancelled_at or order.updated_at,
        sequence=_micros(order.updated_at),
    )


def _to_events(order: Order, at: str, topic: str, account: Account, source_id: str) -> list[NewEvent]:
    thread = order_thread(account.name, str(_order_id(order.id, at)))
    if order.cancelled_at and not any(item.is_goods for item in order.line_items or ()):
        return [_cancel_event(order, thread, source_id)]
    changed = topic in UPSERTS[1:]
    received = NewEvent(
        thread=thread,
        data=to_order_received(order, at, account.name),
        id=f"{source_id}/{order.id}/received",
        occurred_at=(order.updated_at or order.created_at)
        if changed
        else (order.created_at or order.updated_at),
        sequence=_sequence(order, changed=changed),
    )
    return [received, _cancel_event(order, thread, source_id)] if order.cancelled_at else [received]


def to_order_received(order: Order, at: str, channel: str) -> OrderReceived:
    """The canonical order; `at` is the order's own place in the partner's document."""
    currency = order.currency or ""
    if not re.fullmatch("[A-Z]{3}", currency):
        reason = f"{currency!r} is not an ISO 4217 code" if currency else "the order has no currency"
        raise Rejected(f"{at}/currency", reason)
    lines = _to_lines(order, at, currency)
    total = sum((line.unit_price.amount * line.ordered.value for line in lines), Decimal(0))
    if order.total_price is not None:
        total = _money(order.total_price, f"{at}/total_price")
    address = order.shipping_address or Address()
    return OrderReceived(
        number=order.name or str(order.order_number or order.id),
        reference=f"{channel}/{order.id}",
        channel=channel,
        lines=lines,
        total=Money(total, currency),
        destination=Place(address.country_code or "", address.province_code or ""),
        service=_service(order.shipping_lines or ()),
        people=People(buyer=_buyer(order), ship_to=_party(address, email=_email(order))),
        subject=_subject(order, channel),
        claim=noted(order.note_attributes, "name", (CLAIM_ATTRIBUTE,)),
    )


def _to_lines(order: Order, at: str, currency: str) -> tuple[OrderLine, ...]:
    if order.line_items is None:
        raise Rejected(f"{at}/line_items", "the order has no lines")
    lines = tuple(
        _to_line(item, f"{at}/line_items/{number}", currency)
        for number, item in enumerate(order.line_items)
        if item.is_goods
    )
    if not lines:
        raise Rejected(f"{at}/line_items", "no line is goods that we could ship")
    return lines


def _to_line(item: LineItem, at: str, currency: str) -> OrderLine:
    if item.id is None or not 0 < item.id <= ID_MAX:
        raise Rejected(f"{at}/id", "the line has no usable id")
    if item.sku is None or not item.sku.strip():
        raise Rejected(f"{at}/sku", "the line names no SKU", "master-data")
    quantity = item.wanted
    if quantity is None or not 0 < quantity <= ID_MAX:
        field = "quantity" if item.current_quantity is None else "current_quantity"
        raise Rejected(f"{at}/{field}", "not a quantity above zero")
    if item.price is None:
        raise Rejected(f"{at}/price", "the line has no price")
    return OrderLine(
        line=str(item.id),
        item=item.sku,
        ordered=Quantity(Decimal(quantity)),
        unit_price=Money(_money(item.price, f"{at}/price"), currency),
        description=item.name or item.title or "",
    )


def _money(amount: Decimal, at: str) -> Decimal:
    if not amount.is_finite() or amount < 0 or amount.adjusted() > PRICE_DIGITS_MAX:
        raise Rejected(at, "not an amount of money")
    return amount


def _service(lines: tuple[ShippingLine, ...]) -> str:
    wish = (lines[0].code or lines[0].title or "").casefold() if lines else ""
    return "express" if "express" in wish or "overnight" in wish else "standard"


def _email(order: Order) -> str:
    return order.email or order.contact_email or (order.customer.email if order.customer else None) or ""


def _buyer(order: Order) -> Party:
    customer = order.customer or Customer()
    address = order.billing_address or order.shipping_address or Address()
    name = _name(customer.first_name, customer.last_name)
    party = _party(address, email=_email(order))
    phone = customer.phone or order.phone
    return msgspec.structs.replace(party, name=name or party.name, phone=str(phone) if phone else party.phone)


def _party(address: Address, *, email: str) -> Party:
    return Party(
        name=address.name or _name(address.first_name, address.last_name),
        company=address.company or "",
        lines=tuple(str(line) for line in (address.address1, address.address2) if line),
        city=address.city or "",
        region=address.province_code or address.province or "",
        postal_code=str(address.zip or ""),
        country=address.country_code or "",
        email=email,
        phone=str(address.phone or ""),
    )


def _name(first: str | None, last: str | None) -> str:
    return " ".join(part for part in (first, last) if part)


def _subject(order: Order, channel: str) -> str:
    """Whose key seals the personal data: the customer's, else the address's, else the order's."""
    if order.customer and order.customer.id:
        who = str(order.customer.id)
    elif email := _email(order).strip().casefold():
        who = f"email-{blake2b(email.encode(), digest_size=12).hexdigest()}"
    else:
        who = f"order-{order.id}"
    return f"customer/{channel}/{who}"
