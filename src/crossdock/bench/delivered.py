"""A whole hub at work: six twins ask and answer, effects are delivered, receipts processed."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import asyncpg
import yaml

from crossdock.bench.rows import Row, row
from crossdock.demo import trade
from crossdock.demo.day import open_stage, prepare
from crossdock.demo.stage import Stage
from crossdock.runtime.hub import Hub, load_hub
from crossdock.store.pool import connect

RUNS = 5
ORDERS = 30
_DONE = "select count(*) from thread_state where kind = 'order' and done"
_SO_FAR = """
select (select sum(position) from partition)::int as events, (select count(*) from effect where state = 10)::int as effects
"""


async def bench() -> Row:
    """Row `pipeline_delivered`: events processed per second, from the first order of a wave to the end of its last."""
    async with trading() as (stage, db):
        waves = [await wave(stage, db, number) for number in range(RUNS)]
    made = row("pipeline_delivered", [events for events, _ in waves], "events/s")
    made.note = f"waves of {ORDERS} orders through six twins on the same machine, whose own work is in it"
    made.more = {"effects_per_second": sorted(effects for _, effects in waves)[RUNS // 2]}
    return made


@asynccontextmanager
async def trading() -> AsyncIterator[tuple[Stage, asyncpg.Connection]]:
    """A hub of its own with its twins, and a look into its database."""
    folder = Path(tempfile.mkdtemp(prefix="crossdock-bench-"))
    hub = _without_quotas(prepare(folder))
    try:
        stage = await open_stage(hub, seed=1, pace_seconds=0.01)
        try:
            db = await connect(hub.dsn)
            yield stage, db
            await db.close()
        finally:
            await stage.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(Path(hub.dsn.partition("host=")[2]).parent, ignore_errors=True)


def _without_quotas(hub: Hub) -> Hub:
    """The hub is measured, not a partner's quota."""
    for path in sorted((hub.folder / "systems").glob("*.yaml")):
        system = yaml.safe_load(path.read_text()) | {"rate_per_second": 0.0, "concurrency": 16}
        path.write_text(yaml.safe_dump(system))
    return load_hub(hub.folder)


async def wave(stage: Stage, db: asyncpg.Connection, number: int) -> tuple[float, float]:
    """(events, effects) per second."""
    wishes = [
        w for w in trade.wishes(ORDERS * 2, number) if not (w.credit or w.cancel_after or w.unknown_item)
    ]
    specs = [wish.spec for wish in wishes[:ORDERS]]
    done, before = await db.fetchval(_DONE), await db.fetchrow(_SO_FAR)
    began = perf_counter()
    await stage.twins.send("POST", "shopify-eu", "/_twin/orders", {"orders": specs})
    while await db.fetchval(_DONE) < done + len(specs):
        await asyncio.sleep(0.05)
    seconds, after = perf_counter() - began, await db.fetchrow(_SO_FAR)
    assert before is not None
    assert after is not None
    return (after["events"] - before["events"]) / seconds, (after["effects"] - before["effects"]) / seconds
