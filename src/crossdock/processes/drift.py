"""Compares another system's stock with the ledger at the same watermark, and names why a place differs.

Pure. What one side has heard of and the other has not yet is taken out first: it is listed, and is no difference.
A difference that may still be a message on its way is not named before `Facts.patient` ends.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from typing import Final

import msgspec

from crossdock.model.drift import ZERO, Booked, Booking, Cause, Counted, Facts
from crossdock.model.stock import StockPlace

UNSURE_MAX: Final = 8
"""Moves whose posting was under way while the row was read: more of them are not tried in every combination."""
READING: Final = timedelta(seconds=5)
"""So long before its answer a page may have been read."""
MEASURED: Final = frozenset({"KGM", "GRM", "LTR", "MTR", "MTK", "MTQ"})
"""Units that are measured; everything else is counted in whole ones."""
ROUNDING: Final = Decimal("0.01")
"""So much of a measured unit is the doing of a conversion."""


class Gap(msgspec.Struct, frozen=True):
    """One place where the two differ at the watermark: theirs less ours."""

    counted: Counted
    booked: Booked
    """As of the watermark."""
    good: Decimal
    held: Decimal
    claimed: Decimal = ZERO
    """Of what is set aside, where they say how much that is."""
    bookings: tuple[Booking, ...] = ()
    """What was booked there since the two last agreed, up to the watermark."""
    under_way: tuple[Booking, ...] = ()

    @property
    def total(self) -> Decimal:
        return self.good + self.held


class Difference(msgspec.Struct, frozen=True):
    """`good` and `held`: theirs less ours, in `unit`. `evidence` are sentences that say what was found."""

    place: StockPlace
    unit: str
    cause: Cause
    good: Decimal
    held: Decimal
    evidence: tuple[str, ...] = ()
    recalled: bool = False
    """The ledger holds it for good; they have to hold it as well."""


class Compared(msgspec.Struct, frozen=True):
    """`waiting`: differences that may still be messages on their way. `under_way`: moves one side has not heard of yet."""

    differences: tuple[Difference, ...]
    waiting: tuple[Difference, ...]
    under_way: tuple[Booking, ...]


def gap(counted: Counted, booked: Booked | None, bookings: Sequence[Booking]) -> Gap | None:
    """Where the two differ at the row's watermark, or None. `booked` is the ledger now, `bookings` the place's entries."""
    ours = booked or Booked(counted.place, counted.unit)
    ahead = tuple(b for b in bookings if _ahead(b, counted))
    at = msgspec.structs.replace(
        ours, good=ours.good - sum((b.good for b in ahead), ZERO), held=ours.held - sum((b.held for b in ahead), ZERO),
        claimed=ours.claimed - sum((b.claimed for b in ahead), ZERO),
    )  # fmt: skip
    good, held = counted.good - at.good, counted.held - at.held
    unsure = [b for b in bookings if b not in ahead and _unsure(b, counted)]
    if not good and not held:
        return None
    for some in range(1, min(len(unsure), UNSURE_MAX) + 1):
        for chosen in combinations(unsure[:UNSURE_MAX], some):
            if sum((b.good for b in chosen), ZERO) == -good and sum((b.held for b in chosen), ZERO) == -held:
                return None
    known = tuple(b for b in bookings if b not in ahead)
    claimed = ZERO if counted.claimed is None else counted.claimed - at.claimed
    return Gap(counted, at, good, held, claimed, known, ahead)


def _ahead(booking: Booking, counted: Counted) -> bool:
    """The ledger knew it before their row did."""
    if counted.watermark is not None:
        return booking.sequence is not None and booking.sequence > counted.watermark
    if booking.told == "open":
        return booking.sent_at is None or booking.sent_at > counted.read_at
    return booking.told == "done" and booking.sent_at is not None and booking.sent_at > counted.read_at


def _unsure(booking: Booking, counted: Counted) -> bool:
    """It was being told while the row was read: either answer is right."""
    if counted.watermark is not None or booking.told not in ("open", "done") or booking.sent_at is None:
        return False
    began = counted.read_at - READING
    return booking.sent_at <= counted.read_at and (booking.settled_at is None or booking.settled_at >= began)


def compare(gaps: Iterable[Gap], facts: Facts) -> Compared:
    """Name every gap. Those that nothing explains while messages are on their way are `waiting`."""
    found = list(gaps)
    others = _by_item(found)
    differences: list[Difference] = []
    waiting: list[Difference] = []
    unexplained: list[Gap] = []
    for one in found:
        named = _named(one, others, facts)
        if named is None:
            unexplained.append(one)
        else:
            differences.append(named)
    swapped = _wrong_items(unexplained)
    differences += swapped
    places = {d.place for d in swapped}
    unexplained = [one for one in unexplained if one.counted.place not in places]
    lost = _lost(unexplained, differences, facts)
    for one in unexplained:
        if facts.patient and facts.missing:
            waiting.append(
                _difference(one, "in_flight", f"{len(facts.missing)} of their events are still on their way")
            )
        elif one.counted.place in lost:
            differences.append(
                _difference(one, "lost_event", f"{len(facts.missing)} of their events never came")
            )
        else:
            differences.append(_difference(one, "counted", "nothing that was booked or told explains it"))
    under_way = tuple(b for one in found for b in one.under_way)
    return Compared(tuple(differences), tuple(waiting), under_way)


def _difference(one: Gap, cause: Cause, *evidence: str) -> Difference:
    return Difference(one.counted.place, one.counted.unit, cause, one.good, one.held, evidence)


def _by_item(gaps: Iterable[Gap]) -> Mapping[str, list[Gap]]:
    found: dict[str, list[Gap]] = {}
    for one in gaps:
        found.setdefault(one.counted.place.item, []).append(one)
    return found


def _named(one: Gap, others: Mapping[str, list[Gap]], facts: Facts) -> Difference | None:
    """The most telling explanation first; each must account for the whole difference."""
    return (
        _unknown_item(one, facts)
        or _rounding(one)
        or _held(one)
        or _wrong_place(one, others)
        or _not_told(one)
        or _duplicate(one)
        or _last_change_lost(one, facts)
        or _claims(one)
        or _wrong_unit(one, facts)
    )


def _unknown_item(one: Gap, facts: Facts) -> Difference | None:
    item = one.counted.place.item
    if item in facts.items or one.bookings or one.booked.good or one.booked.held:
        return None
    return _difference(one, "unknown_item", f"nobody defined {item}, and nothing was ever booked of it")


def _rounding(one: Gap) -> Difference | None:
    largest = max(abs(one.good), abs(one.held))
    broken = one.good % 1 or one.held % 1
    if largest <= ROUNDING if one.counted.unit in MEASURED else (broken and largest < 1):
        return _difference(
            one, "rounding", f"{largest} {one.counted.unit} is less than a conversion can keep"
        )
    return None


def _held(one: Gap) -> Difference | None:
    if one.total or not one.held:
        return None
    if one.booked.recalled and one.held < 0:
        said = (
            f"the lot is recalled, and the other side does not hold {abs(one.held)} of it: have it held there"
        )
        return msgspec.structs.replace(_difference(one, "hold", said), recalled=True)
    where = "holds" if one.held > 0 else "released"
    return _difference(
        one, "hold", f"the total agrees; the other side {where} {abs(one.held)} that the ledger does not"
    )


def _wrong_place(one: Gap, others: Mapping[str, list[Gap]]) -> Difference | None:
    """The item's other places make up for it, to the last piece."""
    for other in others[one.counted.place.item]:
        if other is not one and other.counted.unit == one.counted.unit and other.total == -one.total != 0:
            at = " ".join(
                x
                for x in (other.counted.place.location, other.counted.place.lot, other.counted.place.owner)
                if x
            )
            return _difference(one, "wrong_place", f"{at} differs by the opposite")
    return None


