"""What is known of an inbound delivery, and the law of its lines, in the line's unit:

expected + over = came + left + short, where what came is good, held or damaged, and of what is left some may be ours on the road.
"""

from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from crossdock.model.movement import InboundExpected, MovedLine
from crossdock.model.stock import Bucket, StockPlace
from crossdock.model.thread import reference_of
from crossdock.processes.receiving import ZERO, Docked, Receipt

VERSION = 1
_PARTS: Final[dict[Bucket, str]] = {"available": "good", "quarantine": "held", "damaged": "damaged"}
replace = msgspec.structs.replace


class Aside(NamedTuple):
    """So much of a lot came beyond all tolerance, and waits in quarantine for a person."""

    lot: str
    quantity: Decimal


class OnRoad(NamedTuple):
    """So much is ours already, in this carrier's hands."""

    carrier: str
    quantity: Decimal


class Notice(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the supplier said that he sent; `lines` are kept until they are looked at."""

    notice: str
    carrier: str = ""
    lines: tuple[MovedLine, ...] = ()


class Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`named` by whoever ordered it. `short` was closed without having come. Of what is held, `aside` waits for a person."""

    line: str
    item: str
    unit: str
    owner: str = ""
    named: bool = False
    expected: Decimal = ZERO
    good: Decimal = ZERO
    held: Decimal = ZERO
    damaged: Decimal = ZERO
    short: Decimal = ZERO
    aside: tuple[Aside, ...] = ()
    road: tuple[OnRoad, ...] = ()

    @property
    def what(self) -> tuple[str, str, str]:
        return self.item, self.unit, self.owner

    @property
    def came(self) -> Decimal:
        return self.good + self.held + self.damaged

    @property
    def left(self) -> Decimal:
        """What may still come; in the ledger it is `expected`, or on the road."""
        return max(ZERO, self.expected - self.came - self.short)

    @property
    def on_road(self) -> Decimal:
        return sum((x.quantity for x in self.road), ZERO)

    @property
    def over(self) -> Decimal:
        return max(ZERO, self.came + self.short - self.expected)

    @property
    def put_aside(self) -> Decimal:
        return sum((x.quantity for x in self.aside), ZERO)

    def with_more(self, bucket: Bucket, quantity: Decimal) -> "Line":
        part = _PARTS[bucket]
        return replace(self, **{part: getattr(self, part) + quantity})


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`said` is what shall come, by its newest word; None while only the warehouse spoke. `ended`: closed or cancelled."""

    reference: str
    location: str = ""
    said: InboundExpected | None = None
    sequence: int | None = None
    lines: tuple[Line, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    docked: tuple[Docked, ...] = ()
    announced: str = ""
    announcements: int = 0
    questions: int = 0
    ended: str = ""
    reason: str = ""
    notices: tuple[Notice, ...] = ()

    @property
    def left(self) -> Decimal:
        return sum((x.left for x in self.lines), ZERO)


def initial(thread: str) -> State:
    return State(reference_of(thread))


def line_of(state: State, name: str) -> Line | None:
    return next((x for x in state.lines if x.line == name), None)


def with_line(state: State, line: Line) -> State:
    known = tuple(line if x.line == line.line else x for x in state.lines)
    return replace(state, lines=known if line_of(state, line.line) else (*state.lines, line))


def place_of(state: State, line: Line, lot: str = "") -> StockPlace:
    return StockPlace(line.item, state.location, lot, line.owner)


def lawful(state: State) -> None:
    """Raises `AssertionError`: a fault of the process."""
    for x in state.lines:
        assert min(x.expected, x.good, x.held, x.damaged, x.short) >= ZERO, x
        assert x.expected + x.over == x.came + x.left + x.short, x
        assert x.put_aside <= x.held, x
        assert x.on_road <= x.left, x
        assert not (state.ended and x.left), x
