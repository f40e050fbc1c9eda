"""The pages: Find, the story, lineage, and the stamp that tells a page that it is old."""

from typing import Any

import msgspec
from litestar import Request, Response, get, post

from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.api.story import names_of, read_chain
from crossdock.console.now import open_cases
from crossdock.console.render import ASSETS, SECURITY, asset, headers, page
from crossdock.console.sessions import Session, acting, entered
from crossdock.model.thread import KEY_LENGTH_MAX
from crossdock.views import find as find_view
from crossdock.views import story as story_view

LINE_COLUMNS = ("ordered", "open", "reserved", "allocated", "picked", "shipped", "delivered")


@get("/find", include_in_schema=False)
async def find(request: Request[Any, Any, Any], q: str = "") -> Response[Any]:
    """Hits by business object; a single certain one opens at once."""
    hub, session = context(request), await entered(request)
    hits: list[find_view.Hit] = []
    if q.strip() and len(q) <= KEY_LENGTH_MAX:
        async with hub.reader.acquire() as connection:
            hits = await find_view.find(connection, q, names_of(hub.hub), hub.hub.policy.location)
    if len(hits) == 1:
        return Response(
            b"", status_code=303, headers=headers(request) | {"Location": story_path(hits[0].found.thread)}
        )
    return page(request, "find.html", session, q=q, hits=hits, open_cases=await open_cases(hub))


@get("/o/{thread:path}", include_in_schema=False)
async def story(request: Request[Any, Any, Any], thread: str, before: str = "") -> Response[str]:
    """The story page; with `before`, earlier parts of what happened."""
    hub, session = context(request), await entered(request)
    key, names = thread.strip("/"), names_of(hub.hub)
    async with hub.reader.acquire() as connection:
        found = await story_view.read_story(connection, key, names, hub.hub.policy)
        stamp = await story_view.read_stamp(connection, key, names)
        earlier = None
        if found is not None and before:
            earlier = await story_view.read_earlier(connection, key, names, hub.hub.policy, before=before)
    if found is None:
        raise Problem(404, "no-such-thread", f"nobody has heard of {key}. Find it by any number you have.")
    entries, following = earlier or (found.timeline, found.next)
    return page(
        request, "story.html", session, story=found, entries=entries, next=following, before=before, stamp=stamp,
        names=names, columns=_columns(found), titles={x.thread: x.title for x in found.linked}, open_cases=await open_cases(hub), path=story_path(key),
    )  # fmt: skip


def _columns(story: Any) -> tuple[str, ...]:
    """The line law's parts: an order's usual ones always, of any others only those in use, so that all have room."""
    extras = dict.fromkeys(name for line in story.lines for name in line.extras)
    if story.kind == "order" and not extras:
        return LINE_COLUMNS
    used = [c for c in LINE_COLUMNS if c == "ordered" or any(getattr(line, c) for line in story.lines)]
    return (*used, *extras)


@get("/lineage/{ref:str}", include_in_schema=False)
async def lineage(request: Request[Any, Any, Any], ref: str, fragment: bool = False) -> Response[str]:
    """Raw → canonical → sent → answered, side by side; personal data masked."""
    return await _chain(request, await entered(request), ref, fragment=fragment)


@post("/lineage/{ref:str}", include_in_schema=False, status_code=200)
async def reveal(request: Request[Any, Any, Any], ref: str, fragment: bool = False) -> Response[str]:
    """The same with personal data, for a reason that is recorded."""
    session, form = await acting(request)
    reason = form.get("reason", "").strip()
    if not session.may_act:
        raise Problem(403, "forbidden", "this token may look, but not reveal personal data")
    if not reason:
        raise Problem(400, "reason-missing", "say why: it is recorded with your name")
    return await _chain(request, session, ref, fragment=fragment, reveal_as=session.who.name, reason=reason)


async def _chain(
    request: Request[Any, Any, Any], session: Session, ref: str, *, fragment: bool, reveal_as: str = "", reason: str = ""
) -> Response[str]:  # fmt: skip
    hub = context(request)
    found = await read_chain(hub, ref, reveal_as=reveal_as, reason=reason)
    if found is None:
        raise Problem(404, "no-such-thing", "this is neither an event nor an effect that is still kept")
    template = "lineage_part.html" if fragment else "lineage.html"
    shown = 0 if fragment else await open_cases(hub)
    return page(
        request,
        template,
        session,
        chain=found,
        names=names_of(hub.hub),
        open_cases=shown,
        path=story_path(found.thread),
    )


@get("/console/stamp/{thread:path}", include_in_schema=False)
async def stamp(request: Request[Any, Any, Any], thread: str) -> Response[bytes]:
    """Changes whenever the story does. Asking keeps no session alive."""
    hub = context(request)
    await entered(request, looking=False)
    async with hub.reader.acquire() as connection:
        found = await story_view.read_stamp(connection, thread.strip("/"), names_of(hub.hub))
    body = msgspec.json.encode({"stamp": found or ""})
    return Response(body, media_type="application/json", headers=headers(request))


@get("/console/static/{name:str}", include_in_schema=False)
async def static(name: str) -> Response[bytes]:
    """Our own files, named one by one; their URL changes with them."""
    if name not in ASSETS:
        raise Problem(404, "not-found", "there is no such file")
    keep = {"Cache-Control": "public, max-age=86400, immutable"}
    return Response(asset(name), media_type=ASSETS[name], headers=SECURITY | keep)


def story_path(thread: str) -> str:
    from urllib.parse import quote

    return f"/o/{quote(thread)}"
