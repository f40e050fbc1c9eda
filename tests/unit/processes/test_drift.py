"""Why two systems' numbers differ: moves under way are no difference, and each cause leaves its trace."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.drift import ZERO, Booked, Booking, Counted, Facts
from crossdock.model.stock import StockPlace
from crossdock.processes.drift import Compared, compare, gap
from crossdock.processes.policy import Policy
from crossdock.processes.settling import judge

NOW = datetime(2026, 11, 26, tzinfo=UTC)
FACTS = Facts(units={"WID": {"EA": Decimal(1), "CS": Decimal(12)}}, items=frozenset({"WID", "NUT"}))


def place(item: str = "WID", lot: str = "") -> StockPlace:
    return StockPlace(item, "SITE1", lot)


def booking(entry: int, good: int, at: StockPlace | None = None, **more: Any) -> Booking:
    values = {
        "held": ZERO,
        "claimed": ZERO,
        "document": f"D-{entry}",
        "recorded_at": NOW,
        "sequence": entry,
    } | more
    return Booking(entry=entry, place=at or place(), good=Decimal(good), **values)


def counted(good: object, held: int = 0, at: StockPlace | None = None, **more: Any) -> Counted:
    values = {"unit": "EA", "read_at": NOW, "watermark": 1000} | more
    return Counted(place=at or place(), good=Decimal(str(good)), held=Decimal(held), **values)


def booked(row: Counted, bookings: list[Booking], opening: int) -> Booked:
    mine = [b for b in bookings if b.place == row.place]
    sums = [sum((getattr(b, name) for b in mine), ZERO) for name in ("good", "held", "claimed")]
    return Booked(row.place, row.unit, sums[0] + opening, sums[1], sums[2])


def compared(
    rows: list[Counted], bookings: list[Booking], opening: int = 100, facts: Facts = FACTS
) -> Compared:
    """The ledger held `opening` of each place before these bookings."""
    gaps = [gap(r, booked(r, bookings, opening), [b for b in bookings if b.place == r.place]) for r in rows]
    return compare([g for g in gaps if g is not None], facts)


def causes(found: Compared) -> list[str]:
    return [d.cause for d in found.differences]


@given(st.lists(st.integers(-9, 9).filter(bool), max_size=30), st.integers(0, 30))
def test_moves_in_flight_are_no_difference(moves: list[int], watermark: int) -> None:
    """Wherever among its events the other side read its row, what it had not said by then is not held against it."""
    bookings = [booking(n, good) for n, good in enumerate(moves, 1)]
    row = counted(100 + sum(moves[:watermark]), watermark=watermark)

    assert compared([row], bookings) == Compared((), (), ())


@given(st.lists(st.integers(-9, 9).filter(bool), max_size=20), st.integers(0, 20), st.integers(1, 500))
def test_any_difference_is_named_once_with_its_size(moves: list[int], watermark: int, off: int) -> None:
    """Whatever is under way beside it, what is really missing is found to the piece, and has evidence."""
    bookings = [booking(n, good) for n, good in enumerate(moves, 1)]
    row = counted(100 + sum(moves[:watermark]) - off, watermark=watermark)

    found = compared([row], bookings)

    [one] = found.differences
    assert (one.good, one.held) == (-off, 0)
    assert one.evidence
    assert set(found.under_way) == set(bookings[watermark:])


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=6))
def test_posting_while_the_row_is_read_is_no_difference(moves: list[tuple[int, bool]]) -> None:
    """Towards a system without an order of events, either answer is right for what was just being told."""
    sent, settled = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
    bookings = [
        booking(n, good, sequence=None, told="done", sent_at=sent, settled_at=settled)
        for n, (good, _) in enumerate(moves, 1)
    ]
    row = counted(100 + sum(good for good, heard in moves if heard), watermark=None)

    assert causes(compared([row], bookings)) == []


def test_each_cause_leaves_its_trace() -> None:
    """One plain example each, as people meet them."""
    told = {
        "sequence": None,
        "told": "done",
        "sent_at": NOW - timedelta(hours=1),
        "settled_at": NOW - timedelta(hours=1),
    }
    twice = [booking(1, 5), booking(2, 5, document="D-1")]
    cases: list[tuple[list[Counted], list[Booking], Facts, str]] = [
        ([counted(105)], twice, FACTS, "duplicate"),
        ([counted(93, watermark=None)], [booking(1, 7, **told, attempts=2)], FACTS, "counted"),
        ([counted(114, watermark=None)], [booking(1, 7, **told, attempts=2)], FACTS, "duplicate"),
        ([counted(100, watermark=None)], [booking(1, -3, sequence=None, told="refused")], FACTS, "not_told"),
        ([counted(124)], [booking(1, 2)], FACTS, "wrong_unit"),
        ([counted(97, 3)], [], FACTS, "hold"),
        ([counted(94)], [booking(1, 0, claimed=Decimal(6))], FACTS, "claims_subtracted"),
        ([counted("100.4")], [], FACTS, "rounding"),
        ([counted(93, last_change=4)], [], Facts(frozenset({4})), "lost_event"),
        ([counted(93, last_change=4)], [], Facts(frozenset({9}), items=FACTS.items), "counted"),
        ([counted(93)], [], FACTS, "counted"),
    ]  # fmt: skip
    for rows, bookings, facts, cause in cases:
        assert causes(compared(rows, bookings, facts=facts)) == [cause]


def test_two_places_explain_each_other() -> None:
    """Right item in the wrong lot; right lot of the wrong item."""
    lots = [counted(95, at=place(lot="L1")), counted(105, at=place(lot="L2"))]
    items = [counted(95), counted(105, at=place("NUT"))]

    assert causes(compared(lots, [])) == ["wrong_place", "wrong_place"]
    assert causes(compared(items, [booking(1, 5, at=place())])) == ["counted", "counted"]
    assert (
        causes(compared([counted(100), counted(105, at=place("NUT"))], [booking(1, 5)])) == ["wrong_item"] * 2
    )


def test_an_item_nobody_defined_is_not_a_count() -> None:
    """Unless something was booked of it."""
    row = counted(4, at=place("NEW"))

    assert causes(compared([row], [], opening=0)) == ["unknown_item"]
    assert causes(compared([row], [booking(1, 1, at=place("NEW"))], opening=0)) == ["counted"]


def test_nothing_is_named_while_it_may_be_on_its_way() -> None:
    """A first look only says what it waits for; the second one names it."""
    early = compared([counted(93)], [], facts=Facts(frozenset({4}), patient=True, items=FACTS.items))
    late = compared([counted(93)], [], facts=Facts(frozenset({4}), items=FACTS.items))

    assert (causes(early), [d.cause for d in early.waiting]) == ([], ["in_flight"])
    assert causes(late) == ["lost_event"]


def test_who_does_not_hold_a_recalled_lot_is_not_followed() -> None:
    """The difference is a hold, says that it is a recall, and stays open however small; a lot that they hold is like any other."""
    policy = Policy(warehouse="wms-1", settle_quantity_max=Decimal(100))
    for row, held, state in ((counted(3), 3, "open"), (counted(0, 3), 0, "settled")):
        ours = Booked(row.place, "EA", Decimal(3 - held), Decimal(held), recalled=True)
        one = gap(row, ours, [])
        assert one is not None
        [difference] = compare([one], FACTS).differences

        assert difference.cause == "hold"
        assert difference.recalled == (held > 0)
        assert judge(difference, "wms-1", None, policy, gaps=False).state == state
