"""Inbound deliveries: what is expected, what came of it truck by truck, and that every quantity is accounted for."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.model import movement as m
from crossdock.model.stock import StockPlace, StockReceived
from crossdock.processes.inbound_state import State
from crossdock.processes.policy import Policy
from crossdock.processes.routing import Node, Routing
from unit.processes.goods import Goods, qty

POLICY = Policy(
    erp="sap-1", warehouse="wms-1", location="SITE1",
    routing=Routing(nodes={"SITE1": Node("wms-1"), "SITE2": Node("wms-2", erp="sap-2")}),
)  # fmt: skip
THREAD = "inbound/sap-1/4500000017"


def expected(
    *lines: tuple[str, str, int], location: str = "SITE1", owner: str = "", terms: str = ""
) -> m.InboundExpected:
    told = tuple(m.ExpectedLine(line, item, qty(quantity), owner) for line, item, quantity in lines)
    return m.InboundExpected(
        "4500000017", location, told, supplier="SUP-1", due_on=date(2026, 12, 1), terms=terms
    )


def came(
    receipt: str, *lines: tuple[str, str, int], location: str = "SITE1", **more: Any
) -> m.InboundReceived:
    told = tuple(m.ReceivedLine(line, item, qty(quantity), **more) for line, item, quantity in lines)
    return m.InboundReceived(receipt, location, told)


def goods(policy: Policy = POLICY) -> Goods:
    return Goods(THREAD, policy)


def ordered(quantity: int = 100, **more: Any) -> Goods:
    made = goods()
    made.hear(expected(("10", "WID-1", quantity), **more), "sap-1", sequence=1)
    made.hear(m.InboundAnnounced("ASN-1"))
    return made


def test_what_is_expected_is_told_and_not_for_sale() -> None:
    """The ledger expects it, the warehouse is told, and nothing of it is available."""
    made = goods()

    made.hear(expected(("10", "WID-1", 100)), "sap-1")

    assert made.buckets() == {"expected": 100}
    [told] = made.asked("inbound.announce")
    assert (told.reference, told.location, told.lines[0].quantity) == (THREAD, "SITE1", qty(100))
    assert made.done[0].account == "wms-1"
    assert made.summary.phase == "expected"
    made.hear(m.InboundAnnounced("ASN-1"))
    assert (made.summary.phase, made.summary.owner) == ("announced", "wms-1")


def test_trucks_come_one_by_one() -> None:
    """Every receipt moves expected goods to the shelf and is booked in the ERP of the site; at the end it is done."""
    made = ordered()

    made.hear(came("R-1", ("10", "WID-1", 40)))
    assert made.buckets() == {"expected": 60, "available": 40}
    assert made.summary.phase == "receiving"
    made.hear(came("R-2", ("10", "WID-1", 60)))
    assert made.buckets() == {"available": 100}

    posted = made.asked("goods_receipt.post")
    assert [(p.receipt, p.order, p.lines[0].quantity) for p in posted] == [
        ("R-1", "4500000017", qty(40)),
        ("R-2", "4500000017", qty(60)),
    ]
    assert (made.summary.phase, made.summary.waiting_on) == ("received", "the goods receipt in sap-1")
    for place, receipt in enumerate(("R-1", "R-2")):
        made.hear(m.GoodsReceiptPosted(f"50000{place}", receipt), "sap-1", about=receipt)
    assert made.summary.done
    assert made.cases == {}


def test_a_repeated_receipt_counts_once() -> None:
    """The receipt's number decides, however often it comes."""
    made = ordered()
    made.hear(came("R-1", ("10", "WID-1", 40)))

    assert made.hear(came("R-1", ("10", "WID-1", 40))) == "duplicate"
    assert made.buckets() == {"expected": 60, "available": 40}
    assert len(made.asked("goods_receipt.post")) == 1


def test_a_little_more_is_sold_and_named() -> None:
    """Within the tolerance more than ordered goes on the shelf, and purchasing has a case."""
    made = ordered()

    made.hear(came("R-1", ("10", "WID-1", 110)))

    assert made.buckets() == {"available": 110}
    assert "10 EA of WID-1" in made.cases["accept/over"].title


