"""The sealer: folds what was committed into the audit chain, and signs the chain's head now and then.

In the background of a delivery process; of several, one holds the advisory lock. Nothing waits for it.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import msgspec
import structlog

from crossdock.access.audit import TABLES, Checkpoint, Link, sign
from crossdock.connect.transport import Transport
from crossdock.runtime import checkpoints
from crossdock.runtime.hub import Hub
from crossdock.store import audit
from crossdock.store.pool import LOST, Connection, connect

EVERY_SECONDS: Final = 10.0
AWAY_SECONDS: Final = 5.0
ROWS_MAX: Final = 4000
"""Of one link, about."""
LINKS_MAX: Final = 500
"""Without a checkpoint."""
_LOCK: Final = 0x63726F75
_log = structlog.get_logger()


class Sealer:
    """One per delivery process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._transport = Transport(connections_max=1)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    connection = await connect(self._hub.dsn)
                except (*LOST, asyncpg.PostgresError):
                    await asyncio.sleep(AWAY_SECONDS)
                    continue
                try:
                    await self._with(connection)
                except (*LOST, asyncpg.PostgresError) as error:
                    _log.info("sealer_waits", reason=f"{type(error).__name__}: {error}")
                    await asyncio.sleep(AWAY_SECONDS)
                finally:
                    connection.terminate()  # a lock of the session ends with it
        finally:
            await self._transport.close()

    async def _with(self, connection: Connection) -> None:
        while not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
            await asyncio.sleep(AWAY_SECONDS)
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            link = await seal_next(connection)
            await self._checkpoint(connection)
            behind = link is not None and link.rows >= ROWS_MAX
            await asyncio.sleep(loop.time() - began if behind else EVERY_SECONDS)

    async def _checkpoint(self, connection: Connection) -> None:
        if await make_checkpoint(connection, self._hub):
            await checkpoints.ship(connection, self._hub, self._transport)
        await checkpoints.list_erased(connection, self._hub, self._transport)


async def seal_next(connection: Connection) -> Link | None:
    """The next link, where there is anything to put in it."""
    head = await audit.head(connection)
    bound = await audit.bound(connection, head, ROWS_MAX)
    if bound is None:
        return None
    link = await _sealed(connection, head, bound)
    await audit.add_link(connection, link)
    return link


async def _sealed(connection: Connection, head: audit.Head, bound: int) -> Link:
    span = (head.generation, head.xid, bound, head.oldest_segment)
    made = {table: await audit.digests(connection, table, span) for table in TABLES}
    segments = [x for _, _, first, last in made.values() for x in (first, last) if x]
    link = Link(
        no=head.no + 1, generation=head.generation, xid_from=head.xid, xid_to=bound,
        events=made["events"][1], messages=made["messages"][1], attempts=made["attempts"][1], actions=made["actions"][1],
        segment_from=min(segments, default=0), segment_to=max(segments, default=0),
        digests=b"".join(made[table][0] for table in TABLES), previous=head.hash, sealed_at=datetime.now(UTC),
    )  # fmt: skip
    return msgspec.structs.replace(link, hash=link.hashed())


async def make_checkpoint(connection: Connection, hub: Hub) -> bool:
    """Sign the head, where it has moved and it is time; False where no checkpoint waits to be sent."""
    head, last = await audit.head(connection), await audit.last_checkpoint(connection)
    now = datetime.now(UTC)
    linked = last["link"] if last else 0
    age = now - last["made_at"] if last else timedelta.max
    due = age >= timedelta(seconds=hub.settings.audit_checkpoint_seconds) or head.no - linked >= LINKS_MAX
    if head.no > linked and due:
        checkpoint = Checkpoint(
            hub=head.hub, checkpoint=(last["no"] if last else 0) + 1, link=head.no, hash=head.hash.hex(), at=now,
            previous=checkpoints.digest_of(last["body"]) if last else "",
        )  # fmt: skip
        await audit.add_checkpoint(connection, checkpoint, sign(hub.key, checkpoint))
        return True
    return last is not None and last["sent_at"] is None
