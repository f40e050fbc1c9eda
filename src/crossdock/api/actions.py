"""What operators do through the API: retry a case's effects, resume a parked thread, release a hold. All audited."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import msgspec
from litestar import Request, Response, post

from crossdock.api.context import Context, context
from crossdock.api.events import _submit
from crossdock.api.problems import Problem
from crossdock.connect.reading import read
from crossdock.errors import Malformed, Rejected
from crossdock.model.envelope import NewEvent
from crossdock.model.movement import InboundAccepted
from crossdock.model.operations import EffectRetryRequested, ThreadResumed
from crossdock.model.order import CreditReleased, HoldReleased
from crossdock.model.shipment import FreightApproved
from crossdock.model.stock import StockBookAgain
from crossdock.processes.receiving import ACCEPT
from crossdock.processes.stock import UNBOOKED
from crossdock.store import access, casework
from crossdock.views.retryable import EFFECT_KEY_LENGTH, FREIGHT, HOLD
from crossdock.views.words import counted

RETRY_MAX = 1000
REASON_MAX = 500


class Reason(msgspec.Struct):
    """Every action says why."""

    reason: str


class Retry(msgspec.Struct):
    """`posting_on`: what was refused is sent with this posting date."""

    reason: str
    posting_on: date | None = None


async def _reason(request: Request[Any, Any, Any]) -> str:
    try:
        return read(Reason, await request.body()).reason[:REASON_MAX]
    except (Malformed, Rejected) as error:
        raise Problem(
            400, "reason-missing", 'send {"reason": "…"}: it stands in the story afterwards'
        ) from error


async def _say(hub: Context, who: str, events: list[NewEvent]) -> None:
    items = [
        hub.intake.item(f"operator/{who}", event.id, (event,), content=event.id.encode()[:16])
        for event in events
    ]
    await _submit(hub, items)


@post(
    "/v1/cases/{number:int}/retry",
    status_code=202,
    summary="Try the effects of a case again: same effects, new attempts",
)
async def retry_case(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    wish = await _retry(request)
    reason = wish.reason[:REASON_MAX]
    rows = await hub.reader.fetch(
        "select thread_key, key from case_link where case_id = $1 and closed_at is null order by opened_at limit $2", number, RETRY_MAX
    )  # fmt: skip
    if not rows:
        raise Problem(404, "no-such-case", f"case C-{number} is not open or does not exist")
    events = await retries(hub, [(row["thread_key"], row["key"]) for row in rows], who.name, wish)
    said = [event for event in events if event is not None]
    await _say(hub, who.id, said)
    async with hub.reader.acquire() as connection:
        dated = f", posting date {wish.posting_on}" if wish.posting_on else ""
        await casework.note(
            connection, number, who.name, "retry", f"{counted(len(said), 'thing')}{dated}: {reason}"
        )
        await access.note_action(connection, who.name, "retry", f"case C-{number}", reason, count=len(said))
    body = {"case": number, "retried": len(said), "skipped": len(events) - len(said)}
    return Response(msgspec.json.encode(body), status_code=202, media_type="application/json")


async def _retry(request: Request[Any, Any, Any]) -> Retry:
    try:
        return read(Retry, await request.body())
    except (Malformed, Rejected) as error:
        if "posting_on" in str(error):
            raise Problem(400, "bad-query", "posting_on is a day, as 2026-12-01") from error
        raise Problem(
            400, "reason-missing", 'send {"reason": "…"}: it stands in the story afterwards'
        ) from error


async def retries(hub: Context, links: list[tuple[str, str]], who: str, wish: Retry) -> list[NewEvent | None]:
    """For each (thread, key) that a case blocks what makes it go on, or None. With a posting date, only what was refused
    and is booked on a day. Raises 409 where nothing is.
    """
    if wish.posting_on is None:
        return [_retry_of(thread, key, who, wish.reason[:REASON_MAX]) for thread, key in links]
    ids = [UUID(key) for _, key in links if len(key) == EFFECT_KEY_LENGTH]
    rows = await hub.reader.fetch(
        "select id, account, kind from effect where id = any($1) and state = 5", ids
    )
    dated = {str(row["id"]) for row in rows if has_posting_date(hub, row["account"], row["kind"])}
    if not dated:
        detail = "nothing that it blocks was refused and is booked on a day: retry it without posting_on"
        raise Problem(409, "no-posting-date", detail)
    return [
        NewEvent(
            thread=thread, data=EffectRetryRequested(key, who, wish.reason[:REASON_MAX], wish.posting_on), id=uuid4().hex
        )
        if key in dated
        else None
        for thread, key in links
    ]  # fmt: skip


def has_posting_date(hub: Context, account: str, kind: str) -> bool:
    if account not in hub.hub.landscape.systems:
        return False
    traits = hub.hub.manifest(account).effects.get(kind)
    return traits is not None and traits.posting_date


def _retry_of(thread: str, key: str, who: str, reason: str) -> NewEvent | None:
    """What makes the blocked thing go on, if anything here can."""
    if key == "parked":
        return NewEvent(thread=thread, data=ThreadResumed(who, reason), id=uuid4().hex)
    if key == "hold":
        return NewEvent(thread=thread, data=CreditReleased(who), id=uuid4().hex)
    if key.startswith(HOLD):
        return NewEvent(thread=thread, data=HoldReleased(key.removeprefix(HOLD), who), id=uuid4().hex)
    if key.startswith(FREIGHT):
        return NewEvent(thread=thread, data=FreightApproved(key.removeprefix(FREIGHT), who), id=uuid4().hex)
    if key.startswith(ACCEPT):
        return NewEvent(thread=thread, data=InboundAccepted(key.removeprefix(ACCEPT), who), id=uuid4().hex)
    if key.startswith(UNBOOKED):
        return NewEvent(thread=thread, data=StockBookAgain(key.removeprefix(UNBOOKED), who), id=uuid4().hex)
    if len(key) == EFFECT_KEY_LENGTH:
        return NewEvent(thread=thread, data=EffectRetryRequested(key, who, reason), id=uuid4().hex)
    return None


@post(
    "/v1/threads/resume/{thread:path}",
    status_code=202,
    summary="Let a parked thread go on, in the order its events came",
)
async def resume_thread(request: Request[Any, Any, Any], thread: str) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    reason = await _reason(request)
    key = thread.lstrip("/")
    await _say(hub, who.id, [NewEvent(thread=key, data=ThreadResumed(who.name, reason), id=uuid4().hex)])
    async with hub.reader.acquire() as connection:
        await access.note_action(connection, who.name, "resume", key, reason)
    return Response(msgspec.json.encode({"thread": key}), status_code=202, media_type="application/json")
