"""Opening balances: whether the ledger can begin at a place with what another system kept there. Pure.

An opening is what there was at an instant, said once: moves before it are in its number, moves after it come on top.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from crossdock.errors import Rejected
from crossdock.model.master import ItemDefined
from crossdock.model.quantity import Quantity
from crossdock.model.stock import StockPlace
from crossdock.processes.demand import in_unit
from crossdock.processes.policy import Policy
from crossdock.processes.routing import suppliers

Verdict = Literal["new", "as_before", "different", "wrong"]
DIGITS_MAX: Final = 12


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the file. `as_of` overrides that of the whole file."""

    item: str
    location: str
    quantity: Decimal
    unit: str
    lot: str = ""
    owner: str = ""
    expires_on: date | None = None
    as_of: datetime | None = None

    @property
    def place(self) -> StockPlace:
        return StockPlace(self.item, self.location, self.lot, self.owner)


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """What becomes of a row; of one that is not taken, which field stands in the way, why, and what to do."""

    verdict: Verdict
    field: str = ""
    detail: str = ""
    remedy: str = ""


class Facts(msgspec.Struct, frozen=True):
    """`opened`: what each place was opened with. `kept`: since when the ledger kept a place, where that was before the row's instant."""

    items: Mapping[str, ItemDefined]
    opened: Mapping[StockPlace, str]
    kept: Mapping[StockPlace, datetime]


def mark(quantity: Quantity, as_of: datetime) -> str:
    """One text for one opening, however its number is written."""
    return f"{quantity.value.normalize():f} {quantity.unit} at {as_of.isoformat()}"


def judge(row: Row, as_of: datetime, facts: Facts, policy: Policy) -> Said:
    """`as_of` is the row's own instant, in UTC."""
    wrong = _wrong(row, facts, policy)
    if wrong is not None:
        return wrong
    before = facts.opened.get(row.place)
    if before is not None:
        return _again(row, as_of, before)
    since = facts.kept.get(row.place)
    if since is not None:
        return Said(
            "wrong", "as_of", f"the ledger has kept this place since {since.isoformat()}, before that instant",
            "compare it with the old system instead: crossdock reconcile run",
        )  # fmt: skip
    return Said("new")


def _again(row: Row, as_of: datetime, before: str) -> Said:
    if before == mark(Quantity(row.quantity, row.unit), as_of):
        return Said("as_before")
    return Said(
        "different", "quantity", f"this place was opened before, with {before}",
        "correct it by a count (stock.adjusted.v1) or a comparison: an opening is said once",
    )  # fmt: skip


def _wrong(row: Row, facts: Facts, policy: Policy) -> Said | None:
    for name in ("item", "location", "unit"):
        if not getattr(row, name):
            return Said("wrong", name, "is empty", "every row names item, location, quantity and unit")
    known = {*policy.routing.nodes, policy.location} - suppliers(policy.routing)
    if row.location not in known:
        return Said(
            "wrong", "location", f"{row.location} is no node of the landscape ({', '.join(sorted(known))})",
            "name it in routing.yaml, nodes, and apply that, or correct the row",
        )  # fmt: skip
    if not row.quantity.is_finite() or row.quantity < 0 or row.quantity.adjusted() >= DIGITS_MAX:
        return Said(
            "wrong", "quantity", f"{row.quantity} is no quantity that can lie there",
            "0 or more, with a point before the decimals; what is owed is no opening balance",
        )  # fmt: skip
    return _wrong_item(row, facts.items.get(row.item), policy)


def _wrong_item(row: Row, item: ItemDefined | None, policy: Policy) -> Said | None:
    if item is None:
        if "item" not in policy.master_authority:
            return None
        return Said(
            "wrong", "item", f"nobody has defined {row.item}",
            "bring items in first (crossdock master import item), or correct the code",
        )  # fmt: skip
    try:
        in_unit(item, Quantity(row.quantity, row.unit), item.base_unit, "/unit")
    except Rejected as error:
        return Said("wrong", "unit", error.reason, "correct the unit, or the units of the item")
    return None
