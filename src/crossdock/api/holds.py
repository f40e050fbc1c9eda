"""Holds over HTTP: what is held, placing a hold, lifting it; pausing, draining and resuming a target."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post

from crossdock.access.tokens import Identity
from crossdock.api.context import Context, context
from crossdock.api.problems import Problem
from crossdock.api.story import answer, names_of
from crossdock.connect.reading import read
from crossdock.errors import Malformed, Rejected
from crossdock.model.registry import EFFECTS
from crossdock.model.thread import KEY_LENGTH_MAX
from crossdock.runtime.hub import Hub
from crossdock.runtime.wake import HOLDS
from crossdock.store import access
from crossdock.store import holds as table
from crossdock.views import holds as view

REASON_MAX = 500
OWNER_MAX = 100
FOR_SECONDS_MAX = 366 * 86_400


class Asked(msgspec.Struct, kw_only=True):
    """A hold that somebody wants."""

    scope: table.Scope
    name: str
    kind: str = ""
    reason: str
    owner: str = ""
    until: datetime | None = None
    for_seconds: int | None = None


class Pausing(msgspec.Struct, kw_only=True):
    """Why a target is paused or drained, and for how long."""

    reason: str
    owner: str = ""
    until: datetime | None = None
    for_seconds: int | None = None


class Why(msgspec.Struct):
    """Why a hold ends."""

    reason: str


@get("/v1/holds", summary="What is held, since when, why, and what waits under it")
async def list_holds(
    request: Request[Any, Any, Any], *, ended: bool = False, before: int = 0, limit: int = 50
) -> Response[bytes]:
    """With `ended`, those that are over instead, newest first, page by page."""
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        if not ended:
            return answer({"holds": await view.read_holds(connection, names_of(hub.hub))})
        found = await view.read_ended(connection, names_of(hub.hub), before=before, limit=limit)
    more = len(found) >= min(max(1, limit), view.ENDED_MAX)
    link = {"Link": f'</v1/holds?ended=true&before={found[-1].id}&limit={limit}>; rel="next"'} if more else {}
    return answer({"holds": found}, **link)


@get("/v1/holds/{number:int}", summary="One hold that counts now")
async def read_hold(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    hub = context(request)
    hub.identify(request, "read")
    return answer(found := await _held(hub, number), ETag=_tag(found.version))


@post("/v1/holds", status_code=201, summary="Hold what follows from a key, system, item, or for a target")
async def place_hold(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Effects under it wait in order until it is lifted or its time is up; within 1 s, but for calls that have begun."""
    hub = context(request)
    who = hub.identify(request, "operator")
    asked = await _read(request, Asked)
    made = await placed(hub, who, asked)
    return answer_placed(made)


async def placed(hub: Context, who: Identity, asked: Asked) -> view.Held:
    """Check, place, and say it. Raises problems."""
    check(hub.hub, asked)
    wish = table.Wish(
        scope=asked.scope, name=asked.name.strip(), kind=asked.kind, reason=asked.reason.strip()[:REASON_MAX],
        owner=(asked.owner.strip() or who.name)[:OWNER_MAX], who=who.name, until_at=asked.until,
        for_seconds=asked.for_seconds,
    )  # fmt: skip
    return await _place(hub, who, wish, "hold")


def check(hub: Hub, asked: Asked) -> None:
    """Raises a problem for what could hold nothing."""
    name = asked.name.strip()
    _check_time(asked.reason, asked.until, asked.for_seconds)
    if not name or len(name) > KEY_LENGTH_MAX or "\0" in name:
        raise Problem(
            400, "bad-hold", "name what shall be held: a system, a thread, an item, or a case's cause"
        )
    if asked.scope in ("target", "system") and hub.system(name) is None:
        raise Problem(404, "not-found", f"no system named {name} in systems/")
    if asked.kind and asked.kind not in EFFECTS:
        raise Problem(400, "bad-hold", f"there is no effect {asked.kind}: docs/reference/effects.md has them")
    if asked.kind and asked.scope in ("item", "cause"):
        raise Problem(400, "bad-hold", f"a hold by {asked.scope} names no kind of effect")


def _check_time(reason: str, until: datetime | None, for_seconds: int | None) -> None:
    if not reason.strip():
        raise Problem(400, "reason-missing", "say why: it stands in every story that the hold touches")
    if until is not None and (until.tzinfo is None or for_seconds is not None):
        raise Problem(400, "bad-hold", "until is an instant with an offset; give it or for_seconds, not both")
    if for_seconds is not None and not 0 < for_seconds <= FOR_SECONDS_MAX:
        raise Problem(400, "bad-hold", "for_seconds is at least 1, and at most 366 days")


async def _place(hub: Context, who: Identity, wish: table.Wish, action: str) -> view.Held:
    async with hub.pool.acquire() as connection:
        made = await table.place(connection, wish)
        if made is None:
            if wish.mode != "hold" and await table.pause_of(connection, wish.name):
                is_so = "paused" if wish.mode == "pause" else "drained"
                raise Problem(
                    409, "already-so", f"{wish.name} is {is_so} already: resume it first to change why"
                )
            raise Problem(400, "bad-hold", "that time has passed already")
        await access.note_action(
            connection, who.name, action, f"{wish.scope} {wish.name}", wish.reason, hold=made.id, kind=wish.kind,
            owner=wish.owner, until=made.until_at.isoformat() if made.until_at else None,
        )  # fmt: skip
    hub.waker.ring(HOLDS)
    return await _held(hub, made.id)


