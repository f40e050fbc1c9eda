"""WooCommerce: the client against its twin over real sockets: every effect, every quirk, every outcome."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from crossdock.connect.contract import (
    Absent,
    Account,
    Call,
    CannotTell,
    Done,
    Inbound,
    Refused,
    RetryLater,
    Unknown,
)
from crossdock.connect.manifest import load_manifest
from crossdock.connect.transport import Transport
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.woocommerce.client import WooCommerceClient
from crossdock.connectors.woocommerce.connector import CONNECTOR
from crossdock.connectors.woocommerce.twin import build
from crossdock.errors import Misconfigured, Rejected
from crossdock.model.order import FulfilmentCancelled, FulfilmentCreated, LineShipped
from crossdock.model.party import People
from crossdock.model.quantity import Quantity
from crossdock.model.requests import CancelFulfilment, CreateFulfilment, PublishAvailability
from crossdock.model.stock import AvailabilityPublished

HERE = Path(__file__).parent
ACCOUNT = msgspec.convert(json.loads((HERE / "fixtures/account.json").read_text()), Account)
MANIFEST = load_manifest(HERE / "manifest.toml")
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
Order = dict[str, Any]


@dataclass
class Stage:
    """A twin, a client that knows its key, and what the webhooks tell."""

    url: str
    http: aiohttp.ClientSession
    transport: Transport
    account: Account
    told: list[Inbound] = field(default_factory=list)

    @property
    def client(self) -> WooCommerceClient:
        return WooCommerceClient(self.account, self.transport)

    async def twin(self, path: str, body: Any = None, method: str = "GET") -> Any:
        async with self.http.request(method, f"{self.url}/_twin/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def order(self, **more: Any) -> Order:
        lines = [{"sku": "A", "quantity": 2, "price": "4.50"}, {"sku": "B", "quantity": 1, "price": "1.00"}]
        [made] = await self.twin("orders", {"orders": [{"lines": lines, **more}]}, "POST")
        return await self.shown(made["id"])

    async def shown(self, number: int) -> Order:
        return next(order for order in await self.twin("orders") if order["id"] == number)

    async def journal(self, effect: str) -> list[str]:
        return [row["reference"] for row in await self.twin("journal") if row["effect"] == effect]

    async def quirk(self, name: str, rate: float = 1.0) -> None:
        await self.twin("quirks", {name: rate}, "PUT")


def call(kind: str, payload: msgspec.Struct, seconds: float = 5.0) -> Call:
    assert CONNECTOR.render
    body = CONNECTOR.render(kind, payload, People(), ACCOUNT)
    return Call(effect="0f8fad5b", attempt=1, kind=kind, body=body, timeout_seconds=seconds)


def shipment(order: Order, number: str, *lines: tuple[int, int], **more: Any) -> Call:
    """Lines as (place in the order, quantity)."""
    reference = f"woo-1/{order['id']}"
    shipped = [
        LineShipped(reference, str(order["lines"][at]["id"]), order["lines"][at]["sku"], Quantity(Decimal(n)))
        for at, n in lines
    ]
    payload = CreateFulfilment(reference, number, "SITE1", "ups", (f"1Z-{number}",), tuple(shipped))
    return call("fulfilment.create", payload, **more)


def cancellation(number: int) -> Call:
    return call("order.cancel", CancelFulfilment(f"woo-1/{number}", "not enough stock"))


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
        told.append(Inbound(channel="webhooks", headers=headers, body=await request.read(), received_at=NOW))
        return web.Response(status=202)

    hub = web.Application()
    hub.router.add_post("/v1/in/woo-1/webhooks", receive)
    hub_runner, hub_url = await _serve(hub)
    setup = TwinSetup(
        name="woocommerce", system="woo-1", hub_url=hub_url, books=tmp_path / "woo.db", secrets=ACCOUNT.secrets
    )  # fmt: skip
    twin = Twin(setup, MANIFEST.quirks)
    build(twin)
    runner, url = await _serve(twin.app)
    transport = Transport()
    async with aiohttp.ClientSession() as http:
        yield Stage(url, http, transport, replace(ACCOUNT, base_url=url), told)
    await transport.close()
    await runner.cleanup()
    await hub_runner.cleanup()


async def test_the_last_piece_completes_the_order(stage: Stage) -> None:
    """Parts are told one by one; only with the last is the order completed, and each is there once."""
    order = await stage.order()
    first = await stage.client.send(shipment(order, "S-1", (0, 1)))
    between = (await stage.shown(order["id"]))["status"]
    second = await stage.client.send(shipment(order, "S-2", (0, 1), (1, 1)))
    after = await stage.shown(order["id"])

    assert first == Done(
        document=f"{order['number']}-S-1", receipt=FulfilmentCreated(f"{order['number']}-S-1")
    )
    assert isinstance(second, Done)
    assert (between, after["status"]) == ("processing", "completed")
    assert after["fields"]["crossdock_shipment_S-2"]["tracking"] == ["1Z-S-2"]
    assert len(await stage.journal("fulfilment.create")) == 2


async def test_a_shipment_is_told_once_however_often_it_is_sent(stage: Stage) -> None:
    """The order shows that it was told."""
    order = await stage.order()
    told = [await stage.client.send(shipment(order, "S-1", (0, 2))) for _ in range(3)]

    assert told[0] == told[1] == told[2]
    assert await stage.journal("fulfilment.create") == [f"S-1|woo-1/{order['id']}"]


@pytest.mark.parametrize("quirk", ["answer_lost", "chatty_plugin"])
async def test_an_unreadable_answer_is_looked_up(stage: Stage, quirk: str) -> None:
    """Unknown, and the look-up finds what was done all the same."""
    order = await stage.order()
    await stage.quirk(quirk)
    wanted = shipment(order, "S-1", (0, 2), (1, 1))
    before = await stage.client.look_up(wanted)
    sent = await stage.client.send(wanted)
    found = await stage.client.look_up(wanted)

    assert before == Absent()
    assert isinstance(sent, Unknown)
    assert isinstance(found, Done)
    assert (await stage.shown(order["id"]))["status"] == "completed"


@pytest.mark.parametrize(
    ("status", "code"), [("cancelled", "stopped"), ("refunded", "stopped"), ("trash", "stopped")]
)
async def test_a_stopped_order_takes_no_shipment(stage: Stage, status: str, code: str) -> None:
    """That goods left none the less is a person's matter."""
    order = await stage.order(status=status)
    told = await stage.client.send(shipment(order, "S-1", (0, 2)))

    assert isinstance(told, Refused)
    assert (told.code, status in told.reason) == (code, True)
    assert await stage.journal("fulfilment.create") == []


