"""Shopify: orders by when they were updated, over the twin's REST Admin API."""

import asyncio
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
from crossdock.connectors.shopify import listing
from crossdock.connectors.shopify.client import ShopifyClient
from crossdock.connectors.shopify.connector import CONNECTOR
from crossdock.connectors.shopify.queries import API_VERSION
from crossdock.connectors.shopify.test_shopify import ACCOUNT, QUIRKS, serve
from crossdock.connectors.shopify.twin import build
from crossdock.errors import Rejected

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = START - timedelta(days=1)


@dataclass
class Stage:
    """A twin, a client that reads it, and what its webhooks posted to a hub that answers as told."""

    twin: Twin
    url: str
    http: aiohttp.ClientSession
    client: ShopifyClient
    answer: int = 202
    told: list[Inbound] = field(default_factory=list)

    async def place(self, *updated_at: datetime) -> list[int]:
        """An order for each instant, updated last at it; now where none is given."""
        wishes = {"orders": [{"lines": [{"sku": "A", "quantity": 2, "price": "4.50"}]}] * (len(updated_at) or 1)}  # fmt: skip
        async with self.http.post(f"{self.url}/_twin/orders", json=wishes) as answer:
            placed = [order["id"] for order in await answer.json()]
        for number, moment in zip(placed, updated_at, strict=False):
            self.touch(number, moment)
        return placed

    async def cancel(self, number: int) -> None:
        async with self.http.post(f"{self.url}/_twin/orders/{number}/cancel") as answer:
            assert answer.status == 200

    def touch(self, number: int, updated_at: datetime) -> None:
        books = self.twin.books
        with books.change():
            order = books.get("order", str(number))
            books.put("order", str(number), order | {"updated_at": updated_at.isoformat()})

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
        async with asyncio.timeout(8):
            while not true():
                await asyncio.sleep(0.02)


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
    hub.router.add_post("/v1/in/shopify-eu/webhooks", receive)
    hub_runner, hub_url = await serve(hub)
    setup = TwinSetup(
        name="shopify", system="shopify-eu", hub_url=hub_url, books=tmp_path / "shop.db", pace_seconds=0.05,
        settings=ACCOUNT.settings, secrets=ACCOUNT.secrets,
    )  # fmt: skip
    twin = Twin(setup, QUIRKS)
    build(twin)
    runner, url = await serve(twin.app)
    transport = Transport()
    async with aiohttp.ClientSession() as http:
        made = Stage(twin, url, http, ShopifyClient(replace(ACCOUNT, base_url=url), transport))
        yield made
    await transport.close()
    await runner.cleanup()
    await hub_runner.cleanup()


async def test_a_row_and_its_webhook_are_one_word(stage: Stage) -> None:
    """Heard both ways, an order counts once, and so does its cancellation."""
    assert CONNECTOR.translate
    [number] = await stage.place()
    await stage.until(lambda: len(stage.told) == 1)
    [row] = rows_of(await stage.ask())
    told = CONNECTOR.translate(stage.told[0], ACCOUNT)
    assert told.content
    assert (told.source_id, told.content) == (translated(row).source_id, translated(row).content)

    await stage.cancel(number)
    await stage.until(lambda: len(stage.told) == 3)
    [row] = rows_of(await stage.ask())
    words = {(x.source_id, x.content) for x in (CONNECTOR.translate(m, ACCOUNT) for m in stage.told)}
    assert (translated(row).source_id, translated(row).content) in words
    assert [event.type for event in translated(row).events] == ["order.received.v1", "order.cancelRequested.v1"]  # fmt: skip


async def test_all_pages_are_read_from_the_time_on(stage: Stage) -> None:
    """What was updated at that very second or later, the oldest first, across pages, cancelled ones too."""
    await stage.place(START - timedelta(seconds=1))
    moments = [START] * 70 + [START + timedelta(seconds=n) for n in range(60)]
    placed = await stage.place(*moments)

    assert await stage.read(START) == placed
    await stage.cancel(placed[0])
    assert placed[0] in await stage.read(START)


async def test_an_order_that_changes_meanwhile_hides_no_other(stage: Stage) -> None:
    """The cursor names a place, not a count: nothing moves up over a border unseen."""
    placed = await stage.place(*(START + timedelta(seconds=n) for n in range(110)))

    found = await stage.read(then=lambda: stage.touch(placed[0], START + timedelta(hours=1)))

    assert set(found) == set(placed)
    assert found[-1] == placed[0]


async def test_a_cursor_allows_no_condition_beside_it(stage: Stage) -> None:
    """Shopify refuses what would contradict the cursor, and lists open orders only unless asked for any."""
    [number, *_] = await stage.place(*[START] * 60)
    await stage.cancel(number)
    page = await stage.ask()
    path = f"{stage.url}/admin/api/{API_VERSION}/orders.json"
    key = {"x-shopify-access-token": ACCOUNT.secrets["access_token"]}

    async with stage.http.get(path, params={"page_info": page.next, "status": "any"}, headers=key) as told:
        assert told.status == 400
    async with stage.http.get(path, params={"limit": "250"}, headers=key) as told:
        assert len((await told.json())["orders"]) == 59


async def test_a_delivery_is_given_up(stage: Stage) -> None:
    """Nobody hears of it any more, except by asking."""
    stage.answer = 503
    stage.twin.quirks.set({"gives_up": 1.0})
    [number] = await stage.place()
    books = stage.twin.books

    await stage.until(lambda: bool(books.all("failed")))

    assert books.rows("select count(*) from outbox") == [(0,)]
    assert await stage.read() == [number]


async def test_a_shop_that_does_not_answer_is_asked_later(stage: Stage) -> None:
    """Neither throttling nor a refused token ends the reading for good."""
    ask = Ask(list="orders", since=LONG_AGO, page="", timeout_seconds=5.0)
    stage.twin.quirks.set({"throttle_429": 1.0})
    assert await stage.client.changed(ask) == RetryLater(
        reason="429 too many requests", after_seconds=2.0, throttled=True
    )
    stage.twin.quirks.set({"throttle_429": 0.0})
    wrong = replace(stage.client._account, secrets=ACCOUNT.secrets | {"access_token": "shpat_other"})
    refused = await ShopifyClient(wrong, stage.client._transport).changed(ask)
    assert isinstance(refused, RetryLater)
    assert refused.reason.startswith("401")


@pytest.mark.parametrize("told", [None, "yesterday", "2026-01-12T09:00:00", 7])
def test_a_row_without_its_time_is_named(told: object) -> None:
    """It would move no cursor; a time without offset could be any."""
    with pytest.raises(Rejected) as error:
        listing.rows("orders", msgspec.json.encode({"orders": [{"id": 1, "updated_at": told}]}), START)
    assert error.value.path == "/orders/0/updated_at"
