"""A return: authorised, or not → announced to the warehouse → received → judged, piece by piece → booked and credited.

What comes back is on hand and not for sale until the warehouse has said what becomes of it. It is credited at the price,
and taken back at the cost, of the original sale, which the order knows.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import HUB, Recorded
from crossdock.model.movement import ExpectedLine, InboundReceived, ReceivedLine
from crossdock.model.quantity import Quantity
from crossdock.model.returning import (
    Disposition,
    JudgedLine,
    MatchedLine,
    ReturnAsked,
    ReturnAuthorised,
    ReturnDispositioned,
    ReturnLine,
)
from crossdock.model.stock import Bucket, CostLayer, StockPlace
from crossdock.processes import serial
from crossdock.processes.authority import not_theirs
from crossdock.processes.intents import (
    ClearTimer,
    CloseCase,
    Do,
    Intent,
    Move,
    OpenCase,
    Publish,
    SetTimer,
    Step,
    Summary,
    Tell,
)
from crossdock.processes.policy import Policy
from crossdock.processes.receiving import ACCEPT, OUTSIDE, ZERO, accepted, moved
from crossdock.processes.returning_books import KIND, about, book, uninvoiced, wanted
from crossdock.processes.returning_kits import unfold
from crossdock.processes.returning_state import (
    PARTS,
    VERSION,
    Inspection,
    Line,
    State,
    came,
    initial,
    lawful,
    line_of,
    with_line,
)

__all__ = ["KIND", "VERSION", "State", "initial", "step", "summary"]

BEYOND: Final = "beyond"
BLIND: Final = "blind"
GOES_TO: Final[dict[Disposition, Bucket]] = {
    "restock": "available", "refurbish": "quarantine", "vendor": OUTSIDE, "scrap": OUTSIDE,
}  # fmt: skip
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


def _authorised(state: State, event: Recorded, policy: Policy) -> Step:
    """The customer may send it; said again, it replaces what was said before."""
    data: ReturnAuthorised = event.data
    if data == state.said:
        return Step(state, (), "duplicate")
    if state.ended == "cancelled":
        return Step(state, (), "stale")
    state = replace(state, said=data, location=state.location or data.location or policy.location)
    told = {x.line: x for x in data.lines}
    for name in dict.fromkeys((*(x.line for x in state.lines), *told)):
        said = told.get(name)
        line = line_of(state, name)
        if line is None:
            assert said is not None
            line = Line(name, said.item, said.quantity.unit)
        state = with_line(
            state,
            replace(
                line,
                order_line=said.order_line if said else line.order_line,
                authorised=said.quantity.value if said else ZERO,
            ),
        )
    state = replace(state, to_announce=True)
    closed = (ClearTimer("parent"), CloseCase("parent", "it was authorised"), CloseCase(ACCEPT + BLIND, "it was authorised"))  # fmt: skip
    return Step(state, (*closed, _ask(event.thread, data.order, data.lines)))


def _ask(thread: str, order: str, lines: tuple[ReturnLine, ...]) -> Tell:
    return Tell(f"order/{order}", ReturnAsked(thread, lines))


def _announce(state: State, policy: Policy, *, cancelled: bool = False) -> tuple[State, list[Intent]]:
    assert state.said is not None
    lines = tuple(
        ExpectedLine(x.line, x.item, Quantity(x.authorised, x.unit))
        for x in state.lines
        if x.authorised and x.item
    )
    payload = requests.AnnounceInbound(
        f"{KIND}/{state.reference}", state.said.number, state.location, lines, state.said.until, cancelled or not lines
    )  # fmt: skip
    do = Do(
        "inbound.announce", policy.warehouse_of(state.location), state.reference, payload, state.reference, state.announcements,
        priority=3,
    )  # fmt: skip
    state = replace(state, announcements=state.announcements + 1, announced="", to_announce=False)
    return state, [do]


def _announced(state: State, event: Recorded, _policy: Policy) -> Step:
    return Step(replace(state, announced=event.data.document))


def _identified(state: State, event: Recorded, policy: Policy) -> Step:
    """A slip says whose it is. Nobody authorised it: whether it is credited, a person decides."""
    if state.said is not None or state.slip == event.data:
        return Step(state, (), "duplicate")
    state = replace(state, slip=event.data)
    for x in event.data.lines:
        line = line_of(state, x.line) or Line(x.line, x.item, x.quantity.unit)
        state = with_line(state, replace(line, order_line=x.order_line))
    case = OpenCase(
        f"{BLIND}/{state.reference}", "value", "return nobody authorised",
        f"Goods of order {event.data.order} came back, and nobody had authorised it",
        "Retry the case to accept them: they are then credited at the price they were sold for. Their stock is right either way.",
        "customer service", ACCEPT + BLIND,
    )  # fmt: skip
    asked = _ask(event.thread, event.data.order, event.data.lines)
    return Step(state, (ClearTimer("parent"), CloseCase("parent", "a slip names its order"), case, asked))


def _matched(state: State, event: Recorded, policy: Policy) -> Step:
    """The order said what left, at what price, and by which documents."""
    if event.source != HUB:
        return Step(state, (), "ignored")
    lines = tuple(_named(x, event.data.lines) for x in state.lines)
    state = unfold(replace(state, matched=event.data, lines=lines), wanted(state))
    state, intents = _owned(state, event.data.owner if event.data.known else state.owner)
    intents.append(_unmatched(state))
    waits = state.to_announce or not state.announcements
    if state.said is not None and waits and not state.ended:
        state, announced = _announce(state, policy)
        intents += announced
    if (
        state.said is not None
        and state.said.credit == "at_once"
        and not any(not x.name for x in state.inspections)
    ):
        state = replace(state, inspections=(Inspection("", receipt_asked=True), *state.inspections))
    state, booked = book(state, policy)
    return Step(state, (*intents, *booked))


def _owned(state: State, owner: str) -> tuple[State, list[Intent]]:
    """They go back to whoever sold them; what came before that was known and is not judged yet changes its owner."""
    if owner == state.owner:
        return state, []
    of_owner = replace(state, owner=owner)
    intents: list[Intent] = []
    for line in state.lines:
        for lot, quantity in line.lots:
            here, there = _place(state, line, lot), _place(of_owner, line, lot)
            intents += moved((here, "returned"), (there, "returned"), quantity, line.unit)
    return of_owner, intents


def _named(line: Line, matched: tuple[MatchedLine, ...]) -> Line:
    """A line whose item only the order knew."""
    return (
        line if line.item else replace(line, item=next((m.item for m in matched if m.line == line.line), ""))
    )


def _unmatched(state: State) -> Intent:
    """Whether more shall come back than ever left."""
    assert state.matched is not None
    order = state.order
    if not state.matched.known:
        return _case(
            state, f"Return {state.number or state.reference} names order {order}, which nobody knows"
        )
    short = []
    for x in state.lines:
        left = sum((m.quantity.value for m in state.matched.lines if m.line == x.line), ZERO)
        wanted = max(x.authorised, x.came)
        if wanted > left:
            short.append(
                f"{Quantity(wanted, x.unit)} of {x.item or 'a line'}, of which {Quantity(left, x.unit)} left and did not come back"
            )
    if short:
        return _case(state, f"Return of order {order}: {', '.join(short)}")
    return CloseCase(ACCEPT + BEYOND, "it left with the order")


def _case(state: State, title: str) -> OpenCase:
    return OpenCase(
        f"{BEYOND}/{state.reference}", "value", "return beyond its order", title[:300],
        "Stock follows what the warehouse receives; nothing beyond the order is credited. Correct the return in the shop, or"
        " retry the case to ask the order again and leave it so.",
        "customer service", ACCEPT + BEYOND,
    )  # fmt: skip


def _received(state: State, event: Recorded, policy: Policy) -> Step:
    """It is back: on hand, and not for sale."""
    data: InboundReceived = event.data
    if not policy.speaks_for(event.source, data.location):
        return Step(state, (not_theirs(event, "receipts", data.location, policy),), "ignored")
    if data.receipt in state.receipts:
        return Step(state, (), "duplicate")
    state = replace(state, location=data.location, receipts=(*state.receipts, data.receipt))
    intents: list[Intent] = []
    for told in data.lines:
        line = _line_for(state, told)
        line = replace(line.with_lot(told.lot, told.quantity.value), came=line.came + told.quantity.value)
        intents.append(_move(state, line, told.lot, (OUTSIDE, "returned"), told.quantity.value))
        state = with_line(state, line)
    intents += serial.tell(data.lines, "returned", data.location, event.thread, data.receipt, state.order)
    if state.said is None and state.slip is None:
        intents.append(SetTimer("parent", policy.parent_wait_seconds))
    if state.matched is not None:
        intents.append(_unmatched(state))
    waiting, state = state.early, replace(state, early=())
    for early in waiting:
        state, more = _judge(state, early)
        intents += more
    state, booked = book(state, policy)
    return Step(state, (*intents, *booked))


def _line_for(state: State, told: ReceivedLine) -> Line:
    """The line it was told for; one of its own for another item than that line's."""
    line = line_of(state, told.line)
    if line is not None and not line.item and line.unit == told.quantity.unit:
        return replace(line, item=told.item)
    if line is None or (line.item, line.unit) != (told.item, told.quantity.unit):
        name = told.line if line is None else f"{told.line}/{told.item}"
        return line_of(state, name) or Line(name, told.item, told.quantity.unit)
    return line


