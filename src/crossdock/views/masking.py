"""Hiding personal values in bodies of any form: by the names of their fields, and by the values we know to be personal.

A partner's raw message is not ours to understand, so two nets are cast. What is neither JSON nor XML and belongs to a
data subject is withheld whole.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

MASK: Final = "•••"
_CONTAINERS: Final = (
    "address", "shipto", "billto", "soldto", "customer", "buyer", "recipient", "consignee", "contact", "person", "attention",
    "people", "party",
)  # fmt: skip
_LEAVES: Final = (
    "firstname", "lastname", "fullname", "givenname", "surname", "personname", "attentionname", "customername", "email",
    "phone", "mobile", "street", "zip", "postalcode", "postcode", "addressline", "housenumber", "signedby", "receivedby",
    "latitude", "longitude", "browserip", "clientip", "addressee", "cityname", "address1", "address2",
)  # fmt: skip
_WHOLE: Final = frozenset({"city", "town", "note", "notes", "company"})
_ELEMENT: Final = re.compile(r"<([\w:.-]+)([^<>]*)>([^<>]+)</\1\s*>")
_TOKEN_MIN: Final = 3


def tokens_of(people: Any) -> set[str]:
    """Every value of a `People` as JSON, and the words of each: a partner may write them apart."""
    found: set[str] = set()
    for text in _strings(people):
        found.add(text)
        found.update(word for word in re.split(r"[\s,;]+", text) if len(word) >= _TOKEN_MIN)
    return {x for x in found if len(x) >= _TOKEN_MIN}


def _strings(value: Any) -> Iterable[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                if key not in ("country", "region"):
                    yield from _strings(inner)
        case list() | tuple():
            for inner in value:
                yield from _strings(inner)


def shown(body: bytes, tokens: set[str], *, personal: bool, reveal: bool) -> str:
    """The body as text, laid out where it is JSON; masked unless `reveal`."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"({len(body)} bytes that are no text)" if not personal or reveal else _withheld(body)
    pattern = _pattern(tokens)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if reveal:
            return text
        if text.lstrip().startswith("<"):
            return _words(_ELEMENT.sub(_element, text), pattern)
        return _withheld(body) if personal else _words(text, pattern)
    return json.dumps(
        value if reveal else _masked(value, pattern, inside=False), indent=2, ensure_ascii=False
    )


def _withheld(body: bytes) -> str:
    return f"({len(body)} bytes that hold personal data in a form we cannot mask: reveal to read them)"


def masked(value: Any) -> Any:
    """Every text below hidden; the shape stays."""
    match value:
        case str() | int() | float() if not isinstance(value, bool):
            return MASK
        case dict():
            return {key: masked(inner) for key, inner in value.items()}
        case list():
            return [masked(inner) for inner in value]
        case _:
            return value


def _masked(value: Any, pattern: re.Pattern[str] | None, *, inside: bool) -> Any:
    match value:
        case dict():
            return {key: _field(key, inner, pattern, inside=inside) for key, inner in value.items()}
        case list():
            return [_masked(inner, pattern, inside=inside) for inner in value]
        case str() if inside:
            return MASK if value else value
        case str():
            return _text(value, pattern)
        case _:
            return MASK if inside and value is not None and not isinstance(value, bool) else value


def _field(key: str, value: Any, pattern: re.Pattern[str] | None, *, inside: bool) -> Any:
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    if isinstance(value, dict | list):
        within = inside or (any(word in plain for word in _CONTAINERS) and not plain.endswith("id"))
        return _masked(value, pattern, inside=within)
    return _masked(value, pattern, inside=inside or _is_personal(plain))


def _is_personal(plain: str) -> bool:
    return plain in _WHOLE or any(word in plain for word in _LEAVES)


def _text(value: str, pattern: re.Pattern[str] | None) -> str:
    """A string that is JSON itself (a body inside a body) is looked into."""
    if value[:1] in ("{", "["):
        try:
            return json.dumps(_masked(json.loads(value), pattern, inside=False), ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    if value[:1] == "<":
        return _words(_ELEMENT.sub(_element, value), pattern)
    return _words(value, pattern)


def _element(found: re.Match[str]) -> str:
    name = re.sub(r"[^a-z0-9]", "", found[1].rpartition(":")[2].lower())
    return f"<{found[1]}{found[2]}>{MASK}</{found[1]}>" if _is_personal(name) else found[0]


def _pattern(tokens: set[str]) -> re.Pattern[str] | None:
    if not tokens:
        return None
    longest = sorted(tokens, key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest)) + r")(?!\w)", re.IGNORECASE)


def _words(text: str, pattern: re.Pattern[str] | None) -> str:
    return pattern.sub(MASK, text) if pattern else text
