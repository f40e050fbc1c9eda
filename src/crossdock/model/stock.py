"""Stock facts and claims (CBV `receiving`, `stock_taking`; X12 846/944/947)."""

from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Literal

import msgspec

from crossdock.model.classes import DataClass
from crossdock.model.master import Component
from crossdock.model.quantity import Quantity

Bucket = Literal[
    "available", "soft_claim", "firm_claim", "allocated", "picked", "quarantine", "damaged", "returned",
    "in_transit_out", "in_transit_in", "expected", "outside",
]  # fmt: skip
"""Where a quantity stands. `outside` is the world beyond our books: receipts come from it, shipments go to it."""

Condition = Literal["good", "quarantine", "damaged"]
"""What goods are: for sale, in inspection, damaged."""
Held = Literal["quarantine", "damaged"]
Change = Literal["gain", "loss", "hold", "release", "scrap"]
"""What can happen to stock without an order (CBV `stock_taking`, `holding`, `destroying`): found, missing, put aside, free again,
destroyed. A loss and a scrapping both leave; books charge them to different accounts."""


class StockPlace(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The key of a balance. `owner` holds title, `possessor` holds the goods (CBV owning/possessing party)."""

    data_class: ClassVar[DataClass] = "internal"

    item: str
    location: str
    lot: str = ""
    owner: str = ""
    possessor: str = ""


class CostLayer(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a source calls the layer of cost that goods belong to, and its currency (ISO 4217). The hub carries it and values nothing."""

    data_class: ClassVar[DataClass] = "commercial"

    layer: str
    currency: str = ""


class StockReceived(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    data_class: ClassVar[DataClass] = "commercial"

    place: StockPlace
    quantity: Quantity
    document: str = ""
    expires_on: date | None = None
    """The last day on which this lot may be sold."""
    serials: tuple[str, ...] = ()
    """The serial numbers of the pieces, where each has one."""
    cost: CostLayer | None = None


class StockUnbooked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A move that comes to no number of the unit the ledger keeps there. `cause` is the event that told it.

    It is kept as it was told, until the item's units make it come out even.
    """

    data_class: ClassVar[DataClass] = "commercial"

    cause: str
    place: StockPlace
    source: Bucket
    target: Bucket
    quantity: Quantity
    at: datetime
    claim: str = ""
    line: str = ""
    expires_on: date | None = None
    cost: CostLayer | None = None


class StockBookAgain(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person settled why it was not booked: what the event `cause` moved is tried again."""

    data_class: ClassVar[DataClass] = "internal"

    cause: str
    by: str = ""


class StockOpened(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What another system kept at a place when the hub's ledger began there. `document` is the file and line that say so.

    It happened at the instant it is of: moves before that are in the number.
    """

    data_class: ClassVar[DataClass] = "commercial"

    place: StockPlace
    quantity: Quantity
    document: str = ""
    who: str = ""
    expires_on: date | None = None


class StockAdjusted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A signed change with its reason (X12 947 W19, CBV `stock_taking`)."""

    data_class: ClassVar[DataClass] = "commercial"

    place: StockPlace
    change: Quantity
    reason: str
    serials: tuple[str, ...] = ()
    """Of the pieces that were found, or that are gone."""
    cost: CostLayer | None = None
    condition: Condition = "good"
    """Of which goods there are more or fewer."""


class StockReconciled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A difference to the system whose word counts at this place was settled: the ledger follows it.

    `good` and `held` are signed changes. `cause` is why the two differed, `reason` why it was settled, by `who`. It counts
    for everything up to `watermark`, the system's last event when it was read at `read_at`.
    """

    data_class: ClassVar[DataClass] = "commercial"

    place: StockPlace
    good: Quantity
    held: Quantity
    system: str
    difference: int
    cause: str
    reason: str
    who: str = ""
    watermark: int | None = None
    read_at: datetime | None = None


class StockHeld(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Put aside for a quality check or a recall, or as damaged (X12 947, CBV `holding`): on hand, and not for sale."""

    data_class: ClassVar[DataClass] = "commercial"

    place: StockPlace
    quantity: Quantity
    reason: str
    condition: Held = "quarantine"


class LotRecalled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A lot must not be sold any more, wherever it is (CBV `recalled`), or may be again (`lifted`). The ledger holds it already.

    Every place that has it hears of it, and every order and claim that it was set aside for.
    """

    data_class: ClassVar[DataClass] = "commercial"

    item: str
    lot: str
    reason: str
    by: str = ""
    lifted: bool = False


class StockReleased(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A hold was lifted: it may be sold again."""

    data_class: ClassVar[DataClass] = "commercial"

    place: StockPlace
    quantity: Quantity
    reason: str
    condition: Held = "quarantine"
    """What it was held as."""


class StockAdjustmentPosted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ERP booked what changed its stock without an order."""

    data_class: ClassVar[DataClass] = "internal"

    document: str
    adjustment: str


class ClaimLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    data_class: ClassVar[DataClass] = "commercial"

    line: str
    place: StockPlace
    quantity: Quantity


class TakenApart(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The line is for a kit that is not kept as itself: what is in one."""

    data_class: ClassVar[DataClass] = "commercial"

    line: str
    item: str
    components: tuple[Component, ...]
    worth: tuple[Decimal, ...] = ()
    """What each component's part in one kit weighs when the kit's price is split; empty: by pieces."""


class TakenOver(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What became of the checkout's claim that an order names.

    `taken`: the order has `lines` of it, `released` went back. `kept`: nothing moved, it is kept for the order's next try.
    Anything else says why it was left alone; `state` is then the claim's own, where it has ended.
    """

    data_class: ClassVar[DataClass] = "commercial"

    claim: str
    outcome: Literal["taken", "kept", "unknown", "ended", "other_channel", "other_order"]
    lines: tuple[ClaimLine, ...] = ()
    """By the order's lines, and where they lie."""
    released: tuple[ClaimLine, ...] = ()
    """By the claim's lines: what the order does not want."""
    state: str = ""


class ClaimGranted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The ledger moved the quantities out of `available`; nobody else can have them.

    A line comes once per node that serves it. `missing` is what a partial claim did not get.
    """

    data_class: ClassVar[DataClass] = "commercial"

    claim: str
    lines: tuple[ClaimLine, ...]
    missing: tuple[ClaimLine, ...] = ()
    kits: tuple[TakenApart, ...] = ()
    """Lines whose components were set aside in their place."""
    took: TakenOver | None = None
    """Where the order names a claim of its checkout."""


class ClaimRefused(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Not enough was available; `missing` says how much of which line."""

    data_class: ClassVar[DataClass] = "commercial"

    claim: str
    missing: tuple[ClaimLine, ...]
    took: TakenOver | None = None


class ClaimTakenOver(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An order took over what a checkout had claimed. `by` is the order's thread; `released` went back."""

    data_class: ClassVar[DataClass] = "commercial"

    claim: str
    by: str
    lines: tuple[ClaimLine, ...] = ()
    released: tuple[ClaimLine, ...] = ()


class ClaimExpired(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Nobody used it in time: what was open of it went back."""

    data_class: ClassVar[DataClass] = "internal"

    claim: str


class AvailabilityChanged(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Claims took or gave back some of it: channels have to hear what is left."""

    data_class: ClassVar[DataClass] = "internal"

    item: str
    location: str


class AvailabilityPublished(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A channel took the available quantity of an item."""

    data_class: ClassVar[DataClass] = "commercial"

    item: str
    channel: str
    available: Quantity
