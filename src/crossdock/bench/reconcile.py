"""`bench reconcile`: a million rows of another system's stock against a ledger of as many balances.

The rows come from memory, page by page, as a connector gives them: the partner's own speed is not measured.
"""

import resource
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import perf_counter
from typing import Final
from uuid import uuid4

from crossdock.bench.rows import Row, row
from crossdock.bench.stage import BenchHub
from crossdock.connect.contract import StockPage
from crossdock.model.drift import Counted
from crossdock.model.stock import StockPlace
from crossdock.processes.policy import Policy
from crossdock.runtime.reconciliation import reconcile
from crossdock.store import reconcile as table
from crossdock.store.pool import Connection, connect

ROWS: Final = 1_000_000
PAGE: Final = 1_000
OFF: Final = 100
"""So many of them differ, by three pieces each."""


class _Rows:
    """Item after item; every ten-thousandth is short of three."""

    async def stock_page(self, after: str) -> StockPage:
        start, now = int(after or 0), datetime.now(UTC)
        rows = tuple(
            Counted(
                StockPlace(f"I-{n:07}", "SITE1"),
                "EA",
                Decimal(7 if n % (ROWS // OFF) == 0 else 10),
                Decimal(0),
                now,
            )
            for n in range(start, start + PAGE)
        )
        end = start + PAGE
        return StockPage(rows=rows, locations=("SITE1",), after=str(end) if end < ROWS else "")


async def bench() -> AsyncIterator[Row]:
    """Seconds from the first page to the last entry written, and what Python held at most."""
    async with BenchHub(("api",)) as hub:
        connection = await connect(hub.hub.dsn)
        await _fill(connection)
        began = perf_counter()
        found = await _once(connection)
        elapsed = perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        await connection.close()
        assert found == OFF
        yield row(
            "reconcile_1m_rows", [elapsed], "s", note=f"{ROWS / elapsed:,.0f} rows/s, {peak:.0f} MB resident at most",
            more={"rows_per_second": ROWS / elapsed, "peak_mb": peak},
        )  # fmt: skip


async def _fill(connection: Connection) -> None:
    for start in range(0, ROWS, 50_000):
        await connection.execute(
            "insert into stock_balance (item, location, unit, available)"
            " select 'I-' || lpad(n::text, 7, '0'), 'SITE1', 'EA', 10 from generate_series($1::int, $2::int) n",
            start, start + 49_999,
        )  # fmt: skip
    await connection.execute("analyze stock_balance")


async def _once(connection: Connection) -> int:
    await table.ask(connection, "wms-1", "bench")
    run = await table.claim(connection, uuid4(), ["wms-1"], 600.0)
    assert run is not None
    policy = Policy(warehouse="wms-1", settle_quantity_max=Decimal(5))
    found = await reconcile(connection, run, _Rows(), policy, timedelta(seconds=1))
    return len(found.differences)
