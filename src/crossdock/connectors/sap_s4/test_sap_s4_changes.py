"""SAP S/4HANA: changed orders, several nodes and deliveries, and freight that comes out differently."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from crossdock.connect.contract import Absent, Done, Refused, Unknown
from crossdock.connectors.sap_s4 import mapping
from crossdock.connectors.sap_s4.configured import at_location
from crossdock.connectors.sap_s4.conftest import (
    ACCOUNT,
    BILLED,
    DEPARTED,
    LINE,
    REFERENCE,
    SHIPMENT,
    Sap,
    replace_line,
)
from crossdock.errors import Rejected
from crossdock.model import requests
from crossdock.model.money import Money
from crossdock.model.order import OrderLine, SalesOrderChanged
from crossdock.model.party import People
from crossdock.model.quantity import Quantity
from crossdock.model.shipment import FreightAdjusted, FreightShare

SECOND = replace_line(LINE, "14002", "RARE")


def of(quantity: str, line: str = "14001", item: str = "WID-1", location: str = "") -> OrderLine:
    return OrderLine(
        line, item, Quantity(Decimal(quantity)), Money(Decimal("12.50"), "EUR"), location=location
    )


def detail(row: tuple[str, ...]) -> dict[str, Any]:
    return json.loads(row[0])


def items(sap: Sap, order: str) -> list[tuple[str, str, str, str]]:
    """Line, material, quantity and reason for rejection of every item."""
    names = ("ExternalItemID", "Material", "RequestedQuantity", "SalesDocumentRjcnReason")
    rows = sap.twin.books.get("order", order)["items"].values()
    return [tuple(row[name] for name in names) for row in rows]


# --- changing a sales order --------------------------------------------------------------------------------


async def test_a_change_makes_the_document_say_what_the_order_says(sap: Sap) -> None:
    """One quantity changes, one line is added, the one that is not named is rejected; once."""
    order = (await sap.done(sap.order(REFERENCE, LINE, SECOND))).document
    call = sap.change(order, of("3"), of("1", "14003", "WID-9"))

    first = await sap.client.send(call)
    again = await sap.client.send(call)

    assert first == again == Done(document=order, receipt=SalesOrderChanged(order))
    assert items(sap, order) == [
        ("14001", "WID-1", "3.000", ""), ("14002", "RARE", "2.000", "00"), ("14003", "WID-9", "1.000", ""),
    ]  # fmt: skip
    assert sap.journal("sales_order.change") == [("sales_order.change", REFERENCE, order)]
    assert sap.journal("sales_order.cancel") == []


async def test_a_change_that_changes_nothing_writes_nothing(sap: Sap) -> None:
    """The document says so already."""
    order = await sap.ordered()

    assert isinstance(await sap.client.send(sap.change(order, of("2"))), Done)
    assert sap.journal("sales_order.change") == []


async def test_a_lost_answer_of_a_change_is_no_second_item(sap: Sap) -> None:
    """The added line stands there already when the change is sent again."""
    order = await sap.ordered()
    call = sap.change(order, LINE, of("1", "14003", "WID-9"))
    sap.quirk(answer_lost=1)
    assert isinstance(await sap.client.send(call), Unknown)
    sap.quirk(answer_lost=0)

    assert isinstance(await sap.client.send(call), Done)
    assert [row[0] for row in items(sap, order)] == ["14001", "14003"]
    assert len(sap.journal("sales_order.change")) == 1


async def test_a_change_that_meets_another_one_reads_again(sap: Sap) -> None:
    """Somebody changed the document under our hands: the change still succeeds."""
    order = await sap.ordered()
    sap.quirk(etag_conflict=1)

    assert isinstance(await sap.client.send(sap.change(order, of("5"))), Done)
    assert items(sap, order) == [("14001", "WID-1", "5.000", "")]


@pytest.mark.parametrize(
    ("delivered", "lines", "code"),
    [
        (2, (of("3"),), "V1/497"),
        (1, (of("0.5"),), "V1/497"),
        (2, (of("1", "14003", "WID-9"),), "V1/499"),
        (1, (of("2", "14001", "WID-9"),), "V1/499"),
    ],
)
async def test_what_is_delivered_cannot_be_changed_away(
    sap: Sap, delivered: int, lines: tuple[OrderLine, ...], code: str
) -> None:
    """Completely delivered, below what was delivered, dropped, substituted: refused, and nothing of it done."""
    order = await sap.ordered()
    await sap.done(sap.goods_issue(order, delivered))
    before = items(sap, order)

    refused = await sap.client.send(sap.change(order, *lines))

    assert isinstance(refused, Refused)
    assert refused.code == code
    assert items(sap, order) == before
    assert sap.journal("sales_order.change") == []


async def test_the_rest_of_a_partly_delivered_line_can_be_closed(sap: Sap) -> None:
    """The ordered quantity falls to what was delivered."""
    order = await sap.ordered()
    await sap.done(sap.goods_issue(order, 1))

    assert isinstance(await sap.client.send(sap.change(order, of("1"))), Done)
    assert items(sap, order) == [("14001", "WID-1", "1.000", "")]


async def test_a_substituted_material_leaves_only_after_the_order_was_changed(sap: Sap) -> None:
    """Else SAP would post the material that was ordered, and the wrong stock would fall."""
    order = await sap.ordered()
    early = await sap.client.send(sap.goods_issue(order, 2, item="WID-9"))
    await sap.done(sap.change(order, of("2", item="WID-9")))
    posted = await sap.client.send(sap.goods_issue(order, 2, item="WID-9"))

    assert isinstance(early, Refused)
    assert (early.code, "WID-1" in early.reason, "WID-9" in early.reason) == ("other_material", True, True)
    assert isinstance(posted, Done)
    delivery = sap.twin.books.get("delivery", posted.receipt.delivery)
    assert [(row["item"], row["Material"]) for row in delivery["items"]] == [("20", "WID-9")]
    assert items(sap, order)[0] == ("14001", "WID-1", "2.000", "00")


async def test_a_substitution_that_is_taken_back_leaves_by_the_open_item(sap: Sap) -> None:
    """Rejected items of the same line and material stay in the document and are no longer delivered from."""
    order = await sap.ordered()
    await sap.done(sap.change(order, of("2", item="WID-9")))
    await sap.done(sap.change(order, of("2")))

    assert [row[3] for row in items(sap, order)] == ["00", "00", ""]
    posted = await sap.done(sap.goods_issue(order))
    delivery = sap.twin.books.get("delivery", posted.receipt.delivery)
    assert [row["item"] for row in delivery["items"]] == ["30"]


# --- several nodes and several deliveries ------------------------------------------------------------------


async def test_a_line_split_over_nodes_is_an_item_at_each_plant(sap: Sap) -> None:
    """Each node's goods issue takes the item of its own plant, each reservation too."""
    lines = (of("2", location="SITE1"), of("3", location="SITE2"))
    order = (await sap.done(sap.order(REFERENCE, *lines))).document
    second = await sap.done(sap.goods_issue(order, 3, "S-78", location="SITE2"))
    await sap.done(sap.reservation(order, 2))
    first = await sap.done(sap.goods_issue(order, 2, location="SITE1"))

    rows = sap.twin.books.get("order", order)["items"]
    assert {key: row["ProductionPlant"] for key, row in rows.items()} == {"10": "1010", "20": "1020"}
    taken = {
        key: sap.twin.books.get("delivery", done.receipt.delivery)["items"][0]["item"]
        for key, done in (("SITE1", first), ("SITE2", second))
    }
    assert taken == {"SITE1": "10", "SITE2": "20"}
    assert (rows["10"]["StorageLocation"], rows["20"]["StorageLocation"]) == ("101A", "")


