"""Budget and breaker: never more than a partner allows, and never a storm at a dead target."""

from hypothesis import given
from hypothesis import strategies as st

from crossdock.runtime.budget import BREAKER_FAILURES, PROBE_SECONDS_MAX, Breaker, Budget

PAUSES = st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=60)


@given(PAUSES, st.integers(1, 50), st.integers(1, 20), st.integers(1, 30))
def test_no_window_exceeds_rate_and_burst(
    pauses: list[float], rate: int, burst: int, concurrency: int
) -> None:
    """In any stretch of time at most burst + rate × seconds calls start, and never more at once than allowed."""
    budget = Budget(concurrency, float(rate), float(burst))
    now, starts = 100.0, []
    for pause in pauses:
        now += pause
        calls = budget.allowed(now)
        budget.spend(calls)
        assert budget.in_flight <= concurrency
        starts += [now] * calls
        for _ in range(calls):
            budget.ended()

    for first, begin in enumerate(starts):
        for last in range(first, len(starts)):
            assert last - first + 1 <= burst + rate * (starts[last] - begin) + 1e-6


STEPS = st.lists(st.tuples(st.floats(0, 2, allow_nan=False), st.integers(0, 4)), min_size=1, max_size=60)


@given(STEPS, st.integers(1, 50), st.integers(1, 20), st.integers(1, 30))
def test_no_window_exceeds_rate_and_burst_where_a_call_takes_several_requests(
    steps: list[tuple[float, int]], rate: int, burst: int, concurrency: int
) -> None:
    """What a partner counts is requests: those beyond the first of a call wait for their own turn, in any mixture."""
    budget = Budget(concurrency, float(rate), float(burst))
    now, requests = 100.0, []
    for pause, more in steps:
        now += pause
        calls = budget.allowed(now)
        budget.spend(calls)
        requests += [now + budget.turn(now, 1e9) for _ in range(calls * (1 + more))]
        for _ in range(calls):
            budget.ended()
        assert budget.paid == 0

    requests.sort()
    for first, begin in enumerate(requests):
        for last in range(first, len(requests)):
            assert last - first + 1 <= burst + rate * (requests[last] - begin) + 1e-6


def test_a_turn_that_comes_too_late_is_not_promised() -> None:
    """Whoever cannot wait so long takes nothing from the others."""
    budget = Budget(1, rate=1.0, burst=1.0)
    budget.spend(budget.allowed(100.0))
    assert budget.turn(100.0, 0.0) == 0.0

    assert budget.turn(100.0, 0.5) == 1.0
    assert budget.turn(100.0, 1.0) == 1.0
    assert budget.turn(100.0, 2.0) == 2.0


@given(st.integers(1, 20), st.integers(0, 30))
def test_concurrency_alone_limits_where_there_is_no_rate(concurrency: int, wanted: int) -> None:
    """Some partners count calls at once only."""
    budget = Budget(concurrency)
    taken = min(wanted, budget.allowed(0.0))
    budget.spend(taken)

    assert budget.allowed(0.0) == concurrency - taken


def test_a_partner_that_asks_for_patience_gets_it() -> None:
    """Nobody of the account calls before; a shorter wish does not shorten a longer one."""
    budget = Budget(4)
    budget.pause(20.0)
    budget.pause(10.0)

    assert budget.allowed(19.9) == 0
    assert budget.wait_seconds(15.0) == 5.0
    assert budget.allowed(20.0) == 4


def test_the_wait_is_as_long_as_the_next_token_takes() -> None:
    """Delivery sleeps no longer than it must."""
    budget = Budget(4, rate=2.0, burst=1.0)
    budget.spend(budget.allowed(100.0))

    assert budget.wait_seconds(100.0) == 0.5
    assert budget.allowed(100.0 + budget.wait_seconds(100.0)) == 1


OUTCOMES = st.lists(st.tuples(st.booleans(), st.floats(0, 20, allow_nan=False)), max_size=80)


@given(OUTCOMES)
def test_an_open_breaker_lets_one_probe_through_at_a_time(outcomes: list[tuple[bool, float]]) -> None:
    """Closed: all may go. Open: nobody before the probe's time, then exactly one until its outcome is known."""
    breaker, now, failures = Breaker(), 0.0, 0
    for good, pause in outcomes:
        now += pause
        was_open = breaker.open
        assert was_open == (failures >= BREAKER_FAILURES)
        allowed = breaker.allowed(7, now)
        assert allowed in ((0, 1) if was_open else (7,))
        if not allowed:
            assert now < breaker.probe_at
            continue
        assert not was_open or breaker.allowed(7, now) == 0
        if good:
            assert breaker.succeeded() == was_open
            failures = 0
        else:
            failures += 1
            assert breaker.failed(now) == (failures == BREAKER_FAILURES)
            assert breaker.probe_at - now <= PROBE_SECONDS_MAX


def test_probes_become_rarer_up_to_a_bound() -> None:
    """A target that is down for hours costs four calls a minute."""
    breaker = Breaker()
    waits = []
    for _ in range(BREAKER_FAILURES + 8):
        breaker.failed(0.0)
        if breaker.open:
            waits.append(breaker.probe_at)

    assert waits == sorted(waits)
    assert waits[0] == 0.5
    assert waits[-1] == PROBE_SECONDS_MAX


def test_a_call_that_was_not_made_costs_nothing() -> None:
    """Neither a place at once nor a token of the rate; the burst is not exceeded."""
    budget = Budget(concurrency=2, rate=0.1, burst=2.0, tokens=2.0)
    budget.spend(2)
    assert budget.allowed(0.0) == 0

    for _ in range(2):
        budget.not_made()

    assert (budget.allowed(0.0), budget.in_flight, budget.tokens) == (2, 0, 2.0)
    budget.in_flight = 1
    budget.not_made()
    assert budget.tokens == 2.0
