"""Who is told what happened to a case."""

from datetime import UTC, datetime

import pytest

from crossdock.processes.watching import Note, Telling, Watched, is_address, told

AT = datetime(2026, 1, 13, 7, 30, tzinfo=UTC)
TELLING = Telling("mail", people={"ann": "ann@example.com", "finance": "desk@example.com"})


def note(number: int, who: str = "bob", action: str = "comment") -> Note:
    return Note(number, AT, who, action)


def heard(case: Watched, *notes: Note, telling: Telling = TELLING) -> dict[str, list[str]]:
    return {address: [x.action for x in changes] for address, changes in told(case, notes, telling)}


def test_watchers_assignee_and_owner_hear_of_it() -> None:
    """By the landscape's address, or their own; a name that nobody knows hears nothing by mail."""
    case = Watched("finance", "ann", ("cleo", "dan@example.com"))

    assert set(heard(case, note(1))) == {"ann@example.com", "desk@example.com", "dan@example.com"}


def test_nobody_hears_of_what_they_did() -> None:
    """Of what others did in the same minute they do."""
    case = Watched("operations", "", ("ann",))

    assert heard(case, note(1, "ann")) == {}
    assert heard(case, note(1, "ann"), note(2, "bob", "assign")) == {"ann@example.com": ["assign"]}


def test_one_address_is_told_once() -> None:
    """Though its reader is watcher and owner by two names."""
    telling = Telling("mail", people={"ann": "a@example.com", "finance": "a@example.com"})

    assert heard(Watched("finance", "", ("ann",)), note(1), note(2), telling=telling) == {
        "a@example.com": ["comment", "comment"]
    }


@pytest.mark.parametrize("action", ["tag", "watch", "snooze"])
def test_small_things_are_nobody_elses_business(action: str) -> None:
    """They stand in the history."""
    assert heard(Watched("finance", "", ()), note(1, action=action)) == {}


def test_without_a_system_nobody_is_told() -> None:
    """Whatever addresses there are."""
    assert heard(Watched("finance", "", ("dan@example.com",)), note(1), telling=Telling()) == {}


@pytest.mark.parametrize(
    ("text", "so"),
    [
        ("a@example.com", True),
        ("a@localhost", False),
        ("ann", False),
        ("@example.com", False),
        ("a\n@b.c", False),
    ],
)
def test_an_address_looks_like_one(text: str, so: bool) -> None:
    """Names of people do not."""
    assert is_address(text) is so
