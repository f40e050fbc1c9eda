"""An inbound delivery: expected → announced to the warehouse → received, truck by truck → booked in the ERP → closed.

A receipt is physical truth and counts at once, also before anybody said that the goods would come, and after it was closed.
Receipts are in `inbound_arrival`.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.movement import ExpectedLine, InboundExpected
from crossdock.model.quantity import Quantity
from crossdock.model.stock import Bucket
from crossdock.processes import inbound_arrival, inbound_dispatch
from crossdock.processes.authority import not_theirs
from crossdock.processes.inbound_state import (
    VERSION,
    Line,
    State,
    initial,
    lawful,
    line_of,
    place_of,
    with_line,
)
from crossdock.processes.intents import (
    ClearTimer,
    CloseCase,
    Do,
    Intent,
    OpenCase,
    Step,
    Summary,
)
from crossdock.processes.policy import Policy
from crossdock.processes.receiving import EXPECTED, OUTSIDE, ZERO, is_elsewhere, moved

__all__ = ["KIND", "VERSION", "State", "initial", "step", "summary"]

KIND = "inbound"
replace = msgspec.structs.replace


def step(state: State, event: Recorded, policy: Policy) -> Step:
    """One event of its life; unknown types change nothing."""
    handler = _HANDLERS.get(event.type)
    if handler is None:
        return Step(state, (), "ignored")
    done = handler(state, event, policy)
    assert isinstance(done.state, State)
    lawful(done.state)
    return done


def _changed(state: State, event: Recorded, _policy: Policy) -> Step:
    """Whoever has news of it is asked what they are."""
    payload = requests.FetchInbound(event.data.number)
    do = Do(
        "inbound.fetch",
        event.source,
        event.data.number,
        payload,
        state.reference,
        state.questions,
        priority=4,
    )
    return Step(replace(state, questions=state.questions + 1), (do,))


def _expected(state: State, event: Recorded, policy: Policy) -> Step:
    """What shall come; said again, it replaces what was said before."""
    data: InboundExpected = event.data
    if event.sequence is not None and state.sequence is not None and event.sequence < state.sequence:
        return Step(state, (), "stale")
    wrong = _wrong(state, data)
    if wrong:
        return Step(state, (_wrong_case(data.number, wrong),), "ignored")
    if data == state.said:
        return Step(state, (), "duplicate")
    first, was = state.said is None, state.ended if state.said is None else ""
    state = replace(
        state, said=data, location=data.location or state.location, sequence=event.sequence, ended=was
    )
    state, intents = _expect(state, {x.line: x for x in data.lines})
    if not was:
        state, sent = inbound_dispatch.catch_up(state)
        intents += sent
    intents += [
        ClearTimer("parent"),
        CloseCase("parent", "it was said what should come"),
        CloseCase("value", "corrected"),
    ]
    state, freed = inbound_arrival.covered(state)
    intents += [*freed, *(inbound_arrival.unknown(state) if first else [])]
    state, posted = inbound_arrival.post(state, policy)
    if was:
        state, closing = _close(state)
        return Step(state, (*intents, *closing, *posted))
    state, told = _announce(state, policy)
    return Step(state, (*intents, *told, *posted))


def _wrong(state: State, data: InboundExpected) -> str:
    """Why it cannot be what is expected here; empty where it can."""
    names = [x.line for x in data.lines]
    if len(set(names)) < len(names):
        return "two lines have one number"
    if any(x.quantity.value < ZERO for x in data.lines):
        return "a quantity is below zero"
    if data.lines and state.location and state.location != data.location:
        return f"it names {data.location}, and {state.location} before"
    changed = next(
        (x for x in data.lines if (known := line_of(state, x.line)) and known.named and known.what != _what(x)), None
    )  # fmt: skip
    return f"line {changed.line} names another item, unit or owner than before" if changed else ""


def _what(line: ExpectedLine) -> tuple[str, str, str]:
    return line.item, line.quantity.unit, line.owner


def _wrong_case(number: str, wrong: str) -> OpenCase:
    return OpenCase(
        f"inbound-value/{number}", "value", "inbound cannot be read", f"What is expected of {number} makes no sense: {wrong}",
        "Nothing of it was applied. Send it again, corrected; goods for another site are an inbound of their own.",
        "purchasing", "value",
    )  # fmt: skip


def _expect(state: State, told: dict[str, ExpectedLine]) -> tuple[State, list[Intent]]:
    """Lines and ledger follow what is said: a line that is not named any more is expected no more."""
    intents: list[Intent] = []
    for name in dict.fromkeys((*(x.line for x in state.lines), *told)):
        said, line = told.get(name), line_of(state, name)
        if said is not None and line is not None and line.what != _what(said):
            state, line = _apart(state, line), None
        if line is None:
            assert said is not None
            line = Line(name, *_what(said))
        before = line.left - line.on_road
        quantity = said.quantity.value if said else ZERO
        line = replace(line, named=said is not None or line.named, expected=quantity)
        line = replace(line, short=min(line.short, max(ZERO, quantity - line.came)))
        line, gone = inbound_dispatch.no_longer(state, line)
        intents += [*gone, *_expect_more(state, line, line.left - line.on_road - before)]
        state = with_line(state, line)
    return state, intents


def _apart(state: State, strange: Line) -> State:
    """What came under this number before it was known whose it is has one of its own."""
    others = tuple(x for x in state.lines if x.line != strange.line)
    return replace(state, lines=(*others, replace(strange, line=f"{strange.line}/{strange.item}")))


def _expect_more(state: State, line: Line, more: Decimal) -> list[Intent]:
    place = place_of(state, line)
    way: tuple[Bucket, Bucket] = (OUTSIDE, EXPECTED) if more > ZERO else (EXPECTED, OUTSIDE)
    return moved((place, way[0]), (place, way[1]), abs(more), line.unit)


def _announce(state: State, policy: Policy, *, cancelled: bool = False) -> tuple[State, list[Intent]]:
    assert state.said is not None
    lines = tuple(
        ExpectedLine(x.line, x.item, Quantity(x.expected - x.short, x.unit), x.owner)
        for x in state.lines
        if x.named and x.expected > x.short
    )
    if not lines and not state.announcements:
        return state, []
    payload = requests.AnnounceInbound(
        f"{KIND}/{state.reference}",
        state.said.number,
        state.location,
        lines,
        state.said.due_on,
        cancelled or not lines,
    )
    do = Do(
        "inbound.announce", policy.warehouse_of(state.location), state.reference, payload, state.reference, state.announcements,
        priority=2,
    )  # fmt: skip
    return replace(state, announcements=state.announcements + 1, announced=""), [do]


def _announced(state: State, event: Recorded, _policy: Policy) -> Step:
    return Step(replace(state, announced=event.data.document))


def _closed(state: State, event: Recorded, policy: Policy) -> Step:
    """No more will come: what is left goes back outside, and its reason stays."""
    if is_elsewhere(event.source, event.data.location, policy):
        return Step(state, (not_theirs(event, "receipts", event.data.location, policy),), "ignored")
    if state.ended:
        return Step(state, (), "duplicate")
    state, intents = _close(replace(state, ended="closed", reason=event.data.reason))
    return Step(state, tuple(intents))


def _cancelled(state: State, event: Recorded, policy: Policy) -> Step:
    """Cancelled by whoever ordered it; the warehouse hears of it too. Before the order itself, it waits for it."""
    if state.ended:
        return Step(state, (), "duplicate")
    if state.said is None:
        return Step(replace(state, ended="cancelled", reason=event.data.reason), (), "waiting")
    came = any(x.came for x in state.lines)
    state, intents = _close(replace(state, ended="closed" if came else "cancelled", reason=event.data.reason))
    state, told = _announce(state, policy, cancelled=True)
    return Step(state, (*intents, *told))


def _close(state: State) -> tuple[State, list[Intent]]:
    before = state
    intents: list[Intent] = [ClearTimer("parent")]
    for line in state.lines:
        intents += _expect_more(state, line, line.on_road - line.left)
        ended, gone = inbound_dispatch.no_longer(state, replace(line, short=line.short + line.left))
        intents += gone
        state = with_line(state, ended)
    return state, [*intents, *inbound_dispatch.lost(before, state)]


def _waited(state: State, event: Recorded, _policy: Policy) -> Step:
    if event.data.name != "parent" or state.said is not None:
        return Step(state, (), "stale")
    case = OpenCase(
        f"inbound-missing/{state.location}", "missing", "receipt without an order",
        f"{state.location} received goods of {state.reference}, and nobody said what should come",
        "They are on the shelf. Send the order: the receipt is then booked to it by itself.", "purchasing", "parent",
    )  # fmt: skip
    return Step(state, (case,))


Handler = Callable[[State, Recorded, Policy], Step]
_HANDLERS: dict[str, Handler] = {
    "inbound.changed.v1": _changed,
    "inbound.expected.v1": _expected,
    "inbound.cancelled.v1": _cancelled,
    "inbound.dispatched.v1": inbound_dispatch.dispatched,
    "inbound.announced.v1": _announced,
    "inbound.closed.v1": _closed,
    "timer.fired.v1": _waited,
    **inbound_arrival.HANDLERS,
}


def summary(state: State, policy: Policy) -> Summary:
    phase, waiting, owner = _stands(state, policy)
    done = bool(state.ended or (state.said and not state.left)) and not waiting
    return Summary(phase, waiting, owner, done, number=state.said.number if state.said else "")


def _stands(state: State, policy: Policy) -> tuple[str, str, str]:
    """(phase, what it waits on, whose move it is)"""
    warehouse = policy.warehouse_of(state.location)
    if state.ended == "cancelled":
        return "cancelled", "", ""
    if state.said is None:
        return ("receiving" if state.receipts else "asked"), "word of what should come", "purchasing"
    if not state.lines and not state.ended:
        return "empty", "", ""
    if not state.ended and state.left:
        if state.receipts:
            return "receiving", f"the rest of the goods at {state.location}", warehouse
        told = bool(state.announced)
        return (
            ("announced", f"the goods at {state.location}", warehouse)
            if told
            else ("expected", f"{warehouse} to know of it", warehouse)
        )
    phase = state.ended or "received"
    if any(x.quantity > ZERO for x in state.docked):
        return phase, f"put-away by {warehouse}", warehouse
    if any(x.asked and not x.document for x in state.receipts):
        erp = policy.erp_of_node(state.location)
        return phase, f"the goods receipt in {erp}", erp
    return phase, "", ""
