"""The same order lifecycle as workflows of a durable-execution library (`dbos`), on the same PostgreSQL.

As a program it is one process of that library: it runs its share of orders and prints how long they took.
"""

import argparse
import asyncio
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
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
TRIAL_ORDERS, ORDERS, RUNS = 40, 150, 3
START_SECONDS = 8.0
"""All processes begin together, this long after the first was started."""


async def bench(hub: BenchHub, ours: float) -> Row:
    """`ours` is what the pipeline reached in this run, in events/s: each is one step of an order's life there."""
    if find_spec("dbos") is None:
        raise Misconfigured("dbos", "is not installed; it is a development dependency: make setup")
    await hub.db.execute("create database durable_bench")
    trials = {n: await _steps_per_second(hub, n, TRIAL_ORDERS) for n in CONCURRENCY}
    best = max(trials, key=lambda n: trials[n])
    runs = [await _steps_per_second(hub, best, ORDERS) for _ in range(RUNS)]
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


async def _steps_per_second(hub: BenchHub, concurrency: int, orders: int) -> float:
    url = hub.hub.dsn.replace("/crossdock?", "/durable_bench?")
    begin = time() + START_SECONDS
    command = (sys.executable, "-m", "crossdock.bench.durable", url, str(concurrency), str(orders // PROCESSES), str(begin))  # fmt: skip
    shares = [
        await asyncio.create_subprocess_exec(*command, str(n), stdout=asyncio.subprocess.PIPE)
        for n in range(PROCESSES)
    ]
    told = [await share.communicate() for share in shares]
    seconds = max(json.loads(out)["seconds"] for out, _ in told)
    return orders // PROCESSES * PROCESSES * EVENTS_PER_ORDER / float(seconds)


def _run(url: str, concurrency: int, orders: list[list[str]], begin: float) -> float:
    """Seconds from `begin` until every workflow of this process ended."""
    from dbos import DBOS

    def react(stage: int, event: str) -> dict[str, Any]:
        return {"stage": stage, "bytes": len(event)}

    step = DBOS.step()(react)

    def lifecycle(events: list[str]) -> None:
        for stage, event in enumerate(events):
            step(stage, event)

    workflow = DBOS.workflow()(lifecycle)
    DBOS(
        config={
            "name": "bench", "system_database_url": url, "log_level": "ERROR",
            "sys_db_pool_size": max(20, concurrency * 2),
        }
    )  # fmt: skip
    DBOS.launch()
    assert time() < begin, "not ready in time: raise START_SECONDS"
    with ThreadPoolExecutor(concurrency) as pool:
        sleep(begin - time())
        began = perf_counter()
        for done in [pool.submit(workflow, events) for events in orders]:
            done.result()
        return perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("concurrency", type=int)
    parser.add_argument("orders", type=int)
    parser.add_argument("begin", type=float)
    parser.add_argument("share")
    given = parser.parse_args()
    orders = [[x.decode() for x in stages(f"d{given.share}", n)] for n in range(given.orders)]
    seconds = _run(given.url, given.concurrency, orders, given.begin)
    sys.stdout.write(json.dumps({"seconds": seconds}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the library's threads would be waited for


if __name__ == "__main__":
    main()
