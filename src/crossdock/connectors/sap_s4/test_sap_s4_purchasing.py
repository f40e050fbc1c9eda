"""Purchase orders: notices of them, what SAP answers over HTTP, and what shall come by it."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from crossdock.connect.contract import Call, Refused, RetryLater
from crossdock.connectors.sap_s4 import purchasing
from crossdock.connectors.sap_s4.conftest import Sap, start
from crossdock.connectors.sap_s4.plans import PurchasePlan
from crossdock.model import requests
from crossdock.model.movement import ExpectedLine, InboundExpected
from crossdock.model.quantity import Quantity

NUMBER = "4500000017"


async def put(sap: Sap, items: dict[str, dict[str, Any]], **header: str) -> None:
    known = {"material": "WID-1", "plant": "1010", "quantity": "100"}
    order = {"supplier": "SUP-1", "items": {line: known | item for line, item in items.items()}} | header
    url = f"{sap.account.base_url}/_twin/purchase_orders"
    async with ClientSession() as http, http.put(url, json={NUMBER: order}) as answer:
        assert answer.status == 200


def question(sap: Sap, number: str = NUMBER) -> Call:
    return sap.call("inbound.fetch", requests.FetchInbound(number))


async def expected(sap: Sap) -> InboundExpected:
    receipt = (await sap.done(question(sap))).receipt
    assert isinstance(receipt, InboundExpected)
    return receipt


async def test_an_order_says_what_will_come(sap: Sap) -> None:
    """At the location of its plant, by item and day; a later change has a later sequence."""
    await put(
        sap, {"10": {"due_on": "2026-12-01"}, "20": {"material": "WID-9", "quantity": "1.5", "unit": "KG"}}
    )
    first = await sap.done(question(sap))
    assert first.receipt == InboundExpected(
        NUMBER, "SITE1",
        (
            ExpectedLine("10", "WID-1", Quantity(Decimal(100)), "", date(2026, 12, 1)),
            ExpectedLine("20", "WID-9", Quantity(Decimal("1.5"), "KGM")),
        ),
        NUMBER, "SUP-1", date(2026, 12, 1),
    )  # fmt: skip

    await put(sap, {"10": {"quantity": "90"}})
    second = await sap.done(question(sap))

    assert first.sequence is not None
    assert second.sequence is not None
    assert second.sequence > first.sequence
    assert len(sap.journal("inbound.fetch")) == 2


async def test_what_will_not_come_is_left_out(sap: Sap) -> None:
    """Deleted items; and all of a stock transport order, which is a transfer's."""
    await put(sap, {"10": {}, "20": {"deleted": True}})
    assert [x.line for x in (await expected(sap)).lines] == ["10"]
    await put(sap, {"10": {}}, supplying_plant="1020")
    assert (await expected(sap)).lines == ()


async def test_terms_of_purchase_are_told(sap: Sap) -> None:
    """As SAP classifies them; none where the order has none."""
    await put(sap, {"10": {}}, incoterms="FCA")
    assert (await expected(sap)).terms == "FCA"
    await put(sap, {"10": {}})
    assert (await expected(sap)).terms == ""


async def test_consigned_goods_are_the_suppliers(sap: Sap) -> None:
    """Special stock K."""
    await put(sap, {"10": {"consigned": True}})
    assert (await expected(sap)).lines[0].owner == "SUP-1"


async def test_what_has_no_one_site_is_refused(sap: Sap) -> None:
    """Items for several plants, a plant that is none of ours, an order that is not there: each says what to do."""
    await put(sap, {"10": {}, "20": {"plant": "1020"}})
    several = await sap.client.send(question(sap))
    await put(sap, {"10": {"plant": "9999"}})
    foreign = await sap.client.send(question(sap))
    unknown = await sap.client.send(question(sap, "4599999999"))

    assert [isinstance(x, Refused) for x in (several, foreign, unknown)] == [True] * 3
    assert "several plants" in several.reason  # type: ignore[union-attr]
    assert "SITE1=1010" in foreign.reason  # type: ignore[union-attr]


async def test_trouble_is_later(sap: Sap) -> None:
    """Nothing is booked, so any trouble is asked again."""
    await put(sap, {"10": {}})
    for quirk in ("throttle_429", "unavailable", "answer_lost"):
        sap.quirk(**{quirk: 1.0})
        assert isinstance(await sap.client.send(question(sap)), RetryLater)
        sap.quirk(**{quirk: 0.0})


def test_a_plant_is_its_own_location_where_none_is_configured() -> None:
    """As it is for everything else of the account."""
    order = purchasing.PurchaseOrder(
        NUMBER, items=purchasing.Items((purchasing.Item("00010", "WID-1", "SITE9", Decimal(1)),))
    )
    assert purchasing.to_expected(order, PurchasePlan(NUMBER, None)).location == "SITE9"


@pytest.fixture
async def telling(tmp_path: Path) -> AsyncIterator[Any]:
    twin, runner, url, _ = await start(tmp_path / "telling.db")
    yield twin, url
    await runner.cleanup()


async def test_sap_tells_of_new_and_changed_orders(telling: Any) -> None:
    """One notice each, with the order's number and no more."""
    twin, url = telling
    for quantity in ("1", "2"):
        order = {"items": {"10": {"material": "WID-1", "plant": "1010", "quantity": quantity}}}
        async with (
            ClientSession() as http,
            http.put(f"{url}/_twin/purchase_orders", json={NUMBER: order}) as answer,
        ):
            assert answer.status == 200

    rows = twin.books.rows("select topic, reference from outbox order by id")
    assert rows == [
        ("sap.s4.beh.purchaseorder.v1.PurchaseOrder.Created.v1", NUMBER),
        ("sap.s4.beh.purchaseorder.v1.PurchaseOrder.Changed.v1", NUMBER),
    ]
