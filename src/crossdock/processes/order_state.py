"""What the hub knows of one order."""

from datetime import date, datetime
from typing import Literal

import msgspec

from crossdock.model.money import Money
from crossdock.model.order import LineShipped
from crossdock.model.party import Place
from crossdock.model.shipment import Milestone
from crossdock.processes.lines import Line

VERSION = 1

Phase = Literal[
    "new", "checking", "held", "claiming", "approved", "released", "shipping", "shipped", "delivered",
    "completed", "cancelling", "cancelled", "rejected",
]  # fmt: skip
CLOSED = ("completed", "cancelled", "rejected")


class Part(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One shipment's share of the order, and what the ERP made of it."""

    shipment: str
    lines: tuple[LineShipped, ...]
    carrier: str = ""
    tracking: tuple[str, ...] = ()
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    delivery: str = ""
    goods_issue: str = ""
    invoice: str = ""
    fulfilment: str = ""
    milestone: Milestone = "created"
    erp_milestone: Milestone = "created"
    """The newest milestone the ERP was told; it can be told only once the delivery document exists."""


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """All of it serialisable; personal data only as the sealed blob it came in."""

    reference: str = ""
    number: str = ""
    channel: str = ""
    phase: Phase = "new"
    lines: tuple[Line, ...] = ()
    total: Money | None = None
    destination: Place = Place()
    service: str = "standard"
    promised_on: date | None = None
    people: bytes | None = None
    subject: bytes | None = None
    content: str = ""
    """Fingerprint of what was ordered, to tell a repeat from a change."""
    hold: str = ""
    """Why the order is held: credit, stock, price, item."""
    checks: int = 0
    claims: int = 0
    claim: str = ""
    sales_order: str = ""
    sales_order_cancelled: bool = False
    warehouse_order: str = ""
    reservation: str = ""
    allocated: bool = False
    cancel: Literal["", "asked", "waiting_for_warehouse", "agreed", "refused"] = ""
    cancel_reason: str = ""
    told_channel: str = ""
    parts: tuple[Part, ...] = ()
    blocked: tuple[str, ...] = ()
    """Effects that were refused or are unclear, as `kind: reason`."""


def initial(_thread: str) -> State:
    return State()
