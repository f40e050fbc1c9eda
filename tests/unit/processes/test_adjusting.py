"""What the ERP is told of stock that changes without an order: the ledger's own moves, of our goods, once."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model import order as o
from crossdock.model.envelope import Recorded, variant_id
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.model.requests import PostStockAdjustment
from crossdock.model.stock import (
    LotRecalled,
    StockAdjusted,
    StockHeld,
    StockOpened,
    StockPlace,
    StockReceived,
    StockReconciled,
    StockReleased,
)
from crossdock.processes import adjusting, stock
from crossdock.processes.intents import Do, Move
from crossdock.processes.policy import Policy
from crossdock.processes.routing import Node, OrderRule, Routing
from unit.processes.order_floor import POLICY as FLOOR
from unit.processes.order_floor import Floor

AT = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
SITE = Node("wms-1", erp="sap-1", time_zone="Europe/Berlin")
POLICY = Policy(erp="sap-9", routing=Routing(nodes={"SITE1": SITE}))
PLACE = StockPlace("A", "SITE1", "L1")


def with_node(**more: Any) -> Policy:
    return Policy(erp="sap-9", routing=Routing(nodes={"SITE1": msgspec.structs.replace(SITE, **more)}))


def qty(value: int | Decimal) -> Quantity:
    return Quantity(Decimal(value))


def hear(
    data: msgspec.Struct, policy: Policy = POLICY, *, source: str = "wms-1", state: stock.State | None = None, id_: str = "W-7"
) -> tuple[stock.State, list[Do], list[Move]]:  # fmt: skip
    event = Recorded(
        thread="stock/SITE1/A",
        type=TYPE_OF[type(data)],
        data=data,
        id=id_,
        source=source,
        occurred_at=AT,
        recorded_at=AT,
    )
    step = stock.step(state or stock.State(), event, policy)
    assert isinstance(step.state, stock.State)
    moves = [x for x in step.intents if isinstance(x, Move)]
    return step.state, [x for x in step.intents if isinstance(x, Do)], moves


def said(
    data: msgspec.Struct, policy: Policy = POLICY, *, source: str = "wms-1"
) -> list[tuple[str, str, Decimal]]:
    """(change, condition, quantity) of everything that is posted."""
    payloads = [x.payload for x in hear(data, policy, source=source)[1]]
    assert all(isinstance(x, PostStockAdjustment) for x in payloads)
    return [(x.change, x.condition, x.quantity.value) for x in payloads if isinstance(x, PostStockAdjustment)]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (StockAdjusted(PLACE, qty(3), "CC"), ("gain", "good")),
        (StockAdjusted(PLACE, qty(-3), "CC"), ("loss", "good")),
        (StockAdjusted(PLACE, qty(-3), "Expired"), ("scrap", "good")),
        (StockAdjusted(PLACE, qty(3), "expired"), ("gain", "good")),
        (StockAdjusted(PLACE, qty(-3), "scrap", condition="damaged"), ("scrap", "damaged")),
        (StockHeld(PLACE, qty(3), "check"), ("hold", "quarantine")),
        (StockHeld(PLACE, qty(3), "fell", condition="damaged"), ("hold", "damaged")),
        (StockReleased(PLACE, qty(3), "passed"), ("release", "quarantine")),
        (StockReleased(PLACE, qty(3), "repacked", condition="damaged"), ("release", "damaged")),
    ],
)
def test_each_fact_is_posted_as_what_it_is(data: msgspec.Struct, wanted: tuple[str, str]) -> None:
    """Once, whichever way it goes, with the quantity above zero."""
    assert said(data) == [(*wanted, Decimal(3))]


def test_the_posting_says_everything_that_is_known() -> None:
    """Site, item, lot, pieces, reason, the warehouse's document, the day by the clock of the site; to the site's ERP."""
    _, [do], _ = hear(StockAdjusted(PLACE, qty(-2), "CC", ("SN-1", "SN-2")))

    assert do.payload == PostStockAdjustment(
        "wms-1/W-7/A/L1/loss-good", "stock/SITE1/A", "wms-1/W-7", "SITE1", "A", qty(2), "loss", "good", AT, date(2026, 12, 1), "CC",
        "L1", ("SN-1", "SN-2"),
    )  # fmt: skip
    assert (do.kind, do.account, do.object, do.lane, do.generation) == (
        "stock_adjustment.post", "sap-1", "wms-1/W-7/A/L1/loss-good", "SITE1/A", 0,
    )  # fmt: skip


def test_the_same_fact_is_the_same_posting() -> None:
    """Read again it has the identity it had; told again under its number with another content it is a case, and nothing is posted."""
    _, [once], _ = hear(StockAdjusted(PLACE, qty(-2), "CC"))
    _, [again], _ = hear(StockAdjusted(PLACE, qty(-2), "CC"))
    _, otherwise, moves = hear(StockAdjusted(PLACE, qty(-3), "CC"), id_=variant_id("W-7", b"other"))

    assert once.object == again.object
    assert (otherwise, moves) == ([], [])


def test_what_is_told_otherwise_is_not_told_here() -> None:
    """Receipts, openings and recalls: a purchase posts the first, the ERP opened with the second, and its hold is the warehouse's to tell."""
    assert said(StockReceived(PLACE, qty(5))) == []
    assert said(StockOpened(PLACE, qty(5)), source="crossdock") == []
    assert said(LotRecalled("A", "L1", "glass"), source="crossdock") == []


