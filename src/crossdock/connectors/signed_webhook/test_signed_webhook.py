"""Signed webhooks: signatures against the public vectors, edge cases, and the client against its twin."""

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
from standardwebhooks import Webhook

from crossdock.connect.contract import Account, Call, CannotTell, Done, Inbound, Refused, RetryLater, Unknown
from crossdock.connect.manifest import load_manifest
from crossdock.connect.transport import Transport
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.signed_webhook.client import WebhookClient
from crossdock.connectors.signed_webhook.connector import CONNECTOR
from crossdock.connectors.signed_webhook.signatures import signed_headers
from crossdock.connectors.signed_webhook.twin import build
from crossdock.errors import Misconfigured, Rejected, Unauthenticated, Unsupported
from crossdock.model.money import Money
from crossdock.model.order import CancellationAnswered, OrderLine, OrderReleased
from crossdock.model.party import Party, People
from crossdock.model.quantity import Quantity
from crossdock.model.registry import EFFECTS, EVENTS
from crossdock.model.requests import CancelRelease, Notify, RecordMilestone, ReleaseOrder
from crossdock.model.shipment import MilestoneRecorded, Notified

HERE = Path(__file__).parent
ACCOUNT = msgspec.convert(json.loads((HERE / "fixtures/account.json").read_text()), Account)
MANIFEST = load_manifest(HERE / "manifest.toml")
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
SECRET, PREVIOUS = ACCOUNT.secrets["secret"], ACCOUNT.secrets["secret_previous"]
EFFECT = "0f8fad5b-d9cb-469f-a165-70867728950e"
NOTIFY = Notify("shipped", "shopify-eu/5001", "#1042", "S-77", "ups", ("1Z1",), NOW)
MILESTONE = RecordMilestone("S-77", "shopify-eu/5001", "8000", "delivered", "ACT", "1Z1", "ups", NOW)
PEOPLE = People(buyer=Party(name="Mara Beispiel", email="mara@example.com"))


def signed(
    body: bytes, *, secret: str = SECRET, at: datetime = NOW, message_id: str = "msg_1"
) -> dict[str, str]:
    """Headers made by the reference library, not by our own code."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body.decode()),
    }


def check(body: bytes, headers: dict[str, str], account: Account = ACCOUNT) -> None:
    assert CONNECTOR.authenticate
    CONNECTOR.authenticate(Inbound(channel="events", headers=headers, body=body, received_at=NOW), account)


class TestAuthenticate:
    """Signature, freshness and rotation."""

    @pytest.mark.parametrize("secret", [SECRET, PREVIOUS])
    def test_the_reference_library_and_we_agree(self, secret: str) -> None:
        """Current and previous secret are accepted, also for texts beyond ASCII."""
        body = '{"Straße": "ß"}'.encode()
        check(body, signed(body, secret=secret))

    def test_our_signatures_verify_with_the_reference_library(self) -> None:
        """During a rotation a message carries both signatures."""
        at = datetime.now(UTC)
        headers = dict(signed_headers(ACCOUNT, "msg_2", int(at.timestamp()), b'{"a": 1}'))
        assert headers["webhook-signature"].count("v1,") == 2
        for secret in (SECRET, PREVIOUS):
            assert Webhook(secret).verify(b'{"a": 1}', headers) == {"a": 1}

    def test_one_right_signature_among_several_is_enough(self) -> None:
        """Other versions and other secrets' signatures are passed over."""
        headers = signed(b"{}")
        headers["webhook-signature"] = f"v1a,abc v1,bm8= {headers['webhook-signature']}"
        check(b"{}", headers)

    @pytest.mark.parametrize("minutes", [-6, 6])
    def test_old_and_future_messages_are_refused(self, minutes: int) -> None:
        """Five minutes either way, measured when the message came in."""
        with pytest.raises(Unauthenticated, match="too far"):
            check(b"{}", signed(b"{}", at=NOW + timedelta(minutes=minutes)))
        check(b"{}", signed(b"{}", at=NOW + timedelta(minutes=minutes * 4 / 6)))

    @pytest.mark.parametrize(
        "change",
        [
            {"webhook-signature": ""},
            {"webhook-signature": "v1,AAAA"},
            {"webhook-signature": "v1,ü"},
            {"webhook-id": ""},
            {"webhook-id": "msg_2"},
            {"webhook-timestamp": ""},
            {"webhook-timestamp": "soon"},
            {"webhook-timestamp": "²"},
            {"webhook-timestamp": "1768478401"},
        ],
    )
    def test_what_is_missing_or_changed_is_refused(self, change: dict[str, str]) -> None:
        """Id, timestamp and body are all signed."""
        with pytest.raises(Unauthenticated):
            check(b"{}", signed(b"{}") | change)
        with pytest.raises(Unauthenticated):
            check(b"{} ", signed(b"{}"))

    @pytest.mark.parametrize("secret", ["", "whsec_", "whsec_no base64!", "whsec_ü"])
    def test_an_unusable_secret_opens_nothing(self, secret: str) -> None:
        """A wrong setting is not an open door, and sending waits until it is corrected."""
        account = replace(ACCOUNT, secrets={"secret": secret})
        with pytest.raises(Unauthenticated):
            check(b"{}", signed(b"{}"), account)


