"""What is said of a target that was not reached, and how long one is waited for that asks for patience."""

import pytest

from crossdock.connect.transport import Answer, unreached


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("Cannot connect to host h:9 ssl:default [Connect call failed ('127.0.0.1', 9)]", "h:9 was not reached"),
        ("Cannot connect to host h:9 ssl:default [h resolves to 10.0.0.1, which is not public]", "h:9 was not reached: h resolves to 10.0.0.1, which is not public"),
        ("odd", "h:9 was not reached: odd"),
    ],
)  # fmt: skip
def test_who_was_not_reached_is_said_plainly(error: str, told: str) -> None:
    """Without the library's own words around the reason."""
    assert unreached("https://h:9/hook", error) == told


NOON = "Fri, 27 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120.0), ({"retry-after": "2.5"}, 2.5), ({"retry-after": "999999"}, 86_400.0),
        ({"retry-after": "Fri, 27 Nov 2026 14:00:00 GMT", "date": NOON}, 7200.0),
        ({"retry-after": "Fri, 27 Nov 2026 11:00:00 GMT", "date": NOON}, 0.0),
        ({"retry-after": "Mon, 30 Nov 2026 12:00:00 GMT", "date": NOON}, 86_400.0),
        ({"retry-after": "soon"}, None), ({"retry-after": ""}, None), ({}, None),
    ],
)  # fmt: skip
def test_a_wish_for_patience_is_a_number_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    """RFC 9110 has both; a date counts by the partner's own clock, and nothing counts for more than a day."""
    assert Answer(status=429, headers=headers, body=b"").retry_after() == seconds
