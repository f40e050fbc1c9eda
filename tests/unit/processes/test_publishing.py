"""What channels are told they may sell, and in which order."""

from decimal import Decimal
from math import exp, factorial

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.processes import publishing
from crossdock.processes.publishing import FIRST, LAST, Front, number, priority, urgency

pieces = st.integers(0, 2000).map(Decimal)
seconds = st.floats(0, 2000)
fronts = st.builds(Front, st.just("shop"), pieces, st.floats(0, 3), seconds, seconds)
others = st.lists(fronts, max_size=3)
SHOP = Front("shop", Decimal(20), 0.01, 2.0, 5.0)
MARKET = Front("market", Decimal(20), 0.01, 600.0, 120.0)


def poisson(mean: float, k: int) -> float:
    return float(exp(-mean) * mean**k / factorial(k))


@given(fronts, others, st.decimals(-50, 5000, places=3))
def test_a_number_is_whole_and_never_more_than_there_is(
    front: Front, beside: list[Front], there: Decimal
) -> None:
    """Not below zero either, whatever the ledger says."""
    found = number(front, beside, there)

    assert found == int(found)
    assert 0 <= found <= max(Decimal(0), there)


@given(fronts, others, pieces, st.floats(1, 5))
def test_faster_sales_and_slower_channels_keep_more_back(
    front: Front, beside: list[Front], there: Decimal, times: float
) -> None:
    """The buffer follows pace and latency: it is no constant."""
    shown = number(front, beside, there)

    assert number(replace(front, pace=front.pace * times), beside, there) <= shown
    assert number(replace(front, visible_seconds=front.visible_seconds * times), beside, there) <= shown
    assert number(front, [replace(x, heard_seconds=x.heard_seconds * times) for x in beside], there) <= shown


@given(fronts, others, pieces)
def test_a_channel_that_shows_nothing_sells_nothing(
    front: Front, beside: list[Front], there: Decimal
) -> None:
    """What is kept back for the others ends when they are off: the last pieces are sold by the one that is left."""
    closed = [replace(x, shown=Decimal(0)) for x in beside]

    assert number(front, closed, there) == number(front, [], there) >= number(front, beside, there)


def test_the_slow_channel_goes_off_first() -> None:
    """Of the last pieces the fast channel shows some while the slow one shows none, and all once that is visible."""
    there = Decimal(8)

    assert number(MARKET, [SHOP], there) == 0
    assert number(SHOP, [MARKET], there) == 5
    assert number(SHOP, [replace(MARKET, shown=Decimal(0))], there) == there


@given(fronts, others, pieces)
def test_of_what_nobody_bought_lately_nothing_is_kept_back(
    front: Front, beside: list[Front], there: Decimal
) -> None:
    """However slow the channels are: else their last pieces would never be sold."""
    quiet = [replace(x, pace=publishing.pace(0.0)) for x in (front, *beside)]

    assert number(quiet[0], quiet[1:], there) == there


@given(st.floats(0.01, 55), st.integers(0, 150))
def test_sold_is_the_mean_of_what_can_be_had(mean: float, shown: int) -> None:
    """The least of what is asked for and what is shown, on average."""
    expected = sum(min(k, shown) * poisson(mean, k) for k in range(160))

    assert abs(publishing.sold(mean, shown) - expected) < 1e-5 + 1e-3 * mean


@given(st.floats(0.01, 2000), st.integers(0, 3000), st.integers(0, 3000))
def test_showing_more_sells_no_less(mean: float, one: int, another: int) -> None:
    """And never more than is asked for or shown."""
    less, more = sorted((one, another))

    assert publishing.sold(mean, less) <= publishing.sold(mean, more) + 1e-6 * mean
    assert -1e-9 <= publishing.sold(mean, more) <= min(mean, more) * (1 + 1e-9) + 0.02 * (mean > 60)


@given(st.floats(0, 60))
def test_what_is_kept_back_is_enough_ten_times_in_eleven(mean: float) -> None:
    """Oversold pieces cost ten times as much as pieces not sold; and one less would not be enough."""
    kept = publishing.kept_back(mean)
    enough = sum(poisson(mean, k) for k in range(kept + 1))

    assert enough >= 10 / 11 - 1e-9
    assert kept == 0 or enough - poisson(mean, kept) < 10 / 11 + 1e-9


@given(fronts, pieces)
def test_only_a_number_that_is_wrong_is_urgent(front: Front, wanted: Decimal) -> None:
    """Nothing is urgent about what is shown already; what shall be off comes before all others."""
    front = replace(front, pace=front.pace + 0.001)

    assert urgency(front, wanted) >= 0
    assert urgency(front, front.shown) == 0
    assert (priority(front, wanted) == FIRST) == (wanted == 0)
    assert FIRST <= priority(front, wanted) <= LAST


def test_too_much_is_worse_than_too_little() -> None:
    """The same distance is more urgent where buyers are shown what is not there; and more where more is sold."""
    shown = replace(MARKET, shown=Decimal(5))

    assert priority(shown, Decimal(2)) < priority(replace(shown, shown=Decimal(2)), Decimal(5))
    assert priority(shown, Decimal(2)) < priority(replace(shown, pace=0.001), Decimal(2))


@given(st.floats(0, 1000), st.floats(0, 4000), st.floats(0, 4000))
def test_sales_are_forgotten_alike_in_one_step_or_two(pieces: float, one: float, two: float) -> None:
    """However often the pace is looked at, it is the same; a clock that goes back changes nothing."""
    whole = publishing.slowed(pieces, one + two)

    assert abs(publishing.slowed(publishing.slowed(pieces, one), two) - whole) < 1e-6 + pieces * 1e-9
    assert publishing.slowed(pieces, -one) == pieces
