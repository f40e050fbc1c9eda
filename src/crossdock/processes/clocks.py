"""Clocks for what does not arrive: which fact should follow which, within what time, and who is asked when it does not.

Pure, and free while all goes well: a thread only says when the next of them runs out. One that ran out is a case of the
order, as severe as its promise makes it, and closes by itself when the fact comes.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.localtime import day_ends_at
from crossdock.model.operations import ClockMet, ClockName, ClockRanOut, Overdue
from crossdock.processes.intents import CloseCase, Intent, OpenCase, Step, Tell
from crossdock.processes.order_state import CLOSED, erp_of
from crossdock.processes.order_state import State as Order
from crossdock.processes.policy import Policy
from crossdock.processes.shipment_state import RANK, by_order, may_leave
from crossdock.processes.shipment_state import State as Shipment
from crossdock.processes.working_time import due

replace = msgspec.structs.replace
TIMER: Final = "clock/"
"""Begins the name of the timer event; the due instant that passed is the rest."""
KEY: Final = "clock/"
"""Begins the key by which a case is linked."""
Severity = Literal["late", "at risk", "in time", "not promised"]
SEVERITY_WORDS: Final[dict[Severity, str]] = {
    "late": "late for the customer", "at risk": "less than a day left until the promised day ends",
    "in time": "the promised day can be kept", "not promised": "no day was promised",
}  # fmt: skip
RISK: Final = timedelta(days=1)

Open = tuple[str, datetime, str]
"""(release or shipment, since when, node) for which the fact has not come."""


class Clock(msgspec.Struct, frozen=True):
    """A row of the table: `open` finds what waits for the fact."""

    name: ClockName
    minutes: str
    """The rule of `clocks` that says how long."""
    working: bool
    """Counted while the node works; else round the clock."""
    open: Callable[[Any], list[Open]]
    system: Callable[[Any, str, Policy], str]
    """Who should send it."""
    owner: str
    remedy: str
    promised: bool = True
    """How bad it is depends on the order's promise, so the order opens the case."""


def _unacknowledged(state: Order) -> list[Open]:
    return [
        (str(x.number), x.asked_at, x.location)
        for x in state.releases
        if not x.document and x.asked_at is not None and x.cancel != "agreed"
        and any(line.release == x.number and line.reserved for line in state.lines)
    ]  # fmt: skip


def _unposted(state: Order) -> list[Open]:
    return [
        (x.shipment, x.shipped_at, x.location)
        for x in state.parts
        if not x.goods_issue and x.shipped_at is not None and x.lines and not x.issue
    ]  # fmt: skip


def _undelivered(state: Order) -> list[Open]:
    return [
        (x.shipment, x.shipped_at, x.location)
        for x in state.parts
        if x.delivered_at is None
        and x.shipped_at is not None
        and x.tracking
        and not x.outcome
        and not x.settled
    ]


def _unlabelled(state: Shipment) -> list[Open]:
    if state.by != "parcel" or state.label_asked_at is None or may_leave(state) or state.cancelled:
        return []
    return [(state.shipment, state.label_asked_at, state.location)]


def _unaccepted(state: Shipment) -> list[Open]:
    if state.by != "tms" or state.label_asked_at is None or may_leave(state) or state.cancelled:
        return []
    return [(state.shipment, state.label_asked_at, state.location)]


def _unscanned(state: Shipment) -> list[Open]:
    if state.departed_at is None or state.delivered_at is not None or state.undeliverable or not state.tracks:
        return []
    if any(RANK[x.milestone] for x in state.tracks):
        return []
    return [(state.shipment, state.departed_at, state.location)]


def _unbilled(state: Shipment) -> list[Open]:
    if state.departed_at is None or state.freight is None or state.bills:
        return []
    return [(state.shipment, state.departed_at, state.location)]


def _carrier(state: Shipment, _thing: str, policy: Policy) -> str:
    return state.account or policy.carrier


