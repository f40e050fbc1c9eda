"""Stock of one item at one location, as the warehouse reports it; the quantities themselves stand in the ledger."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from crossdock.model.envelope import HUB, Recorded, first_told_as
from crossdock.model.movement import MovedLine
from crossdock.model.quantity import Quantity
from crossdock.model.serial import Did
from crossdock.model.stock import Bucket, Condition, LotRecalled, StockOpened, StockPlace, StockUnbooked
from crossdock.model.thread import reference_of
from crossdock.processes import adjusting, serial
from crossdock.processes.authority import not_theirs
from crossdock.processes.intents import CloseCase, Intent, Move, OpenCase, Publish, Step, Summary
from crossdock.processes.opening import mark
from crossdock.processes.policy import Policy

KIND = "stock"
VERSION = 1
OPENING: Final = "opening"
AVAILABLE: Final[Bucket] = "available"
UNBOOKED: Final = "unbooked/"
"""A case is linked so to an event whose move waits here to be booked."""
QUARANTINE: Final[Bucket] = "quarantine"
OUTSIDE: Final[Bucket] = "outside"
ZERO: Final = Decimal(0)
_BUCKETS: Final[dict[Condition, Bucket]] = {"good": AVAILABLE, "quarantine": QUARANTINE, "damaged": "damaged"}
_Way = tuple[Bucket, Bucket]
replace = msgspec.structs.replace


class Count(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A difference was settled at `settled_at`: what the system had said by its event `watermark`, or had happened by
    `read_at`, is in the number.
    """

    system: str
    read_at: datetime
    settled_at: datetime
    watermark: int | None = None


class Opening(msgspec.Struct, frozen=True, gc=False):
    """What a place was opened with, as `opening.mark` says it."""

    place: StockPlace
    mark: str


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    entries: int = 0
    published: str = ""
    counts: dict[str, Count] = {}
    """The last count of each lot and owner that the ledger followed."""
    openings: tuple[Opening, ...] = ()
    unbooked: tuple[StockUnbooked, ...] = ()
    """What came to no number of the unit that is kept here, as it was told."""


def initial(_thread: str) -> State:
    return State()


def step(state: State, event: Recorded, policy: Policy) -> Step:
    match event.type:
        case "stock.received.v1":
            moved = _moved(state, event, policy, event.data.quantity, (OUTSIDE, AVAILABLE))
            return _with_serials(moved, event, "received")
        case "stock.opened.v1":
            return _opened(state, event)
        case "stock.adjusted.v1":
            way = (OUTSIDE, _BUCKETS[event.data.condition])
            moved = _moved(state, event, policy, event.data.change, way)
            moved = _posted(moved, event, policy, event.data.serials)
            return _with_serials(moved, event, "found" if event.data.change.value > 0 else "gone")
        case "stock.reconciled.v1":
            return _reconciled(state, event, policy)
        case "stock.unbooked.v1":
            return _unbooked(state, event)
        case "stock.bookAgain.v1":
            return _book_again(state, event)
        case "stock.held.v1":
            held: Quantity = event.data.quantity
            way = (_BUCKETS[event.data.condition], AVAILABLE)
            moved = _moved(state, event, policy, replace(held, value=-held.value), way)
            return _posted(moved, event, policy)
        case "stock.releasedFromHold.v1":
            way = (_BUCKETS[event.data.condition], AVAILABLE)
            return _posted(_moved(state, event, policy, event.data.quantity, way), event, policy)
        case "stockAdjustment.posted.v1":
            return Step(state)
        case "stock.recalled.v1":
            return _recalled(state, event, policy)
        case "availability.changed.v1":
            return Step(state, (Publish(event.data.item, event.data.location),))
        case "availability.published.v1":
            return Step(replace(state, published=str(event.data.available)))
        case _:
            return Step(state, (), "ignored")