def _move(state: State, line: Line, lot: str, way: tuple[Bucket, Bucket], quantity: Decimal) -> Move:
    return Move(_place(state, line, lot), *way, quantity, line.unit, cost=_layer(state, line))


def _layer(state: State, line: Line) -> CostLayer | None:
    """It comes back at the cost of its original issue, which the ERP knows by its document; of several issues nobody can say."""
    issues = {x.goods_issue for x in state.matched.lines if x.line == line.line} if state.matched else set()
    return CostLayer(*issues) if len(issues) == 1 and "" not in issues else None


def _place(state: State, line: Line, lot: str) -> StockPlace:
    return StockPlace(line.item, state.location, lot, state.owner)


def _dispositioned(state: State, event: Recorded, policy: Policy) -> Step:
    data: ReturnDispositioned = event.data
    if not policy.speaks_for(event.source, data.location):
        return Step(state, (not_theirs(event, "inspections", data.location, policy),), "ignored")
    if any(x.name == data.inspection for x in (*state.inspections, *state.early)):
        return Step(state, (), "duplicate")
    state, intents = _judge(state, Inspection(data.inspection, data.lines, event.occurred_at))
    out = [x for x in data.lines if GOES_TO[x.disposition] == OUTSIDE]
    gone = serial.tell(out, "gone", data.location, event.thread, data.inspection)
    if not intents:
        return Step(state, tuple(gone), "waiting")
    state, booked = book(state, policy)
    return Step(state, (*intents, *gone, *booked))


