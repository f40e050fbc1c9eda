"""What the hub knows of one shipment."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from crossdock.model.money import Money
from crossdock.model.operations import Overdue
from crossdock.model.order import LineShipped
from crossdock.model.party import Place
from crossdock.model.shipment import Milestone, MilestoneReached, Package

VERSION = 2

RANK: dict[Milestone, int] = {
    "created": 0, "picked_up": 1, "in_transit": 2, "arrived": 3, "delayed": 3, "on_hold": 3, "exception": 3,
    "out_for_delivery": 4, "attempt_failed": 4, "available_for_pickup": 4, "returning": 5, "returned": 6,
    "cancelled": 6, "lost": 6, "delivered": 7,
}  # fmt: skip
"""Terminal beats transient. Scans of equal rank are ordered by when they happened; `unknown` moves nothing."""
ENDED: tuple[Milestone, ...] = ("delivered", "returned", "lost")
KILOGRAMS = {"KGM": Decimal(1), "GRM": Decimal("0.001"), "LBR": Decimal("0.45359237"), "TNE": Decimal(1000)}
"""UN/ECE Recommendation 20 units of mass, in kilograms (the pound exactly, by the agreement of 1959)."""


class Track(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One package on its way; with a freight bill number, all of them."""

    tracking: str
    sscc: str
    milestone: Milestone = "created"
    at: datetime | None = None


class Bill(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A freight bill. open: the accrual is awaited."""

    invoice: str
    carrier: str
    total: Money
    state: Literal["open", "matched", "adjusting", "adjusted", "disputed"] = "open"
    billed_at: datetime | None = None
    document: str = ""


class Label(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A carrier's label, or a load of a TMS; `generation` is that of the request that made it."""

    id: str
    carrier: str = ""
    freight: Money | None = None
    tracks: tuple[Track, ...] = ()
    generation: int = 0
    at: datetime | None = None


class Reversal(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person's wish to have the goods issues of the shipment reversed. `source` names the key, `by` the person."""

    by: str
    source: str
    reason: str
    never_left: bool = False
    posting_on: date | None = None
    asked_at: datetime | None = None


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    shipment: str = ""
    """What other systems know it by: the warehouse's number behind its name, since two warehouses count alike."""
    location: str = ""
    warehouse: str = ""
    """The system that packed it."""
    service: str = "standard"
    destination: Place = Place()
    packages: tuple[Package, ...] = ()
    people: bytes | None = None
    subject: bytes | None = None
    carrier: str = ""
    label: str = ""
    freight: Money | None = None
    tracks: tuple[Track, ...] = ()
    label_attached: bool = False
    subscribed: bool = False
    departed_at: datetime | None = None
    departed_early: tuple[Package, ...] = ()
    departed_early_at: datetime | None = None
    accrual: str = ""
    told: Milestone = "created"
    delivered_at: datetime | None = None
    by: Literal["", "parcel", "tms"] = ""
    account: str = ""
    """The carrier or TMS that carries it."""
    routed: str = ""
    """Why it travels so."""
    labels: int = 0
    """Labels asked for; the last one counts."""
    label_no: int | None = None
    """Which of them `label` is."""
    renewing: bool = False
    """Another label was asked for, though there is one."""
    fresh: Label | None = None
    """It is there, and the warehouse shall put it on."""
    labelled_at: datetime | None = None
    load: str = ""
    pro: str = ""
    declined: tuple[str, ...] = ()
    cancelled: bool = False
    voided: tuple[str, ...] = ()
    """Labels and loads that were taken back."""
    partly_told: tuple[str, ...] = ()
    """Packages whose delivery the orders have heard of, by SSCC."""
    undeliverable: bool = False
    bills: tuple[Bill, ...] = ()
    label_asked_at: datetime | None = None
    """When the last label was asked for."""
    overdue: tuple[Overdue, ...] = ()
    """What did not come in time, and has not come yet."""
    early: tuple[MilestoneReached, ...] = ()
    """Scans that are there before the ship confirmation."""
    reversal: Reversal | None = None
    """Asked for by one person, and not yet by a second."""
    taken_back: int = 0
    """Departures that were told and did not happen."""
    taken_back_at: datetime | None = None
    """When the last of them was said to have been: whoever repeats it says nothing new."""


def initial(_thread: str) -> State:
    return State()


def may_leave(state: State) -> bool:
    """Somebody carries it: it has a label (and it is known which), or a carrier accepted its load."""
    return bool(state.label or state.pro) and state.fresh is None


def by_order(packages: tuple[Package, ...]) -> dict[str, tuple[LineShipped, ...]]:
    found: dict[str, list[LineShipped]] = {}
    for package in packages:
        for line in package.lines:
            found.setdefault(line.order, []).append(line)
    return {order: tuple(lines) for order, lines in found.items()}


def kilograms(packages: tuple[Package, ...]) -> Decimal:
    """The weight of all packages; a unit that is no weight weighs nothing."""
    return sum((x.weight.value * KILOGRAMS.get(x.weight.unit, Decimal(0)) for x in packages), Decimal(0))
