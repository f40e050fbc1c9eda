"""The holds as a delivery process knows them: read when told, and at least every second. A look costs no effect anything."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import asyncpg
import structlog

from crossdock.runtime.lanes import Entry, Lanes
from crossdock.runtime.wake import HOLDS, listen
from crossdock.store import holds as table
from crossdock.store.holds import Hold, Index
from crossdock.store.pool import LOST, Connection

READ_SECONDS = 0.8
"""With the reading itself, no hold is noticed later than a second after it was placed."""
_log = structlog.get_logger()


class Holding:
    """`current` is replaced as a whole, and only when something changed."""

    def __init__(self, dsn: str, changed: Callable[[], None]) -> None:
        self.current: tuple[Hold, ...] = ()
        self._dsn, self._changed = dsn, changed
        self._told = asyncio.Event()

    async def read(self, connection: Connection) -> None:
        found = await table.current(connection)
        if found != self.current:
            self.current = found
            _log.info("holds_changed", holds=len(found))
            self._changed()

    async def run(self, pool: asyncpg.Pool) -> None:
        """Until cancelled. While the database is away nothing is sent either."""
        listening = asyncio.create_task(listen(self._dsn, HOLDS, lambda _: self._told.set()))
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(READ_SECONDS):
                        await self._told.wait()
                self._told.clear()
                try:
                    async with pool.acquire() as connection:
                        await self.read(connection)
                except (*LOST, asyncpg.PostgresError):
                    await asyncio.sleep(0.2)
        finally:
            listening.cancel()


class Heeding:
    """What the lanes of one account make of the holds."""

    def __init__(self, account: str, holding: Holding) -> None:
        self._account, self._holding = account, holding
        self._heeded: tuple[Hold, ...] = ()
        self._index = Index(account, ())

    async def mark(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """What holds by item or by cause ask of entries; nothing, while there are none."""
        if not self._index.needs_marks or not entries:
            return
        marks = await table.marks_of(connection, entries)
        for entry in entries:
            entry.marks = marks.get(entry.id, ())

    async def heed(self, lanes: Lanes, pool: asyncpg.Pool) -> bool:
        """Other holds count from now on, if there are any since the last look; a call that has begun goes on.

        True when a pause or drain of this account has ended.
        """
        if self._heeded is self._holding.current:
            return False
        before = self._stopped
        told, self._index = self._holding.current, Index(self._account, self._holding.current)
        if self._index.needs_marks:
            async with pool.acquire() as connection:
                await self.mark(connection, [*lanes.known.values()])
        self._heeded = told
        lanes.heed(self._index.over if self._index else None)
        return before and not self._stopped

    @property
    def _stopped(self) -> bool:
        return any(hold.mode != "hold" and hold.name == self._account for hold in self._heeded)
