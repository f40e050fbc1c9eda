"""What the outside world is told or asked: the canonical payload of each effect kind.

An effect kind is `<object>.<imperative>`. A connector declares in its manifest which kinds it can carry out
and renders the payload below into its partner's document. Nothing here is addressed to a named product.
"""

from datetime import date, datetime
from typing import ClassVar, Literal

import msgspec

from crossdock.model.classes import DataClass
from crossdock.model.money import Money
from crossdock.model.movement import ExpectedLine, LineTerms, MovedLine, ReceivedLine
from crossdock.model.order import LineAllocation, LineShipped, OrderLine
from crossdock.model.party import Place
from crossdock.model.quantity import Quantity
from crossdock.model.returning import MatchedLine
from crossdock.model.shipment import Classifier, FreightShare, LabelledPackage, Milestone, Package
from crossdock.model.stock import Change, Condition


class CheckOrder(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`order.check`: credit, availability and price, without any booking (a query)."""

    data_class: ClassVar[DataClass] = "commercial"

    reference: str
    lines: tuple[OrderLine, ...]
    location: str
    destination: Place = Place()


class CreateSalesOrder(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`sales_order.create`; personal data of the order comes beside it."""

    data_class: ClassVar[DataClass] = "commercial"

    reference: str
    number: str
    lines: tuple[OrderLine, ...]
    location: str
    total: Money
    requested_on: date | None = None


class ChangeSalesOrder(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`sales_order.change`: the ERP's document shall say this; a line that is not named any more is rejected in it."""

    data_class: ClassVar[DataClass] = "commercial"

    reference: str
    document: str
    lines: tuple[OrderLine, ...]
    dropped: tuple[str, ...] = ()
    reason: str = ""


class CancelSalesOrder(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`sales_order.cancel`."""

    data_class: ClassVar[DataClass] = "internal"

    reference: str
    document: str
    lines: tuple[str, ...]
    reason: str


class UpdateReservation(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`reservation.update`: the ERP's confirmed location and quantity follow the warehouse's allocation."""

    data_class: ClassVar[DataClass] = "commercial"

    reference: str
    document: str
    lines: tuple[LineAllocation, ...]


class ReleaseOrder(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`warehouse_order.release`; the ship-to party comes beside it."""

    data_class: ClassVar[DataClass] = "commercial"

    reference: str
    number: str
    location: str
    lines: tuple[OrderLine, ...]
    service: str
    promised_on: date | None = None
    ship_on: date | None = None
    """The day it shall leave, by the node's cut-off and calendar."""
    release: int = 0
    """Which release of this order this is: 0 the first, higher for backorders and after changes."""


class CancelRelease(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`warehouse_order.cancel`: the warehouse may refuse."""

    data_class: ClassVar[DataClass] = "internal"

    reference: str
    location: str
    reason: str
    release: int = 0


class AttachLabel(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`label.attach`: the warehouse prints these and may then ship."""

    data_class: ClassVar[DataClass] = "internal"

    shipment: str
    carrier: str
    packages: tuple[LabelledPackage, ...]


class CreateLabel(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`label.create`; the ship-to party comes beside it."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    location: str
    service: str
    packages: tuple[Package, ...]
    destination: Place = Place()
    again: int = 0
    """How many labels of the shipment were asked for before: carriers must not take one for another."""


class VoidLabel(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`label.void`: names the label it undoes."""

    data_class: ClassVar[DataClass] = "internal"

    shipment: str
    shipment_id: str
    tracking: tuple[str, ...]


class TenderLoad(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`load.tender`: plan the shipment and offer it to a carrier; the ship-to party comes beside it."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    location: str
    service: str
    packages: tuple[Package, ...]
    destination: Place = Place()
    ship_on: date | None = None


class CancelLoad(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`load.cancel`: names the load it undoes."""

    data_class: ClassVar[DataClass] = "internal"

    shipment: str
    load: str
    reason: str


class SubscribeTracking(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`tracking.subscribe`: scans shall be pushed to us."""

    data_class: ClassVar[DataClass] = "internal"

    shipment: str
    tracking: tuple[str, ...]


class PostGoodsIssue(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`goods_issue.post`: one outbound delivery for one sales order, and its goods issue."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    reference: str
    sales_order: str
    location: str
    lines: tuple[LineShipped, ...]
    departed_at: datetime
    tracking: tuple[str, ...] = ()
    also_called: dict[str, tuple[str, ...]] = {}
    """Item → what else it is or was called there: the sales order may be older than its code. Filled when it is rendered."""
    posting_on: date | None = None
    """The day of the departure by the clock of the node; None: an earlier release did not say."""
    reversed: tuple[str, ...] = ()
    """Documents of earlier goods issues of it that were reversed: none of them is this one's."""


class ReverseGoodsIssue(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`goods_issue.reverse`: take back one goods issue, by a document of its own on a day of its own."""

    data_class: ClassVar[DataClass] = "internal"

    shipment: str
    reference: str
    delivery: str
    document: str
    posting_on: date
    reason: str = ""


class AccrueFreight(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`freight.accrue`."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    carrier: str
    amount: Money
    departed_at: datetime
    shares: tuple[FreightShare, ...] = ()
    """What each order of the shipment bears of it."""
    posting_on: date | None = None
    """The day of the departure by the clock of the node."""


class AdjustFreight(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`freight.adjust`: correct an accrual by `difference` (negative: less) to what the carrier billed."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    carrier: str
    invoice: str
    accrual: str
    difference: Money
    billed_on: date
    shares: tuple[FreightShare, ...] = ()


class RecordMilestone(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`milestone.record`: a following system shall know where the parcel is."""

    data_class: ClassVar[DataClass] = "internal"

    shipment: str
    reference: str
    delivery: str
    milestone: Milestone
    classifier: Classifier
    tracking: str
    carrier: str
    at: datetime | None = None


class CreateFulfilment(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`fulfilment.create`: the storefront shows lines as shipped with their tracking number."""

    data_class: ClassVar[DataClass] = "commercial"

    reference: str
    shipment: str
    location: str
    carrier: str
    tracking: tuple[str, ...]
    lines: tuple[LineShipped, ...]


class CancelFulfilment(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`order.cancel`: the storefront shall show the order as cancelled or rejected."""

    data_class: ClassVar[DataClass] = "internal"

    reference: str
    reason: str


class PublishAvailability(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`availability.publish`: what this channel may still sell of the item (latest wins)."""

    data_class: ClassVar[DataClass] = "commercial"

    item: str
    location: str
    available: Quantity
    version: int


class Notify(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`customer.notify`: CRM and portal shall tell the customer; the buyer comes beside it."""

    data_class: ClassVar[DataClass] = "commercial"

    about: str
    """approved, rejected, cancelled, shipped, or a milestone."""
    reference: str
    number: str
    shipment: str = ""
    carrier: str = ""
    tracking: tuple[str, ...] = ()
    at: datetime | None = None


class CaseChange(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What was done to a case, and who did it: a colleague, or the hub itself. Never what they wrote."""

    data_class: ClassVar[DataClass] = "internal"

    at: datetime
    action: str
    """assign, comment, resolve, retry; closed, opened again, overdue."""
    who: str


class TellCase(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`case.tell`: tell a colleague what happened to a case; the colleague's address comes beside it.

    Nothing of buyers, and nothing that people wrote: whoever wants to read it follows the link.
    """

    data_class: ClassVar[DataClass] = "internal"

    case: int
    title: str
    cause: str
    state: str
    changes: tuple[CaseChange, ...]
    link: str = ""


class ReleaseInvoice(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`invoice.release`: bill one goods-issued delivery."""

    data_class: ClassVar[DataClass] = "commercial"

    reference: str
    shipment: str
    sales_order: str
    delivery: str
    goods_issue: str
    cancelled: tuple[str, ...] = ()
    """Earlier invoices of it that were cancelled in the ERP: none of them is this one."""


class FetchInbound(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`inbound.fetch`: what shall come of this order? (a query)"""

    data_class: ClassVar[DataClass] = "internal"

    number: str


class AnnounceInbound(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`inbound.announce`: what will come to a warehouse (X12 856/943). `reference` is the thread that hears of its receipts.

    `delivery` is the truck, where there may be several of one thread. Sent again, it replaces what was announced.
    """

    data_class: ClassVar[DataClass] = "commercial"

    reference: str
    delivery: str
    location: str
    lines: tuple[ExpectedLine, ...]
    due_on: date | None = None
    cancelled: bool = False


class ReleaseTransfer(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`transfer.release`: the sending warehouse shall send these goods to another site; `cancelled`: no longer."""

    data_class: ClassVar[DataClass] = "commercial"

    reference: str
    number: str
    location: str
    destination: str
    lines: tuple[MovedLine, ...]
    due_on: date | None = None
    cancelled: bool = False


class PostGoodsReceipt(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`goods_receipt.post`: book one receipt of a warehouse to the order it was for. `reference` and `receipt` find it again.

    `of`: a purchase, or goods of a sales order that a customer sent back.
    """

    data_class: ClassVar[DataClass] = "commercial"

    receipt: str
    reference: str
    order: str
    location: str
    lines: tuple[ReceivedLine, ...]
    received_at: datetime
    of: Literal["purchase", "return"] = "purchase"
    terms: tuple[LineTerms, ...] = ()
    """Of a transfer: price and cost layer by line, as both companies are told them."""


class PostTransferIssue(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`transfer_issue.post`: book what left a site for another one, to the sending company's order."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    reference: str
    order: str
    location: str
    destination: str
    lines: tuple[MovedLine, ...]
    shipped_at: datetime
    terms: tuple[LineTerms, ...] = ()
    """Price and cost layer by line, as both companies are told them."""


class WithdrawConsigned(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`consignment.withdraw`: goods that a supplier kept at our site left with a shipment: they become ours, and are owed him.

    `reference` and `shipment` with the supplier find it again.
    """

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    reference: str
    supplier: str
    location: str
    lines: tuple[MovedLine, ...]
    withdrawn_at: datetime


class PostStockAdjustment(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`stock_adjustment.post`: stock of a site changed without an order. `reference` and `adjustment` find it again.

    `quantity` is above zero, in the unit it was told in; `change` says which way it went.
    """

    data_class: ClassVar[DataClass] = "commercial"

    adjustment: str
    """The effect's business object: document, item, lot and what happened."""
    reference: str
    """The thread that was told."""
    document: str
    """What the warehouse calls its document, after the system's name; `crossdock/…` of a settled difference."""
    location: str
    item: str
    quantity: Quantity
    change: Change
    condition: Condition
    """Of which goods: for sale, in inspection, or damaged. Of a hold or a release it is what they are, or were, held as."""
    occurred_at: datetime
    posting_on: date
    """The day it happened by the clock of the node."""
    reason: str = ""
    lot: str = ""
    serials: tuple[str, ...] = ()


class PostCredit(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`credit.post`: credit a customer for goods of one inspection, at the price and by the documents of the original sale.

    `reference` and `inspection` find it again; the inspection is empty where the goods are not back yet.
    """

    data_class: ClassVar[DataClass] = "commercial"

    reference: str
    order: str
    number: str
    sales_order: str
    lines: tuple[MatchedLine, ...]
    inspection: str = ""
    reason: str = ""
