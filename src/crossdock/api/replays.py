"""Replays over HTTP: preview what a selection would do, run it slowly, look at what became of each item, stop and go on."""

from collections import Counter
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from crossdock.access.tokens import Identity
from crossdock.api.context import Context, context
from crossdock.api.corrections import Reason, answer, body_of, reason_of, seen_version
from crossdock.api.problems import Problem
from crossdock.errors import Conflict, Misconfigured
from crossdock.model.thread import KEY_LENGTH_MAX
from crossdock.runtime.outlook import Outlook, picked_text
from crossdock.runtime.picking import Selection, pick
from crossdock.store import access
from crossdock.store import replays as table
from crossdock.store.replays import Picked

PREVIEW_MAX: Final = 1000
"""So many items are judged before a run; what more there is is counted."""
PER_SECOND: Final = 20.0
PER_SECOND_MAX: Final = 500.0


class Asked(msgspec.Struct):
    """What to replay; at least one of where, case, thread or since."""

    reason: str = ""
    where: str = ""
    case: int = 0
    thread: str = ""
    since: datetime | None = None
    until: datetime | None = None
    per_second: float = PER_SECOND
    dry_run: bool = False

    def selection(self) -> Selection:
        for at in (self.since, self.until):
            if at is not None and at.tzinfo is None:
                raise Problem(400, "bad-query", "since and until need an offset (RFC 3339)")
        if not (self.where.strip() or self.case or self.thread or self.since):
            raise Problem(400, "bad-query", "say what to replay: where, case, thread or since")
        if not 0 < self.per_second <= PER_SECOND_MAX:
            raise Problem(400, "bad-query", f"per_second is above 0 and at most {PER_SECOND_MAX:.0f}")
        thread = self.thread.strip("/")[:KEY_LENGTH_MAX]
        return Selection(self.where.strip(), self.case, thread, self.since, self.until)


async def picked(hub: Context, asked: Asked) -> tuple[Selection, list[Picked]]:
    """Raises a problem that says what to change."""
    wanted = asked.selection()
    try:
        found = await pick(hub.reader, wanted)
    except Misconfigured as error:
        raise Problem(400, "bad-query", str(error)) from None
    except Conflict as error:
        raise Problem(409, "conflict", str(error)) from None
    return wanted, found


async def preview(hub: Context, asked: Asked) -> dict[str, Any]:
    """What would become of each item today, and what it would cost each target."""
    wanted, found = await picked(hub, asked)
    outlooks: list[Outlook] = []
    for one in found[:PREVIEW_MAX]:
        async with hub.reader.acquire() as connection:
            outlooks.append(await hub.judge.look(connection, one))
    told = [picked_text(out) for out in outlooks]
    return {
        "selection": str(wanted), "count": len(found), "judged": len(told), "verdicts": Counter(x["verdict"] for x in told),
        "seconds": round(len(found) / asked.per_second, 1), "targets": _targets(hub, outlooks, len(found) / asked.per_second),
        "items": told,
    }  # fmt: skip


def _targets(hub: Context, outlooks: list[Outlook], seconds: float) -> list[dict[str, Any]]:
    """Calls by target, and which share of its budget they take while the replay runs. What follows later is not known yet."""
    calls: Counter[str] = sum((out.calls for out in outlooks), Counter())
    told = []
    for name, count in sorted(calls.items()):
        limits = hub.hub.manifest(name).limits if hub.hub.system(name) else None
        rate = limits.rate_per_second if limits else 0.0
        share = round(100 * count / (rate * max(1.0, seconds)), 1) if rate else None
        told.append({"system": name, "calls": count, "per_second": rate or None, "percent": share})
    return told


