"""Moving an order's quantities: in its lines and in the stock ledger alike, share by share and node by node."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import product
from typing import Literal, NamedTuple

import msgspec

from crossdock.model.order import LineShipped
from crossdock.model.stock import Bucket, ClaimLine, StockPlace
from crossdock.processes.intents import CloseCase, Intent, Move, OpenCase, Publish
from crossdock.processes.lines import (
    UNPACKED,
    WAYS_FORWARD,
    ZERO,
    Line,
    Part,
    add_over,
    advance,
    nothing_of,
    of_lot,
    promised,
    split,
    substitute,
    take_over_out,
    to_substitute,
)
from crossdock.processes.order_state import State, node_of
from crossdock.processes.policy import Policy

replace = msgspec.structs.replace


class Told(NamedTuple):
    """What somebody says of a line's goods; item "": whatever it is, lot "": any."""

    line: str
    item: str
    quantity: Decimal
    lot: str = ""


Boxed = Literal["picked", "shipped"]
BUCKET_OF: dict[Part, Bucket] = {"reserved": "firm_claim", "allocated": "allocated", "picked": "picked"}
"""Where the ledger keeps what a line calls so."""
GOAL_OF: dict[Part, Bucket] = {
    **BUCKET_OF, "shipped": "outside", "cancelled": "available", "backordered": "available", "short_closed": "available",
    "substituted_out": "available",
}  # fmt: skip

_UNCLAIMED: dict[Part, Bucket] = {"picked": "available", "shipped": "available"}
"""Where goods come from that a warehouse took before anything was set aside for the line."""


def move_lines(
    state: State, told: Iterable[Told], target: Part, *, location: str = "", goal: Bucket | None = None,
    ways: tuple[Part, ...] = (),
) -> tuple[State, list[Intent], dict[tuple[str, str], Decimal]]:  # fmt: skip
    """Move told quantities to `target`. Returns what found nothing to be moved as well, by (line, item).

    Whatever share of the line is nearest to `target` moves: what leaves is what was packed, before what is still reserved.
    With a location, only shares of that node (and of none yet) are moved. `goal` overrides the ledger's bucket.
    """
    lines = list(state.lines)
    moves: list[Intent] = []
    left: dict[tuple[str, str], Decimal] = {}
    for (name, item, lot), quantity in _added_up(told).items():
        wanted = quantity
        for part, place in product(ways or WAYS_FORWARD[target], _shares(lines, name, item, location, lot)):
            before = lines[place].lot
            at = _of_lot(lines, place, part, wanted, lot)
            lines[at], taken = advance(lines[at], target, wanted, (part,))
            for x in taken:
                wanted -= x.quantity
                way = Way(part, target, goal or GOAL_OF[target], before, location)
                moves += moved(lines[at], x.quantity, way, state.claim)
        if wanted > ZERO:
            left[name, item] = left.get((name, item), ZERO) + wanted
    return replace(state, lines=tuple(lines)), moves, left


class Way(msgspec.Struct, frozen=True, gc=False):
    """From part to part of the line, to a bucket of the ledger; `lot` is the one it had before."""

    part: Part
    target: Part
    goal: Bucket
    lot: str
    location: str


def moved(line: Line, quantity: Decimal, way: Way, claim: str) -> list[Intent]:
    """In the ledger. What the warehouse takes of another lot than was set aside comes from its shelf, and the lot that
    was set aside goes back.
    """
    source = BUCKET_OF.get(way.part) or _UNCLAIMED.get(way.target)
    if source is None:
        return []
    at = StockPlace(line.item, line.location or way.location, line.lot, line.owner)
    named, name = line.claim or claim, line.kit_of or line.line
    if source == "available" or way.lot == line.lot:
        claim = "" if source == "available" else named
        return [Move(at, source, way.goal, quantity, line.unit, claim, name)]
    return [
        Move(replace(at, lot=way.lot), source, "available", quantity, line.unit, named, name),
        Move(at, "available", way.goal, quantity, line.unit, "", name),
    ]


def _of_lot(lines: list[Line], place: int, part: Part, wanted: Decimal, lot: str) -> int:
    """The share's place; where goods of another lot than its own are told, that of a new share of them alone."""
    line = lines[place]
    quantity = min(wanted, getattr(line, part))
    if not lot or lot == line.lot or quantity <= ZERO or quantity > line.ordered:
        return place
    share, rest = of_lot(line, part, quantity, lot)
    if rest.ordered + rest.over_shipped + rest.substituted_in == ZERO:
        lines[place] = share
        return place
    lines[place] = rest
    lines.append(share)
    return len(lines) - 1


