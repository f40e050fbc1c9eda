"""Shopify without a network: signatures, edge cases of the mapping, and what answers mean."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crossdock.connect.contract import (
    Account,
    Inbound,
    Refused,
    RetryLater,
    Unknown,
)  # fmt: skip
from crossdock.connect.transport import Answer
from crossdock.connectors.shopify.answers import Ended, data_of
from crossdock.connectors.shopify.connector import CONNECTOR
from crossdock.errors import Malformed, Misconfigured, Rejected, Unauthenticated, Unsupported
from crossdock.model.order import LineShipped
from crossdock.model.party import People
from crossdock.model.quantity import Quantity
from crossdock.model.requests import CreateFulfilment, PublishAvailability

HERE = Path(__file__).parent
ACCOUNT = msgspec.convert(json.loads((HERE / "fixtures/account.json").read_text()), Account)
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def inbound(body: bytes | dict[str, Any], **headers: str) -> Inbound:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Inbound(channel="webhooks", headers=named, body=raw, received_at=NOW)


def signature(body: bytes, secret: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def an_order(**changes: Any) -> dict[str, Any]:
    line = {"id": 11, "sku": "WID-1", "quantity": 2, "price": "5.00"}
    return {"id": 7, "currency": "EUR", "line_items": [line], "updated_at": "2026-01-12T09:00:00Z", **changes}


def translate(document: bytes | dict[str, Any], topic: str = "orders/create", **headers: str) -> Any:
    assert CONNECTOR.translate
    return CONNECTOR.translate(inbound(document, x_shopify_topic=topic, **headers), ACCOUNT)


class TestAuthenticate:
    """Only Shopify's own signature over the raw bytes opens the door."""

    def check(self, body: bytes, account: Account = ACCOUNT, **headers: str) -> None:
        assert CONNECTOR.authenticate
        CONNECTOR.authenticate(inbound(body, **headers), account)

    @pytest.mark.parametrize("secret", ["fixture-webhook-secret", "fixture-webhook-secret-old"])
    def test_current_and_previous_secret_are_accepted(self, secret: str) -> None:
        """During a rotation both secrets count."""
        self.check(b'{"id": 1}', x_shopify_hmac_sha256=signature(b'{"id": 1}', secret))

    @pytest.mark.parametrize(
        "given",
        ["", "bm90IHJpZ2h0", "ünïcode", signature(b"{}", "fixture-webhook-secret"), signature(b"x", "")],
    )
    def test_wrong_or_missing_signatures_are_refused(self, given: str) -> None:
        """No header, nonsense, another body's signature and an empty secret's are all refused."""
        with pytest.raises(Unauthenticated):
            self.check(b"x", x_shopify_hmac_sha256=given)

    def test_a_retired_secret_is_refused(self) -> None:
        """After the rotation the old secret opens nothing; an empty one never does."""
        account = replace(ACCOUNT, secrets={**ACCOUNT.secrets, "webhook_secret_previous": ""})
        for secret in ("fixture-webhook-secret-old", ""):
            with pytest.raises(Unauthenticated):
                self.check(b"x", account, x_shopify_hmac_sha256=signature(b"x", secret))


