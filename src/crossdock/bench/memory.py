"""`memory`: what a whole hub holds, its PostgreSQL in it, its twins not: at rest, and while orders go through."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from itertools import chain

import psutil

from crossdock.bench.delivered import trading, wave
from crossdock.bench.rows import Row, row

RUNS = 5
MEGABYTE = 1_000_000
EVERY_SECONDS = 0.5
REST_SECONDS = 3.0
_NOTE = "sum of proportional set sizes of supervisor, API, one worker, delivery and PostgreSQL"


async def bench() -> AsyncIterator[Row]:
    async with trading() as (stage, db):
        assert stage.supervisor is not None
        hub = stage.supervisor.pid
        await asyncio.sleep(REST_SECONDS)
        yield row("memory_idle", [held(hub) for _ in range(RUNS)], "MB", note=_NOTE)
        peaks = [await peak_during(hub, wave(stage, db, number)) for number in range(RUNS)]
        yield row("memory_load", peaks, "MB", note=_NOTE)


def held(supervisor: int) -> float:
    """Megabytes (10^6) of the process and everything it started: the sum of proportional set sizes, which count shared
    pages once (Linux, `/proc/PID/smaps_rollup`).
    """
    top = psutil.Process(supervisor)
    return sum(map(_of, chain((top,), top.children(recursive=True)))) / MEGABYTE


def _of(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0


async def peak_during(supervisor: int, work: Awaitable[object]) -> float:
    """The most that was held while the work went on."""
    task = asyncio.ensure_future(work)
    most = 0.0
    while not task.done():
        most = max(most, await asyncio.to_thread(held, supervisor))
        await asyncio.wait((task,), timeout=EVERY_SECONDS)
    await task
    return most
