"""What we ask of Shopify: canonical payload → the variables of one GraphQL mutation.

The bodies hold what is known without asking: order, lines and numbers. Ids that only Shopify knows (of
fulfilment orders and inventory items) are looked up by the client.
"""

from collections.abc import Mapping
from decimal import ROUND_FLOOR
from typing import Final
from urllib.parse import quote

import msgspec

from crossdock.connect.contract import Account
from crossdock.errors import Misconfigured, Rejected, Unsupported
from crossdock.model.party import People
from crossdock.model.requests import CancelFulfilment, CreateFulfilment, PublishAvailability

COMPANIES: Final[Mapping[str, str]] = {
    "ups": "UPS",
    "fedex": "FedEx",
    "usps": "USPS",
    "dhl": "DHL Express",
    "dhl_express": "DHL Express",
    "dpd": "DPD",
    "gls": "GLS",
}
"""Shopify makes tracking numbers clickable for companies it knows, written exactly like this."""
NOTE_LENGTH_MAX: Final = 255
STOCK_REASONS: Final = ("stock", "inventory", "backorder")


class FulfilmentLine(msgspec.Struct, frozen=True, rename="camel"):
    line_item_id: str
    quantity: int


class Fulfilment(msgspec.Struct, frozen=True, rename="camel"):
    """`message` carries our shipment's number: Shopify has no field of its own for it."""

    order_id: str
    location_id: str
    message: str
    company: str
    numbers: tuple[str, ...]
    lines: tuple[FulfilmentLine, ...]


class Availability(msgspec.Struct, frozen=True, rename="camel"):
    sku: str
    location_id: str
    name: str
    quantity: int
    reason: str
    reference_document_uri: str
    version: int


class Cancellation(msgspec.Struct, frozen=True, rename="camel"):
    order_id: str
    reason: str
    refund: bool
    staff_note: str


def from_payload(kind: str, payload: msgspec.Struct, _people: People, account: Account) -> bytes:
    """Render one effect. `Rejected`: Shopify cannot express it; `Misconfigured`: a setting is wrong."""
    match payload:
        case CreateFulfilment() if kind == "fulfilment.create":
            body: msgspec.Struct = from_fulfilment(payload, account)
        case PublishAvailability() if kind == "availability.publish":
            body = from_availability(payload, account)
        case CancelFulfilment() if kind == "order.cancel":
            body = from_cancellation(payload, account)
        case _:
            raise Unsupported(kind)
    return msgspec.json.encode(body)


def from_fulfilment(payload: CreateFulfilment, account: Account) -> Fulfilment:
    quantities: dict[str, int] = {}
    for at, line in enumerate(payload.lines):
        if line.order != payload.reference:
            continue
        if line.quantity.value != int(line.quantity.value):
            raise Rejected(f"/lines/{at}/quantity", "Shopify counts whole pieces only")
        gid = f"gid://shopify/LineItem/{line.line}"
        quantities[gid] = quantities.get(gid, 0) + int(line.quantity.value)
    if not quantities:
        raise Rejected("/lines", "no line belongs to this order")
    return Fulfilment(
        order_id=order_gid(payload.reference),
        location_id=location_gid(payload.location, account),
        message=payload.shipment,
        company=COMPANIES.get(payload.carrier.casefold(), payload.carrier),
        numbers=payload.tracking,
        lines=tuple(FulfilmentLine(gid, quantity) for gid, quantity in quantities.items()),
    )


def from_availability(payload: PublishAvailability, account: Account) -> Availability:
    """Shopify takes whole pieces from zero up. `available` has its own orders' pieces off already: they are not taken off again."""
    meaning = account.settings.get("quantity_meaning") or "available"
    if meaning != "available":
        raise Misconfigured("quantity_meaning", f"{meaning} is not supported, only available is")
    pieces = int(payload.available.value.to_integral_value(rounding=ROUND_FLOOR))
    item = quote(payload.item, safe="")
    return Availability(
        sku=payload.item,
        location_id=location_gid(payload.location, account),
        name=meaning,
        quantity=max(0, pieces),
        reason="correction",
        reference_document_uri=f"gid://crossdock/Availability/{item}?version={payload.version}",
        version=payload.version,
    )


def from_cancellation(payload: CancelFulfilment, account: Account) -> Cancellation:
    text = payload.reason.casefold()
    reason = "CUSTOMER" if "customer" in text else "OTHER"
    if reason == "OTHER" and any(word in text for word in STOCK_REASONS):
        reason = "INVENTORY"
    return Cancellation(
        order_id=order_gid(payload.reference),
        reason=reason,
        refund=(account.settings.get("cancel_refund") or "true") == "true",
        staff_note=payload.reason[:NOTE_LENGTH_MAX],
    )


def order_gid(reference: str) -> str:
    """`shopify-eu/1042` → the order's global id."""
    number = reference.rpartition("/")[2]
    if not number.isdigit():
        raise Rejected("/reference", f"{reference} is no Shopify order")
    return f"gid://shopify/Order/{number}"


def location_gid(location: str, account: Account) -> str:
    """The Shopify location of one of our sites."""
    setting = account.settings.get("location_gid", "")
    if "=" not in setting:
        return setting
    pairs = dict(part.strip().split("=", 1) for part in setting.split(",") if "=" in part)
    if location not in pairs:
        raise Misconfigured("location_gid", f"names no Shopify location for {location}")
    return pairs[location]
