"""What is known of a return, and the law of its lines, in the line's unit:

came = unjudged + restocked + refurbished + to_vendor + scrapped
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from crossdock.model.returning import (
    Disposition,
    JudgedLine,
    MatchedLine,
    ReturnAuthorised,
    ReturnIdentified,
    ReturnMatched,
)
from crossdock.model.thread import reference_of
from crossdock.processes.receiving import ZERO

VERSION = 1
PARTS: Final[dict[Disposition, str]] = {
    "restock": "restocked", "refurbish": "refurbished", "vendor": "to_vendor", "scrap": "scrapped",
}  # fmt: skip
replace = msgspec.structs.replace


class Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`unjudged` stands as `returned` in the ledger: on hand, and not for sale."""

    line: str
    item: str
    unit: str
    order_line: str = ""
    authorised: Decimal = ZERO
    came: Decimal = ZERO
    unjudged: Decimal = ZERO
    restocked: Decimal = ZERO
    refurbished: Decimal = ZERO
    to_vendor: Decimal = ZERO
    scrapped: Decimal = ZERO
    lots: tuple[tuple[str, Decimal], ...] = ()
    """Of what is unjudged, by lot."""

    @property
    def judged(self) -> Decimal:
        return self.restocked + self.refurbished + self.to_vendor + self.scrapped

    def in_lot(self, lot: str) -> Decimal:
        return dict(self.lots).get(lot, ZERO)

    def with_lot(self, lot: str, change: Decimal) -> "Line":
        """More, or less, of what is unjudged."""
        lots = dict(self.lots)
        lots[lot] = lots.get(lot, ZERO) + change
        kept = tuple((name, quantity) for name, quantity in lots.items() if quantity)
        return replace(self, unjudged=self.unjudged + change, lots=kept)


class Inspection(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What was judged at once, and what the ERP made of it. Its name is empty where a refund went before the goods."""

    name: str
    lines: tuple[JudgedLine, ...] = ()
    at: datetime | None = None
    receipt_asked: bool = False
    receipt: str = ""
    credit_asked: bool = False
    credited: tuple[MatchedLine, ...] = ()
    credit: str = ""


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`said` is the authorisation, `slip` what the warehouse read of one that nobody gave, which a person may accept."""

    reference: str
    location: str = ""
    said: ReturnAuthorised | None = None
    slip: ReturnIdentified | None = None
    accepted: bool = False
    matched: ReturnMatched | None = None
    lines: tuple[Line, ...] = ()
    receipts: tuple[str, ...] = ()
    early: tuple[Inspection, ...] = ()
    """Judged before we heard that it came."""
    inspections: tuple[Inspection, ...] = ()
    announced: str = ""
    announcements: int = 0
    to_announce: bool = False
    """Authorised, and not told to the warehouse yet: the order says what of a kit comes back."""
    ended: str = ""
    reason: str = ""
    owner: str = ""
    """Whose goods they are; empty: the site's own company's, as long as the order did not say."""

    @property
    def order(self) -> str:
        known = self.said or self.slip
        return known.order if known else ""

    @property
    def number(self) -> str:
        return self.said.number if self.said else ""

    @property
    def may_credit(self) -> bool:
        """Somebody said that the customer may send it back."""
        return self.said is not None or self.accepted

    @property
    def unjudged(self) -> Decimal:
        return sum((x.unjudged for x in self.lines), ZERO)

    @property
    def left(self) -> Decimal:
        """What may still come."""
        return ZERO if self.ended else sum((max(ZERO, x.authorised - x.came) for x in self.lines), ZERO)


def initial(thread: str) -> State:
    return State(reference_of(thread))


def line_of(state: State, name: str) -> Line | None:
    return next((x for x in state.lines if x.line == name), None)


def with_line(state: State, line: Line) -> State:
    known = tuple(line if x.line == line.line else x for x in state.lines)
    return replace(state, lines=known if line_of(state, line.line) else (*state.lines, line))


def came(state: State) -> dict[tuple[str, str], Decimal]:
    """(item, lot) → how much of it came back, judged or not."""
    found: dict[tuple[str, str], Decimal] = {}
    told = [(x.item, lot, quantity) for x in state.lines for lot, quantity in x.lots]
    told += [(x.item, x.lot, x.quantity.value) for one in state.inspections for x in one.lines]
    for item, lot, quantity in told:
        found[item, lot] = found.get((item, lot), ZERO) + quantity
    return found


def lawful(state: State) -> None:
    """Raises `AssertionError`: a fault of the process."""
    for x in state.lines:
        assert min(x.came, x.unjudged, x.restocked, x.refurbished, x.to_vendor, x.scrapped) >= ZERO, x
        assert x.came == x.unjudged + x.judged, x
        assert x.unjudged == sum((quantity for _, quantity in x.lots), ZERO), x
