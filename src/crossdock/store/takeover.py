"""An order takes over what its checkout claimed: whether it may, and which of its goods serve the order. Pure.

What was claimed for the order serves it first, where it lies, by the rules that serve any claim; the rest comes from what
is available, to which all that the order does not want is given back. See decision 0027.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple, Protocol

import msgspec

from crossdock.model.quantity import Quantity
from crossdock.model.stock import ClaimLine, StockPlace, TakenOver
from crossdock.processes.intents import Claim, Takes
from crossdock.store.held import ZERO, Held, HeldLine, Key, key_of
from crossdock.store.taking import Served, Shelf, Shelves, serve

replace = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class Lying:
    """A shelf as the order finds it."""

    key: Key
    unit: str
    expires_on: date | None
    available: Decimal


class Place(Shelf, Protocol):
    """What a balance must say of itself besides."""

    @property
    def recalled(self) -> bool: ...


def objection(takes: Takes, held: Held | None, order: str) -> TakenOver | None:
    """Why the claim cannot be taken over by this order (its thread); None where it can. Another channel learns nothing."""
    if held is None:
        return TakenOver(takes.claim, "unknown")
    if not held.channel or held.channel != takes.channel:
        return TakenOver(takes.claim, "other_channel")
    if held.taken_by not in ("", order):
        return TakenOver(takes.claim, "other_order")
    if held.ended:
        return TakenOver(takes.claim, "ended", state=held.state)
    return None


class Fit(NamedTuple):
    """`taken` is what of the served lines was claimed already, by balance."""

    served: tuple[ClaimLine, ...]
    missing: tuple[ClaimLine, ...]
    taken: dict[Key, Decimal]


def fit(claim: Claim, held: Held, balances: Mapping[Key, Place]) -> Fit:
    """How the order is served with the open goods of `held` and what is available; nothing moves.

    Goods of a recalled lot are not the order's to take: they are held once they are given back.
    """
    own = _own(held, balances)
    first, lacking = serve(Shelves(own), claim)
    rest = _rest(claim, lacking)
    taken = _by_place(first)
    more: Served = ((), ())
    if rest.lines:
        freed: dict[Key, Shelf] = dict(balances)
        for key, x in own.items():
            left = balances[key].available + x.available - taken.get(key, ZERO)
            freed[key] = Lying(key, x.unit, x.expires_on, left)
        more = serve(Shelves(freed), rest)
    served = _merged((*first, *more[0]))
    return Fit(served, more[1], {k: min(q, own[k].available) for k, q in _by_place(served).items() if k in own})  # fmt: skip


def end(held: Held, taken: Mapping[Key, Decimal]) -> list[tuple[HeldLine, Decimal, Decimal]]:
    """(share, what went to the order, what goes back) of all that was open; the claim has ended."""
    left = dict(taken)
    ended = []
    for share in held.lines:
        if share.open > ZERO:
            mine = min(share.open, left.get(share.key, ZERO))
            left[share.key] = left.get(share.key, ZERO) - mine
            back = share.open - mine
            share.posted += mine
            share.released += back
            share.changed = True
            ended.append((share, mine, back))
    held.settle_state()
    assert held.ended, held
    held.state = "taken_over"
    return ended


def _own(held: Held, balances: Mapping[Key, Place]) -> dict[Key, Lying]:
    """The claim's open goods as shelves of their own."""
    found: dict[Key, Lying] = {}
    for x in held.lines:
        balance = balances[x.key]
        if x.open > ZERO and not balance.recalled:
            before = found[x.key].available if x.key in found else ZERO
            found[x.key] = Lying(x.key, balance.unit, balance.expires_on, before + x.open)
    return found


def _rest(claim: Claim, lacking: tuple[ClaimLine, ...]) -> Claim:
    """The claim for what is still missing; of kits, as many whole ones."""
    kits = dict(claim.sets)
    wanted = {(x.line, x.place.item): x.quantity.value for x in claim.lines}
    sets = {
        x.line: int(kits[x.line] * x.quantity.value / wanted[x.line, x.place.item])
        for x in lacking
        if x.line in kits
    }
    return replace(claim, lines=lacking, sets=tuple(sets.items()))


def _by_place(lines: tuple[ClaimLine, ...]) -> dict[Key, Decimal]:
    found: dict[Key, Decimal] = {}
    for x in lines:
        key = key_of(x.place)
        found[key] = found.get(key, ZERO) + x.quantity.value
    return found


def _merged(lines: tuple[ClaimLine, ...]) -> tuple[ClaimLine, ...]:
    """One line for each line and place."""
    found: dict[tuple[str, StockPlace], ClaimLine] = {}
    for x in lines:
        before = found.get((x.line, x.place))
        whole = x.quantity.value + (before.quantity.value if before else ZERO)
        found[x.line, x.place] = replace(x, quantity=Quantity(whole, x.quantity.unit))
    return tuple(found.values())
