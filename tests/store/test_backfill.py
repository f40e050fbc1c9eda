"""The cursor of a list: forward only, never beyond our own clock; and what was found is counted."""

from datetime import UTC, datetime, timedelta

import asyncpg

from crossdock.store import backfill

SHOP = ("shop", "orders")


async def cursor(connection: asyncpg.Connection) -> datetime:
    return await backfill.begin(connection, *SHOP)


async def row(connection: asyncpg.Connection) -> asyncpg.Record:
    found = await connection.fetchrow("select * from backfill")
    assert found is not None
    return found


async def test_a_new_list_begins_now_and_stays_where_it_is(connection: asyncpg.Connection) -> None:
    """The past is not fetched; asking again where it stands moves nothing."""
    before = datetime.now(UTC)
    first = await cursor(connection)

    assert before - timedelta(seconds=1) <= first <= datetime.now(UTC) + timedelta(seconds=1)
    assert await cursor(connection) == first


async def test_the_cursor_only_goes_forward_and_not_into_the_future(connection: asyncpg.Connection) -> None:
    """Neither an older page, nor one without rows, nor a clock that runs ahead does harm."""
    start = await cursor(connection)
    await connection.execute("update backfill set cursor = cursor - interval '1 hour'")
    newest = start - timedelta(minutes=30)

    await backfill.advance(connection, *SHOP, newest, 0)
    assert await cursor(connection) == newest
    for older in (newest - timedelta(minutes=5), None):
        await backfill.advance(connection, *SHOP, older, 0)
        assert await cursor(connection) == newest
    await backfill.advance(connection, *SHOP, start + timedelta(days=400), 0)
    assert await cursor(connection) <= datetime.now(UTC) + timedelta(seconds=1)


async def test_a_list_where_nothing_changes_does_not_stay_behind(connection: asyncpg.Connection) -> None:
    """Read to its end, it begins a day ago at the earliest, within the time that duplicates are known."""
    await cursor(connection)
    await connection.execute("update backfill set cursor = cursor - interval '40 days'")

    await backfill.finished(connection, *SHOP)

    age = datetime.now(UTC) - await cursor(connection)
    assert timedelta(hours=23) < age < timedelta(hours=25)


async def test_what_was_found_and_what_stood_in_the_way_is_kept(connection: asyncpg.Connection) -> None:
    """Counts add up; trouble has a beginning, and ends with the next reading that comes to its end."""
    await cursor(connection)
    await backfill.advance(connection, *SHOP, None, 3)
    await backfill.advance(connection, *SHOP, None, 2)
    await backfill.revived(connection, *SHOP)
    await backfill.troubled(connection, *SHOP, "503")
    began = (await row(connection))["troubled_since"]
    await backfill.troubled(connection, *SHOP, "401 " + "x" * 1000)

    found = await row(connection)
    assert (found["found"], found["revived"], found["troubled_since"]) == (5, 1, began)
    assert found["trouble"].startswith("401")
    assert len(found["trouble"]) == 300
    await backfill.finished(connection, *SHOP)
    found = await row(connection)
    assert (found["trouble"], found["troubled_since"]) == ("", None)
    assert found["read_at"] is not None
