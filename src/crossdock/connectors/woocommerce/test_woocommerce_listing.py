"""WooCommerce: orders by when they changed, over the twin's REST API, and webhooks switched on again."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from crossdock.connect.contract import Ask, Inbound, Page, RetryLater, Row, Translation
from crossdock.connect.transport import Transport
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.woocommerce import listing
from crossdock.connectors.woocommerce.client import WooCommerceClient
from crossdock.connectors.woocommerce.connector import CONNECTOR
from crossdock.connectors.woocommerce.test_woocommerce import ACCOUNT, ORDER, QUIRKS, _serve
from crossdock.connectors.woocommerce.twin import build
from crossdock.errors import Rejected

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = START - timedelta(days=1)


@dataclass
class Stage:
    """A twin, a client that reads it, and what its webhook posted to a hub that answers as told."""

    twin: Twin
    url: str
    http: aiohttp.ClientSession
    client: WooCommerceClient
    answer: int = 202
    told: list[Inbound] = field(default_factory=list)

    async def place(self, *changed_at: datetime) -> list[int]:
        """An order for each instant, changed last at it; now where none is given."""
        wish = {"lines": [{"sku": "A", "quantity": 2, "price": "4.50"}]}
        wishes = {"orders": [wish] * (len(changed_at) or 1)}
        async with self.http.post(f"{self.url}/_twin/orders", json=wishes) as answer:
            placed = [order["id"] for order in await answer.json()]
        for number, moment in zip(placed, changed_at, strict=False):
            self.touch(number, moment)
        return placed

    def touch(self, number: int, changed_at: datetime) -> None:
        books = self.twin.books
        with books.change():
            order = books.get("order", str(number))
            books.put(
                "order",
                str(number),
                order | {"modified": changed_at.replace(tzinfo=None, microsecond=0).isoformat()},
            )

    async def ask(self, since: datetime = LONG_AGO, page: str = "") -> Page:
        answer = await self.client.changed(Ask(list="orders", since=since, page=page, timeout_seconds=5.0))
        assert isinstance(answer, Page), answer
        return answer

    async def read(self, since: datetime = LONG_AGO, then: Callable[[], None] = lambda: None) -> list[int]:
        """Ids of all pages; `then` happens after the first."""
        found, page = [], ""
        for turn in range(20):
            answer = await self.ask(since, page)
            found += [int(translated(row).events[0].thread.rpartition("/")[2]) for row in rows_of(answer)]
            if not answer.next:
                return found
            page = answer.next
            if turn == 0:
                then()
        raise AssertionError("the list does not end")

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not true():
                await asyncio.sleep(0.02)

    def status(self) -> str:
        return str((self.twin.books.get("webhook", "orders") or {"status": "active"})["status"])


def rows_of(page: Page) -> tuple[Row, ...]:
    return listing.rows("orders", page.body, START)


def translated(row: Row) -> Translation:
    assert CONNECTOR.translate
    return CONNECTOR.translate(row.message, ACCOUNT)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async def receive(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        made.told.append(Inbound(channel="webhooks", headers=headers, body=body, received_at=START))
        return web.Response(status=made.answer)

    hub = web.Application()
    hub.router.add_post("/v1/in/woo-1/webhooks", receive)
    hub_runner, hub_url = await _serve(hub)
    books = tmp_path / "woo.db"
    setup = TwinSetup(name="woocommerce", system="woo-1", hub_url=hub_url, books=books, secrets=ACCOUNT.secrets)  # fmt: skip
    twin = Twin(setup, QUIRKS)
    build(twin)
    runner, url = await _serve(twin.app)
    transport = Transport()
    client = WooCommerceClient(replace(ACCOUNT, base_url=url), transport)
    async with aiohttp.ClientSession() as http:
        made = Stage(twin, url, http, client)
        yield made
    await transport.close()
    await runner.cleanup()
    await hub_runner.cleanup()


async def test_a_row_and_its_webhook_are_one_word(stage: Stage) -> None:
    """Heard both ways, an order counts once: one source id and one content."""
    await stage.place()
    await stage.until(lambda: len(stage.told) == 1)
    [row] = rows_of(await stage.ask())

    assert CONNECTOR.translate
    told = CONNECTOR.translate(stage.told[0], ACCOUNT)
    assert (told.source_id, told.content) == (translated(row).source_id, translated(row).content)
    assert told.content


async def test_all_pages_are_read_from_the_time_on(stage: Stage) -> None:
    """What changed at that very second or later, the oldest first, across pages, and more than a page of one second."""
    await stage.place(START - timedelta(seconds=1))
    moments = [START] * 120 + [START + timedelta(seconds=n) for n in range(60)]
    placed = await stage.place(*moments)

    found = await stage.read(START)

    assert set(found) == set(placed)
    assert list(dict.fromkeys(found)) == placed


async def test_an_order_that_changes_meanwhile_hides_no_other(stage: Stage) -> None:
    """It moves to the end of the list, and whatever stood behind it is read all the same."""
    placed = await stage.place(*(START + timedelta(seconds=n) for n in range(110)))

    found = await stage.read(then=lambda: stage.touch(placed[0], START + timedelta(hours=1)))

    assert set(found) == set(placed)
    assert found[-1] == placed[0]


async def test_times_count_as_gmt_only_where_asked_for(stage: Stage) -> None:
    """The shop's own clock is hours behind: whoever forgets `dates_are_gmt` misses what just happened."""
    await stage.place(START)
    pair = f"{ACCOUNT.secrets['consumer_key']}:{ACCOUNT.secrets['consumer_secret']}"
    key = {"authorization": "Basic " + b64encode(pair.encode()).decode()}
    path = f"{stage.url}/wp-json/wc/v3/orders"

    async def count(**more: str) -> int:
        query = {"modified_after": "2026-03-01T11:00:00"} | more
        async with stage.http.get(path, params=query, headers=key) as answer:
            return len(await answer.json())

    assert (await count(), await count(dates_are_gmt="true")) == (0, 1)


