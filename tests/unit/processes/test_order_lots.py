"""An order's goods in lots: what is set aside expires first, and what the warehouse takes instead is so in the ledger too."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from crossdock.model import order as o
from unit.processes.order_floor import Floor

LOTS = {
    "LATE": (30, date(2027, 6, 30)),
    "SOON": (4, date(2026, 12, 31)),
    "LAST": (30, None),
    "OLD": (99, date(2026, 11, 25)),
}
GOOD = [x for x in LOTS if x != "OLD"]
few = st.integers(1, 12)


def ordered(pieces: int) -> Floor:
    """One line of an item that stands in these lots."""
    return Floor([("A", pieces)], {("A", lot): shelf for lot, shelf in LOTS.items()})


def of(**lots: int) -> dict[tuple[str, str], int]:
    return {("A", lot): pieces for lot, pieces in lots.items()}


def test_what_expires_first_is_set_aside_first() -> None:
    """The lot past its last day never, the one without an end last; the warehouse is told the sum."""
    floor = ordered(40)

    assert floor.bucket("firm_claim") == of(SOON=4, LATE=30, LAST=6) == floor.part("reserved")
    [release] = floor.told("warehouse_order.release")
    assert [(x.item, x.ordered.value) for x in release.lines] == [("A", 40)]


def test_expired_goods_are_not_enough() -> None:
    """Stock past its last day does not serve an order: it waits for stock."""
    floor = Floor([("A", 5)], {("A", "OLD"): (99, date(2026, 11, 25)), ("A", "GOOD"): (4, None)})

    assert (floor.state.phase, floor.state.hold) == ("held", "stock")
    assert floor.bucket("available") == of(OLD=99, GOOD=4)


def test_the_warehouse_may_take_another_lot() -> None:
    """What was set aside goes back to its shelf, what was taken comes from the other: both lots are right in the ledger."""
    floor = ordered(6)
    assert floor.part("reserved") == of(SOON=4, LATE=2)

    floor.allocate(("1", "A", 5, "LAST"))
    assert floor.part("allocated") == of(LAST=5) == floor.bucket("allocated")
    assert floor.part("reserved") == of(LATE=1) == floor.bucket("firm_claim")

    floor.pack("S-1", ("1", "A", 5, "LAST"), ("1", "A", 1, "LATE"))
    floor.ship("S-1", ("1", "A", 5, "LAST"), ("1", "A", 1, "LATE"))
    assert floor.bucket("available") == of(SOON=4, LATE=29, LAST=25, OLD=99)
    assert floor.short == 0


def test_what_a_cancelled_order_held_goes_back_to_its_lots() -> None:
    """Lot by lot, and its claim is used up."""
    floor = ordered(6)
    floor.allocate(("1", "A", 2, "SOON"))
    floor.allocate(("1", "A", 2, "LATE"))
    floor.say(o.OrderCancelRequested("shop/1", "customer"))
    floor.say(o.CancellationAnswered(accepted=True, reason=""))

    assert floor.bucket("available") == {("A", lot): there for lot, (there, _) in LOTS.items()}
    assert not floor.bucket("allocated")
    assert all(x.ended for x in floor.held.values())


told = st.lists(st.tuples(st.sampled_from(GOOD), few), max_size=3)


@given(few, st.lists(st.tuples(st.sampled_from(["", *GOOD]), few), max_size=3), told)
def test_line_and_ledger_agree_lot_by_lot(
    pieces: int, allocated: list[tuple[str, int]], packed: list[tuple[str, int]]
) -> None:
    """Whatever lots are told: each part of the line is a bucket of the ledger, and what left is missing from its lot.

    Unless more is told of a lot than the ledger has of it, which is a case for the warehouse.
    """
    floor = ordered(pieces)
    for lot, quantity in allocated:
        floor.allocate(("1", "A", quantity, lot))
        assert floor.short or floor.part("allocated") == floor.bucket("allocated")
        assert floor.short or floor.part("reserved") == floor.bucket("firm_claim")
    boxes = [("1", "A", quantity, lot) for lot, quantity in packed]
    floor.pack("S-1", *boxes)
    assert floor.short or floor.part("picked") == floor.bucket("picked")
    floor.ship("S-1", *boxes)

    left = {lot: sum(quantity for x, quantity in packed if x == lot) for lot in LOTS}
    there = {key[2]: sum(map(int, x.buckets.values())) for key, x in floor.balances.items() if key[2]}
    assert floor.short or there == {lot: LOTS[lot][0] - left[lot] for lot in LOTS}
