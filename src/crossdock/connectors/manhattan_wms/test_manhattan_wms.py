"""The client against the twin over HTTP: every effect, every quirk, and the warehouse's own work."""

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
    CannotTell,
    Done,
    Inbound,
    Refused,
    RetryLater,
    Unknown,
)
from crossdock.connect.discovery import installed
from crossdock.connect.transport import Answer, Transport
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.manhattan_wms.client import _outcome
from crossdock.connectors.manhattan_wms.connector import CONNECTOR, authenticate
from crossdock.connectors.manhattan_wms.gs1 import sscc
from crossdock.connectors.manhattan_wms.mapping import to_events
from crossdock.connectors.manhattan_wms.mapping_out import order_id
from crossdock.connectors.manhattan_wms.twin import build
from crossdock.errors import Misconfigured
from crossdock.model.money import Money
from crossdock.model.order import CancellationAnswered, OrderLine, OrderReleased
from crossdock.model.party import Party, People
from crossdock.model.quantity import Quantity
from crossdock.model.requests import AttachLabel, CancelRelease, ReleaseOrder
from crossdock.model.shipment import LabelAttached, LabelledPackage

SETTINGS = {"organisation": "ACME", "facility": "SITE1"}
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
    reference: str = REFERENCE, quantity: str = "2", item: str = "WID-1", location: str = "SITE1"
) -> bytes:
    line = OrderLine("10", item, Quantity(Decimal(quantity)), Money(Decimal(9), "EUR"))
    payload = ReleaseOrder(reference, "#1042", location, (line,), "standard")
    return CONNECTOR.render("warehouse_order.release", payload, ADA, account())


def cancel(reference: str = REFERENCE) -> bytes:
    payload = CancelRelease(reference, "SITE1", "changed their mind")
    return CONNECTOR.render("warehouse_order.cancel", payload, People(), account())


def attach(*ssccs: str, shipment: str = "S-1") -> bytes:
    packages = tuple(LabelledPackage(code, f"1Z{index}") for index, code in enumerate(ssccs))
    return CONNECTOR.render("label.attach", AttachLabel(shipment, "ups", packages), People(), account())


def call(kind: str, body: bytes, timeout_seconds: float = 5.0) -> Call:
    return Call(effect="e-1", attempt=1, kind=kind, body=body, timeout_seconds=timeout_seconds)


class Bench:
    """A running twin, a hub that notes what it is sent, and a client."""

    def __init__(self, twin: Twin, base_url: str, heard: list[Inbound], transport: Transport) -> None:
        self.twin = twin
        self.base_url = base_url
        self.heard = heard
        self.transport = transport
        self.client = CONNECTOR.open(account(base_url), transport)

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


# Client and twin


async def test_an_order_lives_from_release_to_departure(wms: Bench) -> None:
    """One release and one label bring allocation, packing and departure, and the stock follows."""
    await wms.stock(WID_1="10")
    released = await wms.send("warehouse_order.release", release())
    assert released == Done(
        document=order_id(REFERENCE),
        receipt=OrderReleased(warehouse_order=order_id(REFERENCE), tasks=("T-1",)),
        answer=released.answer,
    )
    await wms.status("packed")
    await eventually(lambda: len(wms.heard) == 3)
    [package] = wms.events()[2].data.packages
    attached = await wms.send("label.attach", attach(package.sscc))
    assert attached.receipt == LabelAttached(shipment="S-1")
    await eventually(lambda: len(wms.heard) == 4)

    assert [event.type for event in wms.events()] == [
        "stock.received.v1", "order.allocated.v1", "shipment.packed.v1", "shipment.departed.v1",
    ]  # fmt: skip
    assert wms.events()[2].data.people.ship_to == ADA.ship_to
    assert wms.events()[3].data.packages == (package,)
    assert wms.events()[3].data.carrier == "ups"
    assert wms.journal("shipment.departed") == [("S-1", "S-1")]
    assert (await wms.get("/_twin/stock"))["WID-1"] == {
        "quantity": "8", "allocated": "0", "lot": "", "unit": "UNIT",
    }  # fmt: skip
    [order] = await wms.get("/_twin/orders")
    assert (order["reference"], order["status"], order["shipment"]) == (REFERENCE, "departed", "S-1")


async def test_everything_sent_twice_is_done_once(wms: Bench) -> None:
    """Saving, attaching and cancelling again answer as before and change nothing."""
    await wms.stock(WID_1="10")
    first = await wms.send("warehouse_order.release", release())
    again = await wms.send("warehouse_order.release", release())
    assert first.receipt == again.receipt
    await wms.status("packed")
    labels = attach(sscc("4012345", 1))
    assert await wms.send("label.attach", labels) == await wms.send("label.attach", labels)

    assert wms.journal("warehouse_order.release") == [(REFERENCE, order_id(REFERENCE))]
    assert wms.journal("label.attach") == [("S-1", "S-1")]