async def test_a_disabled_webhook_is_switched_on_once(stage: Stage) -> None:
    """After five failures the shop is silent; once revived it tells again, and the books say both."""
    stage.answer = 503
    await stage.place(*[START] * 5)
    await stage.until(lambda: stage.status() == "disabled")

    assert await stage.client.revive(5.0) == "order.updated (535)"
    assert await stage.client.revive(5.0) == ""

    journal = [row[0] for row in stage.twin.books.rows("select effect from journal order by id")]
    assert [effect for effect in journal if effect.startswith("webhook.")] == [
        "webhook.disabled",
        "webhook.active",
    ]
    stage.told.clear()
    await stage.place()
    await stage.until(lambda: len(stage.told) == 1)


async def test_webhooks_of_others_are_left_alone(stage: Stage) -> None:
    """Somebody may have switched off on purpose what leads elsewhere."""
    stage.answer = 503
    await stage.place(*[START] * 5)
    await stage.until(lambda: stage.status() == "disabled")
    stranger = WooCommerceClient(replace(stage.client._account, name="woo-2"), stage.client._transport)

    assert await stranger.revive(5.0) == ""
    assert stage.status() == "disabled"


async def test_a_shop_that_does_not_answer_is_asked_later(stage: Stage) -> None:
    """Neither a refused key nor maintenance ends the reading for good."""
    stage.twin.quirks.set({"unavailable": 1.0})
    ask = Ask(list="orders", since=LONG_AGO, page="", timeout_seconds=5.0)
    assert await stage.client.changed(ask) == RetryLater(
        reason="503 unavailable", after_seconds=1.0, throttled=True
    )
    stage.twin.quirks.set({"unavailable": 0.0})
    wrong = replace(stage.client._account, secrets=ACCOUNT.secrets | {"consumer_key": "ck_other"})
    refused = await WooCommerceClient(wrong, stage.client._transport).changed(ask)
    assert isinstance(refused, RetryLater)
    assert refused.reason.startswith("401")


def test_drafts_are_left_out_and_nonsense_is_named() -> None:
    """The shop's webhooks are silent on drafts; a row without its time would move no cursor."""
    draft = ORDER | {"status": "checkout-draft"}
    [row] = listing.rows("orders", msgspec.json.encode([draft, ORDER]), START)
    assert row.changed_at == datetime(2026, 1, 15, 11, 58, 9, tzinfo=UTC)
    for page, path in (
        ({"orders": []}, "/"),
        ([1], "/0"),
        ([ORDER, ORDER | {"date_modified_gmt": None}], "/1/date_modified_gmt"),
    ):
        with pytest.raises(Rejected) as told:
            listing.rows("orders", msgspec.json.encode(page), START)
        assert told.value.path == path
