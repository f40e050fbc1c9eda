"""Order to invoice: the founding process, seen from the order.

storefront order → ERP check → claim → sales order and warehouse release → allocation → packed → shipped
→ goods issue, storefront fulfilment, notifications → milestones → delivered → invoice.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.order import OrderChecked, OrderLine, OrderReceived
from crossdock.model.quantity import Quantity
from crossdock.model.stock import ClaimLine, StockPlace
from crossdock.processes import order_cancel, order_ship
from crossdock.processes.intents import (
    Claim,
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
)  # fmt: skip
from crossdock.processes.lines import Line, advance
from crossdock.processes.order_state import CLOSED, VERSION, State, initial
from crossdock.processes.policy import Policy

__all__ = ["KIND", "VERSION", "State", "initial", "step", "summary"]

KIND = "order"
Handler = Callable[[State, Recorded, Policy], Step]
replace = msgspec.structs.replace


def step(state: State, event: Recorded, policy: Policy) -> Step:
    """One event: what the order is now, and what must follow. Unknown types change nothing."""
    handler = HANDLERS.get(event.type)
    return handler(state, event, policy) if handler else Step(state, (), "ignored")


def _received(state: State, event: Recorded, policy: Policy) -> Step:
    order: OrderReceived = event.data
    content = _fingerprint(order)
    if state.phase != "new":
        if content == state.content:
            return Step(state, (), "duplicate")
        return _changed_after_receipt(state, order)
    lines = tuple(
        Line(
            line.line,
            line.item,
            line.ordered.unit,
            line.unit_price.amount,
            line.ordered.value,
            line.ordered.value,
        )
        for line in order.lines
    )
    state = replace(
        state, reference=order.reference, number=order.number, channel=order.channel, lines=lines, total=order.total,
        destination=order.destination, service=order.service, promised_on=order.promised_on, people=event.sealed,
        subject=event.subject, content=content,
    )  # fmt: skip
    if state.cancel:
        return order_cancel.cancel_now(state, policy)
    return _check(replace(state, phase="checking"), policy)


def _fingerprint(order: OrderReceived) -> str:
    text = "|".join(f"{x.line}:{x.item}:{x.ordered}:{x.unit_price}" for x in order.lines)
    return blake2b(text.encode(), digest_size=12).hexdigest()


def _changed_after_receipt(state: State, order: OrderReceived) -> Step:
    case = OpenCase(
        fingerprint=f"order-changed/{state.reference}", problem="value", cause="order change",
        title=f"Order {state.number} was changed in {order.channel} after we took it",
        detail="The first version is being fulfilled. Cancel and reorder, or settle the difference with the customer.",
        owner="customer service", key="changed",
    )  # fmt: skip
    return Step(state, (case,), "stale")


def _check(state: State, policy: Policy) -> Step:
    generation = state.checks
    payload = requests.CheckOrder(state.reference, _as_ordered(state), policy.location, state.destination)
    do = Do("order.check", policy.erp, state.reference, payload, state.reference, generation, priority=1)
    return Step(replace(state, checks=generation + 1), (do,))


def _as_ordered(state: State) -> tuple[OrderLine, ...]:
    currency = state.total.currency if state.total else ""
    return tuple(
        OrderLine(x.line, x.item, Quantity(x.ordered, x.unit), Money(x.price, currency)) for x in state.lines
    )


def _checked(state: State, event: Recorded, policy: Policy) -> Step:
    if state.phase != "checking":
        return Step(state, (), "stale")
    answer: OrderChecked = event.data
    unknown = [line.line for line in answer.lines if not line.known_item]
    if unknown:
        items = ", ".join(sorted({x.item for x in state.lines if x.line in unknown}))
        reason = f"item {items} is unknown to {policy.erp}"
        return (
            order_cancel.reject(state, reason, policy)
            if policy.unknown_item == "reject"
            else _hold(state, "item", reason, policy)
        )
    if answer.credit == "blocked":
        return _hold(state, "credit", f"credit refused by {policy.erp}", policy)
    differing = _price_difference(state, answer, policy)
    if differing:
        return _hold(state, "price", differing, policy)
    confirmed = {line.line: line.confirmed.value for line in answer.lines}
    short = [x.item for x in state.lines if confirmed.get(x.line, x.ordered) < x.ordered]
    if short:
        return _hold(state, "stock", f"{policy.erp} cannot confirm {', '.join(short)}", policy)
    return _claim(state, policy)


def _price_difference(state: State, answer: OrderChecked, policy: Policy) -> str:
    prices = {line.line: line.net_price for line in answer.lines}
    for x in state.lines:
        net = prices.get(x.line)
        if net is None or net.amount == 0:
            continue
        if abs(x.price * x.ordered - net.amount) > policy.price_tolerance * net.amount:
            sold = Money(x.price * x.ordered, net.currency)
            return f"line {x.line} ({x.item}) was sold for {sold}, {policy.erp} says {net}"
    return ""


def _hold(state: State, why: str, reason: str, policy: Policy) -> Step:
    held = replace(state, phase="held", hold=why)
    intents: list[Intent] = []
    if state.checks + state.claims <= policy.rechecks_max:
        intents.append(SetTimer("recheck", policy.recheck_seconds))
    owner = {"credit": "finance", "price": "finance", "item": "master data"}.get(why, "operations")
    title, remedy = {
        "credit": (f"Credit refused by {policy.erp}", f"Release the credit in {policy.erp}, or cancel."),
        "price": (reason[:1].upper() + reason[1:], "Correct the price that is wrong, or cancel."),
        "item": (reason[:1].upper() + reason[1:], f"Create the item in {policy.erp}, or cancel."),
        "stock": ("Not enough stock to promise the order", "Receive or correct stock, or cancel."),
    }[why]  # fmt: skip
    # One case a cause: orders held for the same credit or stock share it, a price differs in its own way.
    key = reason if why in ("item", "price") else why
    detail = f"{remedy} What is held is checked again by itself, and at once when the case is retried."
    intents.append(OpenCase(f"hold/{policy.erp}/{key}", "value", _CAUSES[why], title, detail, owner, "hold"))
    return Step(held, tuple(intents))


_CAUSES = {"credit": "credit", "price": "price", "item": "master data", "stock": "stock"}


def _recheck(state: State, event: Recorded, policy: Policy) -> Step:
    """A hold's timer fired, or somebody says that the reason is gone."""
    if state.phase != "held":
        return Step(state, (), "stale")
    return _check(replace(state, phase="checking"), policy)


