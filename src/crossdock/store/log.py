"""The log: append with duplicates decided, and read what can no longer be overtaken.

A row becomes readable when its transaction is older than every open one, so nothing can ever appear behind a
reader's cursor (generation, xid, id).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import blake2b
from typing import Any, Literal
from uuid import UUID

import asyncpg
import msgspec

from crossdock.model.envelope import variant_id
from crossdock.model.thread import hash16, partition_of
from crossdock.store.pool import Connection, as_text

EVENT_COLUMNS = (
    "segment", "p", "generation", "thread", "thread_key", "type", "event_id", "source", "sequence", "about", "effect",
    "cause", "message", "traceparent", "occurred_at", "data", "sealed", "subject",
)  # fmt: skip
Row = tuple[Any, ...]
_encode = msgspec.json.Encoder().encode
Verdict = Literal["new", "duplicate", "different"]
"""different: the id was seen before with another body; it was appended under an id of its own."""


def event_row(
    *,
    segment: int,
    generation: int,
    thread: str,
    type_: str,
    event_id: str,
    source: str,
    occurred_at: datetime,
    data: bytes,
    sequence: int | None = None,
    about: str | None = None,
    effect: UUID | None = None,
    cause: str | None = None,
    message: UUID | None = None,
    traceparent: str | None = None,
    sealed: bytes | None = None,
    subject: bytes | None = None,
) -> Row:
    """One row in the order of `EVENT_COLUMNS`."""
    hashed = hash16(thread)
    return (
        segment, partition_of(hashed), generation, hashed, thread, type_, event_id, source, sequence, about, effect,
        cause, message, traceparent, occurred_at, data, sealed, subject,
    )  # fmt: skip


def dedupe_key(source: str, source_id: str) -> bytes:
    return blake2b(f"{source}\0{source_id}".encode(), digest_size=16).digest()


@dataclass(slots=True)
class Item:
    """What must be appended whole or not at all: the events of one source id, and their duplicate key."""

    key: bytes
    content: bytes
    event_id: str
    expires_on: date
    rows: list[Row]
    message: tuple[Row, Row] | None = None
    """Rows of `message` and `message_key`, kept once when any item that shares them is not a duplicate."""
    personal: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    """(row, data subject, people as JSON): sealed into the row once the subject's key is there."""
    number: tuple[str, str, int] | None = None
    """(system, series, number) where the sender numbers its messages."""
    verdict: Verdict | None = field(default=None)


AT_ONCE_ROWS_MAX = 128
MESSAGE_COLUMNS = (
    "segment", "id", "direction", "system", "channel", "content_hash", "size", "headers", "outcome", "unmapped", "sealed",
)  # fmt: skip


async def append(connection: Connection, items: Sequence[Item], segment: int) -> None:
    """Decide each item's verdict and append what is not a duplicate, in the caller's transaction."""
    await _decide(connection, items)
    await _keep(connection, [item for item in items if item.verdict != "duplicate"], segment)


async def _keep(connection: Connection, fresh: Sequence[Item], segment: int) -> None:
    rows = [row for item in fresh for row in item.rows]
    messages = list({id(item.message): item.message for item in fresh if item.message}.values())
    if messages:
        await connection.copy_records_to_table(
            f"message_{segment}", records=[m for m, _ in messages], columns=MESSAGE_COLUMNS
        )
        await connection.copy_records_to_table(
            "message_key", records=[k for _, k in messages], columns=("message", "wrapped", "subject")
        )
    numbers = [item.number for item in fresh if item.number]
    if numbers:
        await connection.copy_records_to_table(
            "number_heard", records=numbers, columns=("system", "series", "number")
        )
    if rows:
        await append_rows(connection, rows, segment)


def seal_row(row: Row, sealed: bytes, subject: bytes) -> Row:
    """The row with its personal part in place (the last two of `EVENT_COLUMNS`)."""
    return (*row[:-2], sealed, subject)


async def append_rows(connection: Connection, rows: Sequence[Row], segment: int) -> None:
    """Append events that cannot be duplicates (their id was decided in this very transaction)."""
    await connection.copy_records_to_table(f"event_{segment}", records=rows, columns=EVENT_COLUMNS)


_DEDUPE = """
insert into dedupe as d (key, content, expires_on, event_id)
select * from unnest($1::bytea[], $2::bytea[], $3::date[], $4::text[])
on conflict (key) do update set seen = d.seen + 1
returning key, content, xmax = 0 as fresh
"""


async def _decide(connection: Connection, items: Sequence[Item]) -> None:
    first = _first_of(items)
    answers = await connection.fetch(_DEDUPE, *_dedupe_columns(first))
    _judge(first, answers)
    changed = [item for item in items if item.verdict == "different"]
    if changed:
        await _admit_variants(connection, changed)


