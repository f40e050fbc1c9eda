"""Orders and their lines (UBL Order, X12 850) and what happens to them."""

from datetime import date, datetime
from typing import ClassVar, Literal

import msgspec

from crossdock.model.classes import DataClass
from crossdock.model.money import Money
from crossdock.model.movement import MovedLine
from crossdock.model.party import People, Place
from crossdock.model.quantity import Quantity


class OrderLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One line as ordered; `line` is the source's own line id, echoed in every later document."""

    data_class: ClassVar[DataClass] = "commercial"

    line: str
    item: str
    ordered: Quantity
    unit_price: Money
    description: str = ""
    location: str = ""
    """The node it ships from, where that is decided; a line split over nodes comes once per node."""
    owner: str = ""
    """Whose goods are to be picked, where they are not the site's own company's."""


class OrderReceived(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A channel took an order. `number` is what a person quotes; `reference` is what systems echo."""

    data_class: ClassVar[DataClass] = "commercial"

    number: str
    reference: str
    channel: str
    lines: tuple[OrderLine, ...]
    total: Money
    destination: Place = Place()
    service: str = "standard"
    promised_on: date | None = None
    people: People | None = None
    subject: str = ""
    """The data subject (`customer/<channel>/<id>`): whose key seals `people`."""
    people_mark: str = ""
    """Set by intake: tells a changed address from the same one without showing either (a keyed hash)."""
    claim: str = ""
    """The claim (`POST /v1/claims`) that its checkout made: the order takes it over."""


class OrderCancelRequested(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Somebody entitled to it wants the order stopped; what is done depends on where the goods are."""

    data_class: ClassVar[DataClass] = "internal"

    reference: str
    reason: str = ""
    final: bool = False
    """The sender will not tell the order itself any more: whoever never heard of it need not wait for it."""


class LineCheck(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP's word on one line."""

    data_class: ClassVar[DataClass] = "commercial"

    line: str
    known_item: bool
    confirmed: Quantity
    net_price: Money | None = None


class OrderChecked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """ERP credit, availability and price in one answer (`credit`: SAP total credit check status, reduced)."""

    data_class: ClassVar[DataClass] = "commercial"

    credit: Literal["ok", "blocked", "not_checked"]
    lines: tuple[LineCheck, ...]
    net_total: Money | None = None


class CreditReleased(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP or a person lifted a credit hold."""

    data_class: ClassVar[DataClass] = "internal"

    by: str = ""


class SalesOrderPosted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP took the order under its own number."""

    data_class: ClassVar[DataClass] = "internal"

    document: str


class SalesOrderCancelled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP rejected all lines of its sales order on our request."""

    data_class: ClassVar[DataClass] = "internal"

    document: str


class OrderReleased(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The warehouse took the order and made tasks of it."""

    data_class: ClassVar[DataClass] = "internal"

    warehouse_order: str
    tasks: tuple[str, ...] = ()


class LineAllocation(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    data_class: ClassVar[DataClass] = "commercial"

    line: str
    item: str
    quantity: Quantity
    location: str
    lot: str = ""
    release: int = -1
    """Which of the order's releases the warehouse speaks of; -1 where it does not say."""


class OrderAllocated(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The warehouse pinned the order's lines to stock at a location (and lot)."""

    data_class: ClassVar[DataClass] = "commercial"

    lines: tuple[LineAllocation, ...]


class ReservationUpdated(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP's reservation follows the warehouse's allocation."""

    data_class: ClassVar[DataClass] = "internal"

    document: str


class CancellationAnswered(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The warehouse accepted or refused to stop a released order."""

    data_class: ClassVar[DataClass] = "internal"

    accepted: bool
    reason: str = ""


class LineShipped(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    data_class: ClassVar[DataClass] = "commercial"

    order: str
    """The order's reference (see `model.thread.reference_of`)."""
    line: str
    item: str
    quantity: Quantity
    lot: str = ""
    release: int = -1
    """Which of the order's releases the warehouse worked on; -1 where it does not say."""
    serials: tuple[str, ...] = ()


class LinesPacked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A shipment tells an order: these of your lines are in my packages."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    lines: tuple[LineShipped, ...]
    location: str = ""


class LinesUnpacked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A shipment tells an order: these lines will not leave in me, they are back on the shelf."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    lines: tuple[LineShipped, ...]
    location: str
    reason: str = ""


class LinesShort(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The warehouse looked for these and did not find them (X12 945 W12: shipped below ordered).

    What is missing left the books with this fact; no other message says so again.
    """

    data_class: ClassVar[DataClass] = "commercial"

    lines: tuple[LineShipped, ...]
    location: str
    reason: str = ""


class LinesShipped(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A shipment tells an order: these of your lines left the building, `at` that time; it may be told late."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    carrier: str
    tracking: tuple[str, ...]
    lines: tuple[LineShipped, ...]
    location: str = ""
    at: datetime | None = None


class ShippedElsewhere(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A marketplace shipped these from its own warehouse: all that left so far. It tells no lot."""

    data_class: ClassVar[DataClass] = "commercial"

    lines: tuple[MovedLine, ...]


class LinesDelivered(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A shipment tells an order: the carrier proved delivery of all its packages, or of some (`partial`)."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    carrier: str
    tracking: tuple[str, ...]
    lines: tuple[LineShipped, ...]
    at: datetime | None = None
    partial: bool = False


class LinesUndeliverable(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A shipment tells an order: these lines will not reach the customer with it."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    outcome: Literal["returned", "lost"]
    tracking: tuple[str, ...]
    lines: tuple[LineShipped, ...]


class HoldPlaced(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The order must not go to the warehouse while this hold stands: fraud, address, or a name of the company's own."""

    data_class: ClassVar[DataClass] = "internal"

    hold: str
    reason: str
    owner: str = "customer service"
    by: str = ""


class HoldReleased(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The hold of this name is lifted; an approval that policy asks for is given with it."""

    data_class: ClassVar[DataClass] = "internal"

    hold: str
    by: str = ""


class SalesOrderChanged(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP's sales order says what the order says now."""

    data_class: ClassVar[DataClass] = "internal"

    document: str


class FulfilmentCreated(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The storefront shows the shipment to its customer."""

    data_class: ClassVar[DataClass] = "internal"

    document: str


class FulfilmentCancelled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The storefront knows that we cancelled."""

    data_class: ClassVar[DataClass] = "internal"

    document: str = ""


class InvoiceReleased(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP's billing document."""

    data_class: ClassVar[DataClass] = "internal"

    document: str
    shipment: str
