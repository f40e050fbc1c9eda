"""When a system's stock is read by itself: a time of day on the working days of the node it speaks for. Pure."""

from datetime import datetime, time

from crossdock.processes.policy import Policy
from crossdock.processes.routing import zone


def slot(system: str, at: str, now: datetime, policy: Policy) -> str:
    """The day whose snapshot is due at `now` (aware, business clock), or "" before its time and on days off.

    `at` is HH:MM in the zone of the first node of the system; without a node it is UTC, every day.
    """
    nodes = policy.routing.nodes
    node = next((nodes[name] for name in sorted(nodes) if nodes[name].warehouse == system), None)
    local = now.astimezone(zone(node.time_zone if node else "UTC"))
    calendar = policy.routing.calendars.get(node.calendar) if node else None
    if calendar is not None and not calendar.works(local.date()):
        return ""
    return local.date().isoformat() if local.time() >= time.fromisoformat(at) else ""
