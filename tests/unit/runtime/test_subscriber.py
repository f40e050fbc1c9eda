"""What a subscriber's answer means, and how it is told."""

from datetime import timedelta

import pytest

from crossdock.connect.transport import Answer
from crossdock.runtime.subscriber import SCHEDULE, _refusal

WAIT = timedelta(seconds=5)


def answer(status: int, **headers: str) -> Answer:
    return Answer(
        status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=b""
    )


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_2xx_is_taken(status: int) -> None:
    """And nothing else is."""
    assert _refusal(answer(status), WAIT) == ("", None)


@pytest.mark.parametrize("status", [300, 302, 307, 400, 401, 404, 429, 500, 503])
def test_everything_else_comes_again(status: int) -> None:
    """A refusal never loses a message; only 410 ends the subscription."""
    reason, wait = _refusal(answer(status), WAIT)

    assert str(status) in reason
    assert wait == WAIT
    assert _refusal(answer(410), WAIT)[1] is None


def test_a_wish_for_later_is_granted() -> None:
    """Retry-After may make the wait longer, not shorter, and a day at most."""
    assert _refusal(answer(503, retry_after="60"), WAIT)[1] == timedelta(seconds=60)
    assert _refusal(answer(503, retry_after="1"), WAIT)[1] == WAIT
    assert _refusal(answer(503, retry_after="999999"), WAIT)[1] == timedelta(days=1)


def test_the_schedule_is_the_published_one() -> None:
    """From seconds to hours, as docs/howto/feed.md says."""
    assert [wait.total_seconds() for wait in SCHEDULE] == [5, 30, 120, 300, 1800, 7200, 18000, 36000]
