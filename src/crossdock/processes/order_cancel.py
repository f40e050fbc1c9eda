"""Stopping an order: what is undone follows where the goods are."""

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.processes.intents import (
    ClearTimer,
    CloseCase,
    Do,
    Intent,
    OpenCase,
    Publish,
    Step,
    Withdraw,
)  # fmt: skip
from crossdock.processes.order_ship import advance_lines, notify
from crossdock.processes.order_state import CLOSED, State
from crossdock.processes.policy import Policy

replace = msgspec.structs.replace
STOPPABLE = ("open", "reserved", "allocated", "picked", "backordered")


def requested(state: State, event: Recorded, policy: Policy) -> Step:
    """The customer or the channel wants it stopped."""
    if state.cancel or state.phase in CLOSED:
        return Step(state, (), "duplicate" if state.cancel else "stale")
    state = replace(state, cancel="asked", cancel_reason=event.data.reason)
    match state.phase:
        case "new":
            return Step(state, (), "waiting")
        case "checking" | "held" | "claiming":
            return cancel_now(state, policy)
        case "approved" | "released" | "shipping":
            payload = requests.CancelRelease(state.reference, policy.location, event.data.reason)
            ask = Do(
                "warehouse_order.cancel",
                policy.warehouse,
                state.reference,
                payload,
                state.reference,
                priority=0,
            )
            return Step(replace(state, cancel="waiting_for_warehouse", phase="cancelling"), (ask,))
        case _:
            unsent = tuple(Withdraw("fulfilment.create", x.shipment) for x in state.parts if not x.fulfilment)
            return Step(replace(state, cancel="refused"), (_too_late(state), *unsent))


def _too_late(state: State) -> OpenCase:
    return OpenCase(
        f"too-late/{state.reference}", "value", "cancellation", f"Order {state.number} was cancelled too late to stop it",
        "Intercept the parcel, or agree on a return; the channel shows the order as cancelled.", "customer service", "cancel",
    )  # fmt: skip


def cancel_now(state: State, policy: Policy) -> Step:
    """Nothing left the hub's own books yet but a question and perhaps a claim that is under way."""
    was_held = bool(state.hold)
    checks = state.checks
    state, moves = _stop_lines(state, policy)
    state = replace(state, phase="cancelled", cancel="agreed", hold="", claim="")
    intents: list[Intent] = [*moves, *notify(state, "cancelled", policy)]
    if checks:
        intents.append(Withdraw("order.check", state.reference, checks - 1))
    if was_held:
        intents += [ClearTimer("recheck"), CloseCase("hold", "the order was cancelled")]
    return Step(state, tuple(intents))


def _stop_lines(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    stoppable = tuple((x.line, sum(getattr(x, part) for part in STOPPABLE)) for x in state.lines)
    state, moves = advance_lines(state, "cancelled", stoppable, policy)
    if moves:
        moves += [Publish(x.item, policy.location) for x in state.lines]
    return state, moves


def reject(state: State, reason: str, policy: Policy) -> Step:
    """We cannot serve the order: the channel and the customer hear why."""
    settled = (ClearTimer("recheck"), CloseCase("hold", "the order was rejected")) if state.hold else ()
    state, moves = _stop_lines(state, policy)
    state = replace(state, phase="rejected", hold="", cancel_reason=reason)
    payload = requests.CancelFulfilment(state.reference, reason)
    tell = Do("order.cancel", state.channel, state.reference, payload, state.reference)
    return Step(state, (*moves, tell, *notify(state, "rejected", policy), *settled))


def answered(state: State, event: Recorded, policy: Policy) -> Step:
    """The warehouse's word on a cancellation."""
    if state.cancel != "waiting_for_warehouse":
        return Step(state, (), "stale")
    if not event.data.accepted:
        phase = state.phase if state.phase != "cancelling" else "shipping" if state.parts else "released"
        return Step(
            replace(state, cancel="refused", cancel_reason=event.data.reason, phase=phase),
            (_too_late(state),),
        )
    state, moves = _stop_lines(state, policy)
    state = replace(state, cancel="agreed", phase="cancelling")
    intents: list[Intent] = [*moves, *notify(state, "cancelled", policy)]
    if state.sales_order:
        intents += cancel_sales_order(state, policy)
    return Step(state, tuple(intents))


def cancel_sales_order(state: State, policy: Policy) -> tuple[Intent, ...]:
    lines = tuple(x.line for x in state.lines)
    reason = state.cancel_reason or "cancelled by customer"
    payload = requests.CancelSalesOrder(state.reference, state.sales_order, lines, reason)
    return (Do("sales_order.cancel", policy.erp, state.reference, payload, state.reference),)


def sales_order_cancelled(state: State, _event: Recorded, _policy: Policy) -> Step:
    return Step(replace(state, sales_order_cancelled=True, phase="cancelled"))
