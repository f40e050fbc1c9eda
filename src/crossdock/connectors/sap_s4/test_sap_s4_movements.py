"""Goods receipts and transfer issues against the twin over HTTP: booked once, found again, refused for their reasons."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import ClientSession

from crossdock.connect.contract import Absent, Call, Done, Refused, RetryLater, Unknown
from crossdock.connectors.sap_s4.conftest import DEPARTED, Sap
from crossdock.model import requests
from crossdock.model.movement import (
    ConsignmentWithdrawn,
    GoodsReceiptPosted,
    MovedLine,
    ReceivedLine,
)
from crossdock.model.quantity import Quantity
from crossdock.model.shipment import GoodsIssuePosted
from crossdock.model.stock import Condition

PURCHASE = "4500000017"
TRANSPORT = "4500000018"


async def put(sap: Sap, path: str, body: Any) -> None:
    async with ClientSession() as http, http.put(f"{sap.account.base_url}/_twin/{path}", json=body) as answer:
        assert answer.status == 200


@pytest.fixture
async def orders(sap: Sap) -> None:
    """A purchase order of 100, a transport order of 20, and 50 in the supplying plant."""
    item = {"material": "WID-1", "plant": "1010", "quantity": "100"}
    there = {"material": "WID-1", "plant": "1020", "quantity": "20"}
    await put(
        sap, "purchase_orders",
        {PURCHASE: {"items": {"10": item}}, TRANSPORT: {"supplying_plant": "1010", "items": {"10": there}}},
    )  # fmt: skip
    await put(sap, "material_stock", {"1010": {"WID-1": {"unrestricted": "50"}}})


def receipt(
    sap: Sap, number: str = "R-1", quantity: int = 40, condition: Condition = "good", *, item: str = "WID-1", order: str = PURCHASE
) -> Call:  # fmt: skip
    lines = (ReceivedLine("10", item, Quantity(Decimal(quantity)), condition),)
    payload = requests.PostGoodsReceipt(number, f"inbound/sap-eu/{PURCHASE}", order, "SITE1", lines, DEPARTED)
    return sap.call("goods_receipt.post", payload)


def issue(sap: Sap, number: str = "T-1", quantity: int = 12, location: str = "SITE1") -> Call:
    lines = (MovedLine("10", "WID-1", Quantity(Decimal(quantity))),)
    payload = requests.PostTransferIssue(
        number, f"transfer/sap-eu/{TRANSPORT}", TRANSPORT, location, "SITE2", lines, DEPARTED
    )
    return sap.call("transfer_issue.post", payload)


def withdrawal(sap: Sap, shipment: str = "S-1", quantity: int = 3, supplier: str = "SUP-1") -> Call:
    lines = (MovedLine("1", "WID-1", Quantity(Decimal(quantity))),)
    payload = requests.WithdrawConsigned(shipment, "shop-eu/1042", supplier, "SITE1", lines, DEPARTED)
    return sap.call("consignment.withdraw", payload)


def stock(sap: Sap, plant: str = "1010") -> Any:
    return sap.twin.books.get("matl_stock", f"WID-1|{plant}")


def detail(sap: Sap, effect: str) -> list[Any]:
    rows = sap.twin.books.rows("select detail from journal where effect = ? order by id", effect)
    return [json.loads(row[0]) for row in rows]


@pytest.mark.usefixtures("orders")
async def test_a_receipt_is_booked_once(sap: Sap) -> None:
    """By condition into its stock type; the same receipt again, even as another effect, is the same document."""
    done = await sap.done(receipt(sap))
    assert done.receipt == GoodsReceiptPosted(done.document, "R-1")
    again = await sap.done(receipt(sap))
    await sap.done(receipt(sap, "R-2", 3, "damaged"))
    await sap.done(receipt(sap, "R-3", 2, "quarantine"))

    assert again.document == done.document
    assert sap.journal("goods_receipt.post")[0][1:] == ("R-1", done.document)
    assert len(sap.journal("goods_receipt.post")) == 3
    assert {k: stock(sap)[k] for k in ("unrestricted", "quality", "blocked")} == {
        "unrestricted": "90", "quality": "2", "blocked": "3",
    }  # fmt: skip
    assert detail(sap, "goods_receipt.post")[0]["movement"] == "101"


@pytest.mark.usefixtures("orders")
async def test_a_transfer_leaves_the_supplying_plant(sap: Sap) -> None:
    """Once, and it arrives in the other one by a receipt to the same order."""
    done = await sap.done(issue(sap))
    assert done.receipt == GoodsIssuePosted("", done.document, "T-1")
    assert stock(sap)["unrestricted"] == "38"
    lines = (ReceivedLine("10", "WID-1", Quantity(Decimal(12))),)
    arrived = requests.PostGoodsReceipt(
        "R-9", f"transfer/sap-eu/{TRANSPORT}", TRANSPORT, "SITE2", lines, DEPARTED
    )
    await sap.done(sap.call("goods_receipt.post", arrived))

    assert stock(sap, "1020")["unrestricted"] == "12"
    assert sap.twin.books.get("purchase_order", TRANSPORT)["items"]["10"]["issued"] == "12"


@pytest.mark.usefixtures("orders")
async def test_a_suppliers_goods_become_our_own(sap: Sap) -> None:
    """Into unrestricted stock, once for each supplier and shipment; without a supplier it is refused."""
    done = await sap.done(withdrawal(sap))
    again = await sap.done(withdrawal(sap))
    other = await sap.done(withdrawal(sap, quantity=2, supplier="SUP-2"))

    assert done.receipt == ConsignmentWithdrawn(done.document, "S-1")
    assert again.document == done.document != other.document
    assert stock(sap)["unrestricted"] == "55"
    assert [(x["supplier"], x["movement"]) for x in detail(sap, "consignment.withdraw")] == [
        ("SUP-1", "411"),
        ("SUP-2", "411"),
    ]
    assert isinstance(await sap.client.send(withdrawal(sap, "S-2", supplier="")), Refused)


@pytest.mark.usefixtures("orders")
@pytest.mark.parametrize("kind", ["goods_receipt.post", "transfer_issue.post", "consignment.withdraw"])
async def test_a_lost_answer_is_found(sap: Sap, kind: str) -> None:
    """Unknown, then found by its reference: one document. What was never posted is absent."""
    made = {"goods_receipt.post": receipt, "transfer_issue.post": issue, "consignment.withdraw": withdrawal}
    call = made[kind](sap)
    assert isinstance(await sap.client.look_up(call), Absent)
    sap.quirk(answer_lost=1.0)
    assert isinstance(await sap.client.send(call), Unknown)
    sap.quirk(answer_lost=0.0)

    found = await sap.client.look_up(call)

    assert isinstance(found, Done)
    assert [row[2] for row in sap.journal(kind)] == [found.document]


@pytest.mark.usefixtures("orders")
async def test_what_sap_refuses(sap: Sap) -> None:
    """A closed period, more than the tolerance, another material or plant, an unknown order, more than there is."""
    sap.quirk(period_closed=1.0)
    closed = await sap.client.send(receipt(sap))
    sap.quirk(period_closed=0.0)
    refused = [
        closed,
        await sap.client.send(receipt(sap, "R-2", 111)),
        await sap.client.send(receipt(sap, "R-3", item="WID-9")),
        await sap.client.send(receipt(sap, "R-4", order="4599999999")),
        await sap.client.send(issue(sap, "T-2", location="SITE2")),
        await sap.client.send(issue(sap, "T-3", 23)),
    ]
    await put(sap, "material_stock", {"1010": {"WID-1": {"unrestricted": "5"}}})
    refused.append(await sap.client.send(issue(sap, "T-4", 12)))

    assert [x.code for x in refused if isinstance(x, Refused)] == [
        "F5/201", "M7/022", "M7/062", "M7/036", "M7/064", "M7/022", "M7/021",
    ]  # fmt: skip
    assert sap.journal("goods_receipt.post") + sap.journal("transfer_issue.post") == []
    assert isinstance(await sap.client.send(receipt(sap)), Done)


@pytest.mark.usefixtures("orders")
async def test_a_reference_is_posted_once(sap: Sap) -> None:
    """The system refuses it too, should somebody post past the look-up."""
    call = receipt(sap)
    await sap.done(call)
    sap.twin.setup.settings["search_lag_seconds"] = "60"

    assert isinstance(await sap.client.send(call), Refused)


@pytest.mark.usefixtures("orders")
async def test_busy_is_later(sap: Sap) -> None:
    """Throttled or locked: nothing was done."""
    for quirk in ("throttle_429", "locked"):
        sap.quirk(**{quirk: 1.0})
        assert isinstance(await sap.client.send(issue(sap)), RetryLater)
        sap.quirk(**{quirk: 0.0})
    assert sap.journal("transfer_issue.post") == []


async def test_a_body_of_another_shape_is_refused(sap: Sap) -> None:
    """A stored body that makes no sense reaches nobody."""
    assert isinstance(await sap.client.send(replace(receipt(sap), body=b"{}")), Refused)
