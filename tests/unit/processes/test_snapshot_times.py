"""When a system's stock is read by itself: local time, working days, once a day."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crossdock.processes.policy import Policy
from crossdock.processes.routing import Calendar, Node, Routing
from crossdock.processes.snapshot_times import slot

POLICY = Policy(
    routing=Routing(
        nodes={"SITE1": Node("wms-1", time_zone="Europe/Amsterdam", calendar="nl")},
        calendars={"nl": Calendar(closed=(date(2026, 12, 25),))},
    )
)


def test_the_time_is_the_nodes_own() -> None:
    """22:00 in Amsterdam is 21:00 UTC in winter; a minute before nothing is due."""
    assert slot("wms-1", "22:00", datetime(2026, 11, 26, 20, 59, tzinfo=UTC), POLICY) == ""
    assert slot("wms-1", "22:00", datetime(2026, 11, 26, 21, 0, tzinfo=UTC), POLICY) == "2026-11-26"


def test_days_off_have_none() -> None:
    """Weekends and closed days of the node's calendar."""
    for day in (date(2026, 11, 28), date(2026, 12, 25)):
        assert slot("wms-1", "06:00", datetime(day.year, day.month, day.day, 12, tzinfo=UTC), POLICY) == ""


def test_a_system_without_a_node_goes_by_utc() -> None:
    """Every day, an ERP's too."""
    assert slot("sap-1", "22:00", datetime(2026, 11, 28, 22, 0, tzinfo=UTC), POLICY) == "2026-11-28"


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)), st.integers(1, 600))
def test_looking_often_finds_each_day_once(start: datetime, every_seconds: int) -> None:
    """Over the hour around its time, however often and whenever one looks: at most one slot."""
    seen = {
        slot("sap-1", "12:00", start + timedelta(seconds=n * every_seconds), POLICY)
        for n in range(3600 // every_seconds)
    }

    assert len(seen - {""}) <= 2
    assert all(
        found == "" or date.fromisoformat(found) in (start.date(), start.date() + timedelta(days=1))
        for found in seen
    )
