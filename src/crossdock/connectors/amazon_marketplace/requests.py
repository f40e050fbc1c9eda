"""What we tell Amazon: canonical payload → the body that the client sends.

A shipment's date is added when it is sent; all else is known here.
"""

from collections.abc import Mapping
from decimal import ROUND_FLOOR
from hashlib import blake2b
from typing import Final

import msgspec

from crossdock.connect.contract import Account
from crossdock.connectors.amazon_marketplace.reading import order_id
from crossdock.errors import Rejected, Unsupported
from crossdock.model.party import People
from crossdock.model.requests import CancelFulfilment, CreateFulfilment, PublishAvailability

CARRIERS: Final[Mapping[str, str]] = {
    "ups": "UPS", "fedex": "FedEx", "usps": "USPS", "dhl": "DHL", "dhl_express": "DHL Express", "dpd": "DPD", "gls": "GLS",
}  # fmt: skip
OTHER: Final = "Other"
PACKAGE_MAX: Final = 10**9
"""Package references are positive numbers; nine digits are what every reader of them holds."""


class ShippedItem(msgspec.Struct, frozen=True, rename="camel"):
    order_item_id: str
    quantity: int


class Package(msgspec.Struct, frozen=True, rename="camel"):
    package_reference_id: str
    carrier_code: str
    carrier_name: str
    tracking_number: str
    order_items: tuple[ShippedItem, ...]


class Confirmation(msgspec.Struct, frozen=True):
    """One package of one order. Sent again under its reference, it changes that package and makes no second one."""

    order: str
    shipment: str
    package: Package


class Availability(msgspec.Struct, frozen=True):
    sku: str
    quantity: int
    version: int


class Cancellation(msgspec.Struct, frozen=True):
    """What a person is to do in Seller Central; the client looks whether it was done."""

    order: str
    reason: str


def from_payload(kind: str, payload: msgspec.Struct, _people: People, _account: Account) -> bytes:
    """Render one effect. `Rejected`: Amazon cannot express it."""
    match payload:
        case CreateFulfilment() if kind == "fulfilment.create":
            body: msgspec.Struct = from_fulfilment(payload)
        case PublishAvailability() if kind == "availability.publish":
            body = from_availability(payload)
        case CancelFulfilment() if kind == "order.cancel":
            body = Cancellation(number_of(payload.reference), payload.reason)
        case _:
            raise Unsupported(kind)
    return msgspec.json.encode(body)


def from_fulfilment(payload: CreateFulfilment) -> Confirmation:
    """Lines of this order only: a shipment may hold several orders. Lots of one line are added up."""
    quantities: dict[str, int] = {}
    for at, line in enumerate(payload.lines):
        if line.order != payload.reference:
            continue
        if line.quantity.value != int(line.quantity.value):
            raise Rejected(f"/lines/{at}/quantity", "Amazon counts whole pieces only")
        quantities[line.line] = quantities.get(line.line, 0) + int(line.quantity.value)
    if not quantities:
        raise Rejected("/lines", "no line belongs to this order")
    if not payload.tracking:
        raise Rejected("/tracking", "Amazon takes no shipment without a tracking number")
    known = CARRIERS.get(payload.carrier.casefold(), "")
    package = Package(
        package_reference_id=package_reference(payload.shipment),
        carrier_code=known or OTHER,
        carrier_name=known or payload.carrier,
        tracking_number=payload.tracking[0],
        order_items=tuple(ShippedItem(line, quantity) for line, quantity in quantities.items()),
    )
    return Confirmation(number_of(payload.reference), payload.shipment, package)


def package_reference(shipment: str) -> str:
    """A positive number, the same for a shipment whenever it is asked for. It has to be unique within one order only."""
    digest = int.from_bytes(blake2b(shipment.encode(), digest_size=8).digest())
    return str(1 + digest % (PACKAGE_MAX - 1))


def from_availability(payload: PublishAvailability) -> Availability:
    """Whole pieces, never below zero."""
    pieces = int(payload.available.value.to_integral_value(rounding=ROUND_FLOOR))
    return Availability(payload.item, max(0, pieces), payload.version)


def number_of(reference: str) -> str:
    """`amazon-eu/902-3159896-1390916` → the order's id."""
    try:
        return order_id(reference.rpartition("/")[2], "/reference")
    except Rejected:
        raise Rejected("/reference", f"{reference} names no order of Amazon's") from None
