"""Asking a system what changed, so that whatever its sender gave up telling is heard of all the same.

Reads the lists that a connector declares and hands each row to intake as the message that should have come; what came
both ways is one and the same there. Never sends, and calls within the account's budget only.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import asyncpg
import structlog

from crossdock.connect.contract import Ask, Client, Lister, Refused, RetryLater, Reviver, Row
from crossdock.connect.manifest import ChangedList
from crossdock.errors import Malformed, Rejected
from crossdock.runtime.hub import Hub
from crossdock.runtime.intake import Intake, Unavailable
from crossdock.runtime.reception import received
from crossdock.store import backfill as table
from crossdock.store.pool import LOST

ORIGIN = "backfill"
PAGES_MAX = 10_000
"""Of one reading; the next goes on from there."""
AGAIN_SECONDS = 10.0
"""How soon a reading that failed is tried again."""
DATABASE_SECONDS = 0.5
_log = structlog.get_logger()
A = TypeVar("A")


class Lend(Protocol):
    """Makes one call when the account's budget has one to spare, and returns its answer."""

    async def __call__(self, question: Callable[[], Awaitable[A]], /) -> A: ...


class _Stopped(Exception):
    """The reading ends short of its end."""

    def __init__(self, reason: str, after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds


@dataclass(frozen=True, slots=True)
class Schedule:
    """How one list is read, after what the landscape says."""

    every_seconds: float
    grace_seconds: float
    overlap_seconds: float


def schedule(traits: ChangedList, every_seconds: float | None) -> Schedule | None:
    """None: never. Whoever wants to be asked often wants what is found soon as well."""
    every = traits.every_seconds if every_seconds is None else every_seconds
    if every <= 0:
        return None
    return Schedule(every, min(traits.grace_seconds, every), traits.overlap_seconds)


class Backfill:
    """All lists of one account, for as long as the account is ours."""

    def __init__(self, hub: Hub, system: str, client: Client, pool: asyncpg.Pool, intake: Intake) -> None:
        self._hub, self._system, self._client = hub, system, client
        self._pool, self._intake = pool, intake
        self._manifest = hub.manifest(system)
        self._troubled: set[str] = set()

    async def run(self, lend: Lend) -> None:
        """Every list at once, then each by its schedule."""
        wanted = self._hub.landscape.systems[self._system].backfill_seconds
        planned = {name: schedule(traits, wanted) for name, traits in self._manifest.lists.items()}
        tasks = [
            asyncio.create_task(self._follow(name, plan, lend)) for name, plan in planned.items() if plan
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _follow(self, name: str, plan: Schedule, lend: Lend) -> None:
        first = True
        while True:
            try:
                found = await self._read(name, plan, lend)
                wait = plan.grace_seconds if first or found else plan.every_seconds
                first = False
                self._well(name)
            except _Stopped as stopped:
                wait = min(plan.every_seconds, max(stopped.after_seconds or 0.0, AGAIN_SECONDS))
                await self._trouble(name, str(stopped))
            except (*LOST, Unavailable, asyncpg.PostgresError):
                wait = DATABASE_SECONDS
            except Exception as error:
                _log.exception("connector_failed", account=self._system, list=name)
                wait = min(plan.every_seconds, AGAIN_SECONDS)
                await self._trouble(name, f"connector fault: {type(error).__name__}")
            await asyncio.sleep(wait)

    def _well(self, name: str) -> None:
        if name in self._troubled:
            self._troubled.discard(name)
            _log.info("backfill_reads_again", account=self._system, list=name)

    async def _trouble(self, name: str, reason: str) -> None:
        """Said once in the log; the table always tells the latest."""
        if name not in self._troubled:
            self._troubled.add(name)
            _log.warning("backfill_fails", account=self._system, list=name, reason=reason)
        try:
            async with self._pool.acquire() as connection:
                await table.troubled(connection, self._system, name, reason)
        except (*LOST, asyncpg.PostgresError):
            return

    async def _read(self, name: str, plan: Schedule, lend: Lend) -> int:
        """One reading to its end; how much of it was news."""
        traits, found = self._manifest.lists[name], 0
        async with self._pool.acquire() as connection:
            cursor = await table.begin(connection, self._system, name)
        trouble = await self._revive(name, traits, lend)
        since, page = cursor - timedelta(seconds=plan.overlap_seconds), ""
        for _ in range(PAGES_MAX):
            ask = Ask(list=name, since=since, page=page, timeout_seconds=traits.timeout_seconds)
            rows, page = await self._page(ask, traits, lend)
            border = datetime.now(UTC) - timedelta(seconds=plan.grace_seconds)
            ripe = [row for row in rows if row.changed_at <= border]
            fresh = await self._take_in(ripe, traits)
            newest = max((row.changed_at for row in ripe), default=None)
            async with self._pool.acquire() as connection:
                missed = 0 if traits.is_source else fresh
                await table.advance(connection, self._system, name, newest, missed)
            found += fresh
            if not page or len(ripe) < len(rows):
                break
        async with self._pool.acquire() as connection:
            await table.finished(connection, self._system, name)
        if found and not traits.is_source:
            _log.warning("heard_only_by_asking", account=self._system, list=name, count=found)
        if trouble is not None:
            raise trouble
        return found

    async def _revive(self, name: str, traits: ChangedList, lend: Lend) -> _Stopped | None:
        """First the sender, then the list: what changes in between is told by one of them.

        What stood in the way is raised once the list was read: it matters most while the sender is silent.
        """
        client = self._client
        if not isinstance(client, Reviver):
            return None
        done = await lend(lambda: _in_time(client.revive(traits.timeout_seconds), traits))
        if isinstance(done, Refused | RetryLater):
            return _Stopped(f"its webhooks cannot be looked after: {done.reason}", _after(done))
        if done:
            _log.warning("sender_revived", account=self._system, what=done)
            async with self._pool.acquire() as connection:
                await table.revived(connection, self._system, name)
        return None

    async def _page(self, ask: Ask, traits: ChangedList, lend: Lend) -> tuple[Sequence[Row], str]:
        client, connector = self._client, self._hub.connector(self._system)
        assert isinstance(client, Lister), "a connector with lists has a client that reads them"
        assert connector.rows is not None, "a connector with lists can take them apart"
        answer = await lend(lambda: _in_time(client.changed(ask), traits))
        if isinstance(answer, Refused | RetryLater):
            raise _Stopped(answer.reason, _after(answer))
        try:
            return connector.rows(ask.list, answer.body, datetime.now(UTC)), answer.next
        except (Malformed, Rejected) as error:
            raise _Stopped(f"a page that cannot be read: {error}") from None

    async def _take_in(self, rows: Sequence[Row], traits: ChangedList) -> int:
        """As if each had come by itself; how many had not."""
        inbox = self._manifest.inbound[traits.channel]
        items = [
            received(self._hub, self._intake, self._system, row.message, days=inbox.dedupe_days, origin=ORIGIN)[0]
            for row in rows
        ]  # fmt: skip
        await asyncio.gather(*(self._intake.submit([item]) for item in items))
        return sum(item.verdict != "duplicate" for item in items)


async def _in_time(answer: Awaitable[A], traits: ChangedList) -> A | RetryLater:
    """A client keeps to its time by itself; one that does not holds a call of the budget no longer than this."""
    try:
        async with asyncio.timeout(traits.timeout_seconds + 1.0):
            return await answer
    except TimeoutError:
        return RetryLater(reason=f"no answer within {traits.timeout_seconds:g} s")


def _after(answer: Refused | RetryLater) -> float | None:
    return answer.after_seconds if isinstance(answer, RetryLater) else None
