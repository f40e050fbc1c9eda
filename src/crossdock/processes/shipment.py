"""One shipment from packing to proof of delivery. It is linked to one or many orders and tells each its share."""

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.order import LinesDelivered, LineShipped, LinesPacked, LinesShipped
from crossdock.model.party import Place
from crossdock.model.shipment import (
    LabelGenerated,
    LabelledPackage,
    Milestone,
    MilestoneReached,
    Package,
    ShipmentPacked,
)
from crossdock.processes.intents import (
    Bind,
    ClearTimer,
    CloseCase,
    Do,
    Intent,
    OpenCase,
    SetTimer,
    Step,
    Summary,
    Tell,
)
from crossdock.processes.policy import Policy

KIND = "shipment"
VERSION = 1
replace = msgspec.structs.replace

RANK: dict[Milestone, int] = {
    "created": 0, "picked_up": 1, "in_transit": 2, "arrived": 3, "delayed": 3, "on_hold": 3, "exception": 3,
    "out_for_delivery": 4, "attempt_failed": 4, "available_for_pickup": 4, "returning": 5, "returned": 6,
    "cancelled": 6, "delivered": 7,
}  # fmt: skip
"""Terminal beats transient. Scans of equal rank are ordered by when they happened; `unknown` moves nothing."""


