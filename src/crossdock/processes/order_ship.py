"""The order while its goods move: allocation, packing, departure, goods issue, milestones, delivery, invoice."""

from typing import Any

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.order import (
    LineAllocation,
    LinesDelivered,
    LineShipped,
    LinesPacked,
    LinesShipped,
    OrderAllocated,
)
from crossdock.model.quantity import Quantity
from crossdock.model.shipment import MilestoneReached
from crossdock.model.stock import Bucket, StockPlace
from crossdock.processes.intents import Do, Intent, Move, Publish, Step
from crossdock.processes.lines import Line, advance
from crossdock.processes.lines import Part as LinePart
from crossdock.processes.order_state import Part, State
from crossdock.processes.policy import Policy

replace = msgspec.structs.replace
BUCKET_OF: dict[LinePart, Bucket] = {"reserved": "firm_claim", "allocated": "allocated", "picked": "picked"}
"""Where the ledger keeps what a line calls so."""


def notify(state: State, about: str, policy: Policy, **more: Any) -> tuple[Do, ...]:
    payload = requests.Notify(about, state.reference, state.number, **more)
    name = f"{about}/{payload.shipment}" if payload.shipment else about
    return tuple(
        Do("customer.notify", account, name, payload, state.reference, 0, state.people, state.subject, 7)
        for account in policy.notify
    )


def advance_lines(
    state: State, target: LinePart, told: tuple[tuple[str, Any], ...], policy: Policy
) -> tuple[State, list[Intent]]:
    """Move told quantities (line id, quantity) to `target`, in the order and in the stock ledger alike."""
    wanted: dict[str, Any] = {}
    for name, quantity in told:
        wanted[name] = wanted.get(name, 0) + quantity
    lines: list[Line] = []
    moves: list[Intent] = []
    goal: Bucket = (
        "outside" if target == "shipped" else "available" if target == "cancelled" else BUCKET_OF[target]
    )
    for line in state.lines:
        if line.line not in wanted:
            lines.append(line)
            continue
        moved, taken = advance(line, target, wanted[line.line])
        lines.append(moved)
        place = StockPlace(line.item, policy.location)
        for part in taken:
            if part.source in BUCKET_OF:
                moves.append(
                    Move(
                        place, BUCKET_OF[part.source], goal, part.quantity, line.unit, state.claim, line.line
                    )
                )
    return replace(state, lines=tuple(lines)), moves


def allocated(state: State, event: Recorded, policy: Policy) -> Step:
    data: OrderAllocated = event.data
    state, moves = advance_lines(
        state, "allocated", tuple((x.line, x.quantity.value) for x in data.lines), policy
    )
    if state.allocated:
        return Step(state, tuple(moves), "duplicate" if not moves else "applied")
    state = replace(state, allocated=True)
    intents = [*moves, *(Publish(x.item, policy.location) for x in data.lines)]
    if state.sales_order and not state.cancel:
        intents += update_reservation(state, policy)
    return Step(state, tuple(intents))


def update_reservation(state: State, policy: Policy) -> list[Intent]:
    lines = tuple(
        LineAllocation(x.line, x.item, Quantity(x.ordered, x.unit), policy.location)
        for x in state.lines
        if x.allocated or x.picked or x.shipped
    )
    payload = requests.UpdateReservation(state.reference, state.sales_order, lines)
    return [Do("reservation.update", policy.erp, state.reference, payload, state.reference)]


def _part(state: State, shipment: str) -> Part | None:
    return next((x for x in state.parts if x.shipment == shipment), None)


def _with_part(state: State, part: Part) -> State:
    others = tuple(x for x in state.parts if x.shipment != part.shipment)
    return replace(state, parts=(*others, part))


def packed(state: State, event: Recorded, policy: Policy) -> Step:
    data: LinesPacked = event.data
    if _part(state, data.shipment):
        return Step(state, (), "duplicate")
    state, moves = advance_lines(
        state, "picked", tuple((x.line, x.quantity.value) for x in data.lines), policy
    )
    state = _with_part(state, Part(data.shipment, data.lines))
    phase = "shipping" if state.phase in ("approved", "released") else state.phase
    return Step(replace(state, phase=phase), tuple(moves))


