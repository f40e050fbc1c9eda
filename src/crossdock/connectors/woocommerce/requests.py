"""What we ask of WooCommerce: canonical payload → what the client needs to know of it.

The bodies hold what is known without asking. What must be read first (which lines are still open, which product
has the SKU) is the client's business.
"""

from decimal import ROUND_FLOOR, Decimal
from typing import Final

import msgspec

from crossdock.connect.contract import Account
from crossdock.errors import Rejected, Unsupported
from crossdock.model.party import People
from crossdock.model.requests import CancelFulfilment, CreateFulfilment, PublishAvailability

REASON_LENGTH_MAX: Final = 255
KEY_LENGTH_MAX: Final = 255
SHIPMENT_KEY: Final = "crossdock_shipment_"
"""Prefix of the custom field that tells of a shipment; without an underscore the shop's staff see it at the order."""
CANCELLED_KEY: Final = "crossdock_cancelled"


class ShippedLine(msgspec.Struct, frozen=True):
    line: int
    quantity: Decimal


class Shipped(msgspec.Struct, frozen=True):
    """The value of a shipment's custom field."""

    carrier: str
    tracking: tuple[str, ...]
    lines: tuple[ShippedLine, ...]


class Fulfilment(msgspec.Struct, frozen=True):
    order: int
    key: str
    shipped: Shipped


class Availability(msgspec.Struct, frozen=True):
    sku: str
    quantity: int
    version: int


class Cancellation(msgspec.Struct, frozen=True):
    order: int
    reason: str


def from_payload(kind: str, payload: msgspec.Struct, _people: People, _account: Account) -> bytes:
    """Render one effect. `Rejected`: WooCommerce cannot express it."""
    match payload:
        case CreateFulfilment() if kind == "fulfilment.create":
            body: msgspec.Struct = from_fulfilment(payload)
        case PublishAvailability() if kind == "availability.publish":
            body = from_availability(payload)
        case CancelFulfilment() if kind == "order.cancel":
            body = Cancellation(order_id(payload.reference), payload.reason[:REASON_LENGTH_MAX])
        case _:
            raise Unsupported(kind)
    return msgspec.json.encode(body)


def from_fulfilment(payload: CreateFulfilment) -> Fulfilment:
    """Lines of this order only: a shipment may hold several orders. Lots of one line are added up."""
    key = SHIPMENT_KEY + payload.shipment
    if len(key) > KEY_LENGTH_MAX:
        raise Rejected("/shipment", "the number is too long for a custom field's name")
    quantities: dict[int, Decimal] = {}
    for at, line in enumerate(payload.lines):
        if line.order != payload.reference:
            continue
        if not line.line.isdigit():
            raise Rejected(f"/lines/{at}/line", "is no line id of the shop's")
        number = int(line.line)
        quantities[number] = quantities.get(number, Decimal(0)) + line.quantity.value
    if not quantities:
        raise Rejected("/lines", "no line belongs to this order")
    lines = tuple(ShippedLine(number, quantity) for number, quantity in quantities.items())
    shipped = Shipped(payload.carrier, payload.tracking, lines)
    return Fulfilment(order_id(payload.reference), key, shipped)


def from_availability(payload: PublishAvailability) -> Availability:
    """The shop takes whole pieces; below zero it would sell on back-order."""
    pieces = int(payload.available.value.to_integral_value(rounding=ROUND_FLOOR))
    return Availability(payload.item, max(0, pieces), payload.version)


def order_id(reference: str) -> int:
    """`woo-eu/154` → 154."""
    number = reference.rpartition("/")[2]
    if not number.isdigit():
        raise Rejected("/reference", f"{reference} names no order of the shop's")
    return int(number)
