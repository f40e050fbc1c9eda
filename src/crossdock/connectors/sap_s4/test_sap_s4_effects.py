"""SAP S/4HANA: every effect against the twin: once, twice, looked up and refused."""

import asyncio
from dataclasses import replace
from decimal import Decimal

from crossdock.connect.contract import (
    Absent,
    CannotTell,
    Done,
    Refused,
)
from crossdock.connectors.sap_s4 import mapping
from crossdock.connectors.sap_s4.conftest import (
    DEPARTED,
    LINE,
    REFERENCE,
    SHIPMENT,
    Sap,
    replace_line,
)
from crossdock.model import requests
from crossdock.model.money import Money
from crossdock.model.party import People


async def test_check_tells_credit_availability_price_and_unknown_items(sap: Sap) -> None:
    """One unknown item and a short one do not fail the others; nothing is booked."""
    unknown = replace_line(LINE, "14002", "NOPE")
    short = replace_line(LINE, "14003", "RARE")

    done = await sap.client.send(sap.check(REFERENCE, LINE, unknown, short))

    checked = done.receipt
    assert checked.credit == "ok"
    assert [(x.line, x.known_item, x.confirmed.value) for x in checked.lines] == [
        ("14001", True, Decimal(2)), ("14002", False, Decimal(0)), ("14003", True, Decimal(1)),
    ]  # fmt: skip
    assert checked.lines[0].net_price == Money(Decimal("25.00"), "EUR")
    assert checked.net_total == Money(Decimal("50.00"), "EUR")
    assert sap.journal() == []


async def test_sales_order_is_created_and_found_by_our_reference(sap: Sap) -> None:
    """A quote in the reference is no way out of the filter; a second sending really books twice."""
    call = sap.order("o'neil/1")

    assert await sap.client.look_up(call) == Absent()
    done = await sap.client.send(call)
    assert await sap.client.look_up(call) == replace(done, answer=b"")
    await sap.client.send(call)

    assert sap.journal() == [
        ("sales_order.create", "o'neil/1", "0000000001"), ("sales_order.create", "o'neil/1", "0000000002"),
    ]  # fmt: skip


async def test_cancel_is_harmless_when_repeated(sap: Sap) -> None:
    """All items are rejected in one change set; the second time nothing changes."""
    order = await sap.ordered()
    call = sap.cancel(order)

    first, second = await sap.client.send(call), await sap.client.send(call)

    assert first == second
    assert first.receipt.document == order
    assert sap.journal("sales_order.cancel") == [("sales_order.cancel", REFERENCE, order)]


async def test_reservation_is_booked_once_per_change(sap: Sap) -> None:
    """Several changed values are one booking, the same values again are none, other values are another."""
    order = await sap.ordered()

    for quantity in (1, 1, 2):
        assert isinstance(await sap.client.send(sap.reservation(order, quantity)), Done)

    item = sap.twin.books.get("order", order)["items"]["10"]
    assert (item["confirmed"], item["StorageLocation"], item["ProductionPlant"]) == ("2.000", "101A", "1010")
    assert len(sap.journal("reservation.update")) == 2


async def test_goods_issue_is_posted_once_however_often_it_is_sent(sap: Sap) -> None:
    """The second sending finds the delivery and its material document."""
    call = sap.goods_issue(await sap.ordered())
    assert await sap.client.look_up(call) == Absent()

    first = await sap.client.send(call)

    assert first.receipt.delivery == "80000000"
    assert first.document == first.receipt.document == "4900000000"
    assert await sap.client.send(replace(call, attempt=2)) == first
    assert await sap.client.send(sap.goods_issue("0000000001")) == first
    assert await sap.client.look_up(call) == first
    assert sap.journal()[1:] == [
        ("delivery.create", f"{SHIPMENT}|{REFERENCE}", "80000000"),
        ("goods_issue.post", f"{SHIPMENT}|{REFERENCE}", "4900000000"),
    ]