class TestMapping:
    """Edge cases of the order document."""

    def test_ids_beyond_floats_stay_exact(self) -> None:
        """2^63-1 is an id; one more is none."""
        event = translate(an_order(id=2**63 - 1)).events[0]
        assert event.thread == "order/shopify-eu/9223372036854775807"
        with pytest.raises(Rejected) as told:
            translate(an_order(id=2**63))
        assert told.value.path == "/id"

    def test_the_state_of_the_order_names_the_message(self) -> None:
        """However often and by which topics a state is told, and whether by webhook or in a list, it is one word."""
        told = translate(an_order(), x_shopify_event_id="E")
        assert told.source_id == "order/7/1768208400000000"
        again = translate(an_order(), "orders/paid", x_shopify_event_id="F")
        assert (again.source_id, again.content) == (told.source_id, told.content)
        other = translate(an_order(currency="CHF"))
        assert (other.source_id, other.content != told.content) == (told.source_id, True)

    def test_without_a_time_of_change_the_event_id_counts(self) -> None:
        """The event id is the same over subscriptions, so it comes first; the webhook id is a fallback."""
        both = {"x_shopify_event_id": "E", "x_shopify_webhook_id": "W"}
        assert translate(an_order(updated_at=None), **both).source_id == "E"
        assert translate(an_order(updated_at=None), x_shopify_webhook_id="W").source_id == "W"

    def test_updates_carry_their_own_time(self) -> None:
        """An update happened when it was updated, an order when it was created."""
        order = an_order(created_at="2026-01-11T08:00:00Z")
        assert translate(order).events[0].occurred_at.day == 11
        assert translate(order, "orders/updated").events[0].occurred_at.day == 12

    def test_a_missing_sku_is_a_master_data_case(self) -> None:
        """The cause tells who must act."""
        for sku in (None, "", "  "):
            with pytest.raises(Rejected) as told:
                translate(an_order(line_items=[{"id": 1, "sku": sku, "quantity": 1, "price": "1"}]))
            assert (told.value.path, told.value.cause) == ("/line_items/0/sku", "master-data")

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"line_items": []}, "/line_items"),
            ({"currency": "euro"}, "/currency"),
            ({"total_price": "-1"}, "/total_price"),
            ({"created_at": "yesterday"}, "/created_at"),
            ({"created_at": "2026-01-12T09:00:00"}, "/created_at"),
            (
                {"line_items": [{"id": 1, "sku": "A", "quantity": 1.5, "price": "1"}]},
                "/line_items/0/quantity",
            ),
            ({"line_items": [{"id": 1, "sku": "A", "quantity": -1, "price": "1"}]}, "/line_items/0/quantity"),
            ({"line_items": [{"id": 1, "sku": "A", "quantity": 1, "price": "NaN"}]}, "/line_items/0/price"),
            ({"line_items": [{"id": 1, "sku": "A", "quantity": 1}]}, "/line_items/0/price"),
            ({"line_items": [{"sku": "A", "quantity": 1, "price": "1"}]}, "/line_items/0/id"),
        ],
    )
    def test_wrong_fields_are_named(self, change: dict[str, Any], path: str) -> None:
        """A rejection names the field in the partner's own document, wrapped or not."""
        with pytest.raises(Rejected) as told:
            translate(an_order(**change))
        assert told.value.path == path
        with pytest.raises(Rejected) as told:
            translate({"orders": [an_order(), an_order(**change)]})
        assert told.value.path == f"/orders/1{path}"

    def test_comments_are_malformed_at_their_offset(self) -> None:
        """Documentation samples are no JSON."""
        with pytest.raises(Malformed) as told:
            translate(b'{"id": 1, // and so on\n}')
        assert told.value.at.startswith("byte ")

    @pytest.mark.parametrize(
        "document",
        [{}, {"product": {}}, {"id": 5, "order_id": 7, "line_items": [], "currency": "EUR"}, {"title": "x"}],
    )
    def test_without_topic_other_shapes_are_unsupported(self, document: dict[str, Any]) -> None:
        """Fulfilments have an order id and lines too, and are no orders."""
        with pytest.raises(Unsupported):
            translate(document, "")

    def test_numbers_as_prices_are_exact(self) -> None:
        """19.1 written as a JSON number is exactly 19.1."""
        body = b'{"id":7,"currency":"EUR","line_items":[{"id":1,"sku":"A","quantity":3,"price":19.10}]}'
        data = translate(body).events[0].data
        assert str(data.lines[0].unit_price.amount) == "19.10"
        assert str(data.total.amount) == "57.30"

    def test_the_subject_follows_the_person(self) -> None:
        """The customer's id, else the address's hash however it is written, else the order."""
        assert translate(an_order(customer={"id": 3})).events[0].data.subject == "customer/shopify-eu/3"
        one, two = (
            translate(an_order(email=x)).events[0].data.subject for x in ("A@b.example", " a@B.example")
        )
        assert one == two
        assert "example" not in one
        assert translate(an_order()).events[0].data.subject == "customer/shopify-eu/order-7"


class TestRender:
    """What Shopify cannot express is said before it is sent."""

    def render(self, kind: str, payload: msgspec.Struct, account: Account = ACCOUNT) -> bytes:
        assert CONNECTOR.render
        return CONNECTOR.render(kind, payload, People(), account)

    def test_half_pieces_are_rejected(self) -> None:
        """Shopify counts whole pieces."""
        line = LineShipped("shopify-eu/7", "1", "A", Quantity(Decimal("1.5")))
        payload = CreateFulfilment("shopify-eu/7", "S-1", "SITE1", "ups", ("T",), (line,))
        with pytest.raises(Rejected) as told:
            self.render("fulfilment.create", payload)
        assert told.value.path == "/lines/0/quantity"

    def test_an_unknown_site_is_a_setting_to_correct(self) -> None:
        """Sites are mapped to locations by the account, and never guessed."""
        payload = PublishAvailability("A", "SITE9", Quantity(Decimal(1)), 1)
        with pytest.raises(Misconfigured, match="SITE9"):
            self.render("availability.publish", payload)

    def test_another_meaning_of_quantity_is_refused(self) -> None:
        """Publishing into on_hand would let Shopify subtract orders twice."""
        account = replace(ACCOUNT, settings={**ACCOUNT.settings, "quantity_meaning": "on_hand"})
        with pytest.raises(Misconfigured):
            self.render(
                "availability.publish", PublishAvailability("A", "SITE1", Quantity(Decimal(1)), 1), account
            )


def answer(status: int = 200, body: Any = b"", **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=raw)


class TestAnswers:
    """What an answer says about the effect behind it."""

    @pytest.mark.parametrize(
        ("given", "outcome"),
        [
            (answer(500), Unknown),
            (answer(502, b"<html>"), Unknown),
            (answer(200, b"<html>"), Unknown),
            (answer(200, {"data": None}), Unknown),
            (answer(200, {"errors": [{"extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}), Unknown),
            (answer(200, {"errors": [{"message": "x", "extensions": {"code": "ACCESS_DENIED"}}]}), Refused),
            (answer(200, {"errors": "odd"}), Refused),
            (answer(301), Refused),
            (answer(404, {"errors": "Not Found"}), Refused),
            (answer(401), RetryLater),
            (answer(402), RetryLater),
            (answer(429, retry_after="2.0"), RetryLater),
            (answer(503, retry_after="1"), RetryLater),
        ],
    )
    def test_a_change_is_unknown_refused_or_later(self, given: Answer, outcome: type) -> None:
        """Only what certainly was not done is tried again without asking."""
        with pytest.raises(Ended) as ended:
            data_of(given, writes=True)
        assert isinstance(ended.value.outcome, outcome)

    def test_a_question_is_never_unknown(self) -> None:
        """A query booked nothing."""
        for given in (answer(500), answer(200, b"<html>"), answer(200, {"data": []})):
            with pytest.raises(Ended) as ended:
                data_of(given, writes=False)
            assert isinstance(ended.value.outcome, RetryLater)
