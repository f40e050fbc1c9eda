"""Numbers of channels that change by time alone: kept-back pieces that may be shown again, lots past their last day of sale,
channels that are held or no longer held.

What is due is said in the log, once, by whichever worker finds it; whoever reads it decides on locked rows.
"""

import asyncio
from typing import Final
from uuid import uuid4

import asyncpg
import structlog

from crossdock.model.envelope import HUB
from crossdock.model.registry import TYPE_OF, encode
from crossdock.model.stock import AvailabilityChanged
from crossdock.model.thread import stock_thread
from crossdock.runtime.availability import Channel
from crossdock.runtime.wake import LOG, Waker
from crossdock.store import claims, log, reviews
from crossdock.store.pool import LOST, connect
from crossdock.store.segments import current_segment

LOOK_SECONDS: Final = 2.0
PLACES_MAX: Final = 500
_log = structlog.get_logger()


async def watch(dsn: str, channels: tuple[Channel, ...], waker: Waker) -> None:
    """For ever."""
    connection: asyncpg.Connection | None = None
    begun = False
    while True:
        found = 0
        try:
            if connection is None or connection.is_closed():
                connection = await connect(dsn)
            if not begun:
                await reviews.mark_held(connection, {x.name: x.held for x in channels})
                begun = True
            found = await review_due(connection)
        except LOST as error:
            _log.info("reviews_without_database", reason=str(error))
            if connection is not None:
                connection.terminate()
            connection = None
        except asyncpg.PostgresError as error:
            _log.info("reviews_again", reason=f"{type(error).__name__}: {error}")
        if found:
            waker.ring(LOG)
        if found < PLACES_MAX:
            await asyncio.sleep(LOOK_SECONDS)


async def review_due(connection: asyncpg.Connection) -> int:
    """Say of what is due that its availability may have changed; returns how many places that is."""
    segment = current_segment()
    async with connection.transaction():
        due = await reviews.take_due(connection, PLACES_MAX)
        if not due:
            return 0
        generation, now = await claims.clock(connection)
        rows = [
            log.event_row(
                segment=segment, generation=generation, thread=stock_thread(location, item),
                type_=TYPE_OF[AvailabilityChanged], event_id=uuid4().hex, source=HUB,
                occurred_at=now, data=encode(AvailabilityChanged(item, location)),
            )
            for item, location in due
        ]  # fmt: skip
        await log.append_rows(connection, rows, segment)
    return len(due)