def _added_up(told: Iterable[Told]) -> dict[tuple[str, str, str], Decimal]:
    wanted: dict[tuple[str, str, str], Decimal] = {}
    for x in told:
        key = (x.line, x.item, x.lot)
        wanted[key] = wanted.get(key, ZERO) + x.quantity
    return wanted


def _shares(lines: list[Line], name: str, item: str, location: str, lot: str = "") -> list[int]:
    """Places of the line's shares, those of the named node and lot first."""
    found = [
        n
        for n, x in enumerate(lines)
        if x.line == name and item in ("", x.item) and (not location or x.location in ("", location))
    ]
    return sorted(found, key=lambda n: (lines[n].location != location, bool(lot) and lines[n].lot != lot))


def published(moves: Iterable[Intent]) -> list[Intent]:
    """Availability of every place that a move gives to or takes from what may be sold."""
    places = dict.fromkeys(
        (x.place.item, x.place.location)
        for x in moves
        if isinstance(x, Move) and "available" in (x.source, x.target)
    )
    return [Publish(item, location) for item, location in places]


def reserve(state: State, served: Iterable[ClaimLine], claim: str) -> tuple[State, list[Intent]]:
    """Shares of what the ledger granted; a line served by several nodes falls into one share each.

    What the line no longer needs, since its goods left meanwhile, goes back.
    """
    lines = list(state.lines)
    intents: list[Intent] = []
    for granted in served:
        wanted = granted.quantity.value
        for place in _waiting(lines, granted.line, granted.place.item):
            take = min(wanted, lines[place].open + lines[place].backordered)
            if take <= ZERO:
                continue
            share, rest = split(lines[place], granted.place.location, take, granted.place.lot)
            share, _ = advance(replace(share, claim=claim, owner=granted.place.owner), "reserved", take)
            wanted -= take
            nothing = rest.ordered + rest.over_shipped + rest.substituted_in == ZERO
            lines[place : place + 1] = [share] if nothing else [share, rest]
            break
        if wanted > ZERO:
            unit = granted.quantity.unit
            intents.append(Move(granted.place, "firm_claim", "available", wanted, unit, claim, granted.line))
        intents.append(Publish(granted.place.item, granted.place.location))
    return replace(state, lines=tuple(lines)), intents


def _waiting(lines: list[Line], name: str, item: str) -> list[int]:
    found = [n for n, x in enumerate(lines) if name in (x.line, x.kit_of) and x.item == item]
    return sorted(found, key=lambda n: -(lines[n].open + lines[n].backordered))


def box(
    state: State, told: tuple[LineShipped, ...], target: Boxed, policy: Policy, location: str
) -> tuple[State, list[Intent]]:
    """What went into boxes, or left: as ordered, in place of something, or beyond it. It is so, whoever likes it."""
    intents: list[Intent] = []
    for x in told:
        known = [line for line in state.lines if line.line == x.line]
        if not known or x.quantity.value <= ZERO:
            continue
        if any(line.item == x.item for line in known):
            state, moves, left = move_lines(
                state, [Told(x.line, x.item, x.quantity.value, x.lot)], target, location=location
            )
            intents += moves
            for quantity in left.values():
                state, more = _further(state, x, quantity, target, policy, location)
                intents += more
        else:
            state, more = _instead(state, x, target, policy, location)
            intents += more
    return state, [*intents, *published(intents)]


def _further(
    state: State, x: LineShipped, quantity: Decimal, target: Boxed, policy: Policy, location: str
) -> tuple[State, list[Intent]]:
    """More of an item than its line waits for: more in place of what was ordered, where it is a substitute, or too much."""
    mine = [line for line in state.lines if line.line == x.line]
    intents: list[Intent] = []
    if all(line.instead_of for line in mine if line.item == x.item):
        wanted = sum((to_substitute(line) for line in mine if not line.instead_of), ZERO)
        instead = min(quantity, wanted)
        quantity -= instead
        if instead > ZERO:
            told = replace(x, quantity=replace(x.quantity, value=instead))
            state, intents = _instead(state, told, target, policy, location)
    if quantity > ZERO:
        state, more = _beyond(state, x, quantity, target, policy, location)
        intents += more
    return state, intents