def test_only_who_speaks_for_the_site_is_heard() -> None:
    """What another warehouse says moves nothing, and posts nothing."""
    _, posted, moves = hear(StockAdjusted(PLACE, qty(-3), "CC"), source="wms-2")

    assert (posted, moves) == ([], [])


def test_the_erp_is_not_told_what_it_told() -> None:
    """Where the ERP itself runs the site, it knows."""
    assert said(StockAdjusted(PLACE, qty(-3), "CC"), with_node(warehouse="sap-1"), source="sap-1") == []


def test_goods_of_others_are_not_ours_to_post() -> None:
    """Unless the order table says which ERP has that owner's goods in its books."""
    of_acme = StockAdjusted(msgspec.structs.replace(PLACE, owner="ACME"), qty(-3), "CC")
    rule = OrderRule("acme", owner="ACME", nodes=("SITE1",), erp="sap-2")
    sold = msgspec.structs.replace(POLICY, routing=msgspec.structs.replace(POLICY.routing, orders=(rule,)))
    _, [do], _ = hear(of_acme, sold)

    assert said(of_acme) == []
    assert said(of_acme, with_node(consigned=("ACME",))) == []
    assert do.account == "sap-2"
    assert said(StockAdjusted(PLACE, qty(-3), "CC"), with_node(kind="supplier")) == []


def test_a_site_decides_what_its_erp_is_told() -> None:
    """A company that counts in its ERP leaves the counts out; the ledger follows them all the same."""
    counts_itself = with_node(adjustments=("hold", "release", "scrap"))
    _, posted, moves = hear(StockAdjusted(PLACE, qty(-3), "CC"), counts_itself)
    none = Policy(adjustments=(), warehouse="wms-1")

    assert (posted, len(moves)) == ([], 1)
    assert said(StockHeld(PLACE, qty(3), "check"), counts_itself) == [("hold", "quarantine", Decimal(3))]
    assert said(StockHeld(PLACE, qty(3), "check"), none) == []


amounts = st.integers(-50, 50)


@given(amounts, amounts)
def test_a_settled_count_is_posted_as_it_was_booked(good: int, held: int) -> None:
    """The ERP's stock for sale and its stock in inspection change by what the ledger's did."""
    data = StockReconciled(PLACE, qty(good), qty(held), "wms-1", 1, "counted", "two people")
    _, posted, _ = hear(data, source="crossdock")
    change = {"good": Decimal(0), "quarantine": Decimal(0)}
    for do in posted:
        x = do.payload
        assert isinstance(x, PostStockAdjustment)
        assert x.reason == "counted"
        sign = 1 if x.change in ("gain", "release") else -1
        if x.change in ("hold", "release"):
            change["good"] += sign * x.quantity.value
            change[x.condition] -= sign * x.quantity.value
        else:
            change[x.condition] += sign * x.quantity.value

    assert change == {"good": good, "quarantine": held}
    assert len({x.object for x in posted}) == len(posted)


