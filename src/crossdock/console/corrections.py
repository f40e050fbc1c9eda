"""Pages for corrections: the message with its body to edit, what an edit would give, what waits for a second person, the rules."""

from typing import Any, Final

from litestar import Request, Response, get, post

from crossdock.api import corrections as api
from crossdock.api import rules
from crossdock.api.context import Context, context
from crossdock.api.corrections import Proposed, reason_of
from crossdock.api.problems import Problem
from crossdock.api.story import names_of
from crossdock.console.now import open_cases
from crossdock.console.render import headers, page
from crossdock.console.sessions import Session, acting, entered
from crossdock.store import corrections as table

PAGE: Final = 50


def may_act(session: Session) -> None:
    if not session.may_act:
        raise Problem(403, "forbidden", "this token may look, but not act")


def to(request: Request[Any, Any, Any], place: str) -> Response[bytes]:
    return Response(b"", status_code=303, headers=headers(request) | {"Location": place})


def seen(form: dict[str, str], version: int) -> None:
    """The form was made from this very version."""
    if form.get("version") != str(version):
        raise Problem(409, "conflict", "somebody changed it meanwhile: look again")


@get("/correct/{kind:str}/{target:str}", include_in_schema=False)
async def look(request: Request[Any, Any, Any], kind: str, target: str) -> Response[str]:
    """A message (personal data hidden) or an event's data, to edit."""
    hub, session = context(request), await entered(request)
    return await _form(request, session, await _found(hub, kind, target))


async def _found(hub: Context, kind: str, target: str) -> dict[str, Any]:
    match kind:
        case "message":
            return await api.message_of(hub, target)
        case "event":
            return await api.event_of(hub, target)
        case _:
            raise Problem(404, "no-such-thing", "messages and events can be corrected here")


@post("/correct/{kind:str}/{target:str}", include_in_schema=False, status_code=200)
async def edit(request: Request[Any, Any, Any], kind: str, target: str) -> Response[Any]:
    """Show personal data, try the edit, or propose it; what is wrong stands above the text, which stays as it was typed."""
    hub = context(request)
    session, form = await acting(request)
    may_act(session)
    reason, do = form.get("reason", ""), form.get("do", "")
    if do == "reveal" and kind == "message":
        found = await api.message_of(hub, target, reveal_as=session.who.name, reason=reason_of(reason))
        return await _form(request, session, found, reason=reason)
    found, revealed = await _found(hub, kind, target), bool(form.get("revealed"))
    whole = await api.body_text(hub, target, reveal=revealed) if kind == "message" else found["body"]
    text = form.get("content", "").replace("\r\n", "\n")
    content = text.replace("\n", "\r\n") if "\r\n" in whole else text
    message, event = (target, "") if kind == "message" else ("", target)
    asked = Proposed(reason, message, event, content=content, shown=whole)
    found |= {"body": text, "revealed": revealed}
    try:
        if do == "correct":
            made, _ = await api.propose(hub, session.who, asked)
            return to(request, f"/corrections/{made.id}")
        tried = api.would_of(hub, await api.draft_of(hub, asked))
    except Problem as problem:
        return await _form(request, session, found, reason=reason, problem=problem)
    return await _form(request, session, found, reason=reason, tried=tried)


async def _form(
    request: Request[Any, Any, Any], session: Session, found: dict[str, Any], *, reason: str = "",
    tried: dict[str, Any] | None = None, problem: Problem | None = None,
) -> Response[str]:  # fmt: skip
    hub = context(request)
    kind = "message" if "message" in found else "event"
    return page(
        request, "correct.html", session, message=found, kind=kind, reason=reason, tried=tried, problem=problem,
        names=names_of(hub.hub), open_cases=await open_cases(hub), second=kind in hub.hub.policy.four_eyes,
    )  # fmt: skip


@get("/corrections", include_in_schema=False)
async def list_all(request: Request[Any, Any, Any], before: int = 0) -> Response[str]:
    """What waits for a second person first, then all, and the rules in force."""
    hub, session = context(request), await entered(request)
    async with hub.reader.acquire() as connection:
        waiting = await table.newest(connection, state="proposed", limit=PAGE)
        found = await table.newest(connection, before=before, limit=PAGE)
    return page(
        request, "corrections.html", session, waiting=waiting, corrections=found, rules=await rules.rules_of(hub),
        names=names_of(hub.hub), open_cases=await open_cases(hub), more=found[-1].id if len(found) == PAGE else 0,
    )  # fmt: skip


@get("/corrections/{number:int}", include_in_schema=False)
async def show(request: Request[Any, Any, Any], number: int) -> Response[str]:
    """One: what it changes, what it gives, and what may be done with it."""
    hub, session = context(request), await entered(request)
    return await _one(request, hub, session, await api.found_of(hub, number))


async def _one(
    request: Request[Any, Any, Any],
    hub: Context,
    session: Session,
    made: table.Correction,
    problem: Problem | None = None,
) -> Response[str]:
    told = api.told_of(hub, made) | await api.shown_of(hub, made)
    own = made.proposed_key == session.who.id or made.proposed_by == session.who.name
    mine = [x for x in await rules.rules_of(hub) if x.correction == made.id]
    return page(
        request, "correction.html", session, made=told, own=own, problem=problem,
        names=names_of(hub.hub), open_cases=await open_cases(hub), rules=mine, promoter="rule" in hub.hub.policy.four_eyes,
    )  # fmt: skip


@post("/corrections/{number:int}", include_in_schema=False, status_code=303)
async def decide(request: Request[Any, Any, Any], number: int) -> Response[Any]:
    """Approve, reject or promote, on the version that was seen; a refusal is told on the page."""
    hub = context(request)
    session, form = await acting(request)
    may_act(session)
    made = await api.found_of(hub, number)
    try:
        reason = reason_of(form.get("reason", ""))
        seen(form, made.version)
        match form.get("do"):
            case "approve":
                await api.approve(hub, session.who, made, reason)
            case "reject":
                await api.reject(hub, session.who, made, reason)
            case "promote":
                await rules.promote(hub, session.who, made, rules.Promoted(reason, form.get("path", "")))
    except Problem as problem:
        return await _one(request, hub, session, made, problem)
    return to(request, f"/corrections/{number}")


@post("/corrections/rules/{number:int}", include_in_schema=False, status_code=303)
async def withdraw(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    """Later messages are read as they come."""
    hub = context(request)
    session, form = await acting(request)
    may_act(session)
    rule = await rules.rule_of(hub, number)
    seen(form, rule.version)
    await rules.withdraw(hub, session.who, rule, reason_of(form.get("reason", "")))
    return to(request, "/corrections")
