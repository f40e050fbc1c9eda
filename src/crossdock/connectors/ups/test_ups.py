"""The client against the twin over HTTP: every effect and every look-up."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crossdock.connect.contract import (
    Absent,
    CannotTell,
    Done,
    Refused,
    RetryLater,
    Unknown,
)
from crossdock.connect.discovery import installed
from crossdock.connect.transport import Answer
from crossdock.connectors.ups.client import _trouble
from crossdock.connectors.ups.conftest import (
    ADA,
    TRACKING,
    Bench,
    account,
    bench,
    eventually,
    label,
    subscribe,
    void,
)
from crossdock.connectors.ups.connector import CONNECTOR
from crossdock.connectors.ups.twin_parcels import check_digit
from crossdock.errors import Misconfigured
from crossdock.model.money import Money
from crossdock.model.party import Party
from crossdock.model.shipment import LabelGenerated, LabelVoided, TrackingSubscribed


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
        {"tracking": number, "reference": "S-1", "status": "delivered", "voided": False, "subscribed": True}
        for number in numbers
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


async def test_a_label_made_again_is_not_taken_for_the_one_before(ups: Bench) -> None:
    """The same boxes, another label: it is found once it is made, and so is the old one, each by its own reference."""
    old = await ups.send("label.create", label())
    assert await ups.look_up(label(again=1)) == Absent()

    new = await ups.send("label.create", label(again=1))

    found = [await ups.look_up(label(again=n)) for n in (0, 1)]
    assert [x.document for x in found if isinstance(x, Done)] == [old.document, new.document]
    assert old.document != new.document


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
