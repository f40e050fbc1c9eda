"""The four stages of one thing: raw message → canonical event → what was sent for it → what was answered.

Personal data is masked unless the caller revealed it (and said why: that is recorded before anything is read).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from crossdock.access.sealing import Unsealable, open_sealed
from crossdock.model.registry import EVENTS, decode
from crossdock.processes.policy import Policy
from crossdock.store.keys import Keyring
from crossdock.store.messages import erased
from crossdock.store.pool import Connection
from crossdock.views import masking
from crossdock.views.folding import effects_of_events
from crossdock.views.names import Names
from crossdock.views.refs import EventRef, event_ref, read_ref
from crossdock.views.sql import blocks
from crossdock.views.story_material import decode_state
from crossdock.views.words import ask, happened, tried

HISTORY_MAX: Final = 2000
CORRECTED: Final = "message.corrected.v1"
STEPS_MAX: Final = 12
_STATES: Final = {
    0: "to be sent", 1: "under way", 2: "to be tried again", 3: "outcome unknown, being looked up", 5: "refused",
    6: "unclear", 10: "done", 11: "taken back", 12: "replaced by a newer one",
}  # fmt: skip


class Corrected(msgspec.Struct, frozen=True):
    """A correction of a message: who, and why."""

    name: str
    state: str
    by: str
    decided_by: str
    reason: str


class Raw(msgspec.Struct, frozen=True):
    """A message as it came, and what of it no mapping read."""

    message: str
    system: str
    channel: str
    received_at: datetime
    size: int
    headers: dict[str, str]
    unmapped: list[str]
    body: str
    note: str = ""
    """Which rules read it otherwise than it came, or what it is a correction of."""
    corrections: list[Corrected] = []


class Canonical(msgspec.Struct, frozen=True):
    ref: str
    text: str
    body: str


class Sent(msgspec.Struct, frozen=True):
    """An effect and the body that was rendered for it."""

    effect: str
    kind: str
    text: str
    system: str
    state: str
    document: str
    connector: str
    body: str


class Answer(msgspec.Struct, frozen=True):
    """One try and what came back."""

    effect: str
    attempt: int
    purpose: Literal["send", "look_up"]
    started_at: datetime
    ended_at: datetime | None
    text: str
    outcome: str
    body: str


class Chain(msgspec.Struct, frozen=True):
    """`trail` leads from the thing asked for back to the message it all began with."""

    ref: str
    thread: str
    personal: bool
    revealed: bool
    raw: list[Raw]
    canonical: list[Canonical]
    sent: list[Sent]
    answers: list[Answer]
    trail: list[Canonical]


@dataclass(slots=True)
class _Read:
    """What one request has gathered."""

    connection: Connection
    keyring: Keyring
    names: Names
    reveal: bool
    tokens: set[str] = field(default_factory=set)
    personal: bool = False


async def read_lineage(
    connection: Connection, ref: str, names: Names, policy: Policy, *, keyring: Keyring, reveal: bool = False
) -> Chain | None:  # fmt: skip
    """`ref` is an event's reference or an effect's id. None where there is no such thing (any more)."""
    wanted = read_ref(ref)
    if wanted is None:
        return None
    read = _Read(connection, keyring, names, reveal)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return await _chain(read, ref, wanted, policy)


async def _chain(read: _Read, ref: str, wanted: EventRef | UUID, policy: Policy) -> Chain | None:
    sql, connection = blocks("lineage.sql"), read.connection
    event, effects = None, []
    if isinstance(wanted, UUID):
        effects = await connection.fetch(sql["effects"], [wanted])
        if not effects:
            return None
        thread = effects[0]["thread"]
    else:
        event = await connection.fetchrow(
            sql["event"], wanted.segment, wanted.p, wanted.generation, wanted.xid, wanted.id
        )
        if event is None:
            return None
        thread = event["thread"]
    history, led_to = await _history(read, thread, policy)
    if event is None:
        event = next((e for e in history if str(wanted) in led_to.get(e["id"], ())), None)
    elif event["effect"]:
        effects = await connection.fetch(sql["effects"], [event["effect"]])
    else:
        effects = await connection.fetch(sql["effects"], [UUID(x) for x in led_to.get(event["id"], ())])
    trail = _trail(event, history, led_to) if event else []
    await _know_people(read, thread, trail)
    return Chain(
        ref, event["thread_key"] if event else effects[0]["thread_key"], read.personal or any(f["subject"] for f in effects),
        read.reveal, await _raw(read, trail), [_canonical(read, event)] if event else [], [_sent(read, f) for f in effects],
        await _answers(read, effects), [_canonical(read, e) for e in trail[1:]],
    )  # fmt: skip


async def _history(
    read: _Read, thread: bytes, policy: Policy
) -> tuple[list[Any], dict[int, tuple[str, ...]]]:
    """The thread's events, oldest first, and which effects each led to; nothing for threads too long to fold."""
    sql = blocks("lineage.sql")
    row = await read.connection.fetchrow(sql["thread"], thread)
    if row is None:
        return [], {}
    history = await read.connection.fetch(sql["history"], thread, row["first_segment"], HISTORY_MAX)
    if len(history) >= HISTORY_MAX:
        return [], {}
    state = decode_state(row)
    await _open(read, getattr(state, "subject", None), getattr(state, "people", None))
    return history, effects_of_events(list(reversed(history)), policy)


