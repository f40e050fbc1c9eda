"""An inbound delivery: expected → announced to the warehouse → received, truck by truck → booked in the ERP → closed.

A receipt is physical truth and counts at once, also before anybody said that the goods would come, and after it was closed.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.movement import ExpectedLine, InboundExpected, InboundReceived, ReceivedLine
from crossdock.model.quantity import Quantity
from crossdock.model.stock import Bucket, StockPlace
from crossdock.processes.authority import not_theirs
from crossdock.processes.inbound_state import VERSION, Aside, Line, State, initial, lawful, line_of, with_line
from crossdock.processes.intents import (
    ClearTimer,
    CloseCase,
    Do,
    Intent,
    OpenCase,
    Publish,
    SetTimer,
    Step,
    Summary,
)
from crossdock.processes.policy import Policy
from crossdock.processes.receiving import (
    ACCEPT,
    OUTSIDE,
    ZERO,
    Receipt,
    accept_case,
    accepted,
    arrive,
    bucket_of,
    dock,
    is_elsewhere,
    moved,
    with_document,
)

__all__ = ["KIND", "VERSION", "State", "initial", "step", "summary"]

KIND = "inbound"
EXPECTED: Bucket = "expected"
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
    over_already = state.said is None and bool(state.ended)
    state = replace(
        state, said=data, location=data.location or state.location, sequence=event.sequence, ended=""
    )
    state, intents = _expect(state, {x.line: x for x in data.lines})
    if over_already:
        state, closing = _close(replace(state, ended="cancelled"))
        return Step(state, (*intents, *closing))
    intents += [
        ClearTimer("parent"),
        CloseCase("parent", "it was said what should come"),
        CloseCase("value", "corrected"),
    ]
    state, freed = _covered(state)
    intents += [*freed, *_unknown(state)]
    state, told = _announce(state, policy)
    state, posted = _post(state, policy)
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
        before = line.left
        quantity = said.quantity.value if said else ZERO
        line = replace(line, named=said is not None or line.named, expected=quantity)
        line = replace(line, short=min(line.short, max(ZERO, quantity - line.came)))
        intents += _expect_more(state, line, line.left - before)
        state = with_line(state, line)
    return state, intents


def _apart(state: State, strange: Line) -> State:
    """What came under this number before it was known whose it is has one of its own."""
    others = tuple(x for x in state.lines if x.line != strange.line)
    return replace(state, lines=(*others, replace(strange, line=f"{strange.line}/{strange.item}")))


def _expect_more(state: State, line: Line, more: Decimal) -> list[Intent]:
    place = _place(state, line)
    way: tuple[Bucket, Bucket] = (OUTSIDE, EXPECTED) if more > ZERO else (EXPECTED, OUTSIDE)
    return moved((place, way[0]), (place, way[1]), abs(more), line.unit)


def _place(state: State, line: Line, lot: str = "") -> StockPlace:
    return StockPlace(line.item, state.location, lot, line.owner)


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


def _received(state: State, event: Recorded, policy: Policy) -> Step:
    """A truck was counted. Nobody asked for it yet: it is on the shelf all the same."""
    data: InboundReceived = event.data
    if not policy.speaks_for(event.source, data.location):
        return Step(state, (not_theirs(event, "receipts", data.location, policy),), "ignored")
    if any(x.receipt == data.receipt for x in state.receipts):
        return Step(state, (), "duplicate")
    if state.location and state.location != data.location:
        return Step(state, (_elsewhere(state, data),), "ignored")
    state = replace(state, location=data.location)
    intents: list[Intent] = []
    for line in data.lines:
        docked, parts = arrive(state.docked, data.receipt, line)
        state = replace(state, docked=docked)
        for part in parts:
            state, more = _take(state, data.receipt, part, policy)
            intents += more
    kept = Receipt(data.receipt, data.lines, event.occurred_at)
    state = replace(state, receipts=(*state.receipts, kept))
    intents += _publish(state, data.lines) + _cases(state, data.lines)
    if state.said is None:
        intents.append(SetTimer("parent", policy.parent_wait_seconds))
    state, posted = _post(state, policy)
    return Step(state, (*intents, *posted))


def _elsewhere(state: State, data: InboundReceived) -> OpenCase:
    return OpenCase(
        f"inbound-site/{state.reference}", "value", "received elsewhere",
        f"{data.location} received goods of {state.reference}, which belong to {state.location}",
        "Nothing of it was applied. Have them received without a reference where they are.", "warehouse", "elsewhere",
    )  # fmt: skip


def _take(state: State, receipt: str, told: ReceivedLine, policy: Policy) -> tuple[State, list[Intent]]:
    """From what is expected as far as it goes, then from outside; too much of it is put aside."""
    quantity, unit = told.quantity.value, told.quantity.unit
    line = _line_for(state, told)
    late = min(line.short, max(ZERO, quantity - line.left))
    line = replace(line, short=line.short - late)
    awaited = min(quantity, line.left - late)
    fine = min(quantity - awaited - late, _tolerated(state, line, policy))
    beyond = quantity - awaited - late - fine
    place, bucket = _place(state, line, told.lot), bucket_of(told)
    aside: Bucket = "quarantine" if told.condition == "good" else bucket
    intents = moved(
        (_place(state, line), EXPECTED), (place, bucket), awaited, unit, expires_on=told.expires_on
    )
    intents += moved((place, OUTSIDE), (place, bucket), late + fine, unit, expires_on=told.expires_on)
    intents += moved((place, OUTSIDE), (place, aside), beyond, unit, expires_on=told.expires_on)
    line = line.with_more(bucket, quantity - beyond).with_more(aside, beyond)
    if beyond and told.condition == "good":
        line = replace(line, aside=(*line.aside, Aside(told.lot, beyond)))
        if told.on_dock:
            stays = replace(told, quantity=Quantity(beyond, unit))
            state = replace(state, docked=dock(state.docked, receipt, stays, arrives=False)[0])
    return with_line(state, line), intents


def _line_for(state: State, told: ReceivedLine) -> Line:
    """The line it was told for; one of its own for another item than that line's."""
    line = line_of(state, told.line)
    if line is not None and (line.item, line.unit) == (told.item, told.quantity.unit):
        return line
    name = told.line if line is None else f"{told.line}/{told.item}"
    return line_of(state, name) or Line(name, told.item, told.quantity.unit, told.owner)


