"""Threads over HTTP: lists and counts. The story of one thread is in `api/story.py`."""

from typing import Any

import msgspec
from litestar import Request, Response, get

from crossdock.api.context import context
from crossdock.views import threads as view


@get("/v1/threads", summary="Threads of one kind, keyset-paged")
async def list_threads(
    request: Request[Any, Any, Any], kind: str = "order", phase: str = "", done: bool | None = None, after: str = "", limit: int = 100
) -> Response[bytes]:  # fmt: skip
    """`Link: rel=next` leads on while there is more."""
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        rows = await view.list_threads(connection, kind, phase=phase, done=done, after=after, limit=limit)
    headers = {}
    if rows and len(rows) == min(limit, view.PAGE_MAX):
        only = "" if done is None else f"&done={str(done).lower()}"
        more = f"/v1/threads?kind={kind}&phase={phase}{only}&after={rows[-1]['thread_key']}&limit={limit}"
        headers["Link"] = f'<{more}>; rel="next"'
    return Response(msgspec.json.encode({"threads": rows}), media_type="application/json", headers=headers)


@get("/v1/threads/counts", summary="How many threads of a kind stand in which phase")
async def count_phases(request: Request[Any, Any, Any], kind: str = "order") -> Response[bytes]:
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        rows = await view.count_phases(connection, kind)
    return Response(msgspec.json.encode({"phases": rows}), media_type="application/json")
