"""The Systems page: how each stands, and the forms that pause, drain, resume, hold and lift, each saying what it will do."""

from typing import Any, Final

import msgspec
from litestar import Request, Response, get, post

from crossdock.api import holds
from crossdock.api import systems as api
from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.api.story import names_of
from crossdock.console.now import open_cases
from crossdock.console.render import headers, page
from crossdock.console.sessions import Session, acting, entered
from crossdock.views import now as now_view
from crossdock.views.holds import read_ended

ENDED: Final = 5
HOURS_MAX: Final = 24 * 366


@get("/systems", include_in_schema=False)
async def list_systems(request: Request[Any, Any, Any]) -> Response[str]:
    """Worst first, then what is held, and what was held lately."""
    hub, session = context(request), await entered(request)
    names = names_of(hub.hub)
    async with hub.reader.acquire() as connection:
        stamp = await now_view.read_stamp(connection)
        seen = await api.read(connection, hub.hub)
        ended = await read_ended(connection, names, limit=ENDED)
    return page(
        request, "systems.html", session, seen=seen, ended=ended, stamp=stamp, names=names, open_cases=await open_cases(hub),
    )  # fmt: skip


@post("/systems/{name:str}/{action:str}", include_in_schema=False, status_code=303)
async def act(request: Request[Any, Any, Any], name: str, action: str) -> Response[bytes]:
    """Pause, drain or resume; the reason stands in every story that it touches."""
    hub = context(request)
    session, form = await _acting(request)
    reason, seconds = form.get("reason", ""), _seconds(form.get("hours", ""))
    match action:
        case "pause" | "drain":
            asked = holds.Pausing(reason=reason, for_seconds=seconds)
            await holds.stop_target(hub, session.who, name, "pause" if action == "pause" else "drain", asked)
        case "resume":
            await holds.resume_target(hub, session.who, name, reason)
        case _:
            raise Problem(404, "not-found", "a system can be paused, drained and resumed")
    return _back(request)


@post("/holds", include_in_schema=False, status_code=303)
async def place(request: Request[Any, Any, Any]) -> Response[bytes]:
    """A hold by what the form names."""
    hub = context(request)
    session, form = await _acting(request)
    wished = {key: form.get(key, "") for key in ("scope", "name", "reason")}
    try:
        asked = msgspec.convert(wished | {"for_seconds": _seconds(form.get("hours", ""))}, holds.Asked)
    except msgspec.ValidationError as error:
        raise Problem(400, "bad-hold", str(error)) from None
    await holds.placed(hub, session.who, asked)
    return _back(request)


@post("/holds/{number:int}/lift", include_in_schema=False, status_code=303)
async def lift(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    """What waited goes on, if the hold is still as the page showed it."""
    hub = context(request)
    session, form = await _acting(request)
    version = form.get("version", "")
    await holds.lifted(
        hub, session.who, number, form.get("reason", ""), int(version) if version.isdecimal() else None
    )
    return _back(request)


async def _acting(request: Request[Any, Any, Any]) -> tuple[Session, dict[str, str]]:
    session, form = await acting(request)
    if not session.may_act:
        raise Problem(403, "forbidden", "this token may look, but not act")
    return session, form


def _seconds(hours: str) -> int | None:
    """Empty: until somebody ends it."""
    if not hours.strip():
        return None
    try:
        found = float(hours)
    except ValueError:
        found = 0.0
    if not 0 < found <= HOURS_MAX:
        raise Problem(400, "bad-hold", "hours is a number, as 2 or 0.5, or empty")
    return max(1, int(found * 3600))


def _back(request: Request[Any, Any, Any]) -> Response[bytes]:
    return Response(b"", status_code=303, headers=headers(request) | {"Location": "/systems"})