def _judge(state: State, inspection: Inspection) -> tuple[State, list[Intent]]:
    """What becomes of the goods; an inspection of what has not come waits for it."""
    before, intents = state, list[Intent]()
    for x in inspection.lines:
        line = _judged_line(state, x)
        if line is None:
            return replace(before, early=(*before.early, inspection)), []
        quantity, part = x.quantity.value, PARTS[x.disposition]
        intents.append(_move(state, line, x.lot, ("returned", GOES_TO[x.disposition]), quantity))
        line = line.with_lot(x.lot, -quantity)
        state = with_line(state, replace(line, **{part: getattr(line, part) + quantity}))
    items = dict.fromkeys(x.item for x in inspection.lines if x.disposition == "restock")
    intents += [Publish(item, state.location) for item in items]
    return replace(state, inspections=(*state.inspections, inspection)), intents


def _judged_line(state: State, told: JudgedLine) -> Line | None:
    """The line with as much unjudged of the item and lot."""
    names = (told.line, f"{told.line}/{told.item}")
    return next(
        (
            x for x in state.lines
            if x.line in names and (x.item, x.unit) == (told.item, told.quantity.unit) and x.in_lot(told.lot) >= told.quantity.value
        ),
        None,
    )  # fmt: skip


def _booked(state: State, event: Recorded, _policy: Policy) -> Step:
    return _documented(state, event, receipt=event.data.document)


