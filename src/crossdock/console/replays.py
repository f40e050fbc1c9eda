"""Pages for replays: what a selection would do, a run's progress, and what became of each item."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from litestar import Request, Response, get, post

from crossdock.api import replays as api
from crossdock.api.context import context
from crossdock.api.corrections import reason_of
from crossdock.api.problems import Problem
from crossdock.console.corrections import may_act, seen, to
from crossdock.console.now import open_cases
from crossdock.console.render import page
from crossdock.console.sessions import Session, acting, entered
from crossdock.store import replays as table

ITEMS: Final = 200
PAGE: Final = 50
BLANK: Final = dict.fromkeys(("where", "case", "thread", "since", "per_second", "reason"), "")
SPANS: Final = {"": 0, "1 hour": 1, "1 day": 24, "7 days": 168, "30 days": 720}
"""What the form offers, in hours."""


@get("/replays", include_in_schema=False)
async def list_all(
    request: Request[Any, Any, Any], where: str = "", case: str = "", thread: str = "", before: int = 0
) -> Response[str]:
    """The form, filled in where a link led here, and the replays so far."""
    session = await entered(request)
    return await _form(request, session, {"where": where, "case": case, "thread": thread}, before=before)


@post("/replays", include_in_schema=False, status_code=200)
async def ask(request: Request[Any, Any, Any]) -> Response[Any]:
    """The preview, or the run."""
    hub = context(request)
    session, form = await acting(request)
    may_act(session)
    try:
        asked = _asked(form)
        if form.get("do") == "run":
            return to(request, f"/replays/{(await api.begin(hub, session.who, asked)).id}")
        return await _form(request, session, form, preview=await api.preview(hub, asked))
    except Problem as problem:
        return await _form(request, session, form, problem=problem)


def _asked(form: dict[str, str]) -> api.Asked:
    case = form.get("case", "").strip().upper().removeprefix("C-")
    hours = SPANS.get(form.get("since", ""), 0)
    values = {
        "reason": form.get("reason", ""), "where": form.get("where", ""), "thread": form.get("thread", ""), "case": case or 0,
        "per_second": form.get("per_second") or api.PER_SECOND, "since": datetime.now(UTC) - timedelta(hours=hours) if hours else None,
    }  # fmt: skip
    try:
        return msgspec.convert(values, api.Asked, strict=False)
    except msgspec.ValidationError as error:
        raise Problem(400, "bad-query", str(error)) from None


async def _form(
    request: Request[Any, Any, Any], session: Session, form: dict[str, str], *, before: int = 0,
    preview: dict[str, Any] | None = None, problem: Problem | None = None,
) -> Response[str]:  # fmt: skip
    hub = context(request)
    async with hub.reader.acquire() as connection:
        found = await table.newest(connection, before=before, limit=PAGE)
    return page(
        request, "replays.html", session, form=BLANK | form, preview=preview, problem=problem,
        replays=found, spans=SPANS, open_cases=await open_cases(hub), more=found[-1].id if len(found) == PAGE else 0,
    )  # fmt: skip


@get("/replays/{number:int}", include_in_schema=False)
async def show(
    request: Request[Any, Any, Any], number: int, after: int = 0, status: str = "", stop: bool = False
) -> Response[str]:
    """How far it is; it loads itself again while it runs, unless somebody is about to stop it."""
    hub, session = context(request), await entered(request)
    made = await api.found_of(hub, number)
    async with hub.reader.acquire() as connection:
        items = await table.items(connection, number, after=after, limit=ITEMS, state=status)
    answer = page(
        request, "replay.html", session, made=made, count=sum(made.counts.values()), items=items, picked=status, stopping=stop,
        open_cases=await open_cases(hub), more=items[-1].no if len(items) == ITEMS else 0,
    )  # fmt: skip
    if made.state == "running" and not stop:
        answer.headers["Refresh"] = "2"
    return answer


@post("/replays/{number:int}", include_in_schema=False, status_code=303)
async def turn(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    """Stop it, or let it go on."""
    hub = context(request)
    session, form = await acting(request)
    may_act(session)
    made = await api.found_of(hub, number)
    if form.get("do") != "stop":  # its version changes by itself when it ends; stopping is never wrong
        seen(form, made.version)
    await api.turn(
        hub,
        session.who,
        made,
        "stop" if form.get("do") == "stop" else "resume",
        reason_of(form.get("reason", "")),
    )
    return to(request, f"/replays/{number}")
