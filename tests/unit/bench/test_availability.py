"""The publisher on promotions it was not written with."""

from crossdock.bench.availability import compared, lost_sales_more, oversell_less, served_less


def test_it_oversells_less_with_the_same_calls() -> None:
    """Over eight promotions that nobody looked at: a quarter or less of what first in, first out oversells, few sales lost."""
    pairs = [compared(seed) for seed in range(6001, 6009)]

    assert oversell_less(pairs) >= 0.75
    assert lost_sales_more(pairs) <= 0.025
    assert served_less(pairs) <= 0.015
    assert all(by_risk.calls <= naive.calls for naive, by_risk in pairs)
