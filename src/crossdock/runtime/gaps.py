"""Notices that a sender's running numbers have gaps, off intake's path: folds what was heard and names what stays away.

Part of a delivery process; one of several does it at a time. What changed of the named gaps is an event of the series' thread.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import structlog

from crossdock.model.envelope import HUB
from crossdock.model.operations import NumberRun, NumbersCompared
from crossdock.model.registry import TYPE_OF, encode
from crossdock.model.thread import thread_key
from crossdock.processes import numbering
from crossdock.processes.gap import KIND
from crossdock.processes.numbering import Series
from crossdock.runtime.hub import Hub
from crossdock.runtime.wake import LOG, Waker
from crossdock.store import claims, log
from crossdock.store import numbering as table
from crossdock.store.pool import LOST, Connection
from crossdock.store.segments import current_segment

LOOK_SECONDS: Final = 1.0
RUNS_TOLD_MAX: Final = 20
"""In an event; the table has all."""
_log = structlog.get_logger()


class Gaps:
    """For ever, for all numbered senders of a hub."""

    def __init__(self, hub: Hub, pool: asyncpg.Pool, waker: Waker) -> None:
        self._pool, self._waker = pool, waker
        numbered = [name for name in hub.landscape.systems if hub.connector(name).number is not None]
        self._patience = {name: patience_of(hub, name) for name in numbered}

    async def run(self) -> None:
        """Until cancelled."""
        while self._patience:
            try:
                async with self._pool.acquire() as connection:
                    if await look(connection, self._patience):
                        self._waker.ring(LOG)
            except (*LOST, asyncpg.PostgresError) as error:
                _log.info("gaps_wait", reason=f"{type(error).__name__}: {error}")
            await asyncio.sleep(LOOK_SECONDS)


def patience_of(hub: Hub, system: str) -> timedelta:
    """After the landscape, else what the connector knows of its channels."""
    wanted = hub.landscape.systems[system].late_seconds
    known = max(x.late_seconds for x in hub.manifest(system).inbound.values())
    return timedelta(seconds=known if wanted is None else wanted)


async def look(connection: Connection, patience: Mapping[str, timedelta]) -> int:
    """Fold what was heard, all or nothing; how many series have other named gaps than before, or began anew."""
    async with connection.transaction():
        if not await table.mine(connection):
            return 0
        arrivals = await table.take(connection)
        known = await table.read(connection)
        said = await table.said(connection)
        at = await table.now(connection)
        changed = {}
        for key in sorted({*arrivals, *known}):
            before, after = known.get(key), known.get(key)
            numbers = arrivals.get(key, [])
            if after is None:
                after = numbering.begin(min(number for number, _ in numbers))
            after = numbering.heard(after, numbers if before else _all_but_first(numbers))
            if sum(system == key[0] for system, _ in known) == 1 and key[0] in said:
                after = _as_said(after, *said[key[0]])
            after = numbering.overdue(after, at, patience.get(key[0], timedelta.max))
            if after != before:
                await table.write(connection, key, after)
                if _told(after) != _told(before):
                    changed[key] = after
        await _say(connection, changed, at)
    return len(changed)


def _all_but_first(numbers: list[tuple[int, datetime]]) -> list[tuple[int, datetime]]:
    """Of a sender that nobody heard before: the lowest number is where we begin."""
    lowest = min(number for number, _ in numbers)
    return [x for x in numbers if x[0] != lowest]


def _as_said(series: Series, number: int, at: datetime) -> Series:
    """What it said before it began anew was of the old numbers."""
    return series if series.anew and series.anew.at >= at else numbering.sent(series, number, at)


def _told(series: Series | None) -> tuple[object, ...]:
    return ((), None) if series is None else (numbering.named(series), series.anew)


async def _say(connection: Connection, changed: Mapping[table.Key, Series], at: datetime) -> None:
    if not changed:
        return
    generation, _ = await claims.clock(connection)
    segment = current_segment()
    rows = [
        log.event_row(
            segment=segment, generation=generation, thread=thread_key(KIND, *key), type_=TYPE_OF[NumbersCompared],
            event_id=f"numbers/{'/'.join(key)}/{at.isoformat()}", source=HUB, occurred_at=at,
            data=encode(compared(*key, series)),
        )
        for key, series in changed.items()
    ]  # fmt: skip
    await log.append_rows(connection, rows, segment)


def compared(system: str, name: str, series: Series) -> NumbersCompared:
    """What is named of it now."""
    runs = numbering.named(series)
    anew = series.anew
    return NumbersCompared(
        system, name, sum(run.count for run in runs), tuple(NumberRun(x.first, x.last) for x in runs[:RUNS_TOLD_MAX]),
        (anew.from_number, anew.to_number, anew.missing) if anew else (), anew.at if anew else None,
    )  # fmt: skip
