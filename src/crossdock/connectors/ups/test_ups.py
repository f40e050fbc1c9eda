"""The client against the twin over HTTP: every effect, every quirk, every look-up."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession, web

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
from crossdock.connect.discovery import installed
from crossdock.connect.transport import Answer, Transport
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.ups.client import _trouble
from crossdock.connectors.ups.connector import CONNECTOR, authenticate
from crossdock.connectors.ups.scans import read_scans
from crossdock.connectors.ups.twin import build
from crossdock.connectors.ups.twin_parcels import check_digit
from crossdock.errors import Misconfigured
from crossdock.model.money import Money
from crossdock.model.order import LineShipped
from crossdock.model.party import Party, People
from crossdock.model.quantity import Quantity
from crossdock.model.requests import CreateLabel, SubscribeTracking, VoidLabel
from crossdock.model.shipment import LabelGenerated, LabelVoided, Package, TrackingSubscribed

SETTINGS = {
    "account_number": "204W4R", "webhook_url": "https://hub.example/v1/in/ups/track-alert", "shipper_name": "Acme",
    "shipper_line": "Hafenstr. 1", "shipper_city": "Bonn", "shipper_postal_code": "53111", "shipper_country": "DE",
    "service_standard": "11", "service_express": "07", "search_lag_seconds": "0",
}  # fmt: skip
SECRETS = {"client_id": "hub", "client_secret": "quiet", "webhook_credential": "word-2"}
ADA = Party(name="Ada Byron", lines=("Road 1",), city="Bonn", postal_code="53111", country="DE")
QUIRKS = installed()["ups"].manifest.quirks
TRACKING = "1Z204W4R1100000012"


def account(base_url: str = "http://127.0.0.1:9", **secrets: str) -> Account:
    return Account(
        name="ups", connector="ups", base_url=base_url, settings=SETTINGS, secrets=SECRETS | secrets
    )


def inbound(body: bytes, **headers: str) -> Inbound:
    return Inbound(channel="track-alert", headers=headers, body=body, received_at=datetime.now(UTC))


def label(*ssccs: str, shipment: str = "S-1", to: Party = ADA, service: str = "standard") -> bytes:
    line = LineShipped("shopify-eu/1042", "10", "WID-1", Quantity(Decimal(1)))
    packages = tuple(Package(sscc, Quantity(Decimal("1.2"), "KGM"), (line,)) for sscc in ssccs or ("A",))
    payload = CreateLabel(shipment, "SITE1", service, packages)
    return CONNECTOR.render("label.create", payload, People(ship_to=to), account())


def void(number: str) -> bytes:
    return CONNECTOR.render("label.void", VoidLabel("S-1", number, (number,)), People(), account())


def subscribe(*numbers: str) -> bytes:
    return CONNECTOR.render("tracking.subscribe", SubscribeTracking("S-1", numbers), People(), account())


class Bench:
    """A running twin, a hub that notes what it is sent, and a client."""

    def __init__(self, twin: Twin, base_url: str, heard: list[bytes], transport: Transport) -> None:
        self.twin = twin
        self.base_url = base_url
        self.heard = heard
        self.transport = transport
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
        return [event.data.milestone for body in self.heard for event in read_scans(body).events]

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


async def test_a_label_is_made_followed_and_delivered(ups: Bench) -> None:
    """Two packages get a number each, in their order, and both reach the door."""
    made = await ups.send("label.create", label("A", "B"))
    numbers = tuple(package.tracking for package in made.receipt.packages)
    assert made.document == made.receipt.shipment_id == numbers[0]
    assert [package.sscc for package in made.receipt.packages] == ["A", "B"]
    assert made.receipt.freight == Money(Decimal("15.64"), "EUR")
    assert all(check_digit(number[2:17]) == number[17] for number in numbers)
    assert isinstance(await ups.send("tracking.subscribe", subscribe(*numbers)), Done)
    await eventually(lambda: len(ups.heard) == 12)

    expected = ["created", "picked_up", "in_transit", "in_transit", "out_for_delivery", "delivered"]
    assert sorted(ups.milestones()) == sorted(expected * 2)
    assert [key for reference, key in ups.journal("scan") if reference == numbers[0]] == [
        "MP", "PU", "DP", "AR", "OT", "FS",
    ]  # fmt: skip
    assert ups.journal("tracking.subscribe") == [("S-1", numbers[0])]
    assert await ups.parcels() == [
        {"tracking": number, "reference": "S-1", "status": "delivered", "voided": False} for number in numbers
    ]


async def test_a_second_call_makes_a_second_label(ups: Bench) -> None:
    """UPS does not notice doubles: the engine must look first."""
    await ups.send("label.create", label())
    await ups.send("label.create", label())

    assert [reference for reference, _ in ups.journal("label.create")] == ["S-1", "S-1"]


async def test_looking_up_rebuilds_the_receipt(ups: Bench) -> None:
    """What an unanswered call did is found by our reference and SSCCs, price included, by a fresh client."""
    made = await ups.send("label.create", label("A", "B", shipment="wms-1/S 1"))
    fresh = CONNECTOR.open(account(ups.base_url), ups.transport)
    found = await fresh.look_up(ups.call("label.create", label("A", "B", shipment="wms-1/S 1")))

    assert isinstance(made.receipt, LabelGenerated)
    assert found == made


async def test_looking_up_is_not_fooled(ups: Bench) -> None:
    """Other packages under our reference, and voided labels, are not ours."""
    assert await ups.look_up(label()) == Absent()
    made = await ups.send("label.create", label("A", "B"))
    assert await ups.look_up(label("A")) == Absent()
    assert await ups.look_up(label("A", "C")) == Absent()
    await ups.send("label.void", void(made.document))
    assert await ups.look_up(label("A", "B")) == Absent()


async def test_a_new_label_is_not_found_at_once(tmp_path: Path) -> None:
    """The search lags; the manifest promises that it does not lag longer than it says."""
    lag = installed()["ups"].manifest.effects["label.create"].search_lag_seconds
    async with bench(tmp_path / "ups.db", search_lag_seconds="0.3") as ups:
        await ups.send("label.create", label())
        assert await ups.look_up(label()) == Absent()
        await asyncio.sleep(0.3)

        assert isinstance(await ups.look_up(label()), Done)
        assert lag == 2.0


async def test_look_up_tells_when_it_cannot_tell(ups: Bench) -> None:
    """Nobody there is no proof of absence, and the other kinds have no look-up."""
    client = CONNECTOR.open(account("http://127.0.0.1:9"), ups.transport)
    silent = await client.look_up(ups.call("label.create", label()))
    other = await ups.client.look_up(ups.call("label.void", void(TRACKING)))

    assert isinstance(silent, CannotTell)
    assert not silent.for_ever
    assert isinstance(other, CannotTell)
    assert other.for_ever


async def test_voiding_twice_is_voiding_once(ups: Bench) -> None:
    """Voided before counts as done; a voided parcel is never scanned."""
    made = await ups.send("label.create", label())
    first = await ups.send("label.void", void(made.document))
    again = await ups.send("label.void", void(made.document))
    await ups.send("tracking.subscribe", subscribe(made.document))
    await asyncio.sleep(0.15)

    assert first.receipt == LabelVoided(made.document)
    assert isinstance(again, Done)
    assert ups.journal("label.void") == [("S-1", made.document)]
    assert ups.heard == []


async def test_voiding_what_is_under_way_or_unknown_is_refused(ups: Bench) -> None:
    """UPS's codes come through."""
    tracking = await ups.followed()
    await eventually(lambda: "picked_up" in ups.milestones())
    late = await ups.send("label.void", void(tracking))
    unknown = await ups.send("label.void", void("1Z000"))

    assert (late.code, unknown.code) == ("190102", "190100")


