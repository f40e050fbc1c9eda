"""Drift made on purpose: a day of moves in another system's books and in the ledger, spoiled in known ways.

Seeded. It yields what a hub would see (a snapshot, the ledger's entries, two looks) and, apart from it, the truth: which
places differ, and why. It was written, and committed, before the classifier it is to judge.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from msgspec.structs import replace

from crossdock.model.drift import ZERO, Booked, Booking, Cause, Counted, Facts
from crossdock.model.stock import StockPlace

DAWN: Final = datetime(2026, 11, 25, tzinfo=UTC)
DAY_MINUTES: Final = 1440.0
LOOKS: Final = (2.0, 17.0)
"""Minutes after the last page: the second one is later than any event can be."""
ITEMS: Final = 60
MOVES: Final = 700
ROWS_PER_PAGE: Final = 10
MINUTES_PER_PAGE: Final = 0.2
FAULTS_EACH: Final = 3
CLAIMED: Final = Decimal(150)
"""What orders of the days before have set aside at each place; shipments come from it."""
WMS_FAULTS: Final[tuple[Cause, ...]] = (
    "lost_event", "duplicate", "wrong_unit", "wrong_item", "wrong_place", "hold", "claims_subtracted", "rounding",
    "unknown_item", "counted",
)  # fmt: skip
ERP_FAULTS: Final[tuple[Cause, ...]] = (
    "not_told", "duplicate", "wrong_unit", "wrong_item", "wrong_place", "hold", "rounding", "unknown_item", "counted",
)  # fmt: skip


@dataclass(slots=True)
class Change:
    """What a move does to one place."""

    place: StockPlace
    good: Decimal = ZERO
    held: Decimal = ZERO
    claimed: Decimal = ZERO


@dataclass(slots=True)
class Drift:
    """What the hub sees, and `truth`: why each place differs. `moving`: places with moves under way at the snapshot."""

    system: str
    counted: list[Counted]
    opening: dict[StockPlace, Booked]
    bookings: list[Booking]
    looks: list[tuple[datetime, Facts]]
    truth: dict[StockPlace, Cause]
    moving: set[StockPlace]


@dataclass(slots=True)
class World:
    """Their books, our entries, and what was spoiled."""

    dice: random.Random
    system: Literal["wms", "erp"]
    opening: dict[StockPlace, Booked] = field(default_factory=dict)
    units: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    theirs: list[tuple[float, Change, int]] = field(default_factory=list)
    """(minute, change, the event that told of it or 0 where none did)"""
    bookings: list[Booking] = field(default_factory=list)
    sequence: int = 0
    lost: set[int] = field(default_factory=set)
    truth: dict[StockPlace, Cause] = field(default_factory=dict)
    claims_hidden: set[StockPlace] = field(default_factory=set)


def make(seed: int, system: Literal["wms", "erp"]) -> Drift:
    """One day of one warehouse (or of the ERP that follows it), spoiled and compared at midnight."""
    world = World(random.Random(f"{system}/{seed}"), system)
    _stock_up(world)
    ruined = _choose(world)
    end = DAY_MINUTES + 30
    minutes = sorted(world.dice.triangular(0, end, DAY_MINUTES) for _ in range(MOVES))
    for minute in minutes:
        _move(world, minute, None)
    for place, cause in ruined:
        _ruin(world, place, cause)
    return _seen(world)


def _stock_up(world: World) -> None:
    """Places of items in pieces or kilograms, some with lots, some with owners."""
    dice = world.dice
    for n in range(ITEMS):
        item = f"ITEM-{n:03}"
        unit = "KGM" if n % 6 == 5 else "EA"
        world.units[item] = {unit: Decimal(1), "CS": Decimal(dice.choice([6, 10, 12, 24]))}
        lots = ["L1", "L2"] if dice.random() < 0.4 else [""]
        owner = "OWNER-2" if dice.random() < 0.1 else ""
        for lot in lots:
            place = StockPlace(item, "SITE1", lot, owner)
            good = _amount(world, unit, 200, 900)
            world.opening[place] = Booked(place, unit, good, Decimal(dice.choice([0, 0, 0, 4, 9])), CLAIMED)


def _amount(world: World, unit: str, low: int, high: int) -> Decimal:
    whole = Decimal(world.dice.randint(low, high))
    return whole + Decimal(world.dice.randint(0, 999)) / 1000 if unit == "KGM" else whole


def _choose(world: World) -> list[tuple[StockPlace, Cause]]:
    """Where what goes wrong; each place has one fault, in the two-sided ones the other side is kept free as well."""
    dice = world.dice
    faults = WMS_FAULTS if world.system == "wms" else ERP_FAULTS
    free = list(world.opening)
    dice.shuffle(free)
    chosen: list[tuple[StockPlace, Cause]] = []
    for cause in faults:
        for _ in range(dice.randint(1, FAULTS_EACH)):
            fitting = [place for place in free if _fits(world, place, cause)]
            if fitting:
                chosen.append((fitting[0], cause))
                world.truth[fitting[0]] = cause
                taken = {p for p in free if p.item == fitting[0].item}
                free = [p for p in free if p not in taken]
    return chosen


def _fits(world: World, place: StockPlace, cause: Cause) -> bool:
    match cause:
        case "wrong_place":
            return place.lot == "L1" and not place.owner
        case "rounding":
            return world.opening[place].unit == "KGM"
        case "wrong_unit":
            return world.opening[place].unit == "EA"
    return True


def _move(world: World, minute: float, place: StockPlace | None) -> int:
    """A move that both sides take as it is; its place in the list of bookings."""
    dice = world.dice
    place = place or dice.choice(list(world.opening))
    unit = world.opening[place].unit
    kind = dice.choices(["ship", "receive", "allocate", "adjust", "hold"], [45, 15, 25, 8, 7])[0]
    quantity = min(_amount(world, unit, 1, 12 if kind != "receive" else 60), Decimal(60))
    change = {
        "ship": Change(place, good=-quantity, claimed=-quantity), "receive": Change(place, good=quantity),
        "allocate": Change(place, claimed=min(quantity, Decimal(3))),
        "adjust": Change(place, good=dice.choice([-1, 1]) * min(quantity, Decimal(4))),
        "hold": Change(place, good=-min(quantity, Decimal(5)), held=min(quantity, Decimal(5))),
    }[kind]  # fmt: skip
    world.sequence += 1
    world.theirs.append((minute, change, world.sequence))
    return _book(world, minute, change, f"{kind}/{world.sequence}")


def _book(world: World, minute: float, change: Change, document: str, sequence: int = 0) -> int:
    """The ledger's entry. From a warehouse: after the event's way here. Towards an ERP: told later, if at all."""
    dice = world.dice
    late = min(8.0, dice.expovariate(6.0) if dice.random() < 0.9 else dice.uniform(0.5, 8.0))
    heard = DAWN + timedelta(minutes=minute + late)
    entry = len(world.bookings) + 1
    if world.system == "wms":
        number = sequence or world.sequence
        world.bookings.append(
            Booking(entry, change.place, change.good, change.held, change.claimed, document, heard, number)
        )
        return entry - 1
    # The ledger knows first; the ERP hears of it within the call, whose answer comes a moment later.
    recorded = DAWN + timedelta(minutes=minute) - timedelta(minutes=late)
    moved = change.good or change.held
    sent, settled = recorded + timedelta(minutes=late * 0.9), DAWN + timedelta(minutes=minute + 0.02)
    attempts = 2 if dice.random() < 0.03 else 1
    world.bookings.append(
        Booking(
            entry, change.place, change.good, change.held, change.claimed, document, recorded, None, "done" if moved else "",
            attempts, sent if moved else None, settled if moved else None,
        )
    )  # fmt: skip
    return entry - 1


def _ruin(world: World, place: StockPlace, cause: Cause) -> None:
    """One fault at the place, some time of the day, so that other moves come before and after it."""
    minute = world.dice.uniform(60, DAY_MINUTES - 30)
    match cause:
        case "counted":
            change = Decimal(world.dice.choice([-1, 1]) * world.dice.randint(1, 15))
            world.theirs.append((minute, Change(place, good=change), 0))
        case "hold":
            quantity = Decimal(world.dice.randint(1, 15))
            world.theirs.append((minute, Change(place, good=-quantity, held=quantity), 0))
        case "rounding":
            off = Decimal(world.dice.choice([-1, 1]) * world.dice.randint(1, 9)) / 1000
            world.theirs.append((minute, Change(place, good=off), 0))
        case "claims_subtracted":
            world.claims_hidden.add(place)
            _ruin_claims(world, place, minute)
        case "unknown_item":
            _ruin_unknown(world, place, minute)
        case _:
            _ruin_move(world, place, cause, minute)


def _ruin_claims(world: World, place: StockPlace, minute: float) -> None:
    """Something is surely set aside."""
    change = Change(place, claimed=Decimal(world.dice.randint(2, 9)))
    world.sequence += 1
    world.theirs.append((minute, change, world.sequence))
    _book(world, minute, change, f"allocate/{world.sequence}")


def _ruin_unknown(world: World, place: StockPlace, minute: float) -> None:
    """Goods of an item that was never defined here; the truth stands at its own place."""
    del world.truth[place]
    stranger = StockPlace(f"NEW-{place.item}", place.location)
    world.truth[stranger] = "unknown_item"
    quantity = Decimal(world.dice.randint(1, 50))
    world.sequence += 1
    world.theirs.append((minute, Change(stranger, good=quantity), world.sequence))


def _ruin_move(world: World, place: StockPlace, cause: Cause, minute: float) -> None:
    """A shipment or receipt that one side took otherwise than the other."""
    dice = world.dice
    quantity = Decimal(dice.randint(1, 15))
    good = quantity if dice.random() < 0.5 else -quantity
    world.sequence += 1
    number, document = world.sequence, f"{'receive' if good > 0 else 'ship'}/{world.sequence}"
    claimed = min(good, ZERO)
    theirs, ours = Change(place, good=good, claimed=claimed), [Change(place, good=good, claimed=claimed)]
    match cause:
        case "lost_event":
            ours = []
            world.lost.add(number)
        case "not_told":
            at = _book(world, minute, ours[0], document)
            world.bookings[at] = _untold(world, world.bookings[at])
            return
        case "duplicate" if world.system == "wms":
            ours = ours * 2
        case "duplicate":
            theirs = Change(place, good=good * 2, claimed=claimed)
        case "wrong_unit":
            factor = world.units[place.item]["CS"]
            cases = Change(place, good=good * factor, claimed=claimed * factor)
            pieces = Change(place, good=good, claimed=claimed)
            theirs, ours = (cases, [pieces]) if dice.random() < 0.7 else (pieces, [cases])
        case "wrong_item":
            ours = [Change(_other_item(world, place), good=good, claimed=claimed)]
        case "wrong_place":
            ours = [Change(StockPlace(place.item, place.location, "L2"), good=good, claimed=claimed)]
    world.theirs.append((minute, theirs, number))
    for change in ours:
        if change.place != place:
            world.truth[change.place] = cause
        at = _book(world, minute, change, document, number)
        if cause == "duplicate" and world.system == "erp":
            world.bookings[at] = _tried_twice(world.bookings[at])


def _untold(world: World, booking: Booking) -> Booking:
    return replace(booking, told=world.dice.choice(["refused", ""]), settled_at=None, sent_at=None)


def _tried_twice(booking: Booking) -> Booking:
    return replace(booking, attempts=2)


def _other_item(world: World, place: StockPlace) -> StockPlace:
    """A place of an item nothing else is wrong with."""
    spoiled = {p.item for p in world.truth}
    free = [
        p
        for p in world.opening
        if p.item not in spoiled and world.opening[p].unit == world.opening[place].unit
    ]
    return world.dice.choice(free)


def _seen(world: World) -> Drift:
    """The snapshot, page by page while moves go on, and the two looks."""
    places = sorted({*world.opening, *world.truth}, key=lambda p: (p.item, p.location, p.lot, p.owner))
    order = sorted(world.theirs, key=lambda one: one[0])
    if world.system == "wms":
        order = world.theirs = _renumbered(world, order)
    counted = []
    for n, place in enumerate(places):
        minute = DAY_MINUTES + n // ROWS_PER_PAGE * MINUTES_PER_PAGE
        counted.append(_row(world, place, minute, [one for one in order if one[0] <= minute]))
    ends = DAY_MINUTES + len(places) / ROWS_PER_PAGE * MINUTES_PER_PAGE
    looks = []
    for after in LOOKS:
        at = DAWN + timedelta(minutes=ends + after)
        looks.append(
            (
                at,
                _facts(
                    world, at, max((row.watermark or 0 for row in counted), default=0), after == LOOKS[-1]
                ),
            )
        )
    moving = {
        b.place for b in world.bookings
        if abs((b.recorded_at - DAWN).total_seconds() / 60 - DAY_MINUTES) < 10 and b.place not in world.truth
    }  # fmt: skip
    return Drift(world.system, counted, world.opening, world.bookings, looks, world.truth, moving)


def _renumbered(world: World, order: list[tuple[float, Change, int]]) -> list[tuple[float, Change, int]]:
    """A warehouse numbers its events as they happen."""
    numbers = {old: new for new, old in enumerate((one[2] for one in order if one[2]), 1)}
    world.bookings = [replace(b, sequence=numbers[b.sequence or 0]) for b in world.bookings]
    world.lost = {numbers[old] for old in world.lost}
    return [(minute, change, numbers.get(old, 0)) for minute, change, old in order]


def _row(world: World, place: StockPlace, minute: float, before: list[tuple[float, Change, int]]) -> Counted:
    opening = world.opening.get(place) or Booked(place, "EA")
    mine = [(change, number) for _, change, number in before if change.place == place]
    good = opening.good + sum((c.good for c, _ in mine), ZERO)
    claimed = opening.claimed + sum((c.claimed for c, _ in mine), ZERO)
    held = opening.held + sum((c.held for c, _ in mine), ZERO)
    wms = world.system == "wms"
    return Counted(
        place, opening.unit, good - claimed if place in world.claims_hidden else good, held, DAWN + timedelta(minutes=minute),
        max((number for _, _, number in before), default=0) if wms else None,
        max((number for _, number in mine), default=0) if wms else None, claimed if wms else None,
    )  # fmt: skip


def _facts(world: World, at: datetime, watermark: int, final: bool) -> Facts:
    missing: frozenset[int] = frozenset()
    if world.system == "wms":
        came = {b.sequence for b in world.bookings if b.recorded_at <= at}
        told = set(range(1, watermark + 1))
        # What nobody could book has come all the same: its message is kept.
        strangers = {n for _, c, n in world.theirs if c.place.item.startswith("NEW-")}
        missing = frozenset(told - came - strangers)
    return Facts(missing, not final, world.units, frozenset(world.units))