class TestMapping:
    """CloudEvents of our own types."""

    def translate(self, document: Any, headers: dict[str, str] | None = None) -> Any:
        assert CONNECTOR.translate
        body = json.dumps(document).encode()
        message = Inbound(channel="events", headers=headers or {}, body=body, received_at=NOW)
        return CONNECTOR.translate(message, ACCOUNT)

    def event(self, **changes: Any) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": "e-1",
            "source": "/crm",
            "type": "crossdock.logistics.order.creditReleased.v1",
            "subject": "order/shop/1",
            "data": {"by": "finance"},
            **changes,
        }

    def test_the_manifest_lists_all_but_the_hubs_own_work(self) -> None:
        """What the mapping accepts is what the manifest declares."""
        for kind in EVENTS:
            message = self.event(type=f"crossdock.logistics.{kind}", data=[])
            expected = Rejected if kind in MANIFEST.inbound["events"].events else Unsupported
            with pytest.raises(expected):
                self.translate(message)

    def test_without_header_the_ids_identify_the_message(self) -> None:
        """The same batch gives the same source id, another batch another."""
        batch = [self.event(), self.event(id="e-2")]
        assert self.translate(batch).source_id == self.translate(batch).source_id
        assert self.translate(batch).source_id != self.translate(batch[::-1]).source_id
        assert self.translate(batch, {"webhook-id": "msg_9"}).source_id == "msg_9"

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"id": ""}, "/id"),
            ({"source": None}, "/source"),
            ({"subject": "order"}, "/subject"),
            ({"subject": "order/" + "x" * 200}, "/subject"),
            ({"sequence": "first"}, "/sequence"),
            ({"sequence": -1}, "/sequence"),
            ({"time": "noon"}, "/time"),
            ({"data": {"by": 7}}, "/data/by"),
            ({"data": "text"}, "/data"),
        ],
    )
    def test_wrong_attributes_are_named(self, change: dict[str, Any], path: str) -> None:
        """Alone and in a batch, with the place in the whole."""
        with pytest.raises(Rejected) as told:
            self.translate(self.event(**change))
        assert told.value.path == path
        with pytest.raises(Rejected) as told:
            self.translate([self.event(), self.event(**change)])
        assert told.value.path == f"/1{path}"


@dataclass
class Stage:
    """A twin with its hub, over real sockets."""

    url: str
    client: WebhookClient
    http: aiohttp.ClientSession
    account: Account
    transport: Transport
    twin: Twin
    messages: list[Inbound] = field(default_factory=list)

    async def get(self, path: str) -> Any:
        async with self.http.get(f"{self.url}/_twin/{path}") as told:
            return await told.json()

    async def quirk(self, **rates: float) -> None:
        async with self.http.put(f"{self.url}/_twin/quirks", json=rates) as told:
            assert told.status == 200

    async def journal(self) -> list[tuple[str, str]]:
        return [(row["effect"], row["reference"]) for row in await self.get("journal")]

    def call(self, payload: msgspec.Struct, *, effect: str = EFFECT, seconds: float = 5.0) -> Call:
        assert CONNECTOR.render
        kind = next(kind for kind, shape in EFFECTS.items() if isinstance(payload, shape))
        body = CONNECTOR.render(kind, payload, PEOPLE, self.account)
        return Call(effect=effect, attempt=1, kind=kind, body=body, timeout_seconds=seconds)


ORDERED = OrderLine("1", "WID-1", Quantity(Decimal(2)), Money(Decimal("19.90"), "EUR"))
PURCHASE = ReleaseOrder("shopify-eu/5001", "#1042", "DROP1", (ORDERED,), "standard")
STOP = CancelRelease("shopify-eu/5001", "DROP1", "changed his mind")


