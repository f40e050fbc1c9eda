"""What stands before which gate, as JSON."""

from typing import Any

from litestar import Request, Response, get

from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.api.story import answer, names_of
from crossdock.processes.gates import BY_NAME
from crossdock.views import gates as view


@get("/v1/gates", summary="What stands before which gate: how much, since when, and who owes what is missing")
async def read_gates(request: Request[Any, Any, Any], gate: str = "") -> Response[bytes]:
    """`gate` is a name of the table; left out, all gates that something stands before."""
    hub = context(request)
    hub.identify(request, "read")
    if gate and gate not in BY_NAME:
        raise Problem(400, "bad-query", f"gate is one of: {', '.join(BY_NAME)}")
    async with hub.reader.acquire() as connection:
        found = await view.read_gates(connection, names_of(hub.hub), hub.hub.policy, gate)
    return answer(found)