def _not_told(one: Gap) -> Difference | None:
    """Some of our moves never got there; together they are the difference."""
    silent = [
        b
        for b in one.bookings
        if b.told == "refused" or (b.told == "" and b.sequence is None and (b.good or b.held))
    ]
    for some in range(1, min(len(silent), 3) + 1):
        for chosen in combinations(silent[:12], some):
            if (
                sum((b.good for b in chosen), ZERO) == -one.good
                and sum((b.held for b in chosen), ZERO) == -one.held
            ):
                why = "was refused there" if chosen[0].told == "refused" else "was never sent there"
                return _difference(
                    one, "not_told", *(f"entry {b.entry} ({b.document}) {why}" for b in chosen)
                )
    return None


def _duplicate(one: Gap) -> Difference | None:
    """We booked a document twice alike, or told them twice because the first answer was lost."""
    seen: dict[tuple[str, Decimal, Decimal], Booking] = {}
    for b in one.bookings:
        first = seen.setdefault((b.document, b.good, b.held), b)
        if first is not b and (b.good, b.held) == (-one.good, -one.held):
            return _difference(
                one, "duplicate", f"entries {first.entry} and {b.entry} book {b.document} alike"
            )
    for b in one.bookings:
        if b.told == "done" and b.attempts > 1 and (b.good, b.held) == (one.good, one.held):
            return _difference(
                one, "duplicate", f"entry {b.entry} ({b.document}) was told them in {b.attempts} attempts"
            )
    return None


