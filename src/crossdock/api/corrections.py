"""Corrections over HTTP: propose, look, approve or reject; rules made of them. Changes need the version that was seen (If-Match)."""

from typing import Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from crossdock.access.sealing import Unsealable
from crossdock.access.tokens import Identity
from crossdock.api.context import Context, context
from crossdock.api.events import _submit
from crossdock.api.problems import Problem
from crossdock.api.story import names_of
from crossdock.connect.reading import read
from crossdock.errors import Conflict, Malformed, Rejected, Unsupported
from crossdock.runtime import correcting, correcting_facts
from crossdock.runtime.correcting import Draft, Edit, Unknown
from crossdock.runtime.reading_again import trouble_of, understand
from crossdock.store import access
from crossdock.store import corrections as table
from crossdock.store.messages import Message
from crossdock.views import corrections as view
from crossdock.views.words import happened

REASON_MAX: Final = 500
_encode = msgspec.json.Encoder(decimal_format="string").encode


class Proposed(msgspec.Struct):
    """One of `message` (its id), `event` (its reference) and `code` (LIST/ENTRY, with `value`); `dry_run` keeps nothing."""

    reason: str = ""
    message: str = ""
    event: str = ""
    code: str = ""
    value: str | None = None
    content: str | None = None
    set: dict[str, Any] = {}
    shown: str | None = None
    dry_run: bool = False


class Reason(msgspec.Struct):
    reason: str = ""


async def body_of(request: Request[Any, Any, Any], shape: type[Any]) -> Any:
    """The request's JSON. Raises a 400 that names the field."""
    try:
        return read(shape, await request.body() or b"{}")
    except (Malformed, Rejected) as error:
        where, what = trouble_of(error)
        raise Problem(400, "bad-request", str(error), errors=({"pointer": where, "detail": what},)) from None


def reason_of(text: str) -> str:
    if not text.strip():
        raise Problem(400, "reason-missing", 'send {"reason": "…"}: it stands in the story afterwards')
    return text.strip()[:REASON_MAX]


def answer(body: Any, *, status: int = 200, version: int | None = None, **headers: str) -> Response[bytes]:
    """`version` becomes the ETag that a change must send back."""
    tagged = headers if version is None else headers | {"ETag": f'"{version}"'}
    return Response(
        _encode(body),
        status_code=status,
        media_type="application/json",
        headers=tagged | {"Cache-Control": "no-store"},
    )


def seen_version(request: Request[Any, Any, Any], version: int) -> None:
    """Whoever changes something says which version they saw."""
    given = request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')
    if not given:
        raise Problem(428, "precondition-required", "send If-Match with the ETag of what you looked at")
    if given not in ("*", str(version)):
        raise Problem(412, "changed-meanwhile", f"it is at version {version}, not {given}: look again")


async def draft_of(hub: Context, asked: Proposed) -> Draft:
    """What the correction would be. Raises the problem, with the path that is wrong in the corrected body."""
    targets: dict[table.Kind, str] = {"message": asked.message, "event": asked.event, "code": asked.code}
    named = [(kind, target) for kind, target in targets.items() if target]
    if len(named) != 1:
        raise Problem(400, "bad-request", "say what to correct: one of message, event and code")
    kind, target = named[0]
    content = None if asked.content is None else asked.content.encode()
    if kind == "code":
        content = msgspec.json.encode({target.partition("/")[2]: asked.value or ""})
    edit = Edit(content, asked.set if kind != "code" else {}, asked.shown)
    try:
        async with hub.reader.acquire() as connection:
            return await correcting_facts.proposed(connection, hub.hub, hub.intake, named[0], edit)
    except (Unknown, Unsealable, Conflict, Malformed, Rejected, Unsupported) as error:
        raise refused(error) from None


def refused(error: Exception) -> Problem:
    match error:
        case Unknown():
            return Problem(404, "no-such-thing", str(error))
        case Unsealable():
            return Problem(410, "erased", f"it cannot be opened any more: {error}")
        case Conflict():
            return Problem(409, "conflict", str(error))
        case Malformed() | Rejected() | Unsupported():
            where, what = trouble_of(error)
            errors = ({"pointer": where, "detail": what},)
            return Problem(
                422, "still-wrong", f"the corrected body cannot be read either: {error}", errors=errors
            )
        case _:
            raise error


def would_of(hub: Context, draft: Draft) -> dict[str, Any]:
    """What it changes, and the events that would follow."""
    names, events = names_of(hub.hub), draft.understood.events
    known = view.tokens(events)
    personal = bool(draft.subject) or bool(known)
    would = [
        {"thread": e.thread, "type": e.type, "text": names.plain(happened(e.type, names.of(draft.understood.source), e.data))}
        for e in events
    ]  # fmt: skip
    found = view.changes(draft.original, draft.corrected, known, personal=personal)
    offered = view.promotable(found) if draft.kind == "message" else []
    return {
        "would": would, "changes": found.changes, "hidden": found.hidden, "more": found.more,
        "promotable": list(dict.fromkeys(offered)),
    }  # fmt: skip


