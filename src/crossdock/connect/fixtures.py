"""A connector's fixtures: reading them, running them, and putting both sides into one form to compare.

`in_<name>.json` is a message as it would arrive, `out_<kind>[_variant].json` a canonical payload to render;
each has its `.expected.json` beside it.
"""

import binascii
import difflib
import json
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from crossdock.connect.contract import Account, Connector, Inbound, Translation
from crossdock.connect.discovery import Found
from crossdock.errors import CrossdockError, Malformed, Rejected, Unsupported
from crossdock.model.party import People
from crossdock.model.registry import EFFECTS, decode, encode, short_type

RECEIVED_AT: Final = datetime(2026, 1, 15, 12, tzinfo=UTC)
THREE_ERRORS: Final = ("Malformed", "Rejected", "Unsupported")
CRASHES: Final = (
    ArithmeticError, AssertionError, AttributeError, CrossdockError, LookupError, MemoryError, NameError,
    RuntimeError, SyntaxError, TypeError, ValueError, binascii.Error, msgspec.MsgspecError, struct.error,
)  # fmt: skip
"""What careless reading raises. Listed, because a broad `except` would also swallow an interrupt."""


class InFixture(msgspec.Struct, frozen=True):
    """A message as it would arrive; `body` keeps the file's own bytes."""

    channel: str
    headers: dict[str, str] = {}
    body: msgspec.Raw = msgspec.Raw(b"")
    body_text: str = ""

    def inbound(self, received_at: datetime = RECEIVED_AT, body: bytes | None = None) -> Inbound:
        if body is None:
            body = self.body_text.encode() or bytes(self.body)
        return Inbound(channel=self.channel, headers=self.headers, body=body, received_at=received_at)


class OutFixture(msgspec.Struct, frozen=True):
    """A canonical payload to be rendered, with the people beside it."""

    payload: msgspec.Raw
    people: People = People()


def account_of(found: Found) -> Account:
    return msgspec.convert(json.loads((found.folder / "fixtures/account.json").read_text()), Account)


def _files(found: Found, prefix: str) -> list[Path]:
    names = sorted((found.folder / "fixtures").glob(f"{prefix}_*.json"))
    return [path for path in names if not path.name.endswith(".expected.json")]


def expected_path(path: Path) -> Path:
    return path.with_name(f"{path.name.removesuffix('.json')}.expected.json")


def in_fixtures(found: Found) -> list[tuple[Path, InFixture]]:
    return [(path, msgspec.json.decode(path.read_bytes(), type=InFixture)) for path in _files(found, "in")]


def out_fixtures(found: Found) -> list[tuple[Path, str, OutFixture]]:
    """Path, effect kind and content; a file whose name carries no declared kind has the kind ""."""
    listed = []
    for path in _files(found, "out"):
        stem = path.name.removesuffix(".json").removeprefix("out_")
        kinds = [kind for kind in found.manifest.effects if stem == kind or stem.startswith(f"{kind}_")]
        content = msgspec.json.decode(path.read_bytes(), type=OutFixture)
        listed.append((path, max(kinds, key=len, default=""), content))
    return listed


def translate_outcome(connector: Connector, inbound: Inbound, account: Account) -> dict[str, Any]:
    """What a translation gives, as plain JSON: the events, one of the three errors, or how it crashed."""
    assert connector.translate is not None
    try:
        return _translation_view(connector.translate(inbound, account))
    except Rejected as error:
        return {"error": "Rejected", "path": error.path}
    except Malformed as error:
        return {"error": "Malformed", "path": error.at}
    except Unsupported:
        return {"error": "Unsupported", "path": ""}
    except CRASHES as error:
        return {"error": type(error).__name__, "path": str(error)}


def _translation_view(translation: Translation) -> dict[str, Any]:
    events = [
        {
            "thread": event.thread,
            "type": event.type,
            "id": event.id,
            "occurred_at": event.occurred_at.isoformat() if event.occurred_at else None,
            "sequence": event.sequence,
            "data": json.loads(encode(event.data)),
        }
        for event in translation.events
    ]
    view = {"source_id": translation.source_id, "events": events, "unmapped": list(translation.unmapped)}
    unread = [problem.path for problem in translation.unread]
    return (
        view
        | ({"ignored": translation.ignored} if translation.ignored else {})
        | ({"unread": unread} if unread else {})
    )


def normal(view: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in left-out keys and write times and data one way, so that only meaning is compared."""
    if "error" in view:
        return {"error": view["error"], "path": view.get("path", "") if view["error"] == "Rejected" else ""}
    events = [_normal_event(event) for event in view.get("events", [])]
    more = {name: view[name] for name in ("ignored", "unread") if view.get(name)}
    return {
        "source_id": view.get("source_id"),
        "events": events,
        "unmapped": list(view.get("unmapped", [])),
    } | more


def _normal_event(event: Mapping[str, Any]) -> dict[str, Any]:
    kind = short_type(event["type"])
    at = event.get("occurred_at")
    moment = msgspec.convert(at, datetime) if at else None
    return {
        "thread": event["thread"],
        "type": kind,
        "id": event.get("id") or "",
        "occurred_at": moment.astimezone(UTC).isoformat() if moment and moment.tzinfo else at,
        "sequence": event.get("sequence"),
        "data": json.loads(encode(decode(kind, json.dumps(event["data"]).encode()))),
    }


def body_view(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return {"text": body.decode(errors="replace")}


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def difference(expected: Any, actual: Any) -> str:
    lines = difflib.unified_diff(
        _pretty(expected).splitlines(), _pretty(actual).splitlines(), "expected", "actual", lineterm="", n=1
    )
    return "differs from what is expected:\n" + "\n".join(lines)


def write_expected(found: Found) -> Iterator[str]:
    """Regenerate all expected files of one connector; yields the differences made."""
    connector, account = found.load(), account_of(found)
    made: list[tuple[Path, Any]] = []
    for path, fixture in in_fixtures(found):
        made.append((expected_path(path), translate_outcome(connector, fixture.inbound(), account)))
    for path, kind, out in out_fixtures(found):
        assert kind, f"{path.name} belongs to no declared effect"
        assert connector.render, "effects are declared, but render is missing"
        payload = msgspec.json.decode(out.payload, type=EFFECTS[kind])
        made.append((expected_path(path), body_view(connector.render(kind, payload, out.people, account))))
    for path, value in made:
        if isinstance(value, dict) and "path" in value and value.get("error", "") not in ("", *THREE_ERRORS):
            yield f"{path.name} is not written, translating crashes: {value['error']}: {value['path']}\n"
            continue
        before = path.read_text() if path.exists() else ""
        after = _pretty(value)
        if before and _same(json.loads(before), value):
            continue
        path.write_text(after)
        yield "".join(
            difflib.unified_diff(before.splitlines(True), after.splitlines(True), path.name, path.name, n=2)
        )


def _same(before: Any, after: Any) -> bool:
    translated = isinstance(after, dict) and {"source_id", "events", "unmapped"} == set(after) - {
        "ignored",
        "unread",
    }
    refused = isinstance(after, dict) and {"error", "path"} == set(after)
    return normal(before) == normal(after) if translated or refused else bool(before == after)
