"""Running numbers of one sender: which came, which are missing, and when a sender began to count anew. Intervals, not numbers."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

JUMP_MAX: Final = 10_000
"""A number that lies further ahead than this is no gap: the sender counts otherwise than before."""
ANEW_RUN: Final = 3
ANEW_FIRST_MAX: Final = 10
"""So many numbers in ascending order, all known or older than all known, nothing newer between, and the first of them this low:
it began anew. What a sender merely repeats is not taken for it.
"""


class Run(msgspec.Struct, frozen=True, gc=False):
    """Consecutive numbers that did not come, both ends included. `since`: when a later one came. `named`: a case tells of it."""

    first: int
    last: int
    since: datetime
    named: bool = False

    @property
    def count(self) -> int:
        return self.last - self.first + 1


class Anew(msgspec.Struct, frozen=True, gc=False):
    """The sender began to count anew: where it stood, where it went on, and how many of the old numbers were missing."""

    at: datetime
    from_number: int
    to_number: int
    missing: int


class Series(msgspec.Struct, frozen=True, gc=False):
    """`top` is the highest number that is known to have been sent; what is in no run came. `again` is how far known numbers were
    heard a second time in their order, as a sender that begins anew tells them.
    """

    top: int
    missing: tuple[Run, ...] = ()
    again: tuple[int, int] | None = None
    anew: Anew | None = None

    @property
    def count(self) -> int:
        return sum(run.count for run in self.missing)


def begin(number: int) -> Series:
    """What was sent before the first number that anybody heard is not ours."""
    return Series(number)


def heard(series: Series, arrivals: Iterable[tuple[int, datetime]]) -> Series:
    """After these (number, when) in the order in which they came; each message once."""
    for number, at in arrivals:
        series = _one(series, number, at)
    return series


def _one(series: Series, number: int, at: datetime) -> Series:
    if number > series.top + JUMP_MAX:
        return _begun_anew(series, number, number, at)
    if number > series.top:
        return Series(number, _and_between(series, number - 1, at), None, series.anew)
    runs = _without(series.missing, number)
    if runs is not None:
        return Series(series.top, runs, series.again, series.anew)
    first = series.again[0] if series.again and series.again[1] + 1 == number else number
    if number - first + 1 < ANEW_RUN or first > ANEW_FIRST_MAX:
        return Series(series.top, series.missing, (first, number), series.anew)
    return _begun_anew(series, first, number, at)


def _and_between(series: Series, last: int, at: datetime) -> tuple[Run, ...]:
    """The runs, with what lies between the highest number and `last`."""
    return (*series.missing, Run(series.top + 1, last, at)) if last > series.top else series.missing


def _without(runs: Sequence[Run], number: int) -> tuple[Run, ...] | None:
    """The runs when this number has come; None where none of them has it."""
    for place, run in enumerate(runs):
        if run.first <= number <= run.last:
            before = Run(run.first, number - 1, run.since, run.named)
            after = Run(number + 1, run.last, run.since, run.named)
            left = tuple(x for x in (before, after) if x.count)
            return (*runs[:place], *left, *runs[place + 1 :])
    return None


def _begun_anew(series: Series, first: int, number: int, at: datetime) -> Series:
    """Old numbers that are missing cannot be told from new ones any more: how many they were is all that is kept."""
    return Series(number, (), None, Anew(at, series.top, first, series.count))


def sent(series: Series, number: int, at: datetime) -> Series:
    """The sender says that it had sent this number by `at`: what of it never came is missing as well."""
    if not series.top < number <= series.top + JUMP_MAX:
        return series
    return Series(number, _and_between(series, number, at), None, series.anew)


def overdue(series: Series, now: datetime, patience: timedelta) -> Series:
    """With every run named that has been missing for longer than messages are late."""
    runs = tuple(
        msgspec.structs.replace(run, named=run.named or now - run.since >= patience) for run in series.missing
    )
    return msgspec.structs.replace(series, missing=runs)


def named(series: Series) -> tuple[Run, ...]:
    return tuple(run for run in series.missing if run.named)
