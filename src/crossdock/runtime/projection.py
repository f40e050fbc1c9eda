"""What of an event a subscriber gets: the fields its allow-list names, and nothing else. Pure."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from crossdock.model.registry import TYPE_PREFIX

ENVELOPE: Final = ("source", "subject", "recordedtime", "sequence")
"""What may be named beside `data.…`; `id`, `type` and `time` are always there."""


def objection(path: str) -> str:
    """Why a field may not stand in an allow-list, or empty."""
    if path in ENVELOPE:
        return ""
    head, _, rest = path.partition(".")
    if head != "data":
        return f"{path!r} is neither data.… nor one of {', '.join(ENVELOPE)}"
    if not rest or not all(part and part.isidentifier() for part in rest.split(".")):
        return f"{path!r} names no field: write data.field, or data.field.part; lists are walked through"
    return ""


def message_id(row: Mapping[str, Any]) -> str:
    """Stable over all attempts, and telling nothing."""
    told = f"{row['source']}\0{row['event_id']}".encode()
    return f"msg_{blake2b(told, digest_size=16, person=b'subscriber').hexdigest()}"


def project(row: Mapping[str, Any], fields: Sequence[str]) -> bytes:
    """The body of one message, as JSON."""
    body: dict[str, Any] = {
        "id": message_id(row),
        "type": TYPE_PREFIX + row["type"],
        "time": row["occurred_at"],
    }
    named = {
        "source": row["source"], "subject": row["thread_key"], "recordedtime": row["recorded_at"],
        "sequence": row["sequence"],
    }  # fmt: skip
    body |= {name: named[name] for name in ENVELOPE if name in fields and named[name] is not None}
    paths = [tuple(path.split(".")[1:]) for path in fields if path.startswith("data.")]
    body["data"] = _only(msgspec.json.decode(row["data"]), paths)
    return msgspec.json.encode(body)


def _only(value: Any, paths: Sequence[tuple[str, ...]]) -> Any:
    """Each path is followed through objects and lists; what does not exist is left out. An empty path keeps the whole."""
    if () in paths:
        return value
    if isinstance(value, list):
        return [_only(one, paths) for one in value]
    if not isinstance(value, dict):
        return {}
    wanted: dict[str, list[tuple[str, ...]]] = {}
    for head, *rest in paths:
        wanted.setdefault(head, []).append(tuple(rest))
    return {name: _only(value[name], below) for name, below in wanted.items() if name in value}
