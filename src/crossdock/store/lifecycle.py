"""What can be done with a claim that is there: posted, released, extended, changed, moved to another node, expired.

Pure on a locked claim and locked balances. Each either happens whole or says what is in its way, and then nothing moved.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from crossdock.model.quantity import Quantity
from crossdock.model.stock import Bucket, ClaimLine, StockPlace
from crossdock.processes.intents import Claim, ClaimKind
from crossdock.store.held import ZERO, Held, HeldLine
from crossdock.store.stock import Cause, Settled, enter, set_aside
from crossdock.store.taking import serve


@dataclass(frozen=True, slots=True)
class Part:
    """So much of an item in a line, in the item's base unit; an empty item is whatever the line holds."""

    line: str
    quantity: Decimal
    item: str = ""


@dataclass(frozen=True, slots=True)
class Lacking:
    """What was wanted of a line, and what there was."""

    line: str
    item: str
    wanted: Decimal
    available: Decimal


Outcome = tuple[Lacking, ...]
"""Empty where it was done."""


def end(settled: Settled, held: Held, parts: Sequence[Part] | None, target: Bucket, cause: Cause) -> Outcome:
    """Post (to any bucket but `available`) or release parts of it; None is all that is open."""
    if parts is None:
        parts = _open_parts(held)
    lacking = _lacking(held, parts)
    if lacking:
        return lacking
    for part in parts:
        left = part.quantity
        for share in _shares(held, part):
            here = min(left, share.open)
            if here > ZERO:
                left -= here
                _leave(settled, held, share, here, target, cause)
    held.settle_state()
    return ()


def expire(settled: Settled, held: Held, cause: Cause) -> None:
    """What is open goes back by itself."""
    for share in held.lines:
        if share.open > ZERO:
            _leave(settled, held, share, share.open, "available", cause)
    held.settle_state(expired=True)


def _leave(settled: Settled, held: Held, share: HeldLine, quantity: Decimal, target: Bucket, cause: Cause) -> None:  # fmt: skip
    enter(settled, settled.balances[share.key], (held.bucket, target), quantity, cause)
    if target == "available":
        share.released += quantity
    else:
        share.posted += quantity
    share.changed = True


def change_kind(settled: Settled, held: Held, kind: ClaimKind, cause: Cause) -> None:
    """Soft becomes firm, or the other way round."""
    if kind == held.kind:
        return
    before, held.kind = held.bucket, kind
    held.changed = True
    for share in held.lines:
        if share.open > ZERO:
            enter(settled, settled.balances[share.key], (before, held.bucket), share.open, cause)


def change(settled: Settled, held: Held, wanted: Sequence[Part], more: Claim, cause: Cause) -> Outcome:
    """Lines shall hold these quantities, counting what is posted or released already.

    `more` says how to serve what is added: it is the claim as asked, with what each line lacks. A line that got nothing
    has no node to grow at.
    """
    lacking = tuple(
        Lacking(part.line, part.item, part.quantity, _ended(held, part))
        for part in wanted
        if part.quantity < _ended(held, part) or not _shares(held, part)
    )
    if lacking:
        return lacking
    if more.lines:
        served, missing = serve(settled.shelves, more)
        if missing:
            return _missed(more, missing)
        set_aside(settled, held, served, cause)
    for part in wanted:
        surplus = sum((x.quantity for x in _shares(held, part)), ZERO) - part.quantity
        for share in reversed(_shares(held, part)):
            here = min(surplus, share.open)
            if here > ZERO:
                surplus -= here
                enter(settled, settled.balances[share.key], (held.bucket, "available"), here, cause)
                share.quantity -= here
                share.changed = True
    held.settle_state()
    return ()


