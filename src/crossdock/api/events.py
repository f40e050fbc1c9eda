"""Canonical events: one CloudEvent a request, or a batch. Answered after the commit; one bad event stops no other."""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec
from litestar import Request, Response, post

from crossdock.api.context import Context, context
from crossdock.api.problems import Problem
from crossdock.connect.reading import parse
from crossdock.errors import Malformed
from crossdock.runtime.canonical import read_event
from crossdock.runtime.intake import Raw, Unavailable, subject_named
from crossdock.store.log import Item

BATCH_EVENTS_MAX = 1000
SINGLE_BYTES_MAX = 1024 * 1024
_list = msgspec.json.Decoder(list[msgspec.Raw])
_encode = msgspec.json.Encoder().encode


@post("/v1/events", status_code=202, summary="Append one canonical event (CloudEvents 1.0, structured JSON)")
async def append_one(request: Request[Any, Any, Any]) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "events")
    _admit(hub, who.id)
    body = await request.body()
    if len(body) > SINGLE_BYTES_MAX:
        raise Problem(413, "too-large", f"a single event may have {SINGLE_BYTES_MAX} bytes")
    now = datetime.now(UTC)
    event, source, error = read_event(body)
    if error or event is None:
        if not error.get("kept"):
            raise Problem(400, "malformed", error["detail"], errors=(error,))
        await _submit(hub, [_kept(hub, who.name, body, error, "")])
        raise Problem(
            422,
            "not-an-event",
            error["detail"],
            errors=({"pointer": error["pointer"], "detail": error["detail"]},),
        )
    kept = hub.intake.keep(Raw(system=source, channel="events", body=body, subject=subject_named(event)))
    item = hub.intake.item(source, event.id, (event,), content=kept.content, kept=kept, now=now)
    await _submit(hub, [item])
    answer = _encode({"id": event.id, "verdict": item.verdict, "thread": event.thread})
    return Response(
        answer, status_code=200 if item.verdict == "duplicate" else 202, media_type="application/json",
        headers={"Location": f"/v1/threads/story/{event.thread}"},
    )  # fmt: skip


@post("/v1/events/batch", status_code=200, summary="Append up to 1000 canonical events; one verdict each")
async def append_batch(request: Request[Any, Any, Any]) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "events")
    _admit(hub, who.id)
    body = await request.body()
    try:
        parts = _list.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        raise _not_a_list(body) from None
    if len(parts) > BATCH_EVENTS_MAX:
        raise Problem(
            413, "too-large", f"a batch may have {BATCH_EVENTS_MAX} events, this one has {len(parts)}"
        )
    now = datetime.now(UTC)
    kept = hub.intake.keep(Raw(system=who.name, channel="events-batch", body=body))
    items: list[Item] = []
    failed: dict[int, dict[str, str]] = {}
    for place, part in enumerate(parts):
        raw = bytes(part)
        event, source, error = read_event(raw)
        if event is None or error:
            failed[place] = error
            items.append(_kept(hub, who.name, raw, error, str(place)))
            continue
        content = blake2b(raw, digest_size=16).digest()
        items.append(hub.intake.item(source, event.id, (event,), content=content, kept=kept, now=now))
    await _submit(hub, items)
    results = [
        {"id": item.event_id, "verdict": item.verdict} if place not in failed
        else {"verdict": "kept", "errors": [{"pointer": failed[place]["pointer"], "detail": failed[place]["detail"]}]}
        for place, item in enumerate(items)
    ]  # fmt: skip
    return Response(msgspec.json.encode({"results": results}), media_type="application/json")


def _admit(hub: Context, partner: str) -> None:
    refusal = hub.admission.refusal(partner)
    if refusal:
        status, reason, wait = refusal
        raise Problem(status, "shedding" if status == 503 else "too-many-requests", reason, retry_after=wait)


async def _submit(hub: Context, items: list[Item]) -> None:
    try:
        await hub.intake.submit(items)
    except Unavailable as error:
        raise Problem(503, "unavailable", str(error), retry_after=error.retry_after_seconds) from None


def _not_a_list(body: bytes) -> Problem:
    try:
        parse(body)
    except Malformed as error:
        return Problem(400, "malformed", str(error), errors=({"pointer": error.at, "detail": error.reason},))
    return Problem(
        400,
        "malformed",
        "a batch is a JSON array of CloudEvents",
        errors=({"pointer": "", "detail": "not an array"},),
    )


def _kept(hub: Context, who: str, body: bytes, error: dict[str, str], part: str) -> Item:
    raw = Raw(system=who, channel="events", body=body)
    return hub.intake.untranslated(raw, "value", error["pointer"], error["detail"], part=part)


@post("/v1/bench/noop", status_code=202, include_in_schema=False)
async def noop(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The yardstick of `bench append`: authentication and body read, and nothing else."""
    context(request).identify(request, "events")
    await request.body()
    return Response(b"{}", status_code=202, media_type="application/json")
