"""What goes wrong with an order's goods: not found on the shelf, sent back, lost; and standing holds."""

from collections.abc import Iterable

import msgspec

from crossdock.model.envelope import Recorded
from crossdock.model.order import HoldPlaced, LineShipped, LinesShort, LinesUndeliverable
from crossdock.model.stock import StockPlace
from crossdock.model.thread import reference_of
from crossdock.processes import adjusting, order_cancel, order_kits, order_reversal
from crossdock.processes.intents import Claim, ClearTimer, CloseCase, Intent, Move, OpenCase, SetTimer, Step
from crossdock.processes.lines import Part, promised
from crossdock.processes.order_drop_ship import supplier_of
from crossdock.processes.order_lines import Told, move_lines, published
from crossdock.processes.order_parts import part_of, roll_up, with_part
from crossdock.processes.order_release import still_worked_on
from crossdock.processes.order_ship import notify, tell_erp_lines
from crossdock.processes.order_state import BEFORE_RELEASE, CLOSED, State
from crossdock.processes.policy import Policy

replace = msgspec.structs.replace


def short_picked(state: State, event: Recorded, policy: Policy) -> Step:
    """The shelf was empty: what is missing left the books, the ERP's too; the customer waits for it, or gets less."""
    step = _missing(state, event, policy)
    fact = adjusting.fact_of(event, event.data.reason)
    return replace(step, intents=(*step.intents, *adjusting.posted(step.intents, fact, policy)))


def _missing(state: State, event: Recorded, policy: Policy) -> Step:
    data: LinesShort = event.data
    live = still_worked_on(state, data.lines)
    if not live:
        return Step(state, _left_the_shelf(state, data.lines, data.location))
    mine = {(x.line, x.item) for x in state.lines}
    instead = [x for x in live if (x.line, x.item) not in mine]
    told = [Told(x.line, x.item, x.quantity.value, x.lot) for x in live if x not in instead]
    target: Part = "short_closed" if policy.short_pick == "cancel" else "backordered"
    state, moves, _ = move_lines(
        state, told, target, location=data.location, goal="outside", ways=("allocated", "reserved")
    )
    if instead:  # a substitute was looked for: it is missing, what was ordered lies where it was
        kept = [Told(x.line, "", x.quantity.value) for x in instead]
        state, freed, _ = move_lines(
            state, kept, target, location=data.location, ways=("allocated", "reserved")
        )
        moves += [*_left_the_shelf(state, instead, data.location), *freed, *published(freed)]
        told += kept
    if not moves:
        return Step(state, (), "stale")
    if state.cancel in ("waiting_for_warehouse", "agreed"):
        state, more, _ = move_lines(state, told, "cancelled", location=data.location)
        return Step(roll_up(state), (*moves, *more))
    if policy.short_pick == "cancel":
        return Step(*_got_less(state, moves, policy))
    state, more = wait_for_stock(state, policy)
    if policy.short_pick == "hold":
        missing = ", ".join(f"{x.quantity} of {x.item}" for x in data.lines)
        more = [
            OpenCase(
                f"short-pick/{data.location}/{','.join(sorted({x.item for x in data.lines}))}", "value", "short pick",
                f"{data.location} could not find {missing}",
                "Count the bin. Retry the case once there is stock, or cancel what is missing.", "warehouse", "hold",
            )
        ]  # fmt: skip
    return Step(roll_up(state), (*moves, *more))


def _left_the_shelf(state: State, lines: Iterable[LineShipped], location: str) -> tuple[Intent, ...]:
    """Found missing for work that was stopped, or in place of what was ordered: no order lacks it, the shelf does."""
    moves = tuple(
        Move(StockPlace(x.item, location, x.lot, state.owner), "available", "outside", x.quantity.value, x.quantity.unit, "", x.line)
        for x in lines
    )  # fmt: skip
    return (*moves, *published(moves))


def _got_less(state: State, moves: list[Intent], policy: Policy) -> tuple[State, tuple[Intent, ...]]:
    """The rest goes on without it; an order of which nothing is left ends."""
    if not any(promised(x) > 0 for x in state.lines):
        step = order_cancel.end_without_goods(state, "nothing of it could be found", policy)
        assert isinstance(step.state, State)
        return step.state, (*moves, *step.intents)
    state, told = tell_erp_lines(state, policy)
    return roll_up(state), (*moves, *told, *notify(state, "changed", policy))


def wait_for_stock(state: State, policy: Policy) -> tuple[State, list[Intent]]:
    """Backorders are put to the ledger again and again."""
    if state.claims > policy.rechecks_max:
        return state, []
    return state, [SetTimer("backorder", policy.recheck_seconds)]


