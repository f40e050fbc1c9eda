"""A worker process: leases partitions, turns log rows into batches, and writes each batch in one fenced transaction.

Partitions are split into groups with a connection each, so that one group computes while another's batch commits.
"""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import structlog

from crossdock.errors import Fenced
from crossdock.model.thread import PARTITIONS
from crossdock.processes.clocks import TIMER
from crossdock.runtime import commit, expiry, reviews
from crossdock.runtime.availability import Showcase, channels_of
from crossdock.runtime.batch import RESUMED, Batch, Thread, load_thread
from crossdock.runtime.hub import Hub
from crossdock.runtime.journal import Journal
from crossdock.runtime.wake import EFFECTS, LOG, Waker, listen
from crossdock.store import batch as table
from crossdock.store import log, processes
from crossdock.store.items import Items
from crossdock.store.keys import Keyring
from crossdock.store.pool import LOST, connect
from crossdock.store.segments import current_segment

GROUPS = 2
PER_PARTITION = 48
CACHE_MAX_PER_PARTITION = 1500
POLL_SECONDS = 1.0
LOOK_AGAIN_SECONDS = (0.003, 0.005, 0.01, 0.02, 0.05)
"""While rows are hidden behind an older open transaction."""
TIMERS_EVERY_SECONDS = 0.2
CLOCKS_EVERY_SECONDS = 5.0
CLOCKS_SHARE = 50
"""So many times as long as a look for clocks that ran out took, there is no other."""
TIMERS_MAX = 500
ITEMS_KEPT_SECONDS = 30.0
"""How long a worker knows the components of kits as it read them."""
_log = structlog.get_logger()

TRY_AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError, asyncpg.TransactionTimeoutError)  # fmt: skip


