"""Cases over HTTP."""

from typing import Any

import msgspec
from litestar import Request, Response, get

from crossdock.api.context import context
from crossdock.views import cases as view


@get("/v1/cases", summary="The exception queue, newest first")
async def list_cases(
    request: Request[Any, Any, Any], case_state: str = "open", before: int = 0, limit: int = 100
) -> Response[bytes]:  # fmt: skip
    """`case_state` is open, closed or empty for all."""
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        rows = await view.list_cases(connection, state=case_state, before=before, limit=limit)
    headers = {}
    if rows and len(rows) == min(limit, view.PAGE_MAX):
        headers["Link"] = (
            f'</v1/cases?case_state={case_state}&before={rows[-1]["id"]}&limit={limit}>; rel="next"'
        )
    return Response(msgspec.json.encode({"cases": rows}), media_type="application/json", headers=headers)
