"""What the fixtures cannot show of the mapping: signatures, wrong shipments, units and ids."""

import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from crossdock.connect.contract import Account, Inbound
from crossdock.connectors.manhattan_wms.connector import CONNECTOR, authenticate
from crossdock.connectors.manhattan_wms.gs1 import check_digit, is_sscc, sscc
from crossdock.connectors.manhattan_wms.mapping import to_events, to_number
from crossdock.connectors.manhattan_wms.mapping_out import order_id
from crossdock.errors import Rejected, Unauthenticated
from crossdock.model.money import Money
from crossdock.model.order import OrderLine
from crossdock.model.party import People
from crossdock.model.quantity import Quantity
from crossdock.model.requests import ReleaseOrder

REFERENCE = "shopify-eu/1042"


def account(**secrets: str) -> Account:
    known = {"event_secret": "key-2", "event_secret_previous": "key-1"}
    return Account(
        name="wms-1", connector="manhattan_wms", base_url="http://127.0.0.1:9", secrets=known | secrets
    )


def inbound(body: bytes, **headers: str) -> Inbound:
    return Inbound(channel="events", headers=headers, body=body, received_at=datetime.now(UTC))


def message(message_type: str, payload: dict[str, Any]) -> Inbound:
    document = {
        "MessageType": message_type, "Facility": "SITE1", "EventTimestamp": "2026-03-05T10:00:00+01:00",
        "Sequence": 1, "Payload": payload,
    }  # fmt: skip
    return inbound(json.dumps(document).encode(), **{"x-message-id": "m-1"})


def packed(**change: Any) -> dict[str, Any]:
    """A ShipmentPacked payload; `line` and `olpn` replace fields of the only line and oLPN."""
    line = {
        "OriginalOrderId": "x", "Extended": {"HubReference": REFERENCE}, "OriginalOrderLineId": "10",
        "ItemId": "WID-1", "Quantity": "1", "QuantityUomId": "EA", **change.get("line", {}),
    }  # fmt: skip
    olpn = {
        "OlpnId": sscc("4012345", 1), "Weight": "1", "WeightUomId": "KG", "Lines": [line], **change.get("olpn", {}),
    }  # fmt: skip
    return {"ShipmentId": "S-1", "Olpns": change.get("olpns", [olpn])}


# Signatures


def signed(body: bytes, key: str) -> dict[str, str]:
    return {"x-manhattan-signature": "sha256=" + hmac.new(key.encode(), body, sha256).hexdigest()}


@pytest.mark.parametrize("key", ["key-2", "key-1"])
def test_current_and_previous_key_are_good(key: str) -> None:
    """During a rotation both keys open the door."""
    authenticate(inbound(b"{}", **signed(b"{}", key)), account())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-manhattan-signature": ""},
        {"x-manhattan-signature": "sha256=\udcff"},
        signed(b"{}", "other"),
        signed(b"{ }", "key-2"),
        {"x-manhattan-signature": signed(b"{}", "key-2")["x-manhattan-signature"].removeprefix("sha256=")},
    ],
)
def test_wrong_or_missing_signature_is_refused(headers: dict[str, str]) -> None:
    """Neither another key, nor another body, nor another form passes."""
    with pytest.raises(Unauthenticated):
        authenticate(inbound(b"{}", **headers), account())


def test_an_empty_key_signs_nothing() -> None:
    """An unset secret must not turn into a key everybody knows."""
    with pytest.raises(Unauthenticated):
        authenticate(inbound(b"{}", **signed(b"{}", "")), account(event_secret="", event_secret_previous=""))


