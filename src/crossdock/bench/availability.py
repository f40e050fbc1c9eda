"""`bench availability`: how much less is oversold than by telling channels first in, first out, with the same calls."""

from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from heapq import heappop, heappush
from typing import Final

from crossdock.bench.promotion import CHANNELS, Trace, make
from crossdock.bench.rows import Row, row
from crossdock.bench.shopfronts import FirstInFirstOut, Played, Shopfronts
from crossdock.processes import publishing

WRITTEN_WITH: Final = tuple(range(1, 11))
"""The seeds that were looked at while the publisher was written."""
UNSEEN: Final = tuple(range(2001, 2021))
REVIEW_SECONDS: Final = 60.0
DECLARED: Final = tuple(tuple(x[0] + (x[1] - x[0]) * 0.75 for x in (c.visible, c.heard)) for c in CHANNELS)
"""(visible, heard) seconds of each channel, as a manifest declares them: within which three in four are."""
Pair = tuple[Played, Played]
"""(first in, first out; by risk)"""


async def bench() -> AsyncIterator[Row]:
    """One row: the share by which less is oversold, over all unseen seeds."""
    yield scored()


def scored(seeds: Iterable[int] = UNSEEN) -> Row:
    pairs = {seed: compared(seed) for seed in seeds}
    less, more = oversell_less(pairs.values()), lost_sales_more(pairs.values())
    found = row(
        "availability", [oversell_less([pair]) for pair in pairs.values()], "less oversold",
        note=f"lost sales {more:+.1%} of what is served; {len(pairs)} promotions, calls of both {_sum(pairs.values(), 'calls')}",
        more={
            "oversell_less": less, "lost_sales_more": more, "served_less": served_less(pairs.values()),
            "by_seed": {seed: [_figures(played) for played in pair] for seed, pair in pairs.items()},
        },
    )  # fmt: skip
    found.value = less
    return found


def compared(seed: int) -> Pair:
    """The same promotion, told in both ways."""
    trace = make(seed)
    return Shopfronts(trace).play(FirstInFirstOut(trace)), Shopfronts(trace).play(ByRisk(trace))


def oversell_less(pairs: Iterable[Pair]) -> float:
    before, after = _sum(pairs := list(pairs), "oversold")
    return 1 - after / max(1, before)


def lost_sales_more(pairs: Iterable[Pair]) -> float:
    """Pieces asked for in vain while there were some, beyond those of first in, first out: as a share of what that served."""
    before, after = _sum(pairs := list(pairs), "lost")
    return (after - before) / max(1, _served(pairs)[0])


def served_less(pairs: Iterable[Pair]) -> float:
    """Of what was refused in vain, most is sold to somebody else: what is missing in the end."""
    before, after = _served(list(pairs))
    return 1 - after / max(1, before)


def _served(pairs: list[Pair]) -> tuple[int, int]:
    ordered, oversold = _sum(pairs, "ordered"), _sum(pairs, "oversold")
    return ordered[0] - oversold[0], ordered[1] - oversold[1]


def _sum(pairs: Iterable[Pair], what: str) -> tuple[int, int]:
    found = [(getattr(a, what), getattr(b, what)) for a, b in pairs]
    return sum(a for a, _ in found), sum(b for _, b in found)


def _figures(played: Played) -> dict[str, int]:
    return {x: getattr(played, x) for x in ("calls", "changes", "ordered", "oversold", "lost")}


class ByRisk:
    """As the hub does: numbers and priorities where something changes and a while after; a newer number keeps the place.

    The pace is the item's, since the ledger does not know which channel a claim was for; each channel counts for as much.
    """

    def __init__(self, trace: Trace) -> None:
        self._left = list(trace.opening)
        self._told = [[Decimal(x) for x in trace.opening] for _ in CHANNELS]
        self._lately = [(0.0, 0.0)] * len(trace.opening)
        """(pieces, as of)"""
        self._waiting: list[dict[int, tuple[int, float]]] = [{} for _ in CHANNELS]
        """Item → (priority, since)."""
        self._reviews: list[tuple[float, int]] = []
        self._review_at: dict[int, float] = {}

    def sold(self, now: float, item: int, _channel: int, pieces: int, left: int) -> None:
        before, at = self._lately[item]
        self._lately[item] = (publishing.slowed(before, now - at) + pieces, now)
        self.stocked(now, item, left)

    def stocked(self, now: float, item: int, left: int) -> None:
        self._left[item] = left
        self._weigh(now, item)

    def push(self, now: float, channel: int) -> tuple[int, int] | None:
        while self._reviews and self._reviews[0][0] <= now:
            at, item = heappop(self._reviews)
            if self._review_at.get(item) == at:
                self._weigh(now, item)
        waiting = self._waiting[channel]
        if not waiting:
            return None
        item = min(waiting, key=waiting.__getitem__)
        del waiting[item]
        return item, int(self._told[channel][item])

    def _weigh(self, now: float, item: int) -> None:
        pieces, at = self._lately[item]
        pace = publishing.pace(publishing.slowed(pieces, now - at) / len(CHANNELS))
        fronts = [
            publishing.Front(x.name, self._told[n][item], pace, *DECLARED[n]) for n, x in enumerate(CHANNELS)
        ]
        available = Decimal(self._left[item])
        self._review_at.pop(item, None)
        for n, front in enumerate(fronts):
            number = publishing.number(front, [x for x in fronts if x is not front], available)
            if number < available:
                self._review_at[item] = now + REVIEW_SECONDS
            if number != front.shown:
                first, since = self._waiting[n].get(item, (publishing.LAST, now))
                self._waiting[n][item] = (min(first, publishing.priority(front, number)), since)
                self._told[n][item] = number
        if item in self._review_at:
            heappush(self._reviews, (self._review_at[item], item))
