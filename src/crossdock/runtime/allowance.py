"""What all calls of one account share: its budget, its breaker, and what is said of its health."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from crossdock.connect.contract import CannotTell, RetryLater, Unknown
from crossdock.connect.manifest import Limits
from crossdock.connect.transport import RETRY_AFTER_SECONDS_MAX, NotSent
from crossdock.landscape import System
from crossdock.runtime.budget import Breaker, Budget
from crossdock.runtime.outcomes import Outcomes

STARTS_MAX = 64
UNTOLD_SECONDS = 0.25
UNTOLD_SECONDS_MAX = 60.0
"""How long to wait at first, and at most, where a target asks for patience and does not say how much."""
LONG_SECONDS = 30.0
"""A wait that people should know of: a quota is used up."""
_log = structlog.get_logger()


class Allowance:
    """Effects take what is there; a question takes what effects leave, or, once it waited for long, is owed a call."""

    def __init__(self, system: System, limits: Limits, outcomes: Outcomes) -> None:
        self.name = system.name
        self.budget = Budget(
            system.concurrency or limits.concurrency,
            limits.rate_per_second if system.rate_per_second is None else system.rate_per_second,
            float(system.burst or limits.burst),
        )
        self.owed = 0
        """Calls kept free for questions that waited long enough."""
        self._breaker, self._outcomes, self._succeeded = Breaker(), outcomes, False
        self._waves = 0
        """How often in a row it asked for patience."""
        self._together = 0
        """Calls that were under way when it last did: what they are answered is no further time."""
        self._waits = False
        """It is said of it that it waits, or fails, and no answer since tells otherwise."""

    def for_effects(self, now: float) -> int:
        """How many effects may start now."""
        return self._breaker.allowed(max(0, min(self.budget.allowed(now) - self.owed, STARTS_MAX)), now)

    def for_question(self, now: float) -> bool:
        """Whether one question may start now; then it has begun."""
        if not self._breaker.allowed(min(self.budget.allowed(now), 1), now):
            return False
        self.budget.spend(1)
        return True

    async def turn(self, patience_seconds: float) -> None:
        """Wait until the rate allows one more request of a call under way. Raises `NotSent`."""
        wait = self.budget.turn(asyncio.get_running_loop().time(), patience_seconds)
        if wait > patience_seconds:
            raise NotSent(f"the budget of {self.name} allows the next request in {wait:.0f} s")
        if wait > 0:
            await asyncio.sleep(wait)

    @property
    def dead(self) -> bool:
        """It is probed only."""
        return self._breaker.open

    def nothing_started(self, *, under_way: bool) -> None:
        """A probe that was allowed and not made is not one."""
        self._breaker.probing = self._breaker.probing and under_way

    def begin_again(self, under_way: int) -> None:
        """Only what is under way is spent: calls that were counted and never began are given back."""
        self.budget.in_flight, self._breaker.probing = under_way, False
        self.budget.paid = min(self.budget.paid, under_way)

    def found_failing(self, now: float) -> None:
        """Whoever had the account before could not reach it, or was asked to wait: one call at first shows whether that holds."""
        self._waits = True
        self.budget.come_back(now)

    def try_now(self, now: float) -> bool:
        """A person wants it tried, whatever the target asked for. False where nothing is in the way."""
        if not self._waits and self.budget.paused_until <= now:
            return False
        self._waves = self._together = 0
        self.budget.end_pause(now)
        return True

    def heard(self, answer: object, reason: str, now: float) -> bool:
        """What the answer to a call says of the account; the call itself is `budget.ended`. True: the target is back."""
        if isinstance(answer, RetryLater) and answer.throttled:
            self._breaker.probing = False
            self._asked_to_wait(answer.after_seconds, reason, now)
            return False
        if isinstance(answer, CannotTell) and answer.for_ever:
            # Nobody can say what became of that one effect: no word of how the target is.
            self._breaker.probing = False
            return False
        if isinstance(answer, Unknown | RetryLater | CannotTell):
            if self._breaker.failed(now):
                _log.warning("target_failing", account=self.name, reason=reason)
                self._outcomes.note_health(self.name, failing=True, reason=reason)
            return False
        back, waited = self._breaker.succeeded(), self._waits
        self._waves, self._together, self._waits = 0, 0, False
        if back:
            self.budget.come_back(now)
        if back or waited or not self._succeeded:
            # The first success tells as well: the account may have been failing when its last owner ended.
            _log.info("target_answers", account=self.name)
            self._outcomes.note_health(self.name, failing=False, reason="")
            self._succeeded = True
        return back or waited

    def _asked_to_wait(self, wish: float | None, reason: str, now: float) -> None:
        """As long as it said; where it does not say, twice as long every time. Then one call shows whether it was enough."""
        if self._together > 0:
            self._together -= 1
        else:
            self._waves, self._together = self._waves + 1, self.budget.in_flight
        untold = min(UNTOLD_SECONDS * 2 ** min(self._waves - 1, 10), UNTOLD_SECONDS_MAX)
        wait = min(wish or untold, RETRY_AFTER_SECONDS_MAX)
        self.budget.pause(now + wait)
        if wait >= LONG_SECONDS or self._waves > 1:
            self.budget.come_back(self.budget.paused_until)
        if wait >= LONG_SECONDS:
            until = datetime.now(UTC) + timedelta(seconds=wait)
            told = f"asks to be left alone until {until:%Y-%m-%d %H:%M:%S} UTC: {reason}"
            if not self._waits:
                _log.warning("target_asks_to_wait", account=self.name, reason=told)
            self._waits = True
            self._outcomes.note_health(self.name, failing=True, reason=told)
