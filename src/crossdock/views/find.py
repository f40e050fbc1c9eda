"""Any identifier → the business objects it belongs to. Indexed look-ups only: a fixed number of them, whatever the size."""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec

from crossdock.model.thread import KEY_LENGTH_MAX, hash16
from crossdock.processes.catalogue import PROCESSES
from crossdock.store.log import dedupe_key
from crossdock.store.pool import Connection
from crossdock.views.names import Names
from crossdock.views.sql import blocks
from crossdock.views.story import link_of
from crossdock.views.story_material import decode_state, links_of
from crossdock.views.story_shape import Link
from crossdock.views.words import thing

HITS_MAX: Final = 50
_HIDDEN: Final = frozenset({"identifier"})
"""Threads that only lead to another one."""


class Hit(msgspec.Struct, frozen=True):
    """One business object, why it was found, and what it is linked to."""

    found: Link
    because: tuple[str, ...]
    linked: tuple[Link, ...] = ()


@dataclass(slots=True)
class _Found:
    """Thread hash → why, in the order of the look-ups: what people mean most comes first."""

    why: dict[bytes, list[str]] = field(default_factory=dict)

    def add(self, thread: bytes, because: str) -> None:
        reasons = self.why.setdefault(thread, [])
        if because not in reasons:
            reasons.append(because)


async def find(connection: Connection, query: str, names: Names, location: str) -> list[Hit]:
    """Hits for an identifier as a person has it: with or without `#`, in any of the systems."""
    text = query.strip()
    if not text or len(text) > KEY_LENGTH_MAX or "\0" in text:
        return []
    found = _Found()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await _by_number(connection, text, found)
        _by_key(text, names, location, found)
        await _by_reference(connection, text, names, found)
        await _by_uuid(connection, text, found)
        await _by_event(connection, text, names, found)
        return await _hits(connection, found, names)


async def _by_number(connection: Connection, text: str, found: _Found) -> None:
    bare = text.removeprefix("#")
    rows = await connection.fetch(blocks("find.sql")["by_number"], [text, bare, f"#{bare}"], HITS_MAX)
    for row in rows:
        found.add(row["thread"], f"{row['kind']} number")
    if bare.removeprefix("C-").isdigit() and text.upper().startswith("C-") and len(text) < 18:
        for row in await connection.fetch(blocks("find.sql")["by_case"], int(text[2:]), HITS_MAX):
            found.add(row["thread"], f"case C-{int(text[2:])}")


def _by_key(text: str, names: Names, location: str, found: _Found) -> None:
    """Thread keys this text may stand for; those that do not exist are dropped when the rows are read."""
    kinds = tuple(kind for kind in PROCESSES if kind not in _HIDDEN)
    found.add(hash16(text), "key")
    for kind in kinds:
        found.add(hash16(f"{kind}/{text}"), "reference")
        for system in names.systems:
            found.add(hash16(f"{kind}/{system}/{text.removeprefix('#')}"), f"number in {names.of(system)}")
    found.add(hash16(f"stock/{location}/{text}"), "item")


async def _by_reference(connection: Connection, text: str, names: Names, found: _Found) -> None:
    sql = blocks("find.sql")
    for row in await connection.fetch(sql["by_identifier"], text, HITS_MAX):
        found.add(
            row["thread"],
            f"{row['scheme']} number" + (f" of {names.of(row['issuer'])}" if row["issuer"] else ""),
        )
    for row in await connection.fetch(sql["by_document"], text, HITS_MAX):
        found.add(row["thread"], f"{thing(row['kind'])} in {names.of(row['account'])}")
    digits = text.replace(" ", "").strip("()")
    digits = digits.removeprefix("00") if len(digits) == 20 else digits
    if len(digits) == 18 and digits.isdigit():
        for row in await connection.fetch(sql["by_unit"], digits, HITS_MAX):
            found.add(row["thread"], "SSCC")


async def _by_uuid(connection: Connection, text: str, found: _Found) -> None:
    """An effect's id, or a message's: its events were recorded in the same transaction."""
    try:
        number = UUID(text.partition("/")[0])
    except ValueError:
        return
    sql = blocks("find.sql")
    for row in await connection.fetch(sql["by_effect"], number):
        found.add(row["thread"], f"effect: {thing(row['kind'])}")
    message = await connection.fetchrow(sql["message"], number)
    if message is not None:
        for row in await connection.fetch(sql["by_message"], number, message["received_at"], HITS_MAX):
            found.add(row["thread"], f"message of {message['system']}")


async def _by_event(connection: Connection, text: str, names: Names, found: _Found) -> None:
    """A source's own id of a message or event; `/…` and `#…` name one of several events of a message."""
    sql = blocks("find.sql")
    wholes = dict.fromkeys((text, text.partition("/")[0]))
    keys = [dedupe_key(system, whole) for system in names.systems for whole in wholes]
    for row in await connection.fetch(sql["deduplicated"], keys):
        for hit in await connection.fetch(sql["by_event"], row["event_id"], row["first_at"], HITS_MAX):
            found.add(hit["thread"], "event")


async def _hits(connection: Connection, found: _Found, names: Names) -> list[Hit]:
    sql = blocks("find.sql")["threads"]
    rows = {row["thread"]: row for row in await connection.fetch(sql, list(found.why), HITS_MAX * 2)}
    states = {thread: decode_state(row) for thread, row in rows.items()}
    keys = {thread: links_of(state, names.systems) for thread, state in states.items()}
    wanted = [hash16(key) for linked in keys.values() for key in linked][: HITS_MAX * 20]
    others: dict[str, Any] = (
        {r["thread_key"]: r for r in await connection.fetch(sql, wanted, HITS_MAX * 4)} if wanted else {}
    )
    hits = []
    for thread, reasons in found.why.items():
        row = rows.get(thread)
        if row is None or row["kind"] in _HIDDEN:
            continue
        linked = [link_of(others[k], decode_state(others[k]), names) for k in keys[thread] if k in others]
        hits.append(Hit(link_of(row, states[thread], names), tuple(reasons), tuple(linked)))
    return hits[:HITS_MAX]
