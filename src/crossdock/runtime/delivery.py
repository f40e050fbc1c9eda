"""Delivery: one owner per account takes effects from their lanes, calls the target, and writes what became of it.

A try is committed before the call. An answer that never came is looked up, never guessed.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import structlog

from crossdock.connect.manifest import EffectTraits
from crossdock.connect.transport import Transport
from crossdock.errors import Misconfigured
from crossdock.runtime.allowance import Allowance
from crossdock.runtime.backfill import Backfill
from crossdock.runtime.gaps import Gaps
from crossdock.runtime.holding import Heeding, Holding
from crossdock.runtime.hub import Hub
from crossdock.runtime.intake import Intake
from crossdock.runtime.lanes import Entry, Lanes, adopted
from crossdock.runtime.outcomes import Outcomes
from crossdock.runtime.parked import Parked
from crossdock.runtime.reconciliation import Reconciliations
from crossdock.runtime.resuming import IN_DOUBT
from crossdock.runtime.sealer import Sealer
from crossdock.runtime.subscriber import Subscribers
from crossdock.runtime.target import Target, open_target
from crossdock.runtime.telling import Tellers
from crossdock.runtime.wake import EFFECTS, LOG, Waker, listen
from crossdock.store import delivery as table
from crossdock.store import pause, processes
from crossdock.store.delivery import Outcome
from crossdock.store.effects import State
from crossdock.store.keys import Keyring
from crossdock.store.pool import LOST, Connection, connect, open_pool

LOAD_MAX = 2000
POLL_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 0.003
LOOK_AGAIN_SECONDS_MAX = 0.1
SPARE_SECONDS = 0.05
PATIENCE_SECONDS = 30.0
"""How long a question waits for effects to leave it a call of the budget."""
A = TypeVar("A")
_log = structlog.get_logger()


class AccountRunner:
    """All calls of one account."""

    def __init__(
        self, hub: Hub, name: str, shared: "Shared", target: Target, allowance: Allowance
    ) -> None:  # fmt: skip
        self.name = name
        self.wake = asyncio.Event()
        self.resumed_at: datetime | None = None
        """Since when this hub goes on after a restore; what older threads want is looked up before it is sent."""
        self._pool, self._keyring, self._outcomes = shared.pool, shared.keyring, shared.outcomes
        self._holding = shared.holding
        self._traits: dict[str, EffectTraits] = hub.manifest(name).effects
        self._allowance, self._budget = allowance, allowance.budget
        self._target = target
        self.client = target.client
        self._calls: set[asyncio.Task[Any]] = set()
        self._hidden = False
        self._parked = Parked(name)
        self._reset()

    def _reset(self) -> None:
        """Start from the journal again, with no call under way: nothing in memory is worth more than what is committed."""
        self._allowance.begin_again(sum(not call.done() for call in self._calls))
        self._lanes = Lanes()
        self._heeding = Heeding(self.name, self._holding)
        self._cursor = (0, -1)
        self._fresh = True

    async def run(self) -> None:
        """For as long as the account is ours."""
        loop = asyncio.get_running_loop()
        looks = 0
        while True:
            try:
                loaded = await self._load()
                resumed = await self._heeding.heed(self._lanes, self._pool)
                if resumed and self._allowance.try_now(loop.time()):
                    self._lanes.hurry()
                started = await self._start(loop.time())
            except LOST as error:
                _log.info("delivery_without_database", account=self.name, reason=str(error))
                await asyncio.sleep(0.2)
                await asyncio.gather(*self._calls, return_exceptions=True)
                self._reset()
                continue
            if loaded or started:
                looks = 0
                continue
            looks = await self._wait(loop.time(), looks)

    async def _wait(self, now: float, looks: int) -> int:
        pause = min(LOOK_AGAIN_SECONDS * 2**looks, LOOK_AGAIN_SECONDS_MAX) if self._hidden else POLL_SECONDS
        later = self._lanes.next_at()
        if later is not None:
            pause = min(pause, max(0.001, later - now))
        if self._lanes.has_ready:
            wait = self._budget.wait_seconds(now)
            if wait > 0:
                pause = min(pause, max(0.001, wait))
        try:
            async with asyncio.timeout(pause):
                await self.wake.wait()
        except TimeoutError:
            return looks + 1
        self.wake.clear()
        return 0

    async def _load(self) -> int:
        """Follow the journal."""
        async with self._pool.acquire() as connection:
            if self._fresh:
                await self._parked.read(connection, self._lanes)
                if await table.is_failing(connection, self.name):
                    self._allowance.found_failing(asyncio.get_running_loop().time())
                self._fresh = False
            await self._parked.free(connection, self._lanes, asyncio.get_running_loop().time())
            found = await table.open_effects(connection, self.name, self._cursor, LOAD_MAX)
            doubted = await self._doubt(connection, found.rows)
            self._hidden = found.hidden
            now, wall = asyncio.get_running_loop().time(), datetime.now(UTC)
            fresh = [
                adopted(row, self._traits, now, wall)
                for row in found.rows
                if row["id"] not in self._lanes.known
            ]
            await self._heeding.mark(connection, fresh)
        if found.rows:
            self._cursor = (found.rows[-1]["xid"], found.rows[-1]["seq"])
        for row in found.rows:
            if row["id"] in self._lanes.known and State(row["state"]) in (State.RETRY, State.OUTCOME_UNKNOWN):
                self._lanes.now(row["id"], State(row["state"]))  # somebody wants it now
        for entry in fresh:
            if entry.id in doubted:
                entry.state, entry.deadline_at = State.OUTCOME_UNKNOWN, self.resumed_at
            self._lanes.add(entry)
        return len(found.rows)

    async def _doubt(self, connection: Connection, rows: Sequence[Any]) -> set[UUID]:
        if self.resumed_at is None:
            return set()
        kinds = {kind for kind, traits in self._traits.items() if traits.idempotency in IN_DOUBT}
        new = [
            r["id"] for r in rows if r["state"] == State.PENDING and not r["attempts"] and r["kind"] in kinds
        ]
        return await table.doubt(connection, new, self.resumed_at) if new else set()

    async def _start(self, now: float) -> int:
        count = self._allowance.for_effects(now)
        entries = self._lanes.take(count, now) if count else []
        if not entries:
            self._allowance.nothing_started(under_way=bool(self._calls))
            return 0
        self._budget.spend(len(entries))
        unclear = [e for e in entries if e.state is State.OUTCOME_UNKNOWN]
        sends = [e for e in entries if e.state is not State.OUTCOME_UNKNOWN]
        for entry in [e for e in unclear if self._traits[e.kind].idempotency in ("key", "upsert", "query")]:
            await self._reopen(entry)  # asking again is harmless: no look-up needed
            unclear.remove(entry)
            sends.append(entry)
        await self._mark_and_call(sends)
        await self._look_up_all(unclear)
        return len(entries)

    async def _reopen(self, entry: Entry) -> None:
        async with self._pool.acquire() as connection:
            await connection.execute(
                "update effect set state = 2 where id = $1 and state in (1, 3)", entry.id
            )
        entry.state = State.RETRY

    async def _mark_and_call(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        timeouts = [self._traits[e.kind].timeout_seconds for e in entries]
        began = datetime.now(UTC)
        async with self._pool.acquire() as connection:
            rows = await table.mark_sending(
                connection, [e.id for e in entries], timeouts, [e.segment for e in entries]
            )
            await self._keyring.load(connection, {row["subject"] for row in rows if row["subject"]})
        marked = {row["id"]: row for row in rows}
        for entry in entries:
            row = marked.get(entry.id)
            if row is None:  # withdrawn, superseded, or locked for a moment: the journal knows
                self._budget.not_made()
                await self._recheck(entry)
                continue
            entry.attempts, entry.state = row["attempts"], State.SENDING
            entry.deadline_at = began + timedelta(seconds=self._traits[entry.kind].timeout_seconds)
            self._spawn(self._send(entry, row))

    async def _recheck(self, entry: Entry) -> None:
        async with self._pool.acquire() as connection:
            state = await connection.fetchval("select state from effect where id = $1", entry.id)
        if state in (State.PENDING, State.RETRY):
            entry.state = State(state)
            self._lanes.again(entry, asyncio.get_running_loop().time() + LOOK_AGAIN_SECONDS)
        else:
            self._lanes.settle(entry)

    async def _look_up_all(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        async with self._pool.acquire() as connection:
            await connection.execute(
                "update effect set state = 3 where id = any($1) and state = 1", [e.id for e in entries]
            )
            rows = await table.bodies(connection, [e.id for e in entries], [e.segment for e in entries])
            await self._keyring.load(connection, {row["subject"] for row in rows if row["subject"]})
        found = {row["id"]: row for row in rows}
        for entry in entries:
            row = found.get(entry.id)
            if row is None:  # settled by late evidence, or a person wants it sent
                self._budget.not_made()
                await self._recheck(entry)
                continue
            entry.attempts = row["attempts"]
            self._spawn(self._look_up(entry, row))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _send(self, entry: Entry, row: Any) -> None:
        outcome, answer = await self._target.send(entry, row)
        await self._after(entry, outcome, answer)

    async def _look_up(self, entry: Entry, row: Any) -> None:
        outcome, found = await self._target.look_up(entry, row)
        await self._after(entry, outcome, found)

    async def _after(self, entry: Entry, outcome: Outcome, answer: object) -> None:
        """Write first, then let the lane go on."""
        now = asyncio.get_running_loop().time()
        self._budget.ended()
        if self._allowance.heard(answer, outcome.reason, now):
            self._lanes.hurry()
        elif self._allowance.dead:
            self._lanes.probed(entry)
        try:
            await self._outcomes.write(outcome)
        finally:
            entry.state = outcome.state
            if outcome.state in (State.RETRY, State.OUTCOME_UNKNOWN):
                wait = (outcome.next_at - datetime.now(UTC)).total_seconds() if outcome.next_at else 0.0
                self._lanes.again(entry, asyncio.get_running_loop().time() + wait if wait > 0 else 0.0)
            else:
                self._lanes.settle(
                    entry, park=outcome.state in (State.REFUSED, State.UNCLEAR) and entry.mode != 3
                )
            self.wake.set()

    async def lend(self, question: Callable[[], Awaitable[A]]) -> A:
        """One call that is no effect's, within the same budget: when nothing else is ready, or after waiting for long."""
        loop = asyncio.get_running_loop()
        insist_at, insists = loop.time() + PATIENCE_SECONDS, False
        try:
            while not self._spares(loop.time(), insists=insists):
                await asyncio.sleep(SPARE_SECONDS)
                if not insists and loop.time() >= insist_at:
                    insists, self._allowance.owed = True, self._allowance.owed + 1
        finally:
            self._allowance.owed -= insists
        task = asyncio.create_task(self._asked(question))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        answer = await task
        self._allowance.heard(answer, getattr(answer, "reason", ""), loop.time())
        return answer

    async def _asked(self, question: Callable[[], Awaitable[A]]) -> A:
        try:
            return await question()
        finally:
            self._budget.ended()
            self.wake.set()

    def _spares(self, now: float, *, insists: bool) -> bool:
        if self._lanes.has_ready and not insists:
            return False
        return self._allowance.for_question(now)

    async def close(self) -> None:
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Shared:
    """What the accounts of one process have in common."""

    pool: asyncpg.Pool
    keyring: Keyring
    outcomes: Outcomes
    holding: Holding


