"""What becomes of a difference by itself, and what a person decides: the company's bounds. Pure."""

from decimal import Decimal
from typing import Final, Literal

import msgspec

from crossdock.model.drift import Cause
from crossdock.model.money import Money
from crossdock.processes.drift import Difference
from crossdock.processes.policy import Policy

FOLLOWED: Final[frozenset[Cause]] = frozenset({
    "lost_event", "duplicate", "wrong_unit", "wrong_item", "wrong_place", "hold", "rounding", "counted",
})  # fmt: skip
"""Where the ledger can follow the system whose word counts. With the others the number is not what is wrong."""


_MAY_STILL_COME: Final[frozenset[Cause]] = frozenset({"lost_event", "counted"})
"""Not settled by itself while events are missing: one that comes late would be booked a second time."""


class Verdict(msgspec.Struct, frozen=True):
    """`books`: settling it makes entries; otherwise it is only noted. `value`: of the larger side, without sign."""

    state: Literal["open", "settled"]
    books: bool
    reason: str
    value: Money | None = None


def books(cause: Cause, good: Decimal, held: Decimal, system: str, location: str, policy: Policy) -> bool:
    """Whether settling it moves the ledger: only towards the system that speaks for the place."""
    return cause in FOLLOWED and bool(good or held) and policy.warehouse_of(location) == system


def judge(one: Difference, system: str, cost: Money | None, policy: Policy, *, gaps: bool) -> Verdict:
    """Below the bounds of `policy` it is settled at once; above, where nothing can be booked, or where a recall is not
    followed, it stays open.

    `gaps`: events of the system are missing and may still come.
    """
    size = max(abs(one.good), abs(one.held))
    value = Money(size * cost.amount, cost.currency) if cost is not None else None
    booked = books(one.cause, one.good, one.held, system, one.place.location, policy)
    if not booked or one.recalled:
        return Verdict("open", booked, "", value)
    if size > policy.settle_quantity_max or (gaps and one.cause in _MAY_STILL_COME):
        return Verdict("open", True, "", value)
    if value is not None and policy.settle_value_max is not None and value.amount > policy.settle_value_max:
        return Verdict("open", True, "", value)
    bound = f"{size.normalize():f} {one.unit} is within settle_quantity_max {policy.settle_quantity_max.normalize():f}"
    worth = (
        f", {value.amount.normalize():f} {value.currency} within settle_value_max"
        if value and policy.settle_value_max is not None
        else ""
    )
    return Verdict("settled", True, bound + worth, value)
