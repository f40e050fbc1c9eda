"""A running twin, a hub that notes what it is sent, and a client, for the tests of this folder."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from crossdock.connect.basic import authenticate
from crossdock.connect.contract import Account, Call, Inbound
from crossdock.connect.discovery import installed
from crossdock.connect.transport import Transport
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.oracle_otm.client import OtmClient
from crossdock.connectors.oracle_otm.mapping import from_payload
from crossdock.connectors.oracle_otm.notices import to_events
from crossdock.connectors.oracle_otm.twin import build
from crossdock.model.envelope import NewEvent
from crossdock.model.order import LineShipped
from crossdock.model.party import Party, People, Place
from crossdock.model.quantity import Quantity
from crossdock.model.requests import CancelLoad, TenderLoad
from crossdock.model.shipment import Package

SHIPMENT = "wms-1/S-77"
EFFECT = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0"
SETTINGS = {"domain": "ACME"}
SECRETS = {
    "client_id": "hub",
    "client_secret": "quiet",
    "event_user": "otm",
    "event_password": "word-2",
    "event_password_previous": "word-1",
}
MARA = People(ship_to=Party(name="Mara Lindt", lines=("Weg 4",), city="Bonn", postal_code="53111"))
QUIRKS = installed()["oracle_otm"].manifest.quirks


def account(base_url: str = "http://127.0.0.1:9", **secrets: str) -> Account:
    return Account(
        name="otm-1",
        connector="oracle_otm",
        base_url=base_url,
        settings=SETTINGS,
        secrets=SECRETS | secrets,
    )


def inbound(body: bytes, **headers: str) -> Inbound:
    return Inbound(channel="events", headers=headers, body=body, received_at=datetime.now(UTC))


def tender(shipment: str = SHIPMENT, *, weight: str = "420.5", people: People = MARA) -> bytes:
    line = LineShipped("shopify-eu/1042", "10", "WID-1", Quantity(Decimal(40)))
    package = Package("040123450000000016", Quantity(Decimal(weight), "KGM"), (line,))
    payload = TenderLoad(shipment, "SITE1", "standard", (package,), Place(country="DE"), date(2026, 11, 26))
    return from_payload("load.tender", payload, people, account())


def cancel(load: str, shipment: str = SHIPMENT) -> bytes:
    payload = CancelLoad(shipment, load, "changed their mind")
    return from_payload("load.cancel", payload, People(), account())


def call(kind: str, body: bytes, *, effect: str = EFFECT, timeout_seconds: float = 5.0) -> Call:
    return Call(effect=effect, attempt=1, kind=kind, body=body, timeout_seconds=timeout_seconds)


class Bench:
    """What a test holds in hand."""

    def __init__(self, twin: Twin, base_url: str, heard: list[Inbound], transport: Transport) -> None:
        self.twin = twin
        self.base_url = base_url
        self.heard = heard
        self.transport = transport
        self.client = OtmClient(account(base_url), transport)

    async def send(self, kind: str, body: bytes, **more: Any) -> Any:
        return await self.client.send(call(kind, body, **more))

    async def tendered(self) -> str:
        """A tendered load."""
        return str((await self.send("load.tender", tender())).document)

    def quirk(self, name: str, rate: float = 1.0) -> None:
        self.twin.quirks.set({name: rate})

    def journal(self, effect: str) -> list[tuple[Any, ...]]:
        return self.twin.books.rows("select reference, key from journal where effect = ? order by id", effect)

    async def put(self, path: str, body: Any) -> Any:
        async with ClientSession() as http, http.put(self.base_url + path, json=body) as answer:
            return await answer.json()

    async def loads(self) -> Any:
        async with ClientSession() as http, http.get(f"{self.base_url}/_twin/loads") as answer:
            return await answer.json()

    def events(self, kind: str = "") -> list[NewEvent]:
        told = [event for one in self.heard for event in to_events(one, account()).events]
        return [event for event in told if kind in ("", event.type)]

    async def status(self, *wanted: str) -> None:
        """Wait until the only load stands there."""
        await eventually(lambda: self.twin.books.all("load")[0][1]["status"] in wanted)

    async def told(self, kind: str, count: int = 1) -> list[NewEvent]:
        await eventually(lambda: len(self.events(kind)) >= count)
        return self.events(kind)


async def eventually(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true within 5 seconds")


async def serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@asynccontextmanager
async def bench(
    books: Path, *, pace_seconds: float = 0.01, secrets: dict[str, str] | None = None, **settings: str
) -> AsyncIterator[Bench]:
    heard: list[Inbound] = []

    async def listen(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert request.path == "/v1/in/otm-1/events"
        heard.append(inbound(await request.read(), **headers))
        authenticate(heard[-1], account())
        return web.Response(status=202)

    hub = web.Application()
    hub.router.add_post("/{path:.*}", listen)
    hub_runner, hub_url = await serve(hub)
    setup = TwinSetup(
        name="otm", system="otm-1", hub_url=hub_url, books=books, pace_seconds=pace_seconds,
        settings=SETTINGS | settings, secrets=SECRETS | (secrets or {}),
    )  # fmt: skip
    twin = Twin(setup, QUIRKS)
    build(twin)
    runner, base_url = await serve(twin.app)
    transport = Transport()
    try:
        yield Bench(twin, base_url, heard, transport)
    finally:
        await transport.close()
        await runner.cleanup()
        await hub_runner.cleanup()


@pytest.fixture
async def otm(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path / "otm.db") as running:
        yield running