class Delivery:
    """The process: leases accounts and runs each."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.id: UUID = uuid4()
        self.waker = Waker(hub.dsn)
        self._runners: dict[str, tuple[AccountRunner, asyncio.Task[None]]] = {}
        self._closed: set[str] = set()
        self._paused: str | None = None
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._holding = Holding(hub.dsn, lambda: self._ring(()))

    async def run(self) -> None:
        """Until cancelled; then the accounts are given back."""
        pool = await open_pool(self.hub.dsn, size_max=8)
        transport = Transport()
        outcomes = Outcomes(self.hub, pool, lambda: self.waker.ring(LOG))
        intake = Intake(self.hub, self.waker)
        intake.start()
        tasks = [
            asyncio.create_task(outcomes.run()),
            asyncio.create_task(listen(self.hub.dsn, EFFECTS, self._ring)),
            asyncio.create_task(self._holding.run(pool)),
            asyncio.create_task(Subscribers(self.hub, self.id, pool).run()),
            asyncio.create_task(Reconciliations(self.hub, self.id, pool, self.waker).run()),
            asyncio.create_task(Sealer(self.hub).run()),
            asyncio.create_task(Gaps(self.hub, pool, self.waker).run()),
            asyncio.create_task(Tellers(self.hub, pool, self.waker).run()),
        ]
        try:
            shared = Shared(pool, Keyring(self.hub.key), outcomes, self._holding)
            await self._lease(shared, transport, intake)
        finally:
            for name in [*self._runners]:
                await self._leave(name)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await intake.close()
            with contextlib.suppress(*LOST):
                connection = await connect(self.hub.dsn)
                await table.release_accounts(connection, self.id)
                await processes.gone(connection, self.id)
                await connection.close()
            await transport.close()
            await self.waker.close()
            await pool.close()

    def _ring(self, accounts: Sequence[str]) -> None:
        for name, (runner, _) in self._runners.items():
            if not accounts or name in accounts:
                runner.wake.set()

    def _is_paused(self, stands: pause.Standing) -> bool:
        """Said when it begins and when it ends; accounts stay leased, so that nobody else sends either."""
        if stands.paused_reason != self._paused:
            self._paused = stands.paused_reason
            if self._paused is None:
                _log.info("delivery_resumed")
            else:
                _log.warning("delivery_paused", reason=self._paused)
        return self._paused is not None

    def _cannot_open(self, name: str, reason: str, outcomes: Outcomes) -> None:
        """Said once; the account is tried again with every lease, and all others go on."""
        if name not in self._closed:
            self._closed.add(name)
            _log.error("account_misconfigured", account=name, reason=reason)
            outcomes.note_health(name, failing=True, reason=reason)

    async def _leave(self, name: str) -> None:
        """The account is somebody else's now, or nobody's."""
        runner, task = self._runners.pop(name)
        reader = self._readers.pop(name, None)
        for one in (task, *([reader] if reader else [])):
            one.cancel()
        await runner.close()
        await asyncio.gather(task, *([reader] if reader else []), return_exceptions=True)

    def _read_lists(self, pool: asyncpg.Pool, intake: Intake) -> None:
        """Ask for changes at every account of ours that has lists."""
        for name, (runner, _) in self._runners.items():
            if name not in self._readers and self.hub.manifest(name).lists:
                reader = Backfill(self.hub, name, runner.client, pool, intake)
                self._readers[name] = asyncio.create_task(reader.run(runner.lend))

    def _runner(self, name: str, shared: Shared, transport: Transport, generation: int) -> AccountRunner:
        """Raises `Misconfigured`."""
        limits = self.hub.manifest(name).limits
        allowance = Allowance(self.hub.landscape.systems[name], limits, shared.outcomes)
        target = open_target(self.hub, name, shared.keyring, transport.paced(allowance.turn), generation)
        return AccountRunner(self.hub, name, shared, target, allowance)

    async def _lease(self, shared: Shared, transport: Transport, intake: Intake) -> None:
        lease = self.hub.settings.lease_seconds
        names = [name for name in self.hub.landscape.systems if self.hub.manifest(name).effects]
        while True:
            try:
                async with shared.pool.acquire() as connection:
                    await processes.seen(connection, self.id, "delivery", os.getpid(), lease)
                    mine = await table.claim_accounts(connection, self.id, names, lease)
                    stands = await pause.standing(connection)
                    await self._holding.read(connection)
                    await intake.refresh(connection)
                    await intake.hear_erasures(connection)
                    await shared.keyring.hear(connection)
            except (*LOST, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError):
                await asyncio.sleep(0.2)
                continue
            if self._is_paused(stands):
                mine = set()
            for name in set(self._runners) - mine:
                await self._leave(name)
            for name in sorted(mine - set(self._runners)):
                try:
                    runner = self._runner(name, shared, transport, stands.generation)
                    runner.resumed_at = stands.resumed_at
                except Misconfigured as error:
                    self._cannot_open(name, str(error), shared.outcomes)
                    continue
                self._closed.discard(name)
                self._runners[name] = (runner, asyncio.create_task(runner.run()))
            self._read_lists(shared.pool, intake)
            for name, (_, task) in self._runners.items():
                if task.done():
                    _log.error("account_stopped", account=name, reason=str(task.exception()))
                    raise SystemExit(1)
            await asyncio.sleep(lease / 4)