def test_far_too_much_is_put_aside_until_accepted() -> None:
    """Beyond the tolerance it waits in quarantine, lot by lot; the retry of its case brings it to the shelf."""
    made = ordered()
    made.hear(came("R-1", ("10", "WID-1", 100)))
    made.hear(came("R-2", ("10", "WID-1", 30), lot="L-2"))
    assert made.buckets() == {"available": 110, "quarantine": 20}
    assert made.buckets(lot="L-2") == {"available": 10, "quarantine": 20}

    made.hear(m.InboundAccepted("over", "ada"), "operator/ada")

    assert made.buckets() == {"available": 130}
    assert made.cases == {}
    assert not made.short


def test_short_is_closed_with_its_reason() -> None:
    """What never came goes back outside the books; what comes all the same is taken from there."""
    made = ordered()
    made.hear(came("R-1", ("10", "WID-1", 70)))

    made.hear(m.InboundClosed("SITE1", reason="supplier is out of it"), "wms-1")

    assert made.buckets() == {"available": 70}
    assert (made.state.lines[0].short, made.state.reason) == (Decimal(30), "supplier is out of it")
    made.hear(m.GoodsReceiptPosted("1", "R-1"), "sap-1", about="R-1")
    assert made.summary.done
    made.hear(came("R-2", ("10", "WID-1", 30)))
    assert made.buckets() == {"available": 100}
    assert made.state.lines[0].short == 0
    assert "accept/over" not in made.cases


def test_damage_and_quarantine_are_on_hand_and_not_for_sale() -> None:
    """Each condition has its bucket; damage becomes a case."""
    made = ordered()

    made.hear(came("R-1", ("10", "WID-1", 5), condition="damaged"))
    made.hear(came("R-2", ("10", "WID-1", 10), condition="quarantine"))

    assert made.buckets() == {"expected": 85, "damaged": 5, "quarantine": 10}
    assert "5 EA of WID-1" in made.cases["accept/damaged"].title
    made.hear(m.InboundAccepted("damaged", "ada"), "operator/ada")
    assert made.cases == {}


def test_what_stands_on_the_dock_is_sold_once_it_is_put_away() -> None:
    """Put away before we heard of the receipt counts as well."""
    for early in (False, True):
        made = ordered()
        receipt = came("R-1", ("10", "WID-1", 40), on_dock=True)
        stored = m.InboundStored("R-1", "SITE1", receipt.lines)
        made.hear(stored if early else receipt)
        if not early:
            assert made.buckets() == {"expected": 60, "quarantine": 40}
        made.hear(receipt if early else stored)

        assert made.buckets() == {"expected": 60, "available": 40}
        assert made.state.docked == ()
        assert not made.short


def test_too_much_on_the_dock_stays_aside_when_it_is_put_away() -> None:
    """Put-away sells what was ordered, not what waits for a person."""
    made = ordered()
    receipt = came("R-1", ("10", "WID-1", 130), on_dock=True)
    made.hear(receipt)
    made.hear(m.InboundStored("R-1", "SITE1", receipt.lines))

    assert made.buckets() == {"available": 110, "quarantine": 20}


def test_a_receipt_before_its_order_is_on_the_shelf_and_booked_later() -> None:
    """Nobody waits to sell what is there; the ERP is told once it is known what to book it to."""
    made = goods()
    made.hear(came("R-1", ("10", "WID-1", 40)))
    assert made.buckets() == {"available": 40}
    assert made.asked("goods_receipt.post") == []
    made.fire("parent")
    assert "parent" in made.cases

    made.hear(expected(("10", "WID-1", 100)), "sap-1")

    assert made.buckets() == {"available": 40, "expected": 60}
    assert [p.receipt for p in made.asked("goods_receipt.post")] == ["R-1"]
    assert made.cases == {}


