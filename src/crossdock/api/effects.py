"""Effects that nobody knows the outcome of: the list, and what people decide about each."""

from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post

from crossdock.access.tokens import Identity
from crossdock.api.context import Context, context
from crossdock.api.problems import Problem
from crossdock.api.story import names_of
from crossdock.connect.reading import read
from crossdock.errors import Malformed, Rejected
from crossdock.model.receipts import by_hand
from crossdock.processes.blocked import FINANCE, FORGOABLE
from crossdock.runtime.hub import Hub
from crossdock.runtime.wake import EFFECTS, LOG
from crossdock.store import unknown
from crossdock.views import unknown as view

REASON_MAX = 500
_encode = msgspec.json.Encoder(decimal_format="string").encode
W = TypeVar("W", bound=msgspec.Struct)


class Why(msgspec.Struct, forbid_unknown_fields=True):
    """Every decision says why."""

    reason: str = ""


class Posted(msgspec.Struct, forbid_unknown_fields=True):
    """The target's number of what it did; `receipt` has what else the thread must hear, such as an amount."""

    document: str
    reason: str = ""
    receipt: dict[str, Any] = {}


@get("/v1/effects", summary="Effects whose outcome is unknown, the oldest first")
async def list_effects(
    request: Request[Any, Any, Any], outcome: str = "", after: int = 0, limit: int = 100
) -> Response[bytes]:
    """`outcome=unknown` is the one list there is; `after` is the last `place` of the page before."""
    hub = context(request)
    hub.identify(request, "read")
    if outcome != "unknown":
        raise Problem(400, "bad-query", "outcome=unknown is what can be listed; others are in the stories")
    async with hub.reader.acquire() as connection:
        found = await view.read_unknown(
            connection, names_of(hub.hub), receipts(hub.hub), after=after, limit=limit
        )
    headers = {}
    if found and len(found) == min(limit, view.PAGE_MAX):
        headers["Link"] = f'</v1/effects?outcome=unknown&after={found[-1].place}&limit={limit}>; rel="next"'
    return Response(_encode({"effects": found}), media_type="application/json", headers=headers)


@post("/v1/effects/{effect:str}/look-up", status_code=202, summary="Ask the target now whether it happened")
async def look_up(request: Request[Any, Any, Any], effect: str) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    body = await _body(request, Why)
    await look_again(hub, effect, who, body.reason)
    return _done(effect, "to be looked up")


@post("/v1/effects/{effect:str}/mark-posted", status_code=202, summary="It was done: here is its document")
async def mark_posted(request: Request[Any, Any, Any], effect: str) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    body = await _body(request, Posted)
    await posted(hub, effect, who, body)
    return _done(effect, "posted")


@post("/v1/effects/{effect:str}/post-now", status_code=202, summary="Send it again, though nobody can tell")
async def post_now(request: Request[Any, Any, Any], effect: str) -> Response[bytes]:
    """What moves value needs two people: the first call asks, another person's confirms."""
    hub = context(request)
    who = hub.identify(request, "operator")
    body = await _body(request, Why)
    sent = await send_again(hub, effect, who, body.reason)
    return _done(effect, "to be sent" if sent else "asked")


@post(
    "/v1/effects/{effect:str}/give-up",
    status_code=202,
    summary="Ask for it no more, where nothing waits for it",
)
async def give_up(request: Request[Any, Any, Any], effect: str) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    body = await _body(request, Why)
    await forgo(hub, effect, who, body.reason)
    return _done(effect, "given up")


def receipts(hub: Hub) -> dict[tuple[str, str], str]:
    """(account, kind) → the type of the event that a done effect brings."""
    return {
        (name, kind): traits.receipt
        for name in hub.landscape.systems
        for kind, traits in hub.manifest(name).effects.items()
        if traits.receipt
    }


