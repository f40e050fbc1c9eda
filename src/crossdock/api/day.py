"""Closing a day, as JSON."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from litestar import Request, Response, get

from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.api.story import answer, names_of
from crossdock.views import day as view


@get(
    "/v1/day",
    summary="What the systems confirmed of a day, in counts and values, and who moves where they differ",
)
async def read_day(request: Request[Any, Any, Any], day: str = "", zone: str = "") -> Response[bytes]:
    """`day` is YYYY-MM-DD, today by default; `zone` an IANA time zone, the default location's where there is one."""
    hub = context(request)
    hub.identify(request, "read")
    policy = hub.hub.policy
    node = policy.routing.nodes.get(policy.location)
    zone = zone or (node.time_zone if node else "UTC")
    if zone not in available_timezones():
        raise Problem(400, "no-such-zone", f"{zone} is no IANA time zone: Europe/Berlin, say")
    try:
        of = date.fromisoformat(day) if day else datetime.now(UTC).astimezone(ZoneInfo(zone)).date()
    except ValueError as error:
        raise Problem(400, "no-such-date", f"day is YYYY-MM-DD: {error}") from None
    async with hub.reader.acquire() as connection:
        suppliers = frozenset(x for x in policy.routing.nodes if policy.is_supplier(x))
        found = await view.read_day(connection, of, zone, names_of(hub.hub), suppliers)
    return answer(found)
