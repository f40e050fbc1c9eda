"""The twin's OData dialect: paths, filters, entities, ETags and errors as a SAP gateway writes them."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from crossdock.connect.twin import Books, Twin

Fields = dict[str, Any]
_PATH = re.compile(r"^(?P<set>\$?\w+)(?:\((?P<keys>.*?)\))?(?:/(?P<navigation>\w+))?$")
_KEY = re.compile(r"(?:(\w+)=)?'((?:[^']|'')*)'")
_CONDITION = re.compile(r"^(\w+) eq '((?:[^']|'')*)'$")


class Problem(Exception):  # it becomes SAP's answer
    """A refusal in SAP's words; whatever the request had begun is rolled back."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request after the gate: `key` is the value of a single unnamed key."""

    method: str
    entity_set: str
    key: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    navigation: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def document(self) -> Fields:
        try:
            decoded = json.loads(self.body)
        except ValueError:
            raise Problem(400, "/IWFND/CM_MGW/005", "The request body is no JSON") from None
        if not isinstance(decoded, dict):
            raise Problem(400, "/IWFND/CM_MGW/005", "The request body is no entity")
        return decoded

    def parameter(self, name: str) -> str:
        """A function import's string parameter, from the query."""
        found = _KEY.fullmatch(self.query.get(name, ""))
        if found is None:
            raise Problem(400, "/IWBEP/CM_MGW_RT/004", f"Parameter {name} is missing or no string literal")
        return found[2].replace("''", "'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Twin, Asked], Reply]


def asked(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Asked:
    """Raises `Problem` for a path that is no resource path."""
    found = _PATH.match(path)
    if found is None:
        raise Problem(404, "/IWFND/CM_CONSUMER/101", "Resource not found for the segment")
    pairs = [(name, value.replace("''", "'")) for name, value in _KEY.findall(found["keys"] or "")]
    return Asked(
        method=method,
        entity_set=found["set"],
        key=next((value for name, value in pairs if not name), ""),
        keys={name: value for name, value in pairs if name},
        navigation=found["navigation"] or "",
        query=query,
        headers=headers,
        body=body,
    )


def conditions(query: Mapping[str, str]) -> dict[str, str]:
    """`A eq 'x' and B eq 'y'`: the only filters this twin understands."""
    text = query.get("$filter", "")
    found = [_CONDITION.match(part.strip()) for part in text.split(" and ")] if text else []
    if any(condition is None for condition in found):
        raise Problem(400, "/IWBEP/CM_MGW_RT/022", "The filter is not supported")
    return {condition[1]: condition[2].replace("''", "'") for condition in found if condition}


def one(fields: Fields, status: int = 200) -> Reply:
    etag = fields.get("__metadata", {}).get("etag")
    return Reply(
        status=status, body=json.dumps({"d": fields}).encode(), headers={"etag": etag} if etag else {}
    )


def many(rows: list[Fields]) -> Reply:
    return Reply(body=json.dumps({"d": {"results": rows}}).encode())


def metadata(entity_set: str, key: str, etag: str = "") -> Fields:
    described = {"uri": f"{entity_set}({key})", "type": f"{entity_set}Type"}
    return {"__metadata": described | ({"etag": etag} if etag else {})}


def results(rows: Any) -> list[Fields]:
    """A deep insert's children: `{"results": […]}` or the bare list."""
    inner = rows.get("results") if isinstance(rows, dict) else rows
    if not isinstance(inner, list) or not all(isinstance(row, dict) for row in inner):
        raise Problem(400, "/IWFND/CM_MGW/005", "Malformed navigation property")
    return inner


def required(fields: Fields, *names: str) -> None:
    for name in names:
        if not fields.get(name):
            raise Problem(400, "/IWBEP/CM_MGW_RT/021", f"Property '{name}' has no value")


def text(fields: Fields, name: str, length_max: int) -> str:
    value = fields.get(name) or ""
    if not isinstance(value, str) or len(value) > length_max:
        message = f"Property '{name}' has an invalid value; its maximum length is {length_max}"
        raise Problem(400, "/IWFND/CM_MGW/006", message)
    return value


def quantity(fields: Fields, name: str) -> Decimal:
    """Edm.Decimal comes as a string; a JSON number is refused, as the gateway does."""
    value = fields.get(name)
    try:
        number = Decimal(value) if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise Problem(400, "/IWFND/CM_MGW/006", f"Property '{name}' has an invalid value")
    return number


def timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def edm_now() -> str:
    return f"/Date({int(time.time()) * 1000})/"


def add_to_index(books: Books, name: str, value: str, number: str) -> None:
    """Remember under which field value a document can be searched, and since when."""
    entries = books.get(f"index.{name}", value) or []
    books.put(f"index.{name}", value, [*entries, [number, time.time()]])


def search(twin: Twin, name: str, value: str) -> list[str]:
    """Numbers of documents with this field value; younger ones than the search lag are not seen yet."""
    lag = float(twin.setup.settings.get("search_lag_seconds") or 0)
    seen_until = time.time() - lag
    return [number for number, since in twin.books.get(f"index.{name}", value) or [] if since <= seen_until]


def guard_etag(twin: Twin, kind: str, document: Fields, etag_of: Callable[[Fields], str], given: str) -> None:
    """428 without If-Match, 412 with a stale one. The quirk: somebody else changed the document just now."""
    if not given:
        raise Problem(428, "/IWFND/CM_MGW/428", "The request must be conditional: use If-Match")
    if twin.quirks.hits("etag_conflict") and not document.get("conflicted"):
        document["conflicted"] = True
        touch(document)
        with twin.books.change():
            twin.books.put(kind, document["number"], document)
    if given not in ("*", etag_of(document)):
        raise Problem(412, "/IWFND/CM_MGW/412", "Precondition failed: the entity was changed meanwhile")


def touch(document: Fields) -> None:
    document["version"] += 1
    document["changed"] = timestamp()
