"""Which balances serve a claim, and what is missing: nodes in their order, lots by expiry, kits whole. Pure.

Lines of one claim share what there is: the demand of a component is summed before it is granted.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Protocol

import msgspec

from crossdock.model.quantity import Quantity
from crossdock.model.stock import ClaimLine, StockPlace
from crossdock.processes.intents import Claim
from crossdock.store.held import ZERO, Key, key_of

Served = tuple[tuple[ClaimLine, ...], tuple[ClaimLine, ...]]
"""(the lines that are served, by place; what is missing, by the places they named)"""
replace = msgspec.structs.replace


class Shelf(Protocol):
    """What a balance must say of itself."""

    @property
    def key(self) -> Key: ...
    @property
    def unit(self) -> str: ...
    @property
    def expires_on(self) -> date | None: ...
    @property
    def available(self) -> Decimal: ...


class Shelves:
    """Balances by key, and the lots of each place in the order in which they shall leave."""

    def __init__(self, balances: Mapping[Key, Shelf]) -> None:
        self.by_key = balances
        self._lots: dict[tuple[str, str, str, str], list[Shelf]] | None = None

    def lots(self, place: StockPlace) -> Iterable[Shelf]:
        """First expired first out; what never expires last."""
        if self._lots is None:
            self._lots = {}
            for shelf in sorted(self.by_key.values(), key=lambda x: (x.expires_on or date.max, x.key)):
                item, location, _, owner, possessor = shelf.key
                self._lots.setdefault((item, location, owner, possessor), []).append(shelf)
        return self._lots.get((place.item, place.location, place.owner, place.possessor), ())


class Taking:
    """One try at a claim: what it took is gone for its later lines, and for nobody else."""

    def __init__(self, shelves: Shelves, claim: Claim) -> None:
        self._shelves = shelves
        self._good_on = claim.good_on
        self._consigned = claim.consigned
        self._left: dict[Key, Decimal] = {}

    def _eligible(self, place: StockPlace) -> list[Shelf]:
        """Our own goods first: what is consigned is paid for when it is taken."""
        found = self._of_owner(place)
        for location, owner in self._consigned if not place.owner else ():
            if location == place.location:
                found += self._of_owner(replace(place, owner=owner))
        return found

    def _of_owner(self, place: StockPlace) -> list[Shelf]:
        if place.lot or self._good_on is None:
            shelf = self._shelves.by_key.get(key_of(place))
            found = [shelf] if shelf is not None else []
        else:
            found = list(self._shelves.lots(place))
        day = self._good_on
        return [x for x in found if day is None or x.expires_on is None or x.expires_on >= day]

    def _free(self, shelf: Shelf, unit: str) -> Decimal:
        if shelf.unit != unit:
            return ZERO
        return max(ZERO, self._left.setdefault(shelf.key, shelf.available))

    def available(self, line: ClaimLine) -> Decimal:
        return sum((self._free(x, line.quantity.unit) for x in self._eligible(line.place)), ZERO)

    def take(self, line: ClaimLine, wanted: Decimal) -> list[ClaimLine]:
        """Up to `wanted` of what a line asks for, at the place it names."""
        taken: list[ClaimLine] = []
        unit = line.quantity.unit
        for shelf in self._eligible(line.place):
            here = min(wanted, self._free(shelf, unit))
            if here > ZERO:
                self._left[shelf.key] -= here
                wanted -= here
                taken.append(ClaimLine(line.line, StockPlace(*shelf.key), Quantity(here, unit)))
            if wanted <= ZERO:
                break
        return taken


def serve(shelves: Shelves, claim: Claim) -> Served:
    """From the first node that has everything, else from as many as it takes."""
    if len(claim.lines) == 1 and len(claim.nodes) <= 1 and not claim.sets:
        return _single(shelves, claim)
    if len(claim.nodes) > 1:
        for node in claim.nodes:
            found = _try(shelves, claim, (node,))
            if not found[1]:
                return found
    return _try(shelves, claim, claim.nodes)


def _single(shelves: Shelves, claim: Claim) -> Served:
    """The same for one line at one place, which most claims are."""
    line = claim.lines[0]
    wanted = line.quantity.value
    if claim.nodes and claim.nodes[0] != line.place.location:
        line = replace(line, place=replace(line.place, location=claim.nodes[0]))
    taken = Taking(shelves, claim).take(line, wanted)
    if len(taken) == 1 and taken[0].quantity.value == wanted:
        return (taken[0],), ()
    lack = wanted - sum((x.quantity.value for x in taken), ZERO)
    asked = claim.lines[0]
    missing = (
        (ClaimLine(asked.line, asked.place, Quantity(lack, asked.quantity.unit)),) if lack > ZERO else ()
    )
    return tuple(taken), missing


def _try(shelves: Shelves, claim: Claim, nodes: tuple[str, ...]) -> Served:
    taking = Taking(shelves, claim)
    served: list[ClaimLine] = []
    missing: list[ClaimLine] = []
    kits = dict(claim.sets)
    for line in claim.lines:
        if line.line in kits:
            continue
        wanted = line.quantity.value
        for place in _places(line.place, nodes):
            if wanted <= ZERO:
                break
            taken = taking.take(replace(line, place=place), wanted)
            wanted -= sum((x.quantity.value for x in taken), ZERO)
            served += taken
        if wanted > ZERO:
            missing.append(ClaimLine(line.line, line.place, Quantity(wanted, line.quantity.unit)))
    for name, count in claim.sets:
        parts = [line for line in claim.lines if line.line == name]
        got, lacking = _kits(taking, parts, count, nodes)
        served += got
        missing += lacking
    return tuple(served), tuple(missing)


def _kits(taking: Taking, parts: list[ClaimLine], count: int, nodes: tuple[str, ...]) -> tuple[list[ClaimLine], list[ClaimLine]]:  # fmt: skip
    """Whole kits, each from one node; every component stands in `parts` once, with what all kits need of it."""
    each = [part.quantity.value / count for part in parts]
    assert all(one * count == part.quantity.value for one, part in zip(each, parts, strict=True)), parts
    served: list[ClaimLine] = []
    left = count
    for node in nodes or (None,):
        here = [
            part if node is None else replace(part, place=replace(part.place, location=node))
            for part in parts
        ]
        fits = min(int(taking.available(part) // one) for part, one in zip(here, each, strict=True))
        for part, one in zip(here, each, strict=True):
            if min(fits, left) > 0:
                served += taking.take(part, one * min(fits, left))
        left -= min(fits, left)
    missing = [
        replace(part, quantity=Quantity(one * left, part.quantity.unit))
        for part, one in zip(parts, each, strict=True)
        if left
    ]
    return served, missing


def _places(place: StockPlace, nodes: tuple[str, ...]) -> list[StockPlace]:
    return [replace(place, location=node) for node in nodes] or [place]
