"""What we read of Shopify's order documents; required fields are optional, so that the mapping names them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Loose = str | int | None
"""A text that shops also send as a bare number (postal codes, telephone numbers)."""


class Address(msgspec.Struct, frozen=True):
    first_name: str | None = None
    last_name: str | None = None
    name: str | None = None
    company: str | None = None
    address1: Loose = None
    address2: Loose = None
    city: str | None = None
    province: str | None = None
    province_code: str | None = None
    zip: Loose = None
    country_code: str | None = None
    phone: Loose = None


class Customer(msgspec.Struct, frozen=True):
    id: int | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: Loose = None


class LineItem(msgspec.Struct, frozen=True):
    id: int | None = None
    sku: str | None = None
    quantity: int | None = None
    current_quantity: int | None = None
    """Less what an edit or a refund took off; documents of older API versions leave it out."""
    price: Decimal | None = None
    title: str | None = None
    name: str | None = None
    requires_shipping: bool | None = None
    gift_card: bool | None = None

    @property
    def is_goods(self) -> bool:
        return self.requires_shipping is not False and not self.gift_card and self.current_quantity != 0

    @property
    def wanted(self) -> int | None:
        return self.quantity if self.current_quantity is None else self.current_quantity


class ShippingLine(msgspec.Struct, frozen=True):
    code: str | None = None
    title: str | None = None


class Order(msgspec.Struct, frozen=True):
    """An order as webhooks and REST answers carry it."""

    id: int | None = None
    name: str | None = None
    order_number: Loose = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    cancelled_at: Instant | None = None
    cancel_reason: str | None = None
    currency: str | None = None
    total_price: Decimal | None = None
    line_items: tuple[LineItem, ...] | None = None
    shipping_lines: tuple[ShippingLine, ...] | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    customer: Customer | None = None
    note_attributes: Any = None
    """Attributes of the cart, `name` and `value`: whatever the shop's theme and apps write there."""
    email: str | None = None
    contact_email: str | None = None
    phone: Loose = None


class CancelledOrder(msgspec.Struct, frozen=True):
    """What a cancellation needs: it must get through even where the order itself could not be taken."""

    id: int | None = None
    updated_at: Instant | None = None
    cancelled_at: Instant | None = None
    cancel_reason: str | None = None


class Named(msgspec.Struct, frozen=True):
    """Of what is only referred to: its id."""

    id: int | None = None


class ReturnedLine(msgspec.Struct, frozen=True):
    """A line of a fulfilment, whose order line it names."""

    line_item: Named | None = None


class ReturnLineItem(msgspec.Struct, frozen=True):
    id: int | None = None
    quantity: int | None = None
    return_reason: str | None = None
    fulfillment_line_item: ReturnedLine | None = None


class Return(msgspec.Struct, frozen=True):
    """What `returns/approve` and `returns/cancel` carry. No SKU stands in it, and no time of change."""

    id: int | None = None
    name: str | None = None
    order: Named | None = None
    return_line_items: tuple[ReturnLineItem, ...] | None = None


class OneOrder(msgspec.Struct, frozen=True):
    order: Order


class ManyOrders(msgspec.Struct, frozen=True):
    orders: tuple[Order, ...]