async def test_subscribing_again_is_done_and_nothing_new(ups: Bench) -> None:
    """The parcel is not scanned twice over."""
    tracking = await ups.followed()
    assert isinstance(await ups.send("tracking.subscribe", subscribe(tracking)), Done)
    await eventually(lambda: "delivered" in ups.milestones())

    assert len(ups.journal("scan")) == 6
    assert len(ups.journal("tracking.subscribe")) == 1


async def test_many_numbers_go_in_parts_of_a_hundred(ups: Bench) -> None:
    """The twin refuses 101 like UPS; the client never sends them."""
    made = [
        (
            await ups.send("label.create", label(*(f"{part}-{number}" for number in range(51))))
        ).receipt.packages
        for part in range(2)
    ]
    numbers = [package.tracking for packages in made for package in packages]
    outcome = await ups.send("tracking.subscribe", subscribe(*numbers))

    assert outcome.receipt == TrackingSubscribed(tracking=tuple(numbers))
    assert len(numbers) == 102


async def test_refusals_carry_the_code_of_ups(ups: Bench) -> None:
    """Bad addresses and services are business refusals; an address that does not fit is not even sent."""

    def to(**change: Any) -> Party:
        return msgspec.structs.replace(ADA, **change)

    codes = [
        (await ups.send("label.create", body)).code
        for body in (
            label(to=to(postal_code="531")),
            label(to=to(city="Nowhere")),
            label(to=to(country="")),
            label(to=to(lines=())),
            label(service="carrier-pigeon"),
            label(to=to(lines=("word " * 40,))),
            label(shipment="x" * 36),
        )
    ]
    missing = await ups.send("tracking.subscribe", subscribe("1Z000"))

    assert codes == ["120207", "120802", "120208", "120203", "120500", "not_sent", "not_sent"]
    assert missing.code == "VSS210"
    assert ups.journal("label.create") == []