def _claim(state: State, policy: Policy) -> Step:
    claim = f"{state.reference}#{state.claims}"
    lines = tuple(
        ClaimLine(x.line, StockPlace(x.item, policy.location), Quantity(x.open, x.unit))
        for x in state.lines
        if x.open
    )
    claiming = replace(state, phase="claiming", claim=claim, claims=state.claims + 1)
    return Step(claiming, (Claim(claim, lines),))


def _granted(state: State, event: Recorded, policy: Policy) -> Step:
    lines = tuple(advance(x, "reserved", x.open)[0] if x.open else x for x in state.lines)
    if event.data.claim != state.claim:
        return _give_back(state, event)
    if state.phase != "claiming":
        return Step(state, (), "duplicate")
    state = replace(state, lines=lines, phase="approved", hold="")
    ordered = _as_ordered(state)
    assert state.total is not None
    create = requests.CreateSalesOrder(
        state.reference, state.number, ordered, policy.location, state.total, state.promised_on
    )
    release = requests.ReleaseOrder(
        state.reference, state.number, policy.location, ordered, state.service, state.promised_on
    )
    intents: list[Intent] = [
        Do(
            "sales_order.create",
            policy.erp,
            state.reference,
            create,
            state.reference,
            0,
            state.people,
            state.subject,
            3,
        ),
        Do(
            "warehouse_order.release",
            policy.warehouse,
            state.reference,
            release,
            state.reference,
            0,
            state.people,
            state.subject,
            2,
        ),
        *notify(state, "approved", policy),
        *(Publish(x.item, policy.location) for x in state.lines),
    ]
    if state.checks + state.claims > 2:
        intents += [ClearTimer("recheck"), CloseCase("hold", "the order was approved")]
    return Step(state, tuple(intents))


def _give_back(state: State, event: Recorded) -> Step:
    """The order no longer wants what it asked for (it was cancelled meanwhile)."""
    moves = tuple(
        Move(x.place, "firm_claim", "available", x.quantity.value, x.quantity.unit, event.data.claim, x.line)
        for x in event.data.lines
    )
    return Step(
        state, (*moves, *(Publish(x.place.item, x.place.location) for x in event.data.lines)), "stale"
    )


