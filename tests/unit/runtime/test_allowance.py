"""What answers say of an account's health."""

from typing import Any

from crossdock.connect.contract import CannotTell, Unknown
from crossdock.connect.manifest import Limits
from crossdock.landscape import System
from crossdock.runtime.allowance import Allowance
from crossdock.runtime.budget import BREAKER_FAILURES, PROBE_SECONDS_MAX
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
