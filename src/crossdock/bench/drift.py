"""`bench drift`: how often the classifier names the right cause, on days it was not written with."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Final, Literal

from crossdock.bench.drift_world import Drift, make
from crossdock.bench.rows import Row, row
from crossdock.model.drift import Booked, Booking
from crossdock.model.stock import StockPlace
from crossdock.processes.drift import Compared, Gap, compare, gap

WRITTEN_WITH: Final = tuple(range(1, 11))
"""The seeds that were looked at while the classifier was written."""
UNSEEN: Final = tuple(range(1001, 1021))
Matrix = Counter[tuple[str, str]]


async def bench() -> AsyncIterator[Row]:
    """A row per side: the share that is named right, false alarms, and the confusion matrix."""
    for system in ("wms", "erp"):
        yield scored(system)


def scored(system: Literal["wms", "erp"], seeds: Iterable[int] = UNSEEN) -> Row:
    """The share of right names in percent over these seeds."""
    matrix: Matrix = Counter()
    alarms = moving = 0
    shares = []
    for seed in seeds:
        drift = make(seed, system)
        one, false = judge(drift)
        matrix += one
        alarms += false
        moving += len(drift.moving)
        shares.append(_right(one))
    confusion = {
        truth: {said: n for (t, said), n in sorted(matrix.items()) if t == truth}
        for truth in sorted({t for t, _ in matrix})
    }
    found = row(
        f"drift_{system}_right", shares, "%", note=f"{sum(matrix.values())} differences, {alarms} false alarms, {moving} places moving",
        more={"differences": sum(matrix.values()), "false_alarms": alarms, "moving": moving, "confusion": confusion},
    )  # fmt: skip
    found.value = _right(matrix)
    return found


def _right(matrix: Matrix) -> float:
    return 100 * sum(n for (truth, said), n in matrix.items() if truth == said) / max(1, sum(matrix.values()))


def judge(drift: Drift) -> tuple[Matrix, int]:
    """(truth, what was said) of each spoiled place, after both looks; and how many sound places were named."""
    final = seen(drift, len(drift.looks) - 1)
    said = {d.place: d.cause for d in final.differences}
    early = {d.place for look in range(len(drift.looks) - 1) for d in seen(drift, look).differences}
    matrix: Matrix = Counter((truth, said.get(place, "nothing")) for place, truth in drift.truth.items())
    return matrix, len((set(said) | early) - set(drift.truth))


def seen(drift: Drift, look: int) -> Compared:
    """What the hub says at one of its looks."""
    at, facts = drift.looks[look]
    here: dict[StockPlace, list[Booking]] = {}
    for booking in drift.bookings:
        if booking.recorded_at <= at:
            here.setdefault(booking.place, []).append(booking)
    gaps: list[Gap] = []
    for counted in drift.counted:
        mine = here.get(counted.place, [])
        found = gap(counted, _booked(drift, counted.place, mine), mine)
        if found is not None:
            gaps.append(found)
    return compare(gaps, facts)


def _booked(drift: Drift, place: StockPlace, bookings: Iterable[Booking]) -> Booked | None:
    held = drift.opening.get(place)
    for b in bookings:
        held = held or Booked(place, "EA")
        held = Booked(place, held.unit, held.good + b.good, held.held + b.held, held.claimed + b.claimed)
    return held
