"""Intervals of missing numbers, against a set that holds each number."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crossdock.processes.numbering import ANEW_RUN, JUMP_MAX, Run, Series, begin, heard, named, overdue, sent

AT = datetime(2026, 1, 13, 7, 30, tzinfo=UTC)
PATIENCE = timedelta(seconds=60)


def after(*numbers: int, start: Series | None = None) -> Series:
    series = begin(numbers[0]) if start is None else start
    return heard(series, [(n, AT) for n in (numbers[1:] if start is None else numbers)])


def gaps(series: Series) -> list[tuple[int, int]]:
    return [(run.first, run.last) for run in series.missing]


@given(st.lists(st.integers(1, 60), unique=True), st.booleans())
def test_runs_are_what_a_set_says(numbers: list[int], asked: bool) -> None:
    """Each number once, in any order: what lies between the first and the highest and did not come, as few runs as can be."""
    series = after(0, *numbers)
    top = max([0, *numbers])
    if asked:
        series, top = sent(series, top + 7, AT), top + 7
    missing = set(range(1, top + 1)) - set(numbers)

    held = [n for run in series.missing for n in range(run.first, run.last + 1)]
    assert sorted(held) == sorted(missing)
    assert len(held) == len(set(held))
    assert series.count == len(missing)
    assert series.top == top
    assert all(run.first <= run.last for run in series.missing)


@given(st.permutations(range(1, 15)))
def test_whatever_the_order_all_of_it_is_complete(numbers: list[int]) -> None:
    """Late is not lost, and no order of arrival is taken for a new beginning."""
    series = after(0, *numbers)

    assert (series.missing, series.anew, series.top) == ((), None, 14)


def test_what_is_missing_is_one_run_until_part_of_it_comes() -> None:
    """Then two; the last of them closes it."""
    series = after(40, 46)
    assert gaps(series) == [(41, 45)]
    assert gaps(after(43, start=series)) == [(41, 42), (44, 45)]
    assert gaps(after(43, 41, 45, 42, 44, start=series)) == []


def test_only_what_outlasts_the_patience_is_named() -> None:
    """Part of it that comes later stays named; a new gap waits for its own time."""
    series = overdue(after(1, 5), AT + PATIENCE, PATIENCE)
    assert named(series) == (Run(2, 4, AT, True),)
    assert named(overdue(after(1, 5), AT + PATIENCE / 2, PATIENCE)) == ()

    later = heard(series, [(3, AT + PATIENCE), (9, AT + PATIENCE)])
    assert [run.first for run in named(overdue(later, AT + PATIENCE, PATIENCE))] == [2, 4]


def test_a_sender_that_begins_anew_is_no_gap() -> None:
    """At one, after five thousand and a hole: said so, with how many were missing then; the next hole counts by the new numbers."""
    series = after(5000, 5003)
    anew = after(*range(1, ANEW_RUN + 1), start=series)

    assert (anew.anew and (anew.anew.from_number, anew.anew.to_number, anew.anew.missing)) == (5003, 1, 2)
    assert (anew.top, anew.missing) == (ANEW_RUN, ())
    assert gaps(after(ANEW_RUN + 3, start=anew)) == [(ANEW_RUN + 1, ANEW_RUN + 2)]


def test_an_old_message_that_comes_again_is_no_new_beginning() -> None:
    """One or two of them, or some between new ones, change nothing."""
    series = after(100, 101, 102)

    assert after(7, 8, start=series).anew is None
    assert after(7, 103, 8, 104, 9, 105, start=series).anew is None
    assert gaps(after(7, 103, 8, 104, 9, 105, start=series)) == []


def test_a_leap_ahead_is_a_new_beginning_too() -> None:
    """Millions are not missing."""
    series = after(5, 5 + JUMP_MAX + 1)

    assert series.missing == ()
    assert series.anew is not None
    assert (series.top, series.anew.from_number) == (6 + JUMP_MAX, 5)


def test_what_the_sender_says_it_sent_is_missing() -> None:
    """The last of all, which no later number could tell of; what it had said before changes nothing."""
    series = sent(after(8, 9), 11, AT)
    assert gaps(series) == [(10, 11)]
    assert sent(series, 9, AT) == series
    assert gaps(after(11, 10, start=series)) == []
