"""What stands before which gate, as a page: what waits, for what, from whom, since when and worth what. Reading only."""

from typing import Any, Final

from litestar import Request, Response, get

from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.api.story import names_of
from crossdock.console.now import open_cases
from crossdock.console.render import page
from crossdock.console.sessions import entered
from crossdock.processes.gates import BY_NAME
from crossdock.views import gates as view

SHOWN: Final = 10
"""Before each gate, where all of them are shown."""


@get("/gates", include_in_schema=False)
async def list_gates(request: Request[Any, Any, Any], gate: str = "", after: int = 0) -> Response[str]:
    """All gates that something stands before, with the oldest of each; or one gate, `after` so many pages."""
    hub, session = context(request), await entered(request)
    if gate and gate not in BY_NAME:
        raise Problem(400, "bad-query", f"gate is one of: {', '.join(BY_NAME)}")
    if not 0 <= after <= view.PAGES_MAX:
        raise Problem(400, "bad-query", f"after is a number of pages, {view.PAGES_MAX} at most")
    names = names_of(hub.hub)
    async with hub.reader.acquire() as connection:
        found = await view.read_gates(connection, names, hub.hub.policy, gate, after=after)
    return page(
        request, "gates.html", session, found=found, names=names, open_cases=await open_cases(hub), gate=gate, after=after,
        steps=[(x.name, x.step) for x in BY_NAME.values()], shown=view.LISTED_MAX if gate else SHOWN,
        total=sum(x.count for x in found.gates), more=any(x.more for x in found.gates),
        oldest=min((x.oldest for x in found.gates if x.oldest), default=None),
    )  # fmt: skip
