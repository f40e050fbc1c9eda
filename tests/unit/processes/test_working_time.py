"""Minutes counted while a node works: its calendar, its opening and cut-off, its zone, and days that are an hour longer."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crossdock.processes.routing import Calendar, Node, Routing
from crossdock.processes.working_time import due

ROUTING = Routing(
    nodes={
        "BERLIN": Node(warehouse="wms", time_zone="Europe/Berlin", calendar="week", opens="08:00", cut_offs={"default": "16:00"}),
        "ALWAYS": Node(warehouse="wms", time_zone="Europe/Berlin"),
        "DAYS": Node(warehouse="wms", time_zone="Europe/Berlin", calendar="all"),
    },
    calendars={
        "week": Calendar(closed=(date(2026, 12, 25),)),
        "all": Calendar(days=("mon", "tue", "wed", "thu", "fri", "sat", "sun")),
    },
)  # fmt: skip


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_within_a_working_day() -> None:
    """An hour is an hour."""
    assert due(ROUTING, "BERLIN", at("2026-12-01T09:00+01:00"), 60) == at("2026-12-01T10:00+01:00")


def test_before_opening_and_after_the_cut_off() -> None:
    """Early work begins when the doors open; what comes after the cut-off is the next day's work."""
    assert due(ROUTING, "BERLIN", at("2026-12-01T05:00+01:00"), 60) == at("2026-12-01T09:00+01:00")
    assert due(ROUTING, "BERLIN", at("2026-12-01T17:00+01:00"), 60) == at("2026-12-02T09:00+01:00")
    assert due(ROUTING, "BERLIN", at("2026-12-01T15:30+01:00"), 60) == at("2026-12-02T08:30+01:00")


def test_over_a_weekend_and_a_holiday() -> None:
    """Thursday's last hour, Christmas Friday, the weekend: Monday."""
    assert due(ROUTING, "BERLIN", at("2026-12-24T15:00+01:00"), 120) == at("2026-12-28T09:00+01:00")


def test_a_day_of_25_hours() -> None:
    """When summer time ends the night is an hour longer, and the hour counts where the node works at night."""
    assert due(ROUTING, "DAYS", at("2026-10-25T00:00+02:00"), 25 * 60) == at("2026-10-26T00:00+01:00")
    assert due(ROUTING, "DAYS", at("2026-03-29T00:00+01:00"), 23 * 60) == at("2026-03-30T00:00+02:00")


def test_a_node_without_hours_never_rests() -> None:
    """Nor does one that nobody listed."""
    for node in ("ALWAYS", "NOWHERE"):
        assert due(ROUTING, node, at("2026-12-25T23:00+01:00"), 90) == at("2026-12-26T00:30+01:00")


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)), st.integers(0, 10_000), st.integers(0, 3_000),
    st.sampled_from(["BERLIN", "DAYS", "ALWAYS"]),
)  # fmt: skip
def test_no_clock_runs_backwards(start: datetime, minutes: int, later: int, node: str) -> None:
    """Never sooner than the plain time, never earlier for what begins later, and longer for more minutes."""
    begun = start.replace(tzinfo=UTC)
    found = due(ROUTING, node, begun, minutes)
    assert found >= begun + timedelta(minutes=minutes)
    assert due(ROUTING, node, begun + timedelta(minutes=later), minutes) >= found
    assert due(ROUTING, node, begun, minutes + later) >= found
