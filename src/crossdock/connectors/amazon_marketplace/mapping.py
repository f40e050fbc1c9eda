"""Amazon's orders in the hub's words: the order as it was read, its items beside it.

Reads only; a person's data goes nowhere but into `People`. What a notification says is in `notices`.
"""

import re
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

from crossdock.connect.contract import Account, Inbound, Translation
from crossdock.connect.reading import parse, read, unmapped
from crossdock.connect.saying import content_of
from crossdock.connectors.amazon_marketplace.documents import (
    Address,
    Amount,
    Buyer,
    Item,
    Order,
    OrderWithItems,
    StoppedOrder,
)  # fmt: skip
from crossdock.connectors.amazon_marketplace.notices import told, wrapped
from crossdock.connectors.amazon_marketplace.reading import AMAZONS, instant, micros, order_id
from crossdock.errors import Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.money import Money
from crossdock.model.order import OrderCancelRequested, OrderLine, OrderReceived
from crossdock.model.party import Party, People, Place
from crossdock.model.quantity import Quantity
from crossdock.model.thread import order_thread, reference_of

CHANNEL: Final = "notifications"
OPEN: Final = "Unshipped"
CANCELED: Final = "Canceled"
IGNORED: Final = {
    "Pending": "Pending: Amazon has not settled the payment, it is no order yet",
    "PendingAvailability": "PendingAvailability: a pre-order whose goods are not out yet, it is no order yet",
    "PartiallyShipped": "PartiallyShipped: a part of it left already",
    "Shipped": "Shipped: it left already",
    "InvoiceUnconfirmed": "InvoiceUnconfirmed: it left already",
    "Unfulfillable": "Unfulfillable: nobody can ship it",
}
"""Statuses from which nothing follows, and why. An order that is first heard of half shipped is never shipped again."""
EMPTIED: Final = "Unshipped: nothing of it is ordered any more, its cancellation is on the way"
"""Order and items are read one after the other: it was cancelled in between."""
EXPRESS: Final = ("Expedited", "NextDay", "SecondDay", "SameDay")
PIECES_MAX: Final = 10**9
DIGITS_MAX: Final = 12
PRICE_STEP: Final = Decimal("1e-10")
"""Prices are told for all pieces of a line; one piece's share may not come out even."""
CENT: Final = Decimal("0.01")


def to_translation(inbound: Inbound, account: Account) -> Translation:
    """Any message of the `notifications` channel. Raises `Malformed`, `Rejected` or `Unsupported`."""
    if inbound.channel != CHANNEL:
        raise Unsupported(f"channel {inbound.channel}")
    document = parse(inbound.body)
    if not isinstance(document, dict):
        raise Rejected("/", "not an object")
    if wrapped(document) is not None:
        return told(inbound.body, document, account)
    if isinstance(document.get("Order"), dict):
        return _order(inbound.body, document, account)
    names = ", ".join(sorted(map(str, document))[:3])
    raise Unsupported(f"a document with {names}" if names else "an empty document")


def _order(body: bytes, document: dict[str, Any], account: Account) -> Translation:
    """The order's state names the message: whoever read it, and however often, it is one."""
    stopped = read(StoppedOrder, body).order
    number = order_id(stopped.amazon_order_id, "/Order/AmazonOrderId")
    changed_at = instant(stopped.last_update_date, "/Order/LastUpdateDate")
    source_id = f"order/{number}/{micros(changed_at)}"
    status = stopped.order_status or ""
    ignored = AMAZONS if stopped.fulfillment_channel == "AFN" else IGNORED.get(status, "")
    opened = read(OrderWithItems, body) if status == OPEN and not ignored else None
    if opened and opened.order_items and not _ordered(opened):
        ignored = EMPTIED
    if ignored:
        return Translation(source_id=source_id, events=(), content=content_of(()), ignored=ignored)
    thread = order_thread(account.name, number)
    if status == CANCELED:
        said: OrderReceived | OrderCancelRequested = OrderCancelRequested(
            reference_of(thread), "cancelled at Amazon", final=True
        )
    elif opened:
        said = to_order_received(opened, account.name)
    else:
        raise Unsupported(f"an order that is {status or 'without status'}")
    event = NewEvent(
        thread=thread,
        data=said,
        id=f"{source_id}/{'stopped' if status == CANCELED else 'received'}",
        occurred_at=changed_at,
        sequence=micros(changed_at),
    )
    return Translation(
        source_id=source_id,
        events=(event,),
        content=content_of((event,)),
        unmapped=unmapped(OrderWithItems, document),
    )