async def test_a_change_moves_a_line_to_another_node(sap: Sap) -> None:
    """The item stays, its plant changes; a line split anew gets a second item."""
    order = (await sap.done(sap.order(REFERENCE, of("4", location="SITE1")))).document
    await sap.done(sap.change(order, of("4", location="SITE2")))
    moved = sap.twin.books.get("order", order)["items"]
    await sap.done(sap.change(order, of("3", location="SITE2"), of("1", location="SITE1")))
    split = sap.twin.books.get("order", order)["items"]

    assert [row["ProductionPlant"] for row in moved.values()] == ["1020"]
    assert [(row["ProductionPlant"], row["RequestedQuantity"]) for row in split.values()] == [
        ("1020", "3.000"), ("1010", "1.000"),
    ]  # fmt: skip


def test_a_check_asks_for_each_line_at_its_own_plant() -> None:
    """A line without a node of its own is asked for where the order ships from."""
    payload = requests.CheckOrder(REFERENCE, (of("1", location="SITE1"), of("1", "14002")), "SITE2")
    rows = mapping.from_check(payload, People(), ACCOUNT).document["to_Item"]["results"]

    assert [row["ProductionPlant"] for row in rows] == ["1010", "1020"]


@pytest.mark.parametrize(
    ("configured", "location", "value"),
    [("1010", "SITE2", "1010"), ("SITE1=A, SITE2=B", "SITE2", "B"), ("SITE1=A", "SITE2", ""), ("", "X", "")],
)
def test_settings_may_differ_by_location(configured: str, location: str, value: str) -> None:
    """One for all, or a list; what is not in the list is SAP's to determine."""
    account = replace(ACCOUNT, settings={**ACCOUNT.settings, "shipping_point": configured})

    assert at_location("shipping_point", location, account) == value