def _moved(state: State, event: Recorded, policy: Policy, change: Quantity, way: _Way) -> Step:
    """`change` goes this way; the other way round below zero."""
    place: StockPlace = event.data.place
    first = first_told_as(event.id)
    if change.value == 0 and not first:
        return Step(state, (), "ignored")
    if not policy.speaks_for(event.source, place.location):
        return Step(state, (not_theirs(event, "stock", place.location, policy),), "ignored")
    if first:
        return Step(state, (_told_otherwise(event, first, change),), "ignored")
    count = state.counts.get(_lot(place))
    if count is not None and _before(event, count):
        return _late(state, event, change, way, count)
    way = way if change.value > 0 else (way[1], way[0])
    expires_on = getattr(event.data, "expires_on", None)
    cost = getattr(event.data, "cost", None)
    move: Intent = Move(place, *way, abs(change.value), change.unit, expires_on=expires_on, cost=cost)
    return Step(replace(state, entries=state.entries + 1), (move, Publish(place.item, place.location)))


def _posted(moved: Step, event: Recorded, policy: Policy, serials: tuple[str, ...] = ()) -> Step:
    """The ERP is told as well; not of what a count has in it that it was told of already."""
    if any(isinstance(x, Move) and x.at is not None for x in moved.intents):
        return moved
    fact = adjusting.fact_of(event, event.data.reason, serials)
    return replace(moved, intents=(*moved.intents, *adjusting.posted(moved.intents, fact, policy)))


def _told_otherwise(event: Recorded, first: str, change: Quantity) -> OpenCase:
    """The same id with another content: a correction, or a mistake of the sender. Booked beside the first it would count twice."""
    place: StockPlace = event.data.place
    return OpenCase(
        f"told-otherwise/{event.source}/{place.location}", "duplicate", "told otherwise",
        f"{event.source} told {first} twice with different content, of {place.item} at {place.location}"[:200],
        f"What came first is booked; now it says {change.value:+f} {change.unit} ({event.type}), and nothing of that is. Where the second is"
        " true, have the difference told as an adjustment of its own; then this can be settled.",
        "warehouse", f"otherwise/{event.id}",
    )  # fmt: skip


def _recalled(state: State, event: Recorded, policy: Policy) -> Step:
    """The ledger holds it already; the warehouse does not know yet, and channels may show less."""
    if event.source != HUB:
        return Step(state, (), "ignored")
    data: LotRecalled = event.data
    location = reference_of(event.thread).removesuffix(f"/{data.item}")
    key = f"recall/{data.lot}"
    if data.lifted:
        return Step(state, (CloseCase(key, "the recall was lifted"),))
    warehouse = policy.warehouse_of(location)
    case = OpenCase(
        f"recall/{data.item}/{data.lot}/{location}", "value", "recall",
        f"Lot {data.lot} of {data.item} is recalled: {location} must put it on hold"[:200],
        f"{data.reason}. The hub sells none of it. Have {warehouse} hold it too, and settle what is to become of it; lifting the recall"
        " closes this case.",
        "warehouse", key,
    )  # fmt: skip
    return Step(state, (case, Publish(data.item, location)))


def _with_serials(moved: Step, event: Recorded, did: Did) -> Step:
    """Each piece hears of it, whatever became of the quantity."""
    if moved.verdict == "ignored" or not event.data.serials:
        return moved
    place: StockPlace = event.data.place
    line = MovedLine("", place.item, Quantity(ZERO), event.data.serials)
    document = getattr(event.data, "document", "") or event.id
    return replace(
        moved, intents=(*moved.intents, *serial.tell((line,), did, place.location, event.thread, document))
    )


def _opened(state: State, event: Recorded) -> Step:
    """The ledger begins here with what there was: said once, and another number for it is a person's to settle."""
    if event.source != HUB:
        return Step(state, (), "ignored")
    data: StockOpened = event.data
    said = mark(data.quantity, event.occurred_at)
    before = next((x.mark for x in state.openings if x.place == data.place), None)
    if before is not None:
        return (
            Step(state, (), "duplicate")
            if before == said
            else Step(state, (_twice(data, before, said),), "stale")
        )
    count = Count(OPENING, event.occurred_at, event.occurred_at)
    state = replace(
        state,
        openings=(*state.openings, Opening(data.place, said)),
        counts=state.counts | {_lot(data.place): count},
    )
    if not data.quantity.value:
        return Step(state)
    move = Move(
        data.place, OUTSIDE, AVAILABLE, data.quantity.value, data.quantity.unit, expires_on=data.expires_on
    )
    return Step(
        replace(state, entries=state.entries + 1), (move, Publish(data.place.item, data.place.location))
    )


