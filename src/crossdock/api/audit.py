"""The audit chain's standing, as JSON."""

from typing import Any

from litestar import Request, Response, get

from crossdock.access.audit import public_key
from crossdock.api.context import context
from crossdock.api.story import answer
from crossdock.views.audit import read_standing


@get("/v1/audit", summary="Where the audit chain stands: head, lag, last checkpoint, public key")
async def read_audit(request: Request[Any, Any, Any]) -> Response[bytes]:
    """`crossdock audit verify` walks it; that reads every row, and is not done over HTTP."""
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        return answer(await read_standing(connection, public_key(hub.hub.key)))
