"""One shipment from packing to proof of delivery. It is linked to one or many orders and tells each its share."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.order import LinesPacked, LinesShipped, LinesUnpacked
from crossdock.model.shipment import LabelGenerated, LabelledPackage, LoadAccepted, Package, ShipmentPacked
from crossdock.model.thread import reference_of
from crossdock.processes import clocks, freight, gates, label, scans, serial, shipment_reversal
from crossdock.processes.authority import not_theirs
from crossdock.processes.intents import (
    Bind,
    ClearTimer,
    CloseCase,
    Intent,
    OpenCase,
    SetTimer,
    Step,
    Summary,
    Tell,
)
from crossdock.processes.policy import Policy
from crossdock.processes.shipment_state import (
    RANK,
    VERSION,
    Label,
    State,
    Track,
    by_order,
    initial,
    may_leave,
)

__all__ = ["KIND", "RANK", "VERSION", "State", "initial", "step", "summary"]

KIND = "shipment"
replace = msgspec.structs.replace


def step(state: State, event: Recorded, policy: Policy) -> Step:
    """One event of the shipment's life; unknown types change nothing."""
    handler = _HANDLERS.get(event.type)
    if handler is None:
        return Step(state, (), "ignored")
    made = handler(state, event, policy)
    after = made.state
    assert isinstance(after, State)
    if after.labels != state.labels:
        made = Step(replace(after, label_asked_at=event.recorded_at), made.intents, made.verdict)
    return clocks.heard(made, policy)


def _packed(state: State, event: Recorded, policy: Policy) -> Step:
    data: ShipmentPacked = event.data
    if not policy.speaks_for(event.source, data.location):
        return Step(state, (not_theirs(event, "work", data.location, policy),), "ignored")
    if state.packages or state.cancelled:
        return _packed_again(state, event, policy)
    state = replace(
        state, shipment=reference_of(event.thread), location=data.location, service=data.service, destination=data.destination,
        warehouse=policy.source_at(event.source, data.location), packages=data.packages, people=event.sealed, subject=event.subject,
    )  # fmt: skip
    state, intents = label.carry(state, policy)
    intents += _tell_packed(state)
    intents += serial.tell_packed(data.packages, "packed", data.location, event.thread)
    if state.departed_early_at is not None:
        intents += [ClearTimer("parent"), CloseCase("parent", "the packing message came")]
        state, more = _leave(state, state.departed_early or data.packages, state.departed_early_at, policy)
        intents += more
    return Step(state, tuple(intents))


def _tell_packed(state: State) -> list[Intent]:
    return [
        Tell(f"order/{order}", LinesPacked(state.shipment, lines, state.location))
        for order, lines in by_order(state.packages).items()
    ]


def _packed_again(state: State, event: Recorded, policy: Policy) -> Step:
    """Other boxes than before: the orders hear of both, and the label is made anew."""
    packages = event.data.packages
    if packages == state.packages or state.departed_at is not None or state.cancelled:
        return Step(state, (), "duplicate")
    told = [*_tell_unpacked(state, "packed again"), *_repacked(state, packages)]
    state, voided = label.take_back(state, policy, "packed again")
    state, carried = label.carry(replace(state, packages=packages), policy)
    return Step(state, (*told, *_tell_packed(state), *voided, *carried))


def _repacked(state: State, packages: tuple[Package, ...]) -> list[Intent]:
    thread = f"{KIND}/{state.shipment}"
    return [
        *serial.tell_packed(state.packages, "unpacked", state.location, thread),
        *serial.tell_packed(packages, "packed", state.location, thread),
    ]


def _labelled(state: State, event: Recorded, policy: Policy) -> Step:
    data: LabelGenerated = event.data
    known = (state.label, state.fresh.id if state.fresh else "", *state.voided)
    if data.shipment_id in known:
        return Step(state, (), "duplicate")
    if state.cancelled:
        return Step(*label.void(state, label.of(event, state.labels - 1), policy))
    if state.label:
        return label.renewed(state, event, policy)
    state = label.wearing(state, label.of(event, max(0, state.labels - 1)))
    intents = [*label.subscribe(state, policy), label.attach(state, data.packages, policy)]
    state, told = _gone_already(state, policy)
    return Step(state, (*intents, *told))


def _attached(state: State, event: Recorded, policy: Policy) -> Step:
    """The warehouse put a label on. That of another label than the last one asked for changes nothing."""
    if state.fresh is None or event.about != label.again(state):
        return Step(replace(state, label_attached=True))
    state, intents = label.put_on(state, policy)
    state, told = _gone_already(state, policy)
    return Step(state, (*intents, *told))