async def begin(hub: Context, who: Identity, asked: Asked) -> table.Replay:
    """Stored with its items; it is worked off in the background."""
    reason = reason_of(asked.reason)
    wanted, found = await picked(hub, asked)
    if not found:
        raise Problem(404, "no-such-thing", f"nothing to replay: {wanted}")
    async with hub.pool.acquire() as connection:
        number = await table.begin(
            connection, str(wanted), found, who, reason=reason, per_second=asked.per_second
        )
        await access.note_action(
            connection, who.name, "replay", f"R-{number}", reason, selection=str(wanted), count=len(found)
        )
    hub.replaying.ring()
    return await found_of(hub, number)


async def found_of(hub: Context, number: int) -> table.Replay:
    async with hub.pool.acquire() as connection:
        made = await table.find(connection, number)
    if made is None:
        raise Problem(404, "no-such-replay", f"there is no replay R-{number}")
    return made


async def turn(hub: Context, who: Identity, made: table.Replay, what: str, reason: str) -> table.Replay:
    """Stop it where it is, or go on from there."""
    try:
        async with hub.pool.acquire() as connection:
            await table.turn(connection, made, "stopped" if what == "stop" else "running")
            await access.note_action(connection, who.name, f"replay {what}", f"R-{made.id}", reason)
    except Conflict as error:
        raise Problem(409, "conflict", str(error)) from None
    hub.replaying.ring()
    return await found_of(hub, made.id)


def told_of(made: table.Replay) -> dict[str, Any]:
    fields = msgspec.structs.asdict(made)
    fields.pop("asked_key")
    return fields | {"name": f"R-{made.id}", "count": sum(made.counts.values())}


@post(
    "/v1/replays",
    status_code=201,
    summary="Replay a selection; with dry_run, say what would become of each item",
)
async def ask(request: Request[Any, Any, Any]) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    asked: Asked = await body_of(request, Asked)
    if asked.dry_run:
        return answer(await preview(hub, asked))
    made = await begin(hub, who, asked)
    return answer(told_of(made), status=201, version=made.version, Location=f"/v1/replays/{made.id}")


@get("/v1/replays", summary="Replays, newest first")
async def list_replays(request: Request[Any, Any, Any], before: int = 0, limit: int = 50) -> Response[bytes]:
    """`next` of the answer is the `before` of the next page."""
    hub = context(request)
    hub.identify(request, "read")
    async with hub.reader.acquire() as connection:
        found = await table.newest(connection, before=before, limit=limit)
    following = found[-1].id if len(found) == limit else None
    return answer({"replays": [told_of(x) for x in found], "next": following})


@get("/v1/replays/{number:int}", summary="A replay, and what became of each item")
async def read_replay(
    request: Request[Any, Any, Any], number: int, after: int = 0, limit: int = 200, status: str = ""
) -> Response[bytes]:
    """`next` of the answer is the `after` of the next page; `status` picks items: waiting, done, skipped, failed."""
    hub = context(request)
    hub.identify(request, "read")
    made = await found_of(hub, number)
    limit = max(0, min(limit, table.PAGE_MAX))
    async with hub.reader.acquire() as connection:
        items = await table.items(connection, number, after=after, limit=limit, state=status) if limit else []
    following = items[-1].no if items and len(items) == limit else None
    return answer(told_of(made) | {"items": items, "next": following}, version=made.version)


@post("/v1/replays/{number:int}/stop", status_code=200, summary="Stop a replay; what it did stays done")
async def stop(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    return await _turned(request, number, "stop")


@post("/v1/replays/{number:int}/resume", status_code=200, summary="Let a stopped replay go on where it was")
async def resume(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    return await _turned(request, number, "resume")


async def _turned(request: Request[Any, Any, Any], number: int, what: str) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    reason = reason_of((await body_of(request, Reason)).reason)
    made = await found_of(hub, number)
    seen_version(request, made.version)
    made = await turn(hub, who, made, what, reason)
    return answer(told_of(made), version=made.version)


HANDLERS: list[HTTPRouteHandler] = [ask, list_replays, read_replay, stop, resume]
