"""The exception queue as pages: one row per cause, a page for each case, and actions that say what they will do."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from litestar import Request, Response, get, post

from crossdock.api import actions
from crossdock.api import cases as api
from crossdock.api.context import Context, context
from crossdock.api.problems import Problem
from crossdock.api.story import names_of
from crossdock.console.now import open_cases
from crossdock.console.render import headers, page
from crossdock.console.sessions import Session, acting, entered
from crossdock.model.causes import CLASSES, merged
from crossdock.store import access, casework
from crossdock.views import cases as view
from crossdock.views import retry as retry_view
from crossdock.views.words import counted

PAGE = 50
SNOOZES = {"1": "an hour", "4": "four hours", "24": "a day", "168": "a week"}


@get("/cases", include_in_schema=False)
async def list_cases(request: Request[Any, Any, Any], done: str = "", before: int = 0) -> Response[str]:
    """Open cases, newest first, each with what a retry would do; filters stand in the address. `done` was just retried."""
    hub, session = context(request), await entered(request)
    query = {k: v for k, v in request.query_params.items() if k in api.FILTERS and v}
    wanted = api.wanted(query, snoozed="without")
    names, causes = names_of(hub.hub), merged(hub.hub.policy.causes)
    async with hub.reader.acquire() as connection:
        rows = await view.list_cases(connection, wanted, before=before, limit=PAGE)
        plans = await retry_view.plans(connection, [row["id"] for row in rows], names)
        closed = await view.list_cases(connection, view.Filter(state="closed"), limit=5)
    told = [row | {"title": names.plain(row["title"]), "detail": names.plain(row["detail"])} for row in rows]
    return page(
        request, "cases.html", session, cases=told, plans=plans, closed=closed, done=done, names=names,
        open_cases=await open_cases(hub), owner=wanted.owner, more=rows[-1]["id"] if len(rows) == PAGE else 0,
        query=query, kept=urlencode(query), classes=CLASSES, causes=sorted(causes), notice=request.query_params.get("said", ""),
    )  # fmt: skip


@get("/cases/{case:str}", include_in_schema=False)
async def show_case(request: Request[Any, Any, Any], case: str) -> Response[str]:
    """Everything about one case, and what can be done with it."""
    hub, session = context(request), await entered(request)
    number, names = _number(case), names_of(hub.hub)
    async with hub.reader.acquire() as connection:
        found = await view.read_case(
            connection, number, merged(hub.hub.policy.causes), hub.hub.policy.telling
        )
        plan = (await retry_view.plans(connection, [number], names))[number]
    if found is None:
        raise Problem(404, "no-such-case", f"there is no case C-{number}")
    return page(
        request, "case.html", session, case=found, plan=plan, names=names, snoozes=SNOOZES,
        open_cases=await open_cases(hub), watching=session.who.name in found.watchers,
        blocking=[x.blocks for x in found.links if x.blocks],
    )  # fmt: skip


@post("/cases/{case:str}/retry", include_in_schema=False, status_code=303)
async def retry(request: Request[Any, Any, Any], case: str) -> Response[bytes]:
    """The same effects, tried again; the reason stands in every story it touches."""
    hub, number = context(request), _number(case)
    session, form = await acting(request)
    reason = form.get("reason", "").strip()[:500]
    _may_act(session)
    if not reason:
        raise Problem(400, "reason-missing", "say why: it stands in the story afterwards")
    async with hub.reader.acquire() as connection:
        links = [x for x in await view.case_links(connection, number) if x["closed_at"] is None]
    wish = actions.Retry(reason, _day(form.get("posting_on", "")))
    blocked = [(x["thread_key"], x["key"]) for x in links]
    events = await actions.retries(hub, blocked, session.who.name, wish)
    said = [event for event in events if event is not None]
    if not said:
        raise Problem(409, "nothing-to-retry", f"case C-{number} has nothing that a retry could move")
    await actions._say(hub, session.who.id, said)
    async with hub.pool.acquire() as connection:
        await casework.note(
            connection, number, session.who.name, "retry", f"{counted(len(said), 'thing')}: {reason}"
        )
        await access.note_action(
            connection, session.who.name, "retry", f"case C-{number}", reason, count=len(said)
        )
    after = form.get("after", "")
    place = after if after.startswith("/o/") and after.isprintable() else f"/cases?done={quote(str(number))}"
    return _to(request, place)


@post("/cases/{case:str}/act", include_in_schema=False, status_code=303)
async def act(request: Request[Any, Any, Any], case: str) -> Response[bytes]:
    """What people do with a case besides retrying it, decided on the revision that the page showed."""
    hub, number = context(request), _number(case)
    session, form = await acting(request)
    _may_act(session)
    await api.carry_out(hub, number, _revision(form.get("revision", "")), session.who, _wish(form))
    return _to(request, f"/cases/C-{number}")


@post("/cases/assign", include_in_schema=False, status_code=303)
async def assign_many(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The chosen rows, each as it was seen; what somebody changed meanwhile is left and said."""
    hub = context(request)
    session, form = await acting(request)
    _may_act(session)
    chosen = [str(x) for x in (await request.form()).getall("n", [])][:PAGE]
    if not chosen:
        raise Problem(400, "bad-query", "choose cases first: the box at the beginning of their rows")
    left = [one for one in chosen if not await _assigned(hub, session, one, form)]
    said = f"{len(chosen) - len(left)} given to {form.get('assignee', '') or form.get('owner', '')}"
    if left:
        said += f"; changed meanwhile, look again: {', '.join('C-' + x.partition('.')[0] for x in left)}"
    return _to(request, f"/cases?{urlencode({'said': said})}")


