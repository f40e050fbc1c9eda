"""The order while its goods move: allocation, packing, departure, goods issue, milestones, delivery, invoice."""

from decimal import Decimal
from typing import Any

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import Recorded
from crossdock.model.movement import MovedLine
from crossdock.model.order import (
    LineAllocation,
    LinesDelivered,
    LineShipped,
    LinesPacked,
    LinesShipped,
    LinesUnpacked,
    OrderAllocated,
)
from crossdock.model.quantity import Quantity
from crossdock.model.shipment import MilestoneReached
from crossdock.processes import gates, order_drop_ship, order_return, order_reversal
from crossdock.processes.intents import ClearTimer, Do, Intent, Move, Step, Withdraw
from crossdock.processes.lines import Line, settled, whole_kits
from crossdock.processes.order_kits import as_sold
from crossdock.processes.order_lines import Told, box, move_lines, published, unbox
from crossdock.processes.order_parts import emptied, part_of, post_goods_issue, roll_up, with_part
from crossdock.processes.order_release import still_worked_on
from crossdock.processes.order_state import Part, State, as_booked, erp_of, lines_mark, node_of
from crossdock.processes.policy import Policy
from crossdock.processes.shipment_state import RANK

replace = msgspec.structs.replace


def notify(state: State, about: str, policy: Policy, **more: Any) -> tuple[Do, ...]:
    """Tell the customer, where the company wants that told."""
    if about not in policy.notify_about:
        return ()
    payload = requests.Notify(about, state.reference, state.number, **more)
    return _notices(state, payload, f"{about}/{payload.shipment}" if payload.shipment else about, policy)


def _notices(state: State, payload: requests.Notify, name: str, policy: Policy) -> tuple[Do, ...]:
    return tuple(
        Do("customer.notify", account, name, payload, state.reference, 0, state.people, state.subject, 7)
        for account in policy.notify
    )


def allocated(state: State, event: Recorded, policy: Policy) -> Step:
    data: OrderAllocated = event.data
    lines = still_worked_on(state, data.lines)
    if data.lines and not lines:
        return Step(state, (), "stale")
    moves: list[Intent] = []
    for location in dict.fromkeys(x.location for x in lines):
        told = [Told(x.line, x.item, x.quantity.value, x.lot) for x in lines if x.location == location]
        state, some, _ = move_lines(state, told, "allocated", location=location)
        moves += some
    if state.allocated:
        return Step(state, tuple(moves), "duplicate" if not moves else "applied")
    state = replace(state, allocated=True)
    intents = [*moves, *published(moves)]
    if state.sales_order and not state.cancel:
        state, told_erp = tell_erp_lines(state, policy)
        state, updated = update_reservation(state, policy)
        intents += [*told_erp, *updated]
    return Step(state, tuple(intents))