def _unbooked(state: State, event: Recorded) -> Step:
    if event.source != HUB:
        return Step(state, (), "ignored")
    return Step(replace(state, unbooked=(*state.unbooked, event.data)))


def _book_again(state: State, event: Recorded) -> Step:
    """Once, as it was told and when; whatever still does not come out even is told here anew."""
    waiting = [x for x in state.unbooked if x.cause == event.data.cause]
    if not waiting:
        return Step(state, (), "duplicate")
    moves = [
        Move(
            x.place, x.source, x.target, x.quantity.value, x.quantity.unit, x.claim, x.line, x.expires_on, x.at, x.cost, x.cause,
        )
        for x in waiting
    ]  # fmt: skip
    left = tuple(x for x in state.unbooked if x.cause != event.data.cause)
    state = replace(state, entries=state.entries + len(moves), unbooked=left)
    place = waiting[0].place
    return Step(state, (*moves, Publish(place.item, place.location)))


def _twice(data: StockOpened, before: str, said: str) -> OpenCase:
    place = data.place
    named = " ".join(x for x in (place.item, place.location, place.lot, place.owner) if x)
    return OpenCase(
        f"opening/{named}", "value", "opening balance", f"{named} was opened with {before}, and now is said to be {said}",
        "The first counts. Correct the place by a count or a comparison, then retry the case.", "operations", "opening",
    )  # fmt: skip


def _lot(place: StockPlace) -> str:
    return f"{place.lot}/{place.owner}"


def _before(event: Recorded, count: Count) -> bool:
    """The count has seen what it tells: by the system's own numbers, else by when it happened."""
    if event.source == count.system and event.sequence is not None and count.watermark is not None:
        return event.sequence <= count.watermark
    return event.occurred_at < count.read_at


def _late(state: State, event: Recorded, change: Quantity, way: _Way, count: Count) -> Step:
    """It was so from its own instant until the count, which stands: the opposite is booked when that was settled."""
    if way[0] != OUTSIDE:
        return Step(state, (), "stale")
    amount = abs(change.value)
    come = Move(event.data.place, *way, amount, change.unit, cost=event.data.cost)
    go = replace(come, source=come.target, target=OUTSIDE)
    if change.value > 0:
        moves = (come, replace(go, at=count.settled_at))
    else:
        moves = (replace(come, at=count.settled_at), go)
    return Step(replace(state, entries=state.entries + len(moves)), moves)


def _reconciled(state: State, event: Recorded, policy: Policy) -> Step:
    """What both change by is moved between shelf and quarantine, the rest comes from outside or goes there.

    The ERP is told the same: until now it was told what the ledger had booked.
    """
    if event.source != HUB:
        return Step(state, (), "ignored")
    place, good, held = event.data.place, event.data.good.value, event.data.held.value
    unit = event.data.good.unit
    both = min(abs(good), abs(held)) if good * held < 0 else ZERO
    moves: list[Intent] = []
    if both:
        way = (AVAILABLE, QUARANTINE) if held > 0 else (QUARANTINE, AVAILABLE)
        moves.append(Move(place, *way, both, unit))
    for change, bucket in ((good, AVAILABLE), (held, QUARANTINE)):
        rest = abs(change) - both
        if rest > 0:
            source, target = (OUTSIDE, bucket) if change > 0 else (bucket, OUTSIDE)
            moves.append(Move(place, source, target, rest, unit))
    counts = state.counts
    if event.data.read_at is not None:
        count = Count(event.data.system, event.data.read_at, event.occurred_at, event.data.watermark)
        counts = counts | {_lot(place): count}
    state = replace(state, entries=state.entries + len(moves), counts=counts)
    told = replace(adjusting.fact_of(event, event.data.cause), source=event.data.system)
    posted = adjusting.posted(moves, told, policy)
    return Step(state, (*moves, Publish(place.item, place.location), *posted))


def summary(_state: State, _policy: Policy) -> Summary:
    return Summary("kept", done=True)
