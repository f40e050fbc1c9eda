"""What happened to the cases that one watches, as a page; it moves what was seen only when its reader says so."""

from typing import Any

from litestar import Request, Response, get, post

from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.api.story import names_of
from crossdock.console.now import open_cases
from crossdock.console.render import headers, page
from crossdock.console.sessions import acting, entered
from crossdock.store import casework
from crossdock.views import watched as view

PAGE = 50


@get("/cases/watched", include_in_schema=False)
async def list_watched(request: Request[Any, Any, Any], before: int = 0) -> Response[str]:
    """Newest first; what came since the last visit is marked."""
    hub, session = context(request), await entered(request)
    async with hub.reader.acquire() as connection:
        found = await view.changes(connection, session.who.name, before=before, limit=PAGE)
    return page(
        request, "watched.html", session, changes=found, names=names_of(hub.hub), open_cases=await open_cases(hub),
        fresh=sum(x.fresh for x in found), more=found[-1].id if len(found) == PAGE else 0, newest=before == 0,
    )  # fmt: skip


@post("/cases/watched", include_in_schema=False, status_code=303)
async def see(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Up to the newest change that the page showed."""
    hub = context(request)
    session, form = await acting(request)
    up_to = form.get("up_to", "")
    if not (up_to.isascii() and up_to.isdecimal() and len(up_to) < 18):
        raise Problem(400, "bad-query", "the form does not say what was seen: reload the page")
    async with hub.pool.acquire() as connection:
        await casework.visited(connection, session.who.name, int(up_to))
    return Response(b"", status_code=303, headers=headers(request) | {"Location": "/cases/watched"})
