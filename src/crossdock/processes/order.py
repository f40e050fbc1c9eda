"""Order to invoice: the founding process, seen from the order.

storefront order → ERP check → claim → sales order and warehouse release → allocation → packed → shipped
→ goods issue, storefront fulfilment, notifications → milestones → delivered → invoice.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.order import OrderReceived
from crossdock.model.registry import decode, encode
from crossdock.processes import (
    clocks,
    gates,
    order_cancel,
    order_change,
    order_check,
    order_checkout,
    order_kits,
    order_parts,
    order_recall,
    order_release,
    order_return,
    order_reversal,
    order_ship,
    order_trouble,
)
from crossdock.processes.intents import (
    Claim,
    ClearTimer,
    CloseCase,
    Do,
    Intent,
    Move,
    Publish,
    Step,
    Summary,
)  # fmt: skip
from crossdock.processes.lines import Part
from crossdock.processes.order_drop_ship import invoice, off_our_books, promised, supplier_of
from crossdock.processes.order_lines import Told, move_lines, reserve
from crossdock.processes.order_state import (
    BEFORE_RELEASE,
    CLOSED,
    VERSION,
    Early,
    State,
    as_booked,
    erp_of,
    gone,
    initial,
    lines_mark,
    node_of,
    of_today,
)
from crossdock.processes.policy import Policy
from crossdock.processes.routing import route_order, ship_day

__all__ = ["KIND", "VERSION", "State", "initial", "step", "summary"]

KIND = "order"
Handler = Callable[[State, Recorded, Policy], Step]
replace = msgspec.structs.replace


def step(state: State, event: Recorded, policy: Policy) -> Step:
    """One event: what the order is now, and what must follow. Unknown types change nothing."""
    handler = HANDLERS.get(event.type)
    if handler is None:
        return Step(state, (), "ignored")
    if state.phase == "new" and event.type in OF_GOODS:
        return _keep(state, event)
    state = of_today(state, policy)
    made = order_kits.noticed(state, handler(state, event, policy.of(state.company)))
    made = clocks.stamped(state, off_our_books(made, policy), event)
    return clocks.heard(made, policy.of(state.company))


def _keep(state: State, event: Recorded) -> Step:
    """Goods move before we have heard of their order: it is told first once it comes."""
    if len(state.early) >= WAITING_MAX:
        return Step(state, (), "ignored")
    kept = Early(
        event.type, encode(event.data), event.occurred_at, event.recorded_at, event.source, event.about
    )
    return Step(replace(state, early=(*state.early, kept)), (), "waiting")


def _catch_up(state: State, event: Recorded, policy: Policy) -> tuple[State, tuple[Intent, ...]]:
    """What was kept happens now, before anything is asked for."""
    intents: list[Intent] = []
    for x in state.early:
        then = Recorded(
            thread=event.thread, type=x.type, data=decode(x.type, x.data), id=event.id, source=x.source, about=x.about,
            occurred_at=x.occurred_at, recorded_at=x.recorded_at,
        )  # fmt: skip
        done = HANDLERS[x.type](state, then, policy)
        assert isinstance(done.state, State)
        state = done.state
        intents += done.intents
    return replace(state, early=()), tuple(intents)


def _received(state: State, event: Recorded, policy: Policy) -> Step:
    order: OrderReceived = event.data
    content = order_change.fingerprint(order)
    if state.phase != "new":
        return (
            Step(state, (), "duplicate")
            if content == state.content
            else order_change.changed(state, event, policy)
        )
    state = replace(
        state, reference=order.reference, number=order.number, channel=order.channel, lines=order_change.lines_of(order),
        total=order.total, destination=order.destination, service=order.service, promised_on=order.promised_on,
        people=event.sealed, subject=event.subject, people_mark=order.people_mark, content=content, sequence=event.sequence,
        received_at=event.occurred_at, checkout=order.claim,
    )  # fmt: skip
    state = route(replace(state, phase="checking"), policy, event.occurred_at)
    policy = policy.of(state.company)
    state, before = _catch_up(state, event, policy)
    if not state.cancel:
        return _with(before, begin(state, policy))
    cancelled = order_cancel.cancel_now(state, policy)
    assert isinstance(cancelled.state, State)
    before += cancelled.intents
    return _with(before, begin(cancelled.state, policy) if gone(state) else Step(cancelled.state))


def route(state: State, policy: Policy, ordered_at: datetime | None = None) -> State:
    """Whose order it is, which ERP books it, where its goods come from, and when they leave, by the company's tables.

    Without a time of order, as where one is changed, the day to leave stays.
    """
    given = {
        "channel": state.channel, "country": state.destination.country, "region": state.destination.region,
        "service": state.service,
    }  # fmt: skip
    answer = route_order(policy.routing, given, policy.erp, policy.location)
    lines = tuple(replace(x, owner=answer.owner) for x in state.lines)
    state = replace(
        state, company=answer.company, erp=answer.erp, nodes=answer.nodes, routed=answer.because, owner=answer.owner, lines=lines
    )  # fmt: skip
    if ordered_at is None:
        return state
    leaves = ship_day(policy.routing, answer.nodes[0], state.service, ordered_at)
    return replace(state, ship_on=leaves.day, ship_because=leaves.because)


def begin(state: State, policy: Policy) -> Step:
    """Hold it where its address says so, and ask for what it needs."""
    if policy.address_needed and not state.destination.country and "address" not in state.holds:
        state = replace(state, holds=(*state.holds, "address"))
        case = order_trouble.hold_case(state, "address", "it says no country to ship to", "customer service")
        step_ = proceed(state, policy)
        return Step(step_.state, (case, *step_.intents))
    return proceed(state, policy)


def proceed(state: State, policy: Policy) -> Step:
    """The next thing the order needs before a warehouse gets it."""
    asked: tuple[Intent, ...] = ()
    missing = {x.fact for x in gates.RELEASE.lacks(state, state, policy)}
    if policy.erp_check == "beside" and not state.checks:
        state, asked = order_check.ask(state, policy)
    if "stock" in missing and (policy.claim_when == "received" or order_checkout.at_once(state)):
        return _with(asked, _claim(state, policy))
    if "check" in missing:
        state, check = order_check.ask(state, policy)
        return Step(replace(state, phase="checking"), (*asked, *check))
    if "stock" in missing:
        return _with(asked, _claim(state, policy))
    if missing:
        return _with(asked, _stand(state, gates.standing(state, policy)[0]))
    return _with(asked, _approve(state, policy))


def _with(before: tuple[Intent, ...], then: Step) -> Step:
    return Step(then.state, (*before, *then.intents), then.verdict)


def _stand(state: State, hold: str) -> Step:
    return Step(replace(state, phase="held", hold=hold))


def _checked(state: State, event: Recorded, policy: Policy) -> Step:
    """The ERP's answer; one that comes while the order goes on already can only stop it or be noted."""
    if state.checked or state.phase in CLOSED or order_check.not_asked_any_more(state, event):
        return Step(state, (), "stale")
    if state.phase not in BEFORE_RELEASE:
        return order_check.checked_beside(state, event, policy)
    if state.phase != "checking" and policy.erp_check == "wait":
        return Step(state, (), "stale")
    refused = order_check.refusal(state, event.data, policy)
    if refused is not None:
        return refused
    state = replace(state, checked=True)
    if state.phase == "checking":
        return proceed(state, policy)
    return Step(state)