class Track(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One package on its way."""

    tracking: str
    sscc: str
    milestone: Milestone = "created"
    at: datetime | None = None


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    shipment: str = ""
    location: str = ""
    service: str = "standard"
    destination: Place = Place()
    packages: tuple[Package, ...] = ()
    people: bytes | None = None
    subject: bytes | None = None
    carrier: str = ""
    label: str = ""
    freight: Money | None = None
    tracks: tuple[Track, ...] = ()
    label_attached: bool = False
    subscribed: bool = False
    departed_at: datetime | None = None
    departed_early: tuple[Package, ...] = ()
    departed_early_at: datetime | None = None
    accrual: str = ""
    told: Milestone = "created"
    delivered_at: datetime | None = None


def initial(_thread: str) -> State:
    return State()


def step(state: State, event: Recorded, policy: Policy) -> Step:
    """One event of the shipment's life; unknown types change nothing."""
    handler = _HANDLERS.get(event.type)
    return handler(state, event, policy) if handler else Step(state, (), "ignored")


def _by_order(packages: Iterable[Package]) -> dict[str, tuple[LineShipped, ...]]:
    found: dict[str, list[LineShipped]] = {}
    for package in packages:
        for line in package.lines:
            found.setdefault(line.order, []).append(line)
    return {order: tuple(lines) for order, lines in found.items()}


def _packed(state: State, event: Recorded, policy: Policy) -> Step:
    data: ShipmentPacked = event.data
    if state.packages:
        return Step(state, (), "duplicate")
    state = replace(
        state, shipment=data.shipment, location=data.location, service=data.service, destination=data.destination,
        packages=data.packages, people=event.sealed, subject=event.subject,
    )  # fmt: skip
    label = requests.CreateLabel(data.shipment, data.location, data.service, data.packages, data.destination)
    intents: list[Intent] = [
        Do(
            "label.create",
            policy.carrier,
            data.shipment,
            label,
            data.shipment,
            0,
            state.people,
            state.subject,
            2,
        )
    ]
    for order, lines in _by_order(data.packages).items():
        intents.append(Tell(f"order/{order}", LinesPacked(data.shipment, lines)))
    if state.departed_early_at is not None:
        intents += [ClearTimer("parent"), CloseCase("parent", "the packing message came")]
        state, more = _leave(state, state.departed_early or data.packages, state.departed_early_at, policy)
        intents += more
    return Step(state, tuple(intents))


def _labelled(state: State, event: Recorded, policy: Policy) -> Step:
    data: LabelGenerated = event.data
    if state.label:
        return Step(state, (), "duplicate")
    numbers = tuple(x.tracking for x in data.packages)
    state = replace(
        state, carrier=data.carrier, label=data.shipment_id, freight=data.freight,
        tracks=tuple(Track(x.tracking, x.sscc) for x in data.packages),
    )  # fmt: skip
    attach = requests.AttachLabel(state.shipment, data.carrier, data.packages)
    subscribe = requests.SubscribeTracking(state.shipment, numbers)
    intents: list[Intent] = [
        *(Bind("tracking", data.carrier, number) for number in numbers),
        Do("label.attach", policy.warehouse, state.shipment, attach, state.shipment, priority=1),
        Do("tracking.subscribe", policy.carrier, state.shipment, subscribe, state.shipment, priority=4),
    ]
    if state.departed_at is not None:
        intents += _tell_shipped(state, state.packages, state.departed_at)
        intents += _accrue(state, policy)
    return Step(state, tuple(intents))


def _departed(state: State, event: Recorded, policy: Policy) -> Step:
    if state.departed_at is not None or state.departed_early_at is not None:
        return Step(state, (), "duplicate")
    if not state.packages:
        waiting = replace(state, departed_early=event.data.packages, departed_early_at=event.occurred_at)
        timer = SetTimer("parent", policy.parent_wait_seconds)
        return Step(waiting, (timer,), "waiting")
    state, intents = _leave(state, event.data.packages or state.packages, event.occurred_at, policy)
    return Step(state, tuple(intents))


def _leave(
    state: State, packages: tuple[Package, ...], at: datetime, policy: Policy
) -> tuple[State, list[Intent]]:
    """The truck is gone: orders hear what left; the freight cost is accrued as soon as the label priced it."""
    state = replace(state, packages=packages, departed_at=at, departed_early=(), departed_early_at=None)
    if not state.label:
        return state, []
    return state, [*_tell_shipped(state, packages, at), *_accrue(state, policy)]


def _tell_shipped(state: State, packages: tuple[Package, ...], _at: datetime) -> list[Intent]:
    numbers = {x.sscc: x.tracking for x in state.tracks}
    told: list[Intent] = []
    for order, lines in _by_order(packages).items():
        mine = [p.sscc for p in packages if any(line.order == order for line in p.lines)]
        tracking = tuple(numbers[sscc] for sscc in mine if sscc in numbers)
        told.append(Tell(f"order/{order}", LinesShipped(state.shipment, state.carrier, tracking, lines)))
    return told


def _accrue(state: State, policy: Policy) -> list[Intent]:
    if state.freight is None or state.departed_at is None:
        return []
    payload = requests.AccrueFreight(state.shipment, state.carrier, state.freight, state.departed_at)
    return [Do("freight.accrue", policy.erp, state.shipment, payload, state.shipment)]


def _scanned(state: State, event: Recorded, policy: Policy) -> Step:
    """Merge one carrier scan; late and repeated ones are recorded and move nothing."""
    data: MilestoneReached = event.data
    track = next((x for x in state.tracks if x.tracking == data.tracking), None)
    if track is None or data.milestone == "unknown" or data.classifier != "ACT":
        return Step(state, (), "ignored")
    if not _newer(track, data):
        return Step(state, (), "stale")
    moved = replace(track, milestone=data.milestone, at=data.at)
    state = replace(state, tracks=tuple(moved if x is track else x for x in state.tracks))
    if all(x.milestone == "delivered" for x in state.tracks):
        at = data.at or event.occurred_at
        state = replace(state, delivered_at=at, told="delivered")
        return Step(state, tuple(_tell_delivered(state, at)))
    if data.milestone in (state.told, "delivered"):
        return Step(state)
    told = tuple(Tell(f"order/{order}", data) for order in _by_order(state.packages))
    return Step(replace(state, told=data.milestone), told)


def _newer(track: Track, data: MilestoneReached) -> bool:
    before, now = RANK[track.milestone], RANK[data.milestone]
    if now != before:
        return now > before
    if track.milestone == data.milestone or track.at is None or data.at is None:
        return track.milestone != data.milestone
    return data.at > track.at


def _tell_delivered(state: State, at: datetime) -> list[Intent]:
    numbers = tuple(x.tracking for x in state.tracks)
    return [
        Tell(f"order/{order}", LinesDelivered(state.shipment, state.carrier, numbers, lines, at))
        for order, lines in _by_order(state.packages).items()
    ]


def _attached(state: State, _event: Recorded, _policy: Policy) -> Step:
    return Step(replace(state, label_attached=True))


def _subscribed(state: State, _event: Recorded, _policy: Policy) -> Step:
    return Step(replace(state, subscribed=True))


def _accrued(state: State, event: Recorded, _policy: Policy) -> Step:
    return Step(replace(state, accrual=event.data.document))


def _parent_missing(state: State, _event: Recorded, policy: Policy) -> Step:
    if state.packages:
        return Step(state, (), "stale")
    case = OpenCase(
        f"parent-missing/{policy.warehouse}", "missing", "event before its parent",
        f"{policy.warehouse} confirmed shipments that it never reported as packed",
        "Ask the warehouse to send the packing message again; the shipment goes on by itself.", "warehouse", "parent",
    )  # fmt: skip
    return Step(state, (case,))


Handler = Callable[[State, Recorded, Policy], Step]
_HANDLERS: dict[str, Handler] = {
    "shipment.packed.v1": _packed,
    "label.generated.v1": _labelled,
    "label.attached.v1": _attached,
    "tracking.subscribed.v1": _subscribed,
    "shipment.departed.v1": _departed,
    "freight.accrued.v1": _accrued,
    "shipment.milestoneReached.v1": _scanned,
    "timer.fired.v1": _parent_missing,
}


def summary(state: State, policy: Policy) -> Summary:
    phase, waiting, owner = _stands(state, policy)
    done = state.delivered_at is not None and (bool(state.accrual) or state.freight is None)
    units = tuple(dict.fromkeys(x.sscc for x in state.packages or state.departed_early))
    return Summary(phase, waiting, owner, done, units=units)


def _stands(state: State, policy: Policy) -> tuple[str, str, str]:
    """(phase, what it waits on, whose move it is)"""
    if state.delivered_at is not None:
        return "delivered", "", ""
    carrier = state.carrier or policy.carrier
    if state.departed_at is not None:
        phase = state.told if state.told != "created" else "departed"
        return phase, f"proof of delivery by {carrier}", carrier
    if state.departed_early_at is not None:
        return "departed", f"the packing message of {policy.warehouse}", policy.warehouse
    if not state.label:
        return "packed", f"a label from {policy.carrier}", policy.carrier
    return "labelled", f"ship confirmation by {policy.warehouse}", policy.warehouse


__all__ = ["KIND", "VERSION", "LabelledPackage", "State", "initial", "step", "summary"]
