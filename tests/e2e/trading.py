"""Trade with twins: what a test does in the shop, and what the systems' own books say of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from crossdock.demo import trade
from crossdock.demo.books import Books, Findings, compare
from crossdock.demo.twins import Twins
from e2e.running import Api, RunningHub, eventually


@dataclass
class Trade:
    """A hub and its twins, and what a test does with them."""

    api: Api
    twins: Twins
    seed: int = 0
    sent: list[str] = field(default_factory=list)

    async def twin(self, system: str, path: str, body: Any = None, method: str = "GET") -> Any:
        url = self.twins.processes[system].url + "/_twin" + path
        async with self.api.session.request(method, url, json=body) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def journal(self, system: str, effect: str) -> list[dict[str, Any]]:
        """What this system's own books say of an effect."""
        return [row for row in await self.twin(system, "/journal") if row["effect"] == effect]

    async def order(self, *lines: tuple[str, int], **more: Any) -> str:
        """Place an order in the shop; the reference it goes by."""
        wish = trade.wishes(1, self.seed + len(self.sent))[0].spec
        known = trade.products()
        items = [
            {"sku": sku, "quantity": n, "price": "1.00", "title": sku} | known.get(sku, {})
            for sku, n in lines
        ]
        spec = wish | {"lines": items or wish["lines"], "express": False} | more
        [made] = await self.twin("shopify-eu", "/orders", {"orders": [spec]}, "POST")
        self.sent.append(f"shopify-eu/{made['id']}")
        return self.sent[-1]

    async def until(self, reference: str, *phases: str) -> str:
        """Wait for the order to stand in one of these phases."""

        async def look() -> str:
            phase = await self.api.phase(f"order/{reference}")
            return phase if phase in phases else ""

        return str(await eventually(look, what=f"{reference} is {' or '.join(phases)}"))


@asynccontextmanager
async def trading_twins(hub: RunningHub) -> AsyncIterator[Trade]:
    """The hub's systems as twins with opened books; they end with it."""
    twins = Twins(hub.configured, hub.url, seed=1, pace_seconds=0.05)
    for process in twins.processes.values():
        process.start()
    try:
        await open_books(hub, twins)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            yield Trade(Api(hub, session), twins)
    finally:
        for process in twins.processes.values():
            process.stop()


async def open_books(hub: RunningHub, twins: Twins) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        trading = Trade(Api(hub, session), twins)

        async def up(system: str) -> bool:
            try:
                await trading.twin(system, "/health")
            except aiohttp.ClientError:
                return False
            return True

        for system in twins.processes:
            await eventually(lambda system=system: up(system), what=f"the twin of {system} is up")  # type: ignore[misc]
        await trading.twin("sap-1", "/materials", trade.materials(), "PUT")
        await trading.twin("shopify-eu", "/products", trade.products(), "PUT")
        await trading.twin("wms-1", "/stock", trade.stock(), "PUT")

        async def stocked() -> bool:
            found = await trading.api.get("/v1/threads", kind="stock")
            return len(found["threads"]) >= len(trade.stock())

        await eventually(stocked, what="the opening stock is in the ledger")


async def books_of(trading: Trade) -> Books:
    """What all systems wrote down themselves."""
    journals = {name: await trading.twin(name, "/journal") for name in trading.twins.processes}
    orders = {f"shopify-eu/{x['id']}": x for x in await trading.twin("shopify-eu", "/orders")}
    return Books(journals, orders, await trading.twin("ups-1", "/parcels"))


async def until_books_tie(trading: Trade) -> None:
    """Every order of every test that traded before must be settled; then nothing is lost, doubled or out of order."""
    last = Findings()

    async def tie() -> bool:
        nonlocal last
        last = compare(await books_of(trading), set())
        return last == Findings()

    try:
        await eventually(tie, what="the books tie", seconds=60)
    except AssertionError:
        pytest.fail(f"the books do not tie: {last}")