OF_ORDER: Final = (
    Clock(
        "warehouse acknowledgement", "acknowledgement_minutes", True, _unacknowledged,
        lambda state, thing, _: next(x.warehouse for x in state.releases if str(x.number) == thing),
        "warehouse", "See whether the warehouse has the order. If not, release it there by hand under the same number.",
    ),
    Clock(
        "goods issue", "goods_issue_minutes", False, _unposted, lambda state, _, policy: erp_of(state, policy),
        "finance", "The goods have left. See what stops the posting; the invoice waits for its document number.",
    ),
    Clock(
        "proof of delivery", "delivery_minutes", False, _undelivered,
        lambda state, thing, policy: next((x.carrier for x in state.parts if x.shipment == thing), "") or policy.carrier,
        "transport", "Ask the carrier where the parcel is, and tell the customer before he asks.",
    ),
)  # fmt: skip
OF_SHIPMENT: Final = (
    Clock("label", "label_minutes", True, _unlabelled, _carrier, "transport", "The parcel stands at the dock without a label. See why the carrier gives none."),
    Clock("carrier acceptance", "label_minutes", True, _unaccepted, _carrier, "transport", "No carrier has taken the load. Ask in the TMS, or tender it to another."),
    Clock("first scan", "first_scan_minutes", False, _unscanned, _carrier, "transport", "The truck has left and the carrier shows nothing. Ask whether the parcel was handed over."),
    Clock("freight bill", "freight_bill_minutes", False, _unbilled, _carrier, "finance", "The accrual stays open until the carrier bills it.", False),
)  # fmt: skip
_BY_NAME: Final = {clock.name: clock for clock in (*OF_ORDER, *OF_SHIPMENT)}


def _table(state: Order | Shipment) -> tuple[Clock, ...]:
    if isinstance(state, Shipment):
        return OF_SHIPMENT
    return () if state.phase in CLOSED else OF_ORDER


def running(state: Order | Shipment, policy: Policy) -> Iterator[Overdue]:
    """Every clock that runs, with the instant at which it runs out. None runs for what others do: see `Policy.is_watched`."""
    for clock in _table(state):
        for thing, since, node in clock.open(state):
            at = _due(clock, state, since, node, policy) if policy.is_watched(node) else None
            if at is not None:
                yield Overdue(clock.name, thing, since, at)


def _due(clock: Clock, state: Any, since: datetime, node: str, policy: Policy) -> datetime | None:
    """When it runs out; None where this clock is off."""
    minutes = getattr(policy.clocks, clock.minutes)
    if not minutes:
        return None
    if clock.working:
        return due(policy.routing, node, since, minutes)
    if clock.name != "proof of delivery":
        return since + _lasting(minutes)
    if state.promised_on is None:
        return since + _lasting(max(minutes, policy.clocks.transit_minutes))
    return max(since, _day_ends_at(state.promised_on, state.destination.country)) + _lasting(minutes)


@lru_cache(maxsize=256)
def _lasting(minutes: int) -> timedelta:
    return timedelta(minutes=minutes)


_day_ends_at = lru_cache(maxsize=4096)(day_ends_at)


def next_out(state: Order | Shipment, policy: Policy) -> tuple[datetime, datetime] | None:
    """(since, due) of the clock that runs out first, of those that have not yet. Asked at every step of a thread."""
    found: tuple[datetime, datetime] | None = None
    for clock in _table(state):
        for thing, since, node in clock.open(state):
            if not policy.is_watched(node) or (state.overdue and _is_out(state, clock.name, thing)):
                continue
            at = _due(clock, state, since, node, policy)
            if at is not None and (found is None or at < found[1]):
                found = since, at
    return found


def _is_out(state: Order | Shipment, clock: ClockName, thing: str) -> bool:
    return any((x.clock, x.thing) == (clock, thing) for x in state.overdue)


def stamped(before: Order, step: Step, event: Recorded) -> Step:
    """Releases that this event made say since when their warehouse should know them."""
    state = step.state
    assert isinstance(state, Order)
    if state.releases is before.releases:
        return step
    known = {x.number for x in before.releases}
    releases = tuple(
        x if x.number in known else replace(x, asked_at=event.recorded_at) for x in state.releases
    )
    return Step(replace(state, releases=releases), step.intents, step.verdict)