async def test_two_shipments_of_one_order_are_two_deliveries(sap: Sap) -> None:
    """Partial shipments share the order and nothing else, also where the key has to be hashed."""
    order = await sap.ordered()
    long = "WMS-EU-CENTRAL-2026-0000000077"

    first = await sap.client.send(sap.goods_issue(order, 1))
    second = await sap.client.send(sap.goods_issue(order, 1, long))

    assert first.receipt.delivery != second.receipt.delivery
    assert [row[1] for row in sap.journal("goods_issue.post")] == [
        f"{SHIPMENT}|{REFERENCE}",
        f"{long}|{REFERENCE}",
    ]


async def test_freight_is_accrued_and_found_by_the_effect(sap: Sap) -> None:
    """The look-up knows the effect, not the shipment; sent twice it is booked twice, as in SAP."""
    call = sap.freight()
    assert await sap.client.look_up(call) == Absent()

    done = await sap.client.send(call)

    assert done.receipt.amount == Money(Decimal("7.77"), "EUR")
    assert await sap.client.look_up(call) == done
    assert await sap.client.look_up(sap.freight()) == Absent()
    await sap.client.send(call)
    assert sap.journal() == [
        ("freight.accrue", SHIPMENT, "0100000000"),
        ("freight.accrue", SHIPMENT, "0100000001"),
    ]


async def test_milestones_are_kept_as_a_list_and_prove_delivery(sap: Sap) -> None:
    """Each milestone is one line; a repeated one changes nothing; `delivered` dates the header."""
    delivery = await sap.delivered()

    for milestone in ("in_transit", "in_transit", "delivered", "in_transit"):
        done = await sap.client.send(sap.milestone(delivery, milestone))
        assert (done.receipt.milestone, done.receipt.document) == (milestone, delivery)

    kept = sap.twin.books.get("delivery", delivery)
    assert len(kept["texts"]["TX05"].split("\n")) == 2
    assert kept["proof"] == mapping.odata_date(DEPARTED)
    assert [row[1] for row in sap.journal("milestone.record")] == [
        f"{SHIPMENT}|{REFERENCE}|in_transit", f"{SHIPMENT}|{REFERENCE}|delivered",
    ]  # fmt: skip


async def test_milestones_at_the_same_time_do_not_overwrite_each_other(sap: Sap) -> None:
    """ETags make concurrent writers read again."""
    delivery = await sap.delivered()
    calls = [sap.milestone(delivery, "in_transit", f"1Z{number}") for number in range(3)]

    outcomes = await asyncio.gather(*(sap.client.send(call) for call in calls))

    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert len(sap.twin.books.get("delivery", delivery)["texts"]["TX05"].split("\n")) == 3


async def test_invoice_is_released_once(sap: Sap) -> None:
    """SAP refuses a second billing; that is the same invoice, not an error."""
    call = sap.invoice(await sap.delivered())
    assert await sap.client.look_up(call) == Absent()

    done = await sap.client.send(call)

    assert (done.document, done.receipt.shipment) == ("90000000", SHIPMENT)
    assert await sap.client.send(call) == await sap.client.look_up(call) == done
    assert sap.journal("invoice.release") == [("invoice.release", f"{SHIPMENT}|{REFERENCE}", "90000000")]


async def test_what_a_supplier_sends_is_billed_by_its_order(sap: Sap) -> None:
    """Once, though an answer is lost; an order of which nothing is a third party's has no such billing."""
    total = Money(Decimal(25), "EUR")
    third = requests.CreateSalesOrder("shop-eu/77", "77", (LINE,), "DROP1", total)
    order = (await sap.done(sap.call("sales_order.create", third))).document
    call = sap.call("invoice.release", requests.ReleaseInvoice("shop-eu/77", "V-1", order, "", ""))
    assert await sap.client.look_up(call) == Absent()
    sap.quirk(answer_lost=1.0)
    await sap.client.send(call)
    sap.quirk(answer_lost=0.0)

    found = await sap.client.look_up(call)

    assert isinstance(found, Done)
    assert await sap.client.send(call) == found
    assert [key for _, _, key in sap.journal("invoice.release")] == [found.document]
    own = sap.call("invoice.release", requests.ReleaseInvoice(REFERENCE, "V-2", await sap.ordered(), "", ""))
    refused = await sap.client.send(own)
    assert isinstance(refused, Refused)
    assert refused.code == "VF/016"