def _beyond(
    state: State, x: LineShipped, quantity: Decimal, target: Boxed, policy: Policy, location: str
) -> tuple[State, list[Intent]]:
    """More than ordered. Boxes of a cancelled line may still be emptied; what left has left."""
    lines = list(state.lines)
    place = _shares(lines, x.line, x.item, location, x.lot)
    if not place or (target == "picked" and promised(lines[place[0]]) <= ZERO):
        return state, []
    shares = [lines[n] for n in place]
    if x.lot and shares[0].lot != x.lot:
        place = [len(lines)]
        lines.append(nothing_of(shares[0], x.lot))
    line = add_over(lines[place[0]], target, quantity)
    lines[place[0]] = line
    node = location or line.location or node_of(state, policy)
    at = StockPlace(x.item, node, x.lot or line.lot, line.owner)
    intents: list[Intent] = [
        Move(at, "available", GOAL_OF[target], quantity, line.unit, line.claim, line.line)
    ]
    over = sum((share.over_shipped for share in shares), quantity)
    if over > sum((share.ordered for share in shares), ZERO) * policy.over_ship_tolerance:
        intents.append(_over_case(state, line, over, policy))
    return replace(state, lines=tuple(lines)), intents


def unbox(
    state: State, told: tuple[LineShipped, ...], policy: Policy, location: str
) -> tuple[State, list[Intent]]:
    """Boxes were emptied: what was beyond the order goes back to the shelf first, the rest to where it came from."""
    lines = list(state.lines)
    intents: list[Intent] = []
    rest: list[Told] = []
    for x in told:
        left = x.quantity.value
        for place in _shares(lines, x.line, x.item, location, x.lot):
            line, out = take_over_out(lines[place], left)
            lines[place] = line
            left -= out
            if out > ZERO:
                node = location or line.location or node_of(state, policy)
                at = StockPlace(x.item, node, line.lot, line.owner)
                intents.append(Move(at, "picked", "available", out, line.unit, "", line.line))
            if out > ZERO and line.over_shipped <= line.ordered * policy.over_ship_tolerance:
                intents.append(CloseCase(f"over-pick {line.line}", "it was taken out of the boxes"))
        rest.append(Told(x.line, x.item, left, x.lot))
    state, moves, _ = move_lines(
        replace(state, lines=tuple(lines)), rest, "allocated", location=location, ways=UNPACKED
    )
    return state, [*intents, *moves, *published(intents)]


def put_back(
    state: State, told: Iterable[LineShipped], policy: Policy, location: str
) -> tuple[State, list[Intent]]:
    """What was told to have left and did not: it is in its boxes, in the house."""
    lines = list(state.lines)
    moves: list[Intent] = []
    node = location or node_of(state, policy)
    for x in told:
        left = x.quantity.value
        for place in _shares(lines, x.line, x.item, location, x.lot):
            here = min(left, lines[place].shipped - lines[place].delivered)
            if here <= ZERO:
                continue
            line, _ = advance(lines[place], "picked", here, ("shipped",))
            lines[place] = line
            left -= here
            at = StockPlace(line.item, line.location or node, line.lot, line.owner)
            moves.append(Move(at, "outside", "picked", here, line.unit, "", line.kit_of or line.line))
    return replace(state, lines=tuple(lines)), moves


def _over_case(state: State, line: Line, quantity: Decimal, policy: Policy) -> OpenCase:
    over = f"{quantity.normalize():f} {line.unit}"
    return OpenCase(
        f"over-pick/{state.reference}/{line.line}", "value", "over-pick",
        f"Order {state.number}: {over} of {line.item} more than ordered are in the boxes",
        f"More than the tolerance of {(policy.over_ship_tolerance * 100).normalize():f} %. Take them out before the truck leaves, or agree"
        " with the customer on keeping them.",
        "warehouse", f"over-pick {line.line}",
    )  # fmt: skip


def _instead(
    state: State, x: LineShipped, target: Boxed, policy: Policy, location: str
) -> tuple[State, list[Intent]]:
    """Another item for the line: the ordered one stays on the shelf, the link to the line stays for ever."""
    quantity = x.quantity.value
    original = next(line for line in state.lines if line.line == x.line and not line.instead_of)
    state, intents, _ = move_lines(
        state, [Told(x.line, original.item, quantity)], "substituted_out", location=location
    )
    made = substitute(original, x.item, quantity, target)
    made = replace(made, location=location or original.location, lot=x.lot, owner=state.owner)
    at = StockPlace(x.item, made.location or node_of(state, policy), made.lot, made.owner)
    intents.append(Move(at, "available", GOAL_OF[target], quantity, made.unit, "", made.line))
    if policy.substitution == "refuse":
        intents.append(
            OpenCase(
                f"substitute/{state.reference}/{x.line}", "value", "substitution",
                f"Order {state.number}: {x.item} was packed in place of {original.item}",
                "Substitutes are not agreed. Have it packed again before the truck leaves, or ask the customer.",
                "warehouse", f"substitute {x.line}",
            )
        )  # fmt: skip
    return replace(state, lines=(*state.lines, made)), intents
