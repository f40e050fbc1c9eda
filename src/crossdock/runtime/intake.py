"""Intake: keep what arrived, decide duplicates, append, commit, then answer. Concurrent callers share a transaction."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import asyncpg
import msgspec
import structlog
from asyncpg.pgproto.pgproto import UUID

from crossdock.access.sealing import new_key, random_id, seal, subject_of
from crossdock.errors import CrossdockError
from crossdock.model.envelope import NewEvent
from crossdock.model.operations import MessageNotTranslated
from crossdock.model.party import People
from crossdock.model.registry import encode
from crossdock.model.thread import hash16, kind_of, partition_of, thread_key
from crossdock.runtime.hub import Hub
from crossdock.runtime.rules import Rules
from crossdock.runtime.wake import LOG, Waker
from crossdock.store.codes import Codes
from crossdock.store.keys import Keyring, seal_people
from crossdock.store.log import (
    Item,
    Row,
    append,
    append_at_once,
    dedupe_key,
    event_row,
    fits_at_once,
    seal_row,
)
from crossdock.store.pool import LOST, Connection, connect
from crossdock.store.segments import current_segment

GROUP_ITEMS_MAX = 512
IN_FLIGHT = 2
QUEUE_ITEMS_MAX = 20_000
IDENTIFIERS_CACHED = 100_000
_log = structlog.get_logger()
replace = msgspec.structs.replace
_encode = msgspec.json.Encoder().encode
_people = msgspec.json.Decoder(People)


class Unavailable(CrossdockError):
    """The database is away or the hub sheds load; nothing is promised, the sender shall come again."""

    def __init__(self, reason: str, retry_after_seconds: int = 2) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


@dataclass(slots=True)
class _Group:
    items: list[Item]
    done: asyncio.Future[None]


class Raw(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A message as it came, about to be kept."""

    system: str
    channel: str
    body: bytes
    headers: dict[str, str] = {}
    outcome: str = "translated"
    unmapped: tuple[str, ...] = ()
    subject: bytes | None = None


class Kept(msgspec.Struct, frozen=True, gc=False):
    """A message sealed under a key of its own: `rows` are written with the first new item that carries them."""

    message: UUID
    content: bytes
    """Hash of the raw bytes."""
    rows: tuple[Row, Row]


def subject_named(event: NewEvent) -> bytes | None:
    """The data subject under whose key an event's people are sealed; None where it names nobody."""
    if getattr(event.data, "people", None) is None:
        return None
    return subject_of(getattr(event.data, "subject", "") or event.thread)


