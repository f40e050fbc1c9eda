"""Unknown outcomes as a page: what was sent, what look-ups said, and what a person decides about each."""

from typing import Any

from litestar import Request, Response, get, post

from crossdock.api import effects as api
from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.api.story import names_of
from crossdock.console.now import open_cases
from crossdock.console.render import headers, page
from crossdock.console.sessions import acting, entered
from crossdock.views import unknown as view

PAGE = 50


@get("/unknown", include_in_schema=False)
async def list_unknown(request: Request[Any, Any, Any], after: int = 0) -> Response[str]:
    """The oldest first; what nobody can tell stands before what the hub still looks up by itself."""
    hub, session = context(request), await entered(request)
    names = names_of(hub.hub)
    async with hub.reader.acquire() as connection:
        found = await view.read_unknown(connection, names, api.receipts(hub.hub), after=after, limit=PAGE)
    return page(
        request, "unknown.html", session, effects=sorted(found, key=lambda x: x.looking), names=names,
        open_cases=await open_cases(hub), more=found[-1].place if len(found) == PAGE else 0,
        said=request.query_params.get("said", ""),
    )  # fmt: skip


@post("/unknown/{effect:str}", include_in_schema=False, status_code=303)
async def decide(request: Request[Any, Any, Any], effect: str) -> Response[bytes]:
    """One decision; the list then says what became of it."""
    hub = context(request)
    session, form = await acting(request)
    if not session.may_act:
        raise Problem(403, "forbidden", "this token may look, but not act")
    reason, who = form.get("reason", ""), session.who
    match form.get("what", ""):
        case "look-up":
            await api.look_again(hub, effect, who, reason)
            said = "looking"
        case "posted":
            more = {
                k.removeprefix("receipt."): v.strip() for k, v in form.items() if k.startswith("receipt.")
            }
            await api.posted(hub, effect, who, api.Posted(form.get("document", ""), reason, more))
            said = "posted"
        case "post-now":
            said = "sent" if await api.send_again(hub, effect, who, reason) else "asked"
        case "give-up":
            await api.forgo(hub, effect, who, reason)
            said = "forgone"
        case other:
            raise Problem(400, "bad-query", f"there is no action {other[:40]}")
    return Response(b"", status_code=303, headers=headers(request) | {"Location": f"/unknown?said={said}"})