def to_order_received(document: OrderWithItems, channel: str) -> OrderReceived:
    """The canonical order, without what was cancelled of it."""
    order = document.order
    if not document.order_items:
        raise Rejected("/OrderItems", "the order has no items")
    ordered = _ordered(document)
    lines = tuple(_to_line(item, at) for item, at in ordered)
    paid = [_paid(item, at) for item, at in ordered]
    address, buyer = order.shipping_address or Address(), order.buyer_info or Buyer()
    number = order.amazon_order_id or ""
    return OrderReceived(
        number=number,
        reference=f"{channel}/{number}",
        channel=channel,
        lines=lines,
        total=_total(order, paid),
        destination=Place(address.country_code or "", address.state_or_region or ""),
        service="express" if order.shipment_service_level_category in EXPRESS else "standard",
        people=People(buyer=_buyer(buyer), ship_to=_ship_to(address, buyer)),
        subject=_subject(buyer, number, channel),
    )


def _ordered(document: OrderWithItems) -> list[tuple[Item, str]]:
    """What is still wanted, with its place. An item of which nothing is ordered any more was cancelled."""
    found = [(item, f"/OrderItems/{at}") for at, item in enumerate(document.order_items or ())]
    return [(item, at) for item, at in found if item.quantity != 0]


def _total(order: Order, paid: list[Money]) -> Money:
    """What the buyer pays, shipping, gift wrap and tax included; never another currency than the items'."""
    currencies = sorted({x.currency for x in paid})
    if len(currencies) > 1:
        raise Rejected("/OrderItems", f"prices in {' and '.join(currencies)}")
    if order.order_total is None:
        return Money(sum((x.amount for x in paid), Decimal(0)), currencies[0])
    total = _money(order.order_total, "/Order/OrderTotal")
    if total.currency != currencies[0]:
        raise Rejected("/Order/OrderTotal/CurrencyCode", f"the items are priced in {currencies[0]}")
    return total


def _to_line(item: Item, at: str) -> OrderLine:
    if not item.line or not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", item.line):
        raise Rejected(f"{at}/OrderItemId", "the item has no usable id")
    if item.sku is None or not item.sku.strip():
        raise Rejected(f"{at}/SellerSKU", "the item names no SKU", "master-data")
    if item.quantity is None or not 0 < item.quantity <= PIECES_MAX:
        raise Rejected(f"{at}/QuantityOrdered", "not a quantity above zero")
    paid = _paid(item, at)
    return OrderLine(
        line=item.line,
        item=item.sku,
        ordered=Quantity(Decimal(item.quantity)),
        unit_price=Money(_share(paid.amount, item.quantity), paid.currency),
        description=item.title or "",
    )


def _paid(item: Item, at: str) -> Money:
    """For all pieces, less the discount; shipping and gift wrap are not the goods'."""
    if item.price is None:
        raise Rejected(f"{at}/ItemPrice", "the item has no price")
    price = _money(item.price, f"{at}/ItemPrice")
    if item.discount is None:
        return price
    discount = _money(item.discount, f"{at}/PromotionDiscount")
    if discount.currency != price.currency or discount.amount > price.amount:
        raise Rejected(f"{at}/PromotionDiscount", "not a part of the price")
    return Money(price.amount - discount.amount, price.currency)


def _share(paid: Decimal, pieces: int) -> Decimal:
    """One piece's part, without digits that say nothing."""
    share = (paid / pieces).quantize(PRICE_STEP)
    cents = share.quantize(CENT)
    return cents if cents == share else share.normalize()


def _money(given: Amount, at: str) -> Money:
    if not re.fullmatch("[A-Z]{3}", given.currency_code or ""):
        raise Rejected(f"{at}/CurrencyCode", f"{given.currency_code!r} is not an ISO 4217 code")
    amount = given.amount
    exponent = amount.as_tuple().exponent if amount is not None else None
    if (
        amount is None
        or not isinstance(exponent, int)
        or amount < 0
        or amount.adjusted() > DIGITS_MAX
        or exponent < -DIGITS_MAX
    ):
        raise Rejected(f"{at}/Amount", "not an amount of money")
    return Money(amount, given.currency_code or "")


def _buyer(buyer: Buyer) -> Party:
    return Party(name=buyer.buyer_name or "", email=buyer.buyer_email or "")


def _ship_to(address: Address, buyer: Buyer) -> Party:
    return Party(
        name=address.name or "",
        company=address.company_name or "",
        lines=tuple(
            line for line in (address.address_line1, address.address_line2, address.address_line3) if line
        ),
        city=address.city or "",
        region=address.state_or_region or "",
        postal_code=address.postal_code or "",
        country=address.country_code or "",
        email=buyer.buyer_email or "",
        phone=address.phone or "",
    )


def _subject(buyer: Buyer, number: str, channel: str) -> str:
    """Whose key seals the personal data: the buyer's by the relay address, else the order's."""
    email = (buyer.buyer_email or "").strip().casefold()
    who = f"email-{blake2b(email.encode(), digest_size=12).hexdigest()}" if email else f"order-{number}"
    return f"customer/{channel}/{who}"
