"""The drift that a classifier is judged by: seeded, true to its own books, spoiled only where it says so."""

from decimal import Decimal
from typing import Literal, get_args

import pytest

from crossdock.bench.drift_world import Drift, make
from crossdock.model.drift import Cause, Counted


def hindsight(drift: Drift, row: Counted) -> tuple[Decimal, Decimal]:
    """What their row should be, if everything that reached either side had been booked alike."""
    opening = drift.opening.get(row.place)
    good, held = (opening.good, opening.held) if opening else (Decimal(0), Decimal(0))
    for b in drift.bookings:
        heard = (
            b.sequence <= row.watermark
            if b.sequence is not None and row.watermark is not None
            else b.settled_at is None or b.settled_at <= row.read_at
        )
        if b.place == row.place and heard:
            good, held = good + b.good, held + b.held
    return good, held


@pytest.mark.parametrize("system", ["wms", "erp"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_differs_where_it_says(seed: int, system: Literal["wms", "erp"]) -> None:
    """With hindsight a place agrees unless it has a fault; every fault is visible."""
    drift = make(seed, system)
    differing = {row.place for row in drift.counted if hindsight(drift, row) != (row.good, row.held)}

    assert differing == set(drift.truth)
    assert drift.moving


def test_the_same_seed_is_the_same_day() -> None:
    """Figures can be repeated."""
    assert make(7, "wms") == make(7, "wms")
    assert make(7, "wms") != make(8, "wms")


def test_every_cause_comes_about() -> None:
    """Over a few seeds, all but the one that is no difference; what is under way stands apart."""
    seen = {
        cause
        for seed in range(1, 6)
        for system in ("wms", "erp")
        for cause in make(seed, system).truth.values()
    }  # type: ignore[arg-type]

    assert seen == set(get_args(Cause)) - {"in_flight"}
