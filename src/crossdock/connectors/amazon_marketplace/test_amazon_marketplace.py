"""Amazon: who may tell us something, what orders and notifications mean, and how calls are spaced."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.connect.contract import Inbound
from crossdock.connectors.amazon_marketplace.conftest import ACCOUNT, HERE, NOW, translated
from crossdock.connectors.amazon_marketplace.connector import CONNECTOR
from crossdock.connectors.amazon_marketplace.plans import DEFAULTS, Bucket, Plans, cautious
from crossdock.connectors.amazon_marketplace.requests import package_reference
from crossdock.connectors.amazon_marketplace.signing import KEY_HEADER, sign
from crossdock.errors import Unauthenticated, Unsupported
from crossdock.model.order import HoldPlaced, OrderCancelRequested, OrderReceived

ORDER = json.loads((HERE / "fixtures/in_order_unshipped.json").read_text())["body"]
NOTICE = json.loads((HERE / "fixtures/in_notification_unshipped.json").read_text())["body"]


def inbound(document: Any, **headers: str) -> Inbound:
    body = json.dumps(document).encode()
    return Inbound(channel="notifications", headers=headers, body=body, received_at=NOW)


def order(**changes: Any) -> Any:
    return {**ORDER, "Order": ORDER["Order"] | changes}


def notice(change: str, status: str, *, asked: bool) -> Any:
    told = json.loads(json.dumps(NOTICE))
    said = told["Payload"]["OrderChangeNotification"]
    said |= {"OrderChangeType": change}
    said["Summary"] |= {"OrderStatus": status}
    said["Summary"]["OrderItems"][0] |= {"IsBuyerRequestedCancel": asked}
    return told


@pytest.mark.parametrize("key", ["fixture-key", "fixture-key-old"])
def test_both_live_keys_are_accepted(key: str) -> None:
    """While the connection's key is being changed, notifications with either one come in."""
    assert CONNECTOR.authenticate
    CONNECTOR.authenticate(replace(inbound(NOTICE), headers={KEY_HEADER: key}), ACCOUNT)


@pytest.mark.parametrize("key", ["", "fixture-kez", "ÿ"])
def test_a_missing_or_wrong_key_is_refused(key: str) -> None:
    """Whoever does not know the key is not listened to, whatever the body says."""
    assert CONNECTOR.authenticate
    with pytest.raises(Unauthenticated):
        CONNECTOR.authenticate(replace(inbound(NOTICE), headers={KEY_HEADER: key} if key else {}), ACCOUNT)


def test_an_empty_previous_key_opens_nothing() -> None:
    """The key before is empty most of the time, and an empty header is no key."""
    account = replace(ACCOUNT, secrets={**ACCOUNT.secrets, "notification_key_previous": ""})
    message = inbound(NOTICE)
    assert CONNECTOR.authenticate
    CONNECTOR.authenticate(replace(message, headers=sign(message, account, "")), account)
    with pytest.raises(Unauthenticated):
        CONNECTOR.authenticate(replace(message, headers={KEY_HEADER: ""}), account)


@pytest.mark.parametrize(
    "status",
    ["Pending", "PendingAvailability", "PartiallyShipped", "Shipped", "InvoiceUnconfirmed", "Unfulfillable"],
)
def test_only_what_is_to_be_shipped_is_an_order(status: str) -> None:
    """Nothing follows from an order that is not settled yet, or of which something left; why is said."""
    told = translated(inbound(order(OrderStatus=status)))
    assert told.events == ()
    assert told.ignored.startswith(status)


@pytest.mark.parametrize("status", ["Unshipped", "Canceled", "Pending"])
def test_what_amazon_ships_itself_is_none_of_ours(status: str) -> None:
    """Released, cancelled or held: nothing is done about an AFN order in any state."""
    told = translated(inbound(order(OrderStatus=status, FulfillmentChannel="AFN")))
    assert (told.events, told.ignored[:3]) == ((), "AFN")


def test_a_cancellation_gets_through_whatever_the_rest_says() -> None:
    """Its id is enough: an order with unreadable items is stopped all the same."""
    broken = {"Order": ORDER["Order"] | {"OrderStatus": "Canceled", "OrderTotal": 7}, "OrderItems": "?"}
    [event] = translated(inbound(broken)).events
    assert event.data == OrderCancelRequested(
        "amazon-1/306-4410023-7790311", "cancelled at Amazon", final=True
    )


