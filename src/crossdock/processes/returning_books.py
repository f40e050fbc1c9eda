"""What a return has the ERP book: the goods as they were judged, and the credit at the price of the original sale."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from crossdock.model import requests
from crossdock.model.movement import ReceivedLine
from crossdock.model.quantity import Quantity
from crossdock.model.returning import Disposition, JudgedLine, MatchedLine, ReturnLine
from crossdock.model.stock import Condition, StockPlace
from crossdock.processes import adjusting
from crossdock.processes.intents import Do, Intent
from crossdock.processes.policy import Policy
from crossdock.processes.receiving import ZERO
from crossdock.processes.returning_kits import cut
from crossdock.processes.returning_state import Inspection, State, line_of

KIND = "return"
BOOKED_AS: Final[dict[Disposition, Condition]] = {
    "restock": "good", "refurbish": "quarantine", "vendor": "damaged", "scrap": "damaged",
}  # fmt: skip
"""How the ERP takes it: for sale, in inspection, or blocked."""
replace = msgspec.structs.replace


def book(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    """Tell the ERP of everything that was judged, as soon as it is known what it belongs to."""
    if state.matched is None or not state.matched.known or not state.may_credit:
        return state, []
    intents: list[Intent] = []
    done: list[Inspection] = []
    used: list[MatchedLine] = [m for x in state.inspections for m in x.credited]
    for x in state.inspections:
        one, more = _book_one(state, x, used, policy)
        used += [] if x.credit_asked else one.credited
        intents += more
        done.append(one)
    return replace(state, inspections=tuple(done)), intents


def _book_one(
    state: State, inspection: Inspection, used: list[MatchedLine], policy: Policy
) -> tuple[Inspection, list[Intent]]:
    assert state.matched is not None
    erp = state.matched.erp or policy.erp_of_node(state.location)
    named, intents = about(state, inspection.name), list[Intent]()
    if not inspection.receipt_asked:
        lines = tuple(
            ReceivedLine(_order_line(state, x), x.item, x.quantity, BOOKED_AS[x.disposition], x.lot)
            for x in inspection.lines
        )
        assert inspection.at is not None
        receipt = requests.PostGoodsReceipt(
            inspection.name, f"{KIND}/{state.reference}", state.matched.sales_order, state.location, lines, inspection.at, "return"
        )  # fmt: skip
        intents.append(Do("goods_receipt.post", erp, named, receipt, state.reference, priority=3))
        intents += _scrapped(state, inspection, erp, policy)
        inspection = replace(inspection, receipt_asked=True)
    if not inspection.credit_asked:
        credited = _share(state, inspection, used)
        if credited and all(x.invoice for x in credited):
            credit = requests.PostCredit(
                f"{KIND}/{state.reference}", state.order, state.matched.number, state.matched.sales_order, credited, inspection.name,
                ", ".join(dict.fromkeys(x.reason for x in wanted(state) if x.reason)),
            )  # fmt: skip
            intents.append(Do("credit.post", erp, named, credit, state.reference, priority=3))
            inspection = replace(inspection, credit_asked=True, credited=credited)
    return inspection, intents


def _scrapped(state: State, inspection: Inspection, erp: str, policy: Policy) -> list[Intent]:
    """What was taken back as damaged and destroyed at once; after its receipt, which brought it into the books."""
    assert inspection.at is not None
    quantities: dict[tuple[StockPlace, str], Decimal] = {}
    for x in inspection.lines:
        if x.disposition == "scrap":
            key = StockPlace(x.item, state.location, x.lot, state.owner), x.quantity.unit
            quantities[key] = quantities.get(key, ZERO) + x.quantity.value
    thread = f"{KIND}/{state.reference}"
    fact = adjusting.Fact(
        inspection.name, thread, inspection.at, policy.warehouse_of(state.location), "scrap"
    )
    return [
        do
        for (place, unit), quantity in quantities.items()
        for do in adjusting.scrapped(
            place, Quantity(quantity, unit), fact, policy, erp=erp, lane=state.reference
        )
    ]


def about(state: State, inspection: str) -> str:
    return f"{state.reference}/{inspection or 'refund'}"


def wanted(state: State) -> tuple[ReturnLine, ...]:
    known = state.said or state.slip
    return known.lines if known else ()


def _order_line(state: State, judged: JudgedLine) -> str:
    names = (_own_name(state, judged), judged.line)
    return next(
        (x.order_line for x in map(partial(line_of, state), names) if x and x.order_line), judged.line
    )


def _own_name(state: State, judged: JudgedLine) -> str:
    """Another item than its line's has a line of its own."""
    line = line_of(state, judged.line)
    return judged.line if line and line.item == judged.item else f"{judged.line}/{judged.item}"


def _share(state: State, inspection: Inspection, used: Sequence[MatchedLine]) -> tuple[MatchedLine, ...]:
    """What of the original sale is credited: all of it at once, or what was judged, oldest shipment first."""
    assert state.matched is not None
    free = {(m.line, m.shipment): m.quantity.value for m in state.matched.lines}
    for m in used:
        free[m.line, m.shipment] = free.get((m.line, m.shipment), ZERO) - m.quantity.value
    judged = {} if inspection.name else {x.line: x.authorised for x in state.lines}
    for x in inspection.lines:
        name = _own_name(state, x)
        judged[name] = judged.get(name, ZERO) + x.quantity.value
    found = []
    for m in state.matched.lines:
        take = min(max(ZERO, free[m.line, m.shipment]), judged.get(m.line, ZERO))
        if take > ZERO:
            judged[m.line] -= take
            found.append(cut(m, Quantity(take, m.quantity.unit), used))
    return tuple(found)


def uninvoiced(state: State, inspection: Inspection) -> bool:
    if state.matched is None:
        return False
    used = [m for x in state.inspections for m in x.credited]
    return any(not x.invoice for x in _share(state, inspection, used))
