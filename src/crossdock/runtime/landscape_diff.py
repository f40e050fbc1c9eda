"""What differs between two landscapes, field by field, and which processes each difference concerns. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from crossdock.landscape import Documents

ROLES: Final = ("worker", "delivery", "api")
"""In the order in which they take a new landscape: who wishes for effects first, who lets senders in last."""
FROM_START: Final = ("bind", "port", "database_url", "bin_dir", "wal_archive", "hub_key")
"""Settings that count from the next `crossdock up` only."""
_OF_SETTINGS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("api",), "region": ("api",), "body_bytes_max": ("api",), "lag_events_max": ("api",),
    "disk_free_min_share": ("api",), "partner_requests_per_second": ("api",),
    "lease_seconds": ("worker", "delivery"), "workers": (), "retention_days": (), "business_clock_rate": (),
    "audit_checkpoints": ("delivery",), "audit_checkpoint_seconds": ("delivery",),
}  # fmt: skip
_OF_ACCOUNT: Final = ("rate_per_second", "burst", "concurrency", "backfill_seconds")


class Change(msgspec.Struct, frozen=True):
    """One difference. `path` is empty where the whole file comes or goes; a side that is not there is None."""

    file: str
    path: str
    old: Any
    new: Any


def differences(old: Documents, new: Documents) -> list[Change]:
    """By file and place; rules of a table are named, not counted."""
    found: list[Change] = []
    for file in sorted({*old, *new}):
        if file in old and file in new:
            found += (Change(file, path, a, b) for path, a, b in _below("", old[file], new[file]))
        else:
            found.append(Change(file, "", old.get(file), new.get(file)))
    return found


def _below(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if old == new:
        return
    if isinstance(old or {}, dict) and isinstance(new or {}, dict) and (old or new):
        old, new = old or {}, new or {}
        for key in sorted({*old, *new}):
            yield from _below(f"{path}.{key}" if path else key, old.get(key), new.get(key))
        return
    before, after = _rules(old), _rules(new)
    if before is None or after is None:
        yield path, old, new
        return
    for name in [*before, *(name for name in after if name not in before)]:
        yield from _below(f"{path}[{name}]", before.get(name), after.get(name))
    stayed = [[n for n in names if n in before and n in after] for names in (before, after)]
    if stayed[0] != stayed[1]:
        yield f"{path} (order)", stayed[0], stayed[1]


def _rules(table: Any) -> dict[str, Any] | None:
    """A list of rules by their names; None for any other value."""
    if not isinstance(table, list) or not all(isinstance(x, dict) and "rule" in x for x in table):
        return None
    named = {str(x["rule"]): x for x in table}
    return named if len(named) == len(table) else None


def concerned(change: Change) -> tuple[str, ...]:
    """The roles whose processes have to start anew to take it. Whatever is not known to concern few concerns all."""
    kind, _, field = change.path.partition(".")
    if change.file.startswith("subscriptions/"):
        return ("delivery",)
    if change.file.startswith("systems/") and change.path in _OF_ACCOUNT:
        return ("delivery",)
    if change.file == "hub.yaml" and kind == "settings":
        return _OF_SETTINGS.get(field, ROLES)
    return ROLES


def restarted(changes: Sequence[Change]) -> tuple[str, ...]:
    """The roles that start anew, in the order in which they do."""
    wanted = {role for change in changes for role in concerned(change)}
    return tuple(role for role in ROLES if role in wanted)


def from_start(changes: Sequence[Change]) -> list[Change]:
    """Those that a running hub cannot take."""
    return [c for c in changes if c.file == "hub.yaml" and c.path in {f"settings.{x}" for x in FROM_START}]
