"""Reading partner JSON: typed structs in, named paths out.

A mapping declares what it reads as `msgspec.Struct`s; whatever else the partner sent is counted, not lost.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar, get_args

import msgspec

from crossdock.errors import Malformed, Rejected

S = TypeVar("S", bound=msgspec.Struct)
UNMAPPED_MAX = 200
NOTED_MAX = 120
_AT = re.compile(r" - at `\$(?P<path>.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def pointer(msgspec_path: str) -> str:
    """`.line_items[0].price` → `/line_items/0/price` (RFC 6901)."""
    return "".join("/" + (name or index) for name, index in _STEP.findall(msgspec_path)) or "/"


@cache
def _decoder(shape: type[S]) -> msgspec.json.Decoder[S]:
    return msgspec.json.Decoder(shape)


def parse(body: bytes) -> Any:
    """Plain JSON. Raises `Malformed` with the byte offset."""
    if not body.strip():
        raise Malformed("empty body", "byte 0")
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise Malformed("nested too deep") from None
    except msgspec.DecodeError as error:
        text, _, place = str(error).partition(" (")
        raise Malformed(text, place.rstrip(")") or f"byte {len(body)}") from None
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8", f"byte {error.start}") from None


def read(shape: type[S], body: bytes) -> S:
    """Decode a partner document. Raises `Malformed` (not JSON) or `Rejected` (JSON with a wrong field)."""
    try:
        document: S = _decoder(shape).decode(body)
    except msgspec.ValidationError as error:
        parse(body)  # a wrong field is found before the end of the document: what follows may not be JSON
        found = _AT.search(str(error))
        reason = str(error)[: found.start()] if found else str(error)
        raise Rejected(pointer(found["path"]) if found else "/", reason) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        parse(body)
        raise Malformed("unreadable JSON") from None
    return document


def noted(fields: Any, key: str, names: Sequence[str]) -> str:
    """The text under one of these names in a shop's free fields (a list of objects with `key` and `value`), else "".

    Anybody's theme or plug-in writes there, so nothing in it is wrong: what is no short text is nothing.
    """
    for x in fields if isinstance(fields, list) else ():
        if isinstance(x, dict) and x.get(key) in names:
            value = x.get("value")
            return value.strip() if isinstance(value, str) and len(value) <= NOTED_MAX else ""
    return ""


@cache
def _fields(shape: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct] | None]:
    return {f.encode_name: _struct_in(f.type) for f in msgspec.structs.fields(shape)}


def _struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    found = (_struct_in(argument) for argument in get_args(annotation))
    return next((shape for shape in found if shape is not None), None)


def unmapped(shape: type[msgspec.Struct], document: Any, at: str = "") -> tuple[str, ...]:
    """JSON Pointers of non-empty fields in `document` that `shape` does not read; list items count once (`*`)."""
    found: dict[str, None] = {}
    _collect(shape, document, at, found)
    return tuple(found)[:UNMAPPED_MAX]


def _collect(shape: type[msgspec.Struct], value: Any, at: str, found: dict[str, None]) -> None:
    if isinstance(value, list):
        for item in value:
            _collect(shape, item, f"{at}/*", found)
        return
    if not isinstance(value, dict):
        return
    known = _fields(shape)
    for name, inner in value.items():
        if name not in known:
            if inner not in (None, "", [], {}):
                found[f"{at}/{name}"] = None
            continue
        inner_shape = known[name]
        if inner_shape is not None:
            _collect(inner_shape, inner, f"{at}/{name}", found)
