"""WooCommerce: authentication, the mapping's edges, and the twin against a small hub over real sockets."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from crossdock.connect.contract import Account, Inbound
from crossdock.connect.manifest import load_manifest
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.woocommerce.connector import CONNECTOR
from crossdock.connectors.woocommerce.signing import SIGNATURE_HEADER, sign, signature
from crossdock.connectors.woocommerce.twin import build
from crossdock.errors import CrossdockError, Rejected, Unauthenticated, Unsupported

HERE = Path(__file__).parent
ACCOUNT = msgspec.convert(json.loads((HERE / "fixtures/account.json").read_text()), Account)
QUIRKS = load_manifest(HERE / "manifest.toml").quirks
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ORDER = json.loads((HERE / "fixtures/in_order_created.json").read_text())["body"]


def inbound(document: Any, topic: str = "order.created", **headers: str) -> Inbound:
    body = json.dumps(document).encode()
    given = {"x-wc-webhook-topic": topic} if topic else {}
    return Inbound(channel="webhooks", headers=given | headers, body=body, received_at=NOW)


def translate(document: Any, topic: str = "order.created") -> Any:
    assert CONNECTOR.translate
    return CONNECTOR.translate(inbound(document, topic), ACCOUNT)


@pytest.mark.parametrize("secret", ["fixture-woo-secret", "fixture-woo-secret-old"])
def test_both_live_secrets_are_accepted(secret: str) -> None:
    """While the secret is being changed, deliveries signed with either one come in."""
    message = inbound(ORDER)
    CONNECTOR.authenticate(
        replace(message, headers={SIGNATURE_HEADER: signature(secret, message.body)}), ACCOUNT
    )


@pytest.mark.parametrize("given", ["", "AAAA", signature("another", b"{}"), "ÿ"])
def test_a_missing_or_wrong_signature_is_refused(given: str) -> None:
    """Nothing but the shop's own signature over these very bytes counts."""
    with pytest.raises(Unauthenticated):
        CONNECTOR.authenticate(inbound(ORDER, "", **({SIGNATURE_HEADER: given} if given else {})), ACCOUNT)


def test_what_we_sign_is_accepted_and_told_apart() -> None:
    """Equal messages carry one delivery id; another body or topic has its own."""
    message = inbound(ORDER)
    headers = sign(message, ACCOUNT, "order.created")
    CONNECTOR.authenticate(replace(message, headers=headers), ACCOUNT)

    def delivery(document: Any, topic: str) -> str:
        return sign(inbound(document), ACCOUNT, topic)["x-wc-webhook-delivery-id"]

    assert delivery(ORDER, "order.created") == headers["x-wc-webhook-delivery-id"]
    assert (
        len(
            {
                delivery(ORDER, "order.created"),
                delivery(ORDER, "order.updated"),
                delivery({}, "order.created"),
            }
        )
        == 3
    )


