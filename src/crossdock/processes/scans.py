"""Carrier scans of a shipment's packages: merged whatever order they come in, and told to its orders."""

from datetime import datetime, timedelta

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.localtime import believed, instant_of
from crossdock.model.order import LinesDelivered, LineShipped, LinesUndeliverable
from crossdock.model.shipment import MilestoneReached, Package
from crossdock.processes.intents import Intent, Step, Tell
from crossdock.processes.policy import Policy
from crossdock.processes.shipment_state import ENDED, RANK, State, Track, by_order

replace = msgspec.structs.replace
BEFORE_LABEL_MAX = timedelta(days=2)
"""A scan older than the label by more is of the number's earlier life: carriers use numbers again."""


def scanned(state: State, event: Recorded, policy: Policy) -> Step:
    """Merge one carrier scan; late and repeated ones are recorded and move nothing."""
    data: MilestoneReached = event.data
    track = next((x for x in state.tracks if x.tracking == data.tracking), None)
    if track is None or data.milestone == "unknown" or data.classifier != "ACT":
        return Step(state, (), "ignored")
    data = replace(data, at=_when(state, data, event, policy))
    if (
        data.at is not None
        and state.labelled_at is not None
        and data.at < state.labelled_at - BEFORE_LABEL_MAX
    ):
        return Step(state, (), "stale")
    if not _newer(track, data):
        return Step(state, (), "stale")
    moved = replace(track, milestone=data.milestone, at=data.at)
    state = replace(state, tracks=tuple(moved if x is track else x for x in state.tracks))
    if data.milestone in ENDED:
        return _ended(state, moved, data, data.at or event.occurred_at)
    if data.milestone == state.told:
        return Step(state)
    return Step(replace(state, told=data.milestone), _tell_all(state, data))


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


def _ended(state: State, track: Track, data: MilestoneReached, at: datetime) -> Step:
    """A package arrived, or never will. The shipment has arrived when all have."""
    if all(x.milestone == "delivered" for x in state.tracks):
        told = _delivered(state, state.packages, at, partial=False)
        return Step(replace(state, delivered_at=at, told="delivered"), told)
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
    return Step(state, news)


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
