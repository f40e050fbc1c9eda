"""What an account allows: requests per second, calls at once, and a breaker that stops calling a dead target.

Pure: the instant (monotonic seconds) is an argument.
"""

from dataclasses import dataclass

BREAKER_FAILURES = 5
RAMP_SECONDS = 0.5
"""How long a target that came back is called with so many calls at once before it gets twice as many."""
PROBE_SECONDS_MAX = 15.0


@dataclass(slots=True)
class Budget:
    """Token bucket and concurrency of one account; `rate` 0 means concurrency only."""

    concurrency: int
    rate: float = 0.0
    burst: float = 1.0
    in_flight: int = 0
    paid: int = 0
    """Requests that `spend` paid for and that were not made yet."""
    tokens: float = 0.0
    """Below zero where requests are promised for later."""
    at: float = 0.0
    paused_until: float = 0.0
    ramped_since: float | None = None
    """Since when the target is back; None once it gets all of its budget."""

    def allowed(self, now: float) -> int:
        """How many calls may start now."""
        if now < self.paused_until:
            return 0
        free = self._at_once(now) - self.in_flight
        if free <= 0:
            return 0
        if self.rate <= 0:
            return free
        self._fill(now)
        return max(0, min(free, int(self.tokens)))

    def _fill(self, now: float) -> None:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now

    def turn(self, now: float, patience_seconds: float) -> float:
        """How long a request of a call under way waits, as one call may take several; promised, unless it is too long."""
        if self.rate <= 0:
            return 0.0
        if self.paid > 0:
            self.paid -= 1
            return 0.0
        self._fill(now)
        wait = max(0.0, (1.0 - self.tokens) / self.rate)
        if wait <= patience_seconds:
            self.tokens -= 1.0
        return wait

    def _at_once(self, now: float) -> int:
        """One call at first, then twice as many every half second: a target that comes back is not run over."""
        if self.ramped_since is None:
            return self.concurrency
        doublings = max(0, int((now - self.ramped_since) / RAMP_SECONDS))
        if doublings < self.concurrency.bit_length():
            return min(self.concurrency, 1 << doublings)
        self.ramped_since = None
        return self.concurrency

    def come_back(self, now: float) -> None:
        """The target answers again, or will from then on: what was saved up meanwhile is not called at once."""
        self.ramped_since = now
        self.tokens = min(self.tokens, 1.0)

    def spend(self, calls: int) -> None:
        self.in_flight += calls
        if self.rate > 0:
            self.tokens -= calls
            self.paid += calls

    def ended(self) -> None:
        self.in_flight -= 1
        self.paid = min(self.paid, self.in_flight)

    def not_made(self) -> None:
        """A call that was counted and turned out not to be needed: nobody heard of it."""
        self.in_flight -= 1
        if self.rate > 0:
            self.tokens = min(self.burst, self.tokens + 1)
            self.paid = max(0, self.paid - 1)

    def pause(self, until: float) -> None:
        """The target asked for patience: nobody of this account calls before."""
        self.paused_until = max(self.paused_until, until)

    def end_pause(self, now: float) -> None:
        """A person knows better: one call is tried now."""
        self.paused_until = min(self.paused_until, now)
        self.come_back(now)

    def wait_seconds(self, now: float) -> float:
        """How long until a call may start; 0 when only concurrency stands in the way."""
        wait = max(0.0, self.paused_until - now)
        if self.rate > 0 and self.tokens < 1:
            wait = max(wait, (1 - self.tokens) / self.rate)
        return wait


@dataclass(slots=True)
class Breaker:
    """Closed until several failures in a row; then one probe at a time, ever rarer."""

    failures: int = 0
    probe_at: float = 0.0
    probing: bool = False

    @property
    def open(self) -> bool:
        return self.failures >= BREAKER_FAILURES

    def allowed(self, wanted: int, now: float) -> int:
        if not self.open:
            return wanted
        if self.probing or now < self.probe_at or wanted < 1:
            return 0
        self.probing = True
        return 1

    def succeeded(self) -> bool:
        """True when this closed an open breaker."""
        closed = self.open
        self.failures = 0
        self.probing = False
        return closed

    def failed(self, now: float) -> bool:
        """True when this opened it."""
        before = self.open
        self.failures += 1
        self.probing = False
        if self.open:
            beyond = min(self.failures - BREAKER_FAILURES, 5)
            self.probe_at = now + min(PROBE_SECONDS_MAX, 0.5 * 2**beyond)
        return self.open and not before
