"""A goods issue is taken back: because a person wants it, or since the ERP says so. What follows is a new one, never the same.

Each reversal raises the generation of the shipment's goods issue and of its invoice. Goods that left are posted anew only
when finance says so; those that stayed are posted when they leave.
"""

import msgspec

from crossdock.model import requests
from crossdock.model.envelope import HUB, Recorded
from crossdock.model.shipment import GoodsIssueReversalRequested, GoodsIssueReversed
from crossdock.processes import gates
from crossdock.processes.intents import CloseCase, Do, Intent, OpenCase, Step, Withdraw
from crossdock.processes.order_lines import put_back
from crossdock.processes.order_parts import part_of, post_goods_issue, roll_up, with_part
from crossdock.processes.order_state import Part, State, erp_of, node_of
from crossdock.processes.policy import Policy

TO_REVERSE, REVERSED = "reverse/", "reversed/"
"""Begin the names of the holds under which finance decides: that the invoice is cancelled, that it is posted anew."""
replace = msgspec.structs.replace


def obstacle(state: State, shipment: str, *, never_left: bool) -> str:
    """Why the goods issue of this shipment cannot be reversed; empty where it can, or where there is none to be."""
    part = part_of(state, shipment)
    if part is None or not part.lines:
        return ""
    if part.reversing:
        return f"its reversal is asked for already, for order {state.number}"
    if not part.goods_issue and not (never_left and part.reversed_at):
        return f"its goods issue for order {state.number} has no document yet: settle that first"
    return ""


def requested(state: State, event: Recorded, policy: Policy) -> Step:
    """The shipment says so, once whoever must agree has agreed."""
    data: GoodsIssueReversalRequested = event.data
    part = part_of(state, data.shipment)
    if event.source != HUB or part is None or part.shipped_at is None:
        return Step(state, (), "ignored")
    if part.reversing or (not data.never_left and not part.goods_issue):
        return Step(state, (), "stale")
    moves: list[Intent] = []
    if data.never_left:
        state, moves = put_back(state, data.lines, policy, part.location)
        part = replace(part, shipped_at=None, settled=False)
    if not part.lines or policy.is_supplier(part.location):
        return Step(_open_again(with_part(state, part)), tuple(moves))
    if part.reversed_at is not None and not part.goods_issue:  # the ERP took it back before
        part, closed = posted_anew(part)
        return Step(_open_again(with_part(state, part)), (*moves, *closed))
    at = part.location or node_of(state, policy)
    part = replace(
        part, reversing="stayed" if data.never_left else "travelled", reversing_because=f"{data.by}: {data.reason}",
        reversing_on=data.posting_on or policy.day_at(at, event.occurred_at),
    )  # fmt: skip
    unbilled = Withdraw(
        "invoice.release", part.shipment, part.issue, "the goods issue is reversed before it is billed"
    )
    asked = ask(state, part, policy)
    return Step(_open_again(with_part(state, part)), (*moves, *([] if part.invoice else [unbilled]), *asked))


def ask(state: State, part: Part, policy: Policy) -> list[Intent]:
    """The ERP, once there is a document to reverse; where an invoice stands on it, finance first."""
    if not part.reversing or not part.goods_issue:
        return []
    erp = erp_of(state, policy)
    if gates.REVERSE.lacks(state, part, policy):
        return [
            OpenCase(
                f"reverse-billed/{erp}/{state.reference}/{part.shipment}", "value", "goods issue reversed",
                f"The goods issue of shipment {part.shipment} of order {state.number} is to be reversed, and is billed",
                f"Cancel invoice {part.invoice} in {erp}, then retry the case: the goods issue {part.goods_issue} is reversed then.",
                "finance", f"hold/{TO_REVERSE}{part.shipment}",
            )
        ]  # fmt: skip
    assert part.reversing_on is not None
    payload = requests.ReverseGoodsIssue(
        part.shipment, state.reference, part.delivery, part.goods_issue, part.reversing_on, part.reversing_because
    )  # fmt: skip
    return [Do("goods_issue.reverse", erp, part.shipment, payload, state.reference, part.issue, priority=1)]


