"""What an erasure looks for in free text: whole values in any case, and nothing that is too short to mean anybody."""

import pytest

from crossdock.store.redaction import BLANK, pattern_of

MARA = ("Mara Weiß", "mara@example.com", "+49 341 555", "Allee 7", "Bo")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("refund for MARA WEIß today", f"refund for {BLANK} today"),
        ("write to mara@example.com, please", f"write to {BLANK}, please"),
        ("call +49 341 555.", f"call {BLANK}."),
        ("Mara Weißenfels lives at Allee 77", "Mara Weißenfels lives at Allee 77"),
        ("Bo is too short to be looked for", "Bo is too short to be looked for"),
    ],
)
def test_values_are_blanked_whole(text: str, left: str) -> None:
    """A longer name or number that only begins so is somebody else's."""
    pattern = pattern_of(MARA)

    assert pattern is not None
    assert pattern.sub(BLANK, text) == left


def test_a_value_is_found_as_json_writes_it() -> None:
    """With its quotes escaped."""
    pattern = pattern_of(['Hof "Zur Eiche"'])

    assert pattern is not None
    assert pattern.sub(BLANK, r'{"reason": "at Hof \"Zur Eiche\""}') == f'{{"reason": "at {BLANK}"}}'


def test_nothing_to_look_for_is_no_pattern() -> None:
    """Else it would match everything."""
    assert pattern_of(["", " ", "ab"]) is None
