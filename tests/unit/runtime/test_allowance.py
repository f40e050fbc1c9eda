"""What answers say of an account's health."""

from typing import Any

from crossdock.connect.contract import CannotTell, Done, Unknown
from crossdock.connect.manifest import Limits
from crossdock.landscape import System
from crossdock.runtime.allowance import Allowance
from crossdock.runtime.budget import BREAKER_FAILURES, PROBE_SECONDS_MAX, RAMP_SECONDS, Budget
from crossdock.runtime.outcomes import Outcomes

NOBODY_KNOWS = CannotTell(reason="mail servers cannot be asked what they took", for_ever=True)


def account() -> Allowance:
    unused: Any = None
    return Allowance(System("mail", "email"), Limits(4, 0.0, 1), Outcomes(unused, unused, lambda: None))


def heard(of: Allowance, answer: CannotTell | Unknown, now: float) -> None:
    of.budget.spend(1)
    of.budget.ended()
    of.heard(answer, answer.reason, now)


def test_what_cannot_be_looked_up_does_not_stop_what_can_be_sent() -> None:
    """However many e-mails got no answer, the mail server is not called dead for it."""
    mail = account()
    for _ in range(3 * BREAKER_FAILURES):
        heard(mail, NOBODY_KNOWS, 100.0)

    assert mail.for_effects(100.0) == 4


def test_a_probe_that_says_nothing_of_the_target_is_followed_by_another() -> None:
    """The dead target stays called dead, and the next probe need not wait."""
    mail = account()
    for _ in range(BREAKER_FAILURES):
        heard(mail, Unknown(reason="no answer"), 100.0)
    later = 100.0 + PROBE_SECONDS_MAX

    assert mail.for_effects(100.0) == 0
    assert mail.for_effects(later) == 1
    assert mail.for_effects(later) == 0
    heard(mail, NOBODY_KNOWS, later)
    assert mail.for_effects(later) == 1


def test_a_target_that_comes_back_is_not_run_over() -> None:
    """One call at first, twice as many every half second, and soon all of its budget; also by rate."""
    mail = account()
    for _ in range(BREAKER_FAILURES):
        heard(mail, Unknown(reason="no answer"), 100.0)
    back = 100.0 + PROBE_SECONDS_MAX
    assert mail.for_effects(back) == 1
    mail.budget.spend(1)
    mail.budget.ended()
    assert mail.heard(Done(document="1"), "", back)

    allowed = [mail.for_effects(back + seconds) for seconds in (0.0, RAMP_SECONDS, 2 * RAMP_SECONDS, 60.0)]

    assert allowed == [1, 2, 4, 4]
    assert not mail.heard(Done(document="2"), "", back + 60), "it comes back once"


def test_tokens_saved_while_it_was_away_are_not_spent_at_once() -> None:
    """A burst is for a target that is well."""
    budget = Budget(10, rate=10.0, burst=50.0, tokens=50.0)

    budget.come_back(100.0)

    budget.at = 100.0
    assert budget.allowed(100.0) == 1
