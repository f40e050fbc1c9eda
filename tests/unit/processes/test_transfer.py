"""Transfers between sites: what left is what arrived, what is on the road, what is missing and what was given up."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.model import movement as m
from crossdock.model.money import Money
from crossdock.model.shipment import GoodsIssuePosted
from crossdock.model.stock import StockPlace
from crossdock.processes.policy import Policy
from crossdock.processes.routing import Node, Routing
from crossdock.processes.transfer_state import State
from unit.processes.goods import Goods, qty

POLICY = Policy(
    erp="sap-1", warehouse="wms-1", location="SITE1",
    routing=Routing(nodes={"SITE1": Node("wms-1", erp="sap-1"), "SITE2": Node("wms-2", erp="sap-2")}),
)  # fmt: skip
THREAD = "transfer/sap-1/T-1"
SENDER, RECEIVER = "wms-1", "wms-2"
COMPANIES = (m.Site("SITE1", "Acme EU", "4500000018"), m.Site("SITE2", "Acme US", "4500000900"))


def order(*lines: tuple[str, str, int], **more: Any) -> m.TransferOrdered:
    told = lines or (("10", "WID-1", 20),)
    price = Money(Decimal("9.50"), "EUR")
    return m.TransferOrdered(
        "T-1", *COMPANIES, tuple(m.TransferLine(n, i, qty(q), price) for n, i, q in told), **more
    )


def left(shipment: str, *lines: tuple[str, str, int], complete: bool = True) -> m.TransferShipped:
    told = tuple(m.MovedLine(line, item, qty(quantity)) for line, item, quantity in lines)
    return m.TransferShipped(shipment, "SITE1", told, "RDWY", complete)


def came(receipt: str, *lines: tuple[str, str, int], delivery: str = "", **more: Any) -> m.InboundReceived:
    told = tuple(m.ReceivedLine(line, item, qty(quantity), **more) for line, item, quantity in lines)
    return m.InboundReceived(receipt, "SITE2", told, delivery)


def goods(stock: int = 100, policy: Policy = POLICY, owner: str = "") -> Goods:
    made = Goods(THREAD, policy)
    made.stocked(StockPlace("WID-1", "SITE1", owner=owner), stock)
    return made


def ordered(policy: Policy = POLICY, **more: Any) -> Goods:
    """Ordered, set aside, and taken by the sending warehouse."""
    made = goods(policy=policy, owner=more.get("owner", ""))
    made.hear(order(**more), "sap-1")
    made.answered()
    made.hear(m.TransferReleased("TO-1"), SENDER)
    return made


def on_the_road(policy: Policy = POLICY, **more: Any) -> Goods:
    made = ordered(policy, **more)
    made.hear(left("TS-1", ("10", "WID-1", 20)), SENDER)
    return made


def test_the_whole_way() -> None:
    """Set aside, released, shipped, announced, received; each ERP books its side to its own order, and it is done."""
    made = goods()
    made.hear(order(), "sap-1")
    made.answered()
    assert made.buckets("SITE1") == {"available": 80, "firm_claim": 20}
    [release] = made.asked("transfer.release")
    assert (release.location, release.destination, release.lines[0].quantity) == ("SITE1", "SITE2", qty(20))
    made.hear(m.TransferReleased("TO-1"), SENDER)
    assert made.summary.phase == "released"

    made.hear(left("TS-1", ("10", "WID-1", 20)), SENDER)
    assert made.buckets("SITE1") == {"available": 80, "in_transit_out": 20}
    assert made.summary.phase == "in transit"
    assert made.asked("inbound.announce")[0].delivery == "TS-1"
    made.hear(came("R-1", ("10", "WID-1", 20), delivery="TS-1"), RECEIVER)
    assert made.buckets("SITE1") == {"available": 80}
    assert made.buckets("SITE2") == {"available": 20}

    [issue], [receipt] = made.asked("transfer_issue.post"), made.asked("goods_receipt.post")
    assert (issue.order, receipt.order) == ("4500000018", "4500000900")
    assert {x.kind: x.account for x in made.done} == {
        "transfer.release": "wms-1", "inbound.announce": "wms-2", "transfer_issue.post": "sap-1", "goods_receipt.post": "sap-2",
    }  # fmt: skip
    made.hear(GoodsIssuePosted("", "4900000001"), "sap-1", about="TS-1")
    assert made.summary.waiting_on == "the goods receipt in sap-2"
    made.hear(m.GoodsReceiptPosted("5000000001", "R-1"), "sap-2", about="R-1")
    assert (made.summary.phase, made.summary.done) == ("received", True)
    assert (made.cases, made.short, made.timers) == ({}, [], {})


def test_price_and_cost_are_told_to_both_companies_as_they_were_given() -> None:
    """Line by line, beside the goods and apart from each other; of what nobody ordered nothing is said."""
    lines = (
        m.TransferLine("10", "WID-1", qty(12), Money(Decimal("9.5000"), "EUR"), "LAYER-7"),
        m.TransferLine("20", "WID-1", qty(8), cost_layer="LAYER-8"), m.TransferLine("30", "WID-1", qty(1)),
    )  # fmt: skip
    made = goods()
    made.hear(m.TransferOrdered("T-1", *COMPANIES, lines), "sap-1")
    made.answered()
    made.hear(left("TS-1", ("10", "WID-1", 12), ("20", "WID-1", 8), ("30", "WID-1", 1)), SENDER)
    made.hear(
        came("R-1", ("10", "WID-1", 5), ("20", "CBL-1", 8), ("30", "WID-1", 1), delivery="TS-1"), RECEIVER
    )

    ten = m.LineTerms("10", Money(Decimal("9.5000"), "EUR"), "LAYER-7")
    [issue], [receipt] = made.asked("transfer_issue.post"), made.asked("goods_receipt.post")
    assert issue.terms == (ten, m.LineTerms("20", None, "LAYER-8"))
    assert receipt.terms == (ten,)
    assert str(receipt.terms[0].price) == "EUR 9.5000"


def test_it_waits_for_stock() -> None:
    """What is not there is asked for again by itself; nothing is released before."""
    made = goods(stock=5)
    made.hear(order(), "sap-1")
    made.answered()
    assert "15 EA of WID-1 missing" in made.cases["stock"].title
    assert made.asked("transfer.release") == []

    made.stocked(StockPlace("WID-1", "SITE1"), 15)
    made.fire("recheck")
    made.answered()

    assert made.cases == {}
    assert len(made.asked("transfer.release")) == 1


@pytest.mark.parametrize(
    ("terms", "bucket", "location", "owner"),
    [
        ({"title_passes": "arrival"}, "in_transit_out", "SITE1", "Acme EU"),
        ({"title_passes": "departure"}, "in_transit_in", "SITE2", "Acme US"),
        ({"title_passes": "departure", "owner": "OWN-2"}, "in_transit_out", "SITE1", "OWN-2"),
    ],
)
def test_title_and_custody_are_apart(terms: Any, bucket: str, location: str, owner: str) -> None:
    """The carrier has the goods; they are the sender's until they arrive, the buyer's once they left, or always a third's."""
    made = on_the_road(**terms)

    assert made.buckets(possessor="RDWY") == {bucket: 20}
    assert made.buckets(location, owner=owner, possessor="RDWY") == {bucket: 20}
    made.hear(came("R-1", ("10", "WID-1", 20)), RECEIVER)
    assert made.buckets("SITE2", owner=terms.get("owner", "")) == {"available": 20}
    assert bool(made.asked("goods_receipt.post")) == ("owner" not in terms)