async def test_waiting_callers_share_one_token(ups: Bench) -> None:
    """Five calls at once ask for a token once; its lifetime came as a string."""
    outcomes = await asyncio.gather(*(ups.send("label.create", label(shipment=f"S-{n}")) for n in range(5)))

    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert len(ups.twin.books.all("token")) == 1


async def test_wrong_credentials_name_the_setting(ups: Bench) -> None:
    """`check` says what to mend; `send` comes back later."""
    client = CONNECTOR.open(account(ups.base_url, client_secret="wrong"), ups.transport)
    with pytest.raises(Misconfigured) as caught:
        await client.check()

    assert "client_secret" in caught.value.setting
    assert isinstance(await client.send(ups.call("label.create", label())), RetryLater)
    assert "204W4R" in await ups.client.check()


async def test_a_killed_twin_goes_on_where_it_was(tmp_path: Path) -> None:
    """Parcels under way stand in the books."""
    async with bench(tmp_path / "ups.db") as before:
        await before.followed()
    async with bench(tmp_path / "ups.db") as after:
        await eventually(lambda: "delivered" in after.milestones())

        assert len(after.journal("scan")) == 6


async def test_hand_over_takes_three_paces_unless_forced(tmp_path: Path) -> None:
    """With `on_subscription` the first scan does not wait."""
    async with bench(tmp_path / "a.db", pace_seconds=30) as patient:
        await patient.followed()
        await asyncio.sleep(0.1)
        assert patient.heard == []
    async with bench(tmp_path / "b.db", pace_seconds=30, start_scans="on_subscription") as forced:
        await forced.followed()
        await eventually(lambda: forced.milestones() == ["created"])


def said(code: str, message: str = "") -> bytes:
    return json.dumps({"response": {"errors": [{"code": code, "message": message}]}}).encode()


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected", "throttled"),
    [
        (429, {}, b"", RetryLater, True),
        (429, {"retry-after": "3"}, said("10429"), RetryLater, True),
        (503, {"retry-after": "3"}, b"", RetryLater, True),
        (503, {}, said("1", "Rate limit exceeded"), RetryLater, True),
        (403, {}, said("1", "Quota Limit Exceeded"), RetryLater, True),
        (403, {}, said("250003", "Invalid Access License number"), RetryLater, False),
        (403, {}, b"<html>", RetryLater, False),
        (503, {}, b"", Unknown, False),
        (500, {}, said("10004"), Unknown, False),
        (400, {}, said("190001"), Unknown, False),
        (400, {}, said("120205", "no city"), Refused, False),
    ],
)
def test_answers_become_outcomes(
    status: int, headers: dict[str, str], body: bytes, expected: type, throttled: bool
) -> None:
    """Throttling in any dialect waits, transient trouble is unclear, business codes are refusals."""
    outcome = _trouble(Answer(status=status, headers=headers, body=body), books=True)

    assert isinstance(outcome, expected)
    assert getattr(outcome, "throttled", False) is throttled