def _master_arrived(state: State, event: Recorded, policy: Policy) -> Step:
    """A record that was missing is there: whatever it was that the channel calls so, the line now names ours."""
    if state.phase != "held" or state.hold != "item":
        return Step(state, (), "stale")
    called, code = event.data.called, event.data.code
    lines = tuple(replace(x, item=code) if called and x.item == called else x for x in state.lines)
    return proceed(replace(state, lines=lines, checked=False, phase="checking"), policy)


def _recheck(state: State, event: Recorded, policy: Policy) -> Step:
    """A timer fired, or somebody says that the reason is gone."""
    if event.type == "timer.fired.v1" and event.data.name.startswith(clocks.TIMER):
        return clocks.ran_out(state, event, policy)
    if event.type == "timer.fired.v1" and event.data.name == "backorder":
        return order_trouble.claim_backorders(state, policy)
    if state.phase != "held":
        return order_trouble.claim_backorders(state, policy)
    if state.hold not in order_check.CAUSES:
        return Step(state, (), "stale")
    return proceed(replace(state, checked=policy.erp_check == "none", phase="checking"), policy)


def _claim(state: State, policy: Policy) -> Step:
    supplier = supplier_of(state, policy)
    if supplier:
        return proceed(promised(state, supplier), policy)
    claim = f"{state.reference}#{state.claims}"
    nodes = state.nodes if len(state.nodes) > 1 else ()
    lines, sets = order_kits.wanted(state, state.nodes[0] if state.nodes else policy.location)
    claiming = replace(state, phase="claiming", claim=claim, claims=state.claims + 1)
    return Step(
        claiming,
        (
            Claim(
                claim,
                lines,
                nodes,
                policy.shortage != "hold",
                sets=sets,
                as_sold=True,
                takes=order_checkout.takes(state, policy),
            ),
        ),
    )


