"""The exception queue: one row per cause, with what it blocks."""

from typing import Any

from crossdock.store.pool import Connection
from crossdock.views.sql import blocks

PAGE_MAX = 500


async def list_cases(
    connection: Connection, *, state: str = "open", before: int = 0, limit: int = 100, owner: str = ""
) -> list[dict[str, Any]]:  # fmt: skip
    """Newest first; `before` is the last number of the page before, `owner` those of one owner only."""
    sql = blocks("cases.sql")["list_cases"]
    rows = await connection.fetch(sql, state, before, min(limit, PAGE_MAX), owner)
    return [dict(row) for row in rows]


async def case_links(connection: Connection, number: int) -> list[dict[str, Any]]:
    """The threads a case blocks or blocked."""
    rows = await connection.fetch(blocks("cases.sql")["case_links"], number)
    return [dict(row) for row in rows]
