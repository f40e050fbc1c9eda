"""Goods that come in, and goods that go from one site to another (CBV `receiving`, `storing`; X12 943/944; UBL ReceiptAdvice).

`inbound.received`, `inbound.stored` and `inbound.closed` are said of whatever comes in: a purchase and a transfer alike.
"""

from datetime import date
from typing import ClassVar, Literal

import msgspec

from crossdock.model.classes import DataClass
from crossdock.model.incoterms import TitlePasses
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.stock import Condition, CostLayer

Outcome = Literal["lost", "found", "surplus"]


class ExpectedLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`owner` is empty where the goods are the site's own company's."""

    data_class: ClassVar[DataClass] = "commercial"

    line: str
    item: str
    quantity: Quantity
    owner: str = ""
    due_on: date | None = None


class InboundExpected(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What shall come, whole; a later one replaces it. `order` is the purchase order it is booked to: its number, where none is given.

    `terms` it was bought on (FCA, DAP, FOB destination) say whether it is ours on the road.
    """

    data_class: ClassVar[DataClass] = "commercial"

    number: str
    location: str
    lines: tuple[ExpectedLine, ...]
    order: str = ""
    supplier: str = ""
    due_on: date | None = None
    terms: str = ""


class InboundChanged(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Something about it is new or changed; the system that says so is asked what."""

    data_class: ClassVar[DataClass] = "internal"

    number: str


class InboundCancelled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Nothing more of it will come."""

    data_class: ClassVar[DataClass] = "internal"

    reason: str = ""


class InboundAnnounced(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The warehouse knows what will come, and by which number (X12 856/943, a WMS's ASN)."""

    data_class: ClassVar[DataClass] = "internal"

    document: str


class InboundDispatched(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A truck left the supplier (X12 856, UBL DespatchAdvice). `notice` is his number of it."""

    data_class: ClassVar[DataClass] = "commercial"

    notice: str
    lines: tuple["MovedLine", ...]
    carrier: str = ""


class ReceivedLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`on_dock`: it cannot be picked before it is put away (CBV `sellable_not_accessible`)."""

    data_class: ClassVar[DataClass] = "commercial"

    line: str
    item: str
    quantity: Quantity
    condition: Condition = "good"
    lot: str = ""
    expires_on: date | None = None
    on_dock: bool = False
    owner: str = ""
    serials: tuple[str, ...] = ()
    cost: CostLayer | None = None


class InboundReceived(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One receipt of the warehouse (X12 944/861). `delivery` is the truck it came with, where there may be several."""

    data_class: ClassVar[DataClass] = "commercial"

    receipt: str
    location: str
    lines: tuple[ReceivedLine, ...]
    delivery: str = ""


class InboundStored(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Put away: what stood on the dock can be picked from now on."""

    data_class: ClassVar[DataClass] = "commercial"

    receipt: str
    location: str
    lines: tuple[ReceivedLine, ...]


class InboundClosed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The warehouse, or a person, says that no more will come."""

    data_class: ClassVar[DataClass] = "internal"

    location: str
    delivery: str = ""
    reason: str = ""


class InboundAccepted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person accepts what came otherwise than it should: `over`, `unknown`, `damaged`, or a transfer's `variance`."""

    data_class: ClassVar[DataClass] = "internal"

    what: str
    by: str = ""


class GoodsReceiptPosted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    data_class: ClassVar[DataClass] = "internal"

    document: str
    receipt: str


class ConsignmentWithdrawn(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP booked that a supplier's consigned goods became ours: title passed as they were taken."""

    data_class: ClassVar[DataClass] = "internal"

    document: str
    shipment: str


class TransferLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`price` is the transfer price of one unit, `cost_layer` the sending ERP's name for what the goods cost it: two things,
    carried as they were given, never reckoned with.
    """

    data_class: ClassVar[DataClass] = "commercial"

    line: str
    item: str
    quantity: Quantity
    price: Money | None = None
    cost_layer: str = ""


class LineTerms(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What an order says of the worth of one of its lines, told to whoever books the goods, beside them."""

    data_class: ClassVar[DataClass] = "commercial"

    line: str
    price: Money | None = None
    cost_layer: str = ""


class Site(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One end of a transfer. `order` is what the company's ERP books its side to."""

    data_class: ClassVar[DataClass] = "commercial"

    location: str
    company: str = ""
    order: str = ""


class TransferOrdered(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Goods shall go from one site to another, of one company or of two.

    `owner` is whose goods they are and stay (consignment, a depositor's stock); empty where title goes from the sending
    to the receiving company.
    """

    data_class: ClassVar[DataClass] = "commercial"

    number: str
    sender: Site
    receiver: Site
    lines: tuple[TransferLine, ...]
    title_passes: TitlePasses = "arrival"
    incoterm: str = ""
    owner: str = ""
    due_on: date | None = None


class TransferCancelled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """It shall not be sent; what left already goes on."""

    data_class: ClassVar[DataClass] = "internal"

    reason: str = ""


class TransferReleased(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    data_class: ClassVar[DataClass] = "internal"

    document: str


class MovedLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    data_class: ClassVar[DataClass] = "commercial"

    line: str
    item: str
    quantity: Quantity
    serials: tuple[str, ...] = ()


class TransferShipped(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A truck left the sending site (X12 943). `complete`: no other will follow."""

    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    location: str
    lines: tuple[MovedLine, ...]
    carrier: str = ""
    complete: bool = True


class SettledLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    data_class: ClassVar[DataClass] = "commercial"

    shipment: str
    line: str
    quantity: Quantity


class TransferSettled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What becomes of a difference: `lost` is gone, `found` is on its way again, `surplus` is kept. `document` is the ERP's, of who bears it."""

    data_class: ClassVar[DataClass] = "commercial"

    outcome: Outcome
    lines: tuple[SettledLine, ...]
    reason: str
    by: str = ""
    document: str = ""
