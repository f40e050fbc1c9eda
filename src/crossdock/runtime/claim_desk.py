"""The claim desk: what arrives while a transaction runs is decided together in the next one, and answered after its commit."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from crossdock.model.claim import ClaimView
from crossdock.runtime import claim_events
from crossdock.runtime.claim_round import Acting, Asking, Instant, Round, answer_of, view_of
from crossdock.runtime.intake import Unavailable
from crossdock.runtime.wake import LOG, Waker
from crossdock.store import claims, log, stock
from crossdock.store.feed import Log, behind
from crossdock.store.held import Held
from crossdock.store.items import Items
from crossdock.store.pool import LOST, Connection
from crossdock.store.segments import current_segment

ROUND_MAX: Final = 2048
PART_MAX: Final = 256
"""Decided in one go, and written in one go."""
QUEUE_MAX: Final = 20_000
_log = structlog.get_logger()
_NOW = (
    "select hub_id, generation, pg_snapshot_xmin(pg_current_snapshot()) as xmin,"
    " clock_business_at + (clock_timestamp() - clock_real_at) * clock_rate as now"
)


async def instant(connection: Connection) -> Instant:
    """Business time, and the cursor after which the feed has everything that was not settled yet."""
    row = await connection.fetchrow(f"{_NOW} from hub")
    assert row is not None
    return _instant(row)


async def beginning(
    connection: Connection, names: list[str]
) -> tuple[Instant, dict[str, claims.Answer | None]]:
    """That, and what the askers of these claims were told before: in one question, since every round begins so."""
    rows = await connection.fetch(
        f"{_NOW}, c.id, c.fingerprint, c.answer from hub left join claim c on c.id = any($1)", names
    )
    return _instant(rows[0]), claims.told(row for row in rows if row["id"] is not None)


def _instant(row: asyncpg.Record) -> Instant:
    hub: UUID = row["hub_id"]
    place = behind(row["generation"], row["xmin"], current_segment())
    return Instant(row["now"], Log(hub.bytes, row["generation"]).cursor(place), row["generation"])


class ClaimDesk:
    """One per API process."""

    def __init__(self, pool: asyncpg.Pool, waker: Waker) -> None:
        self._pool = pool
        self._waker = waker
        self.items = Items()
        self._queue: list[tuple[Asking | Acting, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._serve_for_ever())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def submit(self, job: Asking | Acting) -> None:
        """Returns once it is decided and committed; what was said stands in the job. Raises `Unavailable`."""
        if len(self._queue) > QUEUE_MAX:
            raise Unavailable("too many claims wait to be decided")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((job, done))
        self._arrived.set()
        await done

    async def read(self, name: str) -> ClaimView | None:
        """A claim as it stands; one that an order made is none of this desk's."""
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            at = await instant(connection)
            found = await claims.read(connection, name)
        return view_of(found[0], at.as_of) if found and found[1] else None

    async def learn(self, codes: set[str]) -> None:
        """Read these items, and what kits among them are made of."""
        async with self._pool.acquire() as connection:
            await self.items.read(connection, codes)

    async def learn_of(self, name: str) -> None:
        """Read the items of a claim's lines."""
        async with self._pool.acquire() as connection:
            told = (await claims.known(connection, [name])).get(name)
            if told is not None:
                await self.items.read(connection, {line.item for line in answer_of(told[1]).lines})

    async def _serve_for_ever(self) -> None:
        while True:
            await self._arrived.wait()
            taken, self._queue = self._queue[:ROUND_MAX], self._queue[ROUND_MAX:]
            taken = [(job, done) for job, done in taken if not done.cancelled()]
            if not taken:
                if not self._queue:
                    self._arrived.clear()
                continue
            await self._answer(taken)

    async def _answer(self, taken: list[tuple[Asking | Acting, asyncio.Future[None]]]) -> None:
        """One transaction for all; if it fails for what is in it, each caller gets one of their own."""
        try:
            await self._decide([job for job, _ in taken])
        except LOST as error:
            _away(taken, error)
        except asyncpg.PostgresError as error:
            if len(taken) == 1:
                _away(taken, error)
                return
            _log.info("claims_singly", claims=len(taken), reason=f"{type(error).__name__}: {error}")
            for one in taken:
                await self._answer([one])
        for _, done in taken:
            if not done.done():
                done.set_result(None)

    async def _decide(self, jobs: list[Asking | Acting]) -> None:
        segment = current_segment()
        async with self._pool.acquire() as connection, connection.transaction():
            at, asked = await beginning(connection, list({_name(job) for job in jobs}))
            acts = [job for job in jobs if isinstance(job, Acting)]
            replied = await claims.replies(connection, [job.key for job in acts])
            held = await claims.lock(connection, sorted({job.claim for job in acts if asked.get(job.claim)}))
            made = Round(at, asked, replied, held)
            balances = await stock.lock_lots(connection, made.places(jobs))
            settled = stock.Settled(segment, balances=balances, claims=dict(held))
            await _decide_and_write(connection, made, settled, jobs)
            await stock.write_balances(connection, settled)
            await stock.write_used(connection, settled, made.answers)
            await claims.keep_replies(connection, made.replies)
            rows = claim_events.availability(settled, at.generation, at.now)
            if rows:
                await log.append_rows(connection, rows, segment)
        if rows:
            self._waker.ring(LOG)


async def _decide_and_write(
    connection: Connection, made: Round, settled: stock.Settled, jobs: list[Asking | Acting]
) -> None:
    """A part at a time: the database writes one part's entries and claims while the next is decided."""
    writing: asyncio.Task[None] | None = None
    try:
        for start in range(0, len(jobs), PART_MAX):
            entered = len(settled.entries)
            for job in jobs[start : start + PART_MAX]:
                made.decide(settled, job)
            told = [settled.claims[name] for name in made.tell()]
            if writing is not None:
                await writing
            writing = asyncio.create_task(
                _write_part(connection, settled, settled.entries[entered:], told, made.answers)
            )
            await asyncio.sleep(0)
    finally:
        if writing is not None:
            await asyncio.wait({writing})
    if writing is not None:
        writing.result()


async def _write_part(
    connection: Connection,
    settled: stock.Settled,
    entries: list[tuple[Any, ...]],
    decided: list[Held],
    answers: Mapping[str, claims.Answer],
) -> None:
    await stock.write_entries(connection, entries, settled.segment)
    if decided:
        await claims.insert(connection, decided, answers)


def _name(job: Asking | Acting) -> str:
    return job.wanted.claim if isinstance(job, Asking) else job.claim


def _away(taken: list[tuple[Asking | Acting, asyncio.Future[None]]], error: BaseException) -> None:
    """Nothing is promised: whoever asks again with the same claim learns what became of it."""
    _log.warning("claims_failed", reason=f"{type(error).__name__}: {error}")
    for _, done in taken:
        if not done.done():
            done.set_exception(Unavailable("the database is away; ask again with the same claim"))