def test_two_trucks_and_partial_receipts() -> None:
    """Each truck is announced, counted and booked on its own."""
    made = ordered()
    made.hear(left("TS-1", ("10", "WID-1", 8), complete=False), SENDER)
    assert made.buckets("SITE1") == {"available": 80, "firm_claim": 12, "in_transit_out": 8}
    made.hear(came("R-1", ("10", "WID-1", 5), delivery="TS-1"), RECEIVER)
    made.hear(left("TS-2", ("10", "WID-1", 12)), SENDER)
    made.hear(came("R-2", ("10", "WID-1", 12), delivery="TS-2"), RECEIVER)
    assert made.state.in_transit == 3
    made.hear(came("R-3", ("10", "WID-1", 3), delivery="TS-1"), RECEIVER)

    assert made.buckets("SITE1") == {"available": 80}
    assert made.buckets("SITE2") == {"available": 20}
    assert len(made.asked("transfer_issue.post")) == 2
    assert len(made.asked("goods_receipt.post")) == 3


def test_less_leaves_than_was_ordered() -> None:
    """Once no other truck will follow, the rest that was set aside can be had by others."""
    made = ordered()
    made.hear(left("TS-1", ("10", "WID-1", 15)), SENDER)

    assert made.buckets("SITE1") == {"available": 85, "in_transit_out": 15}


