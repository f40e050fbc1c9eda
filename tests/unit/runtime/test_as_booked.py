"""A stock adjustment is posted with the quantity that the ledger booked of it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.envelope import Recorded
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.model.stock import Bucket, StockAdjusted, StockPlace, StockReconciled
from crossdock.model.thread import hash16
from crossdock.processes import stock as process
from crossdock.processes.intents import Do, Move
from crossdock.processes.policy import Policy
from crossdock.runtime.as_booked import apart, as_booked
from crossdock.runtime.batch import Thread, Wanted
from crossdock.store import stock
from crossdock.store.stock import Balance, Wish

AT = datetime(2026, 11, 26, tzinfo=UTC)
THREAD = "stock/SITE1/A"
PLACE = StockPlace("A", "SITE1")
KEY = ("A", "SITE1", "", "", "")


def told(data: Any, source: str = "wms-1") -> tuple[list[Wanted], list[Wish]]:
    """(what is posted, what is moved) by this event."""
    event = Recorded(
        thread=THREAD,
        type=TYPE_OF[type(data)],
        data=data,
        id="W-1",
        source=source,
        occurred_at=AT,
        recorded_at=AT,
    )
    step = process.step(process.State(), event, Policy())
    thread: Any = Thread(hash16(THREAD), THREAD, "stock", None)
    wanted = [Wanted(x, thread, event.id) for x in step.intents if isinstance(x, Do)]
    return wanted, [Wish(x, thread.hash, THREAD, event.id, AT) for x in step.intents if isinstance(x, Move)]


def booked(data: Any, source: str = "wms-1", **there: int) -> tuple[dict[str, Decimal], list[Wanted]]:
    """(buckets afterwards, what is posted) on a shelf with so much in its buckets."""
    wanted, wishes = told(data, source)
    buckets: dict[Bucket, Decimal] = dict.fromkeys(stock.BUCKETS, Decimal(0))
    buckets |= {name: Decimal(n) for name, n in there.items()}  # type: ignore[misc]
    settled = stock.settle(wishes, {KEY: Balance(1, KEY, "EA", buckets, False, 0, None, None)}, 1)
    after: Any = settled.balances[KEY].buckets
    return after, as_booked(wanted, wishes, settled.short)


@given(st.integers(0, 20), st.integers(1, 20))
def test_what_is_not_there_is_not_posted(there: int, gone: int) -> None:
    """The ledger takes what it has, and the ERP is told just that; of nothing it is told nothing."""
    after, posted = booked(
        StockAdjusted(PLACE, Quantity(Decimal(-gone)), "CC"), available=there, firm_claim=5
    )
    total = sum((x.do.payload.quantity.value for x in posted), Decimal(0))  # type: ignore[attr-defined]

    assert total == there - after["available"] == min(there, gone)
    assert len(posted) == (1 if there else 0)


def test_only_the_short_way_is_cut() -> None:
    """A settled difference that takes from two stocks, of which one lacks something."""
    data = StockReconciled(PLACE, Quantity(Decimal(-3)), Quantity(Decimal(-4)), "wms-1", 1, "counted", "x")
    after, posted = booked(data, "crossdock", available=10, quarantine=1)
    said = {x.do.payload.condition: x.do.payload.quantity.value for x in posted}  # type: ignore[attr-defined]

    assert (after["available"], after["quarantine"]) == (7, 0)
    assert said == {"good": 3, "quarantine": 1}


def test_other_effects_do_not_wait_for_the_ledger() -> None:
    """Only adjustments are held back until its round is settled."""
    wanted, _ = told(StockAdjusted(PLACE, Quantity(Decimal(-1)), "CC"))
    other = Wanted(Do("goods_issue.post", "erp", "S-1", StockPlace("A", "SITE1"), "1"), wanted[0].thread, "e")

    assert apart([other, *wanted]) == ([other], wanted)