def _refused(state: State, event: Recorded, policy: Policy) -> Step:
    if event.data.claim != state.claim or state.phase != "claiming":
        return Step(state, (), "stale")
    missing = ", ".join(f"{x.quantity} of {x.place.item} at {x.place.location}" for x in event.data.missing)
    return _hold(state, "stock", f"missing {missing}", policy)


def notify(state: State, about: str, policy: Policy, **more: Any) -> tuple[Do, ...]:
    """Tell the customer-facing systems."""
    return order_ship.notify(state, about, policy, **more)


def _sales_order(state: State, event: Recorded, policy: Policy) -> Step:
    state = replace(state, sales_order=event.data.document)
    if state.cancel == "agreed":
        return Step(state, order_cancel.cancel_sales_order(state, policy))
    intents: list[Intent] = []
    if state.allocated:
        intents += order_ship.update_reservation(state, policy)
    for part in state.parts:
        if part.shipped_at is not None:
            intents += order_ship.post_goods_issue(state, part, policy)
    return Step(state, tuple(intents))


def _released(state: State, event: Recorded, _policy: Policy) -> Step:
    phase = "released" if state.phase == "approved" else state.phase
    return Step(replace(state, warehouse_order=event.data.warehouse_order, phase=phase))


def _noted(**fields: str) -> Handler:
    """Receipts that only have to be remembered."""

    def handler(state: State, event: Recorded, _policy: Policy) -> Step:
        return Step(replace(state, **{name: getattr(event.data, source) for name, source in fields.items()}))

    return handler


HANDLERS: dict[str, Handler] = {
    "order.received.v1": _received,
    "order.checked.v1": _checked,
    "order.creditReleased.v1": _recheck,
    "timer.fired.v1": _recheck,
    "claim.granted.v1": _granted,
    "claim.refused.v1": _refused,
    "salesOrder.posted.v1": _sales_order,
    "order.released.v1": _released,
    "order.allocated.v1": order_ship.allocated,
    "order.packed.v1": order_ship.packed,
    "order.shipped.v1": order_ship.shipped,
    "goodsIssue.posted.v1": order_ship.goods_issued,
    "shipment.milestoneReached.v1": order_ship.milestone,
    "order.delivered.v1": order_ship.delivered,
    "invoice.released.v1": order_ship.invoiced,
    "fulfilment.created.v1": order_ship.fulfilment_created,
    "reservation.updated.v1": _noted(reservation="document"),
    "order.cancelRequested.v1": order_cancel.requested,
    "order.cancellationAnswered.v1": order_cancel.answered,
    "salesOrder.cancelled.v1": order_cancel.sales_order_cancelled,
    "fulfilment.cancelled.v1": _noted(told_channel="document"),
}


def summary(state: State, policy: Policy) -> Summary:
    """The sentence behind every list, in words a caller understands."""
    if state.phase in CLOSED:
        return Summary(state.phase, done=True, number=state.number)
    # A held order that is checked again is still held, and has been since it was.
    shown = replace(state, phase="held") if state.hold and state.phase in ("checking", "claiming") else state
    waiting, owner = _waits_on(shown, policy)
    return Summary(shown.phase, waiting, owner, number=state.number)


def _waits_on(state: State, policy: Policy) -> tuple[str, str]:
    match state.phase:
        case "new":
            return "the order itself (an event about it came first)", "operations"
        case "checking":
            return f"credit, availability and price check in {policy.erp}", policy.erp
        case "held":
            return {
                "credit": f"credit release in {policy.erp}",
                "stock": "stock",
                "price": "a price decision",
                "item": "item master data",
            }[state.hold], "finance" if state.hold in ("credit", "price") else "operations"
        case "claiming":
            return "stock reservation", "crossdock"
        case "approved":
            return f"{policy.warehouse} to take the order", policy.warehouse
        case "cancelling":
            return (
                f"{policy.warehouse} to stop the order"
                if state.cancel == "waiting_for_warehouse"
                else f"{policy.erp} to cancel its sales order",
                policy.warehouse if state.cancel == "waiting_for_warehouse" else policy.erp,
            )
        case "released":
            return f"picking and packing in {policy.warehouse}", policy.warehouse
        case "shipping":
            return f"ship confirmation by {policy.warehouse}", policy.warehouse
        case _:
            return order_ship.waits_on(state, policy)
