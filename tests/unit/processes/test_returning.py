"""Returns: what comes back is not for sale until it was judged, and is credited once, as it was sold."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.model import movement as m
from crossdock.model import order as o
from crossdock.model import returning as r
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.order import LineShipped
from crossdock.model.registry import TYPE_OF
from crossdock.processes import intents as i
from crossdock.processes import order
from crossdock.processes.lines import Line
from crossdock.processes.order_state import Part
from crossdock.processes.policy import Policy
from crossdock.processes.returning_state import State
from crossdock.processes.routing import Node, Routing
from unit.processes.goods import NOW, Goods, qty

POLICY = Policy(
    erp="sap-1", warehouse="wms-1", location="SITE1",
    routing=Routing(nodes={"SITE1": Node("wms-1"), "SITE2": Node("wms-2", erp="sap-2")}),
)  # fmt: skip
THREAD = "return/shopify-eu/77"
ORDER = "shopify-eu/1001"
PRICE = Money(Decimal("12.50"), "EUR")


def wanted(quantity: int = 3, line: str = "1") -> r.ReturnLine:
    return r.ReturnLine(line, f"{line}0", f"I-{line}", qty(quantity), "too small")


def authorised(*lines: r.ReturnLine, **more: object) -> r.ReturnAuthorised:
    return r.ReturnAuthorised("#1001-R1", ORDER, lines or (wanted(),), **more)  # type: ignore[arg-type]


def matched(*parts: tuple[str, int, str, str], known: bool = True) -> r.ReturnMatched:
    """(line, quantity, shipment, invoice)"""
    lines = tuple(
        r.MatchedLine(
            line, f"{line}0", f"I-{line}", qty(quantity), PRICE, shipment, f"GI-{shipment}", invoice
        )
        for line, quantity, shipment, invoice in parts
    )
    return r.ReturnMatched(lines, known, "sap-2", "#1001", "4711")


def came(receipt: str, quantity: int, line: str = "1", **more: str) -> m.InboundReceived:
    return m.InboundReceived(
        receipt,
        more.pop("location", "SITE1"),
        (m.ReceivedLine(line, f"I-{line}", qty(quantity), **more),),  # type: ignore[arg-type]
    )


def judged(name: str, *told: tuple[int, r.Disposition], line: str = "1") -> r.ReturnDispositioned:
    lines = tuple(
        r.JudgedLine(line, f"I-{line}", qty(quantity), disposition) for quantity, disposition in told
    )
    return r.ReturnDispositioned(name, "SITE1", lines)


def sent_back(quantity: int = 3, invoice: str = "INV-1") -> Goods:
    """Authorised, matched with its order, known to the warehouse, and received."""
    made = Goods(THREAD, POLICY)
    made.hear(authorised(wanted(quantity)), "shopify-eu")
    made.hear(matched(("1", quantity, "wms-1/S-1", invoice)), "crossdock")
    made.hear(m.InboundAnnounced("ASN-1"))
    made.hear(came("R-1", quantity))
    return made


def test_what_was_sold_for_an_owner_comes_back_to_him() -> None:
    """Whether his order is known before the goods are back or after; nothing of it is ours to sell."""
    known = Goods(THREAD, POLICY)
    answer = msgspec.structs.replace(matched(("1", 3, "wms-1/S-1", "INV-1")), owner="ACME")
    known.hear(authorised(wanted(3)), "shopify-eu")
    late = Goods(THREAD, POLICY)
    late.hear(came("R-1", 3, lot="L1"))
    late.hear(authorised(wanted(3)), "shopify-eu")
    for made in (known, late):
        made.hear(answer, "crossdock")
        made.hear(came("R-1", 3, lot="L1"))
        assert made.buckets() == made.buckets(owner="ACME") == {"returned": 3}
        made.hear(r.ReturnDispositioned("I-1", "SITE1", (r.JudgedLine("1", "I-1", qty(3), "restock", "L1"),)))
        assert made.buckets() == made.buckets(owner="ACME") == {"available": 3}
        assert made.short == []


def test_what_comes_back_is_on_hand_and_not_for_sale() -> None:
    """The warehouse is told of it, the order is asked, and the goods wait for their inspection."""
    made = sent_back()

    assert made.buckets() == {"returned": 3}
    [told] = made.asked("inbound.announce")
    assert (told.reference, told.lines[0].quantity) == (THREAD, qty(3))
    assert (made.summary.phase, made.summary.owner) == ("received", "wms-1")
    assert made.asked("credit.post") == []
    assert made.asked("goods_receipt.post") == []


def test_each_disposition_goes_its_way_and_all_are_credited_as_sold() -> None:
    """Back for sale, aside, to the supplier, destroyed: one goods receipt and one credit, in the order's ERP."""
    made = sent_back(6)

    made.hear(judged("INS-1", (2, "restock"), (1, "refurbish"), (1, "vendor"), (2, "scrap")))

    assert made.buckets() == {"available": 2, "quarantine": 1}
    [receipt] = made.asked("goods_receipt.post")
    assert [(x.line, x.quantity.value, x.condition) for x in receipt.lines] == [
        ("10", 2, "good"), ("10", 1, "quarantine"), ("10", 1, "damaged"), ("10", 2, "damaged"),
    ]  # fmt: skip
    assert (receipt.order, receipt.of) == ("4711", "return")
    [scrap] = made.asked("stock_adjustment.post")
    assert (scrap.change, scrap.condition, scrap.quantity, scrap.document) == (
        "scrap",
        "damaged",
        qty(2),
        "INS-1",
    )
    booked = [
        (x.kind, x.account, x.lane)
        for x in made.done
        if x.kind in ("goods_receipt.post", "stock_adjustment.post")
    ]
    assert booked == [(x, "sap-2", "shopify-eu/77") for x in ("goods_receipt.post", "stock_adjustment.post")]
    [credit] = made.asked("credit.post")
    [line] = credit.lines
    assert (line.quantity, line.price, line.goods_issue, line.invoice) == (
        qty(6),
        PRICE,
        "GI-wms-1/S-1",
        "INV-1",
    )
    assert {x.account for x in made.done if x.kind in ("goods_receipt.post", "credit.post")} == {"sap-2"}
    made.hear(m.GoodsReceiptPosted("MD-1", "INS-1"), "sap-2", about="shopify-eu/77/INS-1")
    made.hear(r.CreditPosted("CR-1"), "sap-2", about="shopify-eu/77/INS-1")
    assert made.summary == i.Summary("credited", done=True, number="#1001-R1", lots=(("I-1", ""),))


