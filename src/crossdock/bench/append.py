"""`append`: durable canonical events over HTTP, in batches and one by one, against a no-op handler of the same form."""

from collections.abc import AsyncIterator

from crossdock.bench.lifecycle import batches, simple_events
from crossdock.bench.rows import Row, row
from crossdock.bench.stage import BenchHub

RUNS = 5
SECONDS = 3.0
CONNECTIONS = 64


async def bench() -> AsyncIterator[Row]:
    """Rows `append_batch` and `append_single`. The worker is off: what is measured is the durable append."""
    async with BenchHub(("api",)) as hub:
        rates = []
        for number in range(RUNS):
            events = [
                hub.request("/v1/events/batch", b) for b in batches(simple_events(f"b{number}", 60_000))
            ]
            found = await hub.load(events, connections=8, seconds=SECONDS, repeat=False)
            assert set(found["statuses"]) == {"200"}, found["statuses"]
            rates.append(found["per_second"] * 100)
        yield row(
            "append_batch",
            rates,
            "events/s",
            note="100 events a request, 8 connections, committed before the answer",
        )
        yield await _single(hub)


async def _single(hub: BenchHub) -> Row:
    """Alternating with the no-op, so that the ratio survives a drifting machine; then latency at 70 % of the rate."""
    rates, noops, ratios = [], [], []
    for number in range(RUNS):
        events = simple_events(f"s{number}", 25_000)
        noop = await hub.load(
            [hub.request("/v1/bench/noop", e) for e in events[:2000]], connections=CONNECTIONS, seconds=1.5
        )
        found = await hub.load(
            [hub.request("/v1/events", e) for e in events], connections=CONNECTIONS, seconds=1.5, repeat=False
        )
        assert set(found["statuses"]) == {"202"}, found["statuses"]
        rates.append(found["per_second"])
        noops.append(noop["per_second"])
        ratios.append(found["per_second"] / noop["per_second"])
    made = row("append_single", rates, "events/s")
    made.baseline = sorted(noops)[RUNS // 2]
    made.ratio = sorted(ratios)[RUNS // 2]
    paced = [hub.request("/v1/events", e) for e in simple_events("p", int(made.value * 0.7 * 4) + 1000)]
    found = await hub.load(paced, connections=CONNECTIONS, seconds=4.0, rate=made.value * 0.7, repeat=False)
    made.p50_ms, made.p95_ms, made.p99_ms = found["p50_ms"], found["p95_ms"], found["p99_ms"]
    made.note = f"{CONNECTIONS} connections; baseline: no-op handler, same authentication and body read; latency at 70 % of the rate"
    return made
