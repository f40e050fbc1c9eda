"""The audit chain in PostgreSQL: what is to be sealed next, the digests of rows, links and checkpoints.

PostgreSQL makes the digests, so that no row leaves it: SHA-256, cut to 16 bytes, over the row's binary form
(`record_send`: number of columns, then type, length and value of each).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from crossdock.access.audit import Checkpoint, Link, Signed, genesis
from crossdock.model.thread import PARTITIONS
from crossdock.store.pool import Connection
from crossdock.store.segments import segment_at

DROPPED: Final = "drop segment"
RESTORED: Final = "restore"
ERASED: Final = "erase person"
"""Actions that the chain must know of: they say why rows, links or checkpoints are not as they were."""
_DIGEST: Final = "substr(sha256(record_send(row({}))), 1, 16)"
_EVENT: Final = _DIGEST.format(
    "e.segment, e.p, e.generation, e.xid, e.id, e.thread, e.thread_key, e.type, e.event_id, e.source, e.sequence, e.about,"
    " e.effect, e.cause, e.message, e.traceparent, e.occurred_at, e.recorded_at, e.data, e.sealed, e.subject"
)
_MESSAGE: Final = _DIGEST.format(
    "m.segment, m.id, m.direction, m.system, m.channel, m.received_at, m.content_hash, m.size, m.headers, m.outcome,"
    " m.unmapped, m.sealed"
)
_ATTEMPT: Final = _DIGEST.format(
    "a.segment, a.effect, a.no, a.purpose, a.started_at, a.deadline_at, a.ended_at, a.outcome, a.reason, a.answer, a.xid"
)
_ACTION: Final = _DIGEST.format("o.id, o.at, o.who, o.action, o.target, o.reason, o.detail, o.xid")
DIGESTS: Final[Mapping[str, tuple[str, str]]] = {
    "event": ("e", _EVENT), "message": ("m", _MESSAGE), "attempt": ("a", _ATTEMPT), "operator_action": ("o", _ACTION),
}  # fmt: skip
"""Table → (the name its rows must go by, the digest of one)."""
_IN_RANGE: Final = f"""
generate_series(0, {PARTITIONS - 1}) as n (p) cross join lateral (
    select * from event where event.p = n.p::smallint and generation = $1 and xid > $2 and xid <= $3 and segment >= $4
) e
"""
# Each takes generation, xid_from, xid_to and the oldest segment that can hold such rows.
ROWS: Final[Mapping[str, str]] = {
    "events": f"select {_EVENT} as digest, e.segment, e.thread_key || ' ' || e.type || ' ' || e.event_id as name,"
    f" row_number() over (order by e.xid, e.id) as place from {_IN_RANGE}",
    "messages": f"select {_MESSAGE} as digest, m.segment, m.id::text as name, row_number() over (order by e.xid, m.id) as place"
    f" from (select e.xid, e.message, min(e.segment) as segment from {_IN_RANGE} where e.message is not null group by 1, 2) e"
    " cross join lateral (select * from message where id = e.message and segment between e.segment - 1 and e.segment + 1 limit 1) m",
    "attempts": f"select {_ATTEMPT} as digest, a.segment, a.effect::text || ' attempt ' || a.no as name,"
    " row_number() over (order by a.xid, a.effect, a.no, a.purpose, a.started_at) as place from attempt a"
    " where $1::smallint > 0 and a.xid > $2::xid8::text::bigint and a.xid <= $3::xid8::text::bigint and a.segment >= $4",
    "actions": f"select {_ACTION} as digest, null::int as segment, o.action || ' ' || o.target || ' by ' || o.who as name,"
    " row_number() over (order by o.xid, o.id) as place from operator_action o"
    " where $1::smallint > 0 and o.xid > $2::xid8::text::bigint and o.xid <= $3::xid8::text::bigint and $4::int >= 0",
}
_BOUND: Final = f"""
select max(xid) from (
    select xid from (
        (select e.xid::text::bigint as xid from generate_series(0, {PARTITIONS - 1}) as n (p) cross join lateral (
            select xid from event where event.p = n.p::smallint and generation = $1 and xid > $2 and xid <= $3 and segment >= $4
            order by xid limit $5) e)
        union all (select a.xid from attempt a where a.xid > $2::xid8::text::bigint and a.xid <= $3::xid8::text::bigint
            and a.segment >= $4 order by a.xid limit $5)
        union all (select o.xid from operator_action o where o.xid > $2::xid8::text::bigint and o.xid <= $3::xid8::text::bigint
            order by o.xid limit $5)
    ) u order by xid limit $5
) first
"""
_COLUMNS: Final = (
    "no, generation, xid_from, xid_to, events, messages, attempts, actions, segment_from, segment_to, digests, previous, hash,"
    " sealed_at"
)


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends, and what the next link begins with."""

    hub: str
    generation: int
    no: int
    xid: int
    hash: bytes
    sealed_at: datetime | None

    @property
    def oldest_segment(self) -> int:
        """No row that is still to be sealed stands in an older one; a writer's clock may be a segment late."""
        return segment_at(self.sealed_at) - 1 if self.sealed_at else 0