async def test_partial_deliveries_have_their_own_goods_issues_and_invoices(sap: Sap) -> None:
    """Three deliveries of one order line add up to it; a fourth finds nothing left."""
    order = (await sap.done(sap.order(REFERENCE, of("6")))).document
    invoices = []
    for number, quantity in enumerate((1, 2, 3)):
        posted = await sap.done(sap.goods_issue(order, quantity, f"S-{number}"))
        invoices.append((await sap.done(sap.invoice(posted.receipt.delivery))).document)
    over = await sap.client.send(sap.goods_issue(order, 1, "S-9"))

    assert len(set(invoices)) == 3
    assert [row[1] for row in sap.journal("invoice.release")] == [f"S-{n}|{REFERENCE}" for n in range(3)]
    assert (over.code, "0.000 of item 10" in over.reason) == ("VL/363", True)
    rows = sap.twin.books.rows("select detail from journal where effect = 'goods_issue.post' order by id")
    assert [text.count('"WID-1": "3.000"') for (text,) in rows] == [0, 0, 1]


@pytest.mark.parametrize(
    ("quantities", "accepted"), [((11,), True), ((12,), False), ((6, 5), True), ((6, 6), False)]
)
async def test_a_tenth_more_than_ordered_may_be_delivered(
    sap: Sap, quantities: tuple[int, ...], accepted: bool
) -> None:
    """Over all deliveries of the item; above that SAP refuses."""
    order = (await sap.done(sap.order(REFERENCE, of("10")))).document
    outcomes = [
        await sap.client.send(sap.goods_issue(order, quantity, f"S-{number}"))
        for number, quantity in enumerate(quantities)
    ]

    assert isinstance(outcomes[-1], Done) == accepted
    if not accepted:
        assert outcomes[-1].code == "VL/363"


async def test_a_closed_period_refuses_until_it_is_opened(sap: Sap) -> None:
    """A business refusal, however often it is tried; afterwards one goods issue on the delivery that waited."""
    call = sap.goods_issue(await sap.ordered())
    sap.quirk(period_closed=1)
    refused = [await sap.client.send(replace(call, attempt=number)) for number in (1, 2)]
    sap.quirk(period_closed=0)

    assert [outcome.code for outcome in refused] == ["F5/201", "F5/201"]
    assert isinstance(await sap.client.send(replace(call, attempt=3)), Done)
    assert (len(sap.journal("delivery.create")), len(sap.journal("goods_issue.post"))) == (1, 1)