def _trail(event: Any, history: list[Any], led_to: dict[int, tuple[str, ...]]) -> list[Any]:
    """From an event back over its causes to the first that came in a message."""
    by_id = {e["event_id"]: e for e in history}
    trail, at = [event], event
    while at["message"] is None and len(trail) < STEPS_MAX:
        if at["effect"]:
            cause = next((e for e in history if str(at["effect"]) in led_to.get(e["id"], ())), None)
        else:
            cause = by_id.get(at["cause"])
        if cause is None or any(cause["id"] == e["id"] for e in trail):
            break
        trail.append(cause)
        at = cause
    return trail


async def _know_people(read: _Read, thread: bytes, trail: list[Any]) -> None:
    for event in trail:
        await _open(read, event["subject"], event["sealed"])


async def _open(read: _Read, subject: bytes | None, sealed: bytes | None) -> Any:
    """The people of an event; remembered as tokens to mask. None where there are none; a text where they were erased."""
    if not subject or not sealed:
        return None
    read.personal = True
    await read.keyring.load(read.connection, [subject])
    try:
        people = msgspec.json.decode(read.keyring.open_people(subject, sealed))
    except Unsealable as error:
        return str(error)
    read.tokens |= masking.tokens_of(people)
    return people


async def _raw(read: _Read, trail: list[Any]) -> list[Raw]:
    """The messages it began with; what was corrected stands behind its correction, as it came."""
    sql, said = blocks("lineage.sql"), list[Any]()
    wanted: dict[UUID, None] = {}
    for event in trail:
        numbers = [decode(event["type"], event["data"]).correction] if event["type"] == CORRECTED else []  # type: ignore[attr-defined]
        ids = [event["message"]] if event["message"] else []
        said += await read.connection.fetch(sql["corrections"], [str(x) for x in ids], ids, numbers)
        for made in said:
            if made["content"] in ids or made["id"] in numbers:
                ids += [made["content"], *([UUID(made["target"])] if made["kind"] == "message" else [])]
        wanted |= dict.fromkeys(ids)
    rows = [await read.connection.fetchrow(sql["message"], id_) for id_ in wanted]
    return [_message(read, row, said) for row in rows if row is not None]