def update_reservation(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    """What the warehouse has taken now; an order that was changed and released again has taken something else before."""
    node = node_of(state, policy)
    lines = tuple(
        LineAllocation(x.line, x.item, Quantity(quantity, x.unit), x.location or node, x.lot)
        for x in state.lines
        if (quantity := _taken(state, x))
    )
    payload = requests.UpdateReservation(state.reference, state.sales_order, lines)
    nth = state.reservations
    do = Do("reservation.update", erp_of(state, policy), state.reference, payload, state.reference, nth)
    return replace(state, reservations=nth + 1), [*older(state, "reservation.update", nth), do]


def _taken(state: State, line: Line) -> Decimal:
    """How much of it the warehouse has taken: shares but for what was taken off them since, kits as far as all of their
    components are. What is packed beyond the order the ERP hears when it leaves.
    """
    if line.kit_of:
        return Decimal(0)
    if line.allocated or line.picked or line.shipped:
        return line.ordered - line.cancelled - line.short_closed - line.substituted_out
    return whole_kits(state.lines, line.line, lambda x: x.allocated + x.picked + x.shipped)


def packed(state: State, event: Recorded, policy: Policy) -> Step:
    """What is in the boxes beyond the order, or in place of it, the ERP hears when it leaves: until then it can come out again,
    and a line that is delivered in full cannot be raised and lowered meanwhile.
    """
    data: LinesPacked = event.data
    known = part_of(state, data.shipment)
    if known is not None and not emptied(known):
        return Step(state, (), "duplicate")
    lines = still_worked_on(state, data.lines)
    if not lines:
        return Step(state, (), "stale")
    state, intents = box(state, lines, "picked", policy, data.location)
    part = known or Part(data.shipment, ())
    part = replace(part, lines=lines, location=data.location, packed_at=event.occurred_at)
    state = with_part(state, part)
    return Step(roll_up(state), tuple(intents))


def unpacked(state: State, event: Recorded, policy: Policy) -> Step:
    """A shipment was taken apart before it left: its goods are where they were before packing, or stopped."""
    data: LinesUnpacked = event.data
    part = part_of(state, data.shipment)
    if part is None or part.shipped_at is not None:
        return Step(state, (), "stale" if part else "ignored")
    if part.issue or part.reversing:
        state = with_part(state, replace(part, lines=()))
    else:
        state = replace(state, parts=tuple(x for x in state.parts if x is not part))
    before = lines_mark(state)
    state, moves = unbox(state, still_worked_on(state, data.lines), policy, data.location)
    if lines_mark(state) == before or state.cancel:
        return Step(roll_up(state), tuple(moves))
    state, told = tell_erp_lines(state, policy)
    return Step(roll_up(state), (*moves, *told))


def shipped(state: State, event: Recorded, policy: Policy) -> Step:
    """Goods left the building: whatever was planned, asked or cancelled, this is so."""
    data: LinesShipped = event.data
    at = data.location or order_drop_ship.supplier_of(state, policy)
    part = part_of(state, data.shipment) or Part(data.shipment, data.lines, location=at)
    if part.shipped_at is not None:
        return Step(state, (), "duplicate")
    state, moves = box(state, data.lines, "shipped", policy, part.location)
    before = [x for x in state.parts if x.shipped_at is not None]
    sold = as_sold(state, data.lines, before)
    part = replace(
        part,
        lines=sold,
        settled=not sold,
        carrier=data.carrier,
        tracking=data.tracking,
        shipped_at=data.at or event.occurred_at,
    )
    state = with_part(state, part)
    state, told = tell_erp_lines(state, policy)
    intents: list[Intent] = [
        *moves,
        *_withdrawn(state, part, moves, policy),
        *told,
        *_fulfil(state, part, policy),
        *notify(
            state, "shipped", policy, shipment=part.shipment, carrier=part.carrier, tracking=part.tracking,
            at=part.shipped_at,
        ),
    ]  # fmt: skip
    intents += post_goods_issue(state, part, policy)
    return Step(roll_up(state), (*intents, *order_drop_ship.invoice(state, policy)))


def _withdrawn(state: State, part: Part, moves: list[Intent], policy: Policy) -> list[Intent]:
    """A supplier's consigned goods become ours as they leave: the ERP hears of it before it is told of the goods issue."""
    assert part.shipped_at is not None
    taken: dict[str, dict[tuple[str, str, str], Decimal]] = {}
    for x in moves:
        if isinstance(x, Move) and x.target == "outside" and x.place.owner not in ("", state.owner):
            lines = taken.setdefault(x.place.owner, {})
            key = (x.line, x.place.item, x.unit)
            lines[key] = lines.get(key, Decimal(0)) + x.quantity
    node = part.location or node_of(state, policy)
    return [
        Do(
            "consignment.withdraw", erp_of(state, policy), f"{part.shipment}/{supplier}",
            requests.WithdrawConsigned(
                part.shipment, state.reference, supplier, node,
                tuple(MovedLine(line, item, Quantity(quantity, unit)) for (line, item, unit), quantity in lines.items()),
                part.shipped_at,
            ),
            state.reference, priority=2,
        )
        for supplier, lines in taken.items()
    ]  # fmt: skip


def _fulfil(state: State, part: Part, policy: Policy) -> tuple[Do, ...]:
    """The channel shows what left, up to what it sold. One that cancelled the order has nothing left to fulfil; a person
    settles that with the customer.
    """
    sold: dict[str, Decimal] = {}
    for line in state.lines:
        sold[line.line] = sold.get(line.line, Decimal(0)) + line.ordered
    for other in state.parts:
        for x in other.lines if other.shipment != part.shipment and other.shipped_at else ():
            sold[x.line] = sold.get(x.line, Decimal(0)) - x.quantity.value
    shown: list[LineShipped] = []
    for x in part.lines:
        quantity = min(x.quantity.value, sold.get(x.line, Decimal(0)))
        if quantity > 0:
            sold[x.line] -= quantity
            shown.append(replace(x, quantity=Quantity(quantity, x.quantity.unit)))
    if state.cancel or not shown or gates.FULFIL.lacks(state, part, policy):
        return ()
    node = part.location or node_of(state, policy)
    payload = requests.CreateFulfilment(
        state.reference, part.shipment, node, part.carrier, part.tracking, tuple(shown)
    )
    return (Do("fulfilment.create", state.channel, part.shipment, payload, state.reference, priority=4),)


def tell_erp_lines(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    """The sales order follows what the customer is to get now; nothing where it says so already."""
    lines = as_booked(state)
    says = lines_mark(state)
    if not state.sales_order or not lines or says == state.erp_lines:
        return state, []
    dropped = tuple(sorted({x.line for x in state.lines if not x.kit_of} - {x.line for x in lines}))
    payload = requests.ChangeSalesOrder(state.reference, state.sales_order, lines, dropped, "as fulfilled")
    do = Do(
        "sales_order.change", erp_of(state, policy), state.reference, payload, state.reference, state.erp_changes,
        priority=3,
    )  # fmt: skip
    return replace(state, erp_lines=says, erp_changes=state.erp_changes + 1), [
        *older(state, "sales_order.change", state.erp_changes),
        do,
    ]


CHANGES_MAX = 5
"""Changes of one sales order, or updates of its reservation, that may be on their way at once."""


def older(state: State, kind: str, newest: int) -> list[Intent]:
    """Each says all lines: those before it are not wanted any more, unsent or refused."""
    because = "a newer one takes its place"
    return [Withdraw(kind, state.reference, n, because) for n in range(max(0, newest - CHANGES_MAX), newest)]


def refused(state: State, event: Recorded, _policy: Policy) -> Step:
    """What was refused may be pointless by now: an older change or update, or a fulfilment of a cancelled order."""
    match event.data.kind:
        case "sales_order.change" if state.erp_changes > 1:
            return Step(state, tuple(older(state, event.data.kind, state.erp_changes - 1)))
        case "reservation.update" if state.reservations > 1:
            return Step(state, tuple(older(state, event.data.kind, state.reservations - 1)))
        case "fulfilment.create" if state.cancel in ("refused", "agreed"):
            return Step(state, unsent(state))
        case "invoice.release":
            part = part_of(state, event.about)
            if part is None or not part.issue:
                return Step(state, (), "ignored")
            because = "its goods issue was reversed"
            return Step(
                state,
                tuple(Withdraw("invoice.release", part.shipment, n, because) for n in range(part.issue)),
            )
        case _:
            return Step(state, (), "ignored")


def unsent(state: State) -> tuple[Intent, ...]:
    """The channel shows the order as cancelled: it is told of no fulfilment any more."""
    because = "the order is cancelled in the channel"
    return tuple(
        Withdraw("fulfilment.create", x.shipment, because=because) for x in state.parts if not x.fulfilment
    )


def goods_issued(state: State, event: Recorded, policy: Policy) -> Step:
    part = part_of(state, event.about or event.data.shipment)
    if part is None or part.goods_issue or event.data.document in part.reversed:
        return Step(state, (), "duplicate" if part else "ignored")
    part = replace(part, delivery=event.data.delivery, goods_issue=event.data.document)
    part, intents = order_reversal.posted_anew(part)
    intents += order_reversal.ask(state, part, policy)
    if policy.erp in policy.follow and part.milestone != "created":
        part, more = _tell_erp(state, part, policy)
        intents += more
    state = roll_up(with_part(state, part))
    return Step(state, (*intents, *_invoice_if_free(state, part, policy)))


def milestone(state: State, event: Recorded, policy: Policy) -> Step:
    """A parcel moved on."""
    data: MilestoneReached = event.data
    part = next((x for x in state.parts if data.tracking in x.tracking), None)
    if part is None or part.milestone in (data.milestone, "delivered"):
        return Step(state, (), "stale")
    if RANK[data.milestone] >= RANK[part.milestone]:  # another of its packages may be further already
        part = replace(part, milestone=data.milestone)
    part, intents = _tell_followers(state, part, data, policy)
    return Step(with_part(state, part), (*intents, *_news(state, part, data, policy)))


def _news(state: State, part: Part, data: MilestoneReached, policy: Policy) -> tuple[Do, ...]:
    """One notice a day of each parcel's turn; its end is told with the shipment's."""
    if data.milestone not in policy.notify_about or data.milestone in ("delivered", "returned", "lost"):
        return ()
    payload = requests.Notify(
        data.milestone, state.reference, state.number, part.shipment, data.carrier, (data.tracking,), data.at
    )
    day = f"/{data.at:%Y-%m-%d}" if data.at else ""
    return _notices(state, payload, f"{data.milestone}/{part.shipment}/{data.tracking}{day}", policy)


def _tell_followers(
    state: State, part: Part, data: MilestoneReached, policy: Policy
) -> tuple[Part, tuple[Intent, ...]]:
    """Whoever follows the parcel hears of the milestone; the ERP once it has a delivery to hang it on."""
    thing = f"{part.shipment}/{data.milestone}"
    record = requests.RecordMilestone(
        part.shipment, state.reference, part.delivery, data.milestone, data.classifier, data.tracking, data.carrier, data.at
    )  # fmt: skip
    intents: tuple[Intent, ...] = tuple(
        Do("milestone.record", account, thing, record, state.reference, priority=6)
        for account in policy.follow
        if account != policy.erp
    )
    if policy.erp in policy.follow and part.delivery:
        part, more = _tell_erp(state, part, policy)
        intents += tuple(more)
    return part, intents


def _tell_erp(state: State, part: Part, policy: Policy) -> tuple[Part, list[Intent]]:
    """The ERP of record hears of it, where the hub's own ERP is among those that follow."""
    if part.erp_milestone == part.milestone:
        return part, []
    payload = requests.RecordMilestone(
        part.shipment, state.reference, part.delivery, part.milestone, "ACT", part.tracking[0] if part.tracking else "",
        part.carrier, part.delivered_at if part.milestone == "delivered" else None,
    )  # fmt: skip
    thing = f"{part.shipment}/{part.milestone}"
    do = Do("milestone.record", erp_of(state, policy), thing, payload, state.reference, priority=6)
    return replace(part, erp_milestone=part.milestone), [do]


def delivered(state: State, event: Recorded, policy: Policy) -> Step:
    """Proof of delivery, of the whole shipment or of some of its packages."""
    data: LinesDelivered = event.data
    part = part_of(state, data.shipment)
    if part is None or part.delivered_at is not None:
        return Step(state, (), "duplicate" if part else "ignored")
    state = replace(state, lines=_mark_delivered(state.lines, data.lines, part.location))
    if data.partial:
        return Step(state)
    part = replace(part, delivered_at=data.at or event.occurred_at, milestone="delivered")
    reached = MilestoneReached(
        milestone="delivered", classifier="ACT", tracking=part.tracking[0] if part.tracking else "", carrier=data.carrier,
        at=part.delivered_at,
    )  # fmt: skip
    part, intents = _tell_followers(state, part, reached, policy)
    told = notify(
        state, "delivered", policy, shipment=part.shipment, carrier=data.carrier, tracking=data.tracking, at=part.delivered_at
    )  # fmt: skip
    state = roll_up(with_part(state, part))
    billed = (*_invoice_if_free(state, part, policy), *order_drop_ship.invoice(state, policy))
    return Step(state, (*intents, *told, *billed))


def _mark_delivered(
    lines: tuple[Line, ...], told: tuple[LineShipped, ...], location: str
) -> tuple[Line, ...]:
    """Of what was shipped and is not yet known to have arrived, share by share."""
    marked = list(lines)
    for x in told:
        left = x.quantity.value
        for place, line in enumerate(marked):
            here = min(left, line.shipped - line.delivered)
            if line.line == x.line and line.item == x.item and line.location in ("", location) and here > 0:
                marked[place] = replace(line, delivered=line.delivered + here)
                left -= here
    return tuple(marked)


def _invoice_if_free(state: State, part: Part, policy: Policy) -> tuple[Intent, ...]:
    """Once, and never before the facts that the gate asks for."""
    if part.invoice or gates.INVOICE.lacks(state, part, policy):
        return ()
    payload = requests.ReleaseInvoice(
        state.reference,
        part.shipment,
        state.sales_order,
        part.delivery,
        part.goods_issue,
        part.cancelled_invoices,
    )
    return (
        Do(
            "invoice.release",
            erp_of(state, policy),
            part.shipment,
            payload,
            state.reference,
            part.issue,
            priority=3,
        ),
    )


def invoiced(state: State, event: Recorded, policy: Policy) -> Step:
    part = part_of(state, event.about) or part_of(state, event.data.shipment)
    if part is None or part.invoice:
        return Step(state, (), "duplicate")
    if policy.is_supplier(part.location):
        state = order_drop_ship.invoiced(state, event.data.document, policy)
    state = roll_up(with_part(state, replace(part, invoice=event.data.document)))
    intents = order_return.tell_invoiced(state, part.shipment, policy)
    if all(map(settled, state.lines)):
        intents.append(ClearTimer("backorder"))
    return Step(state, tuple(intents))


def fulfilment_created(state: State, event: Recorded, _policy: Policy) -> Step:
    part = part_of(state, event.about)
    if part is None:
        return Step(state, (), "ignored")
    return Step(with_part(state, replace(part, fulfilment=event.data.document)))


def waits_on(state: State, policy: Policy) -> tuple[str, str]:
    """What an order whose goods left still waits for."""
    erp = erp_of(state, policy)
    if not state.sales_order:
        return f"the sales order in {erp}", erp
    decision = order_reversal.waits_on(state)
    if decision is not None:
        return decision
    if any(x.lines and not x.goods_issue and not policy.is_supplier(x.location) for x in state.parts):
        return f"goods issue in {erp}", erp
    astray = next((x for x in state.parts if x.outcome and not x.settled), None)
    if astray is not None:
        return f"a decision on shipment {astray.shipment}, which was {astray.outcome}", "customer service"
    missing = next((x for x in state.parts if not x.delivered_at and not x.settled), None)
    needs = (
        policy.supplier_invoice_needs if order_drop_ship.supplier_of(state, policy) else policy.invoice_needs
    )
    if missing is not None and "delivery" in needs:
        return f"proof of delivery by {missing.carrier or policy.carrier}", missing.carrier or policy.carrier
    return f"the invoice in {erp}", erp
