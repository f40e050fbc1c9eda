"""Any identifier → business objects, as JSON."""

from typing import Any

from litestar import Request, Response, get

from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.api.story import answer, names_of
from crossdock.model.thread import KEY_LENGTH_MAX
from crossdock.views import find as view


@get(
    "/v1/find",
    summary="Find by any number: order, shipment, SSCC, tracking, ERP document, message, effect, case",
)
async def find(request: Request[Any, Any, Any], q: str = "") -> Response[bytes]:
    """Hits by business object; an empty list is an answer."""
    hub = context(request)
    hub.identify(request, "read")
    if not q.strip() or len(q) > KEY_LENGTH_MAX:
        raise Problem(400, "bad-query", f"q is the number you have, 1 to {KEY_LENGTH_MAX} characters")
    async with hub.reader.acquire() as connection:
        hits = await view.find(connection, q, names_of(hub.hub), hub.hub.policy.location)
    return answer({"query": q, "hits": hits})