def _first_of(items: Sequence[Item]) -> dict[bytes, Item]:
    """By key; repeats within one group are decided here, since a statement takes each key once."""
    first: dict[bytes, Item] = {}
    for item in items:
        earlier = first.setdefault(item.key, item)
        if earlier is not item:
            item.verdict = "duplicate" if earlier.content == item.content else "different"
    return first


def _dedupe_columns(first: dict[bytes, Item]) -> tuple[list[Any], ...]:
    """Sorted by key: the order in which every writer locks them."""
    ordered = [first[key] for key in sorted(first)]
    return (
        [i.key for i in ordered], [i.content for i in ordered], [i.expires_on for i in ordered],
        [i.event_id for i in ordered],
    )  # fmt: skip


def _judge(first: dict[bytes, Item], answers: Sequence[Any]) -> None:
    for key, content, is_fresh in answers:
        item = first[key]
        item.verdict = "new" if is_fresh else "duplicate" if content == item.content else "different"


async def _admit_variants(connection: Connection, items: list[Item]) -> None:
    """The same id with another body is kept under an id of its own; the owner of the thread judges it."""
    for item in items:
        item.key = blake2b(item.key + item.content, digest_size=16).digest()
        item.event_id = variant_id(item.event_id, item.content)
        place = EVENT_COLUMNS.index("event_id")
        item.rows = [
            (*row[:place], variant_id(row[place], item.content), *row[place + 1 :]) for row in item.rows
        ]
        item.verdict = None
    await _decide(connection, items)
    for item in items:
        if item.verdict == "new":
            item.verdict = "different"


_AT_ONCE = """
with n as (
    select * from json_to_recordset($1) as n (key bytea, content bytea, expires_on date, event_id text, message uuid,
        system text, series text, number bigint, place int)
), d as (
    insert into dedupe as d (key, content, expires_on, event_id) select key, content, expires_on, event_id from n
    on conflict (key) do update set seen = d.seen + 1
    returning key, content, xmax = 0 as fresh
), b as materialized (
    select * from json_to_recordset($2) as b (id uuid, system text, channel text, content_hash bytea, size int, headers text,
        outcome text, sealed bytea, wrapped bytea, subject bytea)
    where id in (select n.message from n join d on d.key = n.key where d.fresh)
), m as (
    insert into message_{segment} (segment, id, direction, system, channel, content_hash, size, headers, outcome, sealed)
    select {segment}, id, 'in', system, channel, content_hash, size, headers, outcome, sealed from b
), h as (
    insert into number_heard (system, series, number)
    select n.system, n.series, n.number from n join d on d.key = n.key where d.fresh and n.number is not null order by n.place
), k as (
    insert into message_key (message, wrapped, subject) select id, wrapped, subject from b
), e as (
    insert into event_{segment} (segment, p, generation, thread, thread_key, type, event_id, source, sequence, about, message,
        traceparent, occurred_at, data)
    select {segment}, e.p, e.generation, e.thread, e.thread_key, e.type, e.event_id, e.source, e.sequence, e.about, e.message,
        e.traceparent, e.occurred_at, e.data
    from rows from (json_to_recordset($3) as (key bytea, p smallint, generation smallint, thread bytea, thread_key text, type text,
        event_id text, source text, sequence bigint, about text, message uuid, traceparent text, occurred_at timestamptz,
        data bytea)) with ordinality
        as e (key, p, generation, thread, thread_key, type, event_id, source, sequence, about, message, traceparent, occurred_at,
            data, place)
    join d on d.key = e.key where d.fresh order by e.place
)
select key, content, fresh from d
"""


class _Named(msgspec.Struct, omit_defaults=True, gc=False):
    """An item, in `_AT_ONCE`'s words."""

    key: str
    content: str
    expires_on: date
    event_id: str
    message: str | None
    system: str | None = None
    series: str | None = None
    number: int | None = None
    place: int | None = None
    """Of a numbered message, in the order of arrival."""


class _Message(msgspec.Struct, omit_defaults=True, gc=False):
    """A message that items bring, in `_AT_ONCE`'s words."""

    id: str
    system: str
    channel: str
    content_hash: str
    size: int
    headers: str
    outcome: str
    sealed: str
    wrapped: str
    subject: str | None


class _Appended(msgspec.Struct, omit_defaults=True, gc=False):
    """A row of an item, in `_AT_ONCE`'s words; what intake's events never have is not there."""

    key: str
    p: int
    generation: int
    thread: str
    thread_key: str
    type: str
    event_id: str
    source: str
    occurred_at: datetime
    data: str
    sequence: int | None = None
    about: str | None = None
    message: str | None = None
    traceparent: str | None = None


