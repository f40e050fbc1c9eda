"""Connections to the database that break between taking an effect and calling the target."""

import asyncpg

from e2e.running import eventually
from e2e.trading import Trade

BREAKS = 12
"""More than the calls that SAP may be sent at once."""
STUCK = """
select pid, pg_terminate_backend(pid) from pg_stat_activity
where wait_event_type = 'Lock' and query like '%picked as%' and pid <> pg_backend_pid()
"""


async def test_calls_that_never_began_cost_nothing_of_the_budget(trading: Trade) -> None:
    """However often the connection breaks at that moment, the account calls as many at once as before."""
    await trading.twin("sap-1", "/quirks", {"unavailable": 1.0}, "PUT")
    reference = await trading.order(("WID-1", 1))

    await trading.until(reference, "checking")

    async def waits() -> bool:
        story = await trading.api.get(f"/v1/threads/story/order/{reference}")
        return any(x["what"] == "attempt" for x in story["timeline"])

    await eventually(waits, what="SAP was tried once")
    lock, other = [await asyncpg.connect(trading.api.hub.dsn) for _ in range(2)]
    try:
        async with lock.transaction():
            await lock.execute("lock table effect_body in access exclusive mode")
            ended: set[int] = set()

            async def broken() -> bool:
                ended.update(row["pid"] for row in await other.fetch(STUCK))
                return len(ended) >= BREAKS

            await eventually(broken, what=f"{BREAKS} connections stood before the lock and were ended")
    finally:
        await lock.close()
        await other.close()
    await trading.twin("sap-1", "/quirks", {"unavailable": 0.0}, "PUT")

    await trading.until(reference, "completed")
