"""What the fixtures cannot show of the mapping: the credential, edge cases of scans, labels and addresses."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from crossdock.connect.contract import Account, Inbound
from crossdock.connectors.ups.connector import CONNECTOR, authenticate
from crossdock.connectors.ups.mapping import address_lines, to_label
from crossdock.connectors.ups.scan_codes import meaning
from crossdock.connectors.ups.scans import read_scans
from crossdock.connectors.ups.twin_parcels import check_digit
from crossdock.errors import Rejected, Unauthenticated
from crossdock.model.money import Money
from crossdock.model.party import People
from crossdock.model.quantity import Quantity
from crossdock.model.requests import CreateLabel, SubscribeTracking
from crossdock.model.shipment import Package

TRACKING = "1Z204W4R1100000012"


def account(**secrets: str) -> Account:
    known = {"client_id": "hub", "client_secret": "quiet", "webhook_credential": "word-2"}
    return Account(name="ups", connector="ups", base_url="http://127.0.0.1:9", secrets=known | secrets)


def inbound(body: bytes, **headers: str) -> Inbound:
    return Inbound(channel="track-alert", headers=headers, body=body, received_at=datetime.now(UTC))


def scan(**change: Any) -> dict[str, Any]:
    status = {"type": "I", "code": "OT", "description": "Out"} | change.pop("status", {})
    return {
        "trackingNumber": TRACKING, "localActivityDate": "20260305", "localActivityTime": "091530",
        "gmtActivityDate": "20260305", "gmtActivityTime": "081530", "activityStatus": status, **change,
    }  # fmt: skip


def read(*scans: Any) -> Any:
    return read_scans(json.dumps({"events": scans} if len(scans) > 1 else scans[0]).encode())


# The credential


@pytest.mark.parametrize("word", ["word-2", "word-1"])
def test_current_and_previous_credential_are_good(word: str) -> None:
    """Subscriptions live for two weeks with the credential they were made with."""
    authenticate(inbound(b"{}", credential=word), account(webhook_credential_previous="word-1"))


@pytest.mark.parametrize(
    "headers", [{}, {"credential": ""}, {"credential": "word-1"}, {"credential": "\udcff"}]
)
def test_wrong_or_missing_credential_is_refused(headers: dict[str, str]) -> None:
    """An unset previous credential opens nothing either."""
    with pytest.raises(Unauthenticated):
        authenticate(inbound(b"{}", **headers), account())


# Scans


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("D", "FS", "delivered"),
        ("D", "KB", "delivered"),
        ("D", "OT", "out_for_delivery"),
        ("D", "53", "attempt_failed"),
        ("D", "2Q", "available_for_pickup"),
        ("D", "MV", "unknown"),
        ("D", "MY", "unknown"),
        ("D", "", "unknown"),
        ("I", "FS", "unknown"),
        ("I", "DS", "arrived"),
        ("X", "DS", "unknown"),
        ("I", "OT", "out_for_delivery"),
        ("X", "OT", "on_hold"),
        ("M", "DP", "created"),
        ("I", "DP", "in_transit"),
        ("X", "DP", "unknown"),
        ("M", "VP", "cancelled"),
        ("I", "VP", "unknown"),
        ("X", "RS", "unknown"),
        ("X", "DE", "delayed"),
        ("U", "UP", "unknown"),
        ("X", "UA", "returned"),
    ],
)
def test_type_and_code_decide_together(kind: str, code: str, expected: str) -> None:
    """One code under two types is two facts, and a pair nobody documented is none."""
    assert meaning(kind, code)[0] == expected


def test_a_missing_description_hides_nothing() -> None:
    """UPS leaves texts out; a delivery without words is a delivery."""
    [event] = read(scan(status={"type": "D", "code": "FS", "description": None})).events

    assert (event.data.milestone, event.data.raw) == ("delivered", "D/FS")


@pytest.mark.parametrize(
    "bad",
    [
        {"localActivityTime": "256199"},
        {"localActivityTime": "091530."},
        {"localActivityDate": "20260230"},
        {"localActivityDate": 20260305},
        {"gmtActivityTime": "noon"},
        {"activityStatus": None},
        {"activityStatus": {"code": "FS"}},
    ],
)
def test_a_bad_scan_moves_nothing_and_costs_no_other(bad: dict[str, Any]) -> None:
    """It becomes `unknown` with the carrier's words; its neighbours are read as ever."""
    translation = read(scan(), scan(status={"code": "FS", "type": "D"}) | bad)
    good, unreadable = translation.events
    assert [x.path.startswith("/events/1/") for x in translation.unread] == [True]

    assert good.data.milestone == "out_for_delivery"
    assert (unreadable.data.milestone, unreadable.data.tracking, unreadable.data.at) == (
        "unknown",
        TRACKING,
        None,
    )
    assert unreadable.id == read(scan(status={"code": "FS", "type": "D"}) | bad).events[0].id