def told_of(hub: Context, made: table.Correction) -> dict[str, Any]:
    """As people name it; the ids of access keys stay inside."""
    fields = msgspec.structs.asdict(made)
    for name in ("proposed_key", "decided_key", "content"):
        fields.pop(name)
    return fields | {"name": f"K-{made.id}", "needs_second": made.kind in hub.hub.policy.four_eyes}


async def propose(hub: Context, who: Identity, asked: Proposed) -> tuple[table.Correction, Draft]:
    """Kept beside the original; counted at once where no second person is needed."""
    reason = reason_of(asked.reason)
    draft = await draft_of(hub, asked)
    try:
        async with hub.pool.acquire() as connection:
            made = await correcting.propose(connection, hub.intake, draft, who, reason)
            await access.note_action(
                connection, who.name, "correct", f"{made.kind} {made.target}", reason, correction=made.id
            )
    except Conflict as error:
        raise refused(error) from None
    if made.kind not in hub.hub.policy.four_eyes:
        async with hub.pool.acquire() as connection:
            made = await table.decide(connection, made, "approved", who, reason)
        made = await apply(hub, draft, made)
    return made, draft


async def apply(hub: Context, draft: Draft, made: table.Correction) -> table.Correction:
    """Taken in as if it had come from its system; a second try of this adds nothing."""
    await _submit(hub, correcting.items(hub.intake, draft, made))
    async with hub.pool.acquire() as connection:
        return await table.applied(connection, made.id, draft.threads)


async def found_of(hub: Context, number: int) -> table.Correction:
    async with hub.reader.acquire() as connection:
        made = await table.find(connection, number)
    if made is None:
        raise Problem(404, "no-such-correction", f"there is no correction K-{number}")
    return made


async def judged_again(hub: Context, made: table.Correction) -> Draft:
    try:
        async with hub.reader.acquire() as connection:
            return await correcting_facts.again(connection, hub.hub, hub.intake, made)
    except (Unknown, Unsealable, Conflict, Malformed, Rejected, Unsupported) as error:
        raise refused(error) from None


async def approve(hub: Context, who: Identity, made: table.Correction, reason: str) -> table.Correction:
    """By a second person where policy asks for one; judged again, since the world may have moved on."""
    if made.state not in ("proposed", "approved"):
        raise Problem(409, "already-decided", f"correction K-{made.id} is {made.state}")
    same = who.id == made.proposed_key or who.name == made.proposed_by
    if same and made.kind in hub.hub.policy.four_eyes:
        raise Problem(
            403, "four-eyes", f"{made.proposed_by} proposed K-{made.id}: a second person must approve it"
        )
    draft = await judged_again(hub, made)
    if made.state == "proposed":
        try:
            async with hub.pool.acquire() as connection:
                made = await table.decide(connection, made, "approved", who, reason)
                await access.note_action(connection, who.name, "approve", f"K-{made.id}", reason)
        except Conflict as error:
            raise refused(error) from None
    return await apply(hub, draft, made)


async def reject(hub: Context, who: Identity, made: table.Correction, reason: str) -> table.Correction:
    try:
        async with hub.pool.acquire() as connection:
            made = await table.decide(connection, made, "rejected", who, reason)
            await access.note_action(connection, who.name, "reject", f"K-{made.id}", reason)
    except Conflict as error:
        raise refused(error) from None
    return made


async def body_text(hub: Context, target: str, *, reveal: bool) -> str:
    """The text that a form was made of: what was shown there stays what it was unless it was edited."""
    async with hub.reader.acquire() as connection:
        message = await correcting.message(connection, hub.hub, target)
    return view.text(message.body, _known(hub, message)[0], reveal=reveal)[0]


def _known(hub: Context, message: Message) -> tuple[set[str], tuple[str, str] | None]:
    """Personal values that its events name, and what today's mapping cannot read."""
    try:
        return view.tokens(understand(hub.hub, hub.intake, message).events), None
    except (Malformed, Rejected, Unsupported) as error:
        return set(), trouble_of(error)


async def message_of(hub: Context, target: str, *, reveal_as: str = "", reason: str = "") -> dict[str, Any]:
    """A kept message for whoever will correct it; personal data hidden unless that was asked for and recorded first."""
    try:
        async with hub.reader.acquire() as connection:
            if reveal_as:
                await access.note_action(connection, reveal_as, "reveal", f"message {target[:100]}", reason)
            message = await correcting.message(connection, hub.hub, target)
            history = await table.newest(connection, target=target)
    except (Unknown, Unsealable) as error:
        raise refused(error) from None
    known, wrong = _known(hub, message)
    text, hides = view.text(message.body, known, reveal=bool(reveal_as))
    return {
        "message": str(message.id), "system": message.system, "channel": message.channel, "received_at": message.received_at,
        "size": len(message.body), "outcome": message.outcome, "was_read": message.was_read,
        "trouble": {"path": wrong[0], "reason": wrong[1]} if wrong else None, "body": text, "hides": hides,
        "revealed": bool(reveal_as), "corrections": [told_of(hub, x) for x in history],
    }  # fmt: skip


