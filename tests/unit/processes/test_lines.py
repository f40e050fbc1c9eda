"""The order line's law: quantities are moved, never made or lost."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.order import LineShipped
from crossdock.model.quantity import Quantity
from crossdock.processes.lines import PARTS, WAYS_FORWARD, Line, Part, advance, lawful
from crossdock.processes.order_lines import Told, box, move_lines, unbox
from crossdock.processes.order_state import State
from crossdock.processes.policy import Policy

QUANTITIES = st.decimals(min_value=0, max_value=1000, places=3)
MOVES = st.lists(st.tuples(st.sampled_from(sorted(WAYS_FORWARD)), QUANTITIES), max_size=30)


def fresh(ordered: Decimal) -> Line:
    return Line("1", "WID-1", "EA", Decimal("12.50"), ordered, ordered)


@given(QUANTITIES, MOVES)
def test_any_sequence_of_moves_is_lawful(ordered: Decimal, moves: list[tuple[Part, Decimal]]) -> None:
    """Whatever comes in whatever order and however often, the parts add up to what was ordered."""
    line = fresh(ordered)
    for target, quantity in moves:
        before = line
        line, taken = advance(line, target, quantity)

        moved = sum((part.quantity for part in taken), Decimal(0))
        assert lawful(line)
        assert moved <= quantity
        assert getattr(line, target) == getattr(before, target) + moved
        for part in taken:
            assert getattr(line, part.source) == getattr(before, part.source) - part.quantity


@given(MOVES)
def test_what_left_the_building_never_comes_back(moves: list[tuple[Part, Decimal]]) -> None:
    """Shipped and cancelled quantities only grow."""
    line = fresh(Decimal(100))
    for target, quantity in moves:
        after, _ = advance(line, target, quantity)
        assert after.shipped >= line.shipped
        assert after.cancelled >= line.cancelled
        line = after


def test_a_lost_step_is_stepped_over() -> None:
    """A ship confirmation without its allocation takes the goods from where they are."""
    line, _ = advance(fresh(Decimal(3)), "reserved", Decimal(3))
    line, taken = advance(line, "shipped", Decimal(2))

    assert [(part.source, part.quantity) for part in taken] == [("reserved", Decimal(2))]
    assert (line.reserved, line.shipped) == (Decimal(1), Decimal(2))


def test_a_repeated_step_moves_nothing() -> None:
    """The same pack message twice picks the goods once."""
    line, _ = advance(fresh(Decimal(2)), "reserved", Decimal(2))
    line, _ = advance(line, "picked", Decimal(2))

    assert advance(line, "picked", Decimal(2)) == (line, ())


@pytest.mark.parametrize("backorder_first", [True, False])
def test_what_leaves_is_what_was_packed(*, backorder_first: bool) -> None:
    """One of two was not found and is on backorder, claimed anew: the truck takes the packed one, not the other."""
    packed = Line("1", "WID-1", "EA", Decimal(9), Decimal(1), picked=Decimal(1), location="SITE1")
    backorder = Line("1", "WID-1", "EA", Decimal(9), Decimal(1), reserved=Decimal(1), location="SITE1")
    shares = (backorder, packed) if backorder_first else (packed, backorder)

    state, moves, left = move_lines(
        State(lines=shares), [Told("1", "WID-1", Decimal(1))], "shipped", location="SITE1"
    )

    assert sorted((x.reserved, x.picked, x.shipped) for x in state.lines) == [(0, 0, 1), (1, 0, 0)]
    assert [(x.source, x.quantity) for x in moves] == [("picked", Decimal(1))]  # type: ignore[union-attr]
    assert left == {}


def test_what_was_packed_twice_is_unpacked_to_the_shelf() -> None:
    """The stopped release's box is reported late, beside its successor's: once it is taken apart, the order is as before."""
    state = State(
        lines=(Line("1", "WID-1", "EA", Decimal(9), Decimal(1), allocated=Decimal(1), location="SITE1"),)
    )
    told = (LineShipped("shop/1", "1", "WID-1", Quantity(Decimal(1))),)

    once, _ = box(state, told, "picked", Policy(), "SITE1")
    twice, _ = box(once, told, "picked", Policy(), "SITE1")
    after, moves = unbox(twice, told, Policy(), "SITE1")

    assert after == once
    assert [(x.source, x.target, x.quantity) for x in moves if hasattr(x, "source")] == [
        ("picked", "available", Decimal(1))
    ]


@given(QUANTITIES, QUANTITIES)
def test_unpacking_undoes_packing(ordered: Decimal, packed: Decimal) -> None:
    """Whatever was put into boxes, within the order or beyond it, is where it came from when they are emptied."""
    state = State(lines=(Line("1", "WID-1", "EA", Decimal(9), ordered, allocated=ordered, location="SITE1"),))
    told = (LineShipped("shop/1", "1", "WID-1", Quantity(packed)),)

    boxed, _ = box(state, told, "picked", Policy(), "SITE1")

    assert unbox(boxed, told, Policy(), "SITE1")[0] == state


@pytest.mark.parametrize("part", PARTS)
def test_the_law_sees_every_part(part: Part) -> None:
    """A quantity out of nowhere, or below zero, breaks it."""
    grown = {part: getattr(fresh(Decimal(5)), part) + 1}
    debt = {part: Decimal(-1)}

    assert lawful(fresh(Decimal(5)))
    for change in (grown, debt):
        values = {name: getattr(fresh(Decimal(5)), name) for name in Line.__struct_fields__}
        assert not lawful(Line(**values | change))