def test_closed_before_its_order_is_still_booked() -> None:
    """The warehouse counted and closed it before anybody said what should come: what is missing is short, the rest is booked."""
    made = goods()
    made.hear(came("R-1", ("10", "WID-1", 40)))
    made.hear(m.InboundClosed("SITE1", reason="that is all"))

    made.hear(expected(("10", "WID-1", 50)), "sap-1")

    assert made.buckets() == {"available": 40}
    assert [p.receipt for p in made.asked("goods_receipt.post")] == ["R-1"]
    assert (made.state.lines[0].short, made.state.ended) == (10, "closed")
    assert made.asked("inbound.announce") == []


def test_what_was_accepted_is_not_asked_again() -> None:
    """A later receipt of another line, or the order said again, opens no case that a person has settled."""
    made = goods()
    made.hear(expected(("10", "WID-1", 10), ("20", "WID-2", 10)), "sap-1", sequence=1)
    made.hear(came("R-1", ("10", "WID-1", 11), ("30", "WID-9", 1)))
    for what in ("over", "unknown"):
        made.hear(m.InboundAccepted(what, "ada"), "operator/ada")
    assert made.cases == {}

    made.hear(came("R-2", ("20", "WID-2", 5)))
    made.hear(expected(("10", "WID-1", 10), ("20", "WID-2", 9)), "sap-1", sequence=2)

    assert made.cases == {}
    assert made.buckets() == {"available": 17, "expected": 4}


def test_goods_that_nobody_ordered_are_put_aside() -> None:
    """An item that is not in the order waits for a person and is not booked to it."""
    made = ordered()

    made.hear(came("R-1", ("10", "WID-9", 4)))

    assert made.buckets() == {"expected": 100, "quarantine": 4}
    assert made.asked("goods_receipt.post") == []
    made.hear(m.InboundAccepted("unknown", "ada"), "operator/ada")
    assert made.buckets() == {"expected": 100, "available": 4}


def test_an_order_that_changes_moves_what_is_expected() -> None:
    """The warehouse is told anew; an older word changes nothing, an equal one is a duplicate."""
    made = ordered()
    made.hear(came("R-1", ("10", "WID-1", 40)))

    more = expected(("10", "WID-1", 60), ("20", "WID-2", 5))
    assert made.hear(more, "sap-1", sequence=3) == "applied"
    assert made.buckets() == {"available": 40, "expected": 25}
    assert made.hear(more, "sap-1", sequence=3) == "duplicate"
    assert made.hear(expected(("10", "WID-1", 500)), "sap-1", sequence=2) == "stale"
    assert [x.generation for x in made.done if x.kind == "inbound.announce"] == [0, 1]


def test_an_order_that_covers_what_was_too_much_settles_it() -> None:
    """What was put aside can be sold, and what nobody had ordered is booked; both cases close."""
    made = ordered(10)
    made.hear(came("R-1", ("10", "WID-1", 15)))
    made.hear(came("R-2", ("20", "WID-2", 4)))
    assert set(made.cases) == {"accept/over", "accept/unknown"}
    assert made.buckets() == {"available": 11, "quarantine": 8}

    made.hear(expected(("10", "WID-1", 15), ("20", "WID-2", 4)), "sap-1", sequence=2)

    assert made.buckets() == {"available": 19}
    assert made.cases == {}
    assert [p.receipt for p in made.asked("goods_receipt.post")] == ["R-1", "R-2"]


def test_news_of_an_order_are_asked_for() -> None:
    """Each time, at the system that has them; an order without anything for us ends there."""
    made = goods()
    made.hear(m.InboundChanged("4500000017"), "sap-1")
    assert (made.summary.phase, made.summary.done) == ("asked", False)
    made.hear(m.InboundChanged("4500000017"), "sap-1")
    questions = [x for x in made.done if x.kind == "inbound.fetch"]
    assert [(x.account, x.generation) for x in questions] == [("sap-1", 0), ("sap-1", 1)]

    made.hear(m.InboundExpected("4500000017", "", ()), "sap-1")

    assert (made.summary.phase, made.summary.done) == ("empty", True)
    assert made.asked("inbound.announce") == []


