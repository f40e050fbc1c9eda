"""What an order says of goods that come back: what of it left, at what price, by which documents, and not twice."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from crossdock.model.envelope import HUB, Recorded
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.returning import MatchedLine, ReturnAsked, ReturnLine, ReturnMatched
from crossdock.processes import order_kit_return
from crossdock.processes.intents import Intent, Step, Tell
from crossdock.processes.order_state import Back, Part, State, erp_of
from crossdock.processes.policy import Policy

ZERO: Final = Decimal(0)
replace = msgspec.structs.replace


def asked(state: State, event: Recorded, policy: Policy) -> Step:
    """A return may have what left and does not belong to another return; asked again, it is answered anew."""
    data: ReturnAsked = event.data
    if event.source != HUB:
        return Step(state, (), "ignored")
    if state.phase == "new":
        return Step(state, (Tell(data.thread, ReturnMatched(known=False)),), "waiting")
    before = tuple(x for x in state.back if x.thread == data.thread)
    state = replace(state, back=tuple(x for x in state.back if x.thread != data.thread))
    for line in data.lines:
        if order_kit_return.names_kit(state, line):
            state = order_kit_return.taken(state, data.thread, line, before)
        else:
            state = replace(state, back=(*state.back, *_taken(state, data.thread, line)))
    return Step(state, (_answer(state, data.thread, policy),))


def _taken(state: State, thread: str, wanted: ReturnLine) -> Iterator[Back]:
    """By shipment, the first to leave first."""
    rest = wanted.quantity.value
    for part in state.parts:
        if part.shipped_at is None:
            continue
        for item, left in _left(part, wanted).items():
            named = (wanted.order_line, item, part.shipment)
            before = sum(
                (x.quantity for x in state.back if (x.order_line, x.item, x.shipment) == named), ZERO
            )
            take = min(rest, max(ZERO, left - before))
            if take > ZERO:
                rest -= take
                yield Back(thread, wanted.line, wanted.order_line, item, part.shipment, take)


def _left(part: Part, wanted: ReturnLine) -> dict[str, Decimal]:
    """Item → what left of the line: a substitute left as another item."""
    found: dict[str, Decimal] = {}
    for x in part.lines:
        fits = (x.line, x.quantity.unit) == (wanted.order_line, wanted.quantity.unit)
        if fits and wanted.item in ("", x.item):
            found[x.item] = found.get(x.item, ZERO) + x.quantity.value
    return found


def _answer(state: State, thread: str, policy: Policy) -> Tell:
    currency = state.total.currency if state.total else ""
    parts = {x.shipment: x for x in state.parts}
    sold = {(x.line, x.item): x for x in state.lines}
    lines = []
    for x in state.back:
        line, part = sold.get((x.order_line, x.item)), parts.get(x.shipment)
        if x.thread == thread and line is not None and part is not None:
            matched = MatchedLine(
                x.line, x.order_line, x.item, Quantity(x.quantity, line.unit), Money(line.price, currency), x.shipment,
                part.goods_issue, part.invoice,
            )  # fmt: skip
            lines.append(order_kit_return.priced(state, x, matched))
    answer = ReturnMatched(
        tuple(lines), erp=erp_of(state, policy), number=state.number, sales_order=state.sales_order,
        kits=order_kit_return.whole(state, thread), owner=state.owner,
    )  # fmt: skip
    return Tell(thread, answer)


def tell_invoiced(state: State, shipment: str, policy: Policy) -> list[Intent]:
    """Returns of a shipment that was billed only now may be credited."""
    threads = dict.fromkeys(x.thread for x in state.back if x.shipment == shipment)
    return [_answer(state, thread, policy) for thread in threads]
