"""An order whose lot is recalled: what has not left is taken back and served from other lots; nothing recalled is sold."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model import order as o
from crossdock.model.master import Component, ItemDefined
from crossdock.model.movement import InboundAccepted
from crossdock.model.operations import TimerFired
from crossdock.model.quantity import Quantity
from crossdock.model.stock import LotRecalled
from crossdock.processes import order
from crossdock.processes.policy import Policy
from unit.processes.order_floor import POLICY, PRICE, Floor

KEY = "accept/recall"


def ordered(pieces: int, good: int = 30, policy: Policy = POLICY) -> Floor:
    """The lot that will be recalled expires first, so that it is set aside."""
    shelves = {("A", "BAD"): (10, date(2026, 12, 31)), ("A", "GOOD"): (good, None)}
    return Floor([("A", pieces)], shelves, policy=policy)


def recall(floor: Floor, lot: str = "BAD") -> None:
    """As the ledger does it: what is available is held, then the order hears of it."""
    for balance in floor.balances.values():
        if balance.key[2] == lot:
            balance.buckets["quarantine"] += balance.available
            balance.buckets["available"] = Decimal(0)
            balance.recalled = True
    floor.say(LotRecalled("A", lot, "listeria", "ann"), source="crossdock")


def answer(floor: Floor, *, accepted: bool, number: int = 0) -> None:
    floor.say(o.CancellationAnswered(accepted), about=f"shop/1~{number}" if number else "shop/1")


def of(**lots: int) -> dict[tuple[str, str], int]:
    return {("A", lot): pieces for lot, pieces in lots.items()}


def lots(floor: Floor) -> tuple[tuple[str, str], ...]:
    return order.summary(floor.state, floor.policy).lots


def test_a_warehouse_that_stops_works_anew_on_another_lot() -> None:
    """It is asked once; what it stops is held, the order is released again, and its case closes."""
    floor = ordered(4)
    floor.allocate(("1", "A", 4, "BAD"))
    floor.pack("S-1", ("1", "A", 4, "BAD"))
    assert lots(floor) == (("A", "BAD"),)

    recall(floor)
    recall(floor)
    assert len(floor.told("warehouse_order.cancel")) == 1
    assert "listeria" in floor.open_cases[KEY].detail
    answer(floor, accepted=True)

    assert floor.open_cases == {}
    assert floor.bucket("quarantine") == of(BAD=10)
    assert floor.part("reserved") == of(GOOD=4) == floor.bucket("firm_claim")
    assert [x.release for x in floor.told("warehouse_order.release")] == [0, 1]
    floor.ship("S-2", ("1", "A", 4, "GOOD"))
    assert (floor.bucket("available"), floor.short) == (of(GOOD=26), 0)
    assert lots(floor) == ()


def test_what_cannot_be_stopped_waits_for_a_person_and_is_right_in_the_ledger() -> None:
    """The warehouse refuses and the truck leaves: the lot is less by what left, and the case stays until it is settled."""
    floor = ordered(4)
    recall(floor)
    answer(floor, accepted=False)
    floor.ship("S-1", ("1", "A", 4, "BAD"))

    assert floor.bucket("quarantine") == of(BAD=6)
    assert floor.short == 0
    assert KEY in floor.open_cases
    floor.say(InboundAccepted("recall", "ann"))
    assert floor.open_cases == {}


def test_the_warehouse_packs_the_recalled_lot_all_the_same() -> None:
    """Of an order that has another lot set aside: what left comes from what is held."""
    floor = ordered(4)
    recall(floor)
    answer(floor, accepted=True)
    floor.ship("S-2", ("1", "A", 4, "BAD"))

    assert floor.bucket("quarantine") == of(BAD=6)
    assert floor.bucket("available") == of(GOOD=30)
    assert floor.short == 0


def test_an_order_that_waits_is_claimed_anew_when_it_goes_on() -> None:
    """Held before its release: what was set aside is given up at once, nobody is asked, and the other lot serves it."""
    floor = ordered(
        4, policy=Policy(erp_check="none", claim_when="received", location="SITE1", approvals=("fraud",))
    )
    assert floor.part("reserved") == of(BAD=4)

    recall(floor)
    assert floor.bucket("quarantine") == of(BAD=10)
    assert floor.part("open") == {("A", "BAD"): 4}
    floor.say(o.HoldReleased("fraud", "ann"))

    assert floor.part("reserved") == of(GOOD=4)
    assert floor.told("warehouse_order.cancel") == []


def test_without_another_lot_the_order_waits() -> None:
    """It is backordered, and served once there is stock again."""
    floor = ordered(4, good=0)
    recall(floor)
    answer(floor, accepted=True)
    assert floor.part("backordered") == {("A", "BAD"): 4}

    floor.balances["A", "SITE1", "GOOD", "", ""].buckets["available"] = Decimal(9)
    floor.say(TimerFired("backorder"))
    assert floor.part("reserved") == of(GOOD=4)


@pytest.mark.parametrize("accepted", [True, False])
def test_a_cancellation_meets_a_recall(accepted: bool) -> None:
    """The warehouse was asked already: its one answer counts for both."""
    floor = ordered(4)
    recall(floor)
    floor.say(o.OrderCancelRequested("shop/1"))
    assert len(floor.told("warehouse_order.cancel")) == 1
    answer(floor, accepted=accepted)

    assert floor.state.cancel == ("agreed" if accepted else "refused")
    assert (KEY in floor.open_cases) != accepted
    assert floor.bucket("firm_claim") == ({} if accepted else of(BAD=4))


@pytest.mark.parametrize("accepted", [True, False])
def test_a_recall_meets_a_change_that_the_warehouse_was_asked_for(accepted: bool) -> None:
    """It is not asked twice. What it stops is claimed from another lot; what it cannot stop is a case of the recall, too."""
    floor = ordered(4)
    lines = (o.OrderLine("1", "A", Quantity(Decimal(3)), PRICE),)
    changed = o.OrderReceived(number="#1", reference="shop/1", channel="shop", total=PRICE, lines=lines)
    floor.say(changed, sequence=1)
    recall(floor)
    answer(floor, accepted=accepted)

    assert len(floor.told("warehouse_order.cancel")) == 1
    assert (KEY in floor.open_cases) != accepted
    assert floor.bucket("firm_claim") == (of(GOOD=3) if accepted else of(BAD=4))


def test_what_could_not_be_stopped_before_is_a_case_of_the_recall() -> None:
    """The warehouse refused to stop it for the customer: nobody can, and a person must know what leaves."""
    floor = ordered(4)
    floor.say(o.OrderCancelRequested("shop/1"))
    answer(floor, accepted=False)
    recall(floor)
    recall(floor)

    assert len(floor.told("warehouse_order.cancel")) == 1
    assert KEY in floor.open_cases


def test_each_recalled_lot_of_a_release_is_told() -> None:
    """Also where the warehouse has refused to stop it for the first."""
    floor = ordered(12)
    recall(floor)
    answer(floor, accepted=False)
    floor.say(InboundAccepted("recall", "ann"))
    recall(floor, "GOOD")

    assert "lot GOOD" in floor.open_cases[KEY].title
    assert len(floor.told("warehouse_order.cancel")) == 1


def test_others_do_not_care() -> None:
    """An order of another lot, and one whose goods left, are left alone; so is what an outsider says."""
    floor = ordered(4)
    floor.say(LotRecalled("A", "BAD", "x", "ann"), source="wms")
    floor.ship("S-1", ("1", "A", 4, "BAD"))
    recall(floor)

    assert floor.told("warehouse_order.cancel") == []
    assert floor.open_cases == {}


def test_a_kit_whose_component_is_recalled_is_made_of_another_lot() -> None:
    """Whole kits go back to the shelf and are set aside again; of the component that is fine nothing is lost."""
    parts = (Component("A", Quantity(Decimal(2))), Component("B", Quantity(Decimal(1))))
    shelves = {("A", "BAD"): (10, date(2026, 12, 31)), ("A", "GOOD"): (30, None), ("B", ""): (5, None)}
    floor = Floor([("KIT", 3)], shelves, {"KIT": ItemDefined("KIT", components=parts)})
    floor.allocate(("1/A", "A", 6, "BAD"), ("1/B", "B", 3, ""))

    recall(floor)
    answer(floor, accepted=True)

    assert floor.part("reserved") == {("A", "GOOD"): 6, ("B", ""): 3}
    assert floor.bucket("quarantine") == of(BAD=10)
    [_, again] = floor.told("warehouse_order.release")
    assert sorted((x.item, int(x.ordered.value)) for x in again.lines) == [("A", 6), ("B", 3)]
    floor.ship("S-2", ("1/A", "A", 6, "GOOD"), ("1/B", "B", 3, ""))
    assert floor.bucket("available") == {("A", "GOOD"): 24, ("B", ""): 2}
    assert floor.short == 0


STEPS = ("allocate", "pack", "unpack", "ship", "recall", "agree", "refuse", "cancel", "timer")


@given(st.lists(st.sampled_from(STEPS), max_size=8), st.integers(0, 12))
def test_whatever_happens_nothing_recalled_is_for_sale_and_nothing_is_lost(
    steps: list[str], good: int
) -> None:
    """Pieces in the house and those that left add up, where the ledger had what was told; of a recalled lot none is available."""
    floor = ordered(4, good=good)
    for step in steps:
        lot = (
            "BAD"
            if any(x.lot == "BAD" and x.allocated + x.reserved + x.picked for x in floor.state.lines)
            else "GOOD"
        )
        told = ("1", "A", 4, lot)
        match step:
            case "allocate":
                floor.allocate(told)
            case "pack":
                floor.pack("S-1", told)
            case "unpack":
                lines = (o.LineShipped("shop/1", "1", "A", Quantity(Decimal(4)), lot),)
                floor.say(o.LinesUnpacked("S-1", lines, "SITE1"))
            case "ship":
                floor.ship("S-1", told)
            case "recall":
                recall(floor)
            case "agree" | "refuse":
                number = max((x.number for x in floor.state.releases), default=0)
                answer(floor, accepted=step == "agree", number=number)
            case "cancel":
                floor.say(o.OrderCancelRequested("shop/1"))
            case "timer":
                floor.say(TimerFired("backorder"))
        balance = floor.balances["A", "SITE1", "BAD", "", ""]
        assert not (balance.recalled and balance.available)
    left = sum(int(x.shipped) for x in floor.state.lines)
    there = sum(int(n) for b in floor.balances.values() for n in b.buckets.values())
    assert floor.short or there + left == 10 + good
