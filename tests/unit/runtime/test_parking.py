"""A poisoned event parks its thread and opens a case; the thread that was resumed and went on closes it."""

from datetime import UTC, datetime
from typing import Any

from crossdock.model.operations import ThreadResumed
from crossdock.model.order import CreditReleased
from crossdock.model.registry import encode
from crossdock.model.thread import hash16
from crossdock.processes.intents import CloseCase, OpenCase
from crossdock.processes.policy import Policy
from crossdock.runtime.batch import RESUMED, Batch, load_thread

KEY = "order/shop/1"
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def row(type_: str, data: bytes, number: int) -> dict[str, Any]:
    return {
        "thread": hash16(KEY), "thread_key": KEY, "type": type_, "data": data, "event_id": f"e-{number}", "source": "shop",
        "occurred_at": NOW, "recorded_at": NOW, "sequence": None, "about": None, "effect": None, "sealed": None,
        "subject": None, "segment": 1, "generation": 1, "xid": 10, "id": number,
    }  # fmt: skip


def batch(parked: str | None) -> Batch:
    thread = load_thread(hash16(KEY), KEY, None)
    thread.parked = parked
    return Batch({thread.hash: thread}, Policy(), segment=1, generation=1, now=NOW)


POISON = row("order.received.v1", b"{}", 1)
GOOD = row("order.creditReleased.v1", encode(CreditReleased("mia")), 2)
RESUME = row(RESUMED, encode(ThreadResumed("mia", "fixed")), 3)


def test_a_poisoned_event_parks_its_thread_and_opens_a_case() -> None:
    """The bad event and the later one of the thread are both kept for later, and one case is opened."""
    taken = batch(None)
    taken.take(POISON)
    taken.take(GOOD)
    taken.finish()

    assert [place for *_, place in taken.out.parked] == [1, 2]
    assert [type(change) for _, _, change in taken.out.cases] == [OpenCase]


def test_a_resumed_thread_that_goes_on_closes_its_case() -> None:
    """Once the kept events are processed nobody has to look at the thread any more."""
    taken = batch("cannot be read")
    taken.take(RESUME, parked=[GOOD])
    taken.finish()

    [(_, _, change)] = taken.out.cases
    assert isinstance(change, CloseCase)
    assert change.key == "parked"


def test_a_resumed_thread_that_fails_again_keeps_its_case() -> None:
    """A resume without a fix parks the thread anew: the case stays open."""
    taken = batch("cannot be read")
    taken.take(RESUME, parked=[POISON, GOOD])
    taken.finish()

    assert [type(change) for _, _, change in taken.out.cases] == [OpenCase]
    assert [place for *_, place in taken.out.parked] == [1, 2]
