"""The shopfronts that publishers are compared on: their books add up, and a number counts from when buyers see it."""

import pytest

from crossdock.bench.promotion import CHANNELS, SECONDS, Trace, Want, make
from crossdock.bench.shopfronts import FirstInFirstOut, Played, Shopfronts


def played(opening: int, *wants: Want, visible: float = 1.0) -> Played:
    trace = Trace(0, (opening,), wants, (), tuple((visible,) * 100 for _ in CHANNELS))
    return Shopfronts(trace).play(FirstInFirstOut(trace))


def test_both_channels_sell_the_last_piece() -> None:
    """Before the second one can show that it is gone, somebody orders it there: one piece too many."""
    found = played(1, Want(10.0, 0, 0, 1, 12.0), Want(13.0, 0, 1, 1, 20.0), visible=5.0)

    assert (found.ordered, found.oversold, found.lost) == (2, 1, 0)


def test_a_number_in_time_prevents_it() -> None:
    """Once it is visible that the piece is gone, nobody can order it, and nothing was lost."""
    found = played(1, Want(10.0, 0, 0, 1, 12.0), Want(30.0, 0, 1, 1, 40.0), visible=5.0)

    assert (found.ordered, found.oversold, found.lost) == (1, 0, 0)


def test_a_late_number_forgets_what_was_ordered_meanwhile() -> None:
    """An absolute number replaces what the channel counted down itself, so that the same piece is sold again."""
    wants = (Want(10.0, 0, 0, 1, 11.0), Want(12.0, 0, 0, 2, 90.0), Want(40.0, 0, 0, 2, 91.0))
    found = played(3, *wants, visible=20.0)

    assert (found.ordered, found.oversold) == (5, 2)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_books_add_up(seed: int) -> None:
    """What was ordered is served from what there was, or oversold; calls stay within the budgets."""
    trace = make(seed)
    fronts = Shopfronts(trace)
    found = fronts.play(FirstInFirstOut(trace))
    there = sum(trace.opening) + sum(x.pieces for x in trace.inbound)

    assert found.ordered - found.oversold == there - sum(fronts.left)
    assert min(fronts.left) >= 0
    assert not any(fronts.unheard)
    assert found.calls <= sum(x.calls_per_second * SECONDS + x.burst for x in CHANNELS)
    assert found.changes > 4 * found.calls
