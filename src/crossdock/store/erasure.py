"""Erasure in PostgreSQL: whom a key belongs to, what it opens, and destroying it. Requests are rows; none is deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from crossdock.access.audit import Erased
from crossdock.access.tokens import Identity
from crossdock.errors import Conflict
from crossdock.store.access import note_action
from crossdock.store.audit import ERASED
from crossdock.store.pool import Connection

State = Literal["proposed", "waiting", "done", "rejected"]
PAGE_MAX: Final = 200


class Erasure(msgspec.Struct, frozen=True):
    """One request. It never names the person: `asked_for` is a thread, or `e-mail`."""

    id: int
    state: State
    subjects: list[bytes]
    asked_for: str
    reason: str
    when_done: bool
    proposed_by: str
    proposed_key: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decided_because: str | None
    done_at: datetime | None
    threads: list[str]
    messages: list[UUID]
    kept: list[UUID]
    redacted: int


_COLUMNS: Final = ", ".join(Erasure.__struct_fields__)


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What an erasure takes: data subjects, threads they are named in, messages, and rows that were blanked."""

    subjects: Sequence[bytes]
    threads: Sequence[str]
    messages: Sequence[UUID]
    kept: Sequence[UUID]
    redacted: int
    digests: Sequence[bytes]
    """Of the blanked rows as they were, where the audit chain may have them."""


async def propose(
    connection: Connection, subjects: Sequence[bytes], asked_for: str, who: Identity, *, reason: str, when_done: bool
) -> Erasure:  # fmt: skip
    row = await connection.fetchrow(
        "insert into erasure (state, subjects, asked_for, reason, when_done, proposed_by, proposed_key)"
        f" values ('proposed', $1, $2, $3, $4, $5, $6) returning {_COLUMNS}",
        list(subjects), asked_for, reason, when_done, who.name, who.id,
    )  # fmt: skip
    assert row is not None
    return Erasure(**dict(row))


async def find(connection: Connection, number: int) -> Erasure | None:
    row = await connection.fetchrow(f"select {_COLUMNS} from erasure where id = $1", number)
    return Erasure(**dict(row)) if row else None


async def newest(connection: Connection, *, before: int = 0, limit: int = 50) -> list[Erasure]:
    rows = await connection.fetch(
        f"select {_COLUMNS} from erasure where $1::bigint = 0 or id < $1 order by id desc limit $2",
        before, max(1, min(limit, PAGE_MAX)),
    )  # fmt: skip
    return [Erasure(**dict(row)) for row in rows]


async def open_for(connection: Connection, subjects: Sequence[bytes]) -> Erasure | None:
    """One that is proposed or waits already."""
    row = await connection.fetchrow(
        f"select {_COLUMNS} from erasure where state in ('proposed', 'waiting') and subjects && $1 order by id limit 1",
        list(subjects),
    )
    return Erasure(**dict(row)) if row else None


async def decide(
    connection: Connection, number: int, state: Literal["waiting", "rejected"], by: str, because: str
) -> None:
    """Raises `Conflict` where it is decided already."""
    changed = await connection.fetchval(
        "update erasure set state = $2, decided_by = $3, decided_because = $4, decided_at = clock_timestamp()"
        " where id = $1 and state = 'proposed' returning id",
        number, state, by, because,
    )  # fmt: skip
    if changed is None:
        raise Conflict(f"erasure E-{number} is decided already")


async def waiting(connection: Connection) -> list[Erasure]:
    rows = await connection.fetch(
        f"select {_COLUMNS} from erasure where state = 'waiting' order by id limit 20"
    )
    return [Erasure(**dict(row)) for row in rows]


async def untold(connection: Connection) -> list[Erasure]:
    """Done, and their threads have not heard of it."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from erasure where state = 'done' and told_at is null order by id limit 20"
    )
    return [Erasure(**dict(row)) for row in rows]


async def note_told(connection: Connection, number: int) -> None:
    await connection.execute("update erasure set told_at = clock_timestamp() where id = $1", number)


async def unsent(connection: Connection) -> list[Erased]:
    """Done, and not in the list that a restore reads."""
    rows = await connection.fetch(
        "select e.id, h.hub_id::text as hub, e.done_at, e.subjects, e.messages from erasure e, hub h"
        " where e.state = 'done' and e.sent_at is null order by e.id limit 20"
    )
    return [
        Erased(
            hub=row["hub"], erasure=row["id"], at=row["done_at"], subjects=[x.hex() for x in row["subjects"]],
            messages=[str(x) for x in row["messages"]],
        )
        for row in rows
    ]  # fmt: skip


async def note_sent(connection: Connection, number: int) -> None:
    await connection.execute("update erasure set sent_at = clock_timestamp() where id = $1", number)


async def destroy(connection: Connection, made: Erasure, taken: Destroyed) -> None:
    """In the caller's transaction. Raises `Conflict` where somebody else was faster."""
    at = await connection.fetchval(
        "update erasure set state = 'done', subjects = $2, threads = $3, messages = $4, kept = $5, redacted = $6,"
        " done_at = clock_timestamp() where id = $1 and state = 'waiting' returning done_at",
        made.id, list(taken.subjects), list(taken.threads), list(taken.messages), list(taken.kept), taken.redacted,
    )  # fmt: skip
    if at is None:
        raise Conflict(f"erasure E-{made.id} is not waiting any more")
    await destroy_keys(connection, at, taken.subjects, taken.messages)
    await note_action(
        connection, made.decided_by or made.proposed_by, ERASED, f"E-{made.id}", made.reason,
        subjects=len(taken.subjects), threads=len(taken.threads), messages=len(taken.messages), kept=len(taken.kept),
        redacted=[x.hex() for x in taken.digests],
    )  # fmt: skip