async def test_cancelling_before_picking_is_accepted_for_good(wms: Bench) -> None:
    """The answer is the receipt, the second one is the same, and the order never moves again."""
    await wms.send("warehouse_order.release", release())
    first = await wms.send("warehouse_order.cancel", cancel())
    again = await wms.send("warehouse_order.cancel", cancel())
    await wms.stock(WID_1="10")
    await asyncio.sleep(0.1)

    assert first.receipt == again.receipt == CancellationAnswered(accepted=True)
    assert wms.journal("warehouse_order.cancel") == [(REFERENCE, order_id(REFERENCE))]
    assert (await wms.get("/_twin/orders"))[0]["status"] == "cancelled"


async def test_cancelling_frees_what_was_allocated(tmp_path: Path) -> None:
    """The stock of an order that is stopped between allocation and picking can be sold again."""
    async with bench(tmp_path / "wms.db", pace_seconds=0.2) as wms:
        await wms.stock(WID_1="10")
        await wms.send("warehouse_order.release", release())
        await wms.status("allocated")
        await wms.send("warehouse_order.cancel", cancel())

        assert (await wms.get("/_twin/stock"))["WID-1"]["allocated"] == "0"


async def test_cancelling_after_picking_is_refused_and_stays_refused(wms: Bench) -> None:
    """A refusal is a good answer of the WMS, not a failed effect."""
    await wms.stock(WID_1="10")
    await wms.send("warehouse_order.release", release())
    await wms.status("picked", "packed")
    first = await wms.send("warehouse_order.cancel", cancel())
    again = await wms.send("warehouse_order.cancel", cancel())

    assert (
        first.receipt == again.receipt == CancellationAnswered(accepted=False, reason="picking is finished")
    )
    assert wms.journal("warehouse_order.cancel") == []


async def test_cancelling_what_never_came_is_accepted(wms: Bench) -> None:
    """There is nothing to stop, and nothing is journalled."""
    outcomes = [await wms.send("warehouse_order.cancel", cancel("shopify-eu/9")) for _ in range(2)]

    expected = CancellationAnswered(accepted=True, reason="never received")
    assert [outcome.receipt for outcome in outcomes] == [expected, expected]
    assert wms.journal("warehouse_order.cancel") == []


async def test_a_short_order_waits_and_says_so(wms: Bench) -> None:
    """Allocation is tried again until the stock is there; a smaller count is an adjustment."""
    await wms.stock(WID_1="1")
    await wms.send("warehouse_order.release", release())
    await wms.status("waiting_for_stock")
    await wms.stock(WID_1="5")
    await wms.status("packed")
    await wms.stock(WID_1="4")
    await eventually(lambda: len(wms.heard) == 5)

    adjusted = wms.events()[-1]
    assert adjusted.type == "stock.adjusted.v1"
    assert adjusted.data.change == Quantity(Decimal(-1))


async def test_refusals_carry_the_words_of_the_wms(tmp_path: Path) -> None:
    """Unknown facility, unknown item, unknown shipment and foreign packages are business refusals."""
    async with bench(tmp_path / "wms.db", items="WID-1") as wms:
        await wms.stock(WID_1="10")
        codes = [
            (await wms.send("warehouse_order.release", release(location="MOON"))).code,
            (await wms.send("warehouse_order.release", release(item="NO-SUCH"))).code,
            (await wms.send("label.attach", attach("x", shipment="S-9"))).code,
        ]
        await wms.send("warehouse_order.release", release())
        await wms.status("packed")
        codes.append((await wms.send("label.attach", attach("x"))).code)

        assert codes == ["FACILITY_UNKNOWN", "ITEM_UNKNOWN", "SHIPMENT_NOT_FOUND", "OLPN_MISMATCH"]
        assert len(wms.journal("warehouse_order.release")) == 1


async def test_a_killed_twin_goes_on_where_it_was(tmp_path: Path) -> None:
    """Work under way stands in the books, not in memory."""
    async with bench(tmp_path / "wms.db") as before:
        await before.stock(WID_1="10")
        await before.send("warehouse_order.release", release())
    async with bench(tmp_path / "wms.db") as after:
        await after.status("packed")

        assert after.journal("warehouse_order.release") == [(REFERENCE, order_id(REFERENCE))]


async def test_waiting_callers_share_one_token(wms: Bench) -> None:
    """Five calls at once ask for a token once."""
    bodies = [release(f"shopify-eu/{number}") for number in range(5)]
    outcomes = await asyncio.gather(*(wms.send("warehouse_order.release", body) for body in bodies))

    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert len(wms.twin.books.all("token")) == 1


async def test_an_expired_token_is_renewed_before_it_is_used(tmp_path: Path) -> None:
    """The client keeps to the lifetime it was told."""
    async with bench(tmp_path / "wms.db", token_seconds="0.05") as wms:
        await wms.send("warehouse_order.release", release())
        await asyncio.sleep(0.06)
        outcome = await wms.send("warehouse_order.release", release())

        assert isinstance(outcome, Done)
        assert len(wms.twin.books.all("token")) == 2


