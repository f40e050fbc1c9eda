"""What an order says of a kit that comes back, whole or in parts: each component by itself, at its share of the kit's price.

A component may come back as far as it left in kits that were sold: what left of a kit that is not whole was never billed.
"""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

import msgspec

from crossdock.model.master import Component
from crossdock.model.money import Money, smallest
from crossdock.model.quantity import Quantity
from crossdock.model.returning import MatchedLine, ReturnLine
from crossdock.model.stock import TakenApart
from crossdock.processes.kit_price import come_to, split
from crossdock.processes.lines import ZERO, Line
from crossdock.processes.order_state import Back, Part, State

replace = msgspec.structs.replace


def names_kit(state: State, wanted: ReturnLine) -> bool:
    """Whether it is about a kit that was taken apart: all of it, or one of its components."""
    return any(wanted.order_line in (x.kit_of, x.line) for x in state.lines if x.kit_of)


def taken(state: State, thread: str, wanted: ReturnLine, before: Sequence[Back]) -> State:
    """By component and shipment, the first to leave first. `before` is what this return had when it asked last."""
    kit = _kit(state, wanted.order_line)
    if kit is not None and wanted.item in ("", kit.item):
        if wanted.quantity.unit != kit.unit:
            return state
        for one in _components(state, kit.line):
            wish = Back(
                thread, wanted.line, one.line, "", "", wanted.quantity.value * one.per_kit, whole=True
            )
            state = _take(state, one, wish, before)
        return state
    rest = wanted.quantity.value
    for one in _components(state, ""):
        if wanted.order_line in (one.kit_of, one.line) and one.unit == wanted.quantity.unit:
            had = len(state.back)
            state = _take(state, one, Back(thread, wanted.line, one.line, wanted.item, "", rest), before)
            rest -= sum((x.quantity for x in state.back[had:]), ZERO)
    return state


def _take(state: State, component: Line, wish: Back, before: Sequence[Back]) -> State:
    """As much of the wish as may come back, share by share."""
    rest = wish.quantity
    for part in state.parts:
        for item in _items(state, component) if part.shipped_at is not None else ():
            take = min(rest, _free(state, component, part, item))
            if wish.item not in ("", item) or take <= ZERO:
                continue
            rest -= take
            name = f"{wish.line}/{item}" if wish.whole else wish.line
            mine = replace(wish, line=name, item=item, shipment=part.shipment, quantity=take)
            mine = replace(mine, amount=_amount(state, component, part, mine, before))
            state = replace(state, back=(*state.back, mine))
    return state


def _free(state: State, component: Line, part: Part, item: str) -> Decimal:
    """How much of the item may come back of the component, of this shipment."""
    sold = _kits_sold(part, component) * component.per_kit
    back = [x for x in state.back if x.order_line == component.line]
    here = sum((x.quantity for x in back if x.shipment == part.shipment), ZERO)
    of_item = sum((x.quantity for x in back if x.item == item), ZERO)
    return min(sold - here, _items(state, component)[item] - of_item)


def _amount(state: State, component: Line, part: Part, mine: Back, before: Sequence[Back]) -> Decimal:
    """What it brings the total of all that comes back to, less what is given back already.

    Asked again for the same, it stays the same: it may have been credited.
    """
    share = _share(state, component)
    sold = _kits_sold(part, component)
    of_it = [x for x in state.back if (x.order_line, x.shipment) == (component.line, part.shipment)]
    left = sold * share.amount - sum((x.amount or ZERO for x in of_it), ZERO)
    pieces = mine.quantity + sum((x.quantity for x in of_it), ZERO)
    same = next((x.amount for x in before if replace(x, amount=None) == mine), None)
    if pieces == sold * component.per_kit:
        return left
    if same is not None:
        return min(same, left)
    return min(left, max(ZERO, come_to(share, pieces, component.per_kit) - (sold * share.amount - left)))


def _share(state: State, component: Line) -> Money:
    """Of the price of one kit."""
    kit = _kit(state, component.kit_of)
    assert kit is not None, component
    contents = _components(state, kit.line)
    worths = [x.worth for x in contents]
    price = Money(kit.price, state.total.currency if state.total else "")
    shares = split(price, worths if any(worths) else [x.per_kit for x in contents])
    return Money(shares[[x.line for x in contents].index(component.line)], price.currency)


def _kits_sold(part: Part, component: Line) -> Decimal:
    return sum((x.quantity.value for x in part.lines if x.line == component.kit_of), ZERO)


def _kit(state: State, name: str) -> Line | None:
    """The line that was sold, where it was taken apart."""
    if not any(x.kit_of == name for x in state.lines if x.kit_of):
        return None
    return next((x for x in state.lines if x.line == name and not x.kit_of and not x.instead_of), None)


def _components(state: State, kit: str) -> list[Line]:
    """One share of each, as it was ordered; of all kits where none is named."""
    found = {x.line: x for x in state.lines if x.kit_of and kit in ("", x.kit_of) and not x.instead_of}
    return list(found.values())


def _items(state: State, component: Line) -> dict[str, Decimal]:
    """Item → how much of it left for the component: what was packed in its place left as another item."""
    found: dict[str, Decimal] = {}
    for x in state.lines:
        if x.line == component.line and x.shipped:
            found[x.item] = found.get(x.item, ZERO) + x.shipped
    return found


def priced(state: State, back: Back, matched: MatchedLine) -> MatchedLine:
    """Of a component: the kit's line, as it was sold and billed, and the share of its price."""
    component = next((x for x in state.lines if x.line == back.order_line and x.kit_of), None)
    kit = _kit(state, component.kit_of) if component else None
    if kit is None or back.amount is None:
        return matched
    currency = matched.price.currency
    one = (back.amount / back.quantity).quantize(smallest(currency), ROUND_DOWN)
    return replace(
        matched,
        order_line=kit.line,
        kit=kit.item,
        price=Money(one, currency),
        amount=Money(back.amount, currency),
    )


def whole(state: State, thread: str) -> tuple[TakenApart, ...]:
    """Lines of this return that are for whole kits, and what is in one, as it left."""
    found: dict[str, TakenApart] = {}
    for x in state.back:
        component = next((c for c in _components(state, "") if c.line == x.order_line), None)
        kit = _kit(state, component.kit_of) if component else None
        name = x.line.removesuffix(f"/{x.item}")
        if x.thread == thread and x.whole and kit is not None and name not in found:
            found[name] = TakenApart(
                name, kit.item, tuple(_content(state, c) for c in _components(state, kit.line))
            )
    return tuple(found.values())


def _content(state: State, component: Line) -> Component:
    left = _items(state, component)
    item = max(left, key=lambda name: left[name], default=component.item)
    return Component(item, Quantity(component.per_kit, component.unit))