def test_more_leaves_than_was_set_aside() -> None:
    """What the warehouse sends counts: the rest comes from the shelf."""
    made = ordered()
    made.hear(left("TS-1", ("10", "WID-1", 25)), SENDER)

    assert made.buckets("SITE1") == {"available": 75, "in_transit_out": 25}


def test_loss_is_a_variance_until_somebody_settles_it() -> None:
    """It stays on the road in the books of whose goods it was; settled as lost, it is gone and its document is kept."""
    made = on_the_road()
    made.hear(came("R-1", ("10", "WID-1", 17), delivery="TS-1"), RECEIVER)
    made.hear(m.InboundClosed("SITE2", "TS-1", "truck is empty"), RECEIVER)

    assert made.summary.phase == "variance"
    assert made.buckets("SITE1") == {"available": 80, "in_transit_out": 3}
    assert "3 EA of WID-1 missing" in made.cases["accept/variance"].title
    part = m.TransferSettled(
        "lost", (m.SettledLine("TS-1", "10", qty(2)),), "carrier paid", "ada", "4900000077"
    )
    made.hear(part, "operator/ada")
    assert made.buckets("SITE1") == {"available": 80, "in_transit_out": 1}
    made.hear(m.InboundAccepted("variance", "ada"), "operator/ada")
    assert made.buckets("SITE1") == {"available": 80}
    assert (made.summary.phase, made.cases) == ("settled", {})


def test_the_case_says_what_differs_now() -> None:
    """Closed before its receipt is told, all of it is missing; then what was counted explains the most."""
    made = on_the_road()
    made.hear(m.InboundClosed("SITE2", "TS-1"), RECEIVER)
    assert "20 EA of WID-1 missing" in made.cases["accept/variance"].title
    made.hear(came("R-1", ("10", "WID-1", 17), delivery="TS-1"), RECEIVER)
    assert "3 EA of WID-1 missing" in made.cases["accept/variance"].title
    made.hear(m.TransferSettled("lost", (m.SettledLine("TS-1", "10", qty(2)),), "paid"), "operator/ada")
    assert "1 EA of WID-1 missing" in made.cases["accept/variance"].title


def test_what_was_lost_may_be_found() -> None:
    """Found before it is settled it is on its way again; found later it comes from outside the books."""
    made = on_the_road()
    made.hear(m.InboundClosed("SITE2", "TS-1"), RECEIVER)
    made.hear(
        m.TransferSettled("found", (m.SettledLine("TS-1", "10", qty(20)),), "wrong bay"), "operator/ada"
    )
    assert (made.state.in_transit, made.cases) == (20, {})
    made.hear(m.InboundClosed("SITE2", "TS-1"), RECEIVER)
    made.hear(m.InboundAccepted("variance"), "operator/ada")
    assert made.buckets("SITE1") == {"available": 80}
    made.hear(came("R-1", ("10", "WID-1", 20), delivery="TS-1"), RECEIVER)

    assert made.buckets("SITE2") == {"available": 20}
    assert made.state.legs[0].settled == 0


