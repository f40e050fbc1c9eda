"""What the hub knows of one order."""

from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from crossdock.model.money import Money
from crossdock.model.operations import Overdue
from crossdock.model.order import LineShipped, OrderLine
from crossdock.model.party import Place
from crossdock.model.quantity import Quantity
from crossdock.model.shipment import Milestone
from crossdock.processes.lines import Line, promised, whole_kits
from crossdock.processes.policy import Policy

VERSION = 2
replace = msgspec.structs.replace

Phase = Literal[
    "new", "checking", "held", "claiming", "approved", "released", "shipping", "shipped", "delivered",
    "completed", "changing", "cancelling", "cancelled", "rejected",
]  # fmt: skip
CLOSED = ("completed", "cancelled", "rejected")
BEFORE_RELEASE = ("new", "checking", "held", "claiming")


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
    location: str = ""
    outcome: Literal["", "returned", "lost"] = ""
    """Set where it will not reach the customer; `settled` once a person decided what follows."""
    settled: bool = False
    packed_at: datetime | None = None
    issue: int = 0
    """Goods issues of it that were reversed; the number of the one that counts now."""
    reversed: tuple[str, ...] = ()
    """Their documents, and below those of the reversals."""
    reversals: tuple[str, ...] = ()
    reversing: Literal["", "travelled", "stayed"] = ""
    """A reversal is wanted; `stayed`: since the departure that was told did not happen."""
    reversing_because: str = ""
    reversing_on: date | None = None
    reversed_at: datetime | None = None
    """When it was reversed; None again once it may be posted anew."""
    cancelled_invoices: tuple[str, ...] = ()


