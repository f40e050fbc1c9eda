"""Carriers' local times: an instant only where the zone is sure, and a doubt where the clock was ambiguous."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.localtime import _REGIONS, _ZONES, _zone, believed, day_ends_at, instant_of, zone_of


@pytest.mark.parametrize(
    ("place", "zone"),
    [
        ("Utrecht, NL", "Europe/Amsterdam"),
        ("Louisville, KY, US", ""),
        ("Seattle, WA, US", "America/Los_Angeles"),
        ("NL", "Europe/Amsterdam"),
        ("US", ""),
        ("", ""),
        ("Atlantis", ""),
    ],
)
def test_a_place_has_a_zone_where_it_is_sure(place: str, zone: str) -> None:
    """Kentucky lies in two zones, the United States in many: there none is guessed."""
    assert zone_of(place) == zone


@pytest.mark.parametrize("zone", sorted({*_ZONES.values(), *_REGIONS.values()}))
def test_every_zone_of_the_table_exists(zone: str) -> None:
    """A misspelt name would fail at the first scan from there."""
    assert _zone(zone).key == zone


@pytest.mark.parametrize(
    ("local", "at", "doubtful"),
    [
        ("2026-01-15T14:02:00", datetime(2026, 1, 15, 13, 2, tzinfo=UTC), False),
        ("2026-07-15T14:02:00", datetime(2026, 7, 15, 12, 2, tzinfo=UTC), False),
        ("2026-10-25T02:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), True),
        ("2026-03-29T02:30:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC), True),
    ],
)
def test_the_hour_that_comes_twice_and_the_one_that_never_comes_are_doubtful(
    local: str, at: datetime, doubtful: bool
) -> None:
    """The fold takes the first, the gap moves on; both say so."""
    found = instant_of(local, "Berlin, DE")

    assert found is not None
    assert (found.at, bool(found.doubt)) == (at, doubtful)


@pytest.mark.parametrize("local", ["2026-01-15", "14:02", "soon", "", "2026-01-15T14:02:00+01:00"])
def test_a_date_alone_is_no_instant(local: str) -> None:
    """A date-only estimate is not midnight; a time with offset needs no guess."""
    assert instant_of(local, "NL") is None


@given(st.integers(0, 10_000))
def test_a_clock_may_run_ahead_a_little(seconds: int) -> None:
    """Beyond the bound our own time counts, and it is said."""
    now = datetime(2026, 1, 15, tzinfo=UTC)
    found = believed(now + timedelta(seconds=seconds), now, 300)

    assert (found.at > now + timedelta(seconds=300)) is False
    assert bool(found.doubt) == (seconds > 300)


@pytest.mark.parametrize(
    ("place", "at"),
    [
        ("NL", datetime(2026, 1, 15, 22, 59, tzinfo=UTC)),
        ("Tokyo, JP", datetime(2026, 1, 15, 14, 59, tzinfo=UTC)),
        ("US", datetime(2026, 1, 16, 11, 59, tzinfo=UTC)),
    ],
)
def test_a_promised_day_ends_where_it_was_promised(place: str, at: datetime) -> None:
    """And where the zone is not sure, no earlier than anywhere on Earth."""
    assert day_ends_at(date(2026, 1, 15), place) == at
