"""A settling moves the ledger by exactly what it says, between shelf, quarantine and the world outside."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.envelope import Recorded
from crossdock.model.quantity import Quantity
from crossdock.model.stock import StockPlace, StockReconciled
from crossdock.processes import stock
from crossdock.processes.intents import Move
from crossdock.processes.policy import Policy

NOW = datetime(2026, 11, 26, tzinfo=UTC)
amounts = st.decimals(-50, 50, places=2)


def moves(good: Decimal, held: Decimal, source: str = "crossdock") -> list[Move]:
    data = StockReconciled(
        StockPlace("A", "SITE1"), Quantity(good), Quantity(held), "wms-1", 1, "counted", "small"
    )
    event = Recorded(
        thread="stock/SITE1/A", type="stock.reconciled.v1", data=data, id="reconciled/1", source=source, occurred_at=NOW, recorded_at=NOW,
        sequence=None, about="", effect="", sealed=None, subject=None,
    )  # fmt: skip
    step = stock.step(stock.State(), event, Policy())
    return [intent for intent in step.intents if isinstance(intent, Move)]


@given(amounts, amounts)
def test_the_buckets_change_by_what_was_settled(good: Decimal, held: Decimal) -> None:
    """And no quantity is moved that need not be."""
    change = {"available": Decimal(0), "quarantine": Decimal(0), "outside": Decimal(0)}
    for move in moves(good, held):
        assert move.quantity > 0
        change[move.source] -= move.quantity
        change[move.target] += move.quantity

    assert (change["available"], change["quarantine"]) == (good, held)
    assert abs(change["outside"]) == abs(good + held)


def test_nobody_else_can_say_so() -> None:
    """A settling from outside moves nothing."""
    assert moves(Decimal(5), Decimal(0), source="wms-1") == []
