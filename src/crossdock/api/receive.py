"""Signed intake: `POST /v1/in/{system}/{channel}`. Partners' webhooks arrive here, in the partner's own form."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, Response, post

from crossdock.api.context import Context, context
from crossdock.api.problems import Problem
from crossdock.connect.contract import Inbound
from crossdock.errors import Malformed, Misconfigured, Rejected, Unauthenticated
from crossdock.runtime.intake import Unavailable
from crossdock.runtime.reception import received
from crossdock.store import access
from crossdock.store.log import Item
from crossdock.store.pool import LOST

SIZE_DIGITS_MAX = 10
NOBODY = "/unknown"
"""All senders to addresses that are none share one allowance; no system can have this name."""


@post(
    "/v1/in/{system:str}/{channel:str}",
    status_code=202,
    summary="A partner's message, signed as the partner signs",
)
async def receive(request: Request[Any, Any, Any], system: str, channel: str) -> Response[bytes]:
    """202 after the commit; a duplicate gets 200; what cannot be translated is kept and becomes a case."""
    hub = context(request)
    configured = hub.hub.system(system)
    manifest = hub.hub.manifest(system) if configured else None
    inbox = manifest.inbound.get(channel) if manifest else None
    if inbox is None:
        _admit(hub, NOBODY)
        reason = f"there is no channel {channel} of a system {system} in this landscape"
        told = request.headers.get("content-length", "")
        await _note(hub, system, reason, int(told) if told.isdecimal() and len(told) < SIZE_DIGITS_MAX else 0)
        raise Problem(404, "unknown-channel", reason)
    _admit(hub, system)
    body = await request.body()
    inbound = Inbound(
        channel=channel,
        headers={k.lower(): v for k, v in request.headers.items()},
        body=body,
        received_at=datetime.now(UTC),
    )
    await _authenticate(hub, system, inbound)
    items, problem = _translate(hub, system, inbound, inbox.dedupe_days)
    try:
        await hub.intake.submit(items)
    except Unavailable as error:
        raise Problem(503, "unavailable", str(error), retry_after=error.retry_after_seconds) from None
    if problem is not None and problem.status == 400:
        raise problem
    return _answer(items, problem)


def _admit(hub: Context, partner: str) -> None:
    refusal = hub.admission.refusal(partner)
    if refusal:
        status, reason, wait = refusal
        raise Problem(status, "shedding" if status == 503 else "too-many-requests", reason, retry_after=wait)


async def _note(hub: Context, system: str, reason: str, size: int) -> None:
    """For the operator: whoever sends to the wrong address, or signs wrongly, may be a partner."""
    try:
        async with hub.reader.acquire() as connection:
            await access.note_rejected(connection, system, reason, size)
    except LOST:
        pass


async def _authenticate(hub: Context, system: str, inbound: Inbound) -> None:
    connector = hub.hub.connector(system)
    assert connector.authenticate is not None
    try:
        connector.authenticate(inbound, hub.hub.account(system))
    except Unauthenticated as error:
        await _note(hub, system, str(error), len(inbound.body))
        raise Problem(401, "unauthenticated", f"{system}: {error}") from None
    except Misconfigured as error:
        raise Problem(503, "misconfigured", str(error), retry_after=60) from None


def _translate(hub: Context, system: str, inbound: Inbound, days: int) -> tuple[list[Item], Problem | None]:
    """The items to append, and what was wrong with the message, if anything."""
    item, trouble = received(hub.hub, hub.intake, system, inbound, days=days)
    match trouble:
        case None:
            return [item], None
        case Malformed():
            return [item], Problem(
                400,
                "malformed",
                str(trouble),
                errors=({"pointer": trouble.at, "detail": trouble.reason},),
                kept_as=item.event_id,
            )
        case Rejected():
            return [item], Problem(
                202,
                "not-translated",
                str(trouble),
                errors=({"pointer": trouble.path, "detail": trouble.reason},),
            )
        case _:
            return [item], Problem(202, "unsupported", str(trouble))


def _answer(items: list[Item], problem: Problem | None) -> Response[bytes]:
    """`threads` are those whose story tells on; a repeat of what could not be translated made none."""
    verdict = items[0].verdict or "new"
    threads = sorted({row[4] for item in items for row in item.rows})
    body: dict[str, Any] = {"id": items[0].event_id, "verdict": verdict, "threads": threads}
    if verdict != "duplicate" and items[0].message is not None:
        body["message"] = str(items[0].message[0][1])
    if problem is not None:
        if verdict == "duplicate":
            threads = body["threads"] = []
        else:
            body["verdict"] = "kept"
        body |= {"problem": problem.code, "detail": problem.detail, "errors": problem.errors}
    status = 200 if verdict == "duplicate" else 202
    headers = {"Location": f"/v1/threads/story/{threads[0]}"} if threads else {}
    return Response(
        msgspec.json.encode(body), status_code=status, media_type="application/json", headers=headers
    )
