"""Erasures over HTTP: look what names a person, ask for its erasure, approve what a colleague asked for."""

from typing import Any

import asyncpg
import msgspec
from litestar import Request, Response, get, post

from crossdock.access.tokens import Identity
from crossdock.api.context import Context, context
from crossdock.api.problems import Problem
from crossdock.api.story import answer
from crossdock.connect.reading import read
from crossdock.errors import Conflict, Malformed, Rejected
from crossdock.model.thread import KEY_LENGTH_MAX
from crossdock.runtime.erasing import BY_MAIL, Nobody, Plan, refusal
from crossdock.store import access
from crossdock.store import erasure as table
from crossdock.store.pool import LOST

REASON_MAX = 500
RULE = "erasure"


class Whom(msgspec.Struct, kw_only=True):
    """One of the two: an order's reference (shopify-eu/1042), or an e-mail address."""

    order: str = ""
    email: str = ""


class Asked(Whom, kw_only=True):
    reason: str = ""
    when_done: bool = False
    """Wait for what is under way, and erase then."""


class Why(msgspec.Struct):
    reason: str = ""


@post(
    "/v1/erasures/preview", status_code=200, summary="What names a person, and what erasing them would leave"
)
async def preview(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Changes nothing, and shows nothing personal."""
    hub = context(request)
    hub.identify(request, "operator")
    _, plan = await _planned(hub, await _read(request, Whom))
    return answer(plan_of(plan))


@post("/v1/erasures", status_code=201, summary="Erase a person: destroy the keys of what names them")
async def ask(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Done at once, or proposed where `four_eyes` names `erasure`. 409 while something of theirs is under way."""
    hub = context(request)
    who = hub.identify(request, "operator")
    asked = await _read(request, Asked)
    reason = _reason(asked.reason)
    asked_for, plan = await _planned(hub, asked)
    _check_open(plan, asked.when_done)
    async with hub.pool.acquire() as connection:
        other = await table.open_for(connection, plan.subjects)
        if other is not None:
            raise Problem(409, "already-so", f"erasure E-{other.id} of this person is {other.state} already")
        made = await table.propose(
            connection, plan.subjects, asked_for, who, reason=reason, when_done=asked.when_done
        )
        await access.note_action(connection, who.name, "ask erasure", f"E-{made.id}", reason, of=asked_for)
    if RULE not in hub.hub.policy.four_eyes:
        await _settle(hub, made, who, reason)
    return await _told(hub, made.id, plan, 201)


@get("/v1/erasures", summary="Erasures, newest first")
async def list_erasures(request: Request[Any, Any, Any], before: int = 0, limit: int = 50) -> Response[bytes]:
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        found = await table.newest(connection, before=before, limit=limit)
    return answer({"erasures": [erasure_of(x) for x in found]})


@get("/v1/erasures/{number:int}", summary="One erasure: whom by, why, what it took and what it left")
async def read_erasure(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    hub = context(request)
    hub.identify(request, "read")
    return answer(erasure_of(await _found(hub, number)))


@post(
    "/v1/erasures/{number:int}/approve",
    status_code=200,
    summary="Let an erasure that a colleague asked for be done",
)
async def approve(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    """What names the person is looked up again; 409 where something is under way and it shall not wait for that."""
    hub = context(request)
    who = hub.identify(request, "operator")
    why = await _read(request, Why)
    made = await _found(hub, number)
    refused = refusal(made, who, four_eyes=RULE in hub.hub.policy.four_eyes)
    if refused:
        raise Problem(403, "four-eyes", refused)
    async with hub.reader.acquire() as connection:
        try:
            plan = await hub.eraser.plan(connection, made.subjects)
        except Conflict as error:
            raise Problem(409, "conflict", str(error)) from None
    _check_open(plan, made.when_done)
    await _settle(hub, made, who, why.reason.strip()[:REASON_MAX])
    return await _told(hub, number, plan, 200)


@post("/v1/erasures/{number:int}/reject", status_code=200, summary="Refuse an erasure that was asked for")
async def reject(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    reason = _reason((await _read(request, Why)).reason)
    made = await _found(hub, number)
    async with hub.pool.acquire() as connection:
        try:
            await table.decide(connection, made.id, "rejected", who.name, reason)
        except Conflict as error:
            raise Problem(409, "conflict", str(error)) from None
        await access.note_action(connection, who.name, "reject erasure", f"E-{made.id}", reason)
    return answer(erasure_of(await _found(hub, number)))


async def _planned(hub: Context, whom: Whom) -> tuple[str, Plan]:
    """(what it is asked by, plan). Raises problems."""
    order, mail = whom.order.strip().removeprefix("order/"), whom.email.strip()
    if bool(order) == bool(mail) or len(order + mail) > KEY_LENGTH_MAX or "\0" in order + mail:
        raise Problem(400, "bad-request", "say whom: an order's reference, or an e-mail address")
    async with hub.reader.acquire() as connection:
        try:
            subjects = await hub.eraser.subjects(connection, f"order/{order}", mail)
            return (BY_MAIL if mail else f"order/{order}"), await hub.eraser.plan(connection, subjects)
        except Nobody as error:
            raise Problem(404, "no-such-person", str(error)) from None
        except Conflict as error:
            raise Problem(409, "conflict", str(error)) from None


def _check_open(plan: Plan, when_done: bool) -> None:
    if plan.waits and not when_done:
        more = f", and {len(plan.waits) - 1} more" if len(plan.waits) > 1 else ""
        remedy = "Let it finish, cancel the order or settle its cases; or ask with when_done, and it is erased then."
        raise Problem(
            409, "still-open", f"{plan.waits[0]}{more}. {remedy}",
            errors=tuple({"pointer": "", "detail": x} for x in plan.waits[:20]),
        )  # fmt: skip


async def _settle(hub: Context, made: table.Erasure, who: Identity, because: str) -> None:
    """Decided; done now, where nothing is in the way."""
    async with hub.pool.acquire() as connection:
        try:
            await table.decide(connection, made.id, "waiting", who.name, because)
            await access.note_action(connection, who.name, "approve erasure", f"E-{made.id}", because)
            decided = await table.find(connection, made.id)
            assert decided is not None
            await hub.eraser.carry_out(connection, decided)
        except Conflict as error:
            raise Problem(409, "conflict", str(error)) from None
        except (*LOST, asyncpg.PostgresError):
            pass  # it is decided, and done in the background
    hub.erasing.ring()


async def _found(hub: Context, number: int) -> table.Erasure:
    async with hub.reader.acquire() as connection:
        made = await table.find(connection, number)
    if made is None:
        raise Problem(404, "no-such-thing", f"there is no erasure E-{number}")
    return made


async def _told(hub: Context, number: int, plan: Plan, status: int) -> Response[bytes]:
    made = await _found(hub, number)
    body = {"erasure": erasure_of(made), "plan": plan_of(plan), "says": says(hub, made)}
    found = answer(body, Location=f"/v1/erasures/{number}")
    found.status_code = status
    return found


def says(hub: Context, made: table.Erasure) -> str:
    """What becomes of it, in a sentence."""
    match made.state:
        case "proposed":
            return f"another person must approve it: crossdock erasure approve E-{made.id}"
        case "waiting":
            return "it is done as soon as nothing of the person is under way"
        case "rejected":
            return "nothing was erased"
    return "every process forgets the keys within 3 s; backups from before are erased again when they are restored"


def erasure_of(made: table.Erasure) -> dict[str, Any]:
    """As people name it; data subjects and access keys stay inside."""
    fields = msgspec.structs.asdict(made)
    for name in ("subjects", "proposed_key"):
        del fields[name]
    return fields | {"name": f"E-{made.id}"}


def plan_of(plan: Plan) -> dict[str, Any]:
    return {
        "threads": plan.threads, "shared": plan.shared, "waits": plan.waits, "messages": plan.messages, "kept": plan.kept,
        "effects": plan.effects, "elsewhere": plan.elsewhere, "left": plan.left,
        "texts": [{"place": x.place.rstrip("0123456789").rstrip("_"), "columns": sorted(x.changes)} for x in plan.texts],
    }  # fmt: skip


def _reason(text: str) -> str:
    if not text.strip():
        raise Problem(400, "reason-missing", "say why, without naming the person: it is kept for good")
    return text.strip()[:REASON_MAX]


async def _read(request: Request[Any, Any, Any], shape: type[Any]) -> Any:
    try:
        return read(shape, await request.body())
    except (Malformed, Rejected) as error:
        raise Problem(400, "bad-request", f"the body does not say it: {error}") from None


HANDLERS = (preview, ask, list_erasures, read_erasure, approve, reject)