async def test_a_line_of_another_order_is_refused(stage: Stage) -> None:
    """Nothing is written for it."""
    order, other = await stage.order(), await stage.order()
    told = await stage.client.send(shipment(order | {"lines": other["lines"]}, "S-1", (0, 1)))

    assert isinstance(told, Refused)
    assert told.code == "unknown-line"


async def test_an_order_is_cancelled_once(stage: Stage) -> None:
    """The status says so, the reason stands beside it, and a second wish finds it done."""
    order = await stage.order()
    told = [await stage.client.send(cancellation(order["id"])) for _ in range(2)]
    after = await stage.shown(order["id"])

    assert told == [Done(document=order["number"], receipt=FulfilmentCancelled(order["number"]))] * 2
    assert after["status"] == "cancelled"
    assert after["fields"] == {"crossdock_cancelled": "not enough stock"}
    assert await stage.journal("order.cancel") == [f"woo-1/{order['id']}"]
    assert isinstance(await stage.client.look_up(cancellation(order["id"])), Done)


async def test_a_deleted_order_needs_no_cancellation(stage: Stage) -> None:
    """There is nothing left that could show it; a shipment of it, though, is refused."""
    order = await stage.order()
    await stage.twin(f"orders/{order['id']}", method="DELETE")

    assert isinstance(await stage.client.send(cancellation(order["id"])), Done)
    assert isinstance(await stage.client.look_up(cancellation(order["id"])), Done)
    told = await stage.client.send(shipment(order, "S-1", (0, 1)))
    assert isinstance(told, Refused)
    assert told.code == "woocommerce_rest_shop_order_invalid_id"
    assert await stage.client.look_up(shipment(order, "S-1", (0, 1))) == Absent()


async def test_a_completed_order_is_not_cancelled(stage: Stage) -> None:
    """It left; taking it back is a return."""
    order = await stage.order(status="completed")
    told = await stage.client.send(cancellation(order["id"]))

    assert isinstance(told, Refused)
    assert (await stage.shown(order["id"]))["status"] == "completed"
    assert await stage.client.look_up(cancellation(order["id"])) == Absent()


@pytest.mark.parametrize("variation", [False, True])
async def test_availability_is_set(stage: Stage, variation: bool) -> None:
    """Of a product and of a variation; below zero is zero, a newer number replaces an older one."""
    await stage.twin("products", {"A/1 ü": {"variation": variation}}, "PUT")
    client = stage.client
    told = await client.send(availability("A/1 ü", "41.9"))
    again = await client.send(availability("A/1 ü", "-3", version=2))

    assert isinstance(told, Done)
    assert told.receipt == AvailabilityPublished("A/1 ü", "woo-1", Quantity(Decimal(41)))
    assert isinstance(again, Done)
    assert await stage.twin("products") == {"A/1 ü": 0}
    assert await stage.journal("availability.publish") == ["A/1 ü", "A/1 ü"]


