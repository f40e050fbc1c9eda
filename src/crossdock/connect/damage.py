"""Breaking messages on purpose: what a partner's bad day may send, made from one of its good messages."""

import copy
import json
from collections.abc import Iterator
from math import gcd
from typing import Any, Final

JUNK: Final[tuple[Any, ...]] = (None, "", "?", -1, 1.5, True, [], {}, [None], {"?": 1}, 10**30)
JSON_MUTANTS_MAX: Final = 500
CUTS_MAX: Final = 40
LINES_MAX: Final = 120
_DROP: Final = object()
_ALWAYS: Final[tuple[tuple[str, bytes], ...]] = (
    ("an empty body", b""),
    ("blanks only", b" \r\n"),
    ("a lone brace", b"{"),
    ("an empty object", b"{}"),
    ("an empty array", b"[]"),
    ("an array of an array", b"[[]]"),
    ("null", b"null"),
    ("a text", b'"?"'),
    ("a number", b"7"),
    ("bytes that are no text", b"\xff\xfe\x00\x9d"),
    ("deep nesting", b"[" * 100_000),
    ("a stray element", b"<a><b></a>"),
)


def damaged(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Broken versions of `body`, each with words for what was done; the same ones every time, and bounded."""
    yield from _ALWAYS
    for step in range(1, CUTS_MAX):
        at = len(body) * step // CUTS_MAX
        yield f"everything after byte {at} cut off", body[:at]
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        yield from _damaged_lines(body)
        return
    yield from _damaged_json(document)


def _damaged_lines(body: bytes) -> Iterator[tuple[str, bytes]]:
    """For texts of lines or segments: each part lost, doubled, or replaced."""
    mark = next((mark for mark in (b"\n", b"~", b"'", b">") if body.count(mark) > 1), b"\n")
    parts = body.split(mark)
    for at in range(min(len(parts), LINES_MAX)):
        yield f"part {at} lost", mark.join([*parts[:at], *parts[at + 1 :]])
        yield f"part {at} doubled", mark.join([*parts[: at + 1], *parts[at:]])
        yield f"part {at} replaced", mark.join([*parts[:at], b"?", *parts[at + 1 :]])
        yield (
            f"part {at} halved",
            mark.join([*parts[:at], parts[at][: len(parts[at]) // 2], *parts[at + 1 :]]),
        )


def _damaged_json(document: Any) -> Iterator[tuple[str, bytes]]:
    places = list(_places(document, ()))
    kinds = len(JUNK) + 1
    every = max(1, len(places) * kinds // JSON_MUTANTS_MAX)
    while gcd(every, kinds) > 1:  # or the same few kinds of damage would be picked at every place
        every += 1
    count = 0
    for place in places:
        for junk in (_DROP, *JUNK):
            count += 1
            if count % every:
                continue
            what = "dropped" if junk is _DROP else f"= {junk!r}"
            yield (
                f"/{'/'.join(map(str, place))} {what}",
                json.dumps(_replaced(document, place, junk)).encode(),
            )


def _places(value: Any, at: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        yield (*at, name)
        yield from _places(part, (*at, name))


def _replaced(document: Any, place: tuple[str | int, ...], junk: Any) -> Any:
    broken = copy.deepcopy(document)
    target = broken
    for step in place[:-1]:
        target = target[step]
    if junk is _DROP:
        del target[place[-1]]
    else:
        target[place[-1]] = junk
    return broken
