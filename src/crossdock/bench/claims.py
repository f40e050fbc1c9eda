"""`claims`: the claim desk on one hot item, against one conditional UPDATE per transaction and against a no-op handler."""

import asyncio
import gc
from collections.abc import AsyncIterator
from decimal import Decimal
from time import perf_counter
from uuid import uuid4

import asyncpg
import msgspec

from crossdock.bench.rows import Row, row
from crossdock.bench.stage import BenchHub
from crossdock.model.claim import ClaimWanted, WantedLine
from crossdock.model.quantity import Quantity
from crossdock.processes.demand import demand
from crossdock.runtime.claim_desk import ClaimDesk
from crossdock.runtime.claim_round import Asking
from crossdock.runtime.wake import Waker
from crossdock.store.pool import open_pool

RUNS = 3
SECONDS = 2.0
CALLERS = 4000
"""In process, each asking again once it was answered."""
CONNECTIONS = 64
UPDATERS = 16
STOCK = Decimal(100_000_000)
_encode = msgspec.json.Encoder(decimal_format="string").encode


async def bench() -> AsyncIterator[Row]:
    """Rows `claims_in_process` and `claims_hot_item`. The worker is off: what is measured is the claim, not what follows."""
    async with BenchHub(("api",)) as hub:
        yield await _in_process(hub)
        yield await _over_http(hub)


async def _stock(hub: BenchHub, item: str, quantity: Decimal) -> None:
    balance = await hub.db.fetchval(
        "insert into stock_balance (item, location, unit, available) values ($1, 'SITE1', 'EA', $2) returning id", item, quantity
    )  # fmt: skip
    await hub.db.execute(
        "insert into stock_opening (balance, bucket, quantity) values ($1, 'available', $2)",
        balance,
        quantity,
    )


async def _in_process(hub: BenchHub) -> Row:
    """Alternating with the baseline, so that the ratio survives a drifting machine."""
    await _stock(hub, "HOT", STOCK)
    pool = await open_pool(hub.hub.dsn, size_max=UPDATERS)
    waker = Waker(hub.hub.dsn)
    desk = ClaimDesk(pool, waker)
    desk.start()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # as in every process of a hub
    rates, singles, ratios = [], [], []
    for _ in range(RUNS):
        singles.append(await _updates(pool))
        rates.append(await _claims(desk))
        ratios.append(rates[-1] / singles[-1])
    await desk.close()
    await waker.close()
    await pool.close()
    made = row("claims_in_process", rates, "claims/s")
    made.baseline, made.ratio = sorted(singles)[RUNS // 2], sorted(ratios)[RUNS // 2]
    made.note = (
        f"{CALLERS} callers of the claim desk, recorded with entry and answer; baseline: one conditional UPDATE of the same row"
        f" per transaction, on {UPDATERS} connections, recording nothing"
    )
    return made


async def _updates(pool: asyncpg.Pool) -> float:
    """One item for each transaction, as shops without a ledger do it."""
    count, end = 0, perf_counter() + SECONDS

    async def one() -> None:
        nonlocal count
        async with pool.acquire() as connection:
            statement = await connection.prepare(
                "update stock_balance set available = available - 1 where item = 'HOT' and location = 'SITE1' and lot = ''"
                " and owner = '' and possessor = '' and available >= 1 returning id"
            )
            while perf_counter() < end:
                assert await statement.fetchval() is not None
                count += 1

    await asyncio.gather(*(one() for _ in range(UPDATERS)))
    return count / SECONDS


async def _claims(desk: ClaimDesk) -> float:
    count, began, run = 0, perf_counter(), uuid4().hex[:8]
    end = began + SECONDS

    async def one(caller: int) -> None:
        nonlocal count
        number = 0
        while perf_counter() < end:
            wanted = ClaimWanted(
                claim=f"{run}-{caller}-{number}",
                lines=(WantedLine("HOT", Quantity(Decimal(1))),),
                nodes=("SITE1",),
            )
            job = Asking(
                wanted, (demand(wanted.lines[0], 0, desk.items.known),), wanted.nodes, b"fingerprint", "bench"
            )
            await desk.submit(job)
            assert job.said == "done"
            number += 1
            count += 1

    await asyncio.gather(*(one(caller) for caller in range(CALLERS)))
    return count / (perf_counter() - began)


async def _over_http(hub: BenchHub) -> Row:
    """Alternating with the no-op handler; more is asked for than there is, so that overselling would show."""
    rates: list[float] = []
    noops: list[float] = []
    ratios: list[float] = []
    granted = 0
    for number in range(RUNS):
        item = f"HOT-{number}"
        body = [_body(f"{item}-{n}", item) for n in range(12_000)]
        requests = [hub.request("/v1/claims", one) for one in body]
        noop = await hub.load(
            [hub.request("/v1/bench/noop", one) for one in body[:2000]], connections=CONNECTIONS, seconds=1.5
        )
        # What the fastest run could claim is there but for a tenth: the end of the run finds the shelf empty.
        stock = 1_000_000 if not rates else int(min(rates) * 1.5 * 0.9)
        await _stock(hub, item, Decimal(stock))
        found = await hub.load(requests, connections=CONNECTIONS, seconds=1.5, repeat=False)
        assert set(found["statuses"]) <= {"201", "409"}, found["statuses"]
        answered = (found["good"] + found["statuses"].get("409", 0)) / found["seconds"]
        rates.append(answered)
        noops.append(noop["per_second"])
        ratios.append(answered / noop["per_second"])
        granted += found["good"]
        taken = await hub.db.fetchval("select firm_claim from stock_balance where item = $1", item)
        assert found["good"] <= taken <= stock, (found, taken, stock)
    made = row("claims_hot_item", rates, "claims/s")
    made.baseline, made.ratio = sorted(noops)[RUNS // 2], sorted(ratios)[RUNS // 2]
    oversold = await hub.db.fetchval(
        "select coalesce(sum(greatest(0, -available)), 0) from stock_balance where item like 'HOT%'"
    )
    made.more = {"oversold": int(oversold), "granted": granted}
    made.p50_ms, made.p95_ms, made.p99_ms = found["p50_ms"], found["p95_ms"], found["p99_ms"]
    made.note = f"{CONNECTIONS} clients, one claim a request, granted or refused; baseline: no-op handler, same authentication and body read"
    return made


def _body(claim: str, item: str) -> bytes:
    wanted = ClaimWanted(claim=claim, lines=(WantedLine(item, Quantity(Decimal(1))),), nodes=("SITE1",))
    return _encode(wanted)
