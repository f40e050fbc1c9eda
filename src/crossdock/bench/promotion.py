"""A promotion on two channels that sell the same goods: who asks for what, and when; what comes in; how slow each channel is.

Seeded and pure: everything is drawn here, nothing depends on what a publisher does. It was written, and committed, before
the publisher it is to judge. The assumptions, all ours unless a source is named:

- 200 items, an hour and a half. Demand is Poisson; how often an item is asked for is heavy-tailed (Pareto, 1.3), and a
  promotion multiplies the rate of about a tenth of them 8 to 40 times within a minute. Most ask for one piece.
- Stock lasts for 0.3 to 3 times what is to be expected of the item, so that many run out, mostly promoted ones. About one
  item in eight gets goods in while the trace runs.
- `shopify`: 60 % of the demand. A set is visible after 1 to 3 s, an order is heard of after 2 to 8 s (webhook).
  A standard shop restores 100 cost points a second and a set costs about ten [shopify.dev], so ten sets a second at
  most; the same bucket serves order reads, fulfilments, prices and the rest of the catalogue. 1 % is left for these items.
- `amazon`: 40 %. A patch of a listing is visible after 5 to 15 minutes [vendor], an order is heard of after 1 to 3
  minutes (searched for). `patchListingsItem` allows 5 a second, burst 5, per account [Amazon]; repricing and 20,000
  other offers use it too. 2 % are left.

So calls are scarce on purpose: there are many times as many changes as calls.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SECONDS: Final = 5400
ITEMS: Final = 200
ORDERS_PER_SECOND: Final = 0.4
"""Of all items and both channels together, without the promotion."""
TAIL: Final = 1.3
PROMOTED_SHARE: Final = 0.1
CALLS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Channel:
    """`visible` and `heard`: least and most seconds from a call to what buyers see, and from an order to our knowing."""

    name: str
    share: float
    calls_per_second: float
    burst: int
    visible: tuple[float, float]
    heard: tuple[float, float]


CHANNELS: Final = (
    Channel("shopify", 0.6, 0.1, 5, (1.0, 3.0), (2.0, 8.0)),
    Channel("amazon", 0.4, 0.1, 5, (300.0, 900.0), (60.0, 180.0)),
)


@dataclass(frozen=True, slots=True)
class Want:
    """Somebody asks a channel for so many pieces; an order made of it is heard of at `heard_at`."""

    at: float
    item: int
    channel: int
    pieces: int
    heard_at: float


@dataclass(frozen=True, slots=True)
class Inbound:
    at: float
    item: int
    pieces: int


@dataclass(frozen=True, slots=True)
class Trace:
    """`visible_after` has the seconds that each channel's first, second, … call takes."""

    seed: int
    opening: tuple[int, ...]
    wants: tuple[Want, ...]
    inbound: tuple[Inbound, ...]
    visible_after: tuple[tuple[float, ...], ...]


def make(seed: int) -> Trace:
    """One promotion."""
    dice = random.Random(f"promotion/{seed}")
    weights = [dice.paretovariate(TAIL) for _ in range(ITEMS)]
    rates = [ORDERS_PER_SECOND * w / sum(weights) for w in weights]
    begins, ends = dice.uniform(900, 1800), dice.uniform(3600, 4800)
    times = [dice.uniform(8, 40) if dice.random() < PROMOTED_SHARE else 1.0 for _ in range(ITEMS)]
    opening, inbound = [], []
    for item, rate in enumerate(rates):
        expected = rate * (SECONDS + (times[item] - 1) * (ends - begins)) * 1.3
        opening.append(max(1, round(expected * dice.uniform(0.3, 3.0))))
        if dice.random() < 1 / 8:
            inbound.append(Inbound(dice.uniform(600, SECONDS), item, max(2, round(expected / 2))))
    wants = [
        want for item, rate in enumerate(rates) for want in _wants(dice, item, rate, (begins, ends, times[item]))
    ]  # fmt: skip
    return Trace(
        seed, tuple(opening), tuple(sorted(wants, key=lambda x: x.at)), tuple(sorted(inbound, key=lambda x: x.at)),
        tuple(tuple(dice.uniform(*x.visible) for _ in range(CALLS_MAX)) for x in CHANNELS),
    )  # fmt: skip


def _wants(
    dice: random.Random, item: int, rate: float, promotion: tuple[float, float, float]
) -> Iterator[Want]:
    """A Poisson process, thinned outside of the promotion."""
    begins, ends, times = promotion
    at = 0.0
    while True:
        at += dice.expovariate(rate * times)
        if at >= SECONDS:
            return
        if not begins <= at < ends and dice.random() >= 1 / times:
            continue
        channel = 0 if dice.random() < CHANNELS[0].share else 1
        pieces = dice.choices((1, 2, 3), (80, 15, 5))[0]
        yield Want(at, item, channel, pieces, at + dice.uniform(*CHANNELS[channel].heard))
