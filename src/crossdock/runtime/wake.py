"""Wake-ups outside the write transaction: NOTIFY from a connection of its own, leading edge at once, then coalesced.

A wake-up may say for whom; one that names nobody is for all. A lost one costs at most the reader's own poll
interval; nothing depends on one.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence

import asyncpg

from crossdock.store.pool import LOST, connect

LOG = "crossdock_log"
EFFECTS = "crossdock_effects"
HOLDS = "crossdock_holds"
COALESCE_SECONDS = 0.02
ALL = ""
PAYLOAD_MAX = 7000
"""Bytes; PostgreSQL takes 8000."""


class Waker:
    """Sends wake-ups to other processes; `ring` never blocks and never fails."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._rung: dict[str, asyncio.Event] = {}
        self._names: dict[str, set[str]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def ring(self, channel: str, names: Iterable[str] = (ALL,)) -> None:
        event = self._rung.get(channel)
        if event is None:
            event = self._rung[channel] = asyncio.Event()
            self._names[channel] = set()
            self._tasks.append(asyncio.create_task(self._send(channel, event)))
        self._names[channel].update(names)
        event.set()

    async def _send(self, channel: str, rung: asyncio.Event) -> None:
        connection: asyncpg.Connection | None = None
        while True:
            await rung.wait()
            rung.clear()
            names, self._names[channel] = self._names[channel], set()
            payload = ALL if ALL in names else " ".join(sorted(names))
            try:
                if connection is None or connection.is_closed():
                    connection = await connect(self._dsn)
                await connection.execute(
                    "select pg_notify($1, $2)", channel, payload if len(payload) < PAYLOAD_MAX else ALL
                )
            except LOST:
                connection = None
            await asyncio.sleep(COALESCE_SECONDS)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def listen(
    dsn: str, channel: str, call: Callable[[Sequence[str]], None], *, called: str = "crossdock"
) -> None:
    """Call `call` at every wake-up with whom it is for (empty: all), for ever; reconnects when the database comes back.

    Others see the session as `called`.
    """
    while True:
        with contextlib.suppress(*LOST):
            connection = await connect(dsn)
            await connection.execute("select set_config('application_name', $1, false)", called)
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _c, e=ended: e.set())
            await connection.add_listener(
                channel, lambda _connection, _pid, _channel, names: call(names.split())
            )
            call(())
            await ended.wait()
        await asyncio.sleep(0.2)
