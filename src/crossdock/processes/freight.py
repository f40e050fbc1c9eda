"""What a shipment's carriage costs: estimated, accrued, billed, matched or disputed, adjusted; and who bears it."""

from decimal import ROUND_DOWN, Decimal

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.shipment import FreightInvoiced, FreightShare, Package
from crossdock.processes import gates
from crossdock.processes.intents import CloseCase, Do, Intent, OpenCase, Step
from crossdock.processes.policy import Policy
from crossdock.processes.shipment_state import Bill, State, by_order

replace = msgspec.structs.replace
CENT = Decimal("0.01")


def shares(total: Money, packages: tuple[Package, ...]) -> tuple[FreightShare, ...]:
    """What each order bears, by the units it has in the boxes; cents that do not divide go to the largest share."""
    units = {order: sum(x.quantity.value for x in lines) for order, lines in by_order(packages).items()}
    of = sum(units.values())
    if len(units) < 2 or not of:
        return ()
    amounts = {
        order: (total.amount * n / of).quantize(CENT, ROUND_DOWN) for order, n in sorted(units.items())
    }
    largest = max(amounts, key=lambda order: (units[order], order))
    amounts[largest] += total.amount - sum(amounts.values())
    return tuple(FreightShare(order, Money(x, total.currency)) for order, x in amounts.items())


def accrue(state: State, policy: Policy) -> list[Intent]:
    """Once the price is known and the gate is open."""
    if state.freight is None or gates.ACCRUE.lacks(state, state, policy):
        return []
    assert state.departed_at is not None
    payload = requests.AccrueFreight(
        state.shipment,
        state.carrier,
        state.freight,
        state.departed_at,
        shares(state.freight, state.packages),
        policy.day_at(state.location, state.departed_at),
    )
    erp = policy.erp_of_node(state.location)
    return [Do("freight.accrue", erp, accrual_of(state), payload, state.shipment, state.taken_back)]


def accrual_of(state: State) -> str:
    """What the accrual of the departure that counts is called in the journal."""
    return f"{state.shipment}~{state.taken_back}" if state.taken_back else state.shipment


def departure_of(state: State, about: str) -> int:
    """Which departure of the shipment the receipt of an accrual is about."""
    number = about.removeprefix(state.shipment).removeprefix("~")
    return int(number) if number.isdecimal() else 0


def accrued(state: State, event: Recorded, policy: Policy) -> Step:
    state = replace(state, accrual=event.data.document)
    intents: list[Intent] = []
    for bill in state.bills:
        if bill.state == "open":
            state, more = _judge(state, bill, policy)
            intents += more
    return Step(state, tuple(intents))


def billed(state: State, event: Recorded, policy: Policy) -> Step:
    """A carrier's bill. The same bill twice is one; a second bill for the same carriage is a question."""
    data: FreightInvoiced = event.data
    same = next((x for x in state.bills if x.invoice == data.invoice), None)
    if same is not None and same.total == data.total:
        return Step(state, (), "duplicate")
    bill = Bill(data.invoice, data.carrier, data.total, billed_at=event.occurred_at)
    if state.bills:
        return Step(
            replace(state, bills=(*state.bills, replace(bill, state="disputed"))),
            (_again(state, bill, state.bills[0]),),
        )
    state = replace(state, bills=(bill,))
    if gates.MATCH.lacks(state, bill, policy):
        return Step(state, (), "waiting")
    state, intents = _judge(state, bill, policy)
    return Step(state, tuple(intents))


def _judge(state: State, bill: Bill, policy: Policy) -> tuple[State, list[Intent]]:
    """Matched, adjusted within the tolerance, or put before a person."""
    expected = state.freight
    if expected is not None and expected.currency == bill.total.currency:
        difference = bill.total.amount - expected.amount
        if difference == 0:
            return _with(state, replace(bill, state="matched")), []
        if abs(difference) <= policy.freight_tolerance * expected.amount:
            return adjust(state, bill, policy)
    case = OpenCase(
        f"freight/{bill.carrier}/{state.shipment}", "value", "freight difference",
        f"{bill.carrier} billed {bill.total} for shipment {state.shipment}, {expected or 'nothing'} was expected",
        f"Bill {bill.invoice} differs by more than {(policy.freight_tolerance * 100).normalize():f} %. Dispute it with the carrier, or"
        " retry the case to accept it: the accrual is then adjusted.",
        "finance", f"freight/{bill.invoice}",
    )  # fmt: skip
    return _with(state, replace(bill, state="disputed")), [case]


def _again(state: State, bill: Bill, first: Bill) -> OpenCase:
    what = "a different amount" if bill.invoice == first.invoice else f"bill {first.invoice} before"
    return OpenCase(
        f"freight-again/{bill.carrier}/{state.shipment}/{bill.invoice}", "duplicate", "freight billed twice",
        f"{bill.carrier} billed shipment {state.shipment} again: {bill.total} in {bill.invoice}, after {what}",
        f"{first.total} was billed in {first.invoice} already. Ask the carrier; nothing was booked for this bill. Retry the"
        " case to accept it beside the first.",
        "finance", f"freight/{bill.invoice}",
    )  # fmt: skip


def approved(state: State, event: Recorded, policy: Policy) -> Step:
    """A person accepts a disputed bill."""
    bill = next((x for x in state.bills if x.invoice == event.data.invoice and x.state == "disputed"), None)
    if bill is None:
        return Step(state, (), "stale")
    closed = CloseCase(f"freight/{bill.invoice}", f"accepted by {event.data.by or event.source}")
    state, intents = adjust(state, bill, policy)
    return Step(state, (closed, *intents))


def adjust(state: State, bill: Bill, policy: Policy) -> tuple[State, list[Intent]]:
    """By the difference to the accrual; a bill beside the first by all of it."""
    expected = state.freight if bill is state.bills[0] or bill.invoice == state.bills[0].invoice else None
    before = expected.amount if expected and expected.currency == bill.total.currency else Decimal(0)
    difference = Money(bill.total.amount - before, bill.total.currency)
    assert bill.billed_at is not None
    payload = requests.AdjustFreight(
        state.shipment, bill.carrier, bill.invoice, state.accrual, difference, bill.billed_at.date(),
        shares(difference, state.packages),
    )  # fmt: skip
    erp = policy.erp_of_node(state.location)
    do = Do("freight.adjust", erp, f"{state.shipment}/{bill.invoice}", payload, state.shipment)
    return _with(state, replace(bill, state="adjusting")), [do]


def adjusted(state: State, event: Recorded, _policy: Policy) -> Step:
    invoice = event.about.removeprefix(f"{state.shipment}/")
    bill = next((x for x in state.bills if x.invoice == invoice and x.state == "adjusting"), None)
    if bill is None:
        return Step(state, (), "duplicate")
    return Step(_with(state, replace(bill, state="adjusted", document=event.data.document)))


def _with(state: State, bill: Bill) -> State:
    return replace(
        state,
        bills=tuple(bill if x.invoice == bill.invoice and x.total == bill.total else x for x in state.bills),
    )


def settled(state: State) -> bool:
    """Whatever was expected is booked, and no bill waits for anybody."""
    booked = bool(state.accrual) or state.freight is None
    return booked and all(x.state in ("matched", "adjusted") for x in state.bills)
