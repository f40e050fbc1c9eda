"""What differs between two JSON documents, value by value, and the same documents with values exchanged. Numbers stay exact."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from crossdock.connect.reading import parse
from crossdock.errors import Malformed, Rejected

ABSENT: Final = "(not there)"
_exact = msgspec.json.Decoder(float_hook=Decimal)
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Change(msgspec.Struct, frozen=True):
    """One value, as JSON text, before and after; `ABSENT` where it is not there."""

    path: str
    before: str
    after: str


def exact(body: bytes) -> Any:
    """The document with decimals as they were written. Raises `Malformed`."""
    parse(body)
    return _exact.decode(body)


def written(document: Any) -> bytes:
    return _encode(document)


def is_json(body: bytes) -> bool:
    """An object or a list: what paths lead into."""
    try:
        return isinstance(exact(body), dict | list)
    except Malformed:
        return False


def differences(before: Any, after: Any, at: str = "") -> Iterator[Change]:
    """In the order of the documents."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from _below(before, after, key, f"{at}/{_escaped(key)}")
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            left = dict(enumerate(before))
            yield from _below(left, dict(enumerate(after)), place, f"{at}/{place}")
    elif not same(before, after):
        yield Change(at, _text(before), _text(after))


def _below(before: Mapping[Any, Any], after: Mapping[Any, Any], key: Any, at: str) -> Iterator[Change]:
    if key in before and key in after:
        yield from differences(before[key], after[key], at)
    elif key in before:
        yield Change(at, _text(before[key]), ABSENT)
    else:
        yield Change(at, ABSENT, _text(after[key]))


def same(one: Any, other: Any) -> bool:
    """Equal, and of one kind: `1` is neither `"1"` nor `true`, and `1.0` is not `1.00`."""
    return _encode(one) == _encode(other)


def _text(value: Any) -> str:
    return _encode(value).decode()


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _steps(path: str) -> list[str]:
    return [x.replace("~1", "/").replace("~0", "~") for x in path.split("/")[1:]]


def with_values(document: Any, values: Mapping[str, Any]) -> Any:
    """A copy with these values at these JSON Pointers. Raises `Rejected` for a path that leads nowhere."""
    fresh = _exact.decode(_encode(document))
    for path, value in values.items():
        steps = _steps(path)
        if not path.startswith("/") or not steps:
            raise Rejected(path or "/", "is no path into the document: write /field or /list/0/field")
        holder = fresh
        for step in steps[:-1]:
            holder = _entered(holder, step, path)
        _put(holder, steps[-1], value, path)
    return fresh


def _entered(holder: Any, step: str, path: str) -> Any:
    if isinstance(holder, dict) and step in holder:
        return holder[step]
    if isinstance(holder, list) and step.isdigit() and int(step) < len(holder):
        return holder[int(step)]
    raise Rejected(path, f"leads nowhere: there is no {step}")


def _put(holder: Any, step: str, value: Any, path: str) -> None:
    if isinstance(holder, dict):
        holder[step] = value
    elif isinstance(holder, list) and step.isdigit() and int(step) < len(holder):
        holder[int(step)] = value
    else:
        raise Rejected(path, f"leads nowhere: there is no {step}")


def general(path: str) -> str:
    """The path for any position of a list: `/lines/0/unit` → `/lines/*/unit`."""
    return "/".join("*" if step.isdigit() else step for step in path.split("/"))


def exchange(document: Any, path: str, before: Any, after: Any) -> int:
    """Put `after` wherever `path` leads to `before`, in place; how often that was."""
    return _exchange(document, _steps(path), before, after)


def _exchange(holder: Any, steps: list[str], before: Any, after: Any) -> int:
    keys: list[Any] = []
    if isinstance(holder, list):
        keys = list(range(len(holder))) if steps[0] == "*" else []
    elif isinstance(holder, dict) and steps[0] in holder:
        keys = [steps[0]]
    if len(steps) > 1:
        return sum(_exchange(holder[key], steps[1:], before, after) for key in keys)
    found = [key for key in keys if same(holder[key], before)]
    for key in found:
        holder[key] = after
    return len(found)


def merged(original: Any, shown: Any, edited: Any, hidden: str, at: str = "") -> Any:
    """`edited` was made from `shown`, which hides parts of `original` as `hidden`, or writes numbers less exactly: whatever
    was not touched is the original's.

    Raises `Rejected` where a list that hides something has another length: then nobody can tell what is hidden where.
    """
    if isinstance(edited, dict) and isinstance(shown, dict) and isinstance(original, dict):
        return {
            key: merged(original[key], shown[key], value, hidden, f"{at}/{_escaped(key)}")
            if key in shown and key in original else value
            for key, value in edited.items()
        }  # fmt: skip
    if isinstance(edited, list) and isinstance(shown, list) and isinstance(original, list):
        if len(edited) == len(shown) == len(original):
            triples = enumerate(zip(original, shown, edited, strict=True))
            return [merged(o, s, e, hidden, f"{at}/{place}") for place, (o, s, e) in triples]
        if hidden in _text(shown):
            why = "entries were added or removed in a list with hidden values: show them first"
            raise Rejected(at or "/", why)
        return edited
    return original if same(edited, shown) else edited
