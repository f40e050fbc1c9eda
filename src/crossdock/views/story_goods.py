"""Inbound deliveries, transfers and returns in a story: what they are, and their lines in the columns of an order's."""

from decimal import Decimal
from typing import Any

from crossdock.model.movement import InboundExpected
from crossdock.processes.inbound_state import State as Inbound
from crossdock.processes.returning_state import State as Return
from crossdock.processes.transfer_state import Leg
from crossdock.processes.transfer_state import State as Transfer
from crossdock.views.story_shape import Headline, Line
from crossdock.views.words import counted, plain_number

ZERO = Decimal(0)


def headline(state: Inbound | Transfer | Return) -> Headline:
    match state:
        case Return():
            facts = [f"of order {plain_number(state.order)}"] * bool(state.order)
            facts += [f"to {state.location}"] * bool(state.location) + [counted(len(state.lines), "line")]
            facts += [f"until {state.said.until:%d %b}"] if state.said and state.said.until else []
            return Headline(f"Return {state.number or plain_number(state.reference)}", tuple(facts))
        case Inbound(said=InboundExpected() as said):
            facts = [f"to {said.location}", counted(len(said.lines), "line")]
            facts += [f"from {said.supplier}"] * bool(said.supplier)
            facts += [said.terms] * bool(said.terms)
            facts += [f"due {said.due_on:%d %b}"] if said.due_on else []
            return Headline(f"Inbound {said.number}", tuple(facts))
        case Inbound():
            facts = [f"received at {state.location}"] * bool(state.location)
            return Headline(f"Inbound {plain_number(state.reference)}", tuple(facts))
        case Transfer(order=None):
            return Headline(f"Transfer {plain_number(state.reference)}")
        case _:
            return _of_transfer(state)


def _of_transfer(state: Transfer) -> Headline:
    order = state.order
    assert order is not None
    facts = [f"from {order.sender.location} to {order.receiver.location}", counted(len(order.lines), "line")]
    companies = tuple(dict.fromkeys(x for x in (order.sender.company, order.receiver.company) if x))
    facts += [f"{companies[0]} to {companies[1]}, title at {order.title_passes}"] * (len(companies) > 1)
    facts += [order.incoterm] * bool(order.incoterm)
    facts += [f"goods of {order.owner}"] * bool(order.owner)
    facts += [f"due {order.due_on:%d %b}"] if order.due_on else []
    return Headline(f"Transfer {order.number}", tuple(facts))


def lines(state: Any) -> list[Line]:
    """Empty for any other kind of thread."""
    match state:
        case Inbound():
            return [
                _line(
                    x, x.expected, x.left, delivered=x.came, location=state.location,
                    extras={"in_transit": x.on_road, "short": x.short, "over": x.over, "held": x.held, "damaged": x.damaged},
                )
                for x in state.lines
            ]  # fmt: skip
        case Transfer():
            return _lines_of_transfer(state)
        case Return():
            return _lines_of_return(state)
        case _:
            return []


def _line(x: Any, ordered: Decimal, left: Decimal, extras: dict[str, Decimal], **more: Any) -> Line:
    parts = dict.fromkeys(("reserved", "allocated", "picked", "shipped", "delivered"), ZERO)
    told: dict[str, Any] = {"price": ZERO, "currency": ""} | parts | more
    kept = {name: value for name, value in extras.items() if value}
    return Line(line=x.line, item=x.item, unit=x.unit, ordered=ordered, open=left, extras=kept, **told)


def _lines_of_transfer(state: Transfer) -> list[Line]:
    prices = {x.line: x.price for x in state.order.lines if x.price} if state.order else {}
    ordered = {(x.line, x.item): x for x in state.lines}
    names = dict.fromkeys((*ordered, *((x.line, x.item) for x in state.legs)))
    found = []
    for name in names:
        legs = [x for x in state.legs if (x.line, x.item) == name]
        line, price = ordered.get(name), prices.get(name[0])
        shipped, wanted, claimed = (
            _sum(legs, "shipped"),
            line.ordered if line else ZERO,
            line.claimed if line else ZERO,
        )
        extras = {part: _sum(legs, part) for part in ("in_transit", "variance", "settled", "damaged")}
        found.append(
            _line(
                line or legs[0], wanted, max(ZERO, wanted - claimed - shipped), extras, reserved=claimed, shipped=shipped,
                delivered=_sum(legs, "received"), price=price.amount if price else ZERO, currency=price.currency if price else "",
            )
        )  # fmt: skip
    return found


def _lines_of_return(state: Return) -> list[Line]:
    """A line for whole kits is shown as what is in them."""
    kits = {x.line for x in state.matched.kits} if state.matched else set()
    prices = {x.line: x.price for x in state.matched.lines} if state.matched else {}
    found = []
    for x in state.lines:
        if x.line in kits and not x.came:
            continue
        price = prices.get(x.line)
        extras = {
            "restocked": x.restocked, "refurbished": x.refurbished, "to_vendor": x.to_vendor, "scrapped": x.scrapped,
            "not_inspected": x.unjudged,
        }  # fmt: skip
        left = max(ZERO, x.authorised - x.came)
        found.append(
            _line(
                x, x.authorised, left, extras, delivered=x.came, price=price.amount if price else ZERO,
                currency=price.currency if price else "",
            )
        )  # fmt: skip
    return found


def _sum(legs: list[Leg], part: str) -> Decimal:
    return sum((getattr(x, part) for x in legs), ZERO)