def transfer(settled: Settled, held: Held, from_node: str, more: Claim, cause: Cause) -> Outcome:
    """What `more` asks for at its node is set aside there, and as much given back at the other node."""
    served, missing = serve(settled.shelves, more)
    if missing:
        return _missed(more, missing)
    for line in more.lines:
        left = line.quantity.value
        for share in held.lines:
            if (share.line, share.key[0], share.key[1]) != (line.line, line.place.item, from_node):
                continue
            here = min(left, share.open)
            if here > ZERO:
                left -= here
                enter(settled, settled.balances[share.key], (held.bucket, "available"), here, cause)
                share.quantity -= here
                share.changed = True
        assert left == ZERO, f"claim {held.id} holds less at {from_node} than is moved"
    set_aside(settled, held, served, cause)
    held.settle_state()
    return ()


def moved(
    held: Held, from_node: str, to_node: str, parts: Sequence[Part] | None
) -> tuple[tuple[ClaimLine, ...], Outcome]:
    """(what a transfer asks for at the other node, what the claim lacks of it at this one)."""
    here = Held(held.id, held.thread, held.thread_key, held.kind, held.state)
    here.lines = [x for x in held.lines if x.key[1] == from_node]
    wanted = parts if parts is not None else _open_parts(here)
    lacking = _lacking(here, wanted)
    if lacking:
        return (), lacking
    lines: dict[tuple[str, str, str], tuple[StockPlace, Decimal]] = {}
    for part in wanted:
        left = part.quantity
        for share in _shares(here, part):
            quantity = min(left, share.open)
            if quantity > ZERO:
                left -= quantity
                item, _, _, owner, possessor = share.key
                unit = share.unit
                place = StockPlace(item, to_node, "", owner, possessor)
                known = lines.get((share.line, item, unit), (place, ZERO))
                lines[share.line, item, unit] = (place, known[1] + quantity)
    return tuple(
        ClaimLine(line, place, Quantity(q, unit)) for (line, _, unit), (place, q) in lines.items()
    ), ()


def added(held: Held, wanted: Sequence[Part]) -> tuple[ClaimLine, ...]:
    """What lines lack to hold these quantities, to be served where the line is served already."""
    lines = []
    for part in wanted:
        shares = _shares(held, part)
        lack = part.quantity - sum((x.quantity for x in shares), ZERO)
        if shares and lack > ZERO:
            item, location, _, owner, possessor = shares[0].key
            place = StockPlace(item, location, "", owner, possessor)
            lines.append(ClaimLine(part.line, place, Quantity(lack, shares[0].unit)))
    return tuple(lines)


def _shares(held: Held, part: Part) -> list[HeldLine]:
    return [x for x in held.lines if x.line == part.line and part.item in ("", x.key[0])]


def _ended(held: Held, part: Part) -> Decimal:
    return sum((x.posted + x.released for x in _shares(held, part)), ZERO)


def _open_parts(held: Held) -> list[Part]:
    open_: dict[tuple[str, str], Decimal] = {}
    for x in held.lines:
        if x.open > ZERO:
            open_[x.line, x.key[0]] = open_.get((x.line, x.key[0]), ZERO) + x.open
    return [Part(line, quantity, item) for (line, item), quantity in open_.items()]


def _lacking(held: Held, parts: Iterable[Part]) -> Outcome:
    """Parts of one line add up."""
    wanted: dict[tuple[str, str], Decimal] = {}
    for part in parts:
        wanted[part.line, part.item] = wanted.get((part.line, part.item), ZERO) + part.quantity
    found = []
    for (line, item), quantity in wanted.items():
        here = sum((x.open for x in _shares(held, Part(line, quantity, item))), ZERO)
        if here < quantity:
            found.append(Lacking(line, item, quantity, here))
    return tuple(found)


def _missed(asked: Claim, missing: Iterable[ClaimLine]) -> Outcome:
    wanted = {(x.line, x.place.item): x.quantity.value for x in asked.lines}
    return tuple(
        Lacking(x.line, x.place.item, wanted[x.line, x.place.item], wanted[x.line, x.place.item] - x.quantity.value)
        for x in missing
    )  # fmt: skip