def test_what_was_not_billed_yet_is_credited_when_it_is() -> None:
    """The goods are taken back at once; the credit waits for the invoice it corrects."""
    made = sent_back(invoice="")
    made.hear(judged("INS-1", (3, "restock")))
    made.hear(m.GoodsReceiptPosted("MD-1", "INS-1"), "sap-2", about="shopify-eu/77/INS-1")

    assert made.asked("credit.post") == []
    assert made.summary.waiting_on == "the invoice of the original sale in sap-2"
    made.hear(matched(("1", 3, "wms-1/S-1", "INV-9")), "crossdock")

    [credit] = made.asked("credit.post")
    assert credit.lines[0].invoice == "INV-9"


def test_inspections_share_what_left_and_never_credit_more() -> None:
    """Two shipments, three inspections, one piece more than was sold: credited is what left, oldest shipment first."""
    made = Goods(THREAD, POLICY)
    made.hear(authorised(wanted(4)), "shopify-eu")
    made.hear(matched(("1", 2, "wms-1/S-1", "INV-1"), ("1", 1, "wms-1/S-2", "INV-2")), "crossdock")
    assert "accept/beyond" in made.cases
    made.hear(came("R-1", 4))
    for number in range(4):
        made.hear(judged(f"INS-{number}", (1, "restock")))

    credited = [(x.shipment, x.quantity.value) for p in made.asked("credit.post") for x in p.lines]
    assert credited == [("wms-1/S-1", 1), ("wms-1/S-1", 1), ("wms-1/S-2", 1)]
    assert made.buckets() == {"available": 4}


def test_a_refund_before_the_goods_is_not_made_again() -> None:
    """Credited at once; what is judged later moves stock and books a receipt only."""
    made = Goods(THREAD, POLICY)
    made.hear(authorised(credit="at_once"), "shopify-eu")
    made.hear(matched(("1", 3, "wms-1/S-1", "INV-1")), "crossdock")

    assert [p.inspection for p in made.asked("credit.post")] == [""]
    made.hear(came("R-1", 3))
    made.hear(judged("INS-1", (3, "restock")))

    assert len(made.asked("credit.post")) == 1
    assert len(made.asked("goods_receipt.post")) == 1
    assert made.buckets() == {"available": 3}


def test_an_inspection_that_comes_first_waits_for_the_goods() -> None:
    """Whatever the order of the two, each happens once."""
    made = Goods(THREAD, POLICY)
    made.hear(authorised(), "shopify-eu")
    made.hear(matched(("1", 3, "wms-1/S-1", "INV-1")), "crossdock")

    assert made.hear(judged("INS-1", (3, "restock"))) == "waiting"
    assert made.buckets() == {}
    made.hear(came("R-1", 3))
    assert made.hear(judged("INS-1", (3, "restock"))) == "duplicate"
    assert made.hear(came("R-1", 3)) == "duplicate"

    assert made.buckets() == {"available": 3}
    assert len(made.asked("credit.post")) == 1