def _refused(state: State, event: Recorded, policy: Policy) -> Step:
    """A label that the warehouse will not put on, or a number that nobody can follow: of one that is not used it does not matter."""
    data = event.data
    if data.kind not in ("label.attach", "tracking.subscribe"):
        return Step(state, (), "ignored")
    if data.kind == "tracking.subscribe" or state.fresh is None or event.about != label.again(state):
        return Step(state, tuple(label.unneeded(state)))
    state, intents = label.not_put_on(state, policy)
    state, told = _gone_already(state, policy)
    return Step(state, (*intents, *told))


def _gone_already(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    """The truck left before anybody told us who carries it, or which of two labels is on the parcel."""
    if state.departed_at is None or gates.DEPART.lacks(state, state, policy):
        return state, []
    left = [*_tell_shipped(state, state.packages), *freight.accrue(state, policy)]
    state, scanned = scans.catch_up(state)
    return state, [*left, *scanned]


def _accepted(state: State, event: Recorded, policy: Policy) -> Step:
    """A carrier takes the load: its freight bill number stands for all packages."""
    data: LoadAccepted = event.data
    if state.pro or data.load in state.voided:
        return Step(state, (), "duplicate")
    if state.cancelled:
        return Step(*label.void(state, Label(data.load, generation=state.labels - 1), policy))
    state = replace(
        state, carrier=data.carrier, load=data.load, pro=data.pro, freight=data.freight, labelled_at=event.occurred_at,
        tracks=(Track(data.pro, ""),),
    )  # fmt: skip
    labels = tuple(LabelledPackage(x.sscc, data.pro) for x in state.packages)
    intents: list[Intent] = [Bind("tracking", data.carrier, data.pro), label.attach(state, labels, policy)]
    closed = CloseCase("no carrier", f"{data.carrier} took it")
    state, told = _gone_already(state, policy)
    return Step(state, (*intents, closed, *told))


def _declined(state: State, event: Recorded, policy: Policy) -> Step:
    """The next carrier is asked by the TMS; when nobody is left, by a person."""
    data = event.data
    if state.pro or data.carrier in state.declined:
        return Step(state, (), "stale")
    state = replace(state, declined=(*state.declined, data.carrier)[-20:])
    if not data.exhausted:
        return Step(state)
    case = OpenCase(
        f"no-carrier/{state.account}/{state.shipment}", "value", "no carrier",
        f"No carrier will take shipment {state.shipment}: {', '.join(state.declined)} declined",
        f"Tender it to another carrier in {state.account}; the shipment goes on by itself once one accepts.", "transport",
        "no carrier",
    )  # fmt: skip
    return Step(state, (case,))


def _tendered(state: State, event: Recorded, _policy: Policy) -> Step:
    return Step(replace(state, load=state.load or event.data.load))


def _departed(state: State, event: Recorded, policy: Policy) -> Step:
    if state.departed_at is not None or state.departed_early_at is not None:
        return Step(state, (), "duplicate")
    if shipment_reversal.repeated(state, event):
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
    """The truck is gone: orders hear what left; the freight cost is accrued as soon as it is known."""
    thread = f"{KIND}/{state.shipment}"
    left_out = serial.without(state.packages, packages)
    gone = serial.tell_packed(left_out, "unpacked", state.location, thread)
    gone += serial.tell_packed(packages, "shipped", state.location, thread)
    state, unwanted = label.no_more(state)
    gone += unwanted
    state = replace(state, packages=packages, departed_at=at, departed_early=(), departed_early_at=None)
    if gates.DEPART.lacks(state, state, policy):
        return state, gone
    intents = [*gone, *_tell_shipped(state, packages), *freight.accrue(state, policy)]
    state, scanned = scans.catch_up(state)
    return state, [*intents, *scanned]


def _tell_shipped(state: State, packages: tuple[Package, ...]) -> list[Intent]:
    numbers = {x.sscc: x.tracking for x in state.tracks}
    told: list[Intent] = []
    for order, lines in by_order(packages).items():
        mine = [p.sscc for p in packages if any(line.order == order for line in p.lines)]
        tracking = (state.pro,) if state.pro else tuple(numbers[sscc] for sscc in mine if sscc in numbers)
        left = LinesShipped(state.shipment, state.carrier, tracking, lines, state.location, state.departed_at)
        told.append(Tell(f"order/{order}", left))
    return told


def _tell_unpacked(state: State, reason: str) -> list[Intent]:
    return [
        Tell(f"order/{order}", LinesUnpacked(state.shipment, lines, state.location, reason))
        for order, lines in by_order(state.packages).items()
    ]


def _cancelled(state: State, event: Recorded, policy: Policy) -> Step:
    """The warehouse took it apart. Only what has not left can be."""
    if state.departed_at is not None or state.cancelled:
        return Step(state, (), "duplicate" if state.cancelled else "stale")
    told = _tell_unpacked(state, event.data.reason)
    told += serial.tell_packed(state.packages, "unpacked", state.location, event.thread)
    state, voided = label.take_back(replace(state, cancelled=True), policy, event.data.reason)
    return Step(state, (*told, *voided))


def _accrued(state: State, event: Recorded, policy: Policy) -> Step:
    late = shipment_reversal.late_accrual(state, event, policy)
    return Step(state, tuple(late)) if late else freight.accrued(state, event, policy)


def _noted(**fields: object) -> "Handler":
    """Receipts that only have to be remembered."""
    return lambda state, _event, _policy: Step(replace(state, **fields))


def _waited(state: State, event: Recorded, policy: Policy) -> Step:
    """What was waited for has not come in time."""
    if event.data.name.startswith(clocks.TIMER):
        return clocks.ran_out(state, event, policy)
    if event.data.name == scans.UNCONFIRMED:
        return scans.unconfirmed(state, policy)
    if state.packages:
        return Step(state, (), "stale")
    warehouse = state.warehouse or policy.warehouse_of(state.location)
    case = OpenCase(
        f"parent-missing/{warehouse}", "missing", "event before its parent",
        f"{warehouse} confirmed shipments that it never reported as packed",
        "Ask the warehouse to send the packing message again; the shipment goes on by itself.", "warehouse", "parent",
    )  # fmt: skip
    return Step(state, (case,))


def _nothing(state: State, _event: Recorded, _policy: Policy) -> Step:
    return Step(state)


Handler = Callable[[State, Recorded, Policy], Step]
_HANDLERS: dict[str, Handler] = {
    "shipment.packed.v1": _packed,
    "shipment.cancelled.v1": _cancelled,
    "label.generated.v1": _labelled,
    "label.attached.v1": _attached,
    "effect.refused.v1": _refused,
    "label.voided.v1": _nothing,
    "label.reprintRequested.v1": label.reprint,
    "load.tendered.v1": _tendered,
    "load.accepted.v1": _accepted,
    "load.declined.v1": _declined,
    "load.cancelled.v1": _nothing,
    "tracking.subscribed.v1": _noted(subscribed=True),
    "shipment.departed.v1": _departed,
    "goodsIssue.reversalRequested.v1": shipment_reversal.requested,
    "freight.accrued.v1": _accrued,
    "freight.invoiced.v1": freight.billed,
    "freight.approved.v1": freight.approved,
    "freight.adjusted.v1": freight.adjusted,
    "shipment.milestoneReached.v1": scans.scanned,
    "timer.fired.v1": _waited,
}


def summary(state: State, policy: Policy) -> Summary:
    phase, waiting, owner = _stands(state, policy)
    ended = state.delivered_at is not None or state.undeliverable
    awaits_bill = bool(policy.clocks.freight_bill_minutes and state.freight and not state.bills)
    done = state.cancelled or (ended and freight.settled(state) and not awaits_bill)
    packages = state.packages or state.departed_early
    units = tuple(dict.fromkeys(x.sscc for x in packages))
    lots = tuple(dict.fromkeys((x.item, x.lot) for package in packages for x in package.lines))
    if ended and awaits_bill and not waiting:
        waiting, owner = f"the freight bill of {state.carrier}", "finance"
    expects = None if done else clocks.next_out(state, policy)
    return Summary(phase, waiting, owner, done, units=units, lots=lots, expects=expects)


def _stands(state: State, policy: Policy) -> tuple[str, str, str]:
    """(phase, what it waits on, whose move it is)"""
    if state.cancelled:
        return "cancelled", "", ""
    if any(x.state == "disputed" for x in state.bills):
        return (
            state.told if state.told != "created" else "departed",
            "a decision on its freight bill",
            "finance",
        )
    if state.delivered_at is not None or state.undeliverable:
        return ("delivered" if state.delivered_at else state.told), "", ""
    carrier = state.carrier or label.account(state, policy)
    warehouse = state.warehouse or policy.warehouse_of(state.location)
    if state.departed_at is not None:
        phase = state.told if state.told != "created" else "departed"
        return phase, f"proof of delivery by {carrier}", carrier
    if state.departed_early_at is not None:
        return "departed", f"the packing message of {warehouse}", warehouse
    if not may_leave(state):
        what = "a carrier from" if state.by == "tms" else "a label from"
        return "packed", f"{what} {label.account(state, policy)}", label.account(state, policy)
    return "labelled", f"ship confirmation by {warehouse}", warehouse