def _tolerated(state: State, line: Line, policy: Policy) -> Decimal:
    """How much more of a line may come; without limit while nobody said what should."""
    if state.said is None:
        return Decimal("Infinity")
    return max(ZERO, line.expected * policy.over_receipt_tolerance - line.over) if line.named else ZERO


def _publish(state: State, lines: tuple[ReceivedLine, ...]) -> list[Intent]:
    return [Publish(item, state.location) for item in dict.fromkeys(x.item for x in lines)]


def _cases(state: State, told: tuple[ReceivedLine, ...]) -> list[Intent]:
    """What a person should know of a receipt."""
    found: list[Intent] = []
    over = [x for x in state.lines if x.named and x.over]
    if over and state.said is not None:
        listed = ", ".join(f"{Quantity(x.over, x.unit)} of {x.item}" for x in over)
        found.append(
            accept_case(
                "over", state.reference, f"More came of {state.reference} than was ordered: {listed}",
                "Retry the case to accept it: what was put aside can be sold then. Or send the order again with what it shall be.",
            )
        )  # fmt: skip
    damaged = [x for x in told if x.condition == "damaged"]
    if damaged:
        listed = ", ".join(f"{x.quantity} of {x.item}" for x in damaged)
        found.append(
            accept_case(
                "damaged", state.reference, f"Goods of {state.reference} came damaged: {listed}",
                "They lie apart and are not for sale. Claim them from whoever sent or carried them, then retry the case.",
            )
        )  # fmt: skip
    return [*found, *_unknown(state)]


def _covered(state: State) -> tuple[State, list[Intent]]:
    """What was too much, or not ordered, and is ordered now can be sold; its case is settled."""
    intents: list[Intent] = []
    for line in state.lines:
        if line.named and not line.over:
            state, freed = _free(state, line)
            intents += freed
    if not any(x.named and x.over for x in state.lines):
        intents.append(CloseCase(ACCEPT + "over", "it is ordered now"))
    if not any(not x.named and x.came for x in state.lines):
        intents.append(CloseCase(ACCEPT + "unknown", "it is ordered now"))
    return state, intents


