"""What a marketplace ships from its own warehouse is known by item and order, and its lot never."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from crossdock.model.envelope import Recorded
from crossdock.model.movement import MovedLine
from crossdock.model.order import ShippedElsewhere
from crossdock.model.quantity import Quantity
from crossdock.processes import elsewhere
from crossdock.processes.intents import Step
from crossdock.processes.policy import Policy

THREAD = "elsewhere/amazon-1/306-1-1"
FIRST = datetime(2026, 3, 5, tzinfo=UTC)


def told(state: elsewhere.State, hours: int, *quantities: int) -> Step:
    lines = tuple(MovedLine(str(n), f"ITEM-{n}", Quantity(Decimal(q))) for n, q in enumerate(quantities))
    at = FIRST + timedelta(hours=hours)
    event = Recorded(
        thread=THREAD, type="order.shippedElsewhere.v1", data=ShippedElsewhere(lines), id="x", source="amazon-1", occurred_at=at,
        recorded_at=at,
    )  # fmt: skip
    return elsewhere.step(state, event, Policy())


def test_the_newest_word_counts() -> None:
    """It says all that left so far; a repetition and an older word that comes late change nothing."""
    first = told(elsewhere.initial(THREAD), 1, 1)
    more = told(first.state, 2, 1, 4)  # type: ignore[arg-type]
    again, late = told(more.state, 3, 1, 4), told(more.state, 1, 1)  # type: ignore[arg-type]

    assert [x.verdict for x in (first, more, again, late)] == ["applied", "applied", "duplicate", "stale"]
    assert again.state == late.state == more.state
    summary = elsewhere.summary(more.state, Policy())  # type: ignore[arg-type]
    assert (summary.phase, summary.done) == ("shipped", True)
    assert summary.lots == (("ITEM-0", ""), ("ITEM-1", ""))
