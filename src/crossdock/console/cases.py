"""The exception queue as a page: one row per cause, and a retry that says what it will do."""

from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get, post

from crossdock.api import actions
from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.api.story import names_of
from crossdock.console.now import open_cases
from crossdock.console.render import headers, page
from crossdock.console.sessions import acting, entered
from crossdock.store import access, casework
from crossdock.views import cases as view
from crossdock.views import retry as retry_view

PAGE = 50


@get("/cases", include_in_schema=False)
async def list_cases(
    request: Request[Any, Any, Any], done: str = "", before: int = 0, owner: str = ""
) -> Response[str]:
    """Open cases (of one owner), newest first, each with what a retry would do. `done` was just retried."""
    hub, session = context(request), await entered(request)
    names = names_of(hub.hub)
    async with hub.reader.acquire() as connection:
        rows = await view.list_cases(connection, view.Filter(owner=owner), before=before, limit=PAGE)
        plans = await retry_view.plans(connection, [row["id"] for row in rows], names)
        closed = await view.list_cases(connection, view.Filter(state="closed"), limit=5)
    told = [row | {"title": names.plain(row["title"]), "detail": names.plain(row["detail"])} for row in rows]
    return page(
        request, "cases.html", session, cases=told, plans=plans, closed=closed, done=done, names=names,
        open_cases=await open_cases(hub), owner=owner, more=rows[-1]["id"] if len(rows) == PAGE else 0,
    )  # fmt: skip


@post("/cases/{number:int}/retry", include_in_schema=False, status_code=303)
async def retry(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    """The same effects, tried again; the reason stands in every story it touches."""
    hub = context(request)
    session, form = await acting(request)
    reason = form.get("reason", "").strip()[:500]
    if not session.may_act:
        raise Problem(403, "forbidden", "this token may look, but not act")
    if not reason:
        raise Problem(400, "reason-missing", "say why: it stands in the story afterwards")
    async with hub.reader.acquire() as connection:
        links = [x for x in await view.case_links(connection, number) if x["closed_at"] is None]
    events = [actions._retry_of(x["thread_key"], x["key"], session.who.name, reason) for x in links]
    said = [event for event in events if event is not None]
    if not said:
        raise Problem(409, "nothing-to-retry", f"case C-{number} has nothing that a retry could move")
    await actions._say(hub, session.who.id, said)
    async with hub.pool.acquire() as connection:
        await casework.note(connection, number, session.who.name, "retry", f"{len(said)} things: {reason}")
        await access.note_action(
            connection, session.who.name, "retry", f"case C-{number}", reason, count=len(said)
        )
    after = form.get("after", "")
    place = after if after.startswith("/o/") and after.isprintable() else f"/cases?done={quote(str(number))}"
    return Response(b"", status_code=303, headers=headers(request) | {"Location": place})
