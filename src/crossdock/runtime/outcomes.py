"""From an answer to the journal: what each outcome means for the effect, and writing many of them in one commit."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import structlog

from crossdock.connect.contract import Absent, CannotTell, Done, LookUp, Refused, RetryLater, Unknown
from crossdock.connect.contract import Outcome as Answer
from crossdock.connect.manifest import EffectTraits
from crossdock.model.operations import EffectRefused, EffectUnclear
from crossdock.model.registry import TYPE_OF, encode
from crossdock.runtime.hub import Hub
from crossdock.runtime.lanes import Entry
from crossdock.store import delivery as table
from crossdock.store.delivery import Outcome
from crossdock.store.effects import State
from crossdock.store.log import Row, event_row
from crossdock.store.pool import LOST
from crossdock.store.segments import current_segment

WRITE_MAX = 256
ANSWER_KEPT_BYTES = 4096
_log = structlog.get_logger()


def jitter(attempt: int, *, base: float = 0.25, cap: float = 30.0) -> float:
    """Seconds before the next try: exponential, between half and full of the step."""
    step: float = min(cap, base * 2 ** min(attempt, 12))
    return step * random.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class _Try:
    """One send or look-up of an effect."""

    entry: Entry
    purpose: str
    started: datetime
    deadline: datetime


class Judge:
    """Pure but for the clock: one per account."""

    def __init__(self, account: str, generation: int) -> None:
        self._account = account
        self._generation = generation

    def sent(self, entry: Entry, answer: Answer, traits: EffectTraits, started: datetime) -> Outcome:
        """What a send led to."""
        now = datetime.now(UTC)
        tried = _Try(entry, "send", started, started + timedelta(seconds=traits.timeout_seconds))
        match answer:
            case Done():
                return self._done(tried, answer)
            case Refused(code=code, reason=reason, cause=cause):
                data = EffectRefused(str(entry.id), entry.kind, self._account, code, reason, cause)
                event = self._event(entry, data, "refused")
                return self._outcome(tried, State.REFUSED, "refused", reason, event=event)
            case RetryLater(reason=reason, after_seconds=after):
                wait = max(after or 0.0, jitter(entry.attempts - 1))
                again = now + timedelta(seconds=wait)
                return self._outcome(tried, State.RETRY, "retry", reason, next_at=again)
            case Unknown(reason=reason):
                if traits.idempotency in ("key", "upsert", "query"):
                    again = now + timedelta(seconds=jitter(entry.attempts - 1))
                    return self._outcome(tried, State.RETRY, "unknown", reason, next_at=again)
                again = now + timedelta(seconds=traits.search_lag_seconds)
                return self._outcome(tried, State.OUTCOME_UNKNOWN, "unknown", reason, next_at=again)

    def looked_up(self, entry: Entry, found: LookUp, traits: EffectTraits, started: datetime) -> Outcome:
        """What a look-up led to. Presence counts at once; absence only after the attempt's deadline and the search lag."""
        now = datetime.now(UTC)
        tried = _Try(entry, "look_up", started, started + timedelta(seconds=traits.timeout_seconds))
        certain_at = (entry.deadline_at or now) + timedelta(seconds=traits.search_lag_seconds)
        match found:
            case Done():
                return self._done(tried, found)
            case Absent(half_done=False) if started < certain_at:
                return self._outcome(
                    tried,
                    State.OUTCOME_UNKNOWN,
                    "not yet there",
                    "looked up: not there yet",
                    next_at=certain_at,
                )
            case Absent():
                return self._outcome(tried, State.RETRY, "absent", "looked up: not there")
            case CannotTell(reason=reason, for_ever=True):
                data = EffectUnclear(str(entry.id), entry.kind, self._account, reason)
                event = self._event(entry, data, "unclear")
                return self._outcome(tried, State.UNCLEAR, "unclear", reason, event=event)
            case CannotTell(reason=reason):
                again = now + timedelta(seconds=jitter(min(entry.attempts + 1, 5)))
                return self._outcome(tried, State.OUTCOME_UNKNOWN, "cannot tell", reason, next_at=again)

    def _done(self, tried: _Try, done: Done) -> Outcome:
        event = None
        if done.receipt is not None:
            event = self._event(tried.entry, done.receipt, "receipt", done.sequence)
        outcome = self._outcome(tried, State.DONE, "done", "", event=event)
        outcome.document = done.document
        outcome.answer = done.answer[:ANSWER_KEPT_BYTES] or None
        return outcome

    def _outcome(
        self, tried: _Try, state: State, label: str, reason: str, *, next_at: datetime | None = None, event: Row | None = None
    ) -> Outcome:  # fmt: skip
        return Outcome(
            effect=tried.entry.id, account=self._account, lane=tried.entry.lane, attempt=tried.entry.attempts,
            purpose=tried.purpose, state=state, started_at=tried.started, deadline_at=tried.deadline, label=label,
            reason=reason, next_at=next_at, event=event,
        )  # fmt: skip

    def _event(self, entry: Entry, data: msgspec.Struct, word: str, sequence: int | None = None) -> Row:
        suffix = "" if word == "receipt" else f"/{entry.attempts}"
        return event_row(
            segment=current_segment(), generation=self._generation, thread=entry.thread_key, type_=TYPE_OF[type(data)],
            event_id=f"{entry.id}/{word}{suffix}", source=self._account, occurred_at=datetime.now(UTC), data=encode(data),
            sequence=sequence, about=entry.object, effect=entry.id,
        )  # fmt: skip


class Outcomes:
    """Collects outcomes of all accounts and writes them together; holds them while the database is away."""

    def __init__(self, hub: Hub, pool: asyncpg.Pool, ring: Callable[[], None]) -> None:
        self._hub = hub
        self._pool = pool
        self._ring = ring
        self._waiting: list[tuple[Outcome, asyncio.Future[None]]] = []
        self._health: dict[str, tuple[bool, str]] = {}
        self._arrived = asyncio.Event()

    async def write(self, outcome: Outcome) -> None:
        """Returns once it is committed."""
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((outcome, written))
        self._arrived.set()
        await written

    def note_health(self, account: str, *, failing: bool, reason: str) -> None:
        self._health[account] = (failing, reason)
        self._arrived.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting or self._health:
                batch, self._waiting = self._waiting[:WRITE_MAX], self._waiting[WRITE_MAX:]
                health, self._health = self._health, {}
                await self._persist([outcome for outcome, _ in batch], health)
                for _, written in batch:
                    if not written.done():
                        written.set_result(None)

    async def _persist(self, outcomes: list[Outcome], health: dict[str, tuple[bool, str]]) -> None:
        """Repeats until it is written: an outcome is evidence, and writing it twice changes nothing."""
        while True:
            try:
                async with self._pool.acquire() as connection:
                    if outcomes:
                        await table.write_outcomes(connection, outcomes, current_segment())
                    for account, (failing, reason) in health.items():
                        await table.note_health(connection, account, failing, reason)
            except (
                *LOST,
                asyncpg.DeadlockDetectedError,
                asyncpg.QueryCanceledError,
                asyncpg.LockNotAvailableError,
                asyncpg.TransactionTimeoutError,
            ) as error:
                _log.info("outcomes_wait", count=len(outcomes), reason=f"{type(error).__name__}: {error}")
                await asyncio.sleep(0.1)
            else:
                self._ring()
                return
