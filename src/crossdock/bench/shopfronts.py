"""Two shopfronts play a promotion: what they show, what is ordered, what we hear of it and when, and what came of it.

A publisher is told what a hub would hear, and asked what to push whenever a channel's budget has a call to spare. The
shopfronts take an absolute number when it becomes visible, and take orders off the number they show until the next one.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Protocol

from crossdock.bench.promotion import CHANNELS, SECONDS, Trace


class Publisher(Protocol):
    def sold(self, now: float, item: int, channel: int, pieces: int, left: int, /) -> None:
        """An order was heard of; `left` are the pieces that nobody has."""

    def stocked(self, now: float, item: int, left: int, /) -> None:
        """Goods came in."""

    def push(self, now: float, channel: int, /) -> tuple[int, int] | None:
        """(item, number) for a call that may be made now; None where there is nothing to say."""


@dataclass(slots=True)
class Played:
    """Pieces: `oversold` were ordered when nobody had them any more, `lost` were asked for in vain while there were some."""

    calls: int = 0
    changes: int = 0
    ordered: int = 0
    oversold: int = 0
    lost: int = 0


class Shopfronts:
    """The channels' own books, and the truth about the goods."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.shown = [list(trace.opening) for _ in CHANNELS]
        self.left = list(trace.opening)
        """By the ledger: without orders that were not heard of."""
        self.unheard = [0] * len(trace.opening)
        self.played = Played()
        self._events: list[tuple[float, int, str, Any]] = []
        self._number = 0
        self._visible_at: dict[tuple[int, int], float] = {}
        self._calls = [0] * len(CHANNELS)
        self._tokens = [float(x.burst) for x in CHANNELS]
        for want in trace.wants:
            self._at(want.at, "want", want)
        for goods in trace.inbound:
            self._at(goods.at, "inbound", goods)
        for second in range(SECONDS):
            self._at(float(second), "calls", None)

    def _at(self, at: float, what: str, about: Any) -> None:
        self._number += 1
        heappush(self._events, (at, self._number, what, about))

    def play(self, publisher: Publisher) -> Played:
        """From beginning to end."""
        while self._events:
            now, _, what, about = heappop(self._events)
            match what:
                case "want":
                    self._want(about)
                case "heard":
                    self._heard(publisher, now, about)
                case "inbound":
                    self.left[about.item] += about.pieces
                    self.played.changes += len(CHANNELS)
                    publisher.stocked(now, about.item, self.left[about.item])
                case "visible":
                    channel, item, number = about
                    self.shown[channel][item] = number
                case _:
                    self._call(publisher, now)
        return self.played

    def _want(self, want: Any) -> None:
        if self.shown[want.channel][want.item] >= want.pieces:
            self.shown[want.channel][want.item] -= want.pieces
            self.unheard[want.item] += want.pieces
            self.played.ordered += want.pieces
            self._at(want.heard_at, "heard", want)
        elif self.left[want.item] - self.unheard[want.item] >= want.pieces:
            self.played.lost += want.pieces

    def _heard(self, publisher: Publisher, now: float, want: Any) -> None:
        """The order is served whole or not at all, in the order in which we hear."""
        self.unheard[want.item] -= want.pieces
        if self.left[want.item] < want.pieces:
            self.played.oversold += want.pieces
        else:
            self.left[want.item] -= want.pieces
            self.played.changes += len(CHANNELS)
        publisher.sold(now, want.item, want.channel, want.pieces, self.left[want.item])

    def _call(self, publisher: Publisher, now: float) -> None:
        for channel, x in enumerate(CHANNELS):
            self._tokens[channel] = min(float(x.burst), self._tokens[channel] + x.calls_per_second)
            while self._tokens[channel] >= 1:
                pushed = publisher.push(now, channel)
                if pushed is None:
                    break
                self._tokens[channel] -= 1
                self.played.calls += 1
                self._push(now, channel, *pushed)

    def _push(self, now: float, channel: int, item: int, number: int) -> None:
        """A later call for the same item never becomes visible before an earlier one."""
        after = self.trace.visible_after[channel][self._calls[channel]]
        self._calls[channel] += 1
        at = max(now + after, self._visible_at.get((channel, item), 0.0))
        self._visible_at[channel, item] = at
        self._at(at, "visible", (channel, item, number))


class FirstInFirstOut:
    """The naive way: whatever changed waits in line and is told as it is; a newer number takes the waiting one's place."""

    def __init__(self, trace: Trace) -> None:
        self._left = list(trace.opening)
        self._lines: list[dict[int, None]] = [{} for _ in CHANNELS]

    def sold(self, now: float, item: int, _channel: int, _pieces: int, left: int) -> None:
        self.stocked(now, item, left)

    def stocked(self, _now: float, item: int, left: int) -> None:
        self._left[item] = left
        for line in self._lines:
            line.setdefault(item)

    def push(self, _now: float, channel: int) -> tuple[int, int] | None:
        line = self._lines[channel]
        if not line:
            return None
        item = next(iter(line))
        del line[item]
        return item, self._left[item]
