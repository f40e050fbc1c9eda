"""The worker's one transaction, table by table. Lock order: epoch → cases → stock balances, each sorted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from crossdock.errors import Fenced
from crossdock.store.pool import Connection

_encode = msgspec.json.Encoder().encode


async def lock_epochs(connection: Connection, epochs: dict[int, int]) -> None:
    """Lock the partitions' rows; raises `Fenced` when any is no longer ours."""
    rows = await connection.fetch(
        "select p, epoch from partition where p = any($1) order by p for no key update", sorted(epochs)
    )
    lost = [p for p, epoch in rows if epochs[p] != epoch]
    if lost:
        raise Fenced(f"partitions {lost} were taken over")


def lot_mark(item: str, lot: str) -> str:
    """How a thread's row says that it has goods of this lot."""
    return f"{item}\t{lot}"


_STATES = """
insert into thread_state as t (thread, p, thread_key, kind, version, state, phase, waiting_on, waiting_since, owner, done, parked,
    first_segment, number, units, lots, expects_since, expects_at, master_changed_at)
select thread, p, thread_key, kind, version, state, phase, waiting_on, waiting_since, owner, done, parked, first_segment, number,
    string_to_array(units, ' '), string_to_array(lots, E'\\n'), expects_since, expects_at, case when kind in ('item', 'location') then clock_timestamp() end
from rows from (
    json_to_recordset($1) as (thread bytea, p smallint, thread_key text, kind text, version smallint, phase text, waiting_on text,
        waiting_since timestamptz, owner text, done boolean, parked text, first_segment integer, number text, units text, lots text,
        expects_since timestamptz, expects_at timestamptz),
    unnest($2::bytea[])
) as n (thread, p, thread_key, kind, version, phase, waiting_on, waiting_since, owner, done, parked, first_segment, number, units, lots,
    expects_since, expects_at, state)
on conflict (thread) do update set version = excluded.version, state = excluded.state, phase = excluded.phase,
    waiting_on = excluded.waiting_on, waiting_since = excluded.waiting_since, owner = excluded.owner,
    done = excluded.done, parked = excluded.parked, number = excluded.number, units = excluded.units, lots = excluded.lots,
    expects_since = excluded.expects_since, expects_at = excluded.expects_at, master_changed_at = excluded.master_changed_at, updated_at = clock_timestamp()
"""
"""What is small goes as one JSON text: the driver needs twice as long for an array per column.

No index may be on `updated_at`: whatever changes an indexed column is written to every index.
"""


class StateRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `thread_state`, in the words of `_STATES`, without the state itself."""

    thread: str
    p: int
    thread_key: str
    kind: str
    version: int
    phase: str
    waiting_on: str
    waiting_since: datetime | None
    owner: str
    done: bool
    parked: str | None
    first_segment: int
    number: str | None
    units: str | None
    lots: str | None
    expects_since: datetime | None
    expects_at: datetime | None


async def write_states(connection: Connection, rows: Sequence[tuple[StateRow, bytes]]) -> None:
    if rows:
        small = _encode([row for row, _ in rows]).decode()
        await connection.execute(_STATES, small, [state for _, state in rows])


async def load_states(connection: Connection, threads: Sequence[bytes]) -> dict[bytes, asyncpg.Record]:
    rows = await connection.fetch(
        "select thread, state, version, parked, first_segment, waiting_on, waiting_since from thread_state where thread = any($1)",
        threads,
    )  # fmt: skip
    return {row["thread"]: row for row in rows}


async def bind(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    await connection.execute(
        "insert into identifier (hash, thread, scheme, issuer, value, thread_key)"
        " select * from unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[]) on conflict do nothing",
        *(list(column) for column in zip(*rows, strict=True)),
    )


async def write_timers(connection: Connection, timers: dict[tuple[bytes, str], tuple[Any, ...]]) -> None:
    """Set, in seconds of the business clock from now, and clear (None)."""
    gone = [key for key, (_, _, after) in timers.items() if after is None]
    if gone:
        await delete_timers(connection, gone)
    kept = [(thread, name, *rest) for (thread, name), rest in timers.items() if rest[2] is not None]
    if kept:
        await connection.execute(
            "insert into timer (thread, name, p, thread_key, due_at)"
            " select n.thread, n.name, n.p, n.thread_key, h.clock_business_at"
            " + (clock_timestamp() - h.clock_real_at) * h.clock_rate + n.after * interval '1 second'"
            " from unnest($1::bytea[], $2::text[], $3::smallint[], $4::text[], $5::int[]) as n (thread, name, p, thread_key, after), hub h"
            " on conflict (thread, name) do update set due_at = excluded.due_at",
            *(list(column) for column in zip(*kept, strict=True)),
        )


async def delete_timers(connection: Connection, keys: Sequence[tuple[bytes, str]]) -> None:
    await connection.execute(
        "delete from timer t using unnest($1::bytea[], $2::text[]) as d (thread, name)"
        " where t.thread = d.thread and t.name = d.name",
        [thread for thread, _ in keys], [name for _, name in keys],
    )  # fmt: skip


async def due_timers(connection: Connection, partitions: Sequence[int], limit: int) -> list[asyncpg.Record]:
    """Timers whose business-clock deadline has passed."""
    return await connection.fetch(
        "select t.thread, t.name, t.thread_key, t.due_at from timer t, hub h where t.p = any($1) and t.due_at <="
        " h.clock_business_at + (clock_timestamp() - h.clock_real_at) * h.clock_rate order by t.due_at limit $2",
        partitions, limit,
    )  # fmt: skip


async def run_out(connection: Connection, partitions: Sequence[int], limit: int) -> list[asyncpg.Record]:
    """Threads whose next expectation is past, as timers that name the instant. A clock runs as fast as the business clock,
    from the fact on. Open threads are walked: an index on what every update changes would cost each of them more.
    """
    return await connection.fetch(_RUN_OUT, partitions, limit)


async def said_run_out(connection: Connection, threads: Sequence[bytes]) -> None:
    """Their clocks are not looked at again before their next step, however late that comes."""
    await connection.execute(
        "update thread_state set expects_since = null, expects_at = null where thread = any($1)", threads
    )


_RUN_OUT = """
select t.thread, t.thread_key, t.expects_at as due_at from thread_state t, hub h
where not t.done and t.kind in ('order', 'shipment') and t.p = any($1) and t.parked is null
    and t.expects_since + (t.expects_at - t.expects_since) / h.clock_rate <= clock_timestamp() limit $2