def test_an_order_that_loses_all_its_lines_is_expected_no_more() -> None:
    """The warehouse is told that nothing will come."""
    made = ordered()
    made.hear(m.InboundExpected("4500000017", "", ()), "sap-1", sequence=2)

    assert made.buckets() == {}
    assert made.asked("inbound.announce")[-1].cancelled


def test_cancelled_before_anything_came() -> None:
    """Nothing is expected any more and the warehouse hears of it, also when the cancellation comes first."""
    made = ordered()
    made.hear(m.InboundCancelled("no money"), "sap-1")
    assert made.buckets() == {}
    assert made.summary.phase == "cancelled"
    assert made.asked("inbound.announce")[-1].cancelled

    first = goods()
    assert first.hear(m.InboundCancelled("no money"), "sap-1") == "waiting"
    first.hear(expected(("10", "WID-1", 100)), "sap-1")
    assert first.buckets() == {}
    assert first.asked("inbound.announce") == []
    assert first.summary.phase == "cancelled"


def sent_off(notice: str, quantity: int, carrier: str = "RDWY") -> m.InboundDispatched:
    return m.InboundDispatched(notice, (m.MovedLine("10", "WID-1", qty(quantity)),), carrier)


def test_goods_bought_from_departure_on_are_ours_on_the_road() -> None:
    """Under FCA they stand in the carrier's hands, once for each notice; the truck brings those first."""
    made = ordered(terms="FCA")
    assert made.hear(sent_off("DN-1", 40), "sap-1") == "applied"
    assert made.hear(sent_off("DN-1", 40), "sap-1") == "duplicate"

    assert made.buckets(possessor="RDWY") == {"in_transit_in": 40}
    assert made.buckets(possessor="") == {"expected": 60}
    made.hear(came("R-1", ("10", "WID-1", 50)))
    assert made.buckets() == {"expected": 50, "available": 50}
    assert made.short == []


def test_goods_bought_on_arrival_are_the_suppliers_until_then() -> None:
    """Under DAP a notice changes nothing in our books, nor do goods of another owner under any terms."""
    for made in (ordered(terms="DAP"), ordered(), ordered(terms="FCA", owner="SUP-1")):
        made.hear(sent_off("DN-1", 40), "sap-1")
        assert made.buckets() == {"expected": 100}


def test_a_notice_before_its_order_waits_for_the_terms() -> None:
    """It is ours once the order says so."""
    made = goods()
    assert made.hear(sent_off("DN-1", 40), "sap-1") == "waiting"
    assert made.buckets() == {}

    made.hear(expected(("10", "WID-1", 100), terms="EXW"), "sap-1")
    assert made.buckets() == {"expected": 60, "in_transit_in": 40}


def test_what_was_ours_and_did_not_come_is_somebodys_to_claim() -> None:
    """The delivery is closed with goods on the road: they leave the books, and a person hears of it."""
    made = ordered(terms="FCA")
    made.hear(sent_off("DN-1", 40), "sap-1")
    made.hear(came("R-1", ("10", "WID-1", 30)))
    made.hear(m.InboundClosed("SITE1"))

    assert made.buckets() == {"available": 30}
    assert "10 EA of WID-1" in made.cases["accept/road"].title
    made.hear(m.InboundAccepted("road", "ada"), "operator/ada")
    assert "accept/road" not in made.cases


def test_another_owner_keeps_the_title() -> None:
    """Consigned goods are on hand under their owner, and are not booked in our ERP."""
    made = ordered(owner="OWN-2")
    made.hear(came("R-1", ("10", "WID-1", 40)))

    assert made.buckets(owner="OWN-2") == {"expected": 60, "available": 40}
    assert made.buckets(owner="") == {}
    assert made.asked("goods_receipt.post") == []


def test_only_the_site_itself_says_what_it_received() -> None:
    """Another warehouse moves nothing and becomes a case; a person may close what the warehouse did not."""
    made = ordered()

    assert made.hear(came("R-1", ("10", "WID-1", 40)), "wms-2") == "ignored"
    assert made.hear(m.InboundClosed("SITE1"), "wms-2") == "ignored"
    assert made.buckets() == {"expected": 100}
    assert "authority" in made.cases
    assert made.hear(m.InboundClosed("SITE1"), "operator/ada") == "applied"
    assert made.buckets() == {}