def shipped(state: State, event: Recorded, policy: Policy) -> Step:
    data: LinesShipped = event.data
    part = _part(state, data.shipment) or Part(data.shipment, data.lines)
    if part.shipped_at is not None:
        return Step(state, (), "duplicate")
    state, moves = advance_lines(
        state, "shipped", tuple((x.line, x.quantity.value) for x in data.lines), policy
    )
    part = replace(
        part, lines=data.lines, carrier=data.carrier, tracking=data.tracking, shipped_at=event.occurred_at
    )
    state = _with_part(state, part)
    if all(x.shipped + x.cancelled + x.short_closed >= x.ordered for x in state.lines):
        state = replace(state, phase="shipped")
    fulfil = requests.CreateFulfilment(
        state.reference, part.shipment, policy.location, part.carrier, part.tracking, part.lines
    )
    # A channel that cancelled the order has nothing left to fulfil; a person settles it with the customer.
    told = (
        ()
        if state.cancel
        else (Do("fulfilment.create", state.channel, part.shipment, fulfil, state.reference, priority=4),)
    )
    intents: list[Intent] = [
        *moves,
        *told,
        *notify(
            state,
            "shipped",
            policy,
            shipment=part.shipment,
            carrier=part.carrier,
            tracking=part.tracking,
            at=event.occurred_at,
        ),
    ]
    if state.sales_order:
        intents += post_goods_issue(state, part, policy)
    return Step(state, tuple(intents))


def post_goods_issue(state: State, part: Part, policy: Policy) -> list[Intent]:
    assert part.shipped_at is not None
    payload = requests.PostGoodsIssue(
        part.shipment,
        state.reference,
        state.sales_order,
        policy.location,
        part.lines,
        part.shipped_at,
        part.tracking,
    )
    return [
        Do(
            "goods_issue.post",
            policy.erp,
            part.shipment,
            payload,
            state.reference,
            0,
            state.people,
            state.subject,
            2,
        )
    ]


def goods_issued(state: State, event: Recorded, policy: Policy) -> Step:
    part = _part(state, event.about or event.data.shipment)
    if part is None or part.goods_issue:
        return Step(state, (), "duplicate" if part else "ignored")
    part = replace(part, delivery=event.data.delivery, goods_issue=event.data.document)
    intents: list[Intent] = []
    if policy.erp in policy.follow and part.milestone != "created":
        part, more = _tell_erp(state, part, policy)
        intents += more
    state = _with_part(state, part)
    return Step(state, (*intents, *_invoice_if_free(state, part, policy)))


def milestone(state: State, event: Recorded, policy: Policy) -> Step:
    """A parcel moved on."""
    data: MilestoneReached = event.data
    part = next((x for x in state.parts if data.tracking in x.tracking), None)
    if part is None or part.milestone in (data.milestone, "delivered"):
        return Step(state, (), "stale")
    part = replace(part, milestone=data.milestone)
    part, intents = _tell_followers(state, part, data, policy)
    return Step(_with_part(state, part), intents)


def _tell_followers(
    state: State, part: Part, data: MilestoneReached, policy: Policy
) -> tuple[Part, tuple[Intent, ...]]:
    """Whoever follows the parcel hears of the milestone; the ERP once it has a delivery to hang it on."""
    thing = f"{part.shipment}/{data.milestone}"
    intents: tuple[Intent, ...] = tuple(
        Do("milestone.record", account, thing, _record(state, part, data), state.reference, priority=6)
        for account in policy.follow
        if account != policy.erp
    )
    if policy.erp in policy.follow and part.delivery:
        part, more = _tell_erp(state, part, policy)
        intents += tuple(more)
    return part, intents


