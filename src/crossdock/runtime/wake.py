"""Wake-ups outside the write transaction: NOTIFY from a connection of its own, leading edge at once, then coalesced.

A lost wake-up costs at most the reader's own poll interval; nothing depends on one.
"""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg

from crossdock.store.pool import LOST, connect

LOG = "crossdock_log"
EFFECTS = "crossdock_effects"
COALESCE_SECONDS = 0.02


class Waker:
    """Sends wake-ups to other processes; `ring` never blocks and never fails."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._rung: dict[str, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def ring(self, channel: str) -> None:
        event = self._rung.get(channel)
        if event is None:
            event = self._rung[channel] = asyncio.Event()
            self._tasks.append(asyncio.create_task(self._send(channel, event)))
        event.set()

    async def _send(self, channel: str, rung: asyncio.Event) -> None:
        connection: asyncpg.Connection | None = None
        while True:
            await rung.wait()
            rung.clear()
            try:
                if connection is None or connection.is_closed():
                    connection = await connect(self._dsn)
                await connection.execute(f"notify {channel}")
            except LOST:
                connection = None
            await asyncio.sleep(COALESCE_SECONDS)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def listen(dsn: str, channel: str, call: Callable[[], None], *, called: str = "crossdock") -> None:
    """Call `call` at every wake-up, for ever; reconnects when the database comes back. Others see the session as `called`."""
    while True:
        with contextlib.suppress(*LOST):
            connection = await connect(dsn)
            await connection.execute("select set_config('application_name', $1, false)", called)
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _c, e=ended: e.set())
            await connection.add_listener(channel, lambda *_: call())
            call()
            await ended.wait()
        await asyncio.sleep(0.2)
