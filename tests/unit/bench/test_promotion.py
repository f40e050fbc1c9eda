"""The promotion that the publisher is judged by: seeded, scarce of calls, and short of goods where it says so."""

import pytest

from crossdock.bench.promotion import CHANNELS, ITEMS, SECONDS, Trace, make


def asked(trace: Trace, begin: float, end: float) -> list[int]:
    """Orders per item in a span of time."""
    found = [0] * ITEMS
    for want in trace.wants:
        found[want.item] += begin <= want.at < end
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_calls_are_scarce_and_goods_run_out(seed: int) -> None:
    """There are many times as many changes as calls on each channel, and a tenth of the items or more cannot be enough."""
    trace = make(seed)
    wanted = [0] * ITEMS
    for want in trace.wants:
        wanted[want.item] += want.pieces
    there = list(trace.opening)
    for x in trace.inbound:
        there[x.item] += x.pieces

    assert all(len(trace.wants) > 4 * x.calls_per_second * SECONDS for x in CHANNELS)
    assert sum(w > s for w, s in zip(wanted, there, strict=True)) >= ITEMS / 10
    assert trace.inbound
    assert all(x.at < x.heard_at for x in trace.wants)


def test_a_promotion_comes_suddenly() -> None:
    """Some items are asked for many times as often in its middle as before it."""
    trace = make(1)
    before, during = asked(trace, 0, 900), asked(trace, 2000, 2900)

    assert sum(d > 5 * b + 10 for b, d in zip(before, during, strict=True)) >= 3


def test_the_same_seed_is_the_same_promotion() -> None:
    """Figures can be repeated."""
    assert make(7) == make(7)
    assert make(7) != make(8)
