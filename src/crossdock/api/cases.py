"""Cases over HTTP: look, and do what people do with them. A change names the case's ETag in If-Match."""

import re
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get, post

from crossdock.access.tokens import Identity
from crossdock.api.context import Context, context
from crossdock.api.problems import Problem
from crossdock.connect.reading import read
from crossdock.errors import Malformed, Rejected
from crossdock.model.causes import CLASSES, merged
from crossdock.processes.watching import Telling, is_address
from crossdock.store import casework
from crossdock.views import cases as view

TEXT_MAX = 2000
_ETAG = re.compile(r'"C-(\d+)\.(\d+)"')
_TAG = re.compile(r"[^\s,\x00-\x1f]{1,40}")
_encode = msgspec.json.Encoder(decimal_format="string").encode
A = TypeVar("A", bound=msgspec.Struct)


@get("/v1/cases", summary="The exception queue, newest first")
async def list_cases(
    request: Request[Any, Any, Any], case_state: str = "open", before: int = 0, limit: int = 100
) -> Response[bytes]:
    """`case_state` is open, closed or empty for all; the other filters as in `wanted`."""
    hub = context(request)
    hub.identify(request, "read")
    query = dict(request.query_params)
    async with hub.reader.acquire() as connection:
        rows = await view.list_cases(connection, wanted(query, case_state), before=before, limit=limit)
    headers = {}
    if rows and len(rows) == min(limit, view.PAGE_MAX):
        kept = "".join(f"&{urlencode({k: query[k]})}" for k in FILTERS if k in query)
        headers["Link"] = (
            f'</v1/cases?case_state={case_state}&before={rows[-1]["id"]}&limit={limit}{kept}>; rel="next"'
        )
    return Response(_encode({"cases": rows}), media_type="application/json", headers=headers)


FILTERS = ("owner", "assignee", "class", "cause", "tag", "overdue", "snoozed")


def wanted(query: dict[str, str], state: str = "open", snoozed: str = "with") -> view.Filter:
    """From a query string. Raises a 400 problem for a word that no case can have."""
    problem, hidden = query.get("class", ""), query.get("snoozed", snoozed)
    if problem and problem not in CLASSES:
        raise Problem(400, "bad-query", f"class is one of: {', '.join(CLASSES)}")
    if hidden not in ("without", "with", "only"):
        raise Problem(400, "bad-query", "snoozed is without, with or only")
    return view.Filter(
        state=state, owner=query.get("owner", ""), assignee=query.get("assignee", ""), problem=problem,
        cause=query.get("cause", ""), tag=query.get("tag", ""), overdue=query.get("overdue", "") in ("1", "true", "yes"),
        snoozed=cast("Literal['without', 'with', 'only']", hidden),
    )  # fmt: skip