def test_the_policy_settles_small_losses() -> None:
    """As many as it says, without a person."""
    made = on_the_road(msgspec.structs.replace(POLICY, transfer_settle_max=Decimal(2)))
    made.hear(came("R-1", ("10", "WID-1", 18)), RECEIVER)
    made.hear(m.InboundClosed("SITE2"), RECEIVER)

    assert made.buckets("SITE1") == {"available": 80}
    assert (made.cases, made.summary.phase) == ({}, "settled")


def test_too_much_is_a_variance_the_other_way() -> None:
    """It is on the shelf at once, and a person says that it is kept."""
    made = on_the_road()
    made.hear(came("R-1", ("10", "WID-1", 22)), RECEIVER)
    assert made.buckets("SITE2") == {"available": 22}
    assert "2 EA of WID-1 too much" in made.cases["accept/variance"].title

    made.hear(m.TransferSettled("surplus", (m.SettledLine("TS-1", "10", qty(2)),), "kept"), "operator/ada")

    assert (made.state.variances, made.cases) == ((), {})


def test_damage_is_received_and_not_for_sale() -> None:
    """It is no variance: all of it arrived. Its case is settled by accepting it."""
    made = on_the_road()
    made.hear(came("R-1", ("10", "WID-1", 16)), RECEIVER)
    made.hear(came("R-2", ("10", "WID-1", 4), condition="damaged"), RECEIVER)

    assert made.buckets("SITE2") == {"available": 16, "damaged": 4}
    assert (made.state.legs[0].damaged, made.state.variances) == (4, ())
    assert list(made.cases) == ["accept/damaged"]


def test_it_arrives_before_we_heard_that_it_left() -> None:
    """Both are told in the end, and nothing differs; the case comes only when nobody explains it in time."""
    made = ordered()
    made.hear(came("R-1", ("10", "WID-1", 20), delivery="TS-1"), RECEIVER)
    assert made.buckets("SITE2") == {"available": 20}
    assert made.cases == {}
    made.hear(left("TS-1", ("10", "WID-1", 20)), SENDER)

    assert made.buckets("SITE1") == {"available": 80}
    assert (made.state.variances, made.cases) == ((), {})
    silent = ordered()
    silent.hear(came("R-1", ("10", "WID-1", 20), delivery="TS-1"), RECEIVER)
    silent.fire("parent")
    assert "accept/variance" in silent.cases


def test_goods_on_the_road_for_too_long_become_a_case() -> None:
    """After the days of the policy; closed once they arrive."""
    made = on_the_road()
    assert made.timers["transit"] == 14 * 86_400
    made.fire("transit")
    assert "RDWY" in made.cases["transit"].title
    made.hear(came("R-1", ("10", "WID-1", 20)), RECEIVER)
    assert made.cases == {}


def test_cancelled_before_it_left() -> None:
    """What was set aside is free, and the warehouse hears of it; nothing is called back from the road."""
    made = ordered()
    made.hear(m.TransferCancelled("not needed"), "sap-1")
    assert made.buckets("SITE1") == {"available": 100}
    assert [x.cancelled for x in made.asked("transfer.release")] == [False, True]
    assert (made.summary.phase, made.summary.done) == ("cancelled", True)
    assert on_the_road().hear(m.TransferCancelled("too late"), "sap-1") == "stale"


def test_the_warehouse_sends_it_although_it_was_cancelled() -> None:
    """What left has left."""
    made = ordered()
    made.hear(m.TransferCancelled("not needed"), "sap-1")
    made.hear(left("TS-1", ("10", "WID-1", 20)), SENDER)

    assert made.buckets("SITE1") == {"available": 80, "in_transit_out": 20}


def test_what_comes_before_the_order_waits_for_it() -> None:
    """Shipped and received first, ordered last: the end is the same."""
    made = goods()
    assert made.hear(left("TS-1", ("10", "WID-1", 20)), SENDER) == "waiting"
    assert made.hear(came("R-1", ("10", "WID-1", 20), delivery="TS-1"), RECEIVER) == "waiting"
    made.hear(order(), "sap-1")
    made.answered()

    assert made.buckets("SITE1") == {"available": 80}
    assert made.buckets("SITE2") == {"available": 20}