async def _held(hub: Context, number: int) -> view.Held:
    async with hub.reader.acquire() as connection:
        found = await view.read_holds(connection, names_of(hub.hub))
    held = next((x for x in found if x.id == number), None)
    if held is None:
        raise Problem(404, "no-such-hold", f"there is no hold {number}, or it is over")
    return held


def answer_placed(made: view.Held) -> Response[bytes]:
    body = {"hold": made, "says": says(made)}
    found = answer(body, ETag=_tag(made.version), Location=f"/v1/holds/{made.id}")
    found.status_code = 201
    return found


def says(made: view.Held) -> str:
    """What the hold does from now on, in one sentence."""
    parts = ["takes effect within 1 s"]
    if made.under_way:
        one = made.under_way == 1
        parts.append(
            f"{made.under_way} {'call is' if one else 'calls are'} under way and {'ends' if one else 'end'} as without it"
        )
    if made.mode == "drain":
        parts.append(f"{made.still_to_go} effects that were wanted before still go out")
    waits = f"{made.waiting}{' or more' if made.capped else ''}"
    parts.append(f"{waits} {'effect waits' if made.waiting == 1 else 'effects wait'} under it")
    return "; ".join(parts)


@delete("/v1/holds/{number:int}", status_code=200, summary="Lift a hold: what waited goes on, oldest first")
async def lift_hold(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    """The body is `{"reason": "…"}`. With `If-Match`, only a hold that is still as it was read."""
    hub = context(request)
    who = hub.identify(request, "operator")
    why = await _read(request, Why)
    await lifted(hub, who, number, why.reason, _version(request.headers.get("if-match", "")))
    return answer({"hold": number, "says": "what waited under it goes on within 1 s, oldest first"})


async def lifted(hub: Context, who: Identity, number: int, reason: str, version: int | None = None) -> None:
    """Lift, and say it. Raises problems."""
    _check_time(reason, None, None)
    async with hub.pool.acquire() as connection:
        row = await table.one(connection, number)
        match await table.lift(connection, number, who.name, reason.strip()[:REASON_MAX], version):
            case "unknown":
                raise Problem(404, "no-such-hold", f"there is no hold {number}")
            case "over":
                raise Problem(409, "already-so", f"hold {number} is over already")
            case "changed":
                raise Problem(
                    412, "changed-meanwhile", f"hold {number} was changed since you read it: look again"
                )
        assert row is not None
        await access.note_action(
            connection,
            who.name,
            "lift hold",
            f"{row['scope']} {row['name']}",
            reason.strip()[:REASON_MAX],
            hold=number,
        )
    hub.waker.ring(HOLDS)


def _tag(version: int) -> str:
    return f'"{version}"'


def _version(if_match: str) -> int | None:
    text = if_match.strip().removeprefix("W/").strip('"')
    if text in ("", "*"):
        return None
    return int(text) if text.isdecimal() else -1


@post("/v1/systems/{name:str}/pause", status_code=201, summary="Send nothing new to a system")
async def pause(request: Request[Any, Any, Any], name: str) -> Response[bytes]:
    """Calls that have begun end; what is wanted meanwhile waits in order."""
    hub = context(request)
    who = hub.identify(request, "operator")
    return answer_placed(await stop_target(hub, who, name, "pause", await _read(request, Pausing)))


@post(
    "/v1/systems/{name:str}/drain",
    status_code=201,
    summary="Send a system what is wanted of it by now, and nothing new",
)
async def drain(request: Request[Any, Any, Any], name: str) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    return answer_placed(await stop_target(hub, who, name, "drain", await _read(request, Pausing)))


async def stop_target(hub: Context, who: Identity, name: str, mode: table.Mode, asked: Pausing) -> view.Held:
    """Pause or drain. Raises problems."""
    _check_time(asked.reason, asked.until, asked.for_seconds)
    _known_target(hub.hub, name)
    wish = table.Wish(
        mode=mode, scope="target", name=name, reason=asked.reason.strip()[:REASON_MAX],
        owner=(asked.owner.strip() or who.name)[:OWNER_MAX], who=who.name, until_at=asked.until,
        for_seconds=asked.for_seconds,
    )  # fmt: skip
    return await _place(hub, who, wish, mode)


def _known_target(hub: Hub, name: str) -> None:
    if hub.system(name) is None:
        raise Problem(404, "not-found", f"no system named {name} in systems/")


@post("/v1/systems/{name:str}/resume", status_code=200, summary="End a system's pause or drain")
async def resume(request: Request[Any, Any, Any], name: str) -> Response[bytes]:
    """What waited goes on, oldest first, within its budget; other holds on it stay."""
    hub = context(request)
    who = hub.identify(request, "operator")
    why = await _read(request, Why)
    number = await resume_target(hub, who, name, why.reason)
    return answer({"hold": number, "says": f"what waits for {name} goes on within 1 s, oldest first"})


async def resume_target(hub: Context, who: Identity, name: str, reason: str) -> int:
    """The number of the pause that ended. Raises problems."""
    _known_target(hub.hub, name)
    async with hub.pool.acquire() as connection:
        found = await table.pause_of(connection, name)
    if found is None:
        raise Problem(409, "already-so", f"{name} is neither paused nor drained")
    await lifted(hub, who, found.id, reason)
    return found.id


async def _read(request: Request[Any, Any, Any], shape: type[Any]) -> Any:
    try:
        return read(shape, await request.body())
    except (Malformed, Rejected) as error:
        raise Problem(400, "bad-hold", f"the body does not say it: {error}") from None


HANDLERS = (list_holds, read_hold, place_hold, lift_hold, pause, drain, resume)
