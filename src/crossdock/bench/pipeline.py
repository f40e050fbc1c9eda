"""`pipeline`: the whole lifecycle, append → process → effects journaled; then with effects delivered as well."""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

from crossdock.bench import delivered, durable
from crossdock.bench.lifecycle import EVENTS_PER_ORDER, batches, opening_stock, stages
from crossdock.bench.rows import Row, row
from crossdock.bench.stage import BenchHub

RUNS = 5
ORDERS = 1200
WAVE = 200
APART = 3
"""A wave's next stage follows this many ticks later, so that its consequences inside the hub came first, as in life."""


async def bench() -> AsyncIterator[Row]:
    async with BenchHub(("api", "worker")) as hub:
        await _append(hub, opening_stock())
        rates = []
        for number in range(RUNS):
            rates.append(await _run(hub, f"7{number}00"))
        done = await hub.db.fetchval(
            "select count(*) from thread_state where kind = 'order' and phase = 'completed'"
        )
        effects = await hub.db.fetchval("select count(*) from effect")
        internal = await hub.db.fetchval(
            "select count(*) filter (where source = 'crossdock')::float / count(*) from event"
        )
        assert done == RUNS * ORDERS, f"{done} of {RUNS * ORDERS} orders completed"
        made = row(
            "pipeline",
            rates,
            "events/s",
            note=f"{EVENTS_PER_ORDER} events an order, appended in batches of 100 over HTTP; internal events are not counted",
        )
        made.more = {
            "orders_completed": done,
            "effects_per_order": effects / done,
            "internal_event_share": internal,
        }
        yield made
        yield await durable.bench(hub, made.value)
    yield await delivered.bench()


async def _append(hub: BenchHub, events: list[bytes]) -> None:
    found = await hub.load(
        [hub.request("/v1/events/batch", b) for b in batches(events)], connections=2, seconds=30, repeat=False
    )
    assert set(found["statuses"]) == {"200"}, found["statuses"]


async def _run(hub: BenchHub, run: str) -> float:
    """Feed waves so that every stage finds its predecessor processed; returns external events per second."""
    waves = [[stages(run, n) for n in range(start, start + WAVE)] for start in range(0, ORDERS, WAVE)]
    ticks: list[list[bytes]] = []
    for tick in range(len(waves) + APART * (EVENTS_PER_ORDER - 1)):
        due: list[bytes] = []
        for stage in range(EVENTS_PER_ORDER):
            wave = tick - stage * APART
            if 0 <= wave < len(waves):
                due += [events[stage] for events in waves[wave]]
        ticks.append([hub.request("/v1/events/batch", b) for b in batches(due)])
    before = await hub.db.fetchval("select coalesce(sum(position), 0) from partition")
    began = perf_counter()
    feeder = asyncio.create_task(_feed(hub, ticks))
    target = await feeder
    while await hub.db.fetchval(_UNPROCESSED):
        await asyncio.sleep(0.02)
    elapsed = perf_counter() - began
    assert target > 0
    assert await hub.db.fetchval("select sum(position) from partition") > before
    return ORDERS * EVENTS_PER_ORDER / elapsed


_UNPROCESSED = """
select exists (
    select 1 from partition c where exists (
        select 1 from event e where e.p = c.p and (e.generation, e.xid, e.id) > (c.generation, c.xid, c.id)))
"""


async def _behind(hub: BenchHub) -> int:
    """About how many events wait, by the log's own counters: counting rows would cost as much as processing them."""
    return int(
        await hub.db.fetchval(
            "select pg_sequence_last_value(pg_get_serial_sequence('event', 'id')) - sum(position) from partition"
        )
    )


async def _feed(hub: BenchHub, ticks: list[list[bytes]]) -> int:
    """One connection pool; a tick goes out when at most one tick's worth is unprocessed."""
    sent = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    for tick in ticks:
        for one in tick:
            writer.write(one)
        for _ in tick:
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        sent += len(tick)
        while await _behind(hub) > WAVE * EVENTS_PER_ORDER:
            await asyncio.sleep(0.03)
    writer.close()
    return sent
