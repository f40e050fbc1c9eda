"""How lists of changed objects are scheduled, and how questions share an account's budget with effects."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.connect.contract import Inbound
from crossdock.connect.manifest import ChangedList, Limits
from crossdock.landscape import System
from crossdock.runtime.allowance import Allowance
from crossdock.runtime.backfill import Schedule, schedule
from crossdock.runtime.reception import ORIGIN, kept_headers

TRAITS = ChangedList(channel="webhooks", every_seconds=300.0, grace_seconds=60.0, overlap_seconds=120.0)


@pytest.mark.parametrize(
    ("wished", "planned"),
    [(None, Schedule(300.0, 60.0, 120.0)), (2.0, Schedule(2.0, 2.0, 120.0)), (3600.0, Schedule(3600.0, 60.0, 120.0)), (0.0, None)],
)  # fmt: skip
def test_the_landscape_decides_how_often(wished: float | None, planned: Schedule | None) -> None:
    """Whoever asks every two seconds wants what is found after two; 0 is never."""
    assert schedule(TRAITS, wished) == planned


def allowance(rate: float, concurrency: int) -> Allowance:
    health: Any = None  # nothing fails here, so nobody is told
    return Allowance(System("shop", "x"), Limits(concurrency, rate, max(1, int(rate))), health)


@given(st.integers(1, 20), st.integers(1, 8), st.lists(st.floats(0.1, 1.0), min_size=40, max_size=60))
def test_a_question_that_waited_gets_its_call(rate: int, concurrency: int, pauses: list[float]) -> None:
    """However many effects are ready all the time, the next free call is the question's, and only that one."""
    account, now, asked = allowance(float(rate), concurrency), 100.0, 0
    for turn, pause in enumerate(pauses):
        now += pause
        account.owed = int(turn >= 5 and not asked)
        effects = account.for_effects(now)
        account.budget.spend(effects)
        if account.owed and account.for_question(now):
            asked += 1
        assert account.budget.in_flight <= concurrency
        for _ in range(account.budget.in_flight):
            account.budget.ended()

    assert asked == 1


@given(st.integers(1, 8), st.integers(0, 8))
def test_a_question_never_exceeds_the_budget(concurrency: int, wanted: int) -> None:
    """It is one call like any other: at once with effects, never more than the account allows."""
    account = allowance(0.0, concurrency)
    taken = min(wanted, account.for_effects(100.0))
    account.budget.spend(taken)

    assert account.for_question(100.0) is (taken < concurrency)
    assert account.budget.in_flight == taken + (taken < concurrency)


def test_no_sender_can_say_that_we_asked() -> None:
    """The mark of a message that was found by asking is ours alone."""
    given_ = {"content-type": "application/json", ORIGIN: "backfill", "x-api-key": "k"}
    message = Inbound(channel="webhooks", headers=given_, body=b"{}", received_at=datetime.now(UTC))

    assert kept_headers(message) == {"content-type": "application/json"}