def heard(step: Step, policy: Policy) -> Step:
    """Close what came after all. Nothing to do while nothing is overdue."""
    state: Any = step.state
    if not state.overdue:
        return step
    waited = {(x.clock, x.thing) for x in running(state, policy)}
    ended = isinstance(state, Order) and state.phase in CLOSED
    own = {clock.name for clock in (OF_ORDER if isinstance(state, Order) else OF_SHIPMENT)}
    met = [x for x in state.overdue if ended or (x.clock in own and (x.clock, x.thing) not in waited)]
    if not met:
        return step
    state = replace(state, overdue=tuple(x for x in state.overdue if x not in met))
    told: list[Intent] = []
    for x in met:
        asks = isinstance(state, Shipment) and _BY_NAME[x.clock].promised
        told += _tell_orders(state, ClockMet(x.clock, x.thing)) if asks else [_close(x)]
    return Step(state, (*step.intents, *told), step.verdict)


def ran_out(state: Any, event: Recorded, policy: Policy) -> Step:
    """The instant that a clock ran to has passed; one whose fact came meanwhile runs no more."""
    until = datetime.fromisoformat(event.data.name.removeprefix(TIMER))
    fresh = [x for x in running(state, policy) if x.due_at <= until and not _is_out(state, x.clock, x.thing)]
    if not fresh:
        return Step(state, (), "stale")
    intents: list[Intent] = []
    for x in fresh:
        clock = _BY_NAME[x.clock]
        system = clock.system(state, x.thing, policy)
        if isinstance(state, Order):
            intents.append(_case(x, system, severity(state, x.due_at)))
        elif clock.promised:
            intents += _tell_orders(state, ClockRanOut(x, system))
        else:
            intents.append(_case(x, system))
    return Step(replace(state, overdue=(*state.overdue, *fresh)), tuple(intents))


def _tell_orders(state: Shipment, data: ClockRanOut | ClockMet) -> list[Intent]:
    return [Tell(f"order/{order}", data) for order in by_order(state.packages)]


def told_ran_out(state: Order, event: Recorded, _policy: Policy) -> Step:
    """A shipment of the order waits in vain: how bad that is, the order's promise says."""
    data: ClockRanOut = event.data
    known = _is_out(state, data.overdue.clock, data.overdue.thing)
    if known or state.phase in CLOSED or state.phase == "new":
        return Step(state, (), "duplicate" if known else "stale")
    case = _case(data.overdue, data.system, severity(state, data.overdue.due_at))
    return Step(replace(state, overdue=(*state.overdue, data.overdue)), (case,))


def told_met(state: Order, event: Recorded, _policy: Policy) -> Step:
    met = [x for x in state.overdue if (x.clock, x.thing) == (event.data.clock, event.data.thing)]
    if not met:
        return Step(state, (), "stale")
    return Step(replace(state, overdue=tuple(x for x in state.overdue if x not in met)), (_close(met[0]),))


def severity(state: Order, at: datetime) -> Severity:
    """How bad it is at an instant, by what is left until the promised day ends where the customer is."""
    if state.promised_on is None:
        return "not promised"
    left = day_ends_at(state.promised_on, state.destination.country) - at
    return "late" if left < timedelta(0) else "at risk" if left < RISK else "in time"


def _case(overdue: Overdue, system: str, how: Severity | None = None) -> OpenCase:
    """One for all that miss the same of the same system and are equally pressed."""
    clock = _BY_NAME[overdue.clock]
    pressed = f": {SEVERITY_WORDS[how]}" if how else ""
    return OpenCase(
        f"overdue/{clock.name}/{system}/{how or ''}", "missing", f"{clock.name} overdue",
        f"{clock.name.capitalize()} overdue from {system}{pressed}",
        f"{clock.remedy} The case closes by itself when it comes.", clock.owner, key_of(overdue),
    )  # fmt: skip


def _close(overdue: Overdue) -> CloseCase:
    return CloseCase(key_of(overdue), f"the {overdue.clock} came, or is not needed any more")


def key_of(overdue: Overdue) -> str:
    return f"{KEY}{overdue.clock}/{overdue.thing}"