def _free(state: State, line: Line) -> tuple[State, list[Intent]]:
    """What was put aside of a line is put to the rest."""
    intents: list[Intent] = []
    for lot, quantity in line.aside:
        place = _place(state, line, lot)
        intents += moved((place, "quarantine"), (place, "available"), quantity, line.unit)
    if intents:
        intents.append(Publish(line.item, state.location))
    free = line.with_more("quarantine", -line.put_aside).with_more("available", line.put_aside)
    return with_line(state, replace(free, aside=())), intents


def _unknown(state: State) -> list[Intent]:
    strange = [x for x in state.lines if not x.named and x.came] if state.said is not None else []
    if not strange:
        return []
    listed = ", ".join(f"{Quantity(x.came, x.unit)} of {x.item}" for x in strange)
    case = accept_case(
        "unknown", state.reference, f"Goods came with {state.reference} that nobody ordered: {listed}",
        "Retry the case to keep them, or send the order again with a line for them.",
    )  # fmt: skip
    return [case]


def _post(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    """Tell the ERP of every receipt that it was not told of, once the order to book it to is known."""
    if state.said is None:
        return state, []
    order, intents, receipts = state.said.order or state.said.number, [], []
    for x in state.receipts:
        lines = tuple(told for told in x.lines if _ours(state, told))
        if not x.asked and lines:
            payload = requests.PostGoodsReceipt(
                x.receipt, f"{KIND}/{state.reference}", order, state.location, lines, x.at
            )
            erp = policy.erp_of_node(state.location)
            intents.append(Do("goods_receipt.post", erp, x.receipt, payload, state.reference, priority=2))
        receipts.append(replace(x, asked=x.asked or bool(lines)))
    return replace(state, receipts=tuple(receipts)), list(intents)


def _ours(state: State, told: ReceivedLine) -> bool:
    """Goods of another owner are on hand and not in our books; what nobody ordered has nothing to be booked to."""
    line = line_of(state, told.line)
    return line is not None and line.named and not line.owner and line.item == told.item


def _booked(state: State, event: Recorded, _policy: Policy) -> Step:
    receipt = event.about or event.data.receipt
    return Step(replace(state, receipts=with_document(state.receipts, receipt, event.data.document)))


def _stored(state: State, event: Recorded, policy: Policy) -> Step:
    """Put away: from the dock to the shelf, as far as we heard that it came."""
    data = event.data
    if not policy.speaks_for(event.source, data.location):
        return Step(state, (not_theirs(event, "receipts", data.location, policy),), "ignored")
    intents: list[Intent] = []
    for told in data.lines:
        docked, met = dock(state.docked, data.receipt, told, arrives=False)
        state = replace(state, docked=docked)
        if met:
            line = _line_for(state, told)
            place = _place(state, line, told.lot)
            intents += moved((place, "quarantine"), (place, "available"), met, line.unit)
            state = with_line(state, line.with_more("quarantine", -met).with_more("available", met))
    return Step(state, (*intents, *_publish(state, data.lines)))


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
    intents: list[Intent] = [ClearTimer("parent")]
    for line in state.lines:
        intents += _expect_more(state, line, -line.left)
        state = with_line(state, replace(line, short=line.short + line.left))
    return state, intents


def _accepted(state: State, event: Recorded, _policy: Policy) -> Step:
    """A person takes what came otherwise; what was put aside as too much can be sold."""
    what, by = event.data.what, event.data.by
    if what not in ("over", "unknown"):
        return Step(state, (accepted(what, by),))
    intents: list[Intent] = [accepted(what, by)]
    for line in state.lines:
        if line.named == (what == "over"):
            state, freed = _free(state, line)
            intents += freed
    return Step(state, tuple(intents))


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
    "inbound.announced.v1": _announced,
    "inbound.received.v1": _received,
    "inbound.stored.v1": _stored,
    "inbound.closed.v1": _closed,
    "inbound.accepted.v1": _accepted,
    "goodsReceipt.posted.v1": _booked,
    "timer.fired.v1": _waited,
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