def _credited(state: State, event: Recorded, _policy: Policy) -> Step:
    return _documented(state, event, credit=event.data.document)


def _documented(state: State, event: Recorded, **document: str) -> Step:
    inspections = tuple(
        replace(x, **document) if about(state, x.name) == event.about else x for x in state.inspections
    )
    return Step(replace(state, inspections=inspections))


def _accepted(state: State, event: Recorded, policy: Policy) -> Step:
    """A person takes it as it is."""
    what, by = event.data.what, event.data.by
    if what == BLIND:
        state, booked = book(replace(state, accepted=True), policy)
        return Step(state, (accepted(what, by), *booked))
    asked = (_ask(event.thread, state.order, wanted(state)),) if what == BEYOND and state.order else ()
    return Step(state, (accepted(what, by), *asked))


def _closed(state: State, event: Recorded, _policy: Policy) -> Step:
    if state.ended:
        return Step(state, (), "duplicate")
    return Step(replace(state, ended="closed", reason=event.data.reason), (ClearTimer("parent"),))


def _cancelled(state: State, event: Recorded, policy: Policy) -> Step:
    """What came already stays and is judged; the rest is expected no more."""
    if state.ended:
        return Step(state, (), "duplicate")
    back = any(x.came for x in state.lines)
    state = replace(state, ended="closed" if back else "cancelled", reason=event.data.reason)
    if state.said is None:
        return Step(state)
    state, told = _announce(state, policy, cancelled=True)
    return Step(state, tuple(told))


def _waited(state: State, event: Recorded, _policy: Policy) -> Step:
    if event.data.name != "parent" or state.said is not None or state.slip is not None:
        return Step(state, (), "stale")
    case = OpenCase(
        f"return-missing/{state.location}", "missing", "return without an order",
        f"{state.location} received goods back as {state.reference}, and nobody knows of which order",
        "They are on hand and not for sale. Find the order and authorise the return; it is then credited by itself.",
        "customer service", "parent",
    )  # fmt: skip
    return Step(state, (case,))


Handler = Callable[[State, Recorded, Policy], Step]
_HANDLERS: dict[str, Handler] = {
    "return.authorised.v1": _authorised,
    "return.identified.v1": _identified,
    "return.cancelled.v1": _cancelled,
    "return.matched.v1": _matched,
    "return.dispositioned.v1": _dispositioned,
    "inbound.announced.v1": _announced,
    "inbound.received.v1": _received,
    "inbound.closed.v1": _closed,
    "inbound.accepted.v1": _accepted,
    "goodsReceipt.posted.v1": _booked,
    "credit.posted.v1": _credited,
    "timer.fired.v1": _waited,
}


def summary(state: State, policy: Policy) -> Summary:
    phase, waiting, owner = _stands(state, policy)
    return Summary(phase, waiting, owner, not waiting, number=state.number, lots=tuple(came(state)))


def _stands(state: State, policy: Policy) -> tuple[str, str, str]:
    """(phase, what it waits on, whose move it is)"""
    warehouse = policy.warehouse_of(state.location)
    back = any(x.came for x in state.lines)
    if state.ended == "cancelled":
        return "cancelled", "", ""
    if back and state.said is None and state.slip is None:
        return "received", "word of whose it is", "customer service"
    if state.unjudged:
        return "received", f"the inspection by {warehouse}", warehouse
    if back and not state.may_credit:
        return "inspected", "somebody to accept it", "customer service"
    erp = state.matched.erp if state.matched and state.matched.erp else policy.erp_of_node(state.location)
    for x in state.inspections:
        if x.receipt_asked and x.name and not x.receipt:
            return "inspected", f"the goods receipt in {erp}", erp
        if x.credit_asked and not x.credit:
            return "inspected" if back else "authorised", f"the credit in {erp}", erp
        if not x.credit_asked and uninvoiced(state, x):
            return "inspected" if back else "authorised", f"the invoice of the original sale in {erp}", erp
    if state.matched is None and state.order and not state.ended:
        return "authorised", f"order {state.order}", HUB
    if state.left:
        return "returning" if back else "authorised", "the goods", "customer"
    return "credited" if any(x.credit for x in state.inspections) else "closed", "", ""
