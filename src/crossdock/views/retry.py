"""What retrying a case would do, said before it is done."""

from typing import Any
from uuid import UUID

import msgspec

from crossdock.store.pool import Connection
from crossdock.views.cases import case_links
from crossdock.views.names import Names
from crossdock.views.sql import blocks
from crossdock.views.words import ask, counted


class Plan(msgspec.Struct, frozen=True):
    """`will` is one sentence per kind of thing; `threads` are those that wait."""

    number: int
    will: tuple[str, ...]
    threads: tuple[str, ...]
    nothing: int
    """Links that no retry helps: a person settles those elsewhere."""


async def plan(connection: Connection, number: int, names: Names) -> Plan:
    """From the case's open links; nothing is changed."""
    links = [link for link in await case_links(connection, number) if link["closed_at"] is None]
    ids = [UUID(link["key"]) for link in links if len(link["key"]) == 36]
    rows = await connection.fetch(blocks("retry.sql")["effects"], ids)
    will = _effects(rows, names)
    parked = sum(1 for link in links if link["key"] == "parked")
    held = sum(1 for link in links if link["key"] == "hold")
    if parked:
        will.append(f"let {counted(parked, 'parked thread')} go on, in the order the events came")
    if held:
        will.append(f"check {counted(held, 'held order')} again")
    nothing = len(links) - len(ids) - parked - held
    return Plan(number, tuple(will), tuple(dict.fromkeys(link["thread_key"] for link in links)), nothing)


def _effects(rows: list[Any], names: Names) -> list[str]:
    groups: dict[tuple[str, str, bool], list[Any]] = {}
    for row in rows:
        if row["state"] in (5, 6):
            groups.setdefault((row["account"], row["kind"], row["state"] == 6), []).append(row)
    return [
        (f"look in {names.of(account)} first, then " if unclear else "") + f"ask {names.of(account)} to {ask(kind)}"
        f" for {', '.join(row['object'] for row in found[:5])}" + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        for (account, kind, unclear), found in groups.items()
    ]  # fmt: skip