async def append_at_once(connection: Connection, items: Sequence[Item], segment: int) -> None:
    """As `append`, in a transaction of its own and one round trip; for items few enough that round trips are what counts.

    All goes as three JSON texts: the driver needs three times as long for an array per column.
    Messages in it have no unmapped fields (`fits_at_once`).
    """
    first = _first_of(items)
    messages = {id(item.message): item.message for item in first.values() if item.message}
    places = {key: place for place, key in enumerate(first)}
    parts = (
        [_named(first[key], places[key]) for key in sorted(first)],
        [_message(row, key) for row, key in messages.values()],
        [_appended(as_text(item.key), row) for item in first.values() for row in item.rows],
    )
    texts = [_encode(part).decode() for part in parts]
    _judge(first, await connection.fetch(_AT_ONCE.format(segment=segment), *texts))
    changed = [item for item in items if item.verdict == "different"]
    if changed:
        async with connection.transaction():
            await _admit_variants(connection, changed)
            await _keep(connection, [item for item in changed if item.verdict != "duplicate"], segment)


def _named(item: Item, place: int) -> _Named:
    message = None if item.message is None else str(item.message[0][1])
    number = (*item.number, place) if item.number else (None,) * 4
    return _Named(
        as_text(item.key), as_text(item.content), item.expires_on, item.event_id, message, *number
    )  # fmt: skip


def _message(row: Row, key: Row) -> _Message:
    subject = None if key[2] is None else as_text(key[2])
    return _Message(
        str(row[1]),
        row[3],
        row[4],
        as_text(row[5]),
        row[6],
        row[7],
        row[8],
        as_text(row[10]),
        as_text(key[1]),
        subject,
    )


def _appended(key: str, row: Row) -> _Appended:
    return _Appended(
        key, row[1], row[2], as_text(row[3]), row[4], row[5], row[6], row[7], row[14], as_text(row[15]), row[8], row[9],
        None if row[12] is None else str(row[12]), row[13],
    )  # fmt: skip


def fits_at_once(items: Sequence[Item], segment: int) -> bool:
    """Few rows of this segment, nothing in them that `append_at_once` leaves out."""
    return sum(len(item.rows) for item in items) <= AT_ONCE_ROWS_MAX and all(
        not item.personal
        and (item.message is None or not item.message[0][9])
        and all(row[0] == segment and row[10] is row[11] is row[16] is None for row in item.rows)
        for item in items
    )


READ_COLUMNS = (
    "p", "generation", "xid", "id", "thread", "thread_key", "type", "event_id", "source", "sequence", "about", "effect",
    "occurred_at", "recorded_at", "data", "sealed", "subject", "segment",
)  # fmt: skip
_SELECT = ", ".join("e." + column for column in READ_COLUMNS)
_READ = f"""
select {_SELECT}, e.generation < $7 or e.xid < pg_snapshot_xmin(pg_current_snapshot()) as readable
from unnest($1::smallint[], $2::smallint[], $3::xid8[], $4::bigint[]) as c (p, generation, xid, id)
cross join lateral (
    select * from event e
    where e.p = c.p and e.segment >= $6 and (e.generation, e.xid, e.id) > (c.generation, c.xid, c.id)
    order by e.generation, e.xid, e.id
    limit $5
) e
order by e.p, e.generation, e.xid, e.id
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What may be taken now. `hidden`: more is committed, but an older transaction is still open; look again soon."""

    rows: Sequence[asyncpg.Record]
    hidden: bool


def readable(rows: Sequence[asyncpg.Record]) -> Reading:
    """Cut rows at what an older transaction could still precede, by their column `readable`."""
    if all(row["readable"] for row in rows):
        return Reading(rows, hidden=False)
    return Reading([row for row in rows if row["readable"]], hidden=True)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a partition is processed."""

    p: int
    generation: int
    xid: int
    id: int
    position: int


async def read(
    connection: Connection,
    cursors: Sequence[Cursor],
    *,
    per_partition: int,
    from_segment: int,
    generation: int,
) -> Reading:
    """Events after the cursors that nothing can precede any more, per partition in order."""
    rows = await connection.fetch(
        _READ, [c.p for c in cursors], [c.generation for c in cursors], [c.xid for c in cursors],
        [c.id for c in cursors], per_partition, from_segment, generation,
    )  # fmt: skip
    return readable(rows)


_PARKED = f"""
select {_SELECT} from parked_event k
join event e on e.segment = k.segment and e.thread = k.thread and e.generation = k.generation and e.xid = k.xid and e.id = k.id
where k.thread = $1 order by k.place
"""


async def parked(connection: Connection, thread: bytes) -> list[asyncpg.Record]:
    """The events that a parked thread has not processed, oldest first."""
    return await connection.fetch(_PARKED, thread)
