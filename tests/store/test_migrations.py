"""The schema: applied once, never on top of something unknown, by however many processes."""

import asyncio

import asyncpg
import pytest

from crossdock.errors import Misconfigured
from crossdock.store import migrate
from crossdock.store.pool import connect


async def test_up_applies_everything_once(empty_dsn: str) -> None:
    """An empty database gets all migrations in order; a second run has nothing to do."""
    connection = await connect(empty_dsn)

    planned = [m.name for m in await migrate.pending(connection)]
    first = [m.name for m in await migrate.up(connection)]
    second = await migrate.up(connection)

    assert planned == first == [m.name for m in migrate.known()]
    assert first == sorted(first)
    assert second == []
    await connection.close()


async def test_plan_changes_nothing(empty_dsn: str) -> None:
    """Looking at what is pending applies none of it."""
    connection = await connect(empty_dsn)

    await migrate.pending(connection)

    assert await connection.fetchval("select to_regclass('event')") is None
    await connection.close()


async def test_an_edited_migration_is_refused(dsn: str) -> None:
    """What was applied must be what this release holds, or nobody knows what the schema is."""
    connection = await connect(dsn)
    await connection.execute("update schema_migration set checksum = 'other' where version = 1")

    with pytest.raises(Misconfigured, match="another content"):
        await migrate.up(connection)
    await connection.close()


async def test_a_newer_schema_is_refused(dsn: str) -> None:
    """An older release keeps its hands off, and says what to do."""
    connection = await connect(dsn)
    await connection.execute(
        "insert into schema_migration (version, name, checksum) values (9999, '9999_x.sql', 'x')"
    )

    with pytest.raises(Misconfigured, match="upgrade crossdock"):
        await migrate.up(connection)
    await connection.close()


async def test_two_at_once_apply_it_once(empty_dsn: str) -> None:
    """Of processes that start together one migrates; the others wait and find nothing to do."""
    connections = [await connect(empty_dsn) for _ in range(3)]

    applied = await asyncio.gather(*(migrate.up(c) for c in connections))

    assert sorted(len(a) for a in applied) == [0, 0, len(migrate.known())]
    for c in connections:
        await c.close()


async def test_a_failed_migration_leaves_nothing_behind(empty_dsn: str) -> None:
    """It stands in the way of a table that exists: the whole file is rolled back and not recorded."""
    connection = await connect(empty_dsn)
    await connection.execute("create table timer (x integer)")

    with pytest.raises(Exception, match="already exists"):
        await migrate.up(connection)

    assert await connection.fetchval("select to_regclass('event')") is None
    assert await connection.fetchval("select count(*) from schema_migration") == 0
    await connection.close()


async def test_no_index_follows_what_every_update_changes(connection: asyncpg.Connection) -> None:
    """Each update of a thread or a balance would be written to all indexes of its table, and none stay in its page."""
    found = await connection.fetch(
        "select i.indexrelid::regclass::text from pg_index i join pg_depend d on d.objid = i.indexrelid"
        " join pg_attribute a on a.attrelid = i.indrelid and a.attnum = d.refobjsubid and d.refobjid = i.indrelid"
        " where i.indrelid in ('thread_state'::regclass, 'stock_balance'::regclass)"
        " and a.attname in ('updated_at', 'state', 'version')"
    )

    assert [row[0] for row in found] == []