# --- freight -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("difference", ["12.40", "-12.40"])
async def test_freight_is_adjusted_once_per_bill(sap: Sap, difference: str) -> None:
    """Up or down, posted on the day of the bill; the same bill under another effect is the same entry."""
    call = sap.adjustment(difference)
    assert await sap.client.look_up(call) == Absent()
    first = await sap.client.send(call)
    again = await sap.client.send(sap.adjustment(difference))

    adjusted = FreightAdjusted("0100000000", Money(Decimal(difference), "EUR"))
    assert first == again == Done(document="0100000000", receipt=adjusted)
    assert await sap.client.look_up(sap.adjustment(difference)) == first
    assert await sap.client.look_up(sap.adjustment(difference, "RDWY-2")) == Absent()
    key = f"{SHIPMENT}/RDWY-50001"
    assert sap.journal() == [("freight.adjust", key, "0100000000")]
    [told] = [detail(row) for row in sap.twin.books.rows("select detail from journal")]
    assert (told["amount"], told["posted_on"]) == (difference, BILLED.isoformat())


async def test_a_lost_answer_of_an_adjustment_is_found(sap: Sap) -> None:
    """Never twice, though nobody heard of the first."""
    call = sap.adjustment("1.00")
    sap.quirk(answer_lost=1)

    assert isinstance(await sap.client.send(call), Unknown)
    assert isinstance(await sap.client.look_up(call), Done)
    assert isinstance(await sap.client.send(call), Done)
    assert len(sap.journal("freight.adjust")) == 1


def shares(*amounts: str, currency: str = "EUR") -> tuple[FreightShare, ...]:
    return tuple(
        FreightShare(f"shop-eu/{number}", Money(Decimal(amount), currency))
        for number, amount in enumerate(amounts)
    )


async def test_shares_are_items_of_their_own_and_add_up(sap: Sap) -> None:
    """Each order's share is told; the whole is what it was without shares."""
    amount = Money(Decimal("10.00"), "EUR")
    payload = requests.AccrueFreight(SHIPMENT, "ups", amount, DEPARTED, shares("3.33", "6.67", "0"))
    await sap.done(sap.call("freight.accrue", payload))
    await sap.done(sap.adjustment("-1.00", "B-1", *shares("-0.40", "-0.60")))

    told = [detail(row) for row in sap.twin.books.rows("select detail from journal order by id")]
    assert [row["amount"] for row in told] == ["10.00", "-1.00"]
    assert [row["shares"] for row in told] == [
        {"shop-eu/0": "3.33", "shop-eu/1": "6.67"}, {"shop-eu/0": "-0.40", "shop-eu/1": "-0.60"},
    ]  # fmt: skip
    assert [row[:2] for row in sap.journal()] == [
        ("freight.accrue", SHIPMENT), ("freight.adjust", f"{SHIPMENT}/B-1"),
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", [shares("3.33", "6.66"), shares("3.33", "6.67", currency="USD")])
def test_shares_that_do_not_add_up_are_rejected(wrong: tuple[FreightShare, ...]) -> None:
    """They would leave the journal entry out of balance."""
    payload = requests.AccrueFreight(SHIPMENT, "ups", Money(Decimal("10.00"), "EUR"), DEPARTED, wrong)
    with pytest.raises(Rejected) as caught:
        mapping.render("freight.accrue", payload, People(), ACCOUNT)

    assert caught.value.path == "/shares"


async def test_bodies_of_before_are_still_carried_out(sap: Sap) -> None:
    """What an older version rendered waits in the outbox and lacks the newer fields."""
    order = await sap.ordered()
    call = sap.goods_issue(order)
    for new in (b',"material":"WID-1"', b',"plant":"1010"'):
        assert new in call.body
        call = replace(call, body=call.body.replace(new, b""))

    assert isinstance(await sap.client.send(call), Done)