@get(
    "/v1/cases/{number:int}",
    summary="One case: what it blocks, what it is worth, what settles it, what was done",
)
async def read_case(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    """With its ETag; 304 where the caller has it already."""
    hub = context(request)
    hub.identify(request, "read")
    return await _shown(hub, number)


async def _shown(hub: Context, number: int) -> Response[bytes]:
    async with hub.reader.acquire() as connection:
        found = await view.read_case(
            connection, number, merged(hub.hub.policy.causes), hub.hub.policy.telling
        )
    if found is None:
        raise _unknown(number)
    return Response(_encode(found), media_type="application/json", headers={"ETag": found.etag})


@post(
    "/v1/cases/{number:int}/assign",
    status_code=200,
    summary="Give a case to a role (owner) or a person (assignee)",
)
async def assign(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    return await _act(request, number, casework.Assign)


@post("/v1/cases/{number:int}/comment", status_code=200, summary="Say something about a case")
async def comment(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    return await _act(request, number, casework.Comment)


@post(
    "/v1/cases/{number:int}/snooze", status_code=200, summary="Leave a case out of the open list for a while"
)
async def snooze(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    return await _act(request, number, casework.Snooze)


@post("/v1/cases/{number:int}/tag", status_code=200, summary="Add and remove tags of a case")
async def tag(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    return await _act(request, number, casework.Tag)


@post("/v1/cases/{number:int}/watch", status_code=200, summary="Watch a case, or watch it no more")
async def watch(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    return await _act(request, number, casework.Watch)


@post("/v1/cases/{number:int}/resolve", status_code=200, summary="Close a case that blocks nothing")
async def resolve(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    return await _act(request, number, casework.Resolve)


async def _act(request: Request[Any, Any, Any], number: int, shape: type[A]) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    revision = revision_of(request.headers.get("if-match", ""), number)
    try:
        wish = read(shape, await request.body() or b"{}")
    except (Malformed, Rejected) as error:
        raise Problem(400, "bad-query", f"the body: {error}") from None
    await carry_out(hub, number, revision, who, cast("casework.Act", wish))
    return await _shown(hub, number)


def revision_of(header: str, number: int) -> int:
    """Which revision the caller saw. Raises 428 without one, 412 for what is no ETag of this case."""
    if not header:
        raise Problem(428, "precondition-required", "send the case's ETag in If-Match: GET it first")
    found = _ETAG.fullmatch(header.strip())
    if found is None or int(found[1]) != number:
        raise Problem(412, "changed-meanwhile", f"{header[:60]} is not an ETag of case C-{number}")
    return int(found[2])


async def carry_out(
    hub: Context, number: int, revision: int | None, who: Identity, wish: casework.Act
) -> None:
    """What the API and the console do alike. Raises problems that say what would have to be done."""
    check(wish, hub.hub.policy.telling)
    async with hub.pool.acquire() as connection:
        try:
            known = await casework.act(connection, number, revision, who.name, wish)
        except casework.Stale:
            detail = f"case C-{number} was changed by somebody else: look at it again"
            raise Problem(412, "changed-meanwhile", detail) from None
        except casework.Blocking as error:
            raise Problem(409, "still-blocking", blocking(number, error.what)) from None
    if not known:
        raise _unknown(number)


def blocking(number: int, what: tuple[str, ...]) -> str:
    named = "; ".join(what[:5]) + (f"; and {len(what) - 5} more" if len(what) > 5 else "")
    return (
        f"case C-{number} still blocks {named}. Settle the cause and retry the case;"
        " it closes by itself once nothing is blocked"
    )


def check(wish: casework.Act, telling: Telling) -> None:
    """What no type says."""
    match wish:
        case casework.Assign(owner=None, assignee=None):
            raise Problem(400, "bad-query", "name an owner (a role) or an assignee (a person)")
        case casework.Assign(owner=""):
            raise Problem(400, "bad-query", "a case always has an owner")
        case casework.Comment(text=text) if not text.strip() or len(text) > TEXT_MAX:
            raise Problem(400, "bad-query", f"text: 1 to {TEXT_MAX} characters")
        case casework.Snooze(until=until) if until is not None and until.tzinfo is None:
            raise Problem(400, "bad-query", "until needs an offset (RFC 3339)")
        case casework.Tag(add=add, remove=remove) if not (add or remove) or not all(map(_TAG.fullmatch, add)):
            raise Problem(400, "bad-query", "add or remove tags: one word of at most 40 characters each")
        case casework.Watch(on=True, who=who) if who and who not in telling.people and not is_address(who):
            known = ", ".join(sorted(telling.people)) or "nobody"
            raise Problem(
                400, "bad-query", f"who: an e-mail address, or one of policy.telling.people ({known})"
            )
        case casework.Resolve(reason=reason) if not reason.strip():
            raise Problem(400, "reason-missing", "say why: it stands in the case's history")
        case _:
            pass


def _unknown(number: int) -> Problem:
    return Problem(404, "no-such-case", f"there is no case C-{number}")


HANDLERS = (list_cases, read_case, assign, comment, snooze, tag, watch, resolve)
