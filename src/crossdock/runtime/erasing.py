"""Erasing a person: what of the hub names them, what stands in the way, and doing it.

A person is one or more data subjects: the shop's customer, and whoever their parcels were addressed to. Looking is
done twice, when it is asked for and when it is done, because messages go on coming in between.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import structlog

from crossdock.access.sealing import Unsealable
from crossdock.access.tokens import Identity
from crossdock.errors import Conflict, CrossdockError
from crossdock.model.envelope import NewEvent
from crossdock.model.operations import PersonErased
from crossdock.model.party import People
from crossdock.model.thread import hash16
from crossdock.runtime.hub import Hub
from crossdock.runtime.intake import Intake, Unavailable
from crossdock.store import erasure as table
from crossdock.store import messages, redaction
from crossdock.store.effects import State
from crossdock.store.keys import Keyring
from crossdock.store.pool import LOST, Connection, connect

POLL_SECONDS: Final = 3.0
THREADS_MAX: Final = 2000
ROUNDS: Final = 4
FOLLOWED: Final = ("order", "shipment", "return")
"""Kinds of threads that are a person's own, where they are linked to nobody else's."""
BY_MAIL: Final = "e-mail"
Links = Callable[[Any], Sequence[str]]
"""A thread's row → keys of the threads that its state names."""
_people = msgspec.json.Decoder(People)
_log = structlog.get_logger()


class Nobody(CrossdockError):
    """Nothing that can still be opened names such a person."""


class Held(msgspec.Struct, frozen=True):
    """A thread that names the person."""

    thread: str
    kind: str
    phase: str
    done: bool


class Kept(msgspec.Struct, frozen=True):
    """A message that stays as it is, and why."""

    message: UUID
    system: str
    channel: str
    received_at: datetime
    why: str


class Elsewhere(msgspec.Struct, frozen=True):
    """What other systems were told of the person and keep by their own rules; the hub does not reach it."""

    system: str
    kind: str
    document: str
    count: int = 1


