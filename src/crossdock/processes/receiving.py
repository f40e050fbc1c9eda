"""What goods that come in do to the ledger, whoever sent them: which bucket, from where, and what stands on the dock."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec

from crossdock.model.movement import ReceivedLine
from crossdock.model.stock import Bucket, Condition, CostLayer, StockPlace
from crossdock.processes.intents import CloseCase, Intent, Move, OpenCase
from crossdock.processes.policy import Policy

ZERO: Final = Decimal(0)
OUTSIDE: Final[Bucket] = "outside"
EXPECTED: Final[Bucket] = "expected"
IN_TRANSIT: Final[Bucket] = "in_transit_in"
ACCEPT: Final = "accept/"
"""How the key of a case begins that a person settles by accepting what it names."""
_BUCKETS: Final[dict[Condition, Bucket]] = {
    "good": "available",
    "quarantine": "quarantine",
    "damaged": "damaged",
}
Stand = tuple[StockPlace, Bucket]
"""Where a quantity stands in the ledger."""
replace = msgspec.structs.replace


class Receipt(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One receipt of the warehouse and what the ERP made of it. `lines` are kept until the ERP is `asked` to book them."""

    receipt: str
    at: datetime
    lines: tuple[ReceivedLine, ...] = ()
    asked: bool = False
    document: str = ""


class Docked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Goods of a receipt that stand on the dock. Below zero: they were put away before we heard that they came."""

    receipt: str
    line: str
    lot: str
    quantity: Decimal


def is_elsewhere(source: str, location: str, policy: Policy) -> bool:
    """Whether it is the warehouse of another site that says so; people and ERPs may speak of any."""
    warehouses = {policy.warehouse, *(node.warehouse for node in policy.routing.nodes.values())}
    return source in warehouses and not policy.speaks_for(source, location)


def bucket_of(line: ReceivedLine) -> Bucket:
    """What stands on the dock is on hand and cannot be sold."""
    return "quarantine" if line.on_dock and line.condition == "good" else _BUCKETS[line.condition]


def moved(
    source: Stand, target: Stand, quantity: Decimal, unit: str, *, expires_on: date | None = None, claimed: tuple[str, str] = ("", ""),
) -> list[Intent]:  # fmt: skip
    """One entry, or two by way of `outside` where the goods change place, lot, owner or possessor. `claimed`: (claim, line)."""
    if quantity <= ZERO:
        return []
    (here, out), (there, into) = source, target
    if OUTSIDE in (out, into) or here == there:
        place = there if out == OUTSIDE else here
        return [Move(place, out, into, quantity, unit, *claimed, expires_on=expires_on)]
    return [
        Move(here, out, OUTSIDE, quantity, unit, *claimed),
        Move(there, OUTSIDE, into, quantity, unit, expires_on=expires_on),
    ]


def with_cost(intents: list[Intent], cost: CostLayer | None) -> list[Intent]:
    """The entries name the layer of cost that a source gives the goods."""
    if cost is None:
        return intents
    return [replace(x, cost=cost) if isinstance(x, Move) else x for x in intents]


def dock(
    docked: tuple[Docked, ...], receipt: str, line: ReceivedLine, *, arrives: bool
) -> tuple[tuple[Docked, ...], Decimal]:
    """The dock after a line came to it, or was put away from it; and how much of the line that other step met."""
    named = (receipt, line.line, line.lot)
    before = sum((x.quantity for x in docked if (x.receipt, x.line, x.lot) == named), ZERO)
    change = line.quantity.value if arrives else -line.quantity.value
    met = min(abs(change), max(ZERO, -before if arrives else before))
    others = tuple(x for x in docked if (x.receipt, x.line, x.lot) != named)
    after = before + change
    return (*others, Docked(*named, after)) if after else others, met


def arrive(
    docked: tuple[Docked, ...], receipt: str, line: ReceivedLine
) -> tuple[tuple[Docked, ...], list[ReceivedLine]]:
    """A received line as it stands now: what of it was put away already stands on the dock no more."""
    if not line.on_dock or line.condition != "good":
        return docked, [line]
    docked, stored = dock(docked, receipt, line, arrives=True)
    unit, rest = line.quantity.unit, line.quantity.value - stored
    parts = (
        replace(line, quantity=replace(line.quantity, value=stored, unit=unit), on_dock=False),
        replace(line, quantity=replace(line.quantity, value=rest, unit=unit)),
    )
    return docked, [part for part in parts if part.quantity.value > ZERO]


def with_document(receipts: Iterable[Receipt], receipt: str, document: str) -> tuple[Receipt, ...]:
    return tuple(replace(x, document=document) if x.receipt == receipt else x for x in receipts)


def accept_case(what: str, reference: str, title: str, detail: str) -> OpenCase:
    """A case that retrying settles: the retry says that a person accepts it."""
    owner = "warehouse" if what == "damaged" else "purchasing"
    return OpenCase(f"{what}/{reference}", "value", what, title, detail, owner, ACCEPT + what)


def anew(case: OpenCase) -> list[Intent]:
    """Its title says how much it is: where that changed, a new case takes the place of the one there may be."""
    return [CloseCase(case.key, "it is otherwise now"), case]


def accepted(what: str, by: str) -> CloseCase:
    return CloseCase(ACCEPT + what, f"{by or 'somebody'} accepted it")
