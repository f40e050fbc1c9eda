"""Hours in which a case should be settled count while somebody is there."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crossdock.processes.desk import Desk, due
from crossdock.processes.routing import Calendar, zone

OFFICE = Desk("de", "08:00", "18:00", "Europe/Berlin")
WEEK = Calendar(closed=(date(2026, 12, 25),))


def test_without_a_desk_hours_are_hours() -> None:
    """Day and night."""
    start = datetime(2026, 11, 27, 22, tzinfo=UTC)

    assert due(start, 8, Desk(), None) == start + timedelta(hours=8)


def test_an_office_sleeps() -> None:
    """Opened on Friday at five in Berlin, four hours end on Monday at eleven; over Christmas a day more."""
    friday = datetime(2026, 11, 27, 16, tzinfo=UTC)
    christmas_eve = datetime(2026, 12, 24, 16, tzinfo=UTC)

    assert due(friday, 4, OFFICE, WEEK) == datetime(2026, 11, 30, 10, tzinfo=UTC)
    assert due(christmas_eve, 4, OFFICE, WEEK) == datetime(2026, 12, 28, 10, tzinfo=UTC)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.integers(1, 60),
    st.sampled_from([Desk(), OFFICE, Desk("", "22:00", "23:30", "Asia/Tokyo")]),
)
def test_more_hours_end_later_and_never_while_the_desk_is_closed(
    start: datetime, hours: int, desk: Desk
) -> None:
    """The law of it, over a year."""
    ends = due(start, hours, desk, None)

    ends_there = ends.astimezone(zone(desk.time_zone))
    assert ends >= start + timedelta(hours=hours - 1)  # a clock that is put forward takes one
    assert due(start, hours + 1, desk, None) > ends
    assert desk.opens <= f"{ends_there:%H:%M}" <= desk.closes or desk.closes == "24:00"