async def destroy_keys(
    connection: Connection, at: datetime, subjects: Sequence[bytes], messages: Sequence[UUID]
) -> None:
    """Once: a key that was made for somebody who came again after `at` is left alone."""
    await connection.execute(
        "update subject_key set wrapped = null, destroyed_at = $2"
        " where subject = any($1) and (destroyed_at is null or destroyed_at < $2)",
        list(subjects), at,
    )  # fmt: skip
    await connection.execute(
        "update message_key set wrapped = null, destroyed_at = $2 where message = any($1) and wrapped is not null",
        list(messages), at,
    )  # fmt: skip
    await connection.execute("delete from subject_mail where subject = any($1)", list(subjects))


async def subjects_of_mail(connection: Connection, mail: bytes) -> list[bytes]:
    rows = await connection.fetch("select subject from subject_mail where mail = $1", mail)
    return [row["subject"] for row in rows]


async def subjects_of_threads(connection: Connection, threads: Sequence[bytes]) -> list[bytes]:
    """Whose keys seal something of these threads, and are there. Who came again has another key, which opens nothing older."""
    rows = await connection.fetch(
        "select distinct e.subject from event e join subject_key k on k.subject = e.subject and k.wrapped is not null"
        " where e.thread = any($1) and e.subject is not null and e.recorded_at > coalesce(k.destroyed_at, '-infinity')",
        list(threads),
    )
    return [row["subject"] for row in rows]


async def threads_of(connection: Connection, subjects: Sequence[bytes], limit: int) -> list[Any]:
    """Rows of the threads that name them."""
    return await connection.fetch(
        "select thread, thread_key, kind, state, phase, waiting_on, done from thread_state where thread in"
        " (select distinct thread from event where subject = any($1)) order by thread_key limit $2",
        list(subjects), limit,
    )  # fmt: skip


async def states(connection: Connection, threads: Sequence[bytes]) -> list[Any]:
    return await connection.fetch(
        "select thread, thread_key, kind, state, phase, waiting_on, done from thread_state where thread = any($1)",
        list(threads),
    )


async def sealed_people(connection: Connection, subjects: Sequence[bytes], limit: int) -> list[Any]:
    return await connection.fetch(
        "select subject, sealed from event where subject = any($1) and sealed is not null limit $2",
        list(subjects), limit,
    )  # fmt: skip


async def open_effects(connection: Connection, threads: Sequence[bytes]) -> list[Any]:
    """(thread_key, account, kind, state) of what is not settled."""
    return await connection.fetch(
        "select thread_key, account, kind, state from effect where thread = any($1) and state < 10 order by seq limit 100",
        list(threads),
    )


async def effects_of(connection: Connection, subjects: Sequence[bytes]) -> list[Any]:
    """(account, kind, document, state) of effects whose bodies name them."""
    return await connection.fetch(
        "select f.account, f.kind, f.document, f.state from effect_body b join effect f on f.id = b.effect"
        " where b.subject = any($1) order by f.seq",
        list(subjects),
    )


async def messages_of(connection: Connection, subjects: Sequence[bytes], threads: Sequence[bytes]) -> list[Any]:  # fmt: skip
    """Messages filed under them, all that their threads came from, and those that nobody could read yet.

    `filed`: under one of them. `later`: its events may have come long after it, by a correction or a replay.
    """
    return await connection.fetch(
        "select m.id, m.system, m.channel, m.received_at, k.wrapped is not null as opens, coalesce(k.subject = any($1), false) as filed,"
        " m.outcome = 'not translated' as unread, m.outcome not in ('translated') and not starts_with(m.outcome, 'ignored') as later"
        " from (select message as id from message_key where subject = any($1)"
        "   union select message from event where thread = any($2) and message is not null"
        "   union select substr(thread_key, 9)::uuid from thread_state where kind = 'message' and not done"
        "     and thread_key ~ '^message/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$') u"
        " join message m on m.id = u.id left join message_key k on k.message = u.id order by m.received_at",
        list(subjects), list(threads),
    )  # fmt: skip


class Named(NamedTuple):
    """Whom the events of a message name: how many events there are, and how many other data subjects."""

    events: int
    others: int


async def named_in(connection: Connection, row: Any, subjects: Sequence[bytes]) -> Named:
    """`row` as of `messages_of`. Most messages have their events beside them; those of others are looked for up to today."""
    found = await connection.fetchrow(
        "select count(*), count(distinct subject) filter (where subject <> all($3)) from event where message = $1"
        " and recorded_at between $2::timestamptz - interval '10 seconds'"
        " and case when $4 then 'infinity' else $2::timestamptz + interval '60 seconds' end",
        row["id"], row["received_at"], list(subjects), row["later"],
    )  # fmt: skip
    assert found is not None
    return Named(*found)
