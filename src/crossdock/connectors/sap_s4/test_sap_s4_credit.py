"""Returns against the twin over HTTP: goods taken back by condition, credits booked once, at the price and for the invoice of the sale."""

import json
from decimal import Decimal
from typing import Any

import pytest

from crossdock.connect.contract import Absent, Call, Done, Refused, RetryLater, Unknown
from crossdock.connectors.sap_s4.conftest import DEPARTED, REFERENCE, Sap
from crossdock.model import requests
from crossdock.model.money import Money
from crossdock.model.movement import GoodsReceiptPosted, ReceivedLine
from crossdock.model.quantity import Quantity
from crossdock.model.returning import CreditPosted, MatchedLine
from crossdock.model.stock import Condition

RETURN = "return/shop-eu/77"


@pytest.fixture
async def invoice(sap: Sap) -> str:
    """An order of two that left and was billed; its invoice."""
    return (await sap.done(sap.invoice(await sap.delivered()))).document


def credit(sap: Sap, invoice: str, quantity: int = 2, inspection: str = "I-1", currency: str = "EUR") -> Call:
    line = MatchedLine(
        "1",
        "14001",
        "WID-1",
        Quantity(Decimal(quantity)),
        Money(Decimal("12.50"), currency),
        "wms-1/S-77",
        "4900000000",
        invoice,
    )
    payload = requests.PostCredit(RETURN, REFERENCE, "1042", "0000000001", (line,), inspection, "too small")
    return sap.call("credit.post", payload)


def back(sap: Sap, condition: Condition = "good", order: str = "0000000001", number: str = "I-1") -> Call:
    lines = (ReceivedLine("14001", "WID-1", Quantity(Decimal(1)), condition),)
    payload = requests.PostGoodsReceipt(number, RETURN, order, "SITE1", lines, DEPARTED, "return")
    return sap.call("goods_receipt.post", payload)


def detail(sap: Sap, effect: str) -> list[Any]:
    rows = sap.twin.books.rows("select detail from journal where effect = ? order by id", effect)
    return [json.loads(row[0]) for row in rows]


async def test_a_credit_is_booked_once_as_it_was_sold(sap: Sap, invoice: str) -> None:
    """At the price of the sale, for its invoice; the same one again is the same document."""
    done = await sap.done(credit(sap, invoice))
    again = await sap.done(credit(sap, invoice))

    assert done.receipt == CreditPosted(done.document, "I-1")
    assert again.document == done.document
    [booked] = detail(sap, "credit.post")
    assert (booked["amount"], booked["currency"], booked["invoices"]) == ("25.00", "EUR", [invoice])
    assert sap.journal("credit.post")[0][1] == "shop-eu/77|I-1"


async def test_no_more_is_credited_than_was_billed(sap: Sap, invoice: str) -> None:
    """Over several credits, of an unknown invoice, in another currency: refused, and nothing is booked."""
    await sap.done(credit(sap, invoice, 1))

    refused = [
        await sap.client.send(credit(sap, invoice, 2, "I-2")),
        await sap.client.send(credit(sap, "9999999999", 1, "I-3")),
    ]

    assert [x.code for x in refused if isinstance(x, Refused)] == ["V1/348", "VF/004"]
    assert len(sap.journal("credit.post")) == 1
    await sap.done(credit(sap, invoice, 1, "I-4"))


async def test_a_kit_is_credited_by_its_components(sap: Sap, invoice: str) -> None:
    """Two kits were billed, with three cups in each: six cups are credited, to the cent, and not one more."""
    sap.twin.books.put("material", "WID-1", sap.twin.books.get("material", "WID-1") | {"bom": {"CUP-1": "3"}})

    def cups(number: int, amount: str, inspection: str) -> Call:
        eur = Money(Decimal(amount), "EUR")
        line = MatchedLine(
            "1", "14001", "CUP-1", Quantity(Decimal(number)), Money(Decimal("4.16"), "EUR"), "wms-1/S-77", "4900000000", invoice,
            "WID-1", eur,
        )  # fmt: skip
        return sap.call(
            "credit.post", requests.PostCredit(RETURN, REFERENCE, "1042", "0000000001", (line,), inspection)
        )

    for call in (cups(5, "20.83", "I-1"), cups(1, "4.17", "I-2")):
        await sap.done(call)
    refused = await sap.client.send(cups(1, "0.01", "I-3"))

    assert [Decimal(x["amount"]) for x in detail(sap, "credit.post")] == [Decimal("20.83"), Decimal("4.17")]
    assert isinstance(refused, Refused)
    assert refused.code == "V1/348"


@pytest.mark.parametrize("kind", ["credit.post", "goods_receipt.post"])
async def test_a_lost_answer_is_found(sap: Sap, invoice: str, kind: str) -> None:
    """Unknown, then found by its reference: one document. What was never posted is absent."""
    call = credit(sap, invoice) if kind == "credit.post" else back(sap)
    assert isinstance(await sap.client.look_up(call), Absent)
    sap.quirk(answer_lost=1.0)
    assert isinstance(await sap.client.send(call), Unknown)
    sap.quirk(answer_lost=0.0)

    found = await sap.client.look_up(call)

    assert isinstance(found, Done)
    assert [row[2] for row in sap.journal(kind)] == [found.document]


@pytest.mark.usefixtures("invoice")
@pytest.mark.parametrize(
    ("condition", "movement", "stock"),
    [("good", "653", "unrestricted"), ("quarantine", "655", "quality"), ("damaged", "657", "blocked")],
)
async def test_goods_are_taken_back_by_condition(
    sap: Sap, condition: Condition, movement: str, stock: str
) -> None:
    """Each into the stock its condition belongs to, with the sales order it left with."""
    done = await sap.done(back(sap, condition))

    assert done.receipt == GoodsReceiptPosted(done.document, "I-1")
    [booked] = detail(sap, "goods_receipt.post")
    assert (booked["movement"], booked["types"], booked["order"]) == (movement, [stock], "0000000001")


async def test_goods_of_an_order_that_sap_does_not_know_are_refused(sap: Sap) -> None:
    """And nothing is booked."""
    refused = await sap.client.send(back(sap, order="0000004711"))

    assert isinstance(refused, Refused)
    assert refused.code == "V1/302"
    assert sap.journal("goods_receipt.post") == []


async def test_busy_is_later(sap: Sap, invoice: str) -> None:
    """Throttled: nothing was done."""
    sap.quirk(throttle_429=1.0)

    assert isinstance(await sap.client.send(credit(sap, invoice)), RetryLater)
