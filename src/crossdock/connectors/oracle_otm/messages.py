"""OTM's outbound messages on the wire: a transmission with one transaction that carries a REST resource."""

from decimal import Decimal
from typing import Annotated

import msgspec

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Number = Annotated[int, msgspec.Meta(ge=1)]
Maybe = str | None


class Document(msgspec.Struct, rename="camel"):
    """All fields are written in camelCase; OTM leaves empty ones out."""


class Transaction(Document):
    resource_url: Text
    body: msgspec.Raw
    http_method: Maybe = None
    content_type: Maybe = None


class Transactions(Document):
    items: Annotated[tuple[Transaction, ...], msgspec.Meta(min_length=1, max_length=1)]


class Transmission(Document):
    transmission_no: Number
    transactions: Transactions
    domain_name: Maybe = None


class Amount(Document):
    value: Decimal
    currency: Text


class Weight(Document):
    value: Decimal
    unit: Text


class Moment(Document):
    """`value` with an offset, or the clock of the place it happened at; `timezone` as OTM knows it."""

    value: Maybe = None
    timezone: Maybe = None


class ShipmentRefnum(Document):
    shipment_refnum_qual_gid: Text
    shipment_refnum_value: Text


class ShipmentRefnums(Document):
    items: tuple[ShipmentRefnum, ...] = ()


class Status(Document):
    status_type_gid: Text
    status_value_gid: Text


class Statuses(Document):
    items: Annotated[tuple[Status, ...], msgspec.Meta(min_length=1)]


class OrderRelease(Document):
    order_release_gid: Text


class OrderReleases(Document):
    items: Annotated[tuple[OrderRelease, ...], msgspec.Meta(min_length=1)]


class Shipment(Document):
    """A load: what OTM made of one or more order releases and offered to a carrier."""

    shipment_gid: Text
    servprov_gid: Text
    statuses: Statuses
    order_releases: OrderReleases
    refnums: ShipmentRefnums = msgspec.field(default_factory=ShipmentRefnums)
    total_actual_cost: Amount | None = None
    start_time: Moment | None = None
    update_date: Moment | None = None
    decline_reason_code_gid: Maybe = None


class TrackingEvent(Document):
    i_transaction_no: Number
    servprov_gid: Text
    status_code_gid: Text
    shipment_refnums: ShipmentRefnums = msgspec.field(default_factory=ShipmentRefnums)
    status_reason_code_gid: Maybe = None
    eventdate: Moment | None = None
    city: Maybe = None
    province_code: Maybe = None
    country_code3_gid: Maybe = msgspec.field(default=None, name="countryCode3Gid")


class InvoiceRefnum(Document):
    invoice_refnum_qual_gid: Text
    invoice_refnum_value: Text


class InvoiceRefnums(Document):
    items: tuple[InvoiceRefnum, ...] = ()


class InvoiceLine(Document):
    freight_charge: Amount
    accessorial_code_gid: Maybe = None
    description: Maybe = None
    weight: Weight | None = None


class InvoiceLines(Document):
    items: tuple[InvoiceLine, ...] = ()


class Invoice(Document):
    invoice_number: Text
    servprov_gid: Text
    net_amount_due: Amount
    refnums: InvoiceRefnums = msgspec.field(default_factory=InvoiceRefnums)
    line_items: InvoiceLines = msgspec.field(default_factory=InvoiceLines)
    invoice_date: Moment | None = None