def test_only_its_own_sites_speak_for_it() -> None:
    """The receiver cannot ship and the sender cannot receive; a repeated truck or another order changes nothing."""
    made = on_the_road()
    assert made.hear(came("R-1", ("10", "WID-1", 20)), SENDER) == "ignored"
    assert made.hear(m.InboundClosed("SITE2"), SENDER) == "ignored"
    assert made.hear(left("TS-2", ("10", "WID-1", 20)), RECEIVER) == "ignored"
    assert made.hear(left("TS-1", ("10", "WID-1", 20)), SENDER) == "duplicate"
    assert made.hear(order(("10", "WID-1", 999)), "sap-1") == "duplicate"
    assert "changed" in made.cases
    assert made.buckets("SITE1") == {"available": 80, "in_transit_out": 20}


@pytest.mark.parametrize("wrong", [order(("10", "A", 0)), order(("1", "A", 1), ("1", "A", 1)), msgspec.structs.replace(order(), receiver=COMPANIES[0])])  # fmt: skip
def test_nonsense_is_refused_with_a_case(wrong: m.TransferOrdered) -> None:
    """Nothing of it is applied, and a corrected order is taken."""
    made = goods()
    assert made.hear(wrong, "sap-1") == "ignored"
    assert "value" in made.cases
    assert made.hear(order(), "sap-1") == "applied"
    assert made.cases == {}


amounts = st.integers(1, 15)
trucks = st.sampled_from(["TS-1", "TS-2"])
shipped = st.builds(lambda t, q, c: left(t, ("10", "WID-1", q), complete=c), trucks, amounts, st.booleans())
received = st.builds(
    lambda n, t, q, c, d: came(f"R-{n}", ("10", "WID-1", q), delivery=t, condition=c, on_dock=d),
    st.integers(0, 6), st.sampled_from(["", "TS-1", "TS-2"]), amounts,
    st.sampled_from(["good", "good", "quarantine", "damaged"]), st.booleans(),
)  # fmt: skip
stored = st.builds(lambda r: m.InboundStored(r.receipt, "SITE2", r.lines), received)
closed = st.builds(lambda t: m.InboundClosed("SITE2", t), st.sampled_from(["", "TS-1", "TS-2"]))
settled = st.builds(
    lambda o, t, q: m.TransferSettled(o, (m.SettledLine(t, "10", qty(q)),), "x"),
    st.sampled_from(["lost", "found", "surplus"]), trucks, amounts,
)  # fmt: skip
rest = st.sampled_from([m.InboundAccepted("variance"), m.TransferCancelled("x"), order()])
scripts = st.lists(st.one_of(shipped, received, received, stored, closed, settled, rest), max_size=16)


@settings(max_examples=400)
@given(scripts, st.booleans(), st.sampled_from(["", "OWN-2"]))
def test_what_left_is_accounted_for(script: list[msgspec.Struct], fob_origin: bool, owner: str) -> None:
    """Σ sender out = Σ receiver in + in transit + variance + settled, in the lines and in the ledger, after every event."""
    made = goods(stock=1000, owner=owner)
    terms: Any = {"title_passes": "departure" if fob_origin else "arrival", "owner": owner}
    made.hear(order(**terms), "sap-1")
    made.answered()
    out = into = Decimal(0)
    for told in script:
        source = (
            RECEIVER if isinstance(told, m.InboundReceived | m.InboundStored | m.InboundClosed) else SENDER
        )
        verdict = made.hear(told, source)
        made.answered()
        if isinstance(told, m.TransferShipped) and verdict == "applied":
            out += told.lines[0].quantity.value
        if isinstance(told, m.InboundReceived) and verdict == "applied":
            into += told.lines[0].quantity.value
        state: State = made.state
        differs = sum(x.variance for x in state.legs) + sum(x.settled for x in state.legs)
        assert out == into + state.in_transit + differs
        assert sum(made.buckets("SITE1", possessor="").values()) == 1000 - out
        assert sum(made.buckets("SITE2", possessor="").values()) == into
        assert sum(made.buckets(possessor="RDWY").values()) == sum(x.on_the_way for x in state.legs)
    assert made.short == []