# Quirks


async def test_quirk_answer_lost(ups: Bench) -> None:
    """The label exists though nobody heard so, and the look-up finds it."""
    ups.quirk("answer_lost")
    assert isinstance(await ups.send("label.create", label()), Unknown)
    [(_, number)] = ups.journal("label.create")
    found = await ups.look_up(label())

    assert found.document == number


async def test_quirk_unavailable(ups: Bench) -> None:
    """A bare 503 leaves open what happened; the look-up settles it."""
    ups.quirk("unavailable")

    assert isinstance(await ups.send("label.create", label()), Unknown)
    assert await ups.look_up(label()) == Absent()


async def test_quirk_slow(ups: Bench) -> None:
    """An answer that comes after the time-out counts as none; the look-up finds the label."""
    ups.quirk("slow")

    assert isinstance(await ups.send("label.create", label(), timeout_seconds=0.2), Unknown)
    assert isinstance(await ups.look_up(label()), Done)


async def test_quirk_throttle_429(ups: Bench) -> None:
    """With or without Retry-After nothing was done."""
    ups.quirk("throttle_429")
    outcomes = [await ups.send("label.create", label()) for _ in range(2)]

    assert [outcome.after_seconds for outcome in outcomes] == [1.0, None]
    assert all(isinstance(outcome, RetryLater) and outcome.throttled for outcome in outcomes)
    assert ups.journal("label.create") == []


async def test_quirk_token_expired(ups: Bench) -> None:
    """A token refused before its time is renewed within the same call, and nothing is made twice."""
    ups.quirk("token_expired")
    outcomes = [await ups.send("label.create", label()) for _ in range(3)]

    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert len(ups.journal("label.create")) == 3


async def test_quirk_duplicate_scan(ups: Bench) -> None:
    """Copies carry the id of the original."""
    ups.quirk("duplicate_scan")
    await ups.followed()
    await eventually(lambda: len(ups.heard) >= 12 and "delivered" in ups.milestones())
    ids = [read_scans(body).source_id for body in ups.heard]

    assert len(set(ids)) == 6


async def test_quirk_late_scan(ups: Bench) -> None:
    """Scans are held back by different times, and keep the time they were made."""
    ups.quirk("late_scan")
    await ups.followed()
    await eventually(lambda: len(ups.journal("scan")) == 6)
    rows = ups.twin.books.rows("select due, body from outbox order by id")
    times = [read_scans(body).events[0].occurred_at for _, body in rows]

    assert [due for due, _ in rows] != sorted(due for due, _ in rows)
    assert times == sorted(set(times))


async def test_quirk_garbage_scan(ups: Bench) -> None:
    """Beside the same scan without words and with a fraction of a second: every scan arrives, none twice."""
    ups.quirk("garbage_scan")
    await ups.followed()
    await eventually(lambda: "delivered" in ups.milestones())

    assert len(ups.milestones()) == 6
    assert "unknown" not in ups.milestones()


async def test_quirk_d_without_delivery(ups: Bench) -> None:
    """A scan about delivery that is none comes first."""
    ups.quirk("d_without_delivery")
    await ups.followed()
    await eventually(lambda: "delivered" in ups.milestones())

    assert ups.milestones().index("attempt_failed") < ups.milestones().index("delivered")


async def test_quirk_silent(ups: Bench) -> None:
    """Nothing is scanned while it lasts; then the parcel travels on."""
    ups.quirk("silent")
    await ups.followed()
    await asyncio.sleep(1)
    assert ups.milestones() == []

    ups.quirk("silent", 0.0)
    await eventually(lambda: "delivered" in ups.milestones())


async def test_quirk_early_scan(tmp_path: Path) -> None:
    """The first scan does not wait for the hand-over."""
    async with bench(tmp_path / "ups.db", pace_seconds=30) as ups:
        ups.quirk("early_scan")
        await ups.followed()
        await eventually(lambda: ups.milestones() == ["created"])
