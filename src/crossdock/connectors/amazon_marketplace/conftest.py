"""A marketplace twin on a socket of its own, a client that may call it, and a hub that writes down what it is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from crossdock.connect.contract import Account, Ask, Call, Inbound, Page, Row, Translation
from crossdock.connect.manifest import load_manifest
from crossdock.connect.transport import Transport
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.amazon_marketplace.client import AmazonClient
from crossdock.connectors.amazon_marketplace.connector import CONNECTOR
from crossdock.connectors.amazon_marketplace.listing import rows
from crossdock.connectors.amazon_marketplace.twin import build
from crossdock.model.order import LineShipped
from crossdock.model.party import People
from crossdock.model.quantity import Quantity
from crossdock.model.requests import CreateFulfilment, PublishAvailability

HERE = Path(__file__).parent
ACCOUNT = msgspec.convert(json.loads((HERE / "fixtures/account.json").read_text()), Account)
MANIFEST = load_manifest(HERE / "manifest.toml")
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=400)
Order = dict[str, Any]


def translated(message: Inbound) -> Translation:
    assert CONNECTOR.translate
    return CONNECTOR.translate(message, ACCOUNT)


@dataclass
class Stage:
    """What a test needs of the twin, from outside and from inside."""

    twin: Twin
    url: str
    http: aiohttp.ClientSession
    transport: Transport
    account: Account
    client: AmazonClient
    told: list[Inbound] = field(default_factory=list)

    async def control(self, path: str, body: Any = None, method: str = "GET") -> Any:
        async with self.http.request(method, f"{self.url}/_twin/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def order(self, **more: Any) -> Order:
        lines = [{"sku": "A", "quantity": 2, "price": "4.50"}, {"sku": "B", "quantity": 1, "price": "1.00"}]
        [made] = await self.control("orders", {"orders": [{"lines": lines, **more}]}, "POST")
        return await self.shown(made["id"])

    async def shown(self, number: str) -> Order:
        return next(order for order in await self.control("orders") if order["id"] == number)

    async def journal(self, effect: str) -> list[dict[str, Any]]:
        return [row for row in await self.control("journal") if row["effect"] == effect]

    async def quirk(self, name: str, rate: float = 1.0) -> None:
        await self.control("quirks", {name: rate}, "PUT")

    async def generous(self) -> None:
        """The plans of a big seller."""
        await self.control("plans", {"getOrders": [50, 100], "getOrderItems": [50, 100]}, "PUT")

    def touch(self, number: str, changed_at: datetime) -> None:
        """As if the order had changed then."""
        order = self.twin.books.get("order", number)
        with self.twin.books.change():
            text = changed_at.replace(tzinfo=None, microsecond=0).isoformat() + "Z"
            self.twin.books.put("order", number, order | {"updated": text})

    async def ask(self, page: str = "", since: datetime = LONG_AGO, seconds: float = 5.0) -> Page:
        ask = Ask(list="orders", since=since, page=page, timeout_seconds=seconds)
        answer = await self.client.changed(ask)
        assert isinstance(answer, Page), answer
        return answer

    async def read(self, since: datetime = LONG_AGO) -> list[Row]:
        """All rows of one reading, which naps for no scarce plan."""
        found: list[Row] = []
        page = ""
        async with asyncio.timeout(10):
            while True:
                answer = await self.ask(page, since)
                found += rows("orders", answer.body, NOW)
                if not answer.next:
                    return found
                page = answer.next


def call(kind: str, payload: msgspec.Struct, seconds: float = 5.0) -> Call:
    assert CONNECTOR.render
    body = CONNECTOR.render(kind, payload, People(), ACCOUNT)
    return Call(effect="0f8fad5b", attempt=1, kind=kind, body=body, timeout_seconds=seconds)


def shipment(order: Order, number: str, *lines: tuple[int, int], **more: Any) -> Call:
    """Lines as (place in the order, quantity)."""
    reference = f"amazon-1/{order['id']}"
    shipped = tuple(
        LineShipped(reference, order["lines"][at]["id"], order["lines"][at]["sku"], Quantity(Decimal(n)))
        for at, n in lines
    )
    payload = CreateFulfilment(reference, number, "SITE1", "ups", (f"1Z-{number}",), shipped)
    return call("fulfilment.create", payload, **more)


def availability(sku: str, value: str, version: int = 1) -> Call:
    return call("availability.publish", PublishAvailability(sku, "SITE1", Quantity(Decimal(value)), version))


async def _serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    told: list[Inbound] = []

    async def receive(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        told.append(Inbound(channel="notifications", headers=headers, body=body, received_at=NOW))
        return web.Response(status=202)

    hub = web.Application()
    hub.router.add_post("/v1/in/amazon-1/notifications", receive)
    hub_runner, hub_url = await _serve(hub)
    setup = TwinSetup(
        name="amazon_marketplace", system="amazon-1", hub_url=hub_url, books=tmp_path / "amazon.db",
        settings=ACCOUNT.settings, secrets=ACCOUNT.secrets,
    )  # fmt: skip
    twin = Twin(setup, MANIFEST.quirks)
    build(twin)
    runner, url = await _serve(twin.app)
    transport = Transport()
    settings = {**ACCOUNT.settings, "token_url": f"{url}/auth/o2/token"}
    account = replace(ACCOUNT, base_url=url, settings=settings)
    async with aiohttp.ClientSession() as http:
        yield Stage(twin, url, http, transport, account, AmazonClient(account, transport), told)
    await transport.close()
    await runner.cleanup()
    await hub_runner.cleanup()