async def test_upserts_and_queries_need_no_look_up(sap: Sap) -> None:
    """They say so, without calling a person."""
    for call in (sap.check(), sap.cancel("1"), sap.milestone("1"), sap.reservation("1")):
        answer = await sap.client.look_up(call)
        assert isinstance(answer, CannotTell)
        assert not answer.for_ever


# --- refusals ----------------------------------------------------------------------------------------------


async def test_business_refusals_carry_saps_words(sap: Sap) -> None:
    """Code and reason come from SAP, and nothing is booked."""
    order = await sap.ordered()
    delivery = (await sap.client.send(sap.goods_issue(order))).receipt.delivery
    booked = len(sap.journal())
    cases = {
        "V1/382": sap.order("shop/2", replace_line(LINE, "1", "NOPE")),
        "V1/302": sap.cancel("0000009999"),
        "VL/363": sap.goods_issue(order, 1, "S-78"),
        "V1/499": sap.cancel(order),
        "V1/114": sap.reservation(order, 3),
        "VL/559": sap.milestone("89999999"),
    }

    outcomes = {code: await sap.client.send(call) for code, call in cases.items()}

    assert {code: getattr(outcome, "code", outcome) for code, outcome in outcomes.items()} == {
        x: x for x in cases
    }
    assert "NOPE" in outcomes["V1/382"].reason
    assert len(sap.journal()) == booked
    assert delivery


async def test_client_refuses_what_sap_could_not_keep(sap: Sap) -> None:
    """A longer reference would be cut off and never found again; an unknown line has no item."""
    long = await sap.client.send(sap.order("shop/" + "9" * 40))
    line = await sap.client.send(sap.reservation(await sap.ordered(), line="other"))

    assert isinstance(long, Refused)
    assert long.code == "reference_too_long"
    assert isinstance(line, Refused)
    assert line.code == "unknown_line"


async def test_invoice_before_goods_issue_is_refused(sap: Sap) -> None:
    """The period is closed, so the delivery stays open and cannot be billed."""
    sap.quirk(period_closed=1)
    call = sap.goods_issue(await sap.ordered())

    refused = await sap.client.send(call)

    assert isinstance(refused, Refused)
    assert "is not open" in refused.reason
    assert await sap.client.look_up(call) == Absent(half_done=True)
    assert (await sap.client.send(sap.invoice("80000000"))).code == "VF/045"
    sap.quirk(period_closed=0)
    assert isinstance(await sap.client.send(replace(call, attempt=2)), Done)
    assert len(sap.journal("delivery.create")) == 1


async def test_accrual_that_sap_refuses_names_the_cause(sap: Sap) -> None:
    """The cause is the last log item; no document was posted."""
    account = replace(sap.account, settings={**sap.account.settings, "freight_expense_account": "none"})
    payload = requests.AccrueFreight(SHIPMENT, "ups", Money(Decimal(1), "EUR"), DEPARTED)
    body = mapping.render("freight.accrue", payload, People(), account)

    refused = await sap.client.send(replace(sap.freight(), body=body))

    assert (refused.code, "chart of accounts" in refused.reason) == ("506(F5)", True)
    assert sap.journal() == []


async def test_unreadable_body_and_unknown_kind_are_refused(sap: Sap) -> None:
    """Nothing is raised, whatever stands in the outbox."""
    assert (await sap.client.send(replace(sap.order(), body=b"{}"))).code == "body"
    assert (await sap.client.look_up(replace(sap.order(), body=b"nonsense"))).for_ever
    assert (await sap.client.send(replace(sap.order(), kind="label.void"))).code == "unsupported"
