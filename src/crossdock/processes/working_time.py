"""When a time has passed at a node, counted while it works: on its working days, from its opening to its last cut-off, by its
own clock. A clock that is put forward or back there takes no working time and gives none.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from crossdock.processes.routing import Node, Routing, zone

DAYS_MAX: Final = 400
"""How far ahead is looked; a node that never works keeps nobody waiting for ever."""


def due(routing: Routing, node: str, at: datetime, minutes: int) -> datetime:
    """The instant at which so many minutes have passed since `at` (aware). A node without calendar, cut-off and opening
    never rests.
    """
    place = routing.nodes.get(node)
    calendar = routing.calendars.get(place.calendar) if place else None
    if place is None or (calendar is None and not place.cut_offs and place.opens == "00:00"):
        return at + timedelta(minutes=minutes)
    left = timedelta(minutes=minutes)
    begins, ends = _hours(place)
    local = zone(place.time_zone)
    day = at.astimezone(local).date()
    for _ in range(DAYS_MAX):
        if calendar is None or calendar.works(day):
            opens = max(at, datetime.combine(day, begins, local).astimezone(UTC))
            after = day if ends is not None else day + timedelta(days=1)
            closes = datetime.combine(after, ends or time(), local).astimezone(UTC)
            if opens < closes:
                if left <= closes - opens:
                    return opens + left
                left -= closes - opens
        day += timedelta(days=1)
    return at + timedelta(days=DAYS_MAX)


def _hours(place: Node) -> tuple[time, time | None]:
    """(when work begins, when it ends; None: at midnight). What comes after the last cut-off is the next day's work."""
    begins = time.fromisoformat(place.opens)
    ends = max(map(time.fromisoformat, place.cut_offs.values()), default=None)
    return begins, ends if ends is not None and ends > begins else None
