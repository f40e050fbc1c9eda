"""What all calls of one account share: its budget, its breaker, and what is said of its health."""

import structlog

from crossdock.connect.contract import CannotTell, RetryLater, Unknown
from crossdock.connect.manifest import Limits
from crossdock.landscape import System
from crossdock.runtime.budget import Breaker, Budget
from crossdock.runtime.outcomes import Outcomes

STARTS_MAX = 64
PAUSE_SECONDS_MAX = 60.0
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

    def for_effects(self, now: float) -> int:
        """How many effects may start now."""
        return self._breaker.allowed(max(0, min(self.budget.allowed(now) - self.owed, STARTS_MAX)), now)

    def for_question(self, now: float) -> bool:
        """Whether one question may start now; then it has begun."""
        if not self._breaker.allowed(min(self.budget.allowed(now), 1), now):
            return False
        self.budget.spend(1)
        return True

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

    def heard(self, answer: object, reason: str, now: float) -> bool:
        """What the answer to a call says of the account; the call itself is `budget.ended`. True: the target is back."""
        if isinstance(answer, RetryLater) and answer.throttled:
            self.budget.pause(now + min(answer.after_seconds or 0.25, PAUSE_SECONDS_MAX))
            self._breaker.probing = False
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
        back = self._breaker.succeeded()
        if back:
            self.budget.come_back(now)
        if back or not self._succeeded:
            # The first success tells as well: the account may have been failing when its last owner ended.
            _log.info("target_answers", account=self.name)
            self._outcomes.note_health(self.name, failing=False, reason="")
            self._succeeded = True
        return back