def _granted(state: State, event: Recorded, policy: Policy) -> Step:
    state = order_checkout.heard(state, event)
    if event.data.claim != state.claim or state.cancel == "agreed":
        return _give_back(state, event)
    if state.phase != "claiming":
        return _backorder_granted(state, event, policy)
    state, before = reserve(order_kits.take_apart(state, event.data.kits), event.data.lines, state.claim)
    before += order_checkout.freed(event)
    if state.change is not None:
        return _with(tuple(before), order_change.begin_again(state, state.change, policy))
    if event.data.missing:
        state, more = _short(state, policy)
        before += more
    if state.hold:
        before += [ClearTimer("recheck"), CloseCase("hold", "the order got its stock")]
    return _with(tuple(before), proceed(replace(state, hold="", phase="checking"), policy))


def _short(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    """Part of it is there: the rest waits, or is taken off."""
    told = [Told(x.line, x.item, x.open) for x in state.lines if x.open]
    target: Part = "backordered" if policy.shortage == "backorder" else "short_closed"
    state, _, _ = move_lines(state, told, target)
    if target == "backordered":
        return order_trouble.wait_for_stock(state, policy)
    return state, list(order_ship.notify(state, "changed", policy))


def _backorder_granted(state: State, event: Recorded, policy: Policy) -> Step:
    """Stock came for what waited: the warehouse gets it as a release of its own."""
    if not any(x.backordered for x in state.lines) or state.phase in BEFORE_RELEASE:
        return Step(state, (), "duplicate")
    state = order_kits.take_apart(state, event.data.kits)
    state, intents = reserve(state, event.data.lines, state.claim)
    state, more = order_release.release_reserved(state, policy)
    state, told = order_ship.tell_erp_lines(state, policy)
    intents += [*more, *told]
    if any(x.backordered for x in state.lines):
        state, more = order_trouble.wait_for_stock(state, policy)
        return Step(state, (*intents, *more))
    return Step(state, (*intents, ClearTimer("backorder"), CloseCase("hold", "stock came")))


def _approve(state: State, policy: Policy) -> Step:
    """Everything it needs is there: the ERP gets its sales order, the warehouses their work."""
    intents: list[Intent] = []
    if state.hold in order_check.CAUSES:
        intents += [ClearTimer("recheck"), CloseCase("hold", "nothing holds the order any more")]
    state = replace(state, phase="approved", hold="")
    if not state.erp_lines:
        assert state.total is not None
        create = requests.CreateSalesOrder(
            state.reference, state.number, as_booked(state), node_of(state, policy), state.total, state.promised_on
        )  # fmt: skip
        intents.append(
            Do(
                "sales_order.create", erp_of(state, policy), state.reference, create, state.reference, 0, state.people,
                state.subject, 3,
            )
        )  # fmt: skip
        state = replace(state, erp_lines=lines_mark(state))
    else:
        state, told = order_ship.tell_erp_lines(state, policy)
        intents += told
    state, work = order_release.release_reserved(state, policy)
    return Step(order_parts.roll_up(state), (*intents, *work, *order_ship.notify(state, "approved", policy)))


def _give_back(state: State, event: Recorded) -> Step:
    """The order no longer wants what it asked for (it was cancelled or changed meanwhile)."""
    moves = tuple(
        Move(x.place, "firm_claim", "available", x.quantity.value, x.quantity.unit, event.data.claim, x.line)
        for x in event.data.lines
    )
    shown = (Publish(x.place.item, x.place.location) for x in event.data.lines)
    return Step(state, (*moves, *shown, *order_checkout.freed(event)), "stale")


def _refused(state: State, event: Recorded, policy: Policy) -> Step:
    if event.data.claim != state.claim:
        return Step(state, (), "stale")
    state = order_checkout.heard(state, event)
    if state.phase != "claiming":
        if any(x.backordered for x in state.lines) and state.phase not in CLOSED:
            return Step(*_as_step(order_trouble.wait_for_stock(state, policy)))
        return Step(state, (), "stale")
    if state.change is not None:
        return order_change.begin_again(state, state.change, policy)
    if not any(x.open + x.backordered for x in state.lines):  # its goods left meanwhile
        return proceed(replace(state, phase="checking"), policy)
    missing = ", ".join(f"{x.quantity} of {x.place.item} at {x.place.location}" for x in event.data.missing)
    if policy.shortage == "cancel" and not gone(state):
        return order_cancel.reject(state, f"there is no stock: {missing}", policy)
    return order_check.hold(state, "stock", f"missing {missing}", policy)


def _as_step(found: tuple[State, list[Intent]]) -> tuple[State, tuple[Intent, ...]]:
    return found[0], tuple(found[1])


def _sales_order(state: State, event: Recorded, policy: Policy) -> Step:
    state = replace(state, sales_order=event.data.document)
    if state.cancel == "agreed" or state.phase == "rejected":
        return Step(state, order_cancel.cancel_sales_order(state, policy))
    state, told = order_ship.tell_erp_lines(state, policy)
    intents: list[Intent] = list(told)
    if state.allocated:
        state, updated = order_ship.update_reservation(state, policy)
        intents += updated
    for part in state.parts:
        intents += order_parts.post_goods_issue(state, part, policy)
    return Step(state, (*intents, *invoice(state, policy)))


def _shipped(state: State, event: Recorded, policy: Policy) -> Step:
    """What left has left; where a cancellation ran against it, the truck won."""
    left = order_ship.shipped(state, event, policy)
    assert isinstance(left.state, State)
    if left.verdict != "applied":
        return left
    then = order_cancel.overtaken(left.state, policy)
    before = (*left.intents, *then.intents)
    assert isinstance(then.state, State)
    if then.intents and not then.state.erp_lines:  # cancelled before the ERP heard of it
        return _with(before, proceed(replace(then.state, phase="checking"), policy))
    return Step(then.state, before)


def _noted(**fields: str) -> Handler:
    """Receipts that only have to be remembered."""

    def handler(state: State, event: Recorded, _policy: Policy) -> Step:
        return Step(replace(state, **{name: getattr(event.data, source) for name, source in fields.items()}))

    return handler


HANDLERS: dict[str, Handler] = {
    "order.received.v1": _received,
    "order.checked.v1": _checked,
    "order.creditReleased.v1": _recheck,
    "order.held.v1": order_trouble.placed,
    "order.holdReleased.v1": order_trouble.released,
    "timer.fired.v1": _recheck,
    "masterData.arrived.v1": _master_arrived,
    "claim.granted.v1": _granted,
    "claim.refused.v1": _refused,
    "salesOrder.posted.v1": _sales_order,
    "order.released.v1": order_release.released,
    "order.allocated.v1": order_ship.allocated,
    "order.shortPicked.v1": order_trouble.short_picked,
    "order.packed.v1": order_ship.packed,
    "order.unpacked.v1": order_ship.unpacked,
    "order.shipped.v1": _shipped,
    "goodsIssue.posted.v1": order_ship.goods_issued,
    "goodsIssue.reversalRequested.v1": order_reversal.requested,
    "goodsIssue.reversed.v1": order_reversal.reversed_,
    "shipment.milestoneReached.v1": order_ship.milestone,
    "order.delivered.v1": order_ship.delivered,
    "order.undeliverable.v1": order_trouble.undeliverable,
    "invoice.released.v1": order_ship.invoiced,
    "order.returnAsked.v1": order_return.asked,
    "effect.refused.v1": order_ship.refused,
    "fulfilment.created.v1": order_ship.fulfilment_created,
    "reservation.updated.v1": _noted(reservation="document"),
    "stock.recalled.v1": order_recall.recalled,
    "inbound.accepted.v1": order_recall.accepted,
    "order.cancelRequested.v1": order_cancel.requested,
    "order.cancellationAnswered.v1": order_cancel.answered,
    "salesOrder.cancelled.v1": order_cancel.sales_order_cancelled,
    "fulfilment.cancelled.v1": _noted(told_channel="document"),
    "clock.ranOut.v1": clocks.told_ran_out,
    "clock.met.v1": clocks.told_met,
}


OF_GOODS = frozenset({
    "order.allocated.v1", "order.shortPicked.v1", "order.packed.v1", "order.unpacked.v1", "order.shipped.v1",
    "shipment.milestoneReached.v1", "order.delivered.v1", "order.undeliverable.v1", "goodsIssue.reversed.v1",
})  # fmt: skip
WAITING_MAX = 200


def summary(state: State, policy: Policy) -> Summary:
    """The sentence behind every list, in words a caller understands."""
    if state.phase in CLOSED:
        return Summary(state.phase, done=True, number=state.number)
    policy = policy.of(state.company)
    # A held order that is checked again is still held, and has been since it was.
    shown = replace(state, phase="held") if state.hold and state.phase in ("checking", "claiming") else state
    waiting, owner = _waits_on(shown, policy)
    return Summary(
        shown.phase, waiting, owner, number=state.number, lots=order_recall.lots_in_house(state),
        expects=clocks.next_out(state, policy) if state.releases or state.parts else None,
    )  # fmt: skip


_HELD_FOR = {
    "stock": ("stock", "operations"), "price": ("a price decision", "finance"), "item": ("item master data", "operations"),
}  # fmt: skip


def _waits_on(state: State, policy: Policy) -> tuple[str, str]:
    erp = erp_of(state, policy)
    warehouse = policy.warehouse_of(node_of(state, policy))
    match state.phase:
        case "new":
            return "the order itself (an event about it came first)", "operations"
        case "checking":
            return f"credit, availability and price check in {erp}", erp
        case "held" if state.hold == "credit":
            return f"credit release in {erp}", "finance"
        case "held":
            return _HELD_FOR.get(state.hold, (f"release of the hold: {state.hold}", "customer service"))
        case "claiming":
            return "stock reservation", "crossdock"
        case "approved":
            return f"{warehouse} to take the order", warehouse
        case "cancelling" if state.cancel == "waiting_for_warehouse":
            return f"{warehouse} to stop the order", warehouse
        case "cancelling":
            return f"{erp} to cancel its sales order", erp
        case "changing":
            return f"{warehouse} to stop the order, so that it can be changed", warehouse
        case "released":
            return f"picking and packing in {warehouse}", warehouse
        case "shipping" if any(x.backordered for x in state.lines) and not order_release.live(state):
            return "stock for what is backordered", "operations"
        case "shipping":
            return f"ship confirmation by {warehouse}", warehouse
        case _:
            return order_ship.waits_on(state, policy)