class Group:
    """Some partitions, their cache, and the connection that processes them."""

    def __init__(self, hub: Hub, journal: Journal) -> None:
        self.hub = hub
        self.journal = journal
        self.showcase = Showcase(channels_of(hub))
        self.items = Items(ITEMS_KEPT_SECONDS)
        self.epochs: dict[int, int] = {}
        self.cursors: dict[int, log.Cursor] = {}
        self.cache: dict[int, dict[bytes, Thread]] = {}
        self.wake = asyncio.Event()
        self.news: set[int] = set()
        """Groups that its batches wrote events for, not woken yet."""
        self.accounts: set[str] = set()
        """Accounts that its batches wrote effects for, delivery not woken yet."""
        self.hidden = False
        self.processed = 0
        self._timers_at = 0.0
        self._clocks_at = 0.0
        self.generation = 1

    def assign(self, leases: dict[int, asyncpg.Record]) -> None:
        """Take over what the leases say; a partition with a new epoch starts from its stored cursor."""
        for p in list(self.epochs):
            if p not in leases:
                self._drop(p)
        for p, row in leases.items():
            if self.epochs.get(p) != row["epoch"]:
                self._drop(p)
                self.epochs[p] = row["epoch"]
                self.cursors[p] = log.Cursor(p, row["generation"], row["xid"], row["id"], row["position"])
                self.cache[p] = {}
                self.wake.set()

    def _drop(self, p: int) -> None:
        self.epochs.pop(p, None)
        self.cursors.pop(p, None)
        self.cache.pop(p, None)

    def forget(self) -> None:
        """After an unknown commit nothing cached can be trusted."""
        for p in list(self.epochs):
            self._drop(p)

    async def turn(self, connection: asyncpg.Connection) -> bool:
        """Process what there is; False when there was nothing."""
        epochs = dict(self.epochs)
        if not epochs:
            return False
        cursors = [self.cursors[p] for p in sorted(epochs)]
        segment = current_segment()
        read = await log.read(
            connection, cursors, per_partition=PER_PARTITION, from_segment=0, generation=self.generation
        )
        rows, self.hidden = read.rows, read.hidden
        timers = await self._due_timers(connection, sorted(epochs))
        if not rows and not timers:
            return False
        await self._process(connection, rows, timers, epochs, segment)
        self.processed += len(rows)
        return True

    async def _due_timers(
        self, connection: asyncpg.Connection, partitions: list[int]
    ) -> list[asyncpg.Record]:
        now = asyncio.get_running_loop().time()
        if now - self._timers_at < TIMERS_EVERY_SECONDS:
            return []
        self._timers_at = now
        due: list[Any] = await table.due_timers(connection, partitions, TIMERS_MAX)
        return due + await self._run_out(connection, partitions, now)

    async def _run_out(self, connection: asyncpg.Connection, partitions: list[int], now: float) -> list[Any]:
        """Clocks of what did not come, as timers. Looking for them takes a fiftieth of the time, however much is open."""
        if now < self._clocks_at:
            return []
        rows = await table.run_out(connection, partitions, TIMERS_MAX)
        took = asyncio.get_running_loop().time() - now
        self._clocks_at = now + max(CLOCKS_EVERY_SECONDS, CLOCKS_SHARE * took)
        return [dict(row) | {"name": f"{TIMER}{row['due_at'].isoformat()}"} for row in rows]

    async def _process(
        self, connection: asyncpg.Connection, rows: Sequence[Any], timers: Sequence[Any], epochs: dict[int, int], segment: int,
        park: str | None = None,
    ) -> None:  # fmt: skip
        """One transaction for `rows`; on bad data, two smaller ones, down to the single row whose thread is parked."""
        for attempt in range(5):
            try:
                await self._commit(connection, rows, timers, epochs, segment, park)
                return
            except TRY_AGAIN as error:
                _log.info("batch_again", reason=str(error), attempt=attempt)
                await asyncio.sleep(0.01 * 2**attempt)
            except (Fenced, *LOST):
                raise
            except Exception as error:
                if park is not None:
                    raise
                _log.warning("batch_bisected", rows=len(rows), reason=f"{type(error).__name__}: {error}")
                break
        else:
            raise Fenced("the batch found no quiet moment")
        if len(rows) <= 1:
            await self._process(connection, rows, timers, epochs, segment, park="its batch cannot be written")
            return
        middle = len(rows) // 2
        await self._process(connection, rows[:middle], timers, epochs, segment)
        await self._process(connection, rows[middle:], (), epochs, segment)

    async def _commit(
        self, connection: asyncpg.Connection, rows: Sequence[Any], timers: Sequence[Any], epochs: dict[int, int], segment: int,
        park: str | None,
    ) -> None:  # fmt: skip
        known = await self._load(connection, rows)
        batch = Batch(
            known, self.hub.policy, segment=segment, generation=self.generation, now=datetime.now(UTC)
        )
        for row in rows:
            kept = await log.parked(connection, row["thread"]) if row["type"] == RESUMED else ()
            batch.take(row, kept, park)
        moved = _moved(rows, self.cursors)
        touched = {p: epochs[p] for p in {m[0] for m in moved}} or dict([next(iter(epochs.items()))])
        frame = commit.Frame(
            touched, moved, timers, segment, self.hub.settings.lease_seconds, self.showcase, self.items
        )
        await commit.write(connection, batch, self.journal, frame)
        self._swap(batch, moved)
        self.news |= {row[log.EVENT_COLUMNS.index("p")] % GROUPS for row in batch.out.events}
        self.accounts |= batch.out.accounts

    async def _load(self, connection: asyncpg.Connection, rows: Sequence[Any]) -> dict[bytes, Thread]:
        known: dict[bytes, Thread] = {}
        missing: dict[bytes, str] = {}
        for row in rows:
            hashed = row["thread"]
            cached = self.cache[row["p"]].get(hashed)
            if cached is not None:
                known[hashed] = cached
            else:
                missing[hashed] = row["thread_key"]
        if missing:
            found = await table.load_states(connection, list(missing))
            for hashed, key in missing.items():
                known[hashed] = load_thread(hashed, key, found.get(hashed))
        return known

    def _swap(self, batch: Batch, moved: Sequence[tuple[int, int, int, int, int, int]]) -> None:
        """The commit stands: the overlay becomes the cache, the cursors move."""
        for p, generation, xid, place, _, position in moved:
            self.cursors[p] = log.Cursor(p, generation, xid, place, position)
        for hashed, thread in batch.out.threads.items():
            cache = self.cache.get((hashed[0] << 8 | hashed[1]) % PARTITIONS)
            if cache is None:
                continue
            cache[hashed] = thread
            if len(cache) > CACHE_MAX_PER_PARTITION:
                for old in list(cache)[: CACHE_MAX_PER_PARTITION // 4]:
                    del cache[old]


def _moved(rows: Sequence[Any], cursors: dict[int, log.Cursor]) -> list[tuple[int, int, int, int, int, int]]:
    """Per partition: where its cursor comes to stand, and the positions its rows get."""
    last: dict[int, Any] = {}
    count: dict[int, int] = {}
    for row in rows:
        last[row["p"]] = row
        count[row["p"]] = count.get(row["p"], 0) + 1
    return [
        (p, row["generation"], row["xid"], row["id"], cursors[p].position, cursors[p].position + count[p])
        for p, row in sorted(last.items())
    ]


class Worker:
    """The process: lease loop, groups, wake-ups."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.id: UUID = uuid4()
        self.waker = Waker(hub.dsn)
        self._keyring = Keyring(hub.key)
        journal = Journal(hub, self._keyring)
        self.groups = [Group(hub, journal) for _ in range(GROUPS)]
        self._lease_now = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; then the partitions are given back."""
        tasks = [
            asyncio.create_task(self._lease()),
            asyncio.create_task(listen(self.hub.dsn, LOG, lambda _: self._ring())),
        ]
        tasks += [asyncio.create_task(self._follow(group)) for group in self.groups]
        tasks.append(asyncio.create_task(expiry.watch(self.hub.dsn, self._epochs, self.waker)))
        tasks.append(asyncio.create_task(reviews.watch(self.hub.dsn, channels_of(self.hub), self.waker)))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._give_back()
            await self.waker.close()

    def _epochs(self) -> dict[int, int]:
        """Of all partitions that are ours now."""
        return {p: epoch for group in self.groups for p, epoch in group.epochs.items()}

    def _ring(self) -> None:
        for group in self.groups:
            group.wake.set()

    def _pass_on(self, group: Group) -> None:
        """Wake whom the batches of a group gave something to do."""
        for number in group.news:
            self.groups[number].wake.set()
        if group.accounts:
            self.waker.ring(EFFECTS, group.accounts)
        group.news, group.accounts = set(), set()

    async def _lease(self) -> None:
        lease = self.hub.settings.lease_seconds
        connection: asyncpg.Connection | None = None
        while True:
            try:
                if connection is None or connection.is_closed():
                    connection = await connect(self.hub.dsn)
                await self._renew(connection, lease)
            except LOST as error:
                _log.info("worker_without_database", reason=str(error))
                await asyncio.sleep(0.1)
                continue
            except TRY_AGAIN:
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(lease / 4):
                    await self._lease_now.wait()
            self._lease_now.clear()

    async def _renew(self, connection: asyncpg.Connection, lease: float) -> None:
        live = await processes.seen(connection, self.id, "worker", os.getpid(), lease)
        fair = -(-PARTITIONS // max(1, live))
        leases = {row["p"]: row for row in await table.claim_partitions(connection, self.id, fair, lease)}
        surplus = sorted(leases)[fair:]
        if surplus:
            await table.release_partitions(connection, self.id, surplus)
            for p in surplus:
                del leases[p]
        await self._keyring.hear(connection)
        generation = await connection.fetchval("select generation from hub")
        for number, group in enumerate(self.groups):
            group.generation = generation
            group.assign({p: row for p, row in leases.items() if p % GROUPS == number})

    async def _follow(self, group: Group) -> None:
        connection: asyncpg.Connection | None = None
        idle = 0
        while True:
            try:
                if connection is None or connection.is_closed():
                    connection = await connect(self.hub.dsn)
                if await group.turn(connection):
                    idle = 0
                    self._pass_on(group)
                    continue
            except Fenced as error:
                _log.warning("fenced", reason=str(error))
                group.forget()
                self._lease_now.set()
                await asyncio.sleep(0.05)
            except LOST as error:
                _log.info("group_without_database", reason=str(error))
                if connection is not None:
                    connection.terminate()
                connection = None
                group.forget()
                self._lease_now.set()
                await asyncio.sleep(0.1)
            idle = await self._wait(group, idle)

    async def _wait(self, group: Group, idle: int) -> int:
        """Nothing to read: sleep until the next wake-up, or a moment where something is there but not readable yet."""
        pause = LOOK_AGAIN_SECONDS[min(idle, len(LOOK_AGAIN_SECONDS) - 1)] if group.hidden else POLL_SECONDS
        try:
            async with asyncio.timeout(pause):
                await group.wake.wait()
        except TimeoutError:
            return idle + 1
        group.wake.clear()
        return 0

    async def _give_back(self) -> None:
        with contextlib.suppress(*LOST, *TRY_AGAIN):
            connection = await connect(self.hub.dsn)
            await table.release_partitions(connection, self.id)
            await processes.gone(connection, self.id)
            await connection.close()
