"""A kit that comes back: each of its components is expected, received and judged by itself, and credited at its share."""

from collections.abc import Iterable

import msgspec

from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.returning import MatchedLine, ReturnLine
from crossdock.processes.kit_price import portion
from crossdock.processes.receiving import ZERO
from crossdock.processes.returning_state import Line, State, line_of, with_line

replace = msgspec.structs.replace


def unfold(state: State, wanted: Iterable[ReturnLine]) -> State:
    """A line for whole kits expects nothing itself: what is in them does, as `LINE/ITEM`."""
    assert state.matched is not None
    told = {x.line: x for x in wanted}
    for kit in state.matched.kits:
        said, line = told.get(kit.line), line_of(state, kit.line)
        if said is None or line is None:
            continue
        state = with_line(state, replace(line, item=line.item or kit.item, authorised=ZERO))
        for part in kit.components:
            name = f"{kit.line}/{part.item}"
            one = line_of(state, name) or Line(name, part.item, part.quantity.unit)
            expected = said.quantity.value * part.quantity.value if state.said is not None else ZERO
            state = with_line(state, replace(one, order_line=said.order_line, authorised=expected))
    return state


def cut(matched: MatchedLine, quantity: Quantity, used: Iterable[MatchedLine]) -> MatchedLine:
    """So much of what was matched; of a component also its part of the share, less what was credited of it before."""
    if matched.amount is None:
        return replace(matched, quantity=quantity)
    before = [
        x for x in used if (x.line, x.shipment, x.item) == (matched.line, matched.shipment, matched.item)
    ]
    pieces = matched.quantity.value - sum((x.quantity.value for x in before), ZERO)
    left = matched.amount.amount - sum((x.amount.amount for x in before if x.amount), ZERO)
    amount = portion(Money(max(left, ZERO), matched.amount.currency), quantity.value, pieces)
    return replace(matched, quantity=quantity, amount=Money(amount, matched.amount.currency))
