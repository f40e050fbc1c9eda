"""What a correction changes, for people: value by value where the body is JSON, else line by line; personal data hidden."""

import json
from collections.abc import Iterator
from difflib import unified_diff
from typing import Any, Final

import msgspec

from crossdock.connect.changes import ABSENT, Change, differences, exact, general, is_json
from crossdock.views import masking

CHANGES_MAX: Final = 200


class Changes(msgspec.Struct, frozen=True):
    """`hidden` of them changed something personal: that they differ is shown, not how."""

    changes: list[Change]
    hidden: int
    more: int


def tokens(events: Any) -> set[str]:
    """Personal values that the events of a message name."""
    found: set[str] = set()
    for event in events:
        people = getattr(event.data, "people", None)
        if people is not None:
            found |= masking.tokens_of(msgspec.to_builtins(people))
    return found


def text(body: bytes, known: set[str], *, reveal: bool) -> tuple[str, bool]:
    """The body for whoever will correct it, and whether something in it is hidden."""
    shown = masking.shown(body, known, personal=True, reveal=reveal)
    return shown, masking.MASK in shown or shown.endswith("reveal to read them)")


def changes(original: bytes, corrected: bytes, known: set[str], *, personal: bool) -> Changes:
    """`known` are personal values that may stand anywhere."""
    before = masking.shown(original, known, personal=personal, reveal=False)
    after = masking.shown(corrected, known, personal=personal, reveal=False)
    if is_json(original) and is_json(corrected):
        found = list(_by_value(exact(original), exact(corrected), json.loads(before), json.loads(after)))
    else:
        found = list(_by_line(before, after)) or [Change("", masking.MASK, masking.MASK)]
    hidden = sum(1 for x in found if masking.MASK in x.before + x.after)
    return Changes(found[:CHANGES_MAX], hidden, max(0, len(found) - CHANGES_MAX))


def promotable(found: Changes) -> list[Change]:
    """Changes that a rule could make by itself: one value for another at a path, nothing personal in it."""
    return [
        Change(general(x.path), x.before, x.after)
        for x in found.changes
        if x.path.startswith("/") and ABSENT not in (x.before, x.after) and masking.MASK not in x.before + x.after
        and not (x.before + x.after).startswith(("{", "["))
    ]  # fmt: skip


def _by_value(original: Any, corrected: Any, shown_before: Any, shown_after: Any) -> Iterator[Change]:
    for change in differences(original, corrected):
        yield Change(
            change.path,
            change.before if change.before == ABSENT else _at(shown_before, change.path, change.before),
            change.after if change.after == ABSENT else _at(shown_after, change.path, change.after),
        )


def _at(shown: Any, path: str, exactly: str) -> str:
    """The value as it was written, unless something in it is hidden."""
    for step in path.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        shown = shown[int(key)] if isinstance(shown, list) else shown[key]
    text = json.dumps(shown, ensure_ascii=False)
    return text if masking.MASK in text else exactly


def _by_line(before: str, after: str) -> Iterator[Change]:
    number, removed = 0, None
    for line in list(unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))[2:]:
        if line.startswith("@@"):
            number = int(line.split()[1].lstrip("-").partition(",")[0])
        elif line.startswith("-"):
            if removed is not None:
                yield Change(f"line {number}", removed, ABSENT)
                number += 1
            removed = line[1:]
        else:
            yield Change(f"line {number}", ABSENT if removed is None else removed, line[1:])
            number, removed = number + 1, None
    if removed is not None:
        yield Change(f"line {number}", removed, ABSENT)