def _message(read: _Read, row: Any, said: list[Any]) -> Raw:
    try:
        if row["wrapped"] is None:
            raise Unsealable(erased(row["destroyed_at"]))
        key = read.keyring.hub.unwrap(row["wrapped"], row["id"].bytes)
        body = open_sealed(key, row["sealed"], b"message" + row["id"].bytes)
        text = masking.shown(
            body, read.tokens, personal=bool(row["subject"]) or read.personal, reveal=read.reveal
        )
    except Unsealable as error:
        text = f"({error})"
    headers = msgspec.json.decode(row["headers"].encode())
    mine = next((x for x in said if x["content"] == row["id"]), None)
    note = f"correction K-{mine['id']}" if mine else headers.get("crossdock-rules", "")
    corrections = [
        Corrected(f"K-{x['id']}", x["state"], x["proposed_by"], x["decided_by"] or "", x["reason"])
        for x in {x["id"]: x for x in said}.values() if x["target"] == str(row["id"])
    ]  # fmt: skip
    return Raw(
        str(row["id"]), row["system"], row["channel"], row["received_at"], row["size"], headers, row["unmapped"], text, note,
        corrections,
    )  # fmt: skip


def _canonical(read: _Read, event: Any) -> Canonical:
    data = decode(event["type"], event["data"]) if event["type"] in EVENTS else None
    who = read.names.of(str(getattr(data, "account", "") or event["source"]))
    text = read.names.plain(happened(event["type"], who, data)) if data is not None else event["type"]
    document: dict[str, Any] = {
        "type": event["type"], "id": event["event_id"], "source": event["source"], "thread": event["thread_key"],
        "occurred_at": event["occurred_at"], "recorded_at": event["recorded_at"],
    }  # fmt: skip
    document |= {k: event[k] for k in ("sequence", "about", "cause", "traceparent") if event[k] is not None}
    document |= {"effect": str(event["effect"])} if event["effect"] else {}
    document["data"] = msgspec.json.decode(event["data"])
    if event["sealed"]:
        document["people"] = _people(read, event)
    body = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    return Canonical(event_ref(event), text, body)


def _people(read: _Read, event: Any) -> Any:
    try:
        people = msgspec.json.decode(read.keyring.open_people(event["subject"], event["sealed"]))
    except Unsealable as error:
        return str(error)
    return people if read.reveal else masking.masked(people)


def _sent(read: _Read, f: Any) -> Sent:
    who = read.names.of(f["account"])
    if f["sealed"] is None:
        body = "(the body was dropped with its time segment)"
    else:
        try:
            plain = read.keyring.open_effect(f["id"].bytes, f["subject"], f["sealed"])
            body = (
                masking.shown(plain, read.tokens, personal=bool(f["subject"]), reveal=read.reveal)
                if plain
                else ""
            )
        except Unsealable as error:
            body = f"({error})"
    text = f"{who} was asked to {ask(f['kind'])}"
    return Sent(
        str(f["id"]), f["kind"], text, f["account"], _STATES.get(f["state"], str(f["state"])), f["document"] or "",
        f["connector"] or "", body,
    )  # fmt: skip


async def _answers(read: _Read, effects: list[Any]) -> list[Answer]:
    rows = await read.connection.fetch(
        blocks("lineage.sql")["attempts"], [f["id"] for f in effects], [f["segment"] for f in effects]
    )
    by_id = {f["id"]: f for f in effects}
    found = []
    for a in rows:
        f = by_id[a["effect"]]
        text = tried(
            f["kind"], read.names.of(f["account"]), outcome=a["outcome"] or "", document=f["document"] or "",
            reason=read.names.plain(a["reason"] or ""),
        )  # fmt: skip
        try:
            plain = read.keyring.open_answer(f["id"].bytes, f["subject"], a["answer"]) if a["answer"] else b""
            body = masking.shown(plain, read.tokens, personal=False, reveal=read.reveal) if plain else ""
        except Unsealable as error:
            body = f"({error})"
        found.append(
            Answer(
                str(a["effect"]),
                a["no"],
                a["purpose"],
                a["started_at"],
                a["ended_at"],
                text,
                a["outcome"] or "",
                body,
            )
        )
    return found
