"""A settled count stands: what comes later and was before it changes the time in between, and nothing after."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.envelope import Recorded
from crossdock.model.quantity import Quantity
from crossdock.model.stock import StockAdjusted, StockHeld, StockPlace, StockReconciled
from crossdock.processes import stock
from crossdock.processes.intents import Move
from crossdock.processes.policy import Policy

READ = datetime(2026, 11, 26, tzinfo=UTC)
SETTLED = READ + timedelta(hours=1)
WATERMARK = 100
PLACE = StockPlace("A", "SITE1")
amounts = st.decimals(-50, 50, places=2).filter(bool)


def event(data: object, type_: str, at: datetime, *, source: str, sequence: int | None = None) -> Recorded:
    return Recorded(
        thread="stock/SITE1/A", type=type_, data=data, id="e1", source=source, occurred_at=at, recorded_at=SETTLED, sequence=sequence,
    )  # fmt: skip


def counted(lot: str = "") -> stock.State:
    """After a settled difference of this lot."""
    place = StockPlace("A", "SITE1", lot)
    data = StockReconciled(
        place, Quantity(Decimal(1)), Quantity(Decimal(0)), "wms-1", 1, "counted", "x", "", WATERMARK, READ
    )
    said = event(data, "stock.reconciled.v1", SETTLED, source="crossdock")
    return stock.step(stock.initial(""), said, Policy()).state


def told(state: stock.State, change: Decimal, at: datetime, source: str, sequence: int | None) -> list[Move]:
    data = StockAdjusted(PLACE, Quantity(change), "CC")
    step = stock.step(state, event(data, "stock.adjusted.v1", at, source=source, sequence=sequence), Policy())
    return [x for x in step.intents if isinstance(x, Move)]


def total(moves: list[Move], until: datetime | None = None) -> Decimal:
    """By how much `available` changes; `until`: of what had happened before the settling only."""
    kept = [x for x in moves if until is None or x.at is None or x.at <= until]
    return sum((x.quantity if x.target == "available" else -x.quantity for x in kept), Decimal(0))


@given(amounts, st.integers(-200, 200), st.sampled_from(("numbered", "dated", "another's")))
def test_what_was_before_the_count_is_in_it(change: Decimal, distance: int, how: str) -> None:
    """By the system's own number, whatever its date says; else by the date alone."""
    at = READ + timedelta(seconds=distance)
    source = "wms-9" if how == "another's" else "wms-1"
    number = WATERMARK + distance if how != "dated" else None
    before = distance <= 0 if how == "numbered" else distance < 0

    moves = told(counted(), change, at if how != "numbered" else READ, source, number)

    assert total(moves) == (0 if before else change)
    assert total(moves, until=READ) == change
    assert all(x.at in (None, SETTLED) for x in moves)
    if before:
        assert moves[0].source == "outside", "what comes in comes first, or there may be nothing to take"


def test_a_count_of_one_lot_says_nothing_of_another() -> None:
    """Nor does a state without a count."""
    for state in (counted("L1"), stock.initial("")):
        assert total(told(state, Decimal(5), READ - timedelta(days=1), "wms-1", 1)) == 5


def test_a_hold_from_before_the_count_is_stale() -> None:
    """The count said what is held."""
    data = StockHeld(PLACE, Quantity(Decimal(2)), "inspection")
    step = stock.step(
        counted(), event(data, "stock.held.v1", READ, source="wms-1", sequence=WATERMARK), Policy()
    )

    assert (step.intents, step.verdict) == ((), "stale")
