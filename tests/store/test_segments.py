"""Growth is dropped in whole segments, and never under an open thread."""

from datetime import UTC, datetime, timedelta

import asyncpg

from crossdock.store import segments
from crossdock.store.segments import TABLES, segment_at
from store.entries import append, item

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=70)


async def tables(connection: asyncpg.Connection, segment: int) -> set[str]:
    rows = await connection.fetch(
        "select relname from pg_class where relkind = 'r' and relname like $1", f"%\\_{segment}"
    )
    return {row[0].removesuffix(f"_{segment}") for row in rows}


async def open_thread(connection: asyncpg.Connection, since: datetime) -> None:
    await connection.execute(
        "insert into thread_state (thread, p, thread_key, kind, version, state, first_segment) values ('x', 0, 'order/x/1', 'order', 1, 'x', $1)",
        segment_at(since),
    )  # fmt: skip


async def test_segments_stand_ready_before_they_are_needed(connection: asyncpg.Connection) -> None:
    """Last week's (late clocks), this week's, and two to come; making them again changes nothing."""
    await segments.ensure(connection, NOW)

    for week in (-1, 0, 1, 2):
        assert await tables(connection, segment_at(NOW) + week) == set(TABLES)


async def test_what_is_old_and_closed_can_be_dropped(connection: asyncpg.Connection) -> None:
    """Whole tables, all of them, and only those beyond the retention."""
    await segments.ensure(connection, OLD)

    old = await segments.droppable(connection, NOW, keep_days=30)
    assert segment_at(OLD) in old
    assert all(segment < segment_at(NOW - timedelta(days=30)) for segment in old)

    for segment in old:
        await segments.drop(connection, segment)
    assert await tables(connection, segment_at(OLD)) == set()
    assert await tables(connection, segment_at(NOW)) == set(TABLES)


async def test_an_open_thread_keeps_its_history(connection: asyncpg.Connection) -> None:
    """Nothing from its first event on is dropped, however old."""
    await segments.ensure(connection, OLD)
    await open_thread(connection, OLD)

    assert segment_at(OLD) not in await segments.droppable(connection, NOW, keep_days=30)

    await connection.execute("update thread_state set done = true")
    assert segment_at(OLD) in await segments.droppable(connection, NOW, keep_days=30)


async def test_duplicates_are_known_after_the_bodies_are_gone(connection: asyncpg.Connection) -> None:
    """Identities stand in narrow tables of their own."""
    await append(connection, item("stock/S/1", "x"))

    await segments.drop(connection, segment_at(NOW))
    await segments.ensure(connection, NOW)

    assert await append(connection, item("stock/S/1", "x")) == ["duplicate"]