def test_a_fraction_of_a_second_is_read_and_is_no_other_scan() -> None:
    """With seven digits, as some of the carrier's sources write it: the same scan as without."""
    whole, part = scan(), scan() | {"localActivityTime": scan()["localActivityTime"] + ".1234567"}

    translation = read(whole, part)

    assert [x.id for x in translation.events] == [read(whole).events[0].id]
    assert translation.unread == ()


def test_a_scan_without_a_number_is_named_and_the_rest_kept() -> None:
    """What cannot be addressed to a parcel is counted by its path."""
    translation = read(scan(), {"activityStatus": {"type": "D", "code": "FS"}})

    assert len(translation.events) == 1
    assert "/events/1" in translation.unmapped


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"[]", "/"),
        (b'{"events": []}', "/events"),
        (b'{"events": {}}', "/events"),
        (b'{"events": [null, 3]}', "/events/0/trackingNumber"),
        (b'{"trackingNumber": "?"}', "/trackingNumber"),
    ],
)
def test_only_a_message_without_any_scan_is_rejected(body: bytes, path: str) -> None:
    """The path is that of the first thing wrong."""
    with pytest.raises(Rejected) as caught:
        read_scans(body)

    assert caught.value.path == path


def test_one_scan_has_one_id_however_it_comes() -> None:
    """A redelivery alone, in a list, or twice in a list is the same fact; another second is another one."""
    alone = read(scan())
    pair = read(scan(), scan(), scan(localActivityTime="091531"))

    assert alone.source_id == alone.events[0].id == pair.events[0].id
    assert len(pair.events) == 2
    assert pair.source_id == read(scan(), scan(localActivityTime="091531")).source_id


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "2026-03-05T09:15:30+01:00"),
        ({"gmtActivityDate": "", "gmtActivityTime": None}, None),
        (
            {"gmtActivityDate": None, "gmtActivityTime": None, "gmtOffset": "-04.00"},
            "2026-03-05T09:15:30-04:00",
        ),
        ({"gmtActivityDate": None, "gmtActivityTime": None, "gmtOffset": "+15.00"}, None),
        ({"localActivityTime": None}, "2026-03-05T08:15:30+00:00"),
        ({"gmtActivityTime": "081000"}, "2026-03-05T08:10:00+00:00"),
    ],
)
def test_an_instant_needs_a_zone(change: dict[str, Any], expected: str | None) -> None:
    """Local time without an offset stays text; of two clocks that contradict each other the one in GMT counts."""
    [event] = read(scan(**change)).events

    assert event.occurred_at == event.data.at
    assert (event.occurred_at.isoformat() if event.occurred_at else None) == expected
    assert event.data.local_at.startswith("2026-03-05")


# Labels


def test_address_lines_are_broken_at_words_and_never_cut() -> None:
    """Three lines of 35 where it fits; else the rest stays visible in the third."""
    assert address_lines(("a", "", "b")) == ["a", "b"]
    assert address_lines(("12 Long Street Name With Many Words In It",)) == [
        "12 Long Street Name With Many Words",
        "In It",
    ]
    assert address_lines(("a", "b", "c", "d")) == ["a, b, c, d"]
    endless = address_lines(("word " * 40,))
    assert len(endless) == 3
    assert " ".join(endless) == ("word " * 40).strip()


def test_the_negotiated_price_is_what_we_pay() -> None:
    """The published one is for others; the package comes as an object here."""
    results = {
        "ShipmentIdentificationNumber": "1Z1",
        "PackageResults": {"TrackingNumber": "1Z1"},
        "ShipmentCharges": {"TotalCharges": {"CurrencyCode": "EUR", "MonetaryValue": "9.90"}},
        "NegotiatedRateCharges": {"TotalCharge": {"CurrencyCode": "EUR", "MonetaryValue": "7.10"}},
    }
    made = to_label(json.dumps({"ShipmentResponse": {"ShipmentResults": results}}).encode(), ("A",))

    assert made is not None
    assert made.freight == Money(Decimal("7.10"), "EUR")
    assert (
        to_label(json.dumps({"ShipmentResponse": {"ShipmentResults": results}}).encode(), ("A", "B")) is None
    )


def test_a_weight_ups_cannot_take_is_not_rendered() -> None:
    """Pieces are no weight."""
    package = Package("A", Quantity(Decimal(1)), ())
    with pytest.raises(Rejected) as caught:
        CONNECTOR.render(
            "label.create", CreateLabel("S-1", "SITE1", "standard", (package,)), People(), account()
        )

    assert caught.value.cause == "unit"


def test_no_stored_body_holds_the_credential() -> None:
    """The webhook's credential joins when the call is made."""
    payload = SubscribeTracking("S-1", (TRACKING,))
    body = CONNECTOR.render("tracking.subscribe", payload, People(), account())

    assert TRACKING.encode() in body
    assert b"word-2" not in body


def test_check_digits_of_tracking_numbers() -> None:
    """Numbers UPS publishes in its examples."""
    assert check_digit("204W4R030807186") == "5"
    assert check_digit("023E2X021432346") == "2"
