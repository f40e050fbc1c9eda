"""Amazon's usage plans: a token bucket for each operation of a seller. Pure: the instant (monotonic seconds) is an argument.

The account's own budget cannot tell operations apart, and one that may be called once a minute would hold up the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

DEFAULTS: Final[Mapping[str, tuple[float, int]]] = {
    "getOrders": (0.0167, 20),
    "getOrder": (0.5, 30),
    "getOrderItems": (0.5, 30),
    "confirmShipment": (2.0, 10),
    "patchListingsItem": (5.0, 5),
    "getListingsItem": (5.0, 5),
    "getMarketplaceParticipations": (0.016, 15),
}
"""Operation → calls per second and burst, as Amazon documents them; its answers name the rate that holds."""
RATE_MAX: Final = 1000.0


@dataclass(slots=True)
class Bucket:
    """`tokens` as of `at`; below zero where calls are promised to those who wait."""

    rate: float
    burst: int
    tokens: float
    at: float = 0.0

    def fill(self, now: float) -> None:
        self.tokens = min(float(self.burst), self.tokens + max(0.0, now - self.at) * self.rate)
        self.at = max(self.at, now)


@dataclass(slots=True)
class Plans:
    """One seller's plans; they begin full, as after a rest."""

    buckets: dict[str, Bucket] = field(
        default_factory=lambda: {name: Bucket(rate, burst, burst) for name, (rate, burst) in DEFAULTS.items()}
    )

    def wait_seconds(self, operation: str, now: float) -> float:
        """How long until one more call may start."""
        bucket = self.buckets[operation]
        bucket.fill(now)
        return max(0.0, (1.0 - bucket.tokens) / bucket.rate)

    def spare(self, operation: str, now: float) -> int:
        """How many calls may start now."""
        bucket = self.buckets[operation]
        bucket.fill(now)
        return max(0, int(bucket.tokens))

    def spend(self, operation: str, now: float) -> None:
        """One call is made, or promised for when its wait is over."""
        bucket = self.buckets[operation]
        bucket.fill(now)
        bucket.tokens -= 1.0

    def heard(self, operation: str, rate: str, now: float) -> None:
        """What `x-amzn-RateLimit-Limit` said: a seller's rate may be another than the documented one."""
        try:
            told = float(rate)
        except ValueError:
            return
        if 0 < told <= RATE_MAX:
            bucket = self.buckets[operation]
            bucket.fill(now)
            bucket.rate = told

    def refused(self, operation: str, now: float) -> None:
        """429: somebody else spent it, the bucket is empty."""
        bucket = self.buckets[operation]
        bucket.fill(now)
        bucket.tokens = min(bucket.tokens, 0.0)


def cautious() -> Plans:
    """As a caller keeps them: one call of each burst in reserve, since calls bunch up on the way to who counts them."""
    return Plans({name: Bucket(rate, burst - 1, burst - 1) for name, (rate, burst) in DEFAULTS.items()})
