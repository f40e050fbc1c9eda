"""What happened to the cases that somebody watches or has, and what of it they have not seen yet."""

from datetime import datetime

import msgspec

from crossdock.processes.watching import TOLD
from crossdock.store.pool import Connection
from crossdock.views.sql import blocks

PAGE_MAX = 200


class Change(msgspec.Struct, frozen=True):
    """A line of a case's history. `fresh`: it came after the reader's last visit."""

    id: int
    at: datetime
    who: str
    action: str
    note: str
    number: int
    title: str
    state: str
    fresh: bool


async def changes(connection: Connection, who: str, *, before: int = 0, limit: int = 50) -> list[Change]:
    """Newest first, without what they did themselves; `before` is the last id of the page before."""
    rows = await connection.fetch(
        blocks("watched.sql")["changes"], who, list(TOLD), before, min(limit, PAGE_MAX)
    )
    return [Change(**dict(row)) for row in rows]
