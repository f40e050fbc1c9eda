"""Messages that never came, as JSON."""

from typing import Any

import msgspec
from litestar import Request, Response, get

from crossdock.api.context import context
from crossdock.views import gaps as view

_encode = msgspec.json.Encoder().encode


@get("/v1/gaps", summary="Messages that never came, by their senders' own running numbers")
async def read_gaps(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Each numbered sender that was heard, with what is missing of its numbers."""
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        found = await view.read_gaps(connection)
    return Response(_encode({"senders": found}), media_type="application/json")
