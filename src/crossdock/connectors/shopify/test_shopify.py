"""Shopify: the client against its twin over real sockets: every effect, every quirk, every outcome."""

import asyncio
import json
import time
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
    Connector,
    Done,
    Inbound,
    Refused,
    RetryLater,
    Unknown,
)  # fmt: skip
from crossdock.connect.manifest import load_manifest
from crossdock.connect.transport import Transport
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.shopify.client import ShopifyClient
from crossdock.connectors.shopify.connector import CONNECTOR
from crossdock.connectors.shopify.twin import build
from crossdock.errors import Misconfigured, Unauthenticated
from crossdock.model.order import FulfilmentCancelled, FulfilmentCreated, LineShipped
from crossdock.model.party import People
from crossdock.model.quantity import Quantity
from crossdock.model.requests import CancelFulfilment, CreateFulfilment, PublishAvailability
from crossdock.model.stock import AvailabilityPublished

HERE = Path(__file__).parent
ACCOUNT = msgspec.convert(json.loads((HERE / "fixtures/account.json").read_text()), Account)
QUIRKS = load_manifest(HERE / "manifest.toml").quirks
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
EFFECT = "0f8fad5b-d9cb-469f-a165-70867728950e"


@dataclass
class Stage:
    """A twin with its hub, over real sockets."""

    url: str
    client: ShopifyClient
    http: aiohttp.ClientSession
    account: Account
    statuses: list[int] = field(default_factory=list)
    messages: list[Inbound] = field(default_factory=list)

    async def get(self, path: str) -> Any:
        async with self.http.get(f"{self.url}/_twin/{path}") as told:
            return await told.json()

    async def put(self, path: str, body: Any) -> Any:
        async with self.http.put(f"{self.url}/_twin/{path}", json=body) as told:
            assert told.status == 200, await told.text()
            return await told.json()

    async def place(self, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
        wish = {"lines": list(lines) or [{"sku": "WID-1", "quantity": 4, "price": "5.00"}], **more}
        async with self.http.post(f"{self.url}/_twin/orders", json={"orders": [wish]}) as told:
            [placed] = await told.json()
        return next(order for order in await self.get("orders") if order["id"] == placed["id"])

    async def cancel(self, order: dict[str, Any]) -> None:
        async with self.http.post(f"{self.url}/_twin/orders/{order['id']}/cancel") as told:
            assert told.status == 200

    async def journal(self, effect: str) -> list[str]:
        return [row["reference"] for row in await self.get("journal") if row["effect"] == effect]

    async def received(self, count: int, seconds: float = 4.0) -> list[Inbound]:
        async with asyncio.timeout(seconds):
            while len(self.messages) < count:
                await asyncio.sleep(0.01)
        return self.messages

    def call(self, kind: str, payload: msgspec.Struct, *, effect: str = EFFECT, seconds: float = 5.0) -> Call:
        connector: Connector = CONNECTOR
        assert connector.render
        body = connector.render(kind, payload, People(), self.account)
        return Call(effect=effect, attempt=1, kind=kind, body=body, timeout_seconds=seconds)

    def fulfilment(
        self, order: dict[str, Any], tracking: tuple[str, ...] = ("1Z1",), shipment: str = "S-1", **call: Any
    ) -> Call:
        reference = f"shopify-eu/{order['id']}"
        line = order["lines"][0]
        shipped = LineShipped(reference, str(line["id"]), line["sku"], Quantity(Decimal(2)))
        payload = CreateFulfilment(reference, shipment, "SITE1", "ups", tracking, (shipped,))
        return self.call("fulfilment.create", payload, **call)

    def availability(self, sku: str, value: str, version: int = 1, **call: Any) -> Call:
        payload = PublishAvailability(sku, "SITE1", Quantity(Decimal(value)), version)
        return self.call("availability.publish", payload, **call)

    def cancellation(self, order: dict[str, Any], **call: Any) -> Call:
        payload = CancelFulfilment(f"shopify-eu/{order['id']}", "not enough stock")
        return self.call("order.cancel", payload, **call)


async def serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    messages: list[Inbound] = []
    statuses: list[int] = []

    async def hub(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        message = Inbound(
            channel=request.match_info["channel"], headers=headers, body=await request.read(), received_at=NOW
        )
        try:
            assert CONNECTOR.authenticate
            CONNECTOR.authenticate(message, ACCOUNT)
        except Unauthenticated:
            statuses.append(401)
            return web.Response(status=401)
        statuses.append(202)
        messages.append(message)
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/v1/in/shopify-eu/{channel}", hub)
    hub_runner, hub_url = await serve(app)
    setup = TwinSetup(
        name="shopify", system="shopify-eu", hub_url=hub_url, books=tmp_path / "books.db", pace_seconds=0.05,
        settings=ACCOUNT.settings, secrets=ACCOUNT.secrets,
    )  # fmt: skip
    twin = Twin(setup, QUIRKS)
    build(twin)
    twin_runner, url = await serve(twin.app)
    transport = Transport()
    account = replace(ACCOUNT, base_url=url)
    async with aiohttp.ClientSession() as http:
        yield Stage(url, ShopifyClient(account, transport), http, account, statuses, messages)
    await transport.close()
    await twin_runner.cleanup()
    await hub_runner.cleanup()


def done(outcome: Any) -> Done:
    assert isinstance(outcome, Done), outcome
    return outcome


class TestFulfilment:
    """`fulfilment.create`: booked once, and found again by its tracking numbers."""

    async def test_a_shipment_shows_in_the_shop(self, stage: Stage) -> None:
        """The storefront shows carrier and numbers; the receipt carries the fulfilment's name."""
        order = await stage.place()
        outcome = done(await stage.client.send(stage.fulfilment(order)))
        assert outcome.receipt == FulfilmentCreated(f"{order['name']}-F1")
        [shown] = await stage.get("orders")
        assert shown["fulfilment_status"] == "partially_fulfilled"
        [fulfilment] = shown["fulfilments"]
        assert (fulfilment["company"], fulfilment["tracking"], fulfilment["shipment"]) == (
            "UPS",
            ["1Z1"],
            "S-1",
        )
        assert await stage.journal("fulfilment.create") == [f"S-1|shopify-eu/{order['id']}"]

    async def test_sent_twice_it_is_booked_once(self, stage: Stage) -> None:
        """The client looks before it leaps, with no memory of its own."""
        order = await stage.place()
        first = done(await stage.client.send(stage.fulfilment(order)))
        assert done(await stage.client.send(stage.fulfilment(order))).document == first.document
        assert len(await stage.journal("fulfilment.create")) == 1

    async def test_two_shipments_of_one_line(self, stage: Stage) -> None:
        """Other tracking numbers are another fulfilment; then the line is used up."""
        order = await stage.place()
        done(await stage.client.send(stage.fulfilment(order, ("1Z1",), "S-1")))
        done(await stage.client.send(stage.fulfilment(order, ("1Z2",), "S-2")))
        outcome = await stage.client.send(stage.fulfilment(order, ("1Z3",), "S-3"))
        assert isinstance(outcome, Refused)
        assert outcome.code == "fulfillment-order"
        [shown] = await stage.get("orders")
        assert shown["fulfilment_status"] == "fulfilled"

    async def test_what_the_customer_took_off_too_late_is_left_out(self, stage: Stage) -> None:
        """It left all the same; the storefront shows the rest with its numbers."""
        order = await stage.place({"sku": "WID-1", "quantity": 4}, {"sku": "MUG-1", "quantity": 1})
        async with stage.http.post(
            f"{stage.url}/_twin/orders/{order['id']}/edit", json={"quantities": {"WID-1": 1, "MUG-1": 0}}
        ) as told:
            assert told.status == 200
        done(await stage.client.send(stage.fulfilment(order)))
        [shown] = await stage.get("orders")
        assert [x["quantity"] for f in shown["fulfilments"] for x in f["lines"]] == [1]

    async def test_an_unanswered_one_is_found(self, stage: Stage) -> None:
        """The answer is lost, the look-up finds what was done."""
        order = await stage.place()
        call = stage.fulfilment(order)
        assert isinstance(await stage.client.look_up(call), Absent)
        await stage.put("quirks", {"answer_lost": 1})
        assert isinstance(await stage.client.send(call), Unknown)
        assert done(await stage.client.look_up(call)).document == f"{order['name']}-F1"
        assert len(await stage.journal("fulfilment.create")) == 1

    async def test_without_numbers_only_a_person_can_tell(self, stage: Stage) -> None:
        """Nothing tells one untracked fulfilment from another."""
        order = await stage.place()
        call = stage.fulfilment(order, ())
        assert isinstance(await stage.client.look_up(call), Absent)
        done(await stage.client.send(call))
        told = await stage.client.look_up(call)
        assert isinstance(told, CannotTell)
        assert told.for_ever

    async def test_long_orders_are_read_page_by_page(self, stage: Stage) -> None:
        """A line on the second page is found too."""
        order = await stage.place(*({"sku": f"WID-{n}", "quantity": 2, "price": "1"} for n in range(45)))
        done(await stage.client.send(stage.fulfilment({**order, "lines": order["lines"][-1:]})))
        [shown] = await stage.get("orders")
        assert shown["lines"][-1]["open"] == 0

    async def test_unknown_and_cancelled_orders_are_refused(self, stage: Stage) -> None:
        """Shopify's no is a no for good."""
        order = await stage.place()
        await stage.cancel(order)
        assert isinstance(await stage.client.send(stage.fulfilment(order)), Refused)
        outcome = await stage.client.send(stage.fulfilment({**order, "id": 5}))
        assert isinstance(outcome, Refused)
        assert outcome.code == "not-found"
        assert isinstance(await stage.client.look_up(stage.fulfilment({**order, "id": 5})), Absent)


class TestAvailability:
    """`availability.publish`: what this shop may still sell."""

    async def test_the_quantity_is_set_and_orders_are_subtracted_by_shopify(self, stage: Stage) -> None:
        """We publish 10, the shop sells 4, the shop itself shows 6."""
        await stage.put("products", {"WID-12": {}, "WID-1": {"price": "5.00", "title": "Widget"}})
        outcome = done(await stage.client.send(stage.availability("WID-1", "10")))
        assert outcome.receipt == AvailabilityPublished("WID-1", "shopify-eu", Quantity(Decimal(10)))
        order = await stage.place()
        assert await stage.get("inventory") == {"WID-1": 6, "WID-12": 0}
        await stage.cancel(order)
        assert (await stage.get("inventory"))["WID-1"] == 10
        assert await stage.journal("availability.publish") == ["WID-1"]

    async def test_a_repeated_effect_sets_nothing(self, stage: Stage) -> None:
        """Our effect id is Shopify's idempotency key: a late repetition cannot bring an old number back."""
        await stage.put("products", {"WID-1": {}})
        old = stage.availability("WID-1", "10", effect="11111111-d9cb-469f-a165-70867728950e")
        done(await stage.client.send(old))
        done(await stage.client.send(stage.availability("WID-1", "3", 2)))
        done(await stage.client.send(old))
        assert await stage.get("inventory") == {"WID-1": 3}
        assert len(await stage.journal("availability.publish")) == 2

    async def test_an_item_the_shop_does_not_sell_is_refused(self, stage: Stage) -> None:
        """The SKU must match exactly, not merely begin alike."""
        await stage.put("products", {"wid-1": {}, "WID-12": {}})
        outcome = await stage.client.send(stage.availability("WID-1", "1"))
        assert isinstance(outcome, Refused)
        assert outcome.code == "unknown-sku"

    async def test_user_errors_name_their_field(self, stage: Stage) -> None:
        """A refusal carries Shopify's words and the path of the input field."""
        await stage.put("products", {"WID-1": {}})
        body = json.loads(stage.availability("WID-1", "1").body) | {"locationId": "gid://shopify/Location/9"}
        call = replace(stage.availability("WID-1", "1"), body=json.dumps(body).encode())
        outcome = await stage.client.send(call)
        assert isinstance(outcome, Refused)
        assert outcome.code == "INVALID_LOCATION"
        assert outcome.reason.startswith("input.quantities.0.locationId: ")


class TestCancel:
    """`order.cancel`: the storefront shows that we cannot serve the order."""

    async def test_it_is_cancelled_once_and_the_shop_tells_everybody(self, stage: Stage) -> None:
        """Cancelling again is done already; Shopify also sends the webhook for it."""
        order = await stage.place()
        call = stage.cancellation(order)
        assert isinstance(await stage.client.look_up(call), Absent)
        outcome = done(await stage.client.send(call))
        assert outcome.receipt == FulfilmentCancelled(order["name"])
        done(await stage.client.look_up(call))
        done(await stage.client.send(call))
        assert await stage.journal("order.cancel") == [f"shopify-eu/{order['id']}"]
        topics = [x.headers["x-shopify-topic"] for x in await stage.received(3)]
        assert sorted(topics) == ["orders/cancelled", "orders/create", "orders/updated"]

    async def test_a_lost_answer_is_settled_by_asking_again(self, stage: Stage) -> None:
        """An upsert is simply repeated."""
        order = await stage.place()
        await stage.put("quirks", {"answer_lost": 1})
        assert isinstance(await stage.client.send(stage.cancellation(order)), Unknown)
        await stage.put("quirks", {"answer_lost": 0})
        done(await stage.client.send(stage.cancellation(order)))
        assert len(await stage.journal("order.cancel")) == 1

    async def test_a_shipped_order_cannot_be_cancelled(self, stage: Stage) -> None:
        """Shopify's refusal is passed on in its words."""
        order = await stage.place()
        done(await stage.client.send(stage.fulfilment(order)))
        outcome = await stage.client.send(stage.cancellation(order))
        assert isinstance(outcome, Refused)
        assert "fulfilled" in outcome.reason


class TestTrouble:
    """Every quirk of the twin has the outcome that it promises."""

    @pytest.mark.parametrize(
        ("quirk", "seconds"), [("unavailable", 1), ("throttle_429", 2), ("throttled", 1)]
    )
    async def test_before_anything_is_done_it_is_later(
        self, stage: Stage, quirk: str, seconds: float
    ) -> None:
        """Throttling says how long, and is not held against the effect."""
        order = await stage.place()
        await stage.put("quirks", {quirk: 1})
        outcome = await stage.client.send(stage.fulfilment(order))
        assert outcome == RetryLater(reason=outcome.reason, after_seconds=seconds, throttled=True)
        assert isinstance(await stage.client.look_up(stage.fulfilment(order)), CannotTell)
        assert await stage.journal("fulfilment.create") == []

    async def test_a_slow_answer_is_unknown_to_the_impatient(self, stage: Stage) -> None:
        """It was done, but we did not wait."""
        order = await stage.place()
        await stage.put("quirks", {"slow": 1})
        call = stage.fulfilment(order, seconds=1.6)
        assert isinstance(await stage.client.send(call), Unknown)
        await stage.put("quirks", {"slow": 0})
        done(await stage.client.look_up(call))

    async def test_nobody_there_and_a_wrong_token_are_later(self, stage: Stage) -> None:
        """Neither says anything about the effect."""
        order = await stage.place()
        transport = Transport()
        for changed in (
            replace(stage.account, base_url="http://127.0.0.1:1"),
            replace(stage.account, secrets={**ACCOUNT.secrets, "access_token": "shpat_other"}),
        ):
            client = ShopifyClient(changed, transport)
            assert isinstance(await client.send(stage.fulfilment(order)), RetryLater)
            with pytest.raises(Misconfigured):
                await client.check()
        await transport.close()

    async def test_the_connection_can_be_tried(self, stage: Stage) -> None:
        """`check` answers in a sentence, and names a location that is none."""
        assert "connected to shopify-eu" in await stage.client.check()
        transport = Transport()
        lost = replace(stage.account, settings={"location_gid": "gid://shopify/Location/1"})
        with pytest.raises(Misconfigured, match="location_gid"):
            await ShopifyClient(lost, transport).check()
        await transport.close()


class TestWebhooks:
    """What the twin sends is what Shopify sends: signed, and not always in order."""

    async def test_an_order_arrives_signed_and_translates(self, stage: Stage) -> None:
        """Placed in the shop, read by the mapping; the journal has the wish."""
        order = await stage.place(
            {"sku": "NEW", "quantity": 1, "price": "9.90"}, express=True, currency="CHF"
        )
        [message] = await stage.received(1)
        assert CONNECTOR.translate
        data = CONNECTOR.translate(message, ACCOUNT).events[0].data
        assert data.reference == f"shopify-eu/{order['id']}"
        assert order["id"] > 2**40
        assert (data.number, data.service, str(data.total)) == (order["name"], "express", "CHF 9.90")
        assert await stage.journal("order.placed") == [data.reference]

    async def test_duplicates_are_identical(self, stage: Stage) -> None:
        """Copies carry the same event id and the same bytes."""
        await stage.put("quirks", {"duplicate_webhook": 1})
        await stage.place()
        one, two = (await stage.received(2))[:2]
        assert one.body == two.body
        assert one.headers["x-shopify-event-id"] == two.headers["x-shopify-event-id"]

    async def test_a_cancellation_may_overtake_its_order(self, stage: Stage) -> None:
        """Held back for a while, the order arrives after its cancellation."""
        await stage.put("quirks", {"reordered_webhook": 1})
        order = await stage.place()
        await stage.put("quirks", {"reordered_webhook": 0})
        await stage.cancel(order)
        topics = [x.headers["x-shopify-topic"] for x in await stage.received(3)]
        assert sorted(topics[:2]) == ["orders/cancelled", "orders/updated"]
        assert topics[2] == "orders/create"
        assert await stage.journal("order.cancelRequested") == [f"shopify-eu/{order['id']}"]

    async def test_an_update_storm_has_ids_of_its_own(self, stage: Stage) -> None:
        """Every update is an event of its own with the same content."""
        await stage.put("quirks", {"update_storm": 1})
        await stage.place()
        messages = await stage.received(4)
        assert len({x.headers["x-shopify-event-id"] for x in messages}) == 4
        assert len({x.body for x in messages}) == 1

    async def test_a_stale_signature_is_refused_and_then_repaired(self, stage: Stage) -> None:
        """First 401, then the redelivery is right."""
        await stage.put("quirks", {"stale_signature": 1})
        await stage.place()
        await stage.received(1)
        assert stage.statuses == [401, 202]
        started = time.monotonic()
        while (await stage.get("outbox"))["waiting"] and time.monotonic() - started < 2:
            await asyncio.sleep(0.02)
        assert await stage.get("outbox") == {"sent": 1, "acknowledged": 1, "waiting": 0}


class TestStrictness:
    """The twin refuses what Shopify would refuse, so that a slip of ours cannot hide."""

    async def ask(self, stage: Stage, query: str, **variables: Any) -> Any:
        headers = {"x-shopify-access-token": ACCOUNT.secrets["access_token"]}
        url = f"{stage.url}/admin/api/2026-07/graphql.json"
        async with stage.http.post(
            url, headers=headers, json={"query": query, "variables": variables}
        ) as told:
            return (await told.json())["errors"][0]["message"]

    async def test_unknown_fields_missing_variables_and_bad_syntax(self, stage: Stage) -> None:
        """GraphQL errors come with HTTP 200."""
        order = await stage.place()
        gid = f"gid://shopify/Order/{order['id']}"
        assert "doesn't exist" in await self.ask(
            stage, "query Q($id: ID!) { order(id: $id) { nmae } }", id=gid
        )
        assert "doesn't exist" in await self.ask(
            stage, "{ shop { name } }".replace("{ shop", "query { shopp", 1)
        )
        assert "invalid value" in await self.ask(stage, "query Q($id: ID!) { order(id: $id) { name } }")
        assert "Parse error" in await self.ask(stage, "query { shop { name }")
        assert "global id" in await self.ask(stage, 'query { order(id: "7") { name } }')

    async def test_setting_quantities_needs_its_safeguards(self, stage: Stage) -> None:
        """Without idempotency key, or without saying what it changes from, nothing is set."""
        await stage.put("products", {"WID-1": {}})
        text = "mutation M($input: I!) { inventorySetQuantities(input: $input)%s { userErrors { message } } }"
        assert "@idempotent" in await self.ask(stage, text % "", input={})
        given = {"name": "available", "reason": "correction", "quantities": [{"quantity": 1}]}
        assert "changeFromQuantity" in await self.ask(stage, text % ' @idempotent(key: "k")', input=given)