@pytest.mark.parametrize("status", ["cancelled", "failed", "refunded", "trash"])
def test_a_stopped_order_asks_for_cancellation_even_when_it_is_broken(status: str) -> None:
    """A cancellation gets through where the order itself could not be taken."""
    [event] = translate({"id": 5, "status": status, "line_items": "?"}, "order.updated").events
    both = translate(ORDER | {"status": status}, "order.updated").events

    assert event.type == "order.cancelRequested.v1"
    assert event.data.reason == status
    assert [x.type for x in both] == ["order.received.v1", "order.cancelRequested.v1"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"id": None}, "/id"), ({"id": 0}, "/id"), ({"id": 2**63}, "/id"), ({"currency": "euro"}, "/currency"),
        ({"total": "1e999"}, "/total"), ({"total": "-1"}, "/total"), ({"date_modified_gmt": "2026-02-30T00:00:00"}, "/date_modified_gmt"),
        ({"line_items": [{"id": 1, "sku": "A", "quantity": 1}]}, "/line_items/0/price"),
        ({"line_items": [{"id": 1, "sku": "A", "quantity": "1e-99", "price": 1}]}, "/line_items/0/quantity"),
        ({"line_items": [{"id": 1, "sku": " ", "quantity": 1, "price": 1}]}, "/line_items/0/sku"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_by_its_path(change: dict[str, Any], path: str) -> None:
    """The shop's staff can find what to correct."""
    with pytest.raises(Rejected) as told:
        translate(ORDER | change)

    assert told.value.path == path


def test_shipping_sees_the_billing_address_where_there_is_none_of_its_own() -> None:
    """Guests who ship to themselves leave the shipping address empty."""
    [event] = translate(ORDER | {"shipping": {"city": "", "country": ""}}).events

    assert event.data.people.ship_to.city == "Bergen"
    assert event.data.destination.country == "NO"


@pytest.mark.parametrize("topic", ["customer.created", "product.updated", "action.woocommerce_add_to_cart"])
def test_other_topics_are_not_understood(topic: str) -> None:
    """They are kept and shown, not guessed at."""
    with pytest.raises(Unsupported, match=topic):
        translate(ORDER, topic)


def test_without_a_delivery_id_the_state_of_the_order_names_the_message() -> None:
    """A repeated delivery is recognised, a later state of the order is not taken for one."""
    first = translate(ORDER).source_id
    later = translate(ORDER | {"date_modified_gmt": "2026-01-15T12:00:00"}).source_id

    assert first == translate(ORDER).source_id
    assert first != later


@dataclass
class Stage:
    """A twin and a small hub that authenticates and translates what comes."""

    url: str
    http: aiohttp.ClientSession
    account: Account
    answer: int = 202
    seen: list[tuple[str, Any]] = field(default_factory=list)
    refused: int = 0

    async def order(self, *, sku: str = "A") -> dict[str, Any]:
        wish = {"orders": [{"lines": [{"sku": sku, "quantity": 2, "price": "4.50"}]}]}
        async with self.http.post(f"{self.url}/_twin/orders", json=wish) as answer:
            [order] = await answer.json()
        assert isinstance(order, dict)
        return order

    async def quirk(self, name: str) -> None:
        async with self.http.put(f"{self.url}/_twin/quirks", json={name: 1.0}) as answer:
            assert answer.status == 200

    async def webhook(self) -> dict[str, Any]:
        async with self.http.get(f"{self.url}/_twin/webhook") as answer:
            found = await answer.json()
        assert isinstance(found, dict)
        return found

    async def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + 4
        while not true() and time.monotonic() < end:
            await asyncio.sleep(0.02)
        assert true()


async def _serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async def receive(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        message = Inbound(channel="webhooks", headers=headers, body=await request.read(), received_at=NOW)
        try:
            CONNECTOR.authenticate(message, made.account)
            if made.answer == 202:
                translation = CONNECTOR.translate(message, made.account)
                made.seen += [(headers["x-wc-webhook-topic"], event) for event in translation.events]
        except CrossdockError:
            made.refused += 1
            return web.Response(status=401)
        return web.Response(status=made.answer)

    hub = web.Application()
    hub.router.add_post("/v1/in/woo-1/webhooks", receive)
    hub_runner, hub_url = await _serve(hub)
    setup = TwinSetup(
        name="woocommerce",
        system="woo-1",
        hub_url=hub_url,
        books=tmp_path / "woo.db",
        secrets=ACCOUNT.secrets,
    )
    twin = Twin(setup, QUIRKS)
    build(twin)
    runner, url = await _serve(twin.app)
    async with aiohttp.ClientSession() as http:
        made = Stage(url, http, ACCOUNT)
        yield made
    await runner.cleanup()
    await hub_runner.cleanup()


async def test_an_order_and_its_cancellation_arrive(stage: Stage) -> None:
    """What the shop's customers do becomes canonical events, in the shop's own words and sums."""
    order = await stage.order()
    await stage.until(lambda: len(stage.seen) == 1)
    await (await stage.http.post(f"{stage.url}/_twin/orders/{order['id']}/cancel")).read()
    await stage.until(lambda: len(stage.seen) == 3)
    await (await stage.http.delete(f"{stage.url}/_twin/orders/{order['id']}")).read()
    await stage.until(lambda: len(stage.seen) == 4)

    (_, received), (_, again), (_, cancelled), (topic, deleted) = stage.seen
    assert again.data == received.data
    assert received.thread == cancelled.thread == deleted.thread == f"order/woo-1/{order['id']}"
    assert str(received.data.total) == "EUR 9.00"
    assert (cancelled.data.reason, topic, deleted.data.reason) == ("cancelled", "order.deleted", "deleted")


async def test_five_failures_in_a_row_disable_the_webhook(stage: Stage) -> None:
    """A failed delivery is not repeated, and after the fifth the shop is silent until somebody switches it on."""
    stage.answer = 503
    for _ in range(5):
        await stage.order()
    end = time.monotonic() + 4
    while (await stage.webhook())["status"] == "active" and time.monotonic() < end:
        await asyncio.sleep(0.02)
    stage.answer = 202
    await stage.order()
    await asyncio.sleep(0.2)

    assert await stage.webhook() == {"status": "disabled", "failures": 5}
    assert stage.seen == []

    async with stage.http.put(f"{stage.url}/_twin/webhook", json={"status": "active"}) as answer:
        assert answer.status == 200
    await stage.order()
    await stage.until(lambda: len(stage.seen) == 1)


async def test_an_update_storm_tells_one_order_four_times(stage: Stage) -> None:
    """Each delivery has an id of its own, and all of them are the same word about one state of the order."""
    await stage.quirk("update_storm")
    await stage.order()
    await stage.until(lambda: len(stage.seen) == 4)

    assert len({event.id for _, event in stage.seen}) == 1
    assert len({msgspec.json.encode(event.data) for _, event in stage.seen}) == 1


async def test_an_update_can_come_before_its_creation(stage: Stage) -> None:
    """Both are the same upsert, so the order of arrival does not matter."""
    await stage.quirk("updated_first")
    await stage.order()
    await stage.until(lambda: len(stage.seen) == 2)

    assert [topic for topic, _ in stage.seen] == ["order.updated", "order.created"]


async def test_a_lost_delivery_never_comes(stage: Stage) -> None:
    """Only a back-fill can close this gap."""
    await stage.quirk("lost_delivery")
    await stage.order()
    await asyncio.sleep(0.2)

    assert (stage.seen, stage.refused) == ([], 0)


async def test_a_stale_signature_is_refused_and_counts_as_failure(stage: Stage) -> None:
    """The shop's old secret opens nothing."""
    await stage.quirk("stale_signature")
    await stage.order()
    await stage.until(lambda: stage.refused == 1)
    await asyncio.sleep(0.1)

    assert (await stage.webhook())["failures"] == 1
    assert stage.seen == []
