"""When a case should be settled: so many hours while somebody is there to settle it. Instants are of the business clock."""

from datetime import datetime, time, timedelta
from typing import Annotated

import msgspec

from crossdock.processes.routing import Calendar, zone

DAYS_MAX = 400


class Desk(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Working hours of those who settle cases; without any, they are always there."""

    calendar: str = ""
    """A calendar of `routing.yaml`; empty: every day is a working day."""
    opens: Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "00:00"
    closes: Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")] = "24:00"
    time_zone: str = "UTC"


def due(start: datetime, hours: int, desk: Desk, calendar: Calendar | None) -> datetime:
    """The instant at which so many hours of the desk will have passed."""
    left, at = timedelta(hours=hours), start.astimezone(zone(desk.time_zone))
    for offset in range(DAYS_MAX):
        day = start.astimezone(zone(desk.time_zone)).date() + timedelta(days=offset)
        if calendar is not None and not calendar.works(day):
            continue
        midnight = datetime.combine(day, time(), zone(desk.time_zone))
        opens, closes = (midnight + _clock(x) for x in (desk.opens, desk.closes))
        begins = max(at, opens)
        if begins >= closes:
            continue
        if begins + left <= closes:
            return begins + left
        left -= closes - begins
    return start + timedelta(days=DAYS_MAX)


def _clock(text: str) -> timedelta:
    hour, _, minute = text.partition(":")
    return timedelta(hours=int(hour), minutes=int(minute))
