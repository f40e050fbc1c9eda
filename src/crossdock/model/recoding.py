"""Other systems' codes in events and requests, exchanged for ours and back; everything else is left as it is."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)
Exchange = Callable[[str, str], str]
"""(kind of code: `item` or `location`, code) → the code to stand there."""
CODED: Final = {"item": "item", "kit": "item", "location": "location"}
"""Fields that hold a code, and of which kind."""


def recoded(value: S, exchange: Exchange) -> S:
    """`value` with every item and location code in it exchanged; the very same value where none changes."""
    changes: dict[str, Any] = {}
    for name in _carriers(type(value)):
        before = getattr(value, name)
        after = (
            exchange(CODED[name], before)
            if name in CODED and isinstance(before, str)
            else _inner(before, exchange)
        )
        if after is not before and after != before:
            changes[name] = after
    return msgspec.structs.replace(value, **changes) if changes else value


def _inner(value: Any, exchange: Exchange) -> Any:
    if isinstance(value, msgspec.Struct):
        return recoded(value, exchange)
    if isinstance(value, tuple):
        items = tuple(_inner(item, exchange) for item in value)
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value


@cache
def _carriers(shape: type[msgspec.Struct]) -> tuple[str, ...]:
    """Fields that are a code, or may hold one further down."""
    return tuple(f.name for f in msgspec.structs.fields(shape) if f.name in CODED or _may_hold(f.type))


def _may_hold(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return bool(_carriers(annotation))
    return any(_may_hold(inner) for inner in getattr(annotation, "__args__", ()))
