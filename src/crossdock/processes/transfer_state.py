"""What is known of a transfer, and its law, leg by leg (a leg is one line on one truck), in the line's unit:

shipped = received + in transit + variance + settled. Below zero, a variance is more than was shipped.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from crossdock.model.movement import LineTerms, MovedLine, ReceivedLine, TransferOrdered
from crossdock.model.stock import CostLayer, StockPlace
from crossdock.model.thread import reference_of
from crossdock.processes.order_state import Early
from crossdock.processes.receiving import OUTSIDE, ZERO, Docked, Receipt, Stand

VERSION = 1
replace = msgspec.structs.replace


class Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`claimed` is set aside at the sending site and has not left it yet."""

    line: str
    item: str
    unit: str
    ordered: Decimal = ZERO
    claimed: Decimal = ZERO


class Leg(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`damaged` is part of what was received."""

    shipment: str
    line: str
    item: str
    unit: str
    carrier: str = ""
    shipped: Decimal = ZERO
    received: Decimal = ZERO
    variance: Decimal = ZERO
    settled: Decimal = ZERO
    damaged: Decimal = ZERO

    @property
    def in_transit(self) -> Decimal:
        return self.shipped - self.received - self.variance - self.settled

    @property
    def on_the_way(self) -> Decimal:
        """What stands in transit in the ledger: what is missing stays there until it is settled."""
        return self.in_transit + max(ZERO, self.variance)


class Issue(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One truck, and the sending ERP's document of it. `asked`: it was told to book it."""

    shipment: str
    asked: bool = True
    document: str = ""


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`order` is what was asked for; None while only a warehouse spoke."""

    reference: str
    order: TransferOrdered | None = None
    lines: tuple[Line, ...] = ()
    legs: tuple[Leg, ...] = ()
    issues: tuple[Issue, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    docked: tuple[Docked, ...] = ()
    claim: str = ""
    claims: int = 0
    granted: bool = False
    releases: int = 0
    released: str = ""
    complete: bool = False
    cancelled: bool = False
    reason: str = ""
    early: tuple[Early, ...] = ()
    """What was told before the order; it happens once the order comes."""

    @property
    def in_transit(self) -> Decimal:
        return sum((x.in_transit for x in self.legs), ZERO)

    @property
    def variances(self) -> tuple[Leg, ...]:
        return tuple(x for x in self.legs if x.variance)


def initial(thread: str) -> State:
    return State(reference_of(thread))


def line_of(state: State, name: str) -> Line | None:
    return next((x for x in state.lines if x.line == name), None)


def with_line(state: State, line: Line) -> State:
    known = tuple(line if x.line == line.line else x for x in state.lines)
    return replace(state, lines=known if line_of(state, line.line) else (*state.lines, line))


def with_leg(state: State, leg: Leg) -> State:
    names = [(x.shipment, x.line, x.item) for x in state.legs]
    mine = (leg.shipment, leg.line, leg.item)
    known = tuple(leg if name == mine else x for name, x in zip(names, state.legs, strict=True))
    return replace(state, legs=known if mine in names else (*state.legs, leg))


def at_sender(state: State, item: str) -> StockPlace:
    assert state.order is not None
    return StockPlace(item, state.order.sender.location, owner=state.order.owner)


def at_receiver(state: State, item: str, lot: str = "") -> StockPlace:
    assert state.order is not None
    return StockPlace(item, state.order.receiver.location, lot, state.order.owner)


def on_the_road(state: State, leg: Leg) -> Stand:
    """Title and custody apart: the carrier has the goods, and by the terms of sale they are one company's or the other's.

    They stand with the company whose books carry them: on their way out of its site, or on their way into it.
    """
    order = state.order
    assert order is not None
    if order.title_passes == "departure" and not order.owner:
        place = StockPlace(
            leg.item, order.receiver.location, owner=order.receiver.company, possessor=leg.carrier
        )
        return place, "in_transit_in"
    owner = order.owner or order.sender.company
    return StockPlace(leg.item, order.sender.location, owner=owner, possessor=leg.carrier), "in_transit_out"


def terms(state: State, lines: Iterable[MovedLine | ReceivedLine]) -> tuple[LineTerms, ...]:
    """What the order says of these lines' worth; of another item than it ordered it says nothing."""
    assert state.order is not None
    told = {(x.line, x.item) for x in lines}
    return tuple(
        LineTerms(x.line, x.price, x.cost_layer)
        for x in state.order.lines
        if (x.line, x.item) in told and (x.price or x.cost_layer)
    )


def layer_of(state: State, line: str, item: str) -> CostLayer | None:
    """What the sending ERP calls what these goods cost it."""
    assert state.order is not None
    found = next((x for x in state.order.lines if (x.line, x.item) == (line, item)), None)
    return CostLayer(found.cost_layer) if found is not None and found.cost_layer else None


def outside(place: StockPlace) -> Stand:
    return place, OUTSIDE


def lawful(state: State) -> None:
    """Raises `AssertionError`: a fault of the process."""
    for x in state.legs:
        assert x.shipped == x.received + x.in_transit + x.variance + x.settled, x
        assert min(x.shipped, x.received, x.in_transit, x.damaged, x.received - x.damaged) >= ZERO, x
    for line in state.lines:
        assert ZERO <= line.claimed <= line.ordered, line
