"""The sampler behind "what flows now": every API process notes the counters, one row a tick."""

import asyncio

import asyncpg
import structlog

from crossdock.store import throughput
from crossdock.store.pool import LOST

_log = structlog.get_logger()


async def sample(pool: asyncpg.Pool) -> None:
    """For ever; a tick without a database leaves a gap, which the page shows as one."""
    while True:
        try:
            async with pool.acquire() as connection:
                await throughput.note(connection)
        except (*LOST, asyncpg.PostgresError) as error:
            _log.info("throughput_not_noted", reason=str(error))
        await asyncio.sleep(throughput.TICK_SECONDS)