def _record(state: State, part: Part, data: MilestoneReached) -> requests.RecordMilestone:
    return requests.RecordMilestone(
        part.shipment,
        state.reference,
        part.delivery,
        data.milestone,
        data.classifier,
        data.tracking,
        data.carrier,
        data.at,
    )


def _tell_erp(state: State, part: Part, policy: Policy) -> tuple[Part, list[Intent]]:
    if part.erp_milestone == part.milestone:
        return part, []
    payload = requests.RecordMilestone(
        part.shipment, state.reference, part.delivery, part.milestone, "ACT", part.tracking[0] if part.tracking else "",
        part.carrier, part.delivered_at if part.milestone == "delivered" else None,
    )  # fmt: skip
    do = Do(
        "milestone.record",
        policy.erp,
        f"{part.shipment}/{part.milestone}",
        payload,
        state.reference,
        priority=6,
    )
    return replace(part, erp_milestone=part.milestone), [do]


def delivered(state: State, event: Recorded, policy: Policy) -> Step:
    data: LinesDelivered = event.data
    part = _part(state, data.shipment)
    if part is None or part.delivered_at is not None:
        return Step(state, (), "duplicate" if part else "ignored")
    part = replace(part, delivered_at=data.at or event.occurred_at, milestone="delivered")
    lines = _mark_delivered(state.lines, data.lines)
    reached = MilestoneReached(
        milestone="delivered",
        classifier="ACT",
        tracking=part.tracking[0] if part.tracking else "",
        carrier=data.carrier,
        at=part.delivered_at,
    )
    part, intents = _tell_followers(state, part, reached, policy)
    state = replace(_with_part(state, part), lines=lines)
    if state.phase == "shipped" and all(x.delivered_at for x in state.parts):
        state = replace(state, phase="delivered")
    return Step(state, (*intents, *_invoice_if_free(state, part, policy)))


def _mark_delivered(lines: tuple[Line, ...], told: tuple[LineShipped, ...]) -> tuple[Line, ...]:
    more = {x.line: x.quantity.value for x in told}
    return tuple(replace(x, delivered=x.delivered + more[x.line]) if x.line in more else x for x in lines)


def _invoice_if_free(state: State, part: Part, policy: Policy) -> tuple[Intent, ...]:
    """The invoice gate: never without the goods issue's document number."""
    free = part.goods_issue and (part.delivered_at or "delivery" not in policy.invoice_needs)
    if not free or part.invoice:
        return ()
    payload = requests.ReleaseInvoice(
        state.reference, part.shipment, state.sales_order, part.delivery, part.goods_issue
    )
    return (Do("invoice.release", policy.erp, part.shipment, payload, state.reference, priority=3),)


def invoiced(state: State, event: Recorded, _policy: Policy) -> Step:
    part = _part(state, event.about or event.data.shipment)
    if part is None or part.invoice:
        return Step(state, (), "duplicate")
    state = _with_part(state, replace(part, invoice=event.data.document))
    goods_done = all(x.shipped + x.cancelled + x.short_closed >= x.ordered for x in state.lines)
    if goods_done and all(x.invoice for x in state.parts):
        state = replace(state, phase="completed")
    return Step(state)


def fulfilment_created(state: State, event: Recorded, _policy: Policy) -> Step:
    part = _part(state, event.about)
    if part is None:
        return Step(state, (), "ignored")
    return Step(_with_part(state, replace(part, fulfilment=event.data.document)))


def waits_on(state: State, policy: Policy) -> tuple[str, str]:
    """What an order whose goods left still waits for."""
    if not state.sales_order:
        return f"the sales order in {policy.erp}", policy.erp
    if any(not x.goods_issue for x in state.parts):
        return f"goods issue in {policy.erp}", policy.erp
    missing = next((x for x in state.parts if not x.delivered_at), None)
    if missing is not None and "delivery" in policy.invoice_needs:
        return f"proof of delivery by {missing.carrier or policy.carrier}", missing.carrier or policy.carrier
    return f"the invoice in {policy.erp}", policy.erp