class Release(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One piece of work given to a warehouse. Numbers count per order."""

    number: int
    location: str
    warehouse: str
    document: str = ""
    cancel: Literal["", "asked", "agreed", "refused"] = ""
    because: Literal["", "recall"] = ""
    """Why the warehouse was asked to stop, where neither the customer nor the channel wanted it."""
    asked_at: datetime | None = None
    """When the warehouse was to hear of it."""


class Back(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """So much of a line that left with a shipment belongs to a return; `line` is that return's own.

    `amount` is set for a kit's component: its share of the kit's price. `whole`: all of the kit was asked for.
    """

    thread: str
    line: str
    order_line: str
    item: str
    shipment: str
    quantity: Decimal
    amount: Decimal | None = None
    whole: bool = False


class Change(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the customer wants instead, while the warehouses are asked to stop."""

    lines: tuple[OrderLine, ...]
    total: Money
    destination: Place = Place()
    service: str = "standard"
    promised_on: date | None = None
    people: bytes | None = None
    subject: bytes | None = None
    people_mark: str = ""


class Early(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An event about goods of an order that nobody told us of yet; `data` is its JSON."""

    type: str
    data: bytes
    occurred_at: datetime
    recorded_at: datetime
    source: str
    about: str = ""


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
    """Why the order is held: credit, stock, price, item, or the name of a standing hold."""
    checks: int = 0
    claims: int = 0
    claim: str = ""
    sales_order: str = ""
    sales_order_cancelled: bool = False
    warehouse_order: str = ""
    reservation: str = ""
    reservations: int = 0
    """How often the ERP was told what the warehouse took."""
    allocated: bool = False
    cancel: Literal["", "asked", "waiting_for_warehouse", "agreed", "refused"] = ""
    cancel_reason: str = ""
    told_channel: str = ""
    parts: tuple[Part, ...] = ()
    blocked: tuple[str, ...] = ()
    """Effects that were refused or are unclear, as `kind: reason`."""
    form: int = 1
    """1: written by a release that knew one node and one warehouse order; see `of_today`."""
    company: str = ""
    erp: str = ""
    nodes: tuple[str, ...] = ()
    routed: str = ""
    """Why this ERP and these nodes."""
    ship_on: date | None = None
    ship_because: str = ""
    sequence: int | None = None
    """The channel's own count of its newest version that we took."""
    people_mark: str = ""
    checked: bool = False
    holds: tuple[str, ...] = ()
    """Standing holds, by name."""
    approved_by: tuple[str, ...] = ()
    """Holds that were released, by name: approvals."""
    releases: tuple[Release, ...] = ()
    erp_lines: str = ""
    """Fingerprint of the lines the ERP was last told; empty before the first telling."""
    erp_changes: int = 0
    change: Change | None = None
    early: tuple[Early, ...] = ()
    """What the goods did before we had heard of the order, in the order it came."""
    back: tuple[Back, ...] = ()
    """What comes back, by return."""
    recalls: tuple[str, ...] = ()
    """The newest recalls that took something of it back, by event."""
    owner: str = ""
    """Whose goods are sold, where not the site's own company's."""
    overdue: tuple[Overdue, ...] = ()
    """What did not come in time, and has not come yet."""
    received_at: datetime | None = None
    """When it was ordered."""
    checkout: str = ""
    """The claim of its checkout, which it names."""
    checkout_was: Literal["", "taken", "kept", "unknown", "ended", "other_channel", "other_order"] = ""
    """What became of that when the order was served; `kept`, or nothing yet: it is to be taken over."""


def initial(_thread: str) -> State:
    return State(form=2)


def erp_of(state: State, policy: Policy) -> str:
    return state.erp or policy.erp


def node_of(state: State, policy: Policy) -> str:
    """The node asked about and shown where one must be named for the whole order."""
    served = next((x.location for x in state.lines if x.location), "")
    return served or (state.nodes[0] if state.nodes else policy.location)


def gone(state: State) -> bool:
    """Goods of it left the building."""
    return any(x.shipped for x in state.lines)


def as_ordered(state: State) -> tuple[OrderLine, ...]:
    """What the customer is to get, line by line, as other systems are told it.

    A line served by one node names it; shares of a line at several nodes are added up, and name none. Kits are kits,
    whatever they were taken apart into.
    """
    currency = state.total.currency if state.total else ""
    found: dict[tuple[str, str], OrderLine] = {}
    kits = {x.kit_of for x in state.lines if x.kit_of}
    for x in state.lines:
        quantity, location = promised(x), x.location
        if x.line in kits and not x.instead_of:
            quantity, location = _kits_promised(state, x)
        if quantity <= 0 or x.kit_of:
            continue
        key = (x.line, x.item)
        fresh = OrderLine(
            x.line, x.item, Quantity(quantity, x.unit), Money(x.price, currency), location=location
        )
        before = found.get(key)
        if before is None:
            found[key] = fresh
        else:
            together = before.location if before.location == location else ""
            found[key] = replace(fresh, ordered=before.ordered + fresh.ordered, location=together)
    return tuple(found.values())


def _kits_promised(state: State, kit: Line) -> tuple[Decimal, str]:
    """(kits that the customer is still to get, or got; the one node that they come from)"""
    places = {x.location for x in state.lines if x.kit_of == kit.line}
    quantity = promised(kit) + whole_kits(state.lines, kit.line, promised)
    return quantity, places.pop() if len(places) == 1 else ""


def as_booked(state: State) -> tuple[OrderLine, ...]:
    """The same as the ERP is told it: a line that several nodes serve once for each of them, since each issues its own goods.

    What no node serves yet goes with the first of them.
    """
    found: list[OrderLine] = []
    for line in as_ordered(state):
        shares: dict[str, Decimal] = {}
        for x in state.lines:
            if (x.line, x.item, x.kit_of) == (line.line, line.item, "") and x.location and promised(x) > 0:
                shares[x.location] = shares.get(x.location, Decimal(0)) + promised(x)
        if line.location or len(shares) < 2:
            found.append(line)
            continue
        rest = line.ordered.value - sum(shares.values(), Decimal(0))
        for place, quantity in shares.items():
            found.append(replace(line, ordered=Quantity(quantity + rest, line.ordered.unit), location=place))
            rest = Decimal(0)
    return tuple(found)


def lines_mark(state: State) -> str:
    """A fingerprint of the lines as another system is told them; of one that is served by several nodes, node by node."""
    told = as_booked(state)
    split = {x for x, n in Counter((x.line, x.item) for x in told).items() if n > 1}
    said = sorted(
        (x.line, x.item, str(x.ordered), *((x.location,) if (x.line, x.item) in split else ())) for x in told
    )
    return "|".join(":".join(x) for x in said)


def of_today(state: State, policy: Policy) -> State:
    """A state of an earlier release, read as one of this: one node, one release to its warehouse."""
    if state.form == 2:
        return state
    given = state.phase not in BEFORE_RELEASE and state.phase != "rejected"
    releases = (
        (Release(0, policy.location, policy.warehouse, state.warehouse_order),)
        if given and state.reference
        else ()
    )
    if releases and state.cancel == "waiting_for_warehouse":
        releases = (replace(releases[0], cancel="asked"),)
    held_stock = given or state.phase == "claiming"
    lines = tuple(
        replace(x, location=policy.location, release=0 if given else -1, claim=state.claim)
        if held_stock and x.ordered != x.open
        else x
        for x in state.lines
    )
    return replace(
        state, form=2, erp_lines=lines_mark(state) if given else "", erp=policy.erp, nodes=(policy.location,), checked=given, releases=releases, lines=lines,
        parts=tuple(replace(x, location=policy.location) for x in state.parts),
    )  # fmt: skip
