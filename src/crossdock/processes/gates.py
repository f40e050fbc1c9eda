"""Gates: which facts must be there before a step is taken. One table; the processes ask it, pages and lists show it.

Pure. A gate stands closed while its step is due and a fact that it needs is missing. It then says what is missing and who
owes it. Which facts an invoice or a release needs is the company's policy; the table holds what follows from it.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec

from crossdock.processes.lines import settled
from crossdock.processes.order_state import BEFORE_RELEASE, CLOSED, Part, erp_of
from crossdock.processes.order_state import State as Order
from crossdock.processes.policy import Policy
from crossdock.processes.shipment_state import Bill, may_leave
from crossdock.processes.shipment_state import State as Shipment

Fact = Literal[
    "check", "stock", "approval", "departure", "sales order", "goods issue", "proof of delivery", "dispatch", "packing",
    "carriage", "freight accrual", "reversal", "word", "cancelled invoice", "second person",
]  # fmt: skip


class Missing(msgspec.Struct, frozen=True, gc=False):
    """One fact that has not come: in words, and the system, or the role of a person, that owes it."""

    fact: Fact
    what: str
    owed_by: str


class Need(msgspec.Struct, frozen=True):
    """`lacking` yields (what, who owes it) while the fact is missing, and nothing once it is there."""

    fact: Fact
    lacking: Callable[[Any, Any, Policy], Iterable[tuple[str, str]]]


class Due(NamedTuple):
    """A step that is to be taken: for which shipment, order or bill, and since when (None: an earlier release did not keep it)."""

    thing: str
    about: Any
    since: datetime | None


class Gate(msgspec.Struct, frozen=True):
    """A row of the table. `opens` is the effect kind, or the event to other threads, that must wait."""

    name: str
    opens: str
    step: str
    due: Callable[[Any, Policy], Iterable[Due]]
    needs: tuple[Need, ...]

    def lacks(self, state: Any, about: Any, policy: Policy) -> tuple[Missing, ...]:
        """What is missing for the step of `about`; empty: the gate is open."""
        return tuple(
            Missing(need.fact, what, who)
            for need in self.needs
            for what, who in need.lacking(state, about, policy)
        )


class Closed(msgspec.Struct, frozen=True, gc=False):
    """A gate that stands closed although its step is due."""

    gate: Gate
    thing: str
    missing: tuple[Missing, ...]
    since: datetime | None


_HELD_FOR: Final = {
    "credit": ("credit release", "finance"), "price": ("a price decision", "finance"),
    "item": ("item master data", "master data"), "stock": ("stock", "operations"),
}  # fmt: skip


def _unchecked(state: Order, _: Any, policy: Policy) -> Iterator[tuple[str, str]]:
    if policy.erp_check == "wait" and not state.checked:
        erp = erp_of(state, policy)
        yield _HELD_FOR.get(state.hold, ("credit, availability and price check", erp))


def _unclaimed(state: Order, _: Any, _policy: Policy) -> Iterator[tuple[str, str]]:
    if any(x.open for x in state.lines):
        yield "stock", "operations" if state.hold == "stock" else "crossdock"


def standing(state: Order, policy: Policy) -> tuple[str, ...]:
    """Names of the holds that were placed, and of the approvals that were not given."""
    missing = (x for x in policy.approvals if x not in state.approved_by and x not in state.holds)
    return (*state.holds, *missing)


def _unapproved(state: Order, _: Any, policy: Policy) -> Iterator[tuple[str, str]]:
    for name in standing(state, policy):
        yield f"release of the hold: {name}", "customer service"


def _not_left(state: Order, part: Part, policy: Policy) -> Iterator[tuple[str, str]]:
    if part.shipped_at is None:
        yield "departure", policy.warehouse_of(part.location)


def _not_booked(state: Order, _: Any, policy: Policy) -> Iterator[tuple[str, str]]:
    if not state.sales_order:
        yield "sales order", erp_of(state, policy)


def _not_issued(state: Order, part: Part, policy: Policy) -> Iterator[tuple[str, str]]:
    if not part.goods_issue or part.reversing:
        yield "goods issue", erp_of(state, policy)


def _not_reversed(state: Order, part: Part, policy: Policy) -> Iterator[tuple[str, str]]:
    if part.reversing:
        yield "reversal of the one before", erp_of(state, policy)


def _not_decided(_: Order, part: Part, _policy: Policy) -> Iterator[tuple[str, str]]:
    if part.reversed_at is not None:
        yield "word that it is posted anew", "finance"


def _still_billed(_: Order, part: Part, _policy: Policy) -> Iterator[tuple[str, str]]:
    if part.invoice:
        yield f"cancellation of invoice {part.invoice}", "finance"


def _not_confirmed(state: Shipment, person: Any, policy: Policy) -> Iterator[tuple[str, str]]:
    """`person` (key, name) asks for it now; None: nobody does."""
    first = state.reversal
    if "reversal" not in policy.four_eyes:
        return
    if first is None or person is None or person[0] == first.source or person[1] == first.by:
        yield "word of a second person", "finance"


def _not_proven(_: Order, part: Part, policy: Policy) -> Iterator[tuple[str, str]]:
    if "delivery" in policy.invoice_needs and part.delivered_at is None:
        yield "proof of delivery", part.carrier or policy.carrier


def _not_dispatched(state: Order, _: Any, policy: Policy) -> Iterator[tuple[str, str]]:
    if not all(map(settled, state.lines)):
        yield "dispatch of the rest", supplied(state, policy)[0].location


def _supplier_not_proven(state: Order, _: Any, policy: Policy) -> Iterator[tuple[str, str]]:
    waits = [x for x in supplied(state, policy) if x.delivered_at is None]
    if waits and "delivery" in policy.supplier_invoice_needs:
        yield "proof of delivery", waits[0].carrier or waits[0].location


def _not_packed(state: Shipment, _: Any, policy: Policy) -> Iterator[tuple[str, str]]:
    if not state.packages:
        yield "packing message", state.warehouse or policy.warehouse_of(state.location)


def _not_carried(state: Shipment, _: Any, policy: Policy) -> Iterator[tuple[str, str]]:
    if not state.packages or may_leave(state):
        return
    if state.fresh is not None:
        yield "the new label on the parcel", state.warehouse or policy.warehouse_of(state.location)
    else:
        yield "a carrier" if state.by == "tms" else "label", state.account or policy.carrier


def _shipment_not_left(state: Shipment, _: Any, policy: Policy) -> Iterator[tuple[str, str]]:
    if state.departed_at is None:
        yield "departure", state.warehouse or policy.warehouse_of(state.location)


def _not_accrued(state: Shipment, _: Any, policy: Policy) -> Iterator[tuple[str, str]]:
    if not state.accrual:
        yield "freight accrual", policy.erp_of_node(state.location)


def _to_release(state: Order, _: Policy) -> Iterator[Due]:
    if state.phase in BEFORE_RELEASE and state.phase != "new" and not state.cancel:
        yield Due(state.reference, state, state.received_at)


def _own(state: Order, policy: Policy) -> Iterator[Part]:
    """Shipments with goods that were ours, of sites that we drive, and that go on."""
    for x in state.parts:
        if x.lines and not x.settled and policy.is_watched(x.location):
            yield x


def _to_issue(state: Order, policy: Policy) -> Iterator[Due]:
    for x in _own(state, policy):
        if not x.goods_issue or (x.reversing == "stayed" and x.shipped_at is not None):
            yield Due(x.shipment, x, x.reversed_at or x.packed_at or x.shipped_at)


def _to_reverse(state: Order, policy: Policy) -> Iterator[Due]:
    for x in _own(state, policy):
        if x.reversing and x.goods_issue:
            yield Due(x.shipment, x, x.shipped_at)


def _to_fulfil(state: Order, policy: Policy) -> Iterator[Due]:
    for x in _own(state, policy) if not state.cancel else ():
        if not x.fulfilment:
            yield Due(x.shipment, x, x.packed_at or x.shipped_at)


def _to_invoice(state: Order, policy: Policy) -> Iterator[Due]:
    for x in _own(state, policy):
        if x.shipped_at is not None and not x.invoice and not x.outcome:
            yield Due(x.shipment, x, x.reversed_at or x.shipped_at)


def supplied(state: Order, policy: Policy) -> list[Part]:
    """What a supplier sent of the order so far."""
    return [x for x in state.parts if policy.is_supplier(x.location) and x.shipped_at]


def _to_invoice_supplied(state: Order, policy: Policy) -> Iterator[Due]:
    parts = supplied(state, policy)
    if parts and not any(x.invoice or x.settled or x.outcome for x in parts):
        yield Due(state.reference, state, min(x.shipped_at for x in parts if x.shipped_at))


def _to_tell(state: Shipment, _: Policy) -> Iterator[Due]:
    since = state.departed_at or state.departed_early_at
    if since is not None:
        yield Due(state.shipment, state, since)


def _to_confirm(state: Shipment, _: Policy) -> Iterator[Due]:
    if state.reversal is not None:
        yield Due(state.shipment, None, state.reversal.asked_at)


def _to_accrue(state: Shipment, policy: Policy) -> Iterator[Due]:
    if (
        state.freight is not None
        and not state.accrual
        and not state.cancelled
        and policy.is_watched(state.location)
    ):
        yield Due(state.shipment, state, state.labelled_at or state.departed_at)


def _to_match(state: Shipment, _: Policy) -> Iterator[Due]:
    bills: list[Bill] = [x for x in state.bills if x.state == "open"]
    return (Due(f"{state.shipment}/{x.invoice}", x, x.billed_at) for x in bills)


CHECK = Need("check", _unchecked)
STOCK = Need("stock", _unclaimed)
APPROVAL = Need("approval", _unapproved)
DEPARTURE = Need("departure", _not_left)
SALES_ORDER = Need("sales order", _not_booked)
GOODS_ISSUE = Need("goods issue", _not_issued)
CARRIAGE = Need("carriage", _not_carried)

RELEASE = Gate(
    "order.release",
    "warehouse_order.release",
    "Release to the warehouse",
    _to_release,
    (CHECK, STOCK, APPROVAL),
)
ISSUE = Gate(
    "goods_issue.post",
    "goods_issue.post",
    "Goods issue",
    _to_issue,
    (DEPARTURE, SALES_ORDER, Need("reversal", _not_reversed), Need("word", _not_decided)),
)
REVERSE = Gate(
    "goods_issue.reverse",
    "goods_issue.reverse",
    "Reversal of the goods issue",
    _to_reverse,
    (Need("cancelled invoice", _still_billed),),
)
FULFIL = Gate("order.fulfil", "fulfilment.create", "Fulfilment in the channel", _to_fulfil, (DEPARTURE,))
INVOICE = Gate(
    "invoice.release", "invoice.release", "Invoice", _to_invoice,
    (GOODS_ISSUE, Need("proof of delivery", _not_proven)),
)  # fmt: skip
SUPPLIER_INVOICE = Gate(
    "supplier_invoice.release", "invoice.release", "Invoice of what a supplier sends", _to_invoice_supplied,
    (SALES_ORDER, Need("dispatch", _not_dispatched), Need("proof of delivery", _supplier_not_proven)),
)  # fmt: skip
DEPART = Gate(
    "order.ship", "order.shipped.v1", "What follows from the departure", _to_tell,
    (Need("packing", _not_packed), CARRIAGE),
)  # fmt: skip
ACCRUE = Gate(
    "freight.accrue", "freight.accrue", "Freight accrual", _to_accrue,
    (Need("departure", _shipment_not_left), CARRIAGE),
)  # fmt: skip
MATCH = Gate(
    "freight.adjust", "freight.adjust", "Freight bill", _to_match, (Need("freight accrual", _not_accrued),)
)

CONFIRM = Gate(
    "goods_issue.confirm", "goodsIssue.reversalRequested.v1", "Reversal of its goods issues", _to_confirm,
    (Need("second person", _not_confirmed),),
)  # fmt: skip

OF_ORDER: Final[tuple[Gate, ...]] = (RELEASE, ISSUE, FULFIL, INVOICE, SUPPLIER_INVOICE, REVERSE)
OF_SHIPMENT: Final[tuple[Gate, ...]] = (DEPART, ACCRUE, MATCH, CONFIRM)
BY_NAME: Final = {gate.name: gate for gate in (*OF_ORDER, *OF_SHIPMENT)}


def closed(state: Any, policy: Policy) -> Iterator[Closed]:
    """Every gate before which a thread of ours waits; none for other kinds of threads. `policy` is the hub's."""
    match state:
        case Order() if state.phase not in CLOSED:
            table, policy = OF_ORDER, policy.of(state.company)
        case Shipment():
            table = OF_SHIPMENT
        case _:
            return
    for gate in table:
        for thing, about, since in gate.due(state, policy):
            missing = gate.lacks(state, about, policy)
            if missing:
                yield Closed(gate, thing, missing, since)
