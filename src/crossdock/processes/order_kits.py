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
from crossdock.processes.intents import CloseCase, OpenCase, Step
from crossdock.processes.lines import ZERO, Line, advance, promised, whole_kits
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
        worth = kit.worth or tuple(x.quantity.value for x in kit.components)
        for x, weight in zip(kit.components, worth, strict=True):
            quantity = count * x.quantity.value
            lines.append(
                Line(
                    f"{kit.line}/{x.item}", x.item, x.quantity.unit, ZERO, quantity, quantity, kit_of=kit.line,
                    per_kit=x.quantity.value, worth=weight, owner=state.owner,
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


def noticed(before: State, done: Step) -> Step:
    """What left of a kit that can never be whole any more is on no goods issue and no invoice: somebody should know."""
    state = done.state
    assert isinstance(state, State)
    if not any(x.kit_of and x.shipped for x in state.lines):
        return done
    was, now = loose(before), loose(state)
    told = [_case(state, kit, pieces) for kit, pieces in now.items() if pieces != was.get(kit)]
    gone = [CloseCase(f"hold/{_hold(kit)}", "the kit is whole") for kit in was if kit not in now]
    return Step(state, (*done.intents, *gone, *told), done.verdict)


def loose(state: State) -> dict[str, tuple[str, ...]]:
    """Kit line → what left beyond the kits that are whole or can still become so. Too much of a piece is told by itself."""
    found: dict[str, tuple[str, ...]] = {}
    for kit in dict.fromkeys(x.kit_of for x in state.lines if x.kit_of):
        whole = whole_kits(state.lines, kit, promised)
        pieces: list[str] = []
        for name in dict.fromkeys(x.line for x in state.lines if x.kit_of == kit):
            shares = [x for x in state.lines if x.line == name]
            left = sum((x.shipped - x.over_shipped for x in shares), ZERO) - whole * shares[0].per_kit
            if left > ZERO:
                pieces.append(f"{Quantity(left, shares[0].unit)} of {shares[0].item}")
        if pieces:
            found[kit] = tuple(pieces)
    return found


def _hold(kit: str) -> str:
    return f"loose components/{kit}"


def _case(state: State, kit: str, pieces: tuple[str, ...]) -> OpenCase:
    item = next((x.item for x in state.lines if x.line == kit and not x.kit_of), kit)
    return OpenCase(
        f"loose/{state.reference}/{kit}", "value", "loose components",
        f"Order {state.number}: {', '.join(pieces)} left without the rest of {item}"[:300],
        "They are on no goods issue and no invoice. Have the customer send them back, send the rest as a new order, or book them as"
        " given away. Retry the case once that is settled.",
        "customer service", f"hold/{_hold(kit)}",
    )  # fmt: skip