def claim_backorders(state: State, policy: Policy) -> Step:
    if supplier_of(state, policy):
        return Step(state, (), "stale")
    lines, sets = order_kits.wanted(state, state.nodes[0] if state.nodes else policy.location)
    if (
        not lines
        or state.phase in (*BEFORE_RELEASE, *CLOSED)
        or state.cancel in ("agreed", "waiting_for_warehouse")
    ):
        return Step(state, (), "stale")
    claim = f"{state.reference}#{state.claims}"
    nodes = state.nodes if len(state.nodes) > 1 else ()
    return Step(
        replace(state, claim=claim, claims=state.claims + 1),
        (Claim(claim, lines, nodes, partial=True, sets=sets, as_sold=True),),
    )


def undeliverable(state: State, event: Recorded, policy: Policy) -> Step:
    """It comes back, or nobody knows where it is: a person talks to the customer. It is billed only where goods issue
    alone frees the invoice.
    """
    data: LinesUndeliverable = event.data
    part = part_of(state, data.shipment)
    if part is None or part.outcome or part.delivered_at is not None:
        return Step(state, (), "duplicate" if part else "ignored")
    part = replace(part, outcome=data.outcome)
    title = {
        "returned": f"Shipment {part.shipment} of order {state.number} came back undelivered",
        "lost": f"{part.carrier or policy.carrier} lost shipment {part.shipment} of order {state.number}",
    }[data.outcome]
    remedy = {
        "returned": "Agree with the customer: send it again as a new order, or refund it.",
        "lost": "Claim it from the carrier; send it again as a new order, or refund it.",
    }[data.outcome]
    late = "delivery" in policy.invoice_needs
    billed = "It is not billed." if late else "It is billed at goods issue: credit it."
    case = OpenCase(
        f"undeliverable/{state.reference}/{part.shipment}", "value", data.outcome, title,
        f"{remedy} {billed} Retry the case once that is settled: the order is then closed.",
        "customer service", f"hold/{_hold_of(part.shipment)}",
    )  # fmt: skip
    told = notify(
        state, data.outcome, policy, shipment=part.shipment, carrier=part.carrier, tracking=data.tracking
    )
    return Step(with_part(state, part), (case, *told))


def _hold_of(shipment: str) -> str:
    return f"undeliverable/{shipment}"


def placed(state: State, event: Recorded, policy: Policy) -> Step:
    """Somebody wants the order kept from the warehouse; it may not be told yet, and its case must be its own."""
    data: HoldPlaced = event.data
    if data.hold in state.holds or state.phase in CLOSED:
        return Step(state, (), "duplicate" if data.hold in state.holds else "stale")
    held = replace(
        state,
        reference=state.reference or reference_of(event.thread),
        holds=(*state.holds, data.hold),
        approved_by=tuple(x for x in state.approved_by if x != data.hold),
    )
    case = hold_case(held, data.hold, data.reason, data.owner)
    if state.phase in BEFORE_RELEASE:
        return Step(held, (case,))
    late = OpenCase(
        f"late-hold/{state.reference}/{data.hold}", "value", data.hold,
        f"Order {state.number} was held ({data.hold}) after the warehouse had it",
        f"{data.reason}. Cancel the order if it must not leave; otherwise release the hold by retrying this case.",
        data.owner, f"hold/{data.hold}",
    )  # fmt: skip
    return Step(held, (late,))


def hold_case(state: State, hold: str, reason: str, owner: str) -> OpenCase:
    return OpenCase(
        f"hold/{hold}/{state.reference}", "value", hold, f"Order {state.number or state.reference} is held: {reason}"[:200],
        "It goes on once the case is retried, which releases the hold; or cancel it.", owner, f"hold/{hold}",
    )  # fmt: skip


def released(state: State, event: Recorded, policy: Policy) -> Step:
    """A hold is lifted, an approval given, or a decision on undeliverable goods taken."""
    from crossdock.processes.order import proceed

    hold = event.data.hold
    astray = next((x for x in state.parts if x.outcome and _hold_of(x.shipment) == hold), None)
    if astray is not None:
        closed = CloseCase(f"hold/{hold}", "it was settled with the customer")
        return Step(roll_up(with_part(state, replace(astray, settled=True))), (closed,))
    reversal = order_reversal.decided(state, event, policy)
    if reversal is not None:
        return reversal
    if hold in state.approved_by and hold not in state.holds:
        return Step(state, (), "duplicate")
    state = replace(
        state, holds=tuple(x for x in state.holds if x != hold), approved_by=(*state.approved_by, hold)[-20:]
    )
    closed = CloseCase(f"hold/{hold}", f"the hold was released by {event.data.by or event.source}")
    if state.phase != "held" or state.hold != hold:
        return Step(state, (closed,))
    went_on = proceed(replace(state, hold=""), policy)
    return Step(went_on.state, (closed, ClearTimer("recheck"), *went_on.intents))
