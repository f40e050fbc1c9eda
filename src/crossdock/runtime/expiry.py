"""Claims whose time is up: what is open of them goes back, with an entry and an event, once.

Each worker looks after claims of its own partitions, fenced by their epochs like its batches; a claim that was used or
extended meanwhile is left alone, since the locked row decides.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import asyncpg
import structlog

from crossdock.errors import Fenced
from crossdock.model.thread import PARTITIONS, partition_of
from crossdock.runtime import claim_events
from crossdock.runtime.wake import LOG, Waker
from crossdock.store import batch as table
from crossdock.store import claims, lifecycle, log, stock
from crossdock.store.pool import LOST, connect
from crossdock.store.segments import current_segment

LOOK_SECONDS: Final = 0.5
CLAIMS_MAX: Final = 500
_log = structlog.get_logger()
_AGAIN = (asyncpg.PostgresError, Fenced)


async def watch(dsn: str, epochs: Callable[[], dict[int, int]], waker: Waker) -> None:
    """For ever. `epochs` are the partitions that are ours, by number."""
    connection: asyncpg.Connection | None = None
    while True:
        try:
            if connection is None or connection.is_closed():
                connection = await connect(dsn)
            ended = await expire_due(connection, epochs())
        except LOST as error:
            _log.info("expiry_without_database", reason=str(error))
            if connection is not None:
                connection.terminate()
            connection, ended = None, 0
        except _AGAIN as error:
            _log.info("expiry_again", reason=f"{type(error).__name__}: {error}")
            ended = 0
        if ended:
            waker.ring(LOG)
        if ended < CLAIMS_MAX:
            await asyncio.sleep(LOOK_SECONDS)


async def expire_due(connection: asyncpg.Connection, epochs: dict[int, int]) -> int:
    """Expire claims of these partitions in one transaction; returns how many. Raises `Fenced`."""
    names = await claims.due(connection, sorted(epochs), PARTITIONS, CLAIMS_MAX)
    if not names:
        return 0
    segment = current_segment()
    async with connection.transaction():
        mine = {p: epochs[p] for p in {partition_of(thread) for _, thread in names}}
        await table.lock_epochs(connection, mine)
        held = await claims.lock(connection, [name for name, _ in names])
        generation, now = await claims.clock(connection)
        due = [c for c in held.values() if not c.ended and c.expires_at is not None and c.expires_at <= now]
        places = {x.key: x.unit for c in due for x in c.lines}
        settled = stock.Settled(segment, balances=await stock.lock(connection, places.items()), claims=held)
        for claim in due:
            assert claim.expires_at is not None
            cause = stock.Cause(
                f"expiry/{claim.id}/{claim.expires_at.isoformat()}", claim.thread, now, claim.id
            )
            lifecycle.expire(settled, claim, cause)
        await stock.write(connection, settled, segment)
        rows = claim_events.availability(settled, generation, now)
        rows += claim_events.expired(settled, due, generation, now)
        if rows:
            await log.append_rows(connection, rows, segment)
    return len(due)
