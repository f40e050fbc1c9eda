"""The effect journal in PostgreSQL: identities, bodies, and the transitions between states."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b, sha1
from typing import Any
from uuid import UUID

import msgspec
from asyncpg.pgproto import pgproto

from crossdock.processes.intents import KIND_MODE, Mode
from crossdock.store.pool import Connection, as_text

_encode = msgspec.json.Encoder().encode
NAMESPACE = UUID("6f1e6a0e-6f2c-5c7e-9d53-0d1c0f0a7c11")
FANNED_OUT = frozenset({"customer.notify", "milestone.record", "availability.publish"})
"""Kinds that several accounts get for one business object: the account is part of the object there."""


UNRENDERED = ""
"""The connector of a body that no connector could render: it holds what was wished for."""


class State(IntEnum):
    """See the migration's comment; below 5 delivery has work, below 10 the lane is not free."""

    PENDING = 0
    SENDING = 1
    RETRY = 2
    OUTCOME_UNKNOWN = 3
    REFUSED = 5
    UNCLEAR = 6
    DONE = 10
    WITHDRAWN = 11
    SUPERSEDED = 12


MODES: dict[Mode, int] = {"ordered": 1, "latest": 2, "independent": 3}


def effect_id(thread: str, kind: str, object_: str, generation: int, account: str) -> UUID:
    """UUIDv5 over (thread, kind, business object, generation): the same wish is the same effect for ever.

    RFC 9562, section 5.5; the standard library's takes four times as long, and every effect needs one.
    """
    target = f"@{account}" if kind in FANNED_OUT else ""
    name = f"{thread}\0{kind}\0{object_}{target}\0{generation}"
    digest = bytearray(sha1(NAMESPACE.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return pgproto.UUID(bytes(digest))


def lane_of(account: str, lane: str) -> bytes:
    return blake2b(f"{account}\0{lane}".encode(), digest_size=8).digest()


def mode_of(kind: str) -> int:
    return MODES[KIND_MODE.get(kind, "ordered")]


@dataclass(slots=True)
class NewEffect:
    """A rendered effect, ready to be journaled."""

    id: UUID
    p: int
    thread: bytes
    thread_key: str
    kind: str
    account: str
    object: str
    generation: int
    lane: bytes
    mode: int
    priority: int
    state: State
    reason: str | None
    connector: str
    sealed: bytes
    subject: bytes | None


_INSERT = """
insert into effect (id, p, thread, thread_key, kind, account, object, generation, lane, mode, priority, state, reason, segment)
select e.*, $2 from rows from (json_to_recordset($1) as (id uuid, p smallint, thread bytea, thread_key text, kind text, account text,
    object text, generation smallint, lane bytea, mode smallint, priority smallint, state smallint, reason text)) e
on conflict (id) do nothing returning id
"""
"""One JSON text: the driver needs several times as long for an array per column."""


async def journal(connection: Connection, effects: Sequence[NewEffect], segment: int) -> list[UUID]:
    """Write new effects with their bodies; an identity that exists already is skipped. Returns the new ids."""
    latest = [e.lane for e in effects if e.mode == MODES["latest"]]
    if latest:
        await connection.execute(
            "update effect set state = 12, settled_at = clock_timestamp(), reason = 'a newer value replaced it'"
            " where lane = any($1) and mode = 2 and state in (0, 2)",
            latest,
        )
    rows = await connection.fetch(_INSERT, _encode([_row(e) for e in effects]).decode(), segment)
    fresh = {row[0] for row in rows} if len(rows) < len(effects) else None
    bodies = [
        (segment, e.id, e.connector, e.sealed, e.subject) for e in effects if fresh is None or e.id in fresh
    ]
    await connection.copy_records_to_table(
        f"effect_body_{segment}",
        records=bodies,
        columns=("segment", "effect", "connector", "sealed", "subject"),
    )
    return [row[0] for row in rows]


def _row(e: NewEffect) -> dict[str, Any]:
    """In the words of `_INSERT`."""
    return {
        "id": str(e.id), "p": e.p, "thread": as_text(e.thread), "thread_key": e.thread_key, "kind": e.kind,
        "account": e.account, "object": e.object, "generation": e.generation, "lane": as_text(e.lane), "mode": e.mode,
        "priority": e.priority, "state": e.state, "reason": e.reason,
    }  # fmt: skip


async def refused_among(connection: Connection, ids: Sequence[UUID]) -> list[UUID]:
    """Locked, so that they stay refused until this transaction ends."""
    rows = await connection.fetch(
        "select id from effect where id = any($1) and state = 5 order by id for update", ids
    )
    return [row["id"] for row in rows]


async def ended_among(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """What was done or taken back by now: it blocks nothing."""
    rows = await connection.fetch("select id from effect where id = any($1) and state >= 10", ids)
    return {row["id"] for row in rows}


async def withdraw(connection: Connection, ids: Sequence[UUID], refused: Sequence[UUID] = ()) -> None:
    """Take back what was not sent yet, and those of `refused`, which free their lanes."""
    await connection.execute(
        "update effect set state = 11, settled_at = clock_timestamp(), reason = 'withdrawn by its process'"
        " where id in (select id from effect where id = any($1) and (state = 0 or id = any($2)) order by id for update)",
        ids, refused,
    )  # fmt: skip
    if refused:
        await connection.execute("delete from lane where effect = any($1)", refused)


async def unrendered(connection: Connection, ids: Sequence[UUID]) -> list[Any]:
    """Those of these refused effects that never had a body to send."""
    return await connection.fetch(
        "select e.id, e.kind, e.account, e.thread_key, e.segment, b.sealed, b.subject from effect e"
        " join effect_body b on b.effect = e.id and b.segment = e.segment"
        " where e.id = any($1) and e.state = 5 and b.connector = $2 order by e.id",
        ids, UNRENDERED,
    )  # fmt: skip


async def refused_bodies(connection: Connection, ids: Sequence[UUID]) -> list[Any]:
    """Those of these effects that are refused, with what was sent; locked, so that they stay refused until this transaction ends."""
    return await connection.fetch(
        "select e.id, e.kind, e.account, e.thread_key, e.segment, b.connector, b.sealed, b.subject from effect e"
        " join effect_body b on b.effect = e.id and b.segment = e.segment"
        " where e.id = any($1) and e.state = 5 and b.connector <> $2 order by e.id for update of e",
        ids, UNRENDERED,
    )  # fmt: skip


async def replace_body(
    connection: Connection, effect: UUID, segment: int, connector: str, sealed: bytes
) -> None:
    """Of an effect that was certainly not done: never sent, or refused."""
    await connection.execute(
        "update effect_body set connector = $3, sealed = $4 where effect = $1 and segment = $2",
        effect, segment, connector, sealed,
    )  # fmt: skip


async def retry(connection: Connection, ids: Sequence[UUID]) -> set[str]:
    """Refused goes back to pending; unclear goes to a fresh look-up first. A new xid shows it to delivery.

    Returns the accounts that have it to do.
    """
    rows = await connection.fetch(
        "update effect set state = case when state = 5 then 2 else 3 end, next_at = null, reason = null,"
        " xid = pg_current_xact_id() where id in"
        " (select id from effect where id = any($1) and state in (5, 6) order by id for update) returning account, lane",
        ids,
    )
    for account, lane in rows:
        await connection.execute("delete from lane where account = $1 and lane = $2", account, lane)
    return {account for account, _ in rows}