class Intake:
    """One per process that takes messages in."""

    def __init__(self, hub: Hub, waker: Waker) -> None:
        self._hub = hub
        self._waker = waker
        self._keyring = Keyring(hub.key)
        self._marking = hub.key.derive("people marks")
        self._queue: list[_Group] = []
        self._queued = 0
        self._arrived = asyncio.Event()
        self._identifiers: OrderedDict[str, str] = OrderedDict()
        self.generation = 1
        self.codes = Codes()
        self.rules = Rules()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._flush_for_ever()) for _ in range(IN_FLIGHT)]

    async def refresh(self, connection: Connection) -> None:
        """Read again what may change under way: the log's generation, other systems' codes, and correction rules."""
        self.generation = await connection.fetchval("select generation from hub")
        await self.codes.refresh(connection)
        await self.rules.refresh(connection)

    async def hear_erasures(self, connection: Connection) -> None:
        """What is taken in from now on is sealed under no key that was destroyed."""
        await self._keyring.hear(connection)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def keep(self, raw: Raw) -> Kept:
        """Seal a raw message."""
        name, key = random_id(), new_key()
        message = UUID(name)
        sealed = seal(key, raw.body, b"message" + name)
        wrapped = self._hub.key.wrap(key, name)
        content = blake2b(raw.body, digest_size=16).digest()
        row = (
            current_segment(), message, "in", raw.system, raw.channel, content, len(raw.body),
            _encode(raw.headers).decode() if raw.headers else "{}", raw.outcome, list(raw.unmapped), sealed,
        )  # fmt: skip
        return Kept(message, content, (row, (message, wrapped, raw.subject)))

    def item(
        self, source: str, source_id: str, events: Sequence[NewEvent], *, content: bytes, kept: Kept | None = None,
        days: int = 30, traceparent: str | None = None, now: datetime | None = None,
    ) -> Item:  # fmt: skip
        """What shall be appended for one source id: its events, with personal parts set aside to be sealed."""
        message, rows = (kept.message, kept.rows) if kept else (None, None)
        now = now or datetime.now(UTC)
        segment = current_segment()
        out = Item(
            dedupe_key(source, source_id), content, source_id, (now + timedelta(days=days)).date(), [], rows
        )
        for place, event in enumerate(events):
            data = self.codes.from_system(source, event.data)
            people: People | None = getattr(data, "people", None)
            handle = subject_named(event)
            if people is not None and handle is not None:
                out.personal.append((len(out.rows), handle, _encode(people)))
                data = replace(data, people=None, subject="", **self._marks(data, people))
            out.rows.append(
                event_row(
                    segment=segment, generation=self.generation, thread=self._identifiers.get(event.thread, event.thread),
                    type_=event.type, event_id=event.id or (f"{source_id}#{place}" if len(events) > 1 else source_id),
                    source=source, occurred_at=event.occurred_at or now, data=encode(data), sequence=event.sequence,
                    message=message, traceparent=traceparent,
                )
            )  # fmt: skip
        return out

    def _marks(self, data: msgspec.Struct, people: People) -> dict[str, str]:
        """For events that may come again with other people in them."""
        if not hasattr(data, "people_mark"):
            return {}
        return {"people_mark": blake2b(_encode(people), key=self._marking, digest_size=12).hexdigest()}

    def untranslated(self, raw: Raw, problem: str, path: str, reason: str, *, part: str = "") -> Item:
        """An authenticated message that no mapping can read: kept, and put before a person."""
        kept = self.keep(replace(raw, outcome="not translated"))
        event = NewEvent(
            thread=thread_key("message", str(kept.message)),
            data=MessageNotTranslated(raw.system, raw.channel, problem, path, reason, str(kept.message)),
        )
        source_id = f"untranslated/{raw.channel}/{kept.content.hex()}/{part}"
        return self.item(raw.system, source_id, (event,), content=kept.content, kept=kept)

    async def submit(self, items: list[Item]) -> None:
        """Returns once all are committed (or found to be duplicates). Raises `Unavailable`.

        Cancelled, it takes back what no transaction has begun with: nobody was told that it is kept.
        """
        if not items:
            return
        if self._queued > QUEUE_ITEMS_MAX:
            raise Unavailable("too much is waiting to be written")
        group = _Group(items, asyncio.get_running_loop().create_future())
        self._queue.append(group)
        self._queued += len(items)
        self._arrived.set()
        await group.done

    async def _flush_for_ever(self) -> None:
        """On a connection of its own: to borrow one for every group would cost more than to write a small one."""
        connection: asyncpg.Connection | None = None
        try:
            while True:
                await self._arrived.wait()
                groups = self._take()
                if groups:
                    connection = await self._flush(connection, groups)
                else:
                    self._arrived.clear()
        finally:
            if connection is not None:
                connection.terminate()

    def _take(self) -> list[_Group]:
        taken, count = [], 0
        while self._queue and (count == 0 or count + len(self._queue[0].items) <= GROUP_ITEMS_MAX):
            group = self._queue.pop(0)
            if group.done.cancelled():
                self._queued -= len(group.items)
                continue
            taken.append(group)
            count += len(group.items)
        return taken

    async def _flush(
        self, connection: asyncpg.Connection | None, groups: list[_Group]
    ) -> asyncpg.Connection | None:
        """One transaction for all; if it fails for what is in it, each caller gets one of their own.

        Returns the connection to go on with, None where another must be opened.
        """
        try:
            if connection is None or connection.is_closed():
                connection = await connect(self._hub.dsn)
            try:
                await self._write(connection, [item for group in groups for item in group.items])
            except (
                asyncpg.DataError,
                asyncpg.IntegrityConstraintViolationError,
                asyncpg.DeadlockDetectedError,
            ):
                await self._singly(connection, groups)
        except Exception as error:
            known = isinstance(error, (*LOST, asyncpg.PostgresError))
            (_log.warning if known else _log.exception)(
                "intake_failed", reason=f"{type(error).__name__}: {error}"
            )
            for group in groups:
                if not group.done.done():
                    group.done.set_exception(Unavailable("the database is away"))
            if connection is not None:
                connection.terminate()
            connection = None
        for group in groups:
            self._queued -= len(group.items)
            if not group.done.done():
                group.done.set_result(None)
        return connection

    async def _singly(self, connection: Connection, groups: list[_Group]) -> None:
        for group in groups:
            try:
                await self._write(connection, group.items)
            except asyncpg.PostgresError as error:
                if isinstance(error, LOST):
                    raise
                if not group.done.done():
                    group.done.set_exception(Unavailable(f"cannot be written: {type(error).__name__}", 30))

    async def _write(self, connection: Connection, items: list[Item]) -> None:
        await self._resolve(connection, items)
        segment = current_segment()
        if fits_at_once(items, segment):
            await append_at_once(connection, items, segment)
        else:
            await self._write_sealed(connection, items, segment)
        self._waker.ring(LOG)

    async def _write_sealed(self, connection: Connection, items: list[Item], segment: int) -> None:
        personal = [(item, *p) for item in items for p in item.personal]
        async with connection.transaction():
            keys = await self._keyring.create(connection, {subject for _, _, subject, _ in personal})
            pairs = {(mail, subject) for _, _, subject, plain in personal for mail in self._mails(plain)}
            mails = await self._keyring.note_mails(connection, pairs)
            for item, place, subject, plain in personal:
                sealed = seal_people(keys[subject], subject, plain)
                item.rows[place] = seal_row(item.rows[place], sealed, subject)
            await append(connection, items, segment)
        self._keyring.remember(keys, mails)

    def _mails(self, plain: bytes) -> list[bytes]:
        people = _people.decode(plain)
        return [self._keyring.mail_of(x.email) for x in (people.buyer, people.ship_to) if x.email.strip()]

    async def _resolve(self, connection: Connection, items: list[Item]) -> None:
        """Address events that know only a bound identifier to its thread; unbound ones go to their home partition."""
        open_ = {row[4] for item in items for row in item.rows if kind_of(row[4]) == "identifier"}
        if not open_:
            return
        rows = await connection.fetch(
            "select distinct on (hash) hash, thread_key from identifier where hash = any($1) and valid_to is null"
            " order by hash, valid_from desc",
            [hash16(key) for key in open_],
        )
        found = {row["hash"]: row["thread_key"] for row in rows}
        for item in items:
            item.rows = [_readdressed(row, found) for row in item.rows]
        for key in open_:
            if hash16(key) in found:
                self._identifiers[key] = found[hash16(key)]
                if len(self._identifiers) > IDENTIFIERS_CACHED:
                    self._identifiers.popitem(last=False)


def _readdressed(row: Row, found: dict[bytes, str]) -> Row:
    target: Any = found.get(row[3])
    if target is None or kind_of(row[4]) != "identifier":
        return row
    hashed = hash16(target)
    return (row[0], partition_of(hashed), row[2], hashed, target, *row[5:])
