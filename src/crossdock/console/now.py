"""The Now page: one sentence, five figures, and a row for each thing that waits. Rows lead on; nothing is done here."""

from typing import Any, Final

import msgspec
from litestar import Request, Response, get

from crossdock.api.context import Context, context
from crossdock.api.story import names_of
from crossdock.console.render import headers, page
from crossdock.console.sessions import entered
from crossdock.views import now as view
from crossdock.views.now_sentence import late_flows

WIDTH: Final = 150
HEIGHT: Final = 24


@get("/", include_in_schema=False)
async def now(request: Request[Any, Any, Any]) -> Response[str]:
    """Is anything stuck, and where."""
    hub, session = context(request), await entered(request)
    names = names_of(hub.hub)
    async with hub.reader.acquire() as connection:
        stamp = await view.read_stamp(connection)
        seen = await view.read_now(connection, names)
    late = {(flow.account, flow.kind) for flow in late_flows(seen)}
    return page(
        request, "now.html", session, seen=seen, stamp=stamp, late=late, names=names, lines=lines,
        open_cases=sum(x.count for x in seen.cases),
    )  # fmt: skip


@get("/console/now", include_in_schema=False)
async def stamp(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Changes when the page may. Asking keeps no session alive."""
    hub = context(request)
    await entered(request, looking=False)
    async with hub.reader.acquire() as connection:
        found = await view.read_stamp(connection)
    body = msgspec.json.encode({"stamp": found})
    return Response(body, media_type="application/json", headers=headers(request))


def lines(minutes: list[float | None]) -> list[str]:
    """The sparkline as SVG polylines, one for each stretch that was sampled: a gap is drawn as a gap."""
    top = max((value for value in minutes if value is not None), default=0.0) or 1.0
    step = WIDTH / max(1, len(minutes) - 1)
    stretches: list[list[str]] = [[]]
    for place, value in enumerate(minutes):
        if value is None:
            stretches.append([])
            continue
        stretches[-1].append(f"{place * step:.1f},{HEIGHT - 1 - (HEIGHT - 3) * value / top:.1f}")
    return [" ".join(points if len(points) > 1 else points * 2) for points in stretches if points]


async def open_cases(hub: Context) -> int:
    """For the top bar, without those that are snoozed; counted up to 1000."""
    async with hub.reader.acquire() as connection:
        found = await connection.fetchval(
            "select count(*) from (select 1 from cases where state = 'open'"
            " and not coalesce(snoozed_until > clock_timestamp(), false) limit 1000) n"
        )
    assert isinstance(found, int)
    return found