async def test_an_unknown_item_is_refused_by_name(stage: Stage) -> None:
    """A SKU is looked for as it is; a comma would make a list of it."""
    await stage.twin("products", {"A": {}, "B": {}}, "PUT")
    for sku in ("C", "A,B"):
        told = await stage.client.send(availability(sku, "1"))
        assert isinstance(told, Refused)
        assert (told.code, sku in told.reason) == ("unknown-sku", True)
    assert isinstance(await stage.client.look_up(availability("A", "1")), CannotTell)


@pytest.mark.parametrize(("quirk", "seconds"), [("unavailable", 1.0), ("throttle_429", 2.0)])
async def test_a_shop_that_is_busy_is_asked_later(stage: Stage, quirk: str, seconds: float) -> None:
    """When it says, and none of the effect's attempts is spent."""
    order = await stage.order()
    await stage.quirk(quirk)
    told = await stage.client.send(shipment(order, "S-1", (0, 1)))

    assert isinstance(told, RetryLater)
    assert (told.after_seconds, told.throttled) == (seconds, True)
    assert await stage.journal("fulfilment.create") == []


async def test_a_slow_answer_is_not_waited_for_too_long(stage: Stage) -> None:
    """What was begun in time and not answered in time is unknown."""
    order = await stage.order()
    await stage.quirk("slow")
    told = await stage.client.send(shipment(order, "S-1", (0, 1), seconds=1.0))

    assert isinstance(told, Unknown)
    assert isinstance(await stage.client.look_up(shipment(order, "S-1", (0, 1))), Done)


async def test_a_wrong_key_is_a_persons_work(stage: Stage) -> None:
    """The effects wait; `check` says what to do before anything is lost."""
    order = await stage.order()
    stage.account = replace(stage.account, secrets={**stage.account.secrets, "consumer_secret": "cs_wrong"})
    told = await stage.client.send(shipment(order, "S-1", (0, 1)))

    assert isinstance(told, RetryLater)
    assert "API key" in told.reason
    with pytest.raises(Misconfigured, match="API key"):
        await stage.client.check()


async def test_a_wrong_address_is_a_persons_work(stage: Stage) -> None:
    """A server that is no shop, and nobody at all, have done nothing."""
    order = await stage.order()
    good = stage.account
    assert stage.url in await stage.client.check()
    stage.account = replace(good, base_url=good.base_url + "/blog")
    elsewhere = await stage.client.send(shipment(order, "S-1", (0, 1)))
    stage.account = replace(good, base_url="http://127.0.0.1:9")
    nobody = await stage.client.send(shipment(order, "S-1", (0, 1)))

    assert isinstance(elsewhere, RetryLater)
    assert "permalinks" in elsewhere.reason
    assert isinstance(nobody, RetryLater)


async def test_our_own_changes_come_back_as_webhooks(stage: Stage) -> None:
    """A completed order is told like any other update, and reads as the same order."""
    order = await stage.order()
    await stage.client.send(shipment(order, "S-1", (0, 2), (1, 1)))
    async with asyncio.timeout(5):
        while len(stage.told) < 2:
            await asyncio.sleep(0.02)
    assert CONNECTOR.translate
    created, updated = (CONNECTOR.translate(message, ACCOUNT).events[0] for message in stage.told)

    assert json.loads(stage.told[1].body)["status"] == "completed"
    assert created.data == updated.data


@pytest.mark.parametrize(
    ("kind", "payload", "path"),
    [
        ("order.cancel", CancelFulfilment("woo-1/abc", ""), "/reference"),
        ("fulfilment.create", CreateFulfilment("woo-1/1", "S" * 300, "", "ups", (), ()), "/shipment"),
        ("fulfilment.create", CreateFulfilment("woo-1/1", "S-1", "", "ups", (), ()), "/lines"),
        (
            "fulfilment.create",
            CreateFulfilment(
                "woo-1/1", "S-1", "", "ups", (), (LineShipped("woo-1/1", "x", "A", Quantity(Decimal(1))),)
            ),
            "/lines/0/line",
        ),
    ],
)
def test_what_the_shop_cannot_express_is_named(kind: str, payload: msgspec.Struct, path: str) -> None:
    """Before anything is sent."""
    with pytest.raises(Rejected) as told:
        call(kind, payload)

    assert told.value.path == path
