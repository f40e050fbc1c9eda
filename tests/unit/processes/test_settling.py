"""What is settled without a person: small, bookable, and certain not to come after all."""

from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.drift import Cause
from crossdock.model.money import Money
from crossdock.model.stock import StockPlace
from crossdock.processes.drift import Difference
from crossdock.processes.policy import Policy
from crossdock.processes.settling import judge

POLICY = Policy(warehouse="wms-1", settle_quantity_max=Decimal(5), settle_value_max=Decimal(20))


def difference(good: object, cause: Cause = "counted", held: object = 0) -> Difference:
    return Difference(StockPlace("A", "SITE1"), "EA", cause, Decimal(str(good)), Decimal(str(held)))


@pytest.mark.parametrize(
    ("one", "cost", "system", "gaps", "state"),
    [
        (difference(-5), None, "wms-1", False, "settled"),
        (difference(-6), None, "wms-1", False, "open"),
        (difference(3, held=-6), None, "wms-1", False, "open"),
        (difference(4), Money(Decimal(5), "EUR"), "wms-1", False, "settled"),
        (difference(4), Money(Decimal(6), "EUR"), "wms-1", False, "open"),
        (difference(4), None, "sap-1", False, "open"),
        (difference(4, "not_told"), None, "wms-1", False, "open"),
        (difference(4, "unknown_item"), None, "wms-1", False, "open"),
        (difference(4), None, "wms-1", True, "open"),
        (difference(4, "lost_event"), None, "wms-1", True, "open"),
        (difference(4, "duplicate"), None, "wms-1", True, "settled"),
    ],
)
def test_each_bound_holds(one: Difference, cost: Money | None, system: str, gaps: bool, state: str) -> None:
    """Quantity, value where there is a cost, whose word counts, whether it can be booked, whether it may still come."""
    assert judge(one, system, cost, POLICY, gaps=gaps).state == state


@given(
    st.decimals(-1000, 1000, places=3),
    st.decimals(-1000, 1000, places=3),
    st.sampled_from(get_args(Cause)),
    st.booleans(),
)
def test_nothing_is_settled_unless_the_company_says_so(
    good: Decimal, held: Decimal, cause: Cause, gaps: bool
) -> None:
    """The default bound is nothing."""
    assert (
        judge(difference(good, cause, held), "wms-1", None, Policy(warehouse="wms-1"), gaps=gaps).state
        == "open"
    )


def test_the_reason_names_the_bound_and_the_value() -> None:
    """It stands in the entry's event."""
    found = judge(difference(-2), "wms-1", Money(Decimal("2.50"), "EUR"), POLICY, gaps=False)

    assert found.value == Money(Decimal("5.00"), "EUR")
    assert found.reason == "2 EA is within settle_quantity_max 5, 5 EUR within settle_value_max"
