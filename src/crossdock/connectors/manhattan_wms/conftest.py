"""A running twin, a hub that notes what it is sent, and a client, for the tests of this folder."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from crossdock.connect.contract import Account, Call, Inbound
from crossdock.connect.discovery import installed
from crossdock.connect.transport import Transport
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.manhattan_wms.client import ManhattanClient
from crossdock.connectors.manhattan_wms.connector import authenticate
from crossdock.connectors.manhattan_wms.mapping import to_events
from crossdock.connectors.manhattan_wms.mapping_out import from_payload
from crossdock.connectors.manhattan_wms.twin import build
from crossdock.model.money import Money
from crossdock.model.order import OrderLine
from crossdock.model.party import Party, People
from crossdock.model.quantity import Quantity
from crossdock.model.requests import AttachLabel, CancelRelease, ReleaseOrder
from crossdock.model.shipment import LabelledPackage

SETTINGS = {"organisation": "ACME", "facility": "SITE1"}
SITE2 = {"organisation": "ACME", "facility": "SITE2"}
SECRETS = {
    "client_id": "hub",
    "client_secret": "quiet",
    "event_secret": "key-2",
    "event_secret_previous": "key-1",
}
ADA = People(
    ship_to=Party(name="Ada Byron", lines=("Road 1",), city="Bonn", postal_code="53111", country="DE")
)
REFERENCE = "shopify-eu/1042"
QUIRKS = installed()["manhattan_wms"].manifest.quirks


def account(base_url: str = "http://127.0.0.1:9", **secrets: str) -> Account:
    return Account(
        name="wms-1",
        connector="manhattan_wms",
        base_url=base_url,
        settings=SETTINGS,
        secrets=SECRETS | secrets,
    )


def inbound(body: bytes, **headers: str) -> Inbound:
    return Inbound(channel="events", headers=headers, body=body, received_at=datetime.now(UTC))


def release(
    reference: str = REFERENCE,
    quantity: str = "2",
    item: str = "WID-1",
    location: str = "SITE1",
    number: int = 0,
) -> bytes:
    """`item` may name several, one line each."""
    lines = tuple(
        OrderLine(f"{place}0", name, Quantity(Decimal(quantity)), Money(Decimal(9), "EUR"))
        for place, name in enumerate(item.split(), 1)
    )
    payload = ReleaseOrder(reference, "#1042", location, lines, "standard", release=number)
    return from_payload("warehouse_order.release", payload, ADA, account())


def cancel(reference: str = REFERENCE, number: int = 0) -> bytes:
    payload = CancelRelease(reference, "SITE1", "changed their mind", number)
    return from_payload("warehouse_order.cancel", payload, People(), account())


def attach(*ssccs: str, shipment: str = "S-1") -> bytes:
    packages = tuple(LabelledPackage(code, f"1Z{index}") for index, code in enumerate(ssccs))
    return from_payload("label.attach", AttachLabel(shipment, "ups", packages), People(), account())


def call(kind: str, body: bytes, timeout_seconds: float = 5.0) -> Call:
    return Call(effect="e-1", attempt=1, kind=kind, body=body, timeout_seconds=timeout_seconds)


class Bench:
    """A running twin, a hub that notes what it is sent, and a client."""

    def __init__(self, twin: Twin, base_url: str, heard: list[Inbound], transport: Transport) -> None:
        self.twin = twin
        self.base_url = base_url
        self.heard = heard
        self.transport = transport
        self.client = ManhattanClient(account(base_url), transport)

    async def send(self, kind: str, body: bytes, timeout_seconds: float = 5.0) -> Any:
        return await self.client.send(call(kind, body, timeout_seconds))

    def quirk(self, name: str, rate: float = 1.0) -> None:
        self.twin.quirks.set({name: rate})

    def journal(self, effect: str) -> list[tuple[Any, ...]]:
        return self.twin.books.rows("select reference, key from journal where effect = ?", effect)

    async def stock(self, **items: str) -> None:
        body = {item.replace("_", "-"): {"quantity": quantity, "lot": ""} for item, quantity in items.items()}
        async with ClientSession() as http, http.put(f"{self.base_url}/_twin/stock", json=body) as answer:
            assert answer.status == 200

    async def get(self, path: str) -> Any:
        async with ClientSession() as http, http.get(self.base_url + path) as answer:
            return await answer.json()

    async def status(self, *wanted: str) -> None:
        """Wait until the only order stands there."""
        await eventually(lambda: self.twin.books.all("order")[0][1]["status"] in wanted)

    async def told(self, kind: str, count: int = 1) -> list[Any]:
        """The events of one type, once there are so many."""
        await eventually(lambda: sum(event.type == kind for event in self.events()) >= count)
        return [event for event in self.events() if event.type == kind]

    async def counted(self, item: str) -> tuple[str, str]:
        """What the WMS has of it, and what of that is allocated."""
        stock = (await self.get("/_twin/stock"))[item]
        return stock["quantity"], stock["allocated"]

    def events(self) -> list[Any]:
        return [event for one in self.heard for event in to_events(one, account()).events]


async def eventually(true: Callable[[], bool]) -> None:
    for _ in range(300):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true within 3 seconds")


async def serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@asynccontextmanager
async def bench(
    books: Path, *, pace_seconds: float = 0.02, secrets: dict[str, str] | None = None, **settings: str
) -> AsyncIterator[Bench]:
    heard: list[Inbound] = []

    async def listen(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert request.path == "/v1/in/wms-1/events"
        heard.append(inbound(await request.read(), **headers))
        authenticate(heard[-1], account())
        return web.Response(status=202)

    hub = web.Application()
    hub.router.add_post("/{path:.*}", listen)
    hub_runner, hub_url = await serve(hub)
    setup = TwinSetup(
        name="wms", system="wms-1", hub_url=hub_url, books=books, pace_seconds=pace_seconds,
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
async def wms(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench(tmp_path / "wms.db") as running:
        yield running
