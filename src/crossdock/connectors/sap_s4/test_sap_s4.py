"""SAP S/4HANA: what is rendered, and how its answers are read."""

import json
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from crossdock.connect.transport import Answer
from crossdock.connectors.sap_s4 import changeset, journal_entry, mapping, plans
from crossdock.connectors.sap_s4.answers import Simulation, to_order_checked
from crossdock.connectors.sap_s4.configured import plant_of
from crossdock.connectors.sap_s4.conftest import (
    ACCOUNT,
    DEPARTED,
    FIXTURES,
    LINE,
    MANIFEST,
    PAYLOADS,
    SHIP_TO,
)
from crossdock.connectors.sap_s4.mapping_freight import from_accrual
from crossdock.connectors.sap_s4.session import _error_of
from crossdock.errors import Misconfigured, Unsupported
from crossdock.model import requests
from crossdock.model.money import Money
from crossdock.model.party import People
from crossdock.model.registry import EVENTS


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_fixture_is_rendered_as_expected(path: Path) -> None:
    """Each payload becomes exactly the stored body."""
    given = json.loads(path.read_text())
    kind = next(kind for kind in PAYLOADS if path.stem.startswith(f"out_{kind}"))
    payload = msgspec.convert(given["payload"], PAYLOADS[kind], strict=False)

    body = mapping.render(kind, payload, msgspec.convert(given["people"], People), ACCOUNT)

    assert json.loads(body) == json.loads(path.with_suffix(".expected.json").read_text())


def test_every_effect_of_the_manifest_has_a_fixture_and_a_known_receipt() -> None:
    """The manifest, the payloads and the fixtures name the same kinds."""
    assert set(MANIFEST.effects) == set(PAYLOADS)
    assert all(any(path.stem.startswith(f"out_{kind}") for path in FIXTURES) for kind in PAYLOADS)
    assert all(traits.receipt in EVENTS for traits in MANIFEST.effects.values())


def test_personal_data_goes_into_the_sales_order_only() -> None:
    """No other effect carries the ship-to party, even when it is handed in."""
    for path in FIXTURES:
        given = json.loads(path.read_text())
        kind = next(kind for kind in PAYLOADS if path.stem.startswith(f"out_{kind}"))
        payload = msgspec.convert(given["payload"], PAYLOADS[kind], strict=False)
        body = mapping.render(kind, payload, SHIP_TO, ACCOUNT)

        assert (b"Rosa" in body) == (kind == "sales_order.create")


def test_unknown_payload_is_unsupported() -> None:
    """A kind that is not in the manifest is named, not rendered."""
    with pytest.raises(Unsupported):
        mapping.render("label.void", requests.VoidLabel("S", "1", ()), People(), ACCOUNT)


def test_missing_required_setting_names_itself() -> None:
    """Without a sold-to party no order can be rendered."""
    account = replace(ACCOUNT, settings={})

    with pytest.raises(Misconfigured, match=r"sold_to_party"):
        mapping.render("order.check", requests.CheckOrder("a/1", (LINE,), "SITE1"), People(), account)


@pytest.mark.parametrize(
    ("configured", "location", "plant"),
    [
        ("", "SITE1", "SITE1"),
        ("1010", "SITE1", "1010"),
        ("SITE1=1010, SITE2=1020", "SITE2", "1020"),
        ("A=1", "B", "B"),
    ],
)
def test_location_maps_to_plant(configured: str, location: str, plant: str) -> None:
    """One plant for all, a list, or the location itself."""
    account = replace(ACCOUNT, settings={**ACCOUNT.settings, "plant": configured})

    assert plant_of(location, account) == plant


def test_delivery_key_fits_and_differs() -> None:
    """Readable up to 35 characters, a stable hash beyond."""
    long = mapping.delivery_key("S" * 30, "shop/1042")

    assert mapping.delivery_key("S-1", "shop/1") == "S-1|shop/1"
    assert len(long) == 35
    assert long == mapping.delivery_key("S" * 30, "shop/1042") != mapping.delivery_key("S" * 30, "shop/1043")


def test_dates_are_calendar_days_in_milliseconds() -> None:
    """OData V2 dates are midnight UTC of the sender's day, whatever the offset."""
    assert mapping.odata_date(date(2016, 8, 12)) == "/Date(1470960000000)/"
    assert mapping.odata_date(datetime.fromisoformat("2016-08-12T23:30:00-05:00")) == "/Date(1470960000000)/"


