"""Kits of an order: sold, booked and billed as kits; set aside, packed and shipped as their components.

Once components are set aside for it, the line of a kit is substituted out, and each component is a line of its own under
the same law, named `LINE/ITEM`: that is what the warehouse is told. A kit that is kept as itself is an item like any other.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from crossdock.model.order import LineShipped
from crossdock.model.quantity import Quantity
from crossdock.model.stock import ClaimLine, StockPlace, TakenApart
from crossdock.processes.lines import ZERO, Line, advance, whole_kits
from crossdock.processes.order_state import Part, State

replace = msgspec.structs.replace


def take_apart(state: State, kits: Iterable[TakenApart]) -> State:
    """What of these lines waits for stock waits as components from now on."""
    lines = list(state.lines)
    for kit in kits:
        place = next((n for n, x in enumerate(lines) if x.line == kit.line and x.item == kit.item), None)
        if place is None or not (count := lines[place].open + lines[place].backordered):
            continue
        lines[place], _ = advance(lines[place], "substituted_out", count, ("open", "backordered"))
        for x in kit.components:
            quantity = count * x.quantity.value
            lines.append(
                Line(
                    f"{kit.line}/{x.item}", x.item, x.quantity.unit, ZERO, quantity, quantity, kit_of=kit.line,
                    per_kit=x.quantity.value, owner=state.owner,
                )
            )  # fmt: skip
    return replace(state, lines=tuple(lines))


def wanted(state: State, node: str) -> tuple[tuple[ClaimLine, ...], tuple[tuple[str, int], ...]]:
    """What still has to be set aside, line by line, and which lines make up how many kits (as `Claim.sets`).

    Where all components of a kit wait for the same number of kits, whole kits are asked for, by the kit's line.
    """
    waiting: dict[tuple[str, str, str], Decimal] = {}
    for x in state.lines:
        if x.open + x.backordered:
            key = (x.line, x.item, x.unit)
            waiting[key] = waiting.get(key, ZERO) + x.open + x.backordered
    sets = _sets(state.lines)
    kit_of = {x.line: x.kit_of for x in state.lines if x.kit_of in sets}
    lines = tuple(
        ClaimLine(kit_of.get(line, line), StockPlace(item, node, owner=state.owner), Quantity(quantity, unit))
        for (line, item, unit), quantity in waiting.items()
    )
    return lines, tuple(sets.items())


def _sets(lines: Iterable[Line]) -> dict[str, int]:
    kits: dict[str, dict[str, Decimal]] = {}
    per: dict[str, Decimal] = {}
    for x in lines:
        if x.kit_of and not x.instead_of:
            of = kits.setdefault(x.kit_of, {})
            of[x.line] = of.get(x.line, ZERO) + x.open + x.backordered
            per[x.line] = x.per_kit
    found: dict[str, int] = {}
    for kit, of in kits.items():
        count = int(whole_kits(lines, kit, lambda x: x.open + x.backordered))
        if count and all(quantity == count * per[name] for name, quantity in of.items()):
            found[kit] = count
    return found


def as_sold(
    state: State, shipped: tuple[LineShipped, ...], others: Iterable[Part]
) -> tuple[LineShipped, ...]:
    """What left, as the customer bought it: a kit counts for the shipment with which its last component left.

    `others` are the shipments that left before; `state` knows of this one already.
    """
    kit_of = {x.line: x.kit_of for x in state.lines if x.kit_of}
    found = [x for x in shipped if x.line not in kit_of]
    told = [x for part in others for x in part.lines]
    for kit in dict.fromkeys(kit_of[x.line] for x in shipped if x.line in kit_of):
        line = next(x for x in state.lines if x.line == kit and not x.kit_of)
        gone = whole_kits(state.lines, kit, lambda x: x.shipped)
        fresh = gone - sum((x.quantity.value for x in told if x.line == kit), ZERO)
        if fresh > ZERO:
            order = next(x.order for x in shipped if kit_of.get(x.line) == kit)
            found.append(LineShipped(order, kit, line.item, Quantity(fresh, line.unit)))
    return tuple(found)