def test_goods_that_nobody_authorised_are_kept_and_asked_about() -> None:
    """Without a slip it becomes a case after a while; with one, a person decides whether it is credited."""
    made = Goods("return/wms-1/R-9", POLICY)
    made.hear(came("R-9", 2))
    assert made.buckets() == {"returned": 2}
    made.fire("parent")
    assert "parent" in made.cases

    made.hear(r.ReturnIdentified(ORDER, (wanted(2),)))
    made.hear(matched(("1", 2, "wms-1/S-1", "INV-1")), "crossdock")
    made.hear(judged("INS-1", (2, "restock")))
    assert set(made.cases) == {"accept/blind"}
    assert made.buckets() == {"available": 2}
    assert made.asked("credit.post") == []

    made.hear(m.InboundAccepted("blind", "ada"), "operator/ada")
    assert made.cases == {}
    assert len(made.asked("credit.post")) == 1


def test_an_order_that_nobody_knows_is_a_case_and_asked_again() -> None:
    """Retrying the case asks the order once more."""
    made = Goods(THREAD, POLICY)
    made.hear(authorised(), "shopify-eu")
    made.hear(matched(known=False), "crossdock")

    assert "nobody knows" in made.cases["accept/beyond"].title
    made.hear(came("R-1", 3))
    made.hear(judged("INS-1", (3, "restock")))
    assert made.asked("credit.post") == []
    made.hear(matched(("1", 3, "wms-1/S-1", "INV-1")), "crossdock")
    assert made.cases == {}
    assert len(made.asked("credit.post")) == 1


def test_nobody_outside_speaks_for_the_order_and_only_the_site_for_its_goods() -> None:
    """A match from elsewhere, a receipt or an inspection by another warehouse: nothing happens."""
    made = Goods(THREAD, POLICY)
    made.hear(authorised(), "shopify-eu")

    assert made.hear(matched(("1", 3, "wms-1/S-1", "INV-1")), "shopify-eu") == "ignored"
    assert made.hear(came("R-1", 3), "wms-2") == "ignored"
    assert made.hear(judged("INS-1", (3, "restock")), "wms-2") == "ignored"
    assert made.buckets() == {}


def test_a_cancelled_return_expects_nothing_more() -> None:
    """The warehouse is told; before anything came it is over."""
    made = Goods(THREAD, POLICY)
    made.hear(authorised(), "shopify-eu")
    made.hear(r.ReturnCancelled("kept it"), "shopify-eu")

    assert made.asked("inbound.announce")[-1].cancelled
    assert (made.summary.phase, made.summary.done) == ("cancelled", True)


quantities = st.integers(1, 5)
dispositions = st.sampled_from(["restock", "refurbish", "vendor", "scrap"])
names = st.sampled_from(["1", "2"])
told = st.one_of(
    st.builds(lambda n, q, line: came(f"R-{n}", q, line), st.integers(0, 4), quantities, names),
    st.builds(lambda n, q, d, line: judged(f"I-{n}", (q, d), line=line), st.integers(0, 6), quantities, dispositions, names),
    st.builds(lambda q: authorised(wanted(q)), quantities),
    st.builds(lambda q, z: matched(("1", q, "S-1", "INV-1"), ("1", z, "S-2", ""), ("2", 1, "S-1", "INV-1")), quantities, quantities),
    st.sampled_from([r.ReturnCancelled(), m.InboundClosed("SITE1"), m.InboundAccepted("blind"), r.ReturnIdentified(ORDER, (wanted(),))]),
)  # fmt: skip


@settings(max_examples=400)
@given(st.lists(told, max_size=14))
def test_every_piece_is_accounted_for_and_credited_once(script: list[msgspec.Struct]) -> None:
    """Whatever is said in whatever order: the ledger holds what the lines say, and no more is credited than left."""
    made = Goods(THREAD, POLICY)
    most = Decimal(0)
    for event in script:
        made.hear(event, "crossdock" if isinstance(event, r.ReturnMatched) else "wms-1")
        if isinstance(event, r.ReturnMatched):
            most = max(most, sum(x.quantity.value for x in event.lines))
        state: State = made.state
        for item in ("I-1", "I-2"):
            mine = [x for x in state.lines if x.item == item]
            held = made.buckets(item=item)
            assert held.get("returned", 0) == sum(x.unjudged for x in mine)
            assert held.get("available", 0) == sum(x.restocked for x in mine)
            assert held.get("quarantine", 0) == sum(x.refurbished for x in mine)
    assert made.short == []
    judged_ = sum(x.judged for x in made.state.lines)
    credited = sum(x.quantity.value for p in made.asked("credit.post") for x in p.lines)
    assert credited <= min(judged_, most)
    booked = [x.object for x in made.done if x.kind == "goods_receipt.post"]
    assert len(booked) == len(set(booked))


