"""Shipments, packages (SSCC) and milestones (UBL DespatchAdvice, X12 856, DCSA classifiers)."""

from datetime import date, datetime
from typing import ClassVar, Literal

import msgspec

from crossdock.model.classes import DataClass
from crossdock.model.money import Money
from crossdock.model.order import LineShipped
from crossdock.model.party import People, Place
from crossdock.model.quantity import Quantity

Classifier = Literal["PLN", "EST", "ACT"]
"""DCSA event classifier: planned, estimated, actual."""

Milestone = Literal[
    "created", "picked_up", "in_transit", "arrived", "out_for_delivery", "available_for_pickup", "delivered",
    "attempt_failed", "delayed", "on_hold", "exception", "returning", "returned", "lost", "cancelled", "unknown",
]  # fmt: skip


class Package(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One handling unit; `sscc` is the GS1 Serial Shipping Container Code, 18 digits."""

    data_class: ClassVar[DataClass] = "commercial"

    sscc: str
    weight: Quantity
    lines: tuple[LineShipped, ...]


class ShipmentPacked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The warehouse closed the packages of a shipment (CBV `packing`, `container_closed`)."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    location: str
    packages: tuple[Package, ...]
    service: str = "standard"
    destination: Place = Place()
    people: People | None = None
    subject: str = ""


class LabelledPackage(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    data_class: ClassVar[DataClass] = "internal"

    sscc: str
    tracking: str


class LabelGenerated(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A carrier gave tracking numbers and a price estimate."""

    data_class: ClassVar[DataClass] = "internal"

    carrier: str
    shipment_id: str
    """The carrier's own id, needed to void the label."""
    packages: tuple[LabelledPackage, ...]
    freight: Money | None = None


class LabelVoided(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The carrier took the label back; its numbers will not be scanned, nothing is charged."""

    data_class: ClassVar[DataClass] = "internal"

    shipment_id: str


class LabelReprintRequested(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The label was spoilt, or the packages changed: void it and make a new one."""

    data_class: ClassVar[DataClass] = "internal"

    by: str
    reason: str = ""


class LoadTendered(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The transport management system planned the shipment and offered it to a carrier (X12 204)."""

    data_class: ClassVar[DataClass] = "internal"

    load: str


class LoadAccepted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A carrier will take it (X12 990 accept). `pro` is the carrier's freight bill number, which its statuses carry."""

    data_class: ClassVar[DataClass] = "internal"

    load: str
    carrier: str
    """Standard Carrier Alpha Code, or the carrier's name where it has none."""
    pro: str
    freight: Money | None = None
    pickup_at: datetime | None = None


class LoadDeclined(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A carrier will not take it (X12 990 decline). `exhausted`: nobody is left to be asked."""

    data_class: ClassVar[DataClass] = "internal"

    load: str
    carrier: str
    reason: str = ""
    exhausted: bool = False


class LoadCancelled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The transport management system took the load back."""

    data_class: ClassVar[DataClass] = "internal"

    load: str


class TrackingSubscribed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The carrier will push scans of these numbers."""

    data_class: ClassVar[DataClass] = "internal"

    tracking: tuple[str, ...]


class LabelAttached(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The warehouse has the label and may load the goods."""

    data_class: ClassVar[DataClass] = "internal"

    shipment: str


class ShipmentDeparted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Ship confirmation: the goods left (CBV `shipping`, `in_transit`). From here nothing is rolled back."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    location: str
    packages: tuple[Package, ...]
    carrier: str = ""


class ShipmentCancelled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The warehouse took the shipment apart before it left: its goods are back on the shelf (CBV `unpacking`)."""

    data_class: ClassVar[DataClass] = "internal"

    shipment: str
    reason: str = ""


class MilestoneReached(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A carrier scan. `raw` keeps the carrier's own code and text; an unknown code moves nothing."""

    data_class: ClassVar[DataClass] = "internal"

    milestone: Milestone
    classifier: Classifier
    tracking: str
    carrier: str
    at: datetime | None = None
    """When it happened, with offset; None where the carrier gave no usable time."""
    local_at: str = ""
    """The carrier's own local time, as written, when it names no offset."""
    location: str = ""
    raw: str = ""
    reason: str = ""


class MilestoneRecorded(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A system that follows the parcel (ERP, CRM, portal) took the milestone."""

    data_class: ClassVar[DataClass] = "internal"

    milestone: Milestone
    document: str = ""


class GoodsIssuePosted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP's material document for what departed. `shipment` may be left out of a receipt, which names it."""

    data_class: ClassVar[DataClass] = "internal"

    delivery: str
    document: str
    shipment: str = ""


class GoodsIssueReversalRequested(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person wants the goods issues of a shipment reversed. `never_left`: its departure was told and did not happen."""

    data_class: ClassVar[DataClass] = "internal"

    by: str
    reason: str
    never_left: bool = False
    posting_on: date | None = None
    """The day the reversal is booked on; None: the day of this request, at the node."""
    shipment: str = ""
    """Where the shipment tells its orders, with what they had in it."""
    lines: tuple[LineShipped, ...] = ()


class GoodsIssueReversed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP took a goods issue back. `document` is that of the reversal, `reverses` the one it took back, where it says so."""

    data_class: ClassVar[DataClass] = "internal"

    document: str
    delivery: str = ""
    shipment: str = ""
    reverses: str = ""


class FreightAccrued(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP booked the expected freight cost."""

    data_class: ClassVar[DataClass] = "commercial"

    document: str
    amount: Money


class FreightCharge(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One line of a freight bill. `code`: X12 element 150 (special charge) or the sender's own."""

    data_class: ClassVar[DataClass] = "commercial"

    code: str
    amount: Money
    description: str = ""


class FreightShare(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What one order bears of a shipment's freight; the shares of a shipment add up exactly."""

    data_class: ClassVar[DataClass] = "commercial"

    order: str
    amount: Money


class FreightInvoiced(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A carrier's freight bill for one shipment (X12 210, UBL FreightInvoice)."""

    data_class: ClassVar[DataClass] = "commercial"

    invoice: str
    carrier: str
    total: Money
    charges: tuple[FreightCharge, ...] = ()
    reweighed: Quantity | None = None
    """The weight the carrier billed by, where it is not the one declared."""


class FreightApproved(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person accepts a freight bill that was disputed."""

    data_class: ClassVar[DataClass] = "internal"

    invoice: str
    by: str = ""


class FreightAdjusted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP corrected its accrual to what the carrier billed."""

    data_class: ClassVar[DataClass] = "commercial"

    document: str
    amount: Money


class Notified(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A customer-facing system took a notification."""

    data_class: ClassVar[DataClass] = "internal"

    about: str
    document: str = ""