def reversed_(state: State, event: Recorded, policy: Policy) -> Step:
    """The ERP took it back, asked or not. Told twice, or late, of one that was taken back before, it changes nothing."""
    data: GoodsIssueReversed = event.data
    if event.source != erp_of(state, policy):
        return Step(state, (), "ignored")
    named = event.about or data.shipment
    part = part_of(state, named) if named else _of_delivery(state, data.delivery)
    if part is None:
        return Step(state, (), "ignored")
    taken = part.goods_issue or data.reverses  # it may be told before the posting itself
    known = data.document in part.reversals or data.reverses in part.reversed
    if known or not taken or data.reverses not in ("", taken):
        return Step(state, (), "duplicate" if known else "stale")
    stayed = part.reversing == "stayed"
    generation, billed = part.issue, part.invoice
    part = replace(
        part, goods_issue="", issue=part.issue + 1, reversed=(*part.reversed, taken),
        reversals=(*part.reversals, data.document), reversing="", reversing_because="", reversing_on=None,
        reversed_at=event.occurred_at if billed or not stayed else None,
    )  # fmt: skip
    state = with_part(state, part)
    intents: list[Intent] = []
    if not billed:
        because = "its goods issue was reversed"
        intents.append(Withdraw("invoice.release", part.shipment, generation, because))
    if part.reversed_at is not None:
        intents.append(_case(state, part, policy))
    return Step(_open_again(state), (*intents, *post_goods_issue(state, part, policy)))


def _of_delivery(state: State, delivery: str) -> Part | None:
    return next((x for x in state.parts if delivery and x.delivery.lstrip("0") == delivery.lstrip("0")), None)


def _case(state: State, part: Part, policy: Policy) -> OpenCase:
    erp = erp_of(state, policy)
    billed = f"Invoice {part.invoice} stands on it: cancel it in {erp}. " if part.invoice else ""
    anew = "posted and billed anew" if part.invoice else "posted anew"
    return OpenCase(
        f"goods-issue-reversed/{erp}/{state.reference}/{part.shipment}", "value", "goods issue reversed",
        f"{erp} reversed the goods issue of shipment {part.shipment} of order {state.number}",
        f"{billed}Retry the case for it to be {anew}; where it never left, say so of the shipment.", "finance",
        f"hold/{REVERSED}{part.shipment}",
    )  # fmt: skip


def decided(state: State, event: Recorded, policy: Policy) -> Step | None:
    """Finance released one of the two holds; None where it is another's."""
    hold: str = event.data.hold
    part = part_of(state, hold.partition("/")[2])
    if part is None or not hold.startswith((TO_REVERSE, REVERSED)):
        return None
    closed = CloseCase(f"hold/{hold}", f"decided by {event.data.by or event.source}")
    if hold.startswith(REVERSED) and part.reversed_at is None:
        return Step(state, (closed,), "stale")
    cancelled = (*part.cancelled_invoices, part.invoice) if part.invoice else part.cancelled_invoices
    part = replace(part, invoice="", cancelled_invoices=cancelled)
    if hold.startswith(REVERSED):
        part = replace(part, reversed_at=None)
    state = with_part(state, part)
    return Step(
        _open_again(state), (closed, *ask(state, part, policy), *post_goods_issue(state, part, policy))
    )


def posted_anew(part: Part) -> tuple[Part, list[Intent]]:
    """It is, or will be when it leaves: nobody has to decide that any more."""
    if part.reversed_at is None:
        return part, []
    closed = CloseCase(f"hold/{REVERSED}{part.shipment}", "nobody has to decide whether it is posted anew")
    return replace(part, reversed_at=None), [closed]


def _open_again(state: State) -> State:
    """A complete order is so no more while something of it is neither posted nor given up."""
    return roll_up(replace(state, phase="shipped") if state.phase == "completed" else state)


def waits_on(state: State) -> tuple[str, str] | None:
    """(what, whose move) where finance must decide; None where it need not."""
    for x in state.parts:
        if x.reversed_at is not None:
            return f"word that the reversed goods issue of shipment {x.shipment} is posted anew", "finance"
        if x.reversing and x.invoice:
            return f"cancellation of invoice {x.invoice}", "finance"
    return None
