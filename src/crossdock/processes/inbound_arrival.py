"""The receipts of an inbound delivery: what came in which condition, what of it was too much, and booking it in the ERP."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.movement import InboundReceived, ReceivedLine
from crossdock.model.quantity import Quantity
from crossdock.model.stock import Bucket
from crossdock.processes import inbound_dispatch, serial
from crossdock.processes.authority import not_theirs
from crossdock.processes.inbound_state import Aside, Line, State, line_of, place_of, with_line
from crossdock.processes.intents import CloseCase, Do, Intent, OpenCase, Publish, SetTimer, Step
from crossdock.processes.policy import Policy
from crossdock.processes.receiving import (
    ACCEPT,
    EXPECTED,
    OUTSIDE,
    ZERO,
    Receipt,
    accept_case,
    accepted,
    anew,
    arrive,
    bucket_of,
    dock,
    moved,
    with_cost,
    with_document,
)

replace = msgspec.structs.replace
Handler = Callable[[State, Recorded, Policy], Step]


def _received(state: State, event: Recorded, policy: Policy) -> Step:
    """A truck was counted. Nobody asked for it yet: it is on the shelf all the same."""
    data: InboundReceived = event.data
    if not policy.speaks_for(event.source, data.location):
        return Step(state, (not_theirs(event, "receipts", data.location, policy),), "ignored")
    if any(x.receipt == data.receipt for x in state.receipts):
        return Step(state, (), "duplicate")
    if state.location and state.location != data.location:
        return Step(state, (_elsewhere(state, data),), "ignored")
    before = state
    state = replace(state, location=data.location)
    intents: list[Intent] = []
    for line in data.lines:
        docked, parts = arrive(state.docked, data.receipt, line)
        state = replace(state, docked=docked)
        for part in parts:
            state, more = _take(state, data.receipt, part, policy)
            intents += more
    kept = Receipt(data.receipt, event.occurred_at, data.lines)
    state = replace(state, receipts=(*state.receipts, kept))
    intents += _publish(state, data.lines) + _cases(before, state, data.lines)
    intents += serial.tell(data.lines, "received", data.location, event.thread, data.receipt)
    if state.said is None:
        intents.append(SetTimer("parent", policy.parent_wait_seconds))
    state, posted = post(state, policy)
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
    place, bucket = place_of(state, line, told.lot), bucket_of(told)
    aside: Bucket = "quarantine" if told.condition == "good" else bucket
    line, sent, intents = inbound_dispatch.arrived(state, line, awaited, (place, bucket), told.expires_on)
    intents += moved(
        (place_of(state, line), EXPECTED), (place, bucket), awaited - sent, unit, expires_on=told.expires_on
    )
    intents += moved((place, OUTSIDE), (place, bucket), late + fine, unit, expires_on=told.expires_on)
    intents += moved((place, OUTSIDE), (place, aside), beyond, unit, expires_on=told.expires_on)
    line = line.with_more(bucket, quantity - beyond).with_more(aside, beyond)
    if beyond and told.condition == "good":
        line = replace(line, aside=(*line.aside, Aside(told.lot, beyond)))
        if told.on_dock:
            stays = replace(told, quantity=Quantity(beyond, unit))
            state = replace(state, docked=dock(state.docked, receipt, stays, arrives=False)[0])
    return with_line(state, line), with_cost(intents, told.cost)


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


def _cases(before: State, state: State, told: tuple[ReceivedLine, ...]) -> list[Intent]:
    """What a person should know of a receipt: only what it changed."""
    found: list[Intent] = []
    known = {x.line: x for x in before.lines}
    grown = [x for x in state.lines if x.came > (known[x.line].came if x.line in known else ZERO)]
    over = [x for x in state.lines if x.named and x.over]
    if state.said is not None and any(x in grown for x in over):
        listed = ", ".join(f"{Quantity(x.over, x.unit)} of {x.item}" for x in over)
        found += anew(
            accept_case(
                "over", state.reference, f"More came of {state.reference} than was ordered: {listed}",
                "Retry the case to accept it: what was put aside can be sold then. Or send the order again with what it shall be.",
            )
        )  # fmt: skip
    if any(x.condition == "damaged" for x in told):
        listed = ", ".join(f"{Quantity(x.damaged, x.unit)} of {x.item}" for x in state.lines if x.damaged)
        found += anew(
            accept_case(
                "damaged", state.reference, f"Goods of {state.reference} came damaged: {listed}",
                "They lie apart and are not for sale. Claim them from whoever sent or carried them, then retry the case.",
            )
        )  # fmt: skip
    return [*found, *(unknown(state) if any(not x.named for x in grown) else [])]


def unknown(state: State) -> list[Intent]:
    strange = [x for x in state.lines if not x.named and x.came] if state.said is not None else []
    if not strange:
        return []
    listed = ", ".join(f"{Quantity(x.came, x.unit)} of {x.item}" for x in strange)
    case = accept_case(
        "unknown", state.reference, f"Goods came with {state.reference} that nobody ordered: {listed}",
        "Retry the case to keep them, or send the order again with a line for them.",
    )  # fmt: skip
    return anew(case)


def covered(state: State) -> tuple[State, list[Intent]]:
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
        place = place_of(state, line, lot)
        intents += moved((place, "quarantine"), (place, "available"), quantity, line.unit)
    if intents:
        intents.append(Publish(line.item, state.location))
    free = line.with_more("quarantine", -line.put_aside).with_more("available", line.put_aside)
    return with_line(state, replace(free, aside=())), intents


def post(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    """Tell the ERP of every receipt that it was not told of, once the order to book it to is known."""
    if state.said is None:
        return state, []
    order, intents, receipts = state.said.order or state.said.number, [], []
    for receipt in state.receipts:
        x = receipt
        lines = tuple(told for told in x.lines if _ours(state, told))
        if lines:
            payload = requests.PostGoodsReceipt(
                x.receipt, f"inbound/{state.reference}", order, state.location, lines, x.at
            )
            erp = policy.erp_of_node(state.location)
            intents.append(Do("goods_receipt.post", erp, x.receipt, payload, state.reference, priority=2))
            x = replace(x, asked=True, lines=())
        receipts.append(x)
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
            place = place_of(state, line, told.lot)
            intents += moved((place, "quarantine"), (place, "available"), met, line.unit)
            state = with_line(state, line.with_more("quarantine", -met).with_more("available", met))
    return Step(state, (*intents, *_publish(state, data.lines)))


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


HANDLERS: Final[dict[str, Handler]] = {
    "inbound.received.v1": _received,
    "inbound.stored.v1": _stored,
    "inbound.accepted.v1": _accepted,
    "goodsReceipt.posted.v1": _booked,
}
