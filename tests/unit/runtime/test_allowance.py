"""What answers say of an account's health."""

from typing import Any

from crossdock.connect.contract import CannotTell, Done, RetryLater, Unknown
from crossdock.connect.manifest import Limits
from crossdock.landscape import System
from crossdock.runtime.allowance import UNTOLD_SECONDS, UNTOLD_SECONDS_MAX, Allowance
from crossdock.runtime.budget import BREAKER_FAILURES, PROBE_SECONDS_MAX, RAMP_SECONDS, Budget
from crossdock.runtime.outcomes import Outcomes

NOBODY_KNOWS = CannotTell(reason="mail servers cannot be asked what they took", for_ever=True)


def account() -> Allowance:
    unused: Any = None
    return Allowance(System("mail", "email"), Limits(4, 0.0, 1), Outcomes(unused, unused, lambda: None))


def heard(of: Allowance, answer: CannotTell | RetryLater | Unknown, now: float) -> None:
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


def test_a_target_that_says_how_long_is_left_alone_so_long() -> None:
    """A used-up quota of hours: nobody calls before, then one call shows whether it is over."""
    mail = account()
    heard(mail, RetryLater(reason="quota", after_seconds=7200.0, throttled=True), 100.0)

    assert [mail.for_effects(100.0 + s) for s in (0.0, 61.0, 7199.0, 7200.0)] == [0, 0, 0, 1]
    assert not mail.dead
    assert mail.heard(Done(document="1"), "", 7300.0), "it is said that it is back"


def test_who_does_not_say_how_long_is_asked_ever_more_rarely() -> None:
    """Twice as long every time, up to a minute; calls that were under way together count once, and a success ends it."""
    mail, now, waits = account(), 100.0, []
    for _ in range(12):
        together = mail.for_effects(now)
        mail.budget.spend(together)
        for _ in range(together):
            mail.budget.ended()
            mail.heard(RetryLater(reason="quota", throttled=True), "", now)
        waits.append(mail.budget.wait_seconds(now))
        now += waits[-1]

    assert waits[:4] == [UNTOLD_SECONDS * 2**n for n in range(4)]
    assert waits[-1] == UNTOLD_SECONDS_MAX
    mail.heard(Done(document="1"), "", now)
    heard(mail, RetryLater(reason="quota", throttled=True), now)
    assert mail.budget.wait_seconds(now) == UNTOLD_SECONDS


def test_a_person_may_try_before_the_target_said() -> None:
    """One call at first; where nothing is in the way, nothing changes."""
    mail = account()
    assert not mail.try_now(100.0)
    assert mail.for_effects(100.0) == 4
    heard(mail, RetryLater(reason="quota", after_seconds=7200.0, throttled=True), 100.0)

    assert mail.try_now(110.0)
    assert mail.for_effects(110.0) == 1