@dataclass(slots=True)
class Plan:
    """What an erasure would take and leave."""

    subjects: list[bytes]
    threads: list[Held] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    """Threads that are also of others: not erased."""
    waits: list[str] = field(default_factory=list)
    """Why not now; empty where nothing stands in the way."""
    messages: list[UUID] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    effects: int = 0
    elsewhere: list[Elsewhere] = field(default_factory=list)
    texts: list[redaction.Found] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Threads whose own state repeats a text that names the person (a reason, say); it cannot be blanked."""


@dataclass(frozen=True, slots=True)
class Eraser:
    """Looks, and erases. A keyring of its own for each look, so that nothing opened is remembered."""

    hub: Hub
    links: Links

    async def subjects(self, connection: Connection, thread: str, mail: str) -> list[bytes]:
        """Raises `Nobody`."""
        if mail:
            found = await table.subjects_of_mail(connection, Keyring(self.hub.key).mail_of(mail))
        else:
            found = await table.subjects_of_threads(connection, [hash16(thread)])
        if not found:
            known = (
                "no order with this e-mail address (those from before this release are found by --order only)"
            )
            raise Nobody(known if mail else f"{thread} names nobody: unknown, or erased already")
        return found

    async def plan(self, connection: Connection, subjects: Sequence[bytes]) -> Plan:
        """Raises `Conflict` where it is too much for one erasure."""
        plan = Plan(list(subjects))
        rows = await self._threads(connection, plan)
        hashes = [row["thread"] for row in rows.values()]
        plan.threads = [Held(r["thread_key"], r["kind"], r["phase"], r["done"]) for r in rows.values()]
        plan.waits = await self._waits(connection, plan, hashes)
        names = await self._names(connection, plan.subjects)
        await self._messages(connection, plan, hashes, names)
        told: dict[tuple[str, str, str], int] = {}
        for row in await table.effects_of(connection, plan.subjects):
            plan.effects += 1
            if row["state"] == State.DONE:
                key = (row["account"], row["kind"], row["document"] or "")
                told[key] = told.get(key, 0) + 1
        plan.elsewhere = [Elsewhere(*key, count) for key, count in told.items()]
        threads = [(row["thread"], key) for key, row in rows.items()]
        plan.texts = await redaction.search(connection, names, threads, plan.messages)
        pattern = redaction.pattern_of(names.whole)
        plan.left = [
            key
            for key, row in rows.items()
            if pattern and pattern.search(row["state"].decode(errors="replace"))
        ]
        return plan

    async def _threads(self, connection: Connection, plan: Plan) -> dict[str, Any]:
        """The person's threads by key. A parcel is theirs where all its orders are."""
        rows: dict[str, Any] = {}
        shared = set[str]()
        for _ in range(ROUNDS):
            found = await table.threads_of(connection, plan.subjects, THREADS_MAX + 1)
            if len(found) > THREADS_MAX:
                raise Conflict(f"more than {THREADS_MAX} threads name this person: a company's account?")
            rows |= {row["thread_key"]: row for row in found}
            keys = {key for row in rows.values() for key in self.links(row)} - rows.keys()
            linked = await table.states(connection, [hash16(key) for key in keys])
            own = {
                row["thread_key"]: row
                for row in linked
                if row["kind"] in FOLLOWED and {*self.links(row)} <= rows.keys()
            }
            shared = {row["thread_key"] for row in linked if row["kind"] in FOLLOWED} - own.keys()
            more = await table.subjects_of_threads(connection, [row["thread"] for row in own.values()])
            rows |= own
            grown = set(more) - set(plan.subjects)
            plan.subjects += sorted(grown)
            if not own and not grown:
                break
        plan.shared = sorted(shared - rows.keys())
        return rows

    async def _waits(self, connection: Connection, plan: Plan, hashes: Sequence[bytes]) -> list[str]:
        open_ = [f"{x.thread} is {x.phase or 'open'}, not done" for x in plan.threads if not x.done]
        return open_ + [
            f"{row['kind']} to {row['account']} for {row['thread_key']} is {State(row['state']).name.lower().replace('_', ' ')}"
            for row in await table.open_effects(connection, hashes)
        ]

    async def _names(self, connection: Connection, subjects: Sequence[bytes]) -> redaction.Names:
        """What the person is called, where they live and how they are reached, in all spellings there are."""
        keyring = Keyring(self.hub.key)
        await keyring.load(connection, subjects)
        found, surnames = set[str](), set[str]()
        for row in await table.sealed_people(connection, subjects, THREADS_MAX):
            try:
                people = _people.decode(keyring.open_people(row["subject"], row["sealed"]))
            except Unsealable:
                continue
            for party in (people.buyer, people.ship_to):
                found.update((party.name, party.email, party.phone, *party.lines))
                surnames.update(party.name.split()[-1:])
        return redaction.Names(sorted(x for x in found if x.strip()), sorted(surnames))

    async def _messages(
        self, connection: Connection, plan: Plan, hashes: Sequence[bytes], names: redaction.Names
    ) -> None:
        """A message that names only this person goes; one that names others too is kept, and listed."""
        pattern = redaction.pattern_of(names.whole)
        for row in await table.messages_of(connection, plan.subjects, hashes):
            if not row["opens"]:
                continue
            if not row["filed"]:
                kept = await messages.find(connection, row["id"], self.hub.key)
                text = kept.body.decode(errors="replace") if kept else ""
                if pattern is None or not pattern.search(text):
                    continue
            events, others = await table.named_in(connection, row, plan.subjects)
            if others or (row["unread"] and events <= 1):  # the one says that nobody could read it
                why = f"it names {others} other {'person' if others == 1 else 'persons'} too"
                if not others:
                    why = "nobody could read it yet, so nobody knows whom else it names: correct it, then ask again"
                plan.kept.append(Kept(row["id"], row["system"], row["channel"], row["received_at"], why))
            else:
                plan.messages.append(row["id"])

    async def carry_out(self, connection: Connection, made: table.Erasure) -> Plan:
        """Look once more and destroy, in one transaction. A plan that still waits for something has destroyed nothing."""
        async with connection.transaction(isolation="repeatable_read"):  # rows stay where they were found
            await connection.execute("set local transaction_timeout = 0")
            plan = await self.plan(connection, made.subjects)
            if plan.waits:
                return plan
            await redaction.blank(connection, plan.texts)
            taken = table.Destroyed(
                plan.subjects, [x.thread for x in plan.threads], plan.messages, [x.message for x in plan.kept],
                len(plan.texts), [x.digest for x in plan.texts if x.digest],
            )  # fmt: skip
            await table.destroy(connection, made, taken)
            return plan


class Erasing:
    """One per API process: carries out what waits for its threads to be done, and lets threads hear of what is done."""

    def __init__(self, hub: Hub, eraser: Eraser, intake: Intake) -> None:
        self._hub, self._eraser, self._intake = hub, eraser, intake
        self._news = asyncio.Event()

    def ring(self) -> None:
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                connection = await connect(self._hub.dsn)
                try:
                    await self._turn(connection)
                finally:
                    connection.terminate()
            except (*LOST, asyncpg.PostgresError, Unavailable) as error:
                _log.info("erasing_waits", reason=f"{type(error).__name__}: {error}")
            self._news.clear()
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _turn(self, connection: Connection) -> None:
        for made in await table.waiting(connection):
            try:
                await self._eraser.carry_out(connection, made)
            except Conflict as error:
                _log.info("erasure_waits", erasure=made.id, reason=str(error))
        for made in await table.untold(connection):
            await self._tell(made)
            await table.note_told(connection, made.id)

    async def _tell(self, made: table.Erasure) -> None:
        """Once for each thread, however often it is tried."""
        data = PersonErased(made.id, made.decided_by or made.proposed_by, made.reason)
        events = [NewEvent(thread=thread, data=data, id=f"E{made.id}/{thread}") for thread in made.threads]
        source = f"operator/{made.proposed_key}"
        await self._intake.submit(
            [
                self._intake.item(source, event.id, (event,), content=event.id.encode()[-16:])
                for event in events
            ]
        )


def refusal(made: table.Erasure, who: Identity, four_eyes: bool) -> str:
    """Why this person may not approve it, or nothing."""
    same = who.id == made.proposed_key or who.name == made.proposed_by
    return "who asked for an erasure does not approve it: another person must" if same and four_eyes else ""