def shipped(*parts: tuple[str, int, str]) -> order.State:
    """An order of which so much left with each shipment: (shipment, quantity, invoice)."""
    total = Decimal(sum(quantity for _, quantity, _ in parts))
    return order.State(
        form=2, reference=ORDER, number="#1001", phase="completed", total=Money(Decimal(50), "EUR"), erp="sap-2", sales_order="4711",
        lines=(Line("10", "I-1", "EA", PRICE.amount, total, shipped=total),),
        parts=tuple(
            Part(name, (LineShipped(ORDER, "10", "I-1", qty(quantity)),), shipped_at=NOW, goods_issue=f"GI-{name}", invoice=invoice)
            for name, quantity, invoice in parts
        ),
    )  # fmt: skip


def ask(
    state: order.State, thread: str, quantity: int, source: str = "crossdock"
) -> tuple[order.State, r.ReturnMatched | None]:
    """What the order answers a return."""
    data = r.ReturnAsked(thread, (wanted(quantity),))
    event = Recorded(
        thread=f"order/{ORDER}",
        type=TYPE_OF[type(data)],
        data=data,
        id="e",
        source=source,
        occurred_at=NOW,
        recorded_at=NOW,
    )
    step = order.step(state, event, POLICY)
    assert isinstance(step.state, order.State)
    told = [x.data for x in step.intents if isinstance(x, i.Tell)]
    return step.state, told[0] if told else None  # type: ignore[return-value]


def test_an_order_gives_back_what_left_once() -> None:
    """Oldest shipment first; a second return gets the rest, the first one asked again gets the same."""
    state = shipped(("S-1", 2, "INV-1"), ("S-2", 2, ""))

    state, first = ask(state, "return/a", 3)
    state, second = ask(state, "return/b", 3)
    state, again = ask(state, "return/a", 3)

    assert first is not None
    assert second is not None
    assert [(x.shipment, x.quantity.value, x.price, x.invoice) for x in first.lines] == [
        ("S-1", 2, PRICE, "INV-1"), ("S-2", 1, PRICE, ""),
    ]  # fmt: skip
    assert [(x.shipment, x.quantity.value) for x in second.lines] == [("S-2", 1)]
    assert again == first
    assert (first.erp, first.sales_order) == ("sap-2", "4711")


def test_an_invoice_that_comes_later_is_told_to_the_return() -> None:
    """Only returns of that shipment hear of it."""
    state, _ = ask(shipped(("S-1", 2, "INV-1"), ("S-2", 2, "")), "return/a", 3)
    data = o.InvoiceReleased(shipment="S-2", document="INV-2")
    event = Recorded(
        thread=f"order/{ORDER}", type=TYPE_OF[type(data)], data=data, id="e", source="sap-2", occurred_at=NOW, recorded_at=NOW, about="S-2"
    )  # fmt: skip

    step = order.step(state, event, POLICY)

    [told] = [x for x in step.intents if isinstance(x, i.Tell)]
    assert told.thread == "return/a"
    assert [x.invoice for x in told.data.lines] == ["INV-1", "INV-2"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("source", ["shopify-eu", "operator/ada"])
def test_only_returns_of_the_hub_ask_an_order(source: str) -> None:
    """Nobody outside takes the place of a return."""
    state, told = ask(shipped(("S-1", 2, "INV-1")), "return/a", 1, source)

    assert told is None
    assert state.back == ()


def test_an_order_that_nobody_placed_says_so() -> None:
    """The return hears that it is unknown, and nothing is kept for it."""
    state, told = ask(order.initial(f"order/{ORDER}"), "return/a", 1)

    assert told == r.ReturnMatched(known=False)
    assert state.phase == "new"


def test_a_shop_that_names_no_item_is_understood_by_the_order() -> None:
    """The order finds what left of the line, a substitute too; only then is the warehouse told what to expect."""
    line = r.ReturnLine("1", "10", "", qty(2))
    made = Goods(THREAD, POLICY)
    made.hear(authorised(line), "shopify-eu")
    assert made.asked("inbound.announce") == []

    event = Recorded(
        thread=f"order/{ORDER}", type="order.returnAsked.v1", data=r.ReturnAsked(THREAD, (line,)), id="e", source="crossdock",
        occurred_at=NOW, recorded_at=NOW,
    )  # fmt: skip
    state = shipped(("S-1", 2, "INV-1"))
    [told] = [x.data for x in order.step(state, event, POLICY).intents if isinstance(x, i.Tell)]
    made.hear(told, "crossdock")

    [announced] = made.asked("inbound.announce")
    assert [(x.item, x.quantity) for x in announced.lines] == [("I-1", qty(2))]
    made.hear(came("R-1", 2))
    made.hear(judged("INS-1", (2, "restock")))
    assert len(made.asked("credit.post")) == 1