def test_a_difference_that_followed_the_erp_is_not_told_it() -> None:
    """Where the ERP itself speaks for the site, and its number was followed."""
    data = StockReconciled(PLACE, qty(-2), qty(0), "sap-1", 1, "counted", "its books count")

    assert said(data, with_node(warehouse="sap-1"), source="crossdock") == []


def test_what_a_settled_count_has_in_it_is_not_posted_again() -> None:
    """A fact of before it, told late, changes the time in between; the ERP was told the count."""
    data = StockReconciled(PLACE, qty(-2), qty(0), "wms-1", 1, "counted", "x", read_at=AT.replace(year=2027))
    state, counted, _ = hear(data, source="crossdock")
    _, late, moves = hear(StockAdjusted(PLACE, qty(-2), "CC"), state=state)

    assert (len(counted), len(late), len(moves)) == (1, 0, 2)


def test_its_receipt_changes_nothing() -> None:
    """The document number stays with the effect."""
    from crossdock.model.stock import StockAdjustmentPosted

    state, posted, moves = hear(StockAdjustmentPosted("49", "x"), source="sap-1")
    assert (state, posted, moves) == (stock.State(), [], [])


def test_moves_within_what_the_erp_sees_alike_are_none() -> None:
    """Set aside, picked, or expected: its stock is what it was."""
    for source, target in (
        ("available", "firm_claim"),
        ("allocated", "available"),
        ("outside", "expected"),
        ("expected", "outside"),
    ):
        assert adjusting.said_by(Move(PLACE, source, target, Decimal(1), "EA")) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("short_pick", ["backorder", "cancel", "hold"])
def test_what_was_not_found_for_an_order_is_missing_from_the_erps_stock_too(short_pick: str) -> None:
    """Whatever becomes of the order; no other message says so, and the goods issue names only what left."""
    policy = msgspec.structs.replace(
        FLOOR, erp="sap-1", short_pick=short_pick, routing=Routing(nodes={"SITE1": Node("wms")})
    )
    floor = Floor([("A", 5)], {("A", "L1"): (5, None)}, policy=policy)
    floor.say(o.SalesOrderPosted("4711"))
    floor.allocate(("1", "A", 5, "L1"))
    short = (o.LineShipped("shop/1", "1", "A", qty(2), "L1"),)
    floor.say(o.LinesShort(short, "SITE1", "empty bin"))
    floor.say(o.LinesShort(short, "SITE2", "not there"))

    [payload] = floor.told("stock_adjustment.post")
    assert (payload.change, payload.condition, payload.item, payload.lot, payload.quantity, payload.reason) == (
        "loss", "good", "A", "L1", qty(2), "empty bin",
    )  # fmt: skip


def test_a_suppliers_missing_goods_are_his() -> None:
    """Consigned goods are in nobody's books of ours until they leave."""
    policy = msgspec.structs.replace(
        FLOOR, erp="sap-1", routing=Routing(nodes={"SITE1": Node("wms", consigned=("SUP-1",))})
    )
    floor = Floor([("A", 5)], {}, policy=policy, others={("A", "SUP-1"): 5})
    floor.say(o.SalesOrderPosted("4711"))
    floor.allocate(("1", "A", 5, ""))
    floor.say(o.LinesShort((o.LineShipped("shop/1", "1", "A", qty(2)),), "SITE1"))

    assert floor.told("stock_adjustment.post") == []


def test_stock_is_compared_with_whoever_keeps_it() -> None:
    """The warehouse of the node, the ERP whose books it is in, and the one that sells another owner's goods there."""
    rules = (
        OrderRule("ours", erp="sap-2", nodes=("SITE1", "SITE2")),
        OrderRule("theirs", owner="maker", erp="sap-3", nodes=("SITE1",)),
    )
    policy = Policy(erp="sap-9", routing=Routing(nodes={"SITE1": SITE, "SITE2": Node("wms-2")}, orders=rules))
    systems = ("wms-1", "wms-2", "sap-1", "sap-2", "sap-3", "sap-9")
    assert [x for x in systems if policy.keeps_stock(x, "SITE1")] == ["wms-1", "sap-1", "sap-3"]
    assert [x for x in systems if policy.keeps_stock(x, "SITE2")] == ["wms-2", "sap-9"]
    assert all(policy.keeps_stock(x, "ELSEWHERE") for x in systems)
