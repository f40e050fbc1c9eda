"""A running twin and a client of it, for the tests of this folder."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from crossdock.connect.contract import (
    Account,
    Call,
    Inbound,
)
from crossdock.connect.discovery import installed
from crossdock.connect.transport import Transport
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.ups.connector import CONNECTOR, authenticate
from crossdock.connectors.ups.scans import read_scans
from crossdock.connectors.ups.twin import build
from crossdock.model.order import LineShipped
from crossdock.model.party import Party, People
from crossdock.model.quantity import Quantity
from crossdock.model.requests import CreateLabel, SubscribeTracking, VoidLabel
from crossdock.model.shipment import MilestoneReached, Package, TrackingSubscribed

SETTINGS = {
    "account_number": "204W4R", "webhook_url": "https://hub.example/v1/in/ups/track-alert", "shipper_name": "Acme",
    "shipper_line": "Hafenstr. 1", "shipper_city": "Bonn", "shipper_postal_code": "53111", "shipper_country": "DE",
    "service_standard": "11", "service_express": "07", "search_lag_seconds": "0",
}  # fmt: skip
SECRETS = {"client_id": "hub", "client_secret": "quiet", "webhook_credential": "word-2"}
ADA = Party(name="Ada Byron", lines=("Road 1",), city="Bonn", postal_code="53111", country="DE")
QUIRKS = installed()["ups"].manifest.quirks
TRACKING = "1Z204W4R1100000012"
assert CONNECTOR.render is not None
_render = CONNECTOR.render


def account(base_url: str = "http://127.0.0.1:9", **secrets: str) -> Account:
    return Account(
        name="ups", connector="ups", base_url=base_url, settings=SETTINGS, secrets=SECRETS | secrets
    )


def inbound(body: bytes, **headers: str) -> Inbound:
    return Inbound(channel="track-alert", headers=headers, body=body, received_at=datetime.now(UTC))


def label(
    *ssccs: str, shipment: str = "S-1", to: Party = ADA, service: str = "standard", again: int = 0
) -> bytes:
    line = LineShipped("shopify-eu/1042", "10", "WID-1", Quantity(Decimal(1)))
    packages = tuple(Package(sscc, Quantity(Decimal("1.2"), "KGM"), (line,)) for sscc in ssccs or ("A",))
    payload = CreateLabel(shipment, "SITE1", service, packages, again=again)
    return _render("label.create", payload, People(ship_to=to), account())


def void(number: str) -> bytes:
    return _render("label.void", VoidLabel("S-1", number, (number,)), People(), account())


def subscribe(*numbers: str) -> bytes:
    return _render("tracking.subscribe", SubscribeTracking("S-1", numbers), People(), account())


class Bench:
    """A running twin, a hub that notes what it is sent, and a client."""

    def __init__(self, twin: Twin, base_url: str, heard: list[bytes], transport: Transport) -> None:
        self.twin = twin
        self.base_url = base_url
        self.heard = heard
        self.transport = transport
        assert CONNECTOR.open is not None
        self.client = CONNECTOR.open(account(base_url), transport)

    def call(self, kind: str, body: bytes, timeout_seconds: float = 5.0) -> Call:
        effect = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0"
        return Call(effect=effect, attempt=1, kind=kind, body=body, timeout_seconds=timeout_seconds)

    async def send(self, kind: str, body: bytes, timeout_seconds: float = 5.0) -> Any:
        return await self.client.send(self.call(kind, body, timeout_seconds))

    async def look_up(self, body: bytes) -> Any:
        return await self.client.look_up(self.call("label.create", body))

    def quirk(self, name: str, rate: float = 1.0) -> None:
        self.twin.quirks.set({name: rate})

    def journal(self, effect: str) -> list[tuple[Any, ...]]:
        return self.twin.books.rows("select reference, key from journal where effect = ? order by id", effect)

    def milestones(self) -> list[str]:
        events = [event for body in self.heard for event in read_scans(body).events]
        return [event.data.milestone for event in events if isinstance(event.data, MilestoneReached)]

    async def parcels(self) -> Any:
        async with ClientSession() as http, http.get(f"{self.base_url}/_twin/parcels") as answer:
            return await answer.json()

    async def followed(self) -> str:
        """Make a label and subscribe it; returns the tracking number."""
        made = await self.send("label.create", label())
        outcome = await self.send("tracking.subscribe", subscribe(made.document))
        assert outcome.receipt == TrackingSubscribed(tracking=(made.document,))
        return str(made.document)


async def eventually(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true within 4 seconds")


async def serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@asynccontextmanager
async def bench(books: Path, *, pace_seconds: float = 0.01, **settings: str) -> AsyncIterator[Bench]:
    heard: list[bytes] = []

    async def listen(request: web.Request) -> web.Response:
        assert request.path == "/v1/in/ups/track-alert"
        heard.append(await request.read())
        headers = {name.lower(): value for name, value in request.headers.items()}
        authenticate(inbound(heard[-1], **headers), account())
        return web.Response()

    hub = web.Application()
    hub.router.add_post("/{path:.*}", listen)
    hub_runner, hub_url = await serve(hub)
    setup = TwinSetup(
        name="ups", system="ups", hub_url=hub_url, books=books, pace_seconds=pace_seconds,
        settings=SETTINGS | settings, secrets=SECRETS,
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
async def ups(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path / "ups.db") as running:
        yield running


# Client and twin