async def head(connection: Connection) -> Head:
    hub = await connection.fetchrow("select hub_id::text, generation from hub")
    assert hub is not None
    last = await connection.fetchrow(
        "select no, xid_to, hash, sealed_at from audit_link order by no desc limit 1"
    )
    if last is None:
        return Head(hub["hub_id"], hub["generation"], 0, 0, genesis(hub["hub_id"]), None)
    return Head(hub["hub_id"], hub["generation"], last["no"], last["xid_to"], last["hash"], last["sealed_at"])


async def bound(connection: Connection, after: Head, rows_max: int) -> int | None:
    """Up to which transaction the next link goes; None where nothing waits to be sealed.

    Below the oldest open transaction only: nothing can be added to the range any more. About `rows_max` rows; a
    transaction is never cut.
    """
    top = await connection.fetchval("select pg_snapshot_xmin(pg_current_snapshot())") - 1
    found: int | None = await connection.fetchval(
        _BOUND, after.generation, after.xid, top, after.oldest_segment, rows_max
    )
    return found


async def digests(connection: Connection, table: str, span: Sequence[int]) -> tuple[bytes, int, int, int]:
    """(digests, rows, oldest segment, newest segment) of one table's rows; `span` as `ROWS` takes it. No segment is 0."""
    row = await connection.fetchrow(
        "select coalesce(string_agg(digest, ''::bytea order by place), ''::bytea), count(*), coalesce(min(segment), 0),"
        f" coalesce(max(segment), 0) from ({ROWS[table]}) r",
        *span,
    )
    assert row is not None
    return row[0], row[1], row[2], row[3]


async def rows(connection: Connection, table: str, span: Sequence[int]) -> list[Any]:
    """(digest, segment, name, place) one by one: to say which differs."""
    return await connection.fetch(
        f"select digest, segment, name, place from ({ROWS[table]}) r order by place", *span
    )


async def add_link(connection: Connection, link: Link) -> None:
    """Raises `UniqueViolationError` where somebody else added it: two sealers make no fork."""
    await connection.execute(
        f"insert into audit_link ({_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        link.no, link.generation, link.xid_from, link.xid_to, link.events, link.messages, link.attempts, link.actions,
        link.segment_from, link.segment_to, link.digests, link.previous, link.hash, link.sealed_at,
    )  # fmt: skip


async def links(connection: Connection, after: int, limit: int) -> list[Link]:
    """In order; `after` is the last number of the page before."""
    found = await connection.fetch(
        f"select {_COLUMNS} from audit_link where no > $1 order by no limit $2", after, limit
    )
    return [Link(**dict(row)) for row in found]


async def last_checkpoint(connection: Connection) -> Any | None:
    return await connection.fetchrow(
        "select no, link, body, signature, made_at, sent_at from audit_checkpoint order by no desc limit 1"
    )


async def add_checkpoint(connection: Connection, checkpoint: Checkpoint, signed: Signed) -> None:
    await connection.execute(
        "insert into audit_checkpoint (no, link, body, signature, made_at) values ($1, $2, $3, $4, $5)",
        checkpoint.checkpoint, checkpoint.link, signed.body, bytes.fromhex(signed.signature), checkpoint.at,
    )  # fmt: skip


async def checkpoints(connection: Connection, *, unsent: bool = False, limit: int = 1000) -> list[Any]:
    """(no, body, signature), oldest first."""
    which = " where sent_at is null" if unsent else ""
    return await connection.fetch(
        f"select no, link, body, signature from audit_checkpoint{which} order by no limit $1", limit
    )


async def note_sent(connection: Connection, no: int, trouble: str) -> None:
    """It is off the machine, or why it is not."""
    await connection.execute(
        "update audit_checkpoint set trouble = $2, sent_at = case when $2 = '' then clock_timestamp() end where no = $1",
        no, trouble[:300],
    )  # fmt: skip


async def covered(connection: Connection, segment: int) -> bool:
    """Whether every event of a segment stands in a link: before that it must not be dropped."""
    found: bool = await connection.fetchval(
        f"select not exists (select 1 from event_{segment} where xid > (select coalesce(max(xid_to), 0)::text::xid8 from audit_link))"
    )
    return found