async def look_again(hub: Context, effect: str, who: Identity, reason: str) -> None:
    row = await _find(hub, effect)
    async with hub.pool.acquire() as connection:
        try:
            await unknown.look_again(connection, row["id"], _person(who, reason or "look again"))
        except unknown.Settled as error:
            raise _settled(error) from None
    _ring(hub, row)


async def posted(hub: Context, effect: str, who: Identity, wish: Posted) -> None:
    """Raises 422 where the thread must hear more than a number."""
    row, person = await _find(hub, effect), _person(who, wish.reason)
    if not 0 < len(wish.document.strip()) <= 100:
        raise Problem(400, "bad-query", "document: the number that the target gave, 1 to 100 characters")
    traits = hub.hub.manifest(row["account"]).effects.get(row["kind"])
    try:
        receipt = (
            by_hand(row["kind"], traits.receipt, row["object"], wish.document.strip(), wish.receipt)
            if traits and traits.receipt
            else None
        )
    except Rejected as error:
        place = {"pointer": error.path, "detail": error.reason}
        raise Problem(422, "receipt-incomplete", error.reason, errors=(place,)) from None
    async with hub.pool.acquire() as connection:
        try:
            await unknown.mark_posted(connection, row["id"], person, wish.document.strip(), receipt)
        except unknown.Settled as error:
            raise _settled(error) from None
    _ring(hub, row)


async def send_again(hub: Context, effect: str, who: Identity, reason: str) -> bool:
    """False: it was asked for, and waits for a second person."""
    row, person = await _find(hub, effect), _person(who, reason)
    async with hub.pool.acquire() as connection:
        try:
            sent = await unknown.post_now(connection, row["id"], person, two_people=row["kind"] in FINANCE)
        except unknown.Settled as error:
            raise _settled(error) from None
        except unknown.SamePerson:
            detail = "you asked for it: somebody else must confirm it, with a token of their own"
            raise Problem(403, "two-people", detail) from None
    _ring(hub, row)
    return sent


async def forgo(hub: Context, effect: str, who: Identity, reason: str) -> None:
    row, person = await _find(hub, effect), _person(who, reason)
    if row["kind"] not in FORGOABLE:
        detail = f"a thread waits for the outcome of {row['kind']}: mark it posted, or send it again"
        raise Problem(409, "waited-for", detail)
    async with hub.pool.acquire() as connection:
        try:
            await unknown.give_up(connection, row["id"], person)
        except unknown.Settled as error:
            raise _settled(error) from None
    _ring(hub, row)


async def _find(hub: Context, effect: str) -> Any:
    try:
        id_ = UUID(effect)
    except ValueError:
        id_ = None
    if id_ is not None:
        async with hub.reader.acquire() as connection:
            row = await unknown.find(connection, id_)
        if row is not None:
            return row
    raise Problem(
        404, "no-such-effect", "there is no such effect; ids are in GET /v1/effects?outcome=unknown"
    )


def _person(who: Identity, reason: str) -> unknown.Person:
    if not reason.strip():
        raise Problem(400, "reason-missing", "say why: it stands in the story afterwards")
    return unknown.Person(key=who.id, name=who.name, reason=reason.strip()[:REASON_MAX])


def _settled(error: unknown.Settled) -> Problem:
    return Problem(409, "already-known", f"its outcome is not unknown: it is {error}")


def _ring(hub: Context, row: Any) -> None:
    hub.waker.ring(LOG)
    hub.waker.ring(EFFECTS, {row["account"]})


async def _body(request: Request[Any, Any, Any], shape: type[W]) -> W:
    try:
        return read(shape, await request.body() or b"{}")
    except (Malformed, Rejected) as error:
        raise Problem(400, "bad-query", f"the body: {error}") from None


def _done(effect: str, state: str) -> Response[bytes]:
    body = msgspec.json.encode({"effect": effect, "state": state})
    return Response(body, status_code=202, media_type="application/json")


HANDLERS = (list_effects, look_up, mark_posted, post_now, give_up)
