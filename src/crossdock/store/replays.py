"""Replays and their items in PostgreSQL: what was asked for, how far it is, and what became of each item."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from crossdock.access.tokens import Identity
from crossdock.errors import Conflict
from crossdock.model.thread import hash16
from crossdock.store.pool import Connection

What = Literal["message", "event", "effect", "thread", "move"]
State = Literal["waiting", "done", "skipped", "failed"]
HISTORY_MAX = 2000
PAGE_MAX = 1000
LINKS_MAX = 10_000


class Picked(msgspec.Struct, frozen=True):
    """One thing to replay: a message's id, an event's reference, an effect's id, or a parked thread's key."""

    what: What
    ref: str
    thread: str


class Replay(msgspec.Struct, frozen=True):
    """`counts`: state of its items → how many."""

    id: int
    selection: str
    reason: str
    asked_by: str
    asked_key: str
    asked_at: datetime
    per_second: float
    state: Literal["running", "stopped", "done"]
    version: int
    ended_at: datetime | None
    counts: dict[str, int]


class Item(msgspec.Struct, frozen=True):
    no: int
    what: What
    ref: str
    thread: str
    state: State
    said: str
    ended_at: datetime | None


_COLUMNS = "id, selection, reason, asked_by, asked_key, asked_at, per_second, state, version, ended_at"


async def _told(connection: Connection, rows: Sequence[Any]) -> list[Replay]:
    counted = await connection.fetch(
        "select replay, state, count(*) as n from replay_item where replay = any($1) group by replay, state",
        [row["id"] for row in rows],
    )
    counts: dict[int, dict[str, int]] = {row["id"]: {} for row in rows}
    for row in counted:
        counts[row["replay"]][row["state"]] = row["n"]
    return [Replay(**dict(row), counts=counts[row["id"]]) for row in rows]


async def begin(
    connection: Connection, selection: str, items: Sequence[Picked], who: Identity, *, reason: str, per_second: float
) -> int:  # fmt: skip
    async with connection.transaction():
        number = await connection.fetchval(
            "insert into replay (selection, reason, asked_by, asked_key, per_second) values ($1, $2, $3, $4, $5) returning id",
            selection, reason, who.name, who.id, per_second,
        )  # fmt: skip
        await connection.copy_records_to_table(
            "replay_item", records=[(number, no, x.what, x.ref, x.thread) for no, x in enumerate(items, 1)],
            columns=("replay", "no", "what", "ref", "thread_key"),
        )  # fmt: skip
    assert isinstance(number, int)
    return number


async def find(connection: Connection, number: int) -> Replay | None:
    rows = await connection.fetch(f"select {_COLUMNS} from replay where id = $1", number)
    return (await _told(connection, rows))[0] if rows else None


async def newest(connection: Connection, *, before: int = 0, limit: int = 50) -> list[Replay]:
    """Newest first; `before` is the last number of the page before."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from replay where $1::bigint = 0 or id < $1 order by id desc limit $2",
        before, max(1, min(limit, PAGE_MAX)),
    )  # fmt: skip
    return await _told(connection, rows)


async def items(
    connection: Connection, number: int, *, after: int = 0, limit: int = 200, state: str = ""
) -> list[Item]:
    rows = await connection.fetch(
        "select no, what, ref, thread_key as thread, state, said, ended_at from replay_item"
        " where replay = $1 and no > $2 and ($4 = '' or state = $4) order by no limit $3",
        number, after, max(1, min(limit, PAGE_MAX)), state,
    )  # fmt: skip
    return [Item(**dict(row)) for row in rows]


async def turn(connection: Connection, seen: Replay, state: Literal["running", "stopped"]) -> None:
    """Raises `Conflict` where it is done, or somebody else was faster."""
    changed = await connection.fetchval(
        "update replay set state = $3, version = version + 1 where id = $1 and version = $2 and state <> 'done' returning id",
        seen.id, seen.version, state,
    )  # fmt: skip
    if changed is None:
        raise Conflict(f"replay R-{seen.id} is done, or was changed meanwhile: look again")


_NEXT = """
select r.id, r.reason, r.asked_by, r.asked_key, r.per_second, i.no, i.what, i.ref, i.thread_key
from replay r left join lateral
    (select no, what, ref, thread_key from replay_item where replay = r.id and state = 'waiting' order by no limit 1) i on true
where r.state = 'running' order by r.id limit 1
"""


async def next_item(connection: Connection) -> Any | None:
    """The next of the oldest replay that runs; its `no` is null where nothing of it waits any more."""
    return await connection.fetchrow(_NEXT)


async def settle(connection: Connection, replay: int, no: int, state: State, said: str) -> None:
    await connection.execute(
        "update replay_item set state = $3, said = $4, ended_at = clock_timestamp() where replay = $1 and no = $2",
        replay, no, state, said[:1000],
    )  # fmt: skip


async def finish(connection: Connection, replay: int) -> None:
    await connection.execute(
        "update replay set state = 'done', version = version + 1, ended_at = clock_timestamp() where id = $1 and state = 'running'",
        replay,
    )


_EVENT = (
    "segment, p, generation, xid, id, thread, thread_key, type, event_id, source, sequence, about, effect, cause, message,"
    " traceparent, occurred_at, recorded_at, data, sealed, subject"
)


async def event(connection: Connection, place: Sequence[int]) -> Any | None:
    """By segment, partition, generation, transaction and id."""
    return await connection.fetchrow(
        f"select {_EVENT} from event where segment = $1 and p = $2 and generation = $3 and xid = $4 and id = $5",
        *place,
    )


async def thread(connection: Connection, key: str) -> Any | None:
    return await connection.fetchrow(
        "select thread, thread_key, kind, version, state, phase, done, parked, first_segment, waiting_on, waiting_since"
        " from thread_state where thread = $1",
        hash16(key),
    )


async def history(connection: Connection, hashed: bytes, first_segment: int) -> list[Any]:
    """A thread's events, oldest first, as many as are judged."""
    return await connection.fetch(
        f"select {_EVENT} from event where thread = $1 and segment >= $2 order by generation, xid, id limit $3",
        hashed, first_segment, HISTORY_MAX,
    )  # fmt: skip


async def of_message(connection: Connection, message: UUID, around: datetime) -> list[Any]:
    """The events that a message gave."""
    return await connection.fetch(
        f"select {_EVENT} from event where message = $1"
        " and recorded_at between $2::timestamptz - interval '10 seconds' and $2::timestamptz + interval '60 seconds' order by id limit 500",
        message, around,
    )  # fmt: skip


async def effects(connection: Connection, ids: Sequence[UUID]) -> list[Any]:
    return await connection.fetch(
        "select id, thread_key, kind, account, object, state, document, reason, settled_at from effect where id = any($1) order by seq",
        list(ids),
    )


async def effects_of(connection: Connection, hashed: bytes) -> list[Any]:
    """Everything a thread asked for, oldest first."""
    return await connection.fetch(
        "select id, journaled_at from effect where thread = $1 order by seq limit $2", hashed, HISTORY_MAX
    )


async def links(connection: Connection, case: int) -> list[Any]:
    """What a case blocks."""
    return await connection.fetch(
        "select thread_key, key from case_link where case_id = $1 and closed_at is null order by opened_at limit $2",
        case, LINKS_MAX,
    )  # fmt: skip