async def test_wrong_credentials_book_nothing_and_name_the_setting(wms: Bench) -> None:
    """`check` says what to mend; `send` comes back later."""
    client = CONNECTOR.open(account(wms.base_url, client_secret="wrong"), wms.transport)
    with pytest.raises(Misconfigured) as caught:
        await client.check()
    outcome = await client.send(call("warehouse_order.release", release()))

    assert "client_secret" in caught.value.setting
    assert isinstance(outcome, RetryLater)
    assert not outcome.throttled


async def test_password_grant(tmp_path: Path) -> None:
    """With a user the client asks for the password grant; the facility is named by the check."""
    user = {"username": "ada", "password": "s3"}
    async with bench(tmp_path / "wms.db", secrets=user) as wms:
        client = CONNECTOR.open(account(wms.base_url, **user), wms.transport)

        assert "SITE1" in await client.check()


async def test_nobody_there_is_certainly_not_done(wms: Bench) -> None:
    """A refused connection is no unclear case."""
    client = CONNECTOR.open(account("http://127.0.0.1:9"), wms.transport)

    assert isinstance(await client.send(call("warehouse_order.release", release())), RetryLater)


async def test_look_up_is_not_offered(wms: Bench) -> None:
    """Upserts are repeated instead."""
    answer = await wms.client.look_up(call("warehouse_order.release", release()))

    assert isinstance(answer, CannotTell)
    assert answer.for_ever


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=503, headers={}, body=b""), Unknown),
        (Answer(status=503, headers={"retry-after": "7"}, body=b""), RetryLater),
        (Answer(status=502, headers={}, body=b"<html>"), Unknown),
        (Answer(status=200, headers={}, body=b"<html>"), Unknown),
        (Answer(status=200, headers={}, body=b'{"success": true}'), Unknown),
        (Answer(status=200, headers={}, body=b'{"success": false}'), Refused),
        (Answer(status=404, headers={}, body=b"<html>"), RetryLater),
        (Answer(status=400, headers={}, body=b'{"success": false, "messages": {"Message": []}}'), Refused),
    ],
)
def test_answers_become_outcomes(answer: Answer, expected: type) -> None:
    """What may have been booked is unknown; what cannot have been is not."""
    assert isinstance(_outcome(call("warehouse_order.release", release()), answer), expected)


# Quirks


async def test_quirk_answer_lost(wms: Bench) -> None:
    """The order is taken though nobody heard so; sending again is harmless."""
    wms.quirk("answer_lost")
    assert isinstance(await wms.send("warehouse_order.release", release()), Unknown)
    wms.quirk("answer_lost", 0)
    assert isinstance(await wms.send("warehouse_order.release", release()), Done)

    assert len(wms.journal("warehouse_order.release")) == 1


async def test_quirk_unavailable(wms: Bench) -> None:
    """A bare 503 leaves open what happened; here nothing did."""
    wms.quirk("unavailable")

    assert isinstance(await wms.send("warehouse_order.release", release()), Unknown)
    assert wms.journal("warehouse_order.release") == []


async def test_quirk_slow(wms: Bench) -> None:
    """An answer that comes after the time-out counts as none."""
    wms.quirk("slow")

    assert isinstance(await wms.send("warehouse_order.release", release(), timeout_seconds=0.2), Unknown)
    assert len(wms.journal("warehouse_order.release")) == 1


async def test_quirk_throttle_429(wms: Bench) -> None:
    """Throttling is no attempt, and its wish for time is passed on."""
    wms.quirk("throttle_429")

    outcome = await wms.send("warehouse_order.release", release())
    assert outcome == RetryLater(reason="throttled (HTTP 429)", after_seconds=1.0, throttled=True)
    assert wms.journal("warehouse_order.release") == []


async def test_quirk_token_expired(wms: Bench) -> None:
    """A token refused before its time is renewed within the same call."""
    wms.quirk("token_expired")
    outcomes = [await wms.send("warehouse_order.release", release()) for _ in range(3)]

    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert len(wms.journal("warehouse_order.release")) == 1


async def test_quirk_duplicate_event(wms: Bench) -> None:
    """All copies carry one source id."""
    wms.quirk("duplicate_event")
    await wms.stock(WID_1="10")
    await eventually(lambda: len(wms.heard) >= 2)

    assert {to_events(one, account()).source_id for one in wms.heard} == {"SITE1-1"}


async def test_quirk_reordered_event(wms: Bench) -> None:
    """Messages are held back by different times; their sequence still tells the order."""
    wms.quirk("reordered_event")
    await wms.stock(WID_1="10", WID_2="10", WID_3="10", WID_4="10")
    due = [row[0] for row in wms.twin.books.rows("select due from outbox order by id")]

    assert due != sorted(due)
