"""What is said of a target that was not reached."""

import pytest

from crossdock.connect.transport import unreached


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