def test_an_order_costs_what_the_buyer_pays() -> None:
    """The total has shipping and gift wrap in it; a piece costs its share of the line's price after the discount."""
    [event] = translated(inbound(ORDER)).events
    assert isinstance(event.data, OrderReceived)
    assert str(event.data.total) == "EUR 68.57"
    assert [str(line.unit_price) for line in event.data.lines] == ["EUR 17.99", "EUR 7.20"]


@given(st.integers(1, 999), st.decimals("0", "99999.99", places=2), st.integers(0, 100))
def test_shares_add_up_to_the_price(pieces: int, price: Decimal, percent: int) -> None:
    """However a line's price is split among its pieces, together they cost it to less than a hundredth of a cent."""
    discount = (price * percent / 100).quantize(Decimal("0.01"))
    item = ORDER["OrderItems"][0] | {
        "QuantityOrdered": pieces,
        "ItemPrice": {"CurrencyCode": "EUR", "Amount": str(price)},
        "PromotionDiscount": {"CurrencyCode": "EUR", "Amount": str(discount)},
    }
    [event] = translated(inbound({**ORDER, "OrderItems": [item]})).events
    [line] = event.data.lines
    assert abs(line.unit_price.amount * pieces - (price - discount)) < Decimal("0.0001")


def test_a_later_state_is_another_message() -> None:
    """The same state is told once however it is read; a change has an id and a place in order of its own."""
    first, again = translated(inbound(ORDER)), translated(inbound(json.loads(json.dumps(ORDER, indent=1))))
    later = translated(inbound(order(LastUpdateDate="2026-01-15T11:33:06Z")))
    assert (first.source_id, first.content) == (again.source_id, again.content)
    assert first.source_id != later.source_id
    assert first.events[0].sequence < later.events[0].sequence


def test_a_buyer_who_asks_to_cancel_stops_the_order_at_the_door() -> None:
    """The seller must decide: the order is held, and neither cancelled nor shipped."""
    [event] = translated(inbound(notice("BuyerRequestedChange", "Unshipped", asked=True))).events
    assert isinstance(event.data, HoldPlaced)
    assert event.data.hold == "buyer asks to cancel"


def test_the_buyers_wish_is_told_once() -> None:
    """Later notifications repeat it beside other news, when somebody may have decided already."""
    told = translated(inbound(notice("OrderStatusChange", "Shipped", asked=True)))
    assert told.events == ()
    assert told.ignored


def test_other_notifications_are_kept_for_a_person() -> None:
    """A subscription to something else is no order change, in either spelling of its type."""
    for key in ("NotificationType", "notificationType"):
        with pytest.raises(Unsupported):
            translated(inbound({key: "ANY_OFFER_CHANGED", "Payload": {}}))


@given(st.text(max_size=80))
def test_package_references_are_positive_numbers(shipment: str) -> None:
    """Amazon takes nothing else; the same shipment always has the same."""
    reference = package_reference(shipment)
    assert reference == package_reference(shipment)
    assert reference.isdecimal()
    assert 0 < int(reference) < 10**9


Steps = st.lists(
    st.tuples(
        st.floats(0, 3), st.sampled_from(["call", "call", "call", "refused", "2.5", "0.1", "nan", "no rate"])
    ),
    min_size=20,
    max_size=60,
)


@given(st.floats(0.01, 5), st.integers(1, 6), Steps)
def test_calls_stay_within_the_plan(rate: float, burst: int, steps: list[tuple[float, str]]) -> None:
    """Whoever waits as told never makes more calls than burst and rate allow, whatever rates are heard meanwhile."""
    plans, now, made = Plans({"x": Bucket(rate, burst, burst)}), 0.0, []
    fastest = rate
    for pause, what in steps:
        now += pause
        if what == "refused":
            plans.refused("x", now)
        elif what == "call":
            now += plans.wait_seconds("x", now)
            plans.spend("x", now)
            made.append(now)
        else:
            plans.heard("x", what, now)
            fastest = max(fastest, plans.buckets["x"].rate)
    for first in range(len(made)):
        for last in range(first, len(made)):
            assert last - first + 1 <= burst + (made[last] - made[first]) * fastest + 1e-6


def test_every_operation_begins_with_a_call_in_reserve() -> None:
    """Calls that leave in time may arrive bunched: one of each burst is never used."""
    for name, (rate, burst) in DEFAULTS.items():
        bucket = cautious().buckets[name]
        assert (bucket.rate, bucket.burst, bucket.tokens) == (rate, burst - 1, burst - 1)
