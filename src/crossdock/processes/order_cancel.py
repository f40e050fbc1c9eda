"""Stopping an order: what is undone follows where the goods are."""

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.processes import order_recall
from crossdock.processes.intents import ClearTimer, CloseCase, Do, Intent, OpenCase, Step, Withdraw
from crossdock.processes.lines import ZERO, settled
from crossdock.processes.order_lines import Told, move_lines, published
from crossdock.processes.order_parts import roll_up
from crossdock.processes.order_release import ask_to_stop, live, note_answer, number_of, object_of, unanswered
from crossdock.processes.order_ship import notify, tell_erp_lines, unsent
from crossdock.processes.order_state import BEFORE_RELEASE, CLOSED, State, erp_of, gone
from crossdock.processes.policy import Policy

replace = msgspec.structs.replace
STOPPABLE = ("open", "reserved", "allocated", "picked", "backordered")


def requested(state: State, event: Recorded, policy: Policy) -> Step:
    """The customer or the channel wants it stopped."""
    if state.cancel or state.phase in CLOSED:
        return Step(state, (), "duplicate" if state.cancel else "stale")
    state = replace(state, cancel="asked", cancel_reason=event.data.reason)
    if state.phase == "new":
        return _never_told(state) if event.data.final and not state.early else Step(state, (), "waiting")
    if state.phase in BEFORE_RELEASE:
        return cancel_now(state, policy)
    if state.phase == "changing":  # the warehouses are being asked to stop anyway
        return Step(replace(state, cancel="waiting_for_warehouse", phase="cancelling", change=None))
    working = live(state)
    if not working:
        return _nothing_to_stop(state, policy)
    state, asked = ask_to_stop(state, working, event.data.reason)
    if not asked and not unanswered(state):  # a recall may have asked already
        return _refuse(state)
    return Step(replace(state, cancel="waiting_for_warehouse", phase="cancelling"), tuple(asked))


def _never_told(state: State) -> Step:
    """Nobody will tell the order itself, and no goods moved for it: there is nothing to wait for."""
    ended = _unheld(state, "the order was cancelled")
    return Step(replace(state, phase="cancelled", cancel="agreed", hold="", holds=()), ended)


def _nothing_to_stop(state: State, policy: Policy) -> Step:
    """No warehouse works on any of it: what waits for stock is taken off, what left has left."""
    state, moves = stop_lines(state, policy)
    if gone(state):
        state, told = tell_erp_lines(state, policy)
        return _refuse(roll_up(state), *moves, *told)
    return _agreed(state, policy, moves)


def _refuse(state: State, *before: Intent) -> Step:
    """It left, or nobody can stop it any more: the customer gets it, and somebody talks to them."""
    return Step(replace(state, cancel="refused"), (*before, too_late(state), *unsent(state)))


def too_late(state: State) -> OpenCase:
    return OpenCase(
        f"too-late/{state.reference}", "value", "cancellation", f"Order {state.number} was cancelled too late to stop it",
        "Intercept the parcel, or agree on a return; the channel shows the order as cancelled.", "customer service", "cancel",
    )  # fmt: skip


def cancel_now(state: State, policy: Policy) -> Step:
    """Nothing left the hub's own books yet but a question and perhaps a claim that is under way."""
    if gone(state):
        return _refuse(state)
    asked = (unasked(state),) if state.checks else ()
    settled_cases = _unheld(state, "the order was cancelled")
    state, moves = stop_lines(state, policy)
    step = _agreed(replace(state, hold="", claim="", holds=()), policy, moves)
    return Step(step.state, (*step.intents, *asked, *settled_cases))


def unasked(state: State) -> Withdraw:
    """The newest question to the ERP is taken back: nobody needs an answer to it."""
    newest = state.checks - 1
    return Withdraw("order.check", object_of(state.reference, newest), newest)


def _unheld(state: State, because: str) -> tuple[Intent, ...]:
    """The cases of everything that held it, closed."""
    named = tuple(CloseCase(f"hold/{x}", because) for x in state.holds)
    if not state.hold:
        return named
    return (ClearTimer("recheck"), CloseCase("hold", because), *named)


def stop_lines(state: State, policy: Policy, location: str = "") -> tuple[State, list[Intent]]:
    """Take everything off that did not leave, of one node or of all."""
    told = [
        Told(x.line, x.item, sum((getattr(x, part) for part in STOPPABLE), ZERO))
        for x in state.lines
        if not location or x.location == location
    ]
    state, moves, _ = move_lines(state, told, "cancelled", location=location)
    return state, [*moves, *published(moves)]


