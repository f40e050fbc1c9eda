"""Tells those who watch a case what happened to it: a message each, journaled in the transaction that takes the changes.

Part of a delivery process; any of several does it. Cases about these very messages are told to nobody.
"""

import asyncio
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any, Final

import asyncpg
import structlog

from crossdock.model.party import Party, People
from crossdock.model.requests import TellCase
from crossdock.model.thread import hash16, thread_key
from crossdock.processes.case_telling import KIND
from crossdock.processes.intents import Do
from crossdock.processes.watching import Note, Telling, Watched, told
from crossdock.runtime.batch import Batch, Thread, Wanted
from crossdock.runtime.hub import Hub
from crossdock.runtime.journal import Journal
from crossdock.runtime.wake import EFFECTS, LOG, Waker
from crossdock.store import claims, effects, log
from crossdock.store import telling as table
from crossdock.store.keys import Keyring
from crossdock.store.pool import LOST, Connection
from crossdock.store.segments import current_segment

LOOK_SECONDS: Final = 1.0
PRIORITY: Final = 8
_log = structlog.get_logger()


class Tellers:
    """For ever, for all cases of a hub."""

    def __init__(self, hub: Hub, pool: asyncpg.Pool, waker: Waker) -> None:
        self._telling, self._policy = hub.policy.telling, hub.policy
        self._journal, self._pool, self._waker = Journal(hub, Keyring(hub.key)), pool, waker

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with self._pool.acquire() as connection:
                    await table.escalate(connection)
                    await self.tell(connection)
            except (*LOST, asyncpg.PostgresError) as error:
                _log.info("telling_waits", reason=f"{type(error).__name__}: {error}")
            await asyncio.sleep(LOOK_SECONDS)

    async def tell(self, connection: Connection) -> None:
        """Take what is due and journal its messages, all or nothing."""
        segment = current_segment()
        async with connection.transaction():
            lines = await table.take(connection, self._telling.wait_seconds)
            wanted = list(messages(lines, self._telling))
            if not wanted:
                return
            generation, now = await claims.clock(connection)
            await self._journal.load_keys(connection, wanted)
            batch = Batch({}, self._policy, segment=segment, generation=generation, now=now)
            await effects.journal(connection, self._journal.render(wanted, batch), segment)
            if batch.out.events:
                await log.append_rows(connection, batch.out.events, segment)
        self._waker.ring(EFFECTS, [self._telling.system])
        self._waker.ring(LOG)


def messages(lines: Sequence[Any], telling: Telling) -> Iterator[Wanted]:
    """From rows of `table.take`, by case."""
    for _, group in groupby(lines, key=lambda x: x["number"]):
        rows = list(group)
        case = rows[0]
        if case["own"]:
            continue
        watched = Watched(case["owner"], case["assignee"], tuple(case["watchers"]))
        notes = [Note(x["id"], x["at"], x["who"], x["action"]) for x in rows]
        for address, changes in told(watched, notes, telling):
            payload = TellCase(
                case["number"],
                case["title"],
                case["cause"],
                case["state"],
                changes,
                telling.link(case["number"]),
            )
            yield _message(payload, address, notes[-1].id, telling.system)


def _message(payload: TellCase, address: str, last: int, system: str) -> Wanted:
    """Its object names the newest change and, by a digest, the reader: one message for each."""
    key = thread_key(KIND, str(payload.case))
    reader = blake2b(address.encode(), digest_size=6).hexdigest()
    name = f"C-{payload.case}/{last}/{reader}"
    do = Do("case.tell", system, name, payload, name, priority=PRIORITY)
    thread = Thread(hash16(key), key, KIND, None)
    return Wanted(do, thread, name, people=People(colleague=Party(email=address)))
