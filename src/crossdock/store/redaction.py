"""Values of a person in columns that are not sealed: free text of people and partners. Found by value, and blanked.

Rows of the audit chain keep their place in it: the digest that they had is written into the erasure's own action.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from crossdock.store.audit import DIGESTS
from crossdock.store.pool import Connection

BLANK: Final = "(erased)"
LENGTH_MIN: Final = 4
"""Shorter values stand in too many words by accident."""
_OF_CASES: Final = "in (select case_id from case_link where thread = any($1))"
_OF_EFFECTS: Final = "in (select id from effect where thread = any($1))"


@dataclass(frozen=True, slots=True)
class _Place:
    """Columns of a table, and which of its rows may be about the person: $1 threads, $2 pattern, $3 keys, $4 messages.

    What people wrote as a reason may name anybody, whatever it is a reason for: it is looked for everywhere.
    """

    table: str
    columns: tuple[str, ...]
    rows: str
    notes: bool = False
    """Written by people about the thread: they may well use the surname alone."""


PLACES: Final = (  # an attempt's `answer` from before answers were sealed is in clear; a sealed one is no text
    _Place("event", ("data",), "thread = any($1)"),
    _Place("message", ("headers",), "id = any($4)"),
    _Place("attempt", ("reason", "answer"), f"effect {_OF_EFFECTS}"),
    _Place("effect", ("reason", "document"), "thread = any($1)"),
    _Place("lane", ("reason",), f"effect {_OF_EFFECTS}"),
    _Place("post_request", ("reason",), f"effect {_OF_EFFECTS}", notes=True),
    _Place("thread_state", ("waiting_on", "parked"), "thread = any($1)"),
    _Place("cases", ("title", "detail", "closed_because"), f"id {_OF_CASES}"),
    _Place("case_note", ("note",), f"case_id {_OF_CASES}", notes=True),
    _Place("replay_item", ("said",), "thread_key = any($3)"),
    *(_Place(table, columns, f"concat_ws(' ', {', '.join(columns)}) ~* $2") for table, columns in (
        ("operator_action", ("target", "reason", "detail")), ("hold", ("reason", "lifted_because")),
        ("correction", ("reason", "decided_because")), ("correction_rule", ("from_value", "to_value", "reason", "withdrawn_because")),
        ("replay", ("reason", "selection")), ("erasure", ("reason", "decided_because")), ("recall", ("reason",)),
        ("reconcile_difference", ("reason",)), ("landscape_version", ("reason",)),
    )),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Names:
    """How a person is named: values to be found whole, and surnames, which are looked for in notes only."""

    whole: Sequence[str]
    surnames: Sequence[str]


class Found(msgspec.Struct, frozen=True):
    """A row that holds a value of the person."""

    place: str
    """Table, or its segment."""
    row: tuple[int, int]
    changes: dict[str, str | bytes]
    digest: bytes | None


def _spellings(values: Iterable[str]) -> list[str]:
    """The values as they are and as JSON writes them, the longest first."""
    wanted = {x.strip() for x in values if len(x.strip()) >= LENGTH_MIN}
    wanted |= {msgspec.json.encode(x).decode()[1:-1] for x in wanted}
    return sorted(wanted, key=len, reverse=True)


def pattern_of(values: Iterable[str]) -> re.Pattern[str] | None:
    """Any of these values, whole and in any case; None where none is worth looking for."""
    wanted = _spellings(values)
    if not wanted:
        return None
    alternatives = "|".join(re.escape(x) for x in wanted)
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE)


async def search(
    connection: Connection, names: Names, threads: Sequence[tuple[bytes, str]], messages: Sequence[Any]
) -> list[Found]:  # fmt: skip
    """Rows of `PLACES` that hold one of the names. `threads`: (hash, key)."""
    pattern, of_notes = pattern_of(names.whole), pattern_of((*names.whole, *names.surnames))
    if pattern is None or of_notes is None:
        return []
    # PostgreSQL only narrows: it escapes as Python does for these characters, and knows no look-behind of this kind.
    narrow = "|".join(re.sub(r"(\W)", r"\\\1", x) for x in _spellings(names.whole))
    given = (
        [x for x, _ in threads],
        narrow,
        [key for _, key in threads] + [key.partition("/")[2] for _, key in threads],
        list(messages),
    )
    found: list[Found] = []
    for place in PLACES:
        alias, digest = DIGESTS.get(place.table, ("x", "null::bytea"))
        used = [n for n in range(1, 5) if f"${n}" in place.rows]
        rows, columns = place.rows, ", ".join(f"{alias}.{x}" for x in place.columns)
        for number, old in enumerate(used, 1):
            rows = rows.replace(f"${old}", f"${number}")
        for row in await connection.fetch(
            f"select {alias}.tableoid::regclass::text as place, {alias}.ctid as row, {digest} as digest, {columns}"
            f" from {place.table} {alias} where {rows}",
            *(given[n - 1] for n in used),
        ):
            looked = of_notes if place.notes else pattern
            changes = {x: new for x in place.columns if (new := _blanked(row[x], looked)) is not None}
            if changes:
                found.append(Found(row["place"], tuple(row["row"]), changes, row["digest"]))
    return found


def _blanked(value: str | bytes | None, pattern: re.Pattern[str]) -> str | bytes | None:
    """The value without what the pattern finds; None where it finds nothing, or the value is no text."""
    if not value:
        return None
    if isinstance(value, str):
        text, count = pattern.subn(BLANK, value)
        return text if count else None
    try:
        text, count = pattern.subn(BLANK, value.decode())
    except UnicodeDecodeError:
        return None
    return text.encode() if count else None


async def blank(connection: Connection, found: Sequence[Found]) -> None:
    """In the transaction in which they were searched."""
    for one in found:
        names = list(one.changes)
        sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(names, 2))
        await connection.execute(
            f"update {one.place} set {sets} where ctid = $1", one.row, *(one.changes[x] for x in names)
        )