"""


async def park(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    await connection.copy_records_to_table(
        "parked_event", records=rows, columns=("thread", "segment", "generation", "xid", "id")
    )


async def unpark(connection: Connection, threads: Sequence[bytes]) -> None:
    await connection.execute("delete from parked_event where thread = any($1)", threads)


async def advance_cursors(
    connection: Connection,
    moved: Sequence[tuple[int, int, int, int, int, int]],
    segment: int,
    lease_seconds: float,
) -> None:
    """(p, generation, xid, id, position before, position after) per partition; records the stretch, renews the leases."""
    columns = [list(column) for column in zip(*moved, strict=True)]
    await connection.execute(
        "update partition t set generation = n.generation, xid = n.xid, id = n.id, position = n.position,"
        " processed_at = clock_timestamp(), lease_until = clock_timestamp() + $6 * interval '1 second'"
        " from unnest($1::smallint[], $2::smallint[], $3::xid8[], $4::bigint[], $5::bigint[]) as n (p, generation, xid, id, position)"
        " where t.p = n.p",
        columns[0], columns[1], columns[2], columns[3], columns[5], lease_seconds,
    )  # fmt: skip
    await connection.copy_records_to_table(
        f"position_range_{segment}",
        records=[(segment, p, before + 1, after, g, x, n) for p, g, x, n, before, after in moved],
        columns=("segment", "p", "position_from", "position_to", "generation", "xid_to", "id_to"),
    )


async def claim_partitions(
    connection: Connection, owner: UUID, wanted: int, lease_seconds: float
) -> list[asyncpg.Record]:  # fmt: skip
    """Renew what is ours, take what is free up to `wanted`; returns all that is ours now.

    Rows that a batch of ours holds are passed over, not waited for: the batch renews them itself.
    """
    await connection.execute(
        "update partition set lease_until = clock_timestamp() + $2 * interval '1 second' where p in"
        " (select p from partition where owner = $1 order by p for no key update skip locked)",
        owner, lease_seconds,
    )  # fmt: skip
    await connection.execute(
        "update partition set owner = $1, epoch = epoch + 1, lease_until = clock_timestamp() + $3 * interval '1 second'"
        " where p in (select p from partition where owner is distinct from $1 and (owner is null or lease_until < clock_timestamp())"
        " order by p limit greatest(0, $2 - (select count(*) from partition where owner = $1)) for no key update skip locked)",
        owner, wanted, lease_seconds,
    )  # fmt: skip
    return await connection.fetch(
        "select p, epoch, generation, xid, id, position from partition where owner = $1 order by p", owner
    )


async def release_partitions(
    connection: Connection, owner: UUID, partitions: Sequence[int] | None = None
) -> None:
    """Give back some (or all) of what is ours, to be taken at once by others."""
    await connection.execute(
        "update partition set owner = null, epoch = epoch + 1, lease_until = '-infinity'"
        " where owner = $1 and ($2::int[] is null or p = any($2::int[]))",
        owner, partitions,
    )  # fmt: skip
