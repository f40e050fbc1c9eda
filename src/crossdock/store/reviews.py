"""Places whose numbers on channels must be looked at again: which are due, and which a hold concerns."""

from collections.abc import Mapping, Sequence

from crossdock.store.pool import Connection

_DUE = """
with due as (
    select id from stock_balance where review_at <= clock_timestamp()
    order by item, location, lot, owner, possessor limit $1 for update skip locked
)
update stock_balance b set review_at = null from due where b.id = due.id returning b.item, b.location
"""


async def take_due(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """(item, location) of places that are due now; they are no longer."""
    return [tuple(row) for row in await connection.fetch(_DUE, limit)]


async def mark_sold_otherwise(connection: Connection, nodes: Sequence[str]) -> None:
    """What lies at these nodes or was shown of them is due now."""
    await connection.execute(
        "with due as (select id from stock_balance where location = any($1) and (available <> 0 or shown is not null)"
        " order by item, location, lot, owner, possessor for update)"
        " update stock_balance b set review_at = clock_timestamp() from due where b.id = due.id",
        nodes,
    )


async def mark_held(connection: Connection, held: Mapping[str, bool]) -> None:
    """What a held channel shows, and what any other was told to show none of though there is some, is due now."""
    await connection.execute(
        "update stock_balance b set review_at = clock_timestamp() where exists ("
        " select from unnest($1::text[], $2::boolean[]) as c (name, held)"
        " where b.shown ->> c.name is not null and (b.shown ->> c.name = '0') <> c.held"
        " and (c.held or exists (select from stock_balance a where a.item = b.item and a.available > 0)))"
        " and (review_at is null or review_at > clock_timestamp())",
        list(held), list(held.values()),
    )  # fmt: skip
