"""Goods issues that are taken back and posted anew, and posting dates that a person decided."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import msgspec

from crossdock.connect.contract import Absent, Call, Done, Refused, Unknown
from crossdock.connectors.sap_s4.conftest import DEPARTED, REFERENCE, SHIPMENT, Sap
from crossdock.connectors.sap_s4.posting_dates import redate
from crossdock.model import requests
from crossdock.model.order import LineShipped
from crossdock.model.quantity import Quantity
from crossdock.model.shipment import GoodsIssuePosted, GoodsIssueReversed

ON = date(2026, 12, 1)
BOTH = f"{SHIPMENT}|{REFERENCE}"


def reversal(sap: Sap, delivery: str, document: str) -> Call:
    payload = requests.ReverseGoodsIssue(SHIPMENT, REFERENCE, delivery, document, ON, "it never left")
    return sap.call("goods_issue.reverse", payload)


def issue(sap: Sap, order: str, *reversed_: str) -> Call:
    lines = (LineShipped(REFERENCE, "14001", "WID-1", Quantity(Decimal(2))),)
    payload = requests.PostGoodsIssue(
        SHIPMENT, REFERENCE, order, "SITE1", lines, DEPARTED, posting_on=ON, reversed=reversed_
    )  # fmt: skip
    return sap.call("goods_issue.post", payload)


def posted_on(sap: Sap, effect: str) -> list[str]:
    rows = sap.twin.books.rows("select detail from journal where effect = ? order by id", effect)
    return [msgspec.json.decode(row[0])["posted_on"] for row in rows]


async def test_a_goods_issue_is_reversed_once(sap: Sap) -> None:
    """By a document of its own, on its own day; sent again, and looked up, it is the same reversal."""
    delivery = await sap.delivered()
    call = reversal(sap, delivery, "4900000000")
    assert await sap.client.look_up(call) == Absent()

    done = await sap.done(call)

    assert done.receipt == GoodsIssueReversed("4900000001", delivery, SHIPMENT, "4900000000")
    assert await sap.done(replace(call, attempt=2)) == done
    assert await sap.client.look_up(call) == done
    assert sap.journal("goods_issue.reverse") == [("goods_issue.reverse", BOTH, "4900000001")]
    assert posted_on(sap, "goods_issue.reverse") == ["2026-12-01"]


async def test_a_reversal_whose_answer_is_lost_is_found(sap: Sap) -> None:
    """Unknown, then looked up; the books have it once."""
    delivery = await sap.delivered()
    call = reversal(sap, delivery, "4900000000")
    sap.quirk(answer_lost=1.0)
    assert isinstance(await sap.client.send(call), Unknown)
    sap.quirk(answer_lost=0.0)

    found = await sap.client.look_up(call)

    assert isinstance(found, Done)
    assert len(sap.journal("goods_issue.reverse")) == 1


async def test_what_was_reversed_is_posted_anew_on_the_same_delivery(sap: Sap) -> None:
    """A second material document on the day that counts now; the reversed one is nobody's answer any more."""
    order = await sap.ordered()
    first = await sap.done(sap.goods_issue(order))
    assert isinstance(first.receipt, GoodsIssuePosted)
    delivery = first.receipt.delivery
    await sap.done(reversal(sap, delivery, first.document))
    again = issue(sap, order, first.document)
    assert await sap.client.look_up(again) == Absent(half_done=True)

    second = await sap.done(again)

    assert second.document == "4900000002"
    assert second.receipt == GoodsIssuePosted(delivery, second.document)
    assert await sap.client.look_up(again) == second
    assert await sap.done(replace(again, attempt=2)) == second
    assert len(sap.journal("goods_issue.post")) == 2
    assert len(sap.journal("delivery.create")) == 1
    assert posted_on(sap, "goods_issue.post")[1] == "2026-12-01"
    # The reversal of the first does not take the second back, whenever it is repeated.
    late = await sap.done(reversal(sap, delivery, first.document))
    assert late.document == "4900000001"
    assert len(sap.journal("goods_issue.reverse")) == 1


async def test_what_was_billed_is_not_reversed(sap: Sap) -> None:
    """SAP wants the invoice cancelled first; nothing is booked."""
    delivery = await sap.delivered()
    await sap.done(sap.invoice(delivery))

    refused = await sap.client.send(reversal(sap, delivery, "4900000000"))

    assert isinstance(refused, Refused)
    assert "cancel billing document" in refused.reason
    assert sap.journal("goods_issue.reverse") == []


async def test_a_delivery_without_goods_issue_has_nothing_to_reverse(sap: Sap) -> None:
    """Refused, not done: no document of a reversal can be named."""
    sap.quirk(period_closed=1)
    await sap.client.send(sap.goods_issue(await sap.ordered()))
    sap.quirk(period_closed=0)

    refused = await sap.client.send(reversal(sap, "80000000", "4900000000"))

    assert isinstance(refused, Refused)
    assert refused.code == "not_posted"


async def test_another_posting_date_goes_with_the_delivery_that_was_begun(sap: Sap) -> None:
    """The old period is closed; the same effect with a day of the new one posts the same delivery on that day."""
    with sap.twin.books.change():
        sap.twin.books.put("period", "open_from", "2026-12-01")
    call = sap.goods_issue(await sap.ordered())
    refused = await sap.client.send(call)
    assert isinstance(refused, Refused)
    assert refused.cause == "period closed"
    again = replace(call, attempt=2, body=redate(call.kind, call.body, ON))

    done = await sap.done(again)

    assert done.document == "4900000000"
    assert posted_on(sap, "goods_issue.post") == ["2026-12-01"]
    assert len(sap.journal("delivery.create")) == 1


async def test_a_cancelled_invoice_is_not_taken_for_the_new_one(sap: Sap) -> None:
    """A delivery that is billed anew has another billing document."""
    delivery = await sap.delivered()
    first = await sap.done(sap.invoice(delivery))
    with sap.twin.books.change():
        known = sap.twin.books.get("delivery", delivery)
        sap.twin.books.put("delivery", delivery, known | {"billing_document": ""})
    payload = requests.ReleaseInvoice(
        REFERENCE, SHIPMENT, "0000000001", delivery, "4900000002", (first.document,)
    )  # fmt: skip
    call = sap.call("invoice.release", payload)
    assert await sap.client.look_up(call) == Absent()

    second = await sap.done(call)

    assert second.document != first.document
    assert await sap.client.look_up(call) == second
