"""Time segments: bodies and history grow in weekly tables and are dropped whole, never row by row.

A segment's number is the count of whole weeks since 1970-01-01 UTC, so that every writer computes it alone.
"""

import time
from datetime import datetime, timedelta

from crossdock.store.pool import Connection

WEEK_SECONDS = 7 * 86400
AHEAD = 2
TABLES = ("event", "position_range", "message", "effect_body", "attempt", "stock_entry")


def segment_at(instant: datetime) -> int:
    return int(instant.timestamp()) // WEEK_SECONDS


def current_segment() -> int:
    return int(time.time()) // WEEK_SECONDS


async def ensure(connection: Connection, now: datetime) -> None:
    """Create the tables of the running segment, the one before (late clocks) and the next ones."""
    number = segment_at(now)
    for segment in range(number - 1, number + AHEAD + 1):
        for table in TABLES:
            await connection.execute(
                f"create table if not exists {table}_{segment} partition of {table}"
                f" for values from ({segment}) to ({segment + 1})"
            )


async def droppable(connection: Connection, now: datetime, keep_days: int) -> list[int]:
    """Segments older than the retention that no open thread began in or before."""
    rows = await connection.fetch(
        "select substring(relname from 'event_(\\d+)$')::int as segment from pg_class"
        " where relkind = 'r' and relname ~ '^event_\\d+$' order by 1"
    )
    oldest_open = await connection.fetchval("select min(first_segment) from thread_state where not done")
    newest = segment_at(now - timedelta(days=keep_days)) - 1
    bound = newest if oldest_open is None else min(newest, oldest_open - 1)
    return [row["segment"] for row in rows if row["segment"] <= bound]


async def drop(connection: Connection, segment: int) -> None:
    """Remove one segment of every table; identities, digests and what the entries add up to stay in the narrow tables."""
    async with connection.transaction():
        if await connection.fetchval("select to_regclass($1)", f"stock_entry_{segment}") is not None:
            await connection.execute(
                "insert into stock_opening as o (balance, bucket, quantity)"
                " select balance, bucket, sum(quantity) from (select balance, to_bucket as bucket, quantity"
                f" from stock_entry_{segment} union all select balance, from_bucket, -quantity from stock_entry_{segment}) as moved"
                " where bucket <> 'outside' group by balance, bucket"
                " on conflict (balance, bucket) do update set quantity = o.quantity + excluded.quantity"
            )
        for table in TABLES:
            await connection.execute(f"drop table if exists {table}_{segment}")
