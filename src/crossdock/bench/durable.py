"""The same order lifecycle as workflows of a durable-execution library (`dbos`), on the same PostgreSQL.

As a program it is one process of that library: for each line `concurrency orders begin` on its standard input it runs so
many orders from the instant `begin` (Unix time) on, and prints how long they took.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.util import find_spec
from time import perf_counter, sleep, time
from typing import Any

from crossdock.bench.lifecycle import EVENTS_PER_ORDER, stages
from crossdock.bench.rows import Row, row
from crossdock.bench.stage import BenchHub
from crossdock.errors import Misconfigured

PROCESSES = 2
"""As many as the pipeline's own: one that takes events in, one that processes them."""
CONCURRENCY = (2, 4, 8, 16)
"""Workflows at once in each process; the best counts."""
TRIAL_ORDERS, ORDERS, RUNS = 20, 80, 3
TOGETHER_SECONDS = 0.3
"""All processes begin at one instant, this long after they were told."""
READY = "ready"


async def bench(hub: BenchHub, ours: float) -> Row:
    """`ours` is what the pipeline reached in this run, in events/s: each is one step of an order's life there."""
    if find_spec("dbos") is None:
        raise Misconfigured("dbos", "is not installed; it is a development dependency: make setup")
    await hub.db.execute("create database durable_bench")
    async with _shares(hub.hub.dsn.replace("/crossdock?", "/durable_bench?")) as shares:
        trials = {n: await _steps_per_second(shares, n, TRIAL_ORDERS) for n in CONCURRENCY}
        best = max(trials, key=lambda n: trials[n])
        runs = [await _steps_per_second(shares, best, ORDERS) for _ in range(RUNS)]
    made = row(
        "pipeline_durable",
        [ours],
        "events/s",
        note=f"baseline: steps/s of dbos, {EVENTS_PER_ORDER} steps an order that do nothing, {PROCESSES} processes with {best} workflows at once each",
    )
    made.baseline = sorted(runs)[RUNS // 2]
    made.ratio = ours / made.baseline
    made.more = {"baseline_runs": runs, "trials": {str(n): rate for n, rate in trials.items()}}
    return made


@asynccontextmanager
async def _shares(url: str) -> AsyncIterator[list[Process]]:
    """The library's processes, started and ready, one after the other: the first makes its tables."""
    shares: list[Process] = []
    try:
        for name in range(PROCESSES):
            command = (sys.executable, "-m", "crossdock.bench.durable", url, str(name))
            shares.append(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE))
            assert (await _told(shares[-1])).strip() == READY
        yield shares
    finally:
        for share in shares:
            share.kill()
            await share.wait()


async def _told(share: Process) -> str:
    assert share.stdout is not None
    return (await share.stdout.readline()).decode()


async def _steps_per_second(shares: list[Process], concurrency: int, orders: int) -> float:
    begin = time() + TOGETHER_SECONDS
    for share in shares:
        assert share.stdin is not None
        share.stdin.write(f"{concurrency} {orders // PROCESSES} {begin}\n".encode())
        await share.stdin.drain()
    seconds = [float(json.loads(await _told(share))["seconds"]) for share in shares]
    return orders // PROCESSES * PROCESSES * EVENTS_PER_ORDER / max(seconds)


def main() -> None:
    """One process of the library, until its standard input ends."""
    from dbos import DBOS

    url, name = sys.argv[1:]

    def react(stage: int, event: str) -> dict[str, Any]:
        return {"stage": stage, "bytes": len(event)}

    step = DBOS.step()(react)

    def lifecycle(events: list[str]) -> None:
        for stage, event in enumerate(events):
            step(stage, event)

    workflow = DBOS.workflow()(lifecycle)
    DBOS(
        config={
            "name": "bench", "system_database_url": url, "log_level": "ERROR", "executor_id": name,
            "sys_db_pool_size": max(20, CONCURRENCY[-1] * 2),
        }
    )  # fmt: skip
    DBOS.launch()
    _say(READY)
    for number, line in enumerate(sys.stdin):
        concurrency, orders, begin = line.split()
        made = [[x.decode() for x in stages(f"d{name}-{number}-", n)] for n in range(int(orders))]
        with ThreadPoolExecutor(int(concurrency)) as pool:
            sleep(max(0.0, float(begin) - time()))
            began = perf_counter()
            for done in [pool.submit(workflow, events) for events in made]:
                done.result()
            _say(json.dumps({"seconds": perf_counter() - began}))
    os._exit(0)  # the library's threads would be waited for


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
