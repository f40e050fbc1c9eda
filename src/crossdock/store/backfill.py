"""How far the lists of changed objects were read, and what was found there that nobody had told."""

from datetime import datetime

from crossdock.store.pool import Connection


async def begin(connection: Connection, system: str, list_: str) -> datetime:
    """Where the last reading came to; a list that was never read begins now: a new hub does not fetch the past."""
    await connection.execute(
        "insert into backfill (system, list, cursor) values ($1, $2, clock_timestamp()) on conflict do nothing",
        system, list_,
    )  # fmt: skip
    return await connection.fetchval(  # type: ignore[no-any-return]
        "select cursor from backfill where system = $1 and list = $2", system, list_
    )


async def advance(
    connection: Connection, system: str, list_: str, newest: datetime | None, found: int
) -> None:
    """A page was taken in up to a change of `newest`. A time that lies ahead of us moves nothing."""
    await connection.execute(
        "update backfill set cursor = greatest(cursor, case when $3 < clock_timestamp() then $3 else cursor end), found = found + $4,"
        " last_found_at = case when $4 > 0 then clock_timestamp() else last_found_at end where system = $1 and list = $2",
        system, list_, newest, found,
    )  # fmt: skip


async def finished(connection: Connection, system: str, list_: str) -> None:
    """Read to its end. Where nothing changes for long, the cursor follows a day behind: no change shows so late."""
    await connection.execute(
        "update backfill set read_at = clock_timestamp(), troubled_since = null, trouble = '',"
        " cursor = greatest(cursor, clock_timestamp() - interval '1 day') where system = $1 and list = $2",
        system, list_,
    )  # fmt: skip


async def troubled(connection: Connection, system: str, list_: str, reason: str) -> None:
    """The reading stopped short; it begins again at the cursor."""
    await connection.execute(
        "update backfill set troubled_since = coalesce(troubled_since, clock_timestamp()), trouble = $3"
        " where system = $1 and list = $2",
        system, list_, reason[:300],
    )  # fmt: skip


async def revived(connection: Connection, system: str, list_: str) -> None:
    """The sender had given up telling, and does so again."""
    await connection.execute(
        "update backfill set revived = revived + 1, last_revived_at = clock_timestamp() where system = $1 and list = $2",
        system, list_,
    )  # fmt: skip