async def event_of(hub: Context, ref: str) -> dict[str, Any]:
    """An event for whoever will correct it: its data, without people."""
    try:
        async with hub.reader.acquire() as connection:
            row = await correcting_facts.event_row(connection, ref)
            history = await table.newest(connection, target=ref)
    except (Unknown, Conflict) as error:
        raise refused(error) from None
    body = msgspec.json.format(row["data"], indent=2).decode()
    return {
        "event": ref, "system": row["source"], "channel": row["type"], "received_at": row["recorded_at"], "size": len(row["data"]),
        "was_read": True, "trouble": None, "body": body, "hides": False, "revealed": False, "thread": row["thread_key"],
        "corrections": [told_of(hub, x) for x in history],
    }  # fmt: skip


@get("/v1/messages/{target:str}", summary="A raw message as it came, and what today's mapping says of it")
async def read_message(
    request: Request[Any, Any, Any], target: str, reveal: bool = False, reason: str = ""
) -> Response[bytes]:
    """Personal data is masked; `reveal=true` needs the scope operator and a reason, which is recorded."""
    hub = context(request)
    who = hub.identify(request, "operator" if reveal else "read")
    said = reason_of(reason) if reveal else ""
    return answer(await message_of(hub, target, reveal_as=who.name if reveal else "", reason=said))


@post(
    "/v1/corrections", status_code=201, summary="Propose a correction; with dry_run, say what it would give"
)
async def propose_correction(request: Request[Any, Any, Any]) -> Response[bytes]:
    """201; `applied` at once where policy asks for no second person."""
    hub = context(request)
    who = hub.identify(request, "operator")
    asked: Proposed = await body_of(request, Proposed)
    if asked.dry_run:
        return answer(would_of(hub, await draft_of(hub, asked)))
    made, draft = await propose(hub, who, asked)
    body = told_of(hub, made) | would_of(hub, draft)
    return answer(body, status=201, version=made.version, Location=f"/v1/corrections/{made.id}")


@get("/v1/corrections", summary="Corrections, newest first")
async def list_corrections(
    request: Request[Any, Any, Any], status: str = "", target: str = "", before: int = 0, limit: int = 50
) -> Response[bytes]:
    """`next` of the answer is the `before` of the next page."""
    hub = context(request)
    hub.identify(request, "read")
    limit = max(1, min(limit, table.LIST_MAX))
    async with hub.reader.acquire() as connection:
        found = await table.newest(connection, state=status, target=target, before=before, limit=limit)
    following = found[-1].id if len(found) == limit else None
    return answer({"corrections": [told_of(hub, x) for x in found], "next": following})


@get("/v1/corrections/{number:int}", summary="One correction: what it changes, who proposed and approved it")
async def read_correction(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    hub = context(request)
    hub.identify(request, "read")
    made = await found_of(hub, number)
    return answer(told_of(hub, made) | await shown_of(hub, made), version=made.version)


async def shown_of(hub: Context, made: table.Correction) -> dict[str, Any]:
    """What it changes; `objection` where today it would not be accepted any more."""
    try:
        return would_of(hub, await judged_again(hub, made)) | {"objection": ""}
    except Problem as problem:
        return {
            "would": [],
            "changes": [],
            "hidden": 0,
            "more": 0,
            "promotable": [],
            "objection": problem.detail if made.state in ("proposed", "approved") else "",
        }


@post(
    "/v1/corrections/{number:int}/approve",
    status_code=200,
    summary="Approve a correction: it counts from now on",
)
async def approve_correction(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    reason = reason_of((await body_of(request, Reason)).reason)
    made = await found_of(hub, number)
    seen_version(request, made.version)
    made = await approve(hub, who, made, reason)
    return answer(told_of(hub, made), version=made.version)


@post(
    "/v1/corrections/{number:int}/reject", status_code=200, summary="Reject a correction: the original stands"
)
async def reject_correction(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    reason = reason_of((await body_of(request, Reason)).reason)
    made = await found_of(hub, number)
    seen_version(request, made.version)
    made = await reject(hub, who, made, reason)
    return answer(told_of(hub, made), version=made.version)


HANDLERS: list[HTTPRouteHandler] = [
    read_message,
    propose_correction, list_corrections, read_correction, approve_correction, reject_correction,
]  # fmt: skip