async def _assigned(hub: Context, session: Session, one: str, form: dict[str, str]) -> bool:
    number, _, revision = one.partition(".")
    try:
        await api.carry_out(
            hub, _number(number), _revision(revision), session.who, _wish(form | {"what": "assign"})
        )
    except Problem as problem:
        if problem.status != 412:
            raise
        return False
    return True


def _wish(form: dict[str, str]) -> casework.Act:
    reason = form.get("reason", "").strip()[:500]
    match form.get("what", ""):
        case "assign":
            owner, person = form.get("owner", "").strip(), form.get("assignee", "").strip()
            given = person if person or form.get("nobody") or not owner else None
            return casework.Assign(owner[:100] or None, given[:100] if given is not None else None, reason)
        case "comment":
            return casework.Comment(form.get("text", "").strip())
        case "snooze":
            hours = int(form["hours"]) if form.get("hours", "") in SNOOZES else 0
            return casework.Snooze(datetime.now(UTC) + timedelta(hours=hours) if hours else None, reason)
        case "tag":
            return casework.Tag(tuple(form.get("add", "").split()), tuple(form.get("remove", "").split()))
        case "watch":
            return casework.Watch(form.get("on", "1") == "1", form.get("who", "").strip()[:254])
        case "resolve":
            return casework.Resolve(reason)
        case other:
            raise Problem(400, "bad-query", f"there is no action {other[:40]}")


def _may_act(session: Session) -> None:
    if not session.may_act:
        raise Problem(403, "forbidden", "this token may look, but not act")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Problem(400, "bad-query", f"{text[:20]} is no day, as 2026-12-01") from None


def _number(case: str) -> int:
    text = case.upper().removeprefix("C-")
    if not (text.isascii() and text.isdecimal() and len(text) < 18):
        raise Problem(404, "no-such-case", f"there is no case {case[:40]}")
    return int(text)


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        raise Problem(
            412, "changed-meanwhile", "the form does not say what it was decided on: reload the page"
        )
    return int(text)


def _to(request: Request[Any, Any, Any], place: str) -> Response[bytes]:
    return Response(b"", status_code=303, headers=headers(request) | {"Location": place})
