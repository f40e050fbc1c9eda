"""`deliver`: effects acknowledged by an HTTP target, and the time from append to acknowledgement."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

from crossdock.bench.lifecycle import SHOP, _event, batches
from crossdock.bench.rows import Row, row
from crossdock.bench.stage import BenchHub
from crossdock.model import order
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.thread import order_thread

RUNS = 5
EFFECTS = 6000
LATENCY_SECONDS = 10


def _pair(name: str) -> tuple[bytes, bytes]:
    """A cancellation that came first, and its order: one notification follows, and nothing else."""
    reference, thread = f"{SHOP}/{name}", order_thread(SHOP, name)
    line = order.OrderLine("1", "ITEM-1", Quantity(Decimal(1)), Money(Decimal(1), "EUR"))
    received = order.OrderReceived(f"#{name}", reference, SHOP, (line,), Money(Decimal(1), "EUR"))
    cancel = order.OrderCancelRequested(reference, "bench")
    return _event(SHOP, f"{name}-c", thread, cancel), _event(SHOP, f"{name}-r", thread, received)


async def bench() -> AsyncIterator[Row]:
    async with BenchHub(("api", "worker", "delivery"), notify=("crm",), sink=True) as hub:
        rates = []
        for number in range(RUNS):
            rates.append(await _rate(hub, f"d{number}x"))
        yield row(
            "deliver",
            rates,
            "effects/s",
            note="one account, 64 calls at once; from first to last acknowledgement in the journal",
        )
        yield await _latency(hub)


async def _rate(hub: BenchHub, run: str) -> float:
    pairs = [_pair(f"{run}{n}") for n in range(EFFECTS)]
    for half in (0, 1):
        events = [hub.request("/v1/events/batch", b) for b in batches([pair[half] for pair in pairs], 500)]
        await hub.load(events, connections=2, seconds=30, repeat=False)
    while await _count(hub, run) < EFFECTS:
        await asyncio.sleep(0.05)
    return float(
        await hub.db.fetchval(
            "select count(*) / extract(epoch from max(settled_at) - min(settled_at)) from effect where thread_key like $1",
            f"order/{SHOP}/{run}%",
        )
    )


async def _count(hub: BenchHub, run: str) -> int:
    return int(
        await hub.db.fetchval(
            "select count(*) from effect where state = 10 and thread_key like $1", f"order/{SHOP}/{run}%"
        )
    )


async def _latency(hub: BenchHub) -> Row:
    """100 a second, open loop, one event a request."""
    pairs = [_pair(f"lat{n}") for n in range(100 * LATENCY_SECONDS)]
    await hub.load(
        [hub.request("/v1/events/batch", b) for b in batches([p[0] for p in pairs])],
        connections=1,
        seconds=20,
        repeat=False,
    )
    await asyncio.sleep(1)
    began = datetime.now(UTC)
    await hub.load(
        [hub.request("/v1/events", p[1]) for p in pairs], connections=8, seconds=30, rate=100, repeat=False
    )
    await asyncio.sleep(1)
    found = await hub.db.fetchrow(
        "select count(*) as n, percentile_cont(array[0.5, 0.95, 0.99]) within group (order by"
        " extract(epoch from f.settled_at - e.recorded_at) * 1000) as ms from effect f join event e"
        " on e.thread = f.thread and e.type = 'order.received.v1' where f.state = 10 and f.journaled_at >= $1",
        began,
    )
    assert found is not None
    assert found["n"] == len(pairs), f"{found['n']} of {len(pairs)} acknowledged"
    p50, p95, p99 = found["ms"]
    made = row("deliver_latency", [p50], "ms", note="append to acknowledged by the target, 100 events/s")
    made.p50_ms, made.p95_ms, made.p99_ms = p50, p95, p99
    return made
