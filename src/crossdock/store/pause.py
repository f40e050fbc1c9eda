"""The pause of all deliveries: set by a restore, ended by a person, and what is in doubt from then on."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from crossdock.store.pool import Connection


class Standing(NamedTuple):
    """What delivery must know of the hub before it sends."""

    generation: int
    paused_reason: str | None
    resumed_at: datetime | None


async def standing(connection: Connection) -> Standing:
    row = await connection.fetchrow("select generation, paused_reason, resumed_at from hub")
    assert row is not None
    return Standing(*row)


async def pause(connection: Connection, reason: str) -> None:
    """From now on; delivery processes that run notice within a quarter of their lease."""
    await connection.execute("update hub set paused_reason = $1, paused_at = clock_timestamp()", reason)


async def unfinished(connection: Connection) -> list[asyncpg.Record]:
    """(account, kind, state, ids) of everything that is not settled and may have gone on elsewhere."""
    return await connection.fetch(
        "select account, kind, state, array_agg(id order by xid, seq) as ids from effect where state < 10"
        " group by account, kind, state order by account, kind, state"
    )


_DOUBT_OPEN = """
update effect e set state = 3, next_at = null, deadline_at = clock_timestamp()
from unnest($1::text[], $2::text[]) as d (account, kind)
where e.account = d.account and e.kind = d.kind and e.state in (0, 1, 2, 3)
"""
_DOUBT_REFUSED = """
update effect e set state = 6 from unnest($1::text[], $2::text[]) as d (account, kind), effect_body b
where e.account = d.account and e.kind = d.kind and e.state = 5
    and b.effect = e.id and b.segment = e.segment and b.connector <> ''
"""


async def resume(connection: Connection, doubtful: Sequence[tuple[str, str]]) -> bool:
    """End the pause; False where there was none. `doubtful` are the (account, kind) that must not be sent unasked.

    Their open effects are unknown outcomes now. A refused one becomes unclear, so that a person's retry looks first:
    the hub that was lost may have retried it with success.
    """
    async with connection.transaction():
        await connection.execute("set local transaction_timeout = 0")
        paused = await connection.fetchval("select paused_reason is not null from hub for update")
        if not paused:
            return False
        accounts, kinds = [account for account, _ in doubtful], [kind for _, kind in doubtful]
        await connection.execute(_DOUBT_OPEN, accounts, kinds)
        await connection.execute(_DOUBT_REFUSED, accounts, kinds)
        await connection.execute(
            "update hub set paused_reason = null, paused_at = null, resumed_at = clock_timestamp()"
        )
        return True
