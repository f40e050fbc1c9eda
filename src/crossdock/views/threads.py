"""Lists of threads of one kind, keyset-paged by key, and how many stand where."""

from collections.abc import Sequence
from typing import Any

from crossdock.model.thread import hash16
from crossdock.store.pool import Connection
from crossdock.views.sql import blocks
from crossdock.views.story_material import decode_state

PAGE_MAX = 500


async def list_threads(
    connection: Connection, kind: str, *, phase: str = "", done: bool | None = None, after: str = "", limit: int = 100
) -> list[dict[str, Any]]:  # fmt: skip
    """Threads in the order of their keys, after the given key."""
    sql = blocks("threads.sql")["list_threads"]
    rows = await connection.fetch(sql, kind, phase, done, after, min(limit, PAGE_MAX))
    return [dict(row) for row in rows]


async def states(connection: Connection, threads: Sequence[str]) -> dict[str, Any]:
    """Thread key → its state as it is stored, of those that somebody has heard of."""
    rows = await connection.fetch(blocks("threads.sql")["states"], [hash16(x) for x in threads])
    return {row["thread_key"]: decode_state(row) for row in rows}


async def count_phases(connection: Connection, kind: str) -> list[dict[str, Any]]:
    rows = await connection.fetch(blocks("threads.sql")["count_phases"], kind)
    return [dict(row) for row in rows]