# Mapping


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (packed(olpns=[]), "/Payload/Olpns"),
        (packed(olpn={"Lines": []}), "/Payload/Olpns/0/Lines"),
        (packed(olpn={"WeightUomId": "LB"}), "/Payload/Olpns/0/WeightUomId"),
        (packed(olpn={"WeightUomId": "EA"}), "/Payload/Olpns/0/WeightUomId"),
        (packed(olpn={"OlpnId": "04012345000000001"}), "/Payload/Olpns/0/OlpnId"),
        (packed(olpns=packed()["Olpns"] * 2), "/Payload/Olpns/1/OlpnId"),
        (packed(line={"Quantity": "0"}), "/Payload/Olpns/0/Lines/0/Quantity"),
        (packed(line={"Quantity": "-1"}), "/Payload/Olpns/0/Lines/0/Quantity"),
        (packed(line={"Quantity": "NaN"}), "/Payload/Olpns/0/Lines/0/Quantity"),
        (packed(line={"Quantity": "1e30"}), "/Payload/Olpns/0/Lines/0/Quantity"),
        (
            packed(line={"Extended": {"HubReference": "1042"}}),
            "/Payload/Olpns/0/Lines/0/Extended/HubReference",
        ),
        (packed(line={"Extended": None}), "/Payload/Olpns/0/Lines/0/Extended"),
    ],
)
def test_wrong_shipments_are_rejected_at_their_path(payload: dict[str, Any], path: str) -> None:
    """Every refusal names the place in the WMS's own message."""
    with pytest.raises(Rejected) as caught:
        to_events(message("ShipmentPacked", payload), account())

    assert caught.value.path == path


def test_a_case_is_refused_for_its_unit() -> None:
    """How many pieces a case holds is not said, so it is not guessed."""
    with pytest.raises(Rejected) as caught:
        to_events(message("ShipmentPacked", packed(line={"QuantityUomId": "CASE"})), account())

    assert caught.value.cause == "unit"


def test_quantities_stay_exact() -> None:
    """A JSON number keeps its written digits."""
    line = packed(line={"QuantityUomId": "KG"})
    body = message("ShipmentPacked", line).body.replace(b'"Quantity": "1"', b'"Quantity": 0.10')
    [event] = to_events(inbound(body, **{"x-message-id": "m"}), account()).events

    assert str(event.data.packages[0].lines[0].quantity.value) == "0.10"


def test_order_ids_are_safe_and_tell_references_apart() -> None:
    """Two references that look alike once cleaned must not become one order."""
    ids = {order_id(reference) for reference in ("a/b_1", "a/b/1", "a_b/1", "ü/1", "a/" + "9" * 90)}

    assert len(ids) == 5
    assert all(
        len(one) <= 50 and one.replace("_", "-").replace("-", "").isalnum() and one.isascii() for one in ids
    )


def test_sscc_check_digits() -> None:
    """GS1's published example, and one digit off."""
    assert check_digit("37610425002123456") == "9"
    assert is_sscc("376104250021234569")
    assert not is_sscc("376104250021234568")
    assert not is_sscc("37610425002123456٩")


def test_a_unit_the_wms_lacks_is_not_rendered() -> None:
    """A wrong unit must not leave the hub as pieces."""
    line = OrderLine("10", "WID-1", Quantity(Decimal(1), "MTR"), Money(Decimal(9), "EUR"))
    payload = ReleaseOrder(REFERENCE, "1", "SITE1", (line,), "standard")
    with pytest.raises(Rejected) as caught:
        CONNECTOR.render("warehouse_order.release", payload, People(), account())

    assert (caught.value.path, caught.value.cause) == ("/lines/0/ordered/unit", "unit")


@pytest.mark.parametrize(
    ("body", "number"),
    [
        (b'{"MessageType": "New", "Facility": "SITE1", "Sequence": 7, "Payload": {}}', ("SITE1", 7)),
        (b'{"MessageType": "New", "Facility": "SITE1", "Payload": {}}', None),
        (b'{"Facility": "SITE1", "Sequence": -1}', None),
        (b'{"Facility": "SITE1", "Sequence": 9223372036854775808}', None),
        (b"nonsense", None),
    ],
)
def test_a_number_stands_in_the_envelope(body: bytes, number: tuple[str, int] | None) -> None:
    """Also of a message that nobody can read otherwise; what has none, or no sensible one, is not counted."""
    found = to_number(Inbound(channel="events", headers={}, body=body, received_at=datetime.now(UTC)))

    assert (found and (found.series, found.number)) == number