def test_envelope_is_balanced_well_formed_and_escaped() -> None:
    """Partner text cannot break the envelope; debit and credit cancel out."""
    amount = Money(Decimal("7.77"), "EUR")
    payload = requests.AccrueFreight("S<7>", "ups & co", amount, DEPARTED)
    plan = from_accrual(payload, People(), ACCOUNT)

    root = ET.fromstring(journal_entry.envelope(plan, journal_entry.accrual_wording(plan, "e-1"), DEPARTED))

    entry = next(root.iter("JournalEntry"))
    amounts = [Decimal(item.findtext("AmountInTransactionCurrency", "")) for item in entry.iter("Item")]
    assert sum(amounts) == 0
    assert amounts[0] == Decimal("7.77")
    assert [item.findtext("DocumentItemText") for item in entry.iter("Item")] == ["S<7>", "S<7>"]
    assert entry.findtext("DocumentHeaderText") == "Freight ups & co"
    assert entry.findtext("Item/AccountAssignment/CostCenter") == "10101301"


def test_document_reference_is_stable_and_fits() -> None:
    """16 upper-case characters, one value per effect."""
    first = journal_entry.reference_id("effect-1")

    assert len(first) == 16
    assert (
        first
        == first.upper()
        == journal_entry.reference_id("effect-1")
        != journal_entry.reference_id("effect-2")
    )


# --- reading answers ---------------------------------------------------------------------------------------


FAULT = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
    b"<faultcode>e:Server</faultcode></e:Fault></e:Body></e:Envelope>"
)


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><x/>', b"<html>", b"", b"<x/>", '<?xml version="1.0"?><x/>'.encode("utf-16"),
        FAULT,
    ],
)  # fmt: skip
def test_confirmation_that_is_none_is_unreadable(body: bytes) -> None:
    """Entities, faults and pages never pass for a posting."""
    with pytest.raises(journal_entry.Unreadable):
        journal_entry.to_confirmation(body)


def test_check_reads_statuses_nulls_and_padded_items() -> None:
    """Absent parts, padded item numbers and every credit status have one meaning each."""
    plan = plans.CheckPlan((plans.CheckedLine("10", "a", "EA"), plans.CheckedLine("20", "b", "EA")), {})
    items = '{"results":[{"SalesOrderItem":"000010","ConfdDelivQtyInOrderQtyUnit":"1.000","NetAmount":null}]}'

    def checked(credit: str) -> object:
        answer = f'{{"to_Item":{items},"to_Pricing":null,"to_Credit":{credit}}}'
        return to_order_checked(plan, msgspec.json.decode(answer, type=Simulation))

    words = {"null": "not_checked", '{"TotalCreditCheckStatus":""}': "not_checked"} | {
        f'{{"TotalCreditCheckStatus":"{letter}"}}': word
        for letter, word in (("A", "ok"), ("B", "blocked"), ("C", "blocked"), ("D", "ok"))
    }
    assert {credit: checked(credit).credit for credit in words} == words
    first, second = checked("null").lines
    assert (first.known_item, first.confirmed.value, first.net_price) == (True, Decimal(1), None)
    assert (second.known_item, second.confirmed.value) == (False, Decimal(0))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"error":{"code":"V1/302","message":{"lang":"en","value":"no such order"}}}',
            ("V1/302", "no such order"),
        ),
        (b'{"error":{"code":"VF/045","message":"not posted"}}', ("VF/045", "not posted")),
        (b"<error><code>A/1</code><message xml:lang='en'>why</message></error>", ("A/1", "why")),
        (b"<html>oops</html>", ("HTTP 400", "SAP answered HTTP 400 without saying why")),
        (b'{"error":"x"}', ("HTTP 400", "SAP answered HTTP 400 without saying why")),
        (b"[1]", ("HTTP 400", "SAP answered HTTP 400 without saying why")),
    ],
)
def test_error_bodies_of_all_dialects(body: bytes, expected: tuple[str, str]) -> None:
    """V2, V4, XML and no SAP at all."""
    assert _error_of(Answer(status=400, headers={}, body=body)) == expected


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("multipart/mixed; boundary=x", b"garbage"), ("text/html", b"<html>"), ("", b"")],
)
def test_batch_answer_without_parts_says_nothing(content_type: str, body: bytes) -> None:
    """An answer that is no batch answer is neither success nor refusal."""
    assert (
        changeset.worst_answer(Answer(status=202, headers={"content-type": content_type}, body=body)) is None
    )