def _last_change_lost(one: Gap, facts: Facts) -> Difference | None:
    last = one.counted.last_change
    if last is None or last not in facts.missing or facts.patient:
        return None
    return _difference(one, "lost_event", f"their last event about it, number {last}, never came")


def _claims(one: Gap) -> Difference | None:
    if not one.held and one.booked.claimed > 0 and one.good == -one.booked.claimed:
        return _difference(
            one,
            "claims_subtracted",
            f"their number lacks exactly the {one.booked.claimed} that are set aside",
        )
    return None


def _wrong_items(gaps: Sequence[Gap]) -> list[Difference]:
    """Pairs of items that differ by the opposite, where one has a booking of that size that belongs to the other.

    A place is in one pair only; what their last events prove goes before what merely fits.
    """
    by_size: dict[tuple[str, Decimal, Decimal], list[Gap]] = {}
    for one in gaps:
        by_size.setdefault((one.counted.unit, one.good, one.held), []).append(one)
    pairs: list[tuple[int, Gap, Gap, Booking]] = []
    for here in gaps:
        for there in by_size.get((here.counted.unit, -here.good, -here.held), ()):
            if there.claimed == -here.claimed and there.counted.place.item != here.counted.place.item:
                found = _misplaced(here, there)
                if found is not None:
                    pairs.append((found[0], here, there, found[1]))
    pairs.sort(key=lambda pair: -pair[0])
    taken: set[StockPlace] = set()
    named = []
    for _, here, there, b in pairs:
        if taken.isdisjoint((here.counted.place, there.counted.place)):
            taken |= {here.counted.place, there.counted.place}
            for one, other in ((here, there), (there, here)):
                fits = (
                    f"{other.counted.place.item} differs by the opposite; entry {b.entry} ({b.document}) fits"
                )
                named.append(_difference(one, "wrong_item", fits))
    return named


def _misplaced(here: Gap, there: Gap) -> tuple[int, Booking] | None:
    """What was booked here and, for all they say of their last events, happened there; 2 where it can be nowhere else."""
    for b in here.bookings:
        if not b.good or b.good != -here.good:
            continue
        if b.sequence is None or here.counted.last_change is None or there.counted.last_change is None:
            return 1, b
        if b.sequence != here.counted.last_change and b.sequence <= there.counted.last_change:
            certain = b.sequence > here.counted.last_change or b.sequence == there.counted.last_change
            return 2 if certain else 1, b
    return None


def _wrong_unit(one: Gap, facts: Facts) -> Difference | None:
    """A move counts so many times too little or too much as a unit of the item holds."""
    if one.held:
        return None
    for unit, factor in facts.units.get(one.counted.place.item, {}).items():
        if factor == 1:
            continue
        for b in reversed(one.bookings):
            if b.good and one.good in (b.good * factor - b.good, b.good / factor - b.good):
                return _difference(
                    one,
                    "wrong_unit",
                    f"entry {b.entry} ({b.document}) of {b.good} fits with {factor} to the {unit}",
                )
    return None


def _lost(unexplained: Sequence[Gap], named: Sequence[Difference], facts: Facts) -> frozenset[StockPlace]:
    """Which of the unexplained ones the remaining missing events can account for, the likeliest first."""
    left = len(facts.missing) - sum(1 for d in named if d.cause == "lost_event")
    first = min(facts.missing, default=0)
    able = [g for g in unexplained if g.counted.last_change is None or g.counted.last_change >= first]
    able.sort(key=lambda one: (-_like_a_move(one), -len(one.bookings)))
    return frozenset(one.counted.place for one in able[: max(0, left)])


def _like_a_move(one: Gap) -> int:
    """A shipment takes what was set aside; a receipt adds and takes nothing; a count just takes or adds."""
    if one.good < 0:
        return 2 if one.claimed == one.good else 0
    return 1 if not one.claimed else 0
