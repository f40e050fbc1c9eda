"""What happened to the cases that one watches, over HTTP: the same that watchers with an address get as mail."""

from typing import Any

import msgspec
from litestar import Request, Response, get, post

from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.connect.reading import read
from crossdock.errors import Malformed, Rejected
from crossdock.store import casework
from crossdock.views import watched as view

_encode = msgspec.json.Encoder().encode


class Seen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything up to this change was read."""

    up_to: int


@get("/v1/cases/watched", summary="What happened to the cases that the caller watches or has, newest first")
async def list_watched(request: Request[Any, Any, Any], before: int = 0, limit: int = 50) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        found = await view.changes(connection, who.name, before=before, limit=limit)
    return Response(_encode({"changes": found}), media_type="application/json")


@post("/v1/cases/watched/seen", status_code=200, summary="Say up to which change the caller has read")
async def see(request: Request[Any, Any, Any]) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "read")
    try:
        seen = read(Seen, await request.body())
    except (Malformed, Rejected) as error:
        raise Problem(400, "bad-query", f"the body: {error}") from None
    async with hub.pool.acquire() as connection:
        await casework.visited(connection, who.name, seen.up_to)
    return Response(_encode({"up_to": seen.up_to}), media_type="application/json")


HANDLERS = (list_watched, see)
