"""Carrier scans of a shipment's packages: merged whatever order they come in, and told to its orders.

A scan that is there before the warehouse's ship confirmation waits for it: no order hears that goods travel before it has
heard that they left. So does one that the TMS tells before it has told which carrier took the load.
"""

from datetime import datetime, timedelta

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.localtime import believed, instant_of
from crossdock.model.order import LinesDelivered, LineShipped, LinesUndeliverable
from crossdock.model.shipment import MilestoneReached, Package
from crossdock.processes.intents import ClearTimer, CloseCase, Intent, OpenCase, SetTimer, Step, Tell
from crossdock.processes.policy import Policy
from crossdock.processes.shipment_state import ENDED, RANK, State, Track, by_order

replace = msgspec.structs.replace
BEFORE_LABEL_MAX = timedelta(days=2)
"""A scan older than the label by more is of the number's earlier life: carriers use numbers again."""
UNCONFIRMED = "unconfirmed"
EARLY_MAX = 100
"""Scans kept for a ship confirmation that does not come."""


def scanned(state: State, event: Recorded, policy: Policy) -> Step:
    """Merge one carrier scan; late and repeated ones are recorded and move nothing."""
    data: MilestoneReached = event.data
    track = next((x for x in state.tracks if x.tracking == data.tracking), None)
    accepting = state.by == "tms" and not state.tracks and not state.cancelled
    if (track is None and not accepting) or data.milestone == "unknown" or data.classifier != "ACT":
        return Step(state, (), "ignored")
    data = replace(data, at=_when(state, data, event, policy))
    if (
        data.at is not None
        and state.labelled_at is not None
        and data.at < state.labelled_at - BEFORE_LABEL_MAX
    ):
        return Step(state, (), "stale")
    data = replace(data, at=data.at or event.occurred_at) if data.milestone in ENDED else data
    if track is None or (state.departed_at is None and RANK[data.milestone] > RANK["created"]):
        return _early(state, data, policy)
    if not _newer(track, data):
        return Step(state, (), "stale")
    return Step(*_moved(state, track, data))


def _early(state: State, data: MilestoneReached, policy: Policy) -> Step:
    """On its way, and the warehouse has not said that it left, or the TMS not who carries it."""
    if any((x.tracking, x.milestone) == (data.tracking, data.milestone) for x in state.early):
        return Step(state, (), "duplicate")
    timer = () if state.early else (SetTimer(UNCONFIRMED, policy.parent_wait_seconds),)
    return Step(replace(state, early=(*state.early, data)[-EARLY_MAX:]), timer, "waiting")


def unconfirmed(state: State, policy: Policy) -> Step:
    """The wait for the ship confirmation is over."""
    if state.departed_at is not None or state.cancelled or not state.early:
        return Step(state, (), "stale")
    warehouse = state.warehouse or policy.warehouse_of(state.location)
    case = OpenCase(
        f"unconfirmed/{warehouse}", "missing", "no ship confirmation",
        f"{state.carrier} carries shipments that {warehouse} has not confirmed as left",
        "Have the warehouse confirm them; goods issue, notices and invoice follow by themselves.", "warehouse", UNCONFIRMED,
    )  # fmt: skip
    return Step(state, (case,))


def catch_up(state: State) -> tuple[State, tuple[Intent, ...]]:
    """It left, and its carrier is known: what was said before is told now, in the order it came."""
    if not state.early:
        return state, ()
    told: list[Intent] = [ClearTimer(UNCONFIRMED), CloseCase(UNCONFIRMED, "the ship confirmation came")]
    waited, state = state.early, replace(state, early=())
    for data in waited:
        track = next((x for x in state.tracks if x.tracking == data.tracking), None)
        if track is not None:
            state, more = _moved(state, track, data)
            told += more
    return state, tuple(told)


def _moved(state: State, track: Track, data: MilestoneReached) -> tuple[State, tuple[Intent, ...]]:
    if not _newer(track, data):
        return state, ()
    moved = replace(track, milestone=data.milestone, at=data.at)
    state = replace(state, tracks=tuple(moved if x is track else x for x in state.tracks))
    if data.milestone in ENDED:
        assert data.at is not None
        return _ended(state, moved, data, data.at)
    if data.milestone == state.told:
        return state, ()
    # Of several packages the one that is furthest stands for the shipment; each is told all the same.
    furthest = max(state.told, data.milestone, key=RANK.__getitem__)
    told = data.milestone if RANK[data.milestone] == RANK[state.told] else furthest
    return replace(state, told=told), _tell_all(state, data)


def _tell_all(state: State, data: MilestoneReached) -> tuple[Intent, ...]:
    return tuple(Tell(f"order/{order}", data) for order in by_order(state.packages))


def _when(state: State, data: MilestoneReached, event: Recorded, policy: Policy) -> datetime | None:
    """When it happened, as far as anybody can tell."""
    at = data.at
    if at is None and data.local_at:
        found = instant_of(data.local_at, data.location or state.destination.country)
        at = found.at if found else None
    return believed(at, event.recorded_at, policy.clock_ahead_seconds).at if at else None


def _newer(track: Track, data: MilestoneReached) -> bool:
    before, now = RANK[track.milestone], RANK[data.milestone]
    if now != before:
        return now > before
    if track.milestone == data.milestone or track.at is None or data.at is None:
        return track.milestone != data.milestone
    return data.at > track.at


def _ended(
    state: State, track: Track, data: MilestoneReached, at: datetime
) -> tuple[State, tuple[Intent, ...]]:
    """A package arrived, or never will. The shipment has arrived when all have."""
    if all(x.milestone == "delivered" for x in state.tracks):
        told = _delivered(state, state.packages, at, partial=False)
        return replace(state, delivered_at=at, told="delivered"), told
    news: tuple[Intent, ...] = ()
    if track.milestone == "delivered":
        mine = tuple(x for x in state.packages if x.sscc == track.sscc)
        news = _delivered(state, mine, at, partial=True)
        state = replace(state, partly_told=(*state.partly_told, track.sscc))
    elif data.milestone != state.told:
        news = _tell_all(state, data)
        state = replace(state, told=data.milestone)
    if all(x.milestone in ENDED for x in state.tracks) and not state.undeliverable:
        news = (*news, *_undeliverable(state))
        state = replace(state, undeliverable=True)
    return state, news


def _delivered(
    state: State, packages: tuple[Package, ...], at: datetime, *, partial: bool
) -> tuple[Intent, ...]:
    fresh = tuple(x for x in packages if x.sscc not in state.partly_told)
    numbers = tuple(x.tracking for x in state.tracks)
    lines = by_order(fresh)
    orders = by_order(packages)
    return tuple(
        Tell(
            f"order/{order}",
            LinesDelivered(state.shipment, state.carrier, numbers, lines.get(order, ()), at, partial),
        )
        for order in orders
    )


def _undeliverable(state: State) -> tuple[Intent, ...]:
    """Of a shipment that partly arrived, what did not; of one that did not arrive, all."""
    astray = {x.sscc: x for x in state.tracks if x.milestone != "delivered"}
    outcome = "lost" if any(x.milestone == "lost" for x in astray.values()) else "returned"
    packages = tuple(x for x in state.packages if x.sscc in astray or "" in astray)
    lines: dict[str, tuple[LineShipped, ...]] = by_order(packages)
    numbers = tuple(x.tracking for x in astray.values())
    return tuple(
        Tell(f"order/{order}", LinesUndeliverable(state.shipment, outcome, numbers, found))  # type: ignore[arg-type]
        for order, found in lines.items()
    )