async def serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    messages: list[Inbound] = []

    async def hub(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        channel = request.match_info["channel"]
        message = Inbound(
            channel=channel, headers=headers, body=await request.read(), received_at=datetime.now(UTC)
        )
        try:
            assert CONNECTOR.authenticate
            CONNECTOR.authenticate(message, ACCOUNT)
        except Unauthenticated:
            return web.Response(status=401)
        messages.append(message)
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/v1/in/crm/{channel}", hub)
    hub_runner, hub_url = await serve(app)
    setup = TwinSetup(
        name="signed_webhook", system="crm", hub_url=hub_url, books=tmp_path / "books.db",
        settings=ACCOUNT.settings, secrets=ACCOUNT.secrets,
    )  # fmt: skip
    twin = Twin(setup, MANIFEST.quirks)
    build(twin)
    twin_runner, url = await serve(twin.app)
    transport = Transport()
    account = replace(ACCOUNT, base_url=url)
    async with aiohttp.ClientSession() as http:
        yield Stage(url, WebhookClient(account, transport), http, account, transport, twin, messages)
    await transport.close()
    await twin_runner.cleanup()
    await hub_runner.cleanup()


class TestSend:
    """Both kinds, once each, whatever happens on the way."""

    async def test_both_kinds_are_taken_with_their_receipts(self, stage: Stage) -> None:
        """The receiver's id becomes the document."""
        told = await stage.client.send(stage.call(NOTIFY))
        assert told == Done(document="N-1", receipt=Notified("shipped", "N-1"))
        told = await stage.client.send(stage.call(MILESTONE, effect="another"))
        assert told == Done(document="N-2", receipt=MilestoneRecorded("delivered", "N-2"))
        assert await stage.journal() == [
            ("customer.notify", "shipped|shopify-eu/5001|S-77"),
            ("milestone.record", "S-77|shopify-eu/5001|delivered"),
        ]
        shown = await stage.get("notifications")
        assert [x["type"] for x in shown] == ["customer.notify", "milestone.record"]
        assert shown[0]["data"]["customer"] == {"name": "Mara Beispiel", "email": "mara@example.com"}

    async def test_the_same_effect_twice_is_one_message(self, stage: Stage) -> None:
        """The receiver dedupes by our effect id; another id for the same fact is a double and shows as one."""
        first = await stage.client.send(stage.call(NOTIFY))
        assert await stage.client.send(stage.call(NOTIFY)) == first
        assert len(await stage.journal()) == 1
        await stage.client.send(stage.call(NOTIFY, effect="a-double"))
        assert len(await stage.journal()) == 2

    async def test_a_lost_answer_is_repaired_by_sending_again(self, stage: Stage) -> None:
        """There is no look-up, and none is needed."""
        await stage.quirk(answer_lost=1)
        assert isinstance(await stage.client.send(stage.call(NOTIFY)), Unknown)
        told = await stage.client.look_up(stage.call(NOTIFY))
        assert isinstance(told, CannotTell)
        assert not told.for_ever
        await stage.quirk(answer_lost=0)
        assert isinstance(await stage.client.send(stage.call(NOTIFY)), Done)
        assert len(await stage.journal()) == 1

    @pytest.mark.parametrize("name", ["unavailable", "throttle_429"])
    async def test_a_busy_receiver_is_tried_later(self, stage: Stage, name: str) -> None:
        """Its wish is honoured, and not held against the effect."""
        await stage.quirk(**{name: 1})
        told = await stage.client.send(stage.call(NOTIFY))
        assert told == RetryLater(reason=told.reason, after_seconds=1.0, throttled=True)
        assert await stage.journal() == []

    async def test_a_gone_endpoint_is_refused(self, stage: Stage) -> None:
        """410 is for good."""
        await stage.quirk(gone_410=1)
        assert await stage.client.send(stage.call(NOTIFY)) == Refused(code="410", reason="endpoint gone")

    async def test_a_slow_answer_is_unknown_to_the_impatient(self, stage: Stage) -> None:
        """It was taken, but we did not wait."""
        await stage.quirk(slow=1)
        assert isinstance(await stage.client.send(stage.call(NOTIFY, seconds=1.2)), Unknown)
        assert len(await stage.journal()) == 1

    async def test_a_receiver_with_the_previous_secret_still_understands(self, stage: Stage) -> None:
        """Both signatures are sent while the secret is being changed; afterwards only the new one."""
        changed = replace(stage.account, secrets={"secret": PREVIOUS, "secret_previous": SECRET})
        told = await WebhookClient(changed, stage.transport).send(stage.call(NOTIFY))
        assert isinstance(told, Done)
        finished = replace(stage.account, secrets={"secret": PREVIOUS, "secret_previous": ""})
        told = await WebhookClient(finished, stage.transport).send(stage.call(NOTIFY, effect="b"))
        assert told == Refused(code="401", reason="no matching signature")

    async def test_nobody_there_and_a_broken_secret_are_later(self, stage: Stage) -> None:
        """Certainly nothing was taken."""
        for changed in (
            replace(stage.account, base_url="http://127.0.0.1:1"),
            replace(stage.account, secrets={"secret": "whsec_!"}),
        ):
            client = WebhookClient(changed, stage.transport)
            assert isinstance(await client.send(stage.call(NOTIFY)), RetryLater)
            with pytest.raises(Misconfigured):
                await client.check()
        assert "listens" in await stage.client.check()

    @pytest.mark.parametrize(
        ("status", "outcome"), [(204, Done), (302, Refused), (400, Refused), (408, Unknown), (500, Unknown)]
    )
    async def test_every_answer_has_its_meaning(self, stage: Stage, status: int, outcome: type) -> None:
        """Redirects are refused: a signed body is not carried elsewhere. A body that echoes ours is not repeated."""

        async def reply(_: web.Request) -> web.Response:
            return web.Response(status=status, text="mara@example.com" if status != 204 else None)

        app = web.Application()
        app.router.add_post("/webhooks", reply)
        runner, url = await serve(app)
        client = WebhookClient(replace(stage.account, base_url=url), stage.transport)
        told = await client.send(stage.call(NOTIFY))
        await runner.cleanup()
        assert isinstance(told, outcome)
        assert "mara" not in repr(told)


class TestReceive:
    """What a portal sends reaches the hub."""

    async def test_events_arrive_signed_and_translate(self, stage: Stage) -> None:
        """A cancellation asked for in the portal."""
        data = {"reference": "shop/1", "reason": "customer"}
        wish = {"type": "order.cancelRequested.v1", "subject": "order/shop/1", "data": data}
        async with stage.http.post(f"{stage.url}/_twin/events", json={"events": [wish, wish]}) as told:
            message_id = (await told.json())["webhook_id"]
        async with asyncio.timeout(3):
            while not stage.messages:
                await asyncio.sleep(0.01)
        assert CONNECTOR.translate
        translation = CONNECTOR.translate(stage.messages[0], ACCOUNT)
        assert translation.source_id == message_id
        assert [event.thread for event in translation.events] == ["order/shop/1"] * 2

    async def test_a_delivery_that_waited_long_is_signed_anew(self, stage: Stage) -> None:
        """After an hour without the hub the old timestamp would be refused."""
        body = b"{}"
        headers = signed(body, at=datetime.now(UTC) - timedelta(hours=1))
        with stage.twin.books.change():
            stage.twin.books.call_back(
                topic="t", reference="r", source_id="msg_1", url=f"{stage.twin.setup.hub_url}/v1/in/crm/events",
                headers=headers, body=body,
            )  # fmt: skip
        async with asyncio.timeout(3):
            while not stage.messages:
                await asyncio.sleep(0.01)
        assert stage.messages[0].headers["webhook-id"] == "msg_1"


async def test_a_supplier_takes_and_stops_orders(stage: Stage) -> None:
    """Once each, without what our customer pays; 409 says that it cannot be stopped any more, other refusals are refusals."""
    taken = await stage.client.send(stage.call(PURCHASE))
    again = await stage.client.send(stage.call(PURCHASE))
    assert isinstance(taken, Done)
    assert taken == again
    assert taken.receipt == OrderReleased(taken.document)
    assert b"19.90" not in stage.call(PURCHASE).body

    await stage.quirk(cancel_refused=1.0)
    refused = await stage.client.send(stage.call(STOP, effect=EFFECT[:-1] + "1"))
    assert isinstance(refused, Done)
    assert refused.receipt == CancellationAnswered(accepted=False, reason="it is packed")
    await stage.quirk(cancel_refused=0.0)
    stopped = await stage.client.send(stage.call(STOP, effect=EFFECT[:-1] + "2"))
    assert isinstance(stopped, Done)
    assert stopped.receipt == CancellationAnswered(accepted=True)
    assert [effect for effect, _ in await stage.journal()] == [
        "warehouse_order.release",
        "warehouse_order.cancel",
    ]
