"""Who carries a shipment: labels and loads asked for, taken back, and a label made anew while the parcel waits.

A label that replaces another travels once the warehouse has put it on. Until then the parcel may leave with the one it has.
"""

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.shipment import LabelGenerated, LabelledPackage
from crossdock.processes.intents import Bind, Do, Intent, Step, Withdraw
from crossdock.processes.policy import Policy
from crossdock.processes.routing import TransportRoute, route_transport
from crossdock.processes.shipment_state import Label, State, Track, kilograms

replace = msgspec.structs.replace
LABELS_MAX = 5
"""Labels of one shipment that may be on their way at once."""


def carry(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    """Ask whoever the transport table names: a parcel carrier for labels, or the TMS for a carrier."""
    route = _route(state, policy)
    state = replace(state, by=route.by, account=route.system, routed=route.because, labels=state.labels + 1)
    if route.by == "tms":
        payload: msgspec.Struct = requests.TenderLoad(
            state.shipment, state.location, route.service, state.packages, state.destination
        )
        kind = "load.tender"
    else:
        payload = requests.CreateLabel(
            state.shipment, state.location, route.service, state.packages, state.destination, state.labels - 1
        )
        kind = "label.create"
    do = Do(
        kind, route.system, state.shipment, payload, state.shipment, state.labels - 1, state.people, state.subject, 2
    )  # fmt: skip
    return state, [do]


def _route(state: State, policy: Policy) -> TransportRoute:
    given = {
        "node": state.location, "country": state.destination.country, "region": state.destination.region,
        "service": state.service,
    }  # fmt: skip
    return route_transport(
        policy.routing, given, kilograms(state.packages), len(state.packages), policy.carrier
    )


def account(state: State, policy: Policy) -> str:
    return state.account or policy.carrier


def attach(state: State, packages: tuple[LabelledPackage, ...], policy: Policy) -> Do:
    """Whatever became of another label of it stops this one not: a replacement has a lane of its own."""
    warehouse = state.warehouse or policy.warehouse_of(state.location)
    payload = requests.AttachLabel(state.shipment, state.carrier, packages)
    object_ = again(state) if state.renewing else state.shipment
    return Do("label.attach", warehouse, object_, payload, object_, max(0, state.labels - 1), priority=1)


def again(state: State) -> str:
    """The object of attaching the label that was asked for last."""
    return f"{state.shipment}~{state.labels - 1}"


def subscribe(state: State, policy: Policy) -> list[Intent]:
    """The carrier shall tell of its way, and whoever names one of its numbers means this shipment."""
    numbers = tuple(x.tracking for x in state.tracks)
    payload = requests.SubscribeTracking(state.shipment, numbers)
    generation = max(0, state.labels - 1)
    return [
        *(Bind("tracking", state.carrier, number) for number in numbers),
        Do(
            "tracking.subscribe", account(state, policy), state.shipment, payload, state.shipment, generation, priority=4
        ),
    ]  # fmt: skip


def of(event: Recorded, generation: int) -> Label:
    data: LabelGenerated = event.data
    tracks = tuple(Track(x.tracking, x.sscc) for x in data.packages)
    return Label(data.shipment_id, data.carrier, data.freight, tracks, generation, event.occurred_at)


def wearing(state: State, label: Label) -> State:
    """With this label as the one that travels."""
    return replace(
        state, label=label.id, label_no=label.generation, carrier=label.carrier, freight=label.freight, tracks=label.tracks,
        labelled_at=label.at, fresh=None, renewing=False,
    )  # fmt: skip


def reprint(state: State, event: Recorded, policy: Policy) -> Step:
    """A new label for the same boxes; the spoilt one is voided as soon as the new one is on, so that only one is paid."""
    if state.departed_at is not None or not state.label or state.by == "tms" or state.renewing:
        return Step(state, (), "stale")
    state, carried = carry(state, policy)
    return Step(replace(state, renewing=True), tuple(carried))


def renewed(state: State, event: Recorded, policy: Policy) -> Step:
    """The new label is there, for the warehouse to put on; for a parcel that is gone it comes too late."""
    fresh = of(event, state.labels - 1)
    if state.departed_at is not None or not state.renewing:
        return Step(*void(state, fresh, policy))
    put_on = attach(replace(state, carrier=fresh.carrier), event.data.packages, policy)
    return Step(replace(state, fresh=fresh), (put_on,))


def put_on(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    """The parcel wears the new label: the old one is nobody's any more."""
    assert state.fresh is not None
    worn = worn_by(state)
    state, voided = void(wearing(state, state.fresh), worn, policy)
    return state, [*subscribe(state, policy), *voided]


def not_put_on(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    """The warehouse refused the new label: the parcel keeps the one it wears, the new one is voided."""
    assert state.fresh is not None
    state, voided = void(replace(state, fresh=None, renewing=False), state.fresh, policy)
    return state, [*unneeded(state), *voided]


def unneeded(state: State) -> list[Intent]:
    """What was asked for with labels of which none is used; where it was refused, nobody has to settle that."""
    used = {state.label_no if state.label_no is not None else state.labels - 1} if state.label else set()
    if state.fresh or state.renewing:
        used.add(state.labels - 1)
    because = "the shipment was cancelled" if state.cancelled else "it has another label"
    unused = [n for n in range(max(0, state.labels - LABELS_MAX), state.labels) if n not in used]
    return [
        Withdraw(kind, object_, n, because)
        for n in unused
        for kind, object_ in (
            ("label.attach", state.shipment), ("label.attach", f"{state.shipment}~{n}"), ("tracking.subscribe", state.shipment),
        )
    ]  # fmt: skip


def no_more(state: State) -> tuple[State, list[Intent]]:
    """It leaves: a new label that is not there yet is not wanted any more. One that is being put on may be the one that travels."""
    if not state.renewing or state.fresh is not None:
        return state, []
    return replace(state, renewing=False), [Withdraw("label.create", state.shipment, state.labels - 1)]


def worn_by(state: State) -> Label:
    """The label that travels. Before labels were counted each was that of the last time one was asked for."""
    generation = state.labels - 1 if state.label_no is None else state.label_no
    return Label(state.label, state.carrier, state.freight, state.tracks, generation)


def void(state: State, label: Label, policy: Policy) -> tuple[State, tuple[Intent, ...]]:
    """Of each label once; by a TMS it is a load."""
    if state.by == "tms":
        payload: msgspec.Struct = requests.CancelLoad(state.shipment, label.id, "cancelled")
        kind = "load.cancel"
    else:
        numbers = tuple(x.tracking for x in label.tracks)
        payload, kind = requests.VoidLabel(state.shipment, label.id, numbers), "label.void"
    do = Do(
        kind, account(state, policy), state.shipment, payload, state.shipment, label.generation, priority=1
    )
    return replace(state, voided=(*state.voided, label.id)), (do,)


def bare(state: State) -> State:
    """Without any label or load."""
    return replace(
        state, label="", label_no=None, pro="", load="", tracks=(), freight=None, label_attached=False, fresh=None, renewing=False
    )  # fmt: skip


def take_back(state: State, policy: Policy, reason: str) -> tuple[State, list[Intent]]:
    """Void the label or cancel the load, whichever there is; one that is still asked for is voided when it comes."""
    if state.label:
        worn = [worn_by(state), *([state.fresh] if state.fresh else [])]
        state, unwanted = no_more(state)
        state, voided = bare(state), list(unwanted)
        voided += unneeded(state)
        for label in worn:
            state, done = void(state, label, policy)
            voided += done
        return state, voided
    if state.load:
        payload = requests.CancelLoad(state.shipment, state.load, reason or "cancelled")
        do = Do(
            "load.cancel", account(state, policy), state.shipment, payload, state.shipment, state.labels - 1, priority=1
        )  # fmt: skip
        state = bare(replace(state, voided=(*state.voided, state.load)))
        return state, [*unneeded(state), do]
    kind = "load.tender" if state.by == "tms" else "label.create"
    return state, [Withdraw(kind, state.shipment, state.labels - 1)] if state.labels else []