def reject(state: State, reason: str, policy: Policy) -> Step:
    """We cannot serve the order: the channel and the customer hear why."""
    ended = _unheld(state, "the order was rejected")
    state, moves = stop_lines(state, policy)
    state = replace(state, phase="rejected", hold="", cancel_reason=reason, holds=())
    told = cancel_sales_order(state, policy) if state.sales_order else ()
    return Step(
        state, (*moves, *_tell_channel(state, reason), *notify(state, "rejected", policy), *told, *ended)
    )


def _tell_channel(state: State, reason: str) -> tuple[Intent, ...]:
    payload = requests.CancelFulfilment(state.reference, reason)
    return (Do("order.cancel", state.channel, state.reference, payload, state.reference),)


def end_without_goods(state: State, reason: str, policy: Policy) -> Step:
    """We took the order and cannot fulfil any of it."""
    state = replace(state, cancel="agreed", cancel_reason=reason)
    step = _agreed(state, policy, [])
    return Step(step.state, (*step.intents, *_tell_channel(state, reason)))


def answered(state: State, event: Recorded, policy: Policy) -> Step:
    """A warehouse's word on stopping its part."""
    number, accepted = number_of(event.about), event.data.accepted
    release = next((x for x in state.releases if x.number == number), None)
    if release is None or release.cancel != "asked":
        return Step(state, (), "stale")
    state = note_answer(state, number, accepted=accepted)
    if state.phase == "changing":
        from crossdock.processes.order_change import stopped

        return stopped(state, policy, event.data.reason)
    if state.cancel != "waiting_for_warehouse":
        if release.because != order_recall.RECALL:
            return Step(state, (), "stale")
        return order_recall.stopped(state, policy, accepted=accepted)
    moves: list[Intent] = []
    if accepted:
        state, moves = stop_lines(state, policy, release.location if len(state.releases) > 1 else "")
    else:
        state = replace(state, cancel_reason=event.data.reason)
    if unanswered(state):
        return Step(state, tuple(moves))
    if all(map(settled, state.lines)) and not gone(state):
        return _agreed(state, policy, moves)
    return _partly(state, policy, moves)


def _partly(state: State, policy: Policy, moves: list[Intent]) -> Step:
    """Some warehouse could not stop: that part goes on, the rest is off."""
    state, waiting, _ = move_lines(
        state, [Told(x.line, x.item, x.backordered + x.open) for x in state.lines], "cancelled"
    )
    phase = "shipping" if state.parts else "released"
    state, told = tell_erp_lines(replace(state, phase=phase), policy)
    return _refuse(roll_up(state), *moves, *waiting, *told)


def _agreed(state: State, policy: Policy, moves: list[Intent]) -> Step:
    """Nothing of it will leave. Its sales order goes with it, or as soon as there is one."""
    state = replace(state, cancel="agreed", phase="cancelling", change=None)
    intents: list[Intent] = [*moves, *notify(state, "cancelled", policy), ClearTimer("backorder")]
    intents += order_recall.over(state)
    if state.sales_order:
        intents += cancel_sales_order(state, policy)
    elif not state.erp_lines:
        state = replace(state, phase="cancelled")
    return Step(state, tuple(intents))


def cancel_sales_order(state: State, policy: Policy) -> tuple[Intent, ...]:
    lines = tuple(dict.fromkeys(x.line for x in state.lines if not x.kit_of))
    reason = state.cancel_reason or "cancelled by customer"
    payload = requests.CancelSalesOrder(state.reference, state.sales_order, lines, reason)
    return (Do("sales_order.cancel", erp_of(state, policy), state.reference, payload, state.reference),)


def sales_order_cancelled(state: State, _event: Recorded, _policy: Policy) -> Step:
    phase = "cancelled" if state.phase == "cancelling" else state.phase
    return Step(replace(state, sales_order_cancelled=True, phase=phase))


def overtaken(state: State, policy: Policy) -> Step:
    """The truck left while, or after, we cancelled: the truck wins."""
    if state.cancel not in ("waiting_for_warehouse", "agreed") or not gone(state):
        return Step(state)
    if state.cancel == "waiting_for_warehouse" and not all(map(settled, state.lines)):
        return Step(state)
    return _refuse(roll_up(replace(state, phase="shipping")))
