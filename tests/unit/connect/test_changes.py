"""Differences of JSON documents, and documents with values exchanged."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.connect.changes import (
    ABSENT,
    Change,
    differences,
    exact,
    exchange,
    general,
    merged,
    same,
    with_values,
    written,
)  # fmt: skip
from crossdock.errors import Rejected

KEYS = st.text("ab~/0", min_size=1, max_size=3)
LEAVES = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.decimals(-5, 5, places=2) | st.text("x•1", max_size=3)
)
DOCUMENTS = st.recursive(
    LEAVES, lambda x: st.lists(x, max_size=3) | st.dictionaries(KEYS, x, max_size=3), max_leaves=12
)


@given(DOCUMENTS, DOCUMENTS)
def test_no_difference_is_equality(one: Any, other: Any) -> None:
    """Two documents differ nowhere exactly where they are written alike, but for the order of fields."""
    assert (list(differences(one, other)) == []) == _alike(one, other)


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return same(one, other)


@given(st.dictionaries(KEYS, DOCUMENTS, min_size=1, max_size=3), LEAVES)
def test_a_value_set_at_a_difference_is_the_difference(document: dict[str, Any], value: Any) -> None:
    """What is set at a path is told as a difference at that path and nowhere else."""
    key = next(iter(document))
    path = "/" + key.replace("~", "~0").replace("/", "~1")

    found = list(differences(document, with_values(document, {path: value})))

    assert {x.path.removeprefix(path)[:1] for x in found} <= {"", "/"}
    assert bool(found) != _alike(document[key], value)


def hidden(value: Any) -> Any:
    """As masking does: texts go, the shape stays."""
    match value:
        case str():
            return "•••"
        case dict():
            return {key: hidden(inner) for key, inner in value.items()}
        case list():
            return [hidden(inner) for inner in value]
        case _:
            return value


@given(DOCUMENTS)
def test_what_was_not_touched_is_the_original(original: Any) -> None:
    """A text that came back as it was shown gives the original, whatever it hid."""
    assert same(merged(original, hidden(original), hidden(original), "•••"), original)


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
def test_any_three_documents_give_one_or_are_refused(original: Any, shown: Any, edited: Any) -> None:
    """Whatever somebody sends as shown and edited, no fault follows."""
    with suppress(Rejected):
        assert written(merged(original, shown, edited, "•••"))


def test_only_the_edited_value_changes() -> None:
    """The masked street stays the real one."""
    original = exact(b'{"street":"Ring 1","lines":[{"n":-4,"who":"Ann"},{"n":1.50,"who":"Bo"}]}')
    shown = {"street": "•••", "lines": [{"n": -4, "who": "•••"}, {"n": 1.5, "who": "•••"}]}
    edited = {"street": "•••", "lines": [{"n": 4, "who": "•••"}, {"n": 1.5, "who": "•••"}]}

    found = merged(original, shown, edited, "•••")

    assert written(found) == b'{"street":"Ring 1","lines":[{"n":4,"who":"Ann"},{"n":1.50,"who":"Bo"}]}'


def test_a_list_that_hides_something_keeps_its_length() -> None:
    """Nobody could tell which of the hidden entries is gone."""
    with pytest.raises(Rejected, match="/lines"):
        merged({"lines": ["Ann", "Bo"]}, {"lines": ["•••", "•••"]}, {"lines": ["•••"]}, "•••")


def test_numbers_stay_as_they_were_written() -> None:
    """1.10 is not 1.1, and 0.1 is exact."""
    body = b'{"price":1.10,"tax":0.1,"id":12345678901234567890}'

    assert written(exact(body)) == body
    assert list(differences(exact(b"1.10"), exact(b"1.1"))) == [Change("", "1.10", "1.1")]


def test_what_is_only_on_one_side_says_so() -> None:
    """Added and removed fields are differences too."""
    found = list(differences({"a": 1}, {"b": [2]}))

    assert found == [Change("/a", "1", ABSENT), Change("/b", ABSENT, "[2]")]


@pytest.mark.parametrize("path", ["", "/", "lines", "/lines/2/n", "/lines/x", "/none/n"])
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    """A typing mistake makes no field."""
    with pytest.raises(Rejected):
        with_values({"lines": [{"n": 1}, {"n": 2}]}, {path: 3} if path != "/" else {"": 3})


def test_a_rule_reads_one_value_at_any_position() -> None:
    """Other values, and the same value elsewhere, stay."""
    document = {"unit": "STK", "lines": [{"unit": "STK"}, {"unit": "KG"}, {"unit": "STK"}]}

    count = exchange(document, general("/lines/0/unit"), "STK", "PCE")

    assert count == 2
    assert document == {"unit": "STK", "lines": [{"unit": "PCE"}, {"unit": "KG"}, {"unit": "PCE"}]}
    assert exchange(document, "/lines/*/unit", Decimal(1), "x") == 0