def test_nonsense_is_refused_with_a_case() -> None:
    """Two lines with one number, another item under a known one, another site: nothing of it is applied."""
    made = ordered()
    for wrong in (
        expected(("10", "A", 1), ("10", "A", 1)),
        expected(("10", "WID-2", 1)),
        expected(("10", "WID-1", 1), location="SITE2"),
        expected(("10", "WID-1", -1)),
    ):
        assert made.hear(wrong, "sap-1") == "ignored"
        assert "value" in made.cases
    assert made.buckets() == {"expected": 100}


quantities = st.integers(0, 60)
lines = st.sampled_from(["10", "20", "99"])
conditions = st.sampled_from(["good", "good", "quarantine", "damaged"])
receipts = st.builds(
    lambda number, line, quantity, condition, docked, lot: m.InboundReceived(
        f"R-{number}", "SITE1",
        (m.ReceivedLine(line, f"I-{line}", qty(quantity + 1), condition, lot, on_dock=docked),),
    ),
    st.integers(0, 5), lines, quantities, conditions, st.booleans(), st.sampled_from(["", "L1"]),
)  # fmt: skip
put_away = st.builds(lambda r: m.InboundStored(r.receipt, "SITE1", r.lines), receipts)
orders = st.builds(
    lambda a, b, terms: expected(("10", "I-10", a), ("20", "I-20", b), terms=terms),
    quantities, quantities, st.sampled_from(["FCA", "DAP"]),
)  # fmt: skip
others = st.sampled_from(
    [
        m.InboundClosed("SITE1"),
        m.InboundCancelled("x"),
        m.InboundAccepted("over"),
        m.InboundAccepted("unknown"),
    ]
)
sent = st.builds(
    lambda number, line, quantity, carrier: m.InboundDispatched(
        f"DN-{number}", (m.MovedLine(line, f"I-{line}", qty(quantity + 1)),), carrier
    ),
    st.integers(0, 5), lines, quantities, st.sampled_from(["RDWY", "UPSN"]),
)  # fmt: skip
scripts = st.lists(
    st.one_of(receipts, receipts, receipts, put_away, orders, orders, sent, sent, others), max_size=14
)


@settings(max_examples=400)
@given(scripts)
def test_every_quantity_is_accounted_for(script: list[msgspec.Struct]) -> None:
    """Whatever is said in whatever order: the ledger holds what the lines say, and no move finds too little."""
    made = goods()
    received: dict[str, Decimal] = {}
    for told in script:
        verdict = made.hear(told)
        if isinstance(told, m.InboundReceived) and verdict == "applied":
            [line] = told.lines
            received[line.item] = received.get(line.item, Decimal(0)) + line.quantity.value
        state: State = made.state
        for item in ("I-10", "I-20", "I-99"):
            mine = [x for x in state.lines if x.item == item]
            held = made.buckets(item=item)
            assert held.get("expected", 0) + held.get("in_transit_in", 0) == sum(x.left for x in mine)
            assert held.get("in_transit_in", 0) == sum(x.on_road for x in mine)
            assert held.get("available", 0) == sum(x.good for x in mine)
            assert held.get("quarantine", 0) == sum(x.held for x in mine)
            assert held.get("damaged", 0) == sum(x.damaged for x in mine)
            assert sum(x.came for x in mine) == received.get(item, 0)
    assert made.short == []
    booked = [p.receipt for p in made.asked("goods_receipt.post")]
    assert len(booked) == len(set(booked))


def test_the_stock_process_still_takes_goods_that_nobody_announced() -> None:
    """A receipt without any reference is a receipt of the stock itself."""
    made = Goods("stock/SITE1/WID-1", POLICY)
    made.hear(StockReceived(StockPlace("WID-1", "SITE1"), qty(7), "R-1"))

    assert made.buckets() == {"available": 7}
