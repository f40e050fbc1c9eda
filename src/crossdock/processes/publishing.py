"""What channels are told they may sell, and which of them hears it first. Pure.

Channels that sell the same goods all show the same pieces. Between an order and the moment at which the others show one
piece less, they sell what is gone. So a channel is shown what is there less what is probably ordered unseen meanwhile:
by itself (an absolute number replaces what it counted down) and by the others, by how fast the item sells and how slow
the channel is. Calls are scarce: the first goes where a wrong number costs most until it can be put right.
"""

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal
from math import erf, exp, log2, pi, sqrt
from typing import Final

import msgspec

OVERSOLD_COST: Final = 10.0
"""Of a piece that was sold and is not there, where a piece that was not sold costs 1."""
HORIZON_SECONDS: Final = 300.0
"""How long a number that is told now has to hold."""
PACE_SECONDS: Final = 900.0
"""How long a sale counts for the pace: its weight falls to a third in this time."""
PACE_LEAST: Final = 0.00005
"""Pieces a second that anything may sell, also what nobody bought lately: one in five and a half hours. It makes a wrong
number somewhat urgent, and keeps nothing back: the last piece of what hardly sells is shown everywhere.
"""
EXACT_MAX: Final = 60.0
"""Above this mean the normal distribution is near enough to Poisson's."""
SPREADS_KEPT: Final = 1.335
"""What is kept back of a large mean, in standard deviations: ten pieces in eleven are not worth one oversold."""
FIRST: Final = 8
"""Priority of effects that take an item off a channel; other numbers come after them, down to `LAST`."""
LAST: Final = 31
_MIDDLE: Final = 20
ZERO: Final = Decimal(0)


class Front(msgspec.Struct, frozen=True, gc=False):
    """One channel, as far as it matters for one item.

    `shown` is what it was told last, `pace` the pieces a second that are ordered there. `visible_seconds` is the time
    from our call to what buyers see, `heard_seconds` that from an order to our knowing of it.
    """

    channel: str
    shown: Decimal
    pace: float
    visible_seconds: float
    heard_seconds: float


def slowed(pieces: float, seconds: float) -> float:
    """What pieces sold lately still count for, so many seconds later."""
    return pieces * exp(-max(0.0, seconds) / PACE_SECONDS)


def pace(pieces: float) -> float:
    """Pieces a second, of what sales lately count for."""
    return pieces / PACE_SECONDS


def number(front: Front, others: Iterable[Front], available: Decimal) -> Decimal:
    """What this channel shall show of an item of which `available` is nobody's: whole pieces, never below zero."""
    left = available - kept_back(unseen(front, others))
    return max(ZERO, left.to_integral_value(rounding=ROUND_FLOOR))


def unseen(front: Front, others: Iterable[Front]) -> float:
    """Pieces that are probably ordered and not yet known when a number begins to show; nobody sells more than it shows."""
    return sum(
        min(x.pace * (x.heard_seconds + front.visible_seconds), float(x.shown)) for x in (front, *others)
    )


def urgency(front: Front, wanted: Decimal) -> float:
    """What it costs, in pieces not sold, to leave this channel as it is until it can be told again."""
    pieces = (front.pace + PACE_LEAST) * (front.heard_seconds + front.visible_seconds + HORIZON_SECONDS)
    apart = sold(pieces, float(front.shown)) - sold(pieces, float(wanted))
    return apart * OVERSOLD_COST if apart > 0 else -apart


def priority(front: Front, wanted: Decimal) -> int:
    """Of the effect that tells it: off the channel first, then by urgency; each step is half as urgent as the one before."""
    if wanted == ZERO:
        return FIRST
    cost = urgency(front, wanted)
    return LAST if cost <= 0 else min(LAST, max(FIRST + 1, _MIDDLE - round(log2(cost))))


def kept_back(mean: float) -> int:
    """Pieces not shown where so many are ordered unseen on average: showing one more would cost more than it brings."""
    if mean > EXACT_MAX:
        return round(mean + SPREADS_KEPT * sqrt(mean))
    missed = 1 / (1 + OVERSOLD_COST)
    kept, share = 0, exp(-mean)
    below = share
    while 1 - below > missed:
        kept += 1
        share *= mean / kept
        below += share
    return kept


def sold(mean: float, shown: float) -> float:
    """Pieces that are sold on average where so many are asked for, and no more than `shown` can be had."""
    if shown <= 0 or mean <= 0:
        return 0.0
    spread = sqrt(mean)
    if shown > mean + 6 * spread + 6:
        return mean
    if mean > EXACT_MAX:
        z = (shown - mean) / spread
        beyond = spread * (exp(-z * z / 2) / sqrt(2 * pi) - z * (1 - erf(z / sqrt(2))) / 2)
        return mean - max(0.0, beyond)
    share, below, found = exp(-mean), 0.0, 0.0
    for k in range(int(shown)):
        found += k * share
        below += share
        share *= mean / (k + 1)
    return found + int(shown) * (1 - below)
