"""The ties of a day: pairs of what one system said and another should have confirmed, counted and valued. Pure.

What is missing on the right is a difference with a cause and an owner, so the two sides always add up.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from crossdock.model.money import Money
from crossdock.processes.order_state import CLOSED, Part
from crossdock.processes.order_state import State as Order
from crossdock.processes.shipment_state import ENDED
from crossdock.processes.shipment_state import State as Shipment
from crossdock.views.names import Names

Kind = Literal[
    "placed, not booked", "departed, nobody carries it", "shipped, not issued", "issued, not shipped", "shipped, not shown",
    "label never scanned", "scan without shipment", "departed, not delivered", "departed, not accrued", "accrued, not billed",
    "billed otherwise", "issued, not invoiced",
]  # fmt: skip
_TIES: Final[dict[str, tuple[str, str]]] = {
    "orders": ("placed in the channels", "booked in the ERP, or ended"),
    "carriage": ("departed from the warehouses", "carried: a label, or a load"),
    "goods issues": ("departed from the warehouses", "issued in the ERP"),
    "channels": ("departed from the warehouses", "shown by the channels"),
    "first scans": ("departed with a carrier", "scanned by it"),
    "deliveries": ("departed with a carrier", "delivered, or ended otherwise"),
    "freight accruals": ("priced by the carriers", "accrued in the ERP"),
    "freight bills": ("accrued in the ERP", "billed as accrued, or adjusted to it"),
    "invoices": ("issued in the ERP", "invoiced, or settled"),
}
UNDER_WAY: Final = "under way"


class Side(msgspec.Struct):
    """Who says how many, and what they are worth, by currency."""

    says: str
    count: int = 0
    value: dict[str, Decimal] = {}

    def add(self, value: Money | None) -> None:
        self.count += 1
        if value is not None:
            self.value[value.currency] = self.value.get(value.currency, Decimal(0)) + value.amount


class Tie(msgspec.Struct, frozen=True):
    name: str
    said: Side
    confirmed: Side
    differences: int


class Difference(msgspec.Struct, frozen=True):
    """`case` is the number of the case that a person has; without one it is under way, and `owner` moves next."""

    kind: Kind
    tie: str
    thread: str
    called: str
    since: datetime | None
    value: Money | None
    cause: str
    owner: str
    case: int | None


@dataclass(frozen=True, slots=True)
class Whose:
    """What a thread waits on, and the case that it is in."""

    waiting_on: str
    since: datetime | None
    owner: str
    case: Any = None


@dataclass
class Ledger:
    """Takes threads one by one."""

    names: Names
    suppliers: frozenset[str] = frozenset()
    """Nodes whose goods were never ours: nothing of them is issued."""
    _sides: dict[str, tuple[Side, Side]] = field(default_factory=dict)
    _found: list[Difference] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sides = {name: (Side(left), Side(right)) for name, (left, right) in _TIES.items()}

    def order(self, thread: str, state: Order, whose: Whose, *, counts: bool) -> None:
        """`counts`: it was placed that day; an older one only where it is not booked yet."""
        called = f"Order {state.number or state.reference}"
        booked = bool(state.sales_order) or state.phase in CLOSED
        if counts or not booked:
            self._tie("orders", booked, state.total, ("placed, not booked", thread, called, None), whose)
        for part in state.parts:
            if part.shipped_at is not None and part.lines and part.location not in self.suppliers:
                self._part(thread, called, state, part, whose)

    def _part(self, thread: str, called: str, state: Order, part: Part, whose: Whose) -> None:
        name = f"{called}, shipment {part.shipment}"
        value = worth(state, part)
        self._tie(
            "goods issues",
            bool(part.goods_issue),
            value,
            ("shipped, not issued", thread, name, part.shipped_at),
            whose,
        )
        if not state.cancel:
            shown = bool(part.fulfilment)
            self._tie("channels", shown, None, ("shipped, not shown", thread, name, part.shipped_at), whose)
        if part.goods_issue:
            billed = bool(part.invoice) or part.settled
            self._tie(
                "invoices", billed, value, ("issued, not invoiced", thread, name, part.shipped_at), whose
            )

    def shipment(self, thread: str, state: Shipment, whose: Whose) -> None:
        if state.departed_at is None:
            return
        called = f"Shipment {state.shipment}"
        at = state.departed_at
        carried = bool(state.label or state.pro)
        self._tie("carriage", carried, None, ("departed, nobody carries it", thread, called, at), whose)
        if not carried:
            return
        scanned = bool(state.tracks) and all(x.milestone != "created" for x in state.tracks)
        self._tie("first scans", scanned, None, ("label never scanned", thread, called, at), whose)
        ended = state.delivered_at is not None or state.undeliverable or state.told in ENDED
        self._tie("deliveries", ended, None, ("departed, not delivered", thread, called, at), whose)
        if state.freight is not None:
            booked = bool(state.accrual)
            self._tie(
                "freight accruals",
                booked,
                state.freight,
                ("departed, not accrued", thread, called, at),
                whose,
            )
            if booked:
                self._bills(thread, called, state, whose)

    def _bills(self, thread: str, called: str, state: Shipment, whose: Whose) -> None:
        """Freight that nobody bills by message (parcel carriers' weekly invoices) is not expected here."""
        if state.by != "tms" and not state.bills:
            return
        agreed = bool(state.bills) and all(x.state in ("matched", "adjusted") for x in state.bills)
        kind: Kind = "billed otherwise" if state.bills else "accrued, not billed"
        self._tie("freight bills", agreed, state.freight, (kind, thread, called, state.departed_at), whose)

    def issued_unshipped(self, thread: str, document: str, at: datetime) -> None:
        """The ERP says goods left that no warehouse reported."""
        called = f"Goods issue {document}"
        whose = Whose("a departure that the warehouse never reported", at, "warehouse")
        self._found.append(
            self._difference("goods issues", ("issued, not shipped", thread, called, at), None, whose)
        )

    def stray(self, thread: str, at: datetime | None) -> None:
        number = thread.rpartition("/")[2]
        whose = Whose("a shipment with this tracking number", at, "warehouse")
        named: _Named = ("scan without shipment", thread, f"Tracking number {number}", at)
        self._found.append(self._difference("first scans", named, None, whose))

    def _tie(self, name: str, agrees: bool, value: Money | None, named: "_Named", whose: Whose) -> None:
        said, confirmed = self._sides[name]
        said.add(value)
        if agrees:
            confirmed.add(value)
        else:
            self._found.append(self._difference(name, named, value, whose))

    def _difference(self, tie: str, named: "_Named", value: Money | None, whose: Whose) -> Difference:
        kind, thread, called, at = named
        case = whose.case
        cause = case["cause"] if case else whose.waiting_on or UNDER_WAY
        owner = case["owner"] if case else whose.owner or "operations"
        return Difference(
            kind, tie, thread, called, at or whose.since, value, self.names.plain(cause), self.names.plain(owner),
            case["id"] if case else None,
        )  # fmt: skip

    def close(self) -> tuple[tuple[Tie, ...], tuple[Difference, ...]]:
        """The ties in the order of a parcel's life; what a person must settle before what is under way, the oldest first."""
        missing = Counter(
            x.tie for x in self._found if x.kind not in ("issued, not shipped", "scan without shipment")
        )
        ties = tuple(Tie(name, *sides, missing[name]) for name, sides in self._sides.items())
        assert all(x.said.count == x.confirmed.count + x.differences for x in ties)
        ordered = sorted(
            self._found,
            key=lambda x: (x.case is None, x.since is None, x.since and x.since.timestamp(), x.called),
        )
        return ties, tuple(ordered)


_Named = tuple[Kind, str, str, datetime | None]
"""(kind, thread, what people call it, since when)"""


def worth(state: Order, part: Part) -> Money | None:
    """What the goods of a shipment were sold for; None where a line of it was not sold as such (a kit's component)."""
    prices = {(x.line, x.item): x.price for x in state.lines if not x.kit_of}
    if state.total is None or any((x.line, x.item) not in prices for x in part.lines):
        return None
    amounts = (prices[x.line, x.item] * x.quantity.value for x in part.lines)
    return Money(sum(amounts, Decimal(0)), state.total.currency)
