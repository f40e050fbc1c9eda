"""What we read of Amazon's documents: orders with their items (Orders API v0), and ORDER_CHANGE notifications.

Everything is optional here; the mapping names what is missing.
"""

from decimal import Decimal

import msgspec


class Amount(msgspec.Struct, frozen=True, rename="pascal"):
    """Money as Amazon writes it: the amount is a text."""

    currency_code: str | None = None
    amount: Decimal | None = None


class Address(msgspec.Struct, frozen=True, rename="pascal"):
    name: str | None = None
    company_name: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    address_line3: str | None = None
    city: str | None = None
    state_or_region: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone: str | None = None


class Buyer(msgspec.Struct, frozen=True, rename="pascal"):
    """`buyer_email` is the marketplace's relay address, or missing."""

    buyer_name: str | None = None
    buyer_email: str | None = None


class Order(msgspec.Struct, frozen=True, rename="pascal"):
    amazon_order_id: str | None = None
    order_status: str | None = None
    fulfillment_channel: str | None = None
    purchase_date: str | None = None
    last_update_date: str | None = None
    order_total: Amount | None = None
    shipment_service_level_category: str | None = None
    shipping_address: Address | None = None
    buyer_info: Buyer | None = None


class Item(msgspec.Struct, frozen=True):
    """`price` is that of all pieces, without shipping and gift wrap; `discount` is taken off it."""

    line: str | None = msgspec.field(default=None, name="OrderItemId")
    sku: str | None = msgspec.field(default=None, name="SellerSKU")
    title: str | None = msgspec.field(default=None, name="Title")
    quantity: int | None = msgspec.field(default=None, name="QuantityOrdered")
    price: Amount | None = msgspec.field(default=None, name="ItemPrice")
    discount: Amount | None = msgspec.field(default=None, name="PromotionDiscount")


class OrderWithItems(msgspec.Struct, frozen=True, rename="pascal"):
    """An order and its items put side by side, as our own reading and a forwarder that reads orders write it."""

    order: Order
    order_items: tuple[Item, ...] | None = None


class StoppedPart(msgspec.Struct, frozen=True, rename="pascal"):
    amazon_order_id: str | None = None
    order_status: str | None = None
    fulfillment_channel: str | None = None
    last_update_date: str | None = None


class StoppedOrder(msgspec.Struct, frozen=True, rename="pascal"):
    """What a cancellation needs of it: it must get through even where the rest cannot be read."""

    order: StoppedPart


class ChangedItem(msgspec.Struct, frozen=True, rename="pascal"):
    is_buyer_requested_cancel: bool | None = None
    order_item_id: str | None = None
    seller_sku: str | None = msgspec.field(default=None, name="SellerSKU")
    quantity_shipped: int | None = None


class Trigger(msgspec.Struct, frozen=True, rename="pascal"):
    time_of_order_change: str | None = None
    change_reason: str | None = None


class Summary(msgspec.Struct, frozen=True, rename="pascal"):
    order_status: str | None = None
    fulfillment_type: str | None = None
    order_items: tuple[ChangedItem, ...] | None = None


class OrderChange(msgspec.Struct, frozen=True, rename="pascal"):
    amazon_order_id: str | None = None
    order_change_type: str | None = None
    order_change_trigger: Trigger | None = None
    summary: Summary | None = None


class Payload(msgspec.Struct, frozen=True, rename="pascal"):
    order_change_notification: OrderChange | None = None


class Metadata(msgspec.Struct, frozen=True, rename="pascal"):
    notification_id: str | None = None


class Notification(msgspec.Struct, frozen=True, rename="pascal"):
    notification_type: str | None = None
    event_time: str | None = None
    payload: Payload | None = None
    notification_metadata: Metadata | None = None


class Forwarded(msgspec.Struct, frozen=True):
    """EventBridge's own envelope around a notification."""

    detail: Notification
