"""What we read of order documents, webhook and REST alike; the mapping names what is missing."""

from decimal import Decimal
from typing import Any

import msgspec

Loose = str | int | None
"""A text that shops also send as a bare number (postal codes, order numbers)."""


class Address(msgspec.Struct, frozen=True):
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address_1: Loose = None
    address_2: Loose = None
    city: str | None = None
    state: str | None = None
    postcode: Loose = None
    country: str | None = None
    email: str | None = None
    phone: Loose = None


class LineItem(msgspec.Struct, frozen=True):
    """Goods only: shipping, fees and coupons have lists of their own."""

    id: int | None = None
    name: str | None = None
    sku: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None


class ShippingLine(msgspec.Struct, frozen=True):
    method_id: str | None = None
    method_title: str | None = None


class Order(msgspec.Struct, frozen=True):
    """An order in the form that REST v1, v2, v3 and the webhooks share. Times with `_gmt` are UTC."""

    id: int | None = None
    number: Loose = None
    status: str | None = None
    currency: str | None = None
    total: Decimal | None = None
    customer_id: int | None = None
    customer_note: str | None = None
    date_created_gmt: str | None = None
    date_modified_gmt: str | None = None
    billing: Address | None = None
    shipping: Address | None = None
    line_items: tuple[LineItem, ...] | None = None
    shipping_lines: tuple[ShippingLine, ...] | None = None
    meta_data: Any = None
    """Custom fields, `key` and `value`: whatever plug-ins write there."""


class StoppedOrder(msgspec.Struct, frozen=True):
    """What a cancellation needs: it must get through even where the order itself could not be taken."""

    id: int | None = None
    status: str | None = None
    date_modified_gmt: str | None = None
