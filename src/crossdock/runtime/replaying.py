"""Works off replays: one item at a time, slowly, behind live traffic. What is done is what `outlook.py` judges at that moment.

One process of the hub does it, whoever holds the lock; an item that was interrupted is judged again, and every event that
follows from it has an id of its own, so that nothing is said twice.
"""

import asyncio
from typing import Any, Final

import asyncpg
import structlog

from crossdock.model.envelope import NewEvent
from crossdock.model.operations import EffectRetryRequested, MessageReadAgain, ThreadResumed
from crossdock.model.stock import StockBookAgain
from crossdock.runtime.admission import Admission
from crossdock.runtime.hub import Hub
from crossdock.runtime.intake import Intake, Unavailable
from crossdock.runtime.outlook import Judge, Outlook
from crossdock.store import replays as table
from crossdock.store.log import Item
from crossdock.store.pool import LOST, connect
from crossdock.store.replays import Picked

POLL_SECONDS: Final = 0.5
AWAY_SECONDS: Final = 1.0
LAG_MAX: Final = 2000
"""Events waiting to be processed above which live traffic is left alone."""
_LOCK: Final = 0x7265706C
_log = structlog.get_logger()


class Replaying:
    """One per API process; all but one of them wait for the lock."""

    def __init__(self, hub: Hub, judge: Judge, intake: Intake, admission: Admission) -> None:
        self._hub, self._judge, self._intake, self._admission = hub, judge, intake, admission
        self._news = asyncio.Event()

    def ring(self) -> None:
        """Somebody asked for a replay here."""
        self._news.set()

    async def run(self) -> None:
        while True:
            try:
                connection = await connect(self._hub.dsn)
            except (*LOST, asyncpg.PostgresError):
                await asyncio.sleep(AWAY_SECONDS)
                continue
            try:
                await self._with(connection)
            except (*LOST, asyncpg.PostgresError, Unavailable) as error:
                _log.info("replay_waits", reason=str(error))
                await asyncio.sleep(AWAY_SECONDS)
            finally:
                connection.terminate()  # a lock of the session ends with it

    async def _with(self, connection: asyncpg.Connection) -> None:
        while not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
            await self._pause(AWAY_SECONDS)
        while True:
            row = None if self._admission.lag_events > LAG_MAX else await table.next_item(connection)
            if row is None:
                await self._pause(POLL_SECONDS)
            elif row["no"] is None:
                await table.finish(connection, row["id"])
            else:
                started = asyncio.get_running_loop().time()
                await self._one(connection, row)
                spent = asyncio.get_running_loop().time() - started
                await asyncio.sleep(max(0.0, 1 / row["per_second"] - spent))

    async def _pause(self, seconds: float) -> None:
        self._news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _one(self, connection: asyncpg.Connection, row: Any) -> None:
        picked = Picked(row["what"], row["ref"], row["thread_key"])
        out = await self._judge.look(connection, picked)
        items = self._items(out, row)
        await self._intake.submit(items)
        if out.take is not None and out.take.verdict == "duplicate":
            again = (
                "its sender told it again meanwhile"
                if out.settles is not None
                else "this version was taken in before"
            )
            out.does = [f"{again}: a duplicate"] if out.settles is not None else []
            out.leaves.insert(0, f"{again}: a duplicate")
        state: table.State = "failed" if out.failed else "done" if out.does else "skipped"
        await table.settle(connection, row["id"], row["no"], state, out.said)

    def _items(self, out: Outlook, row: Any) -> list[Item]:
        """What is said in the operator's name, once for each replay and thing; and the message, under its sender's id."""
        if out.failed:
            return []
        by, reason, thread = row["asked_by"], f"replay R-{row['id']}: {row['reason']}", out.picked.thread
        said = [
            NewEvent(
                thread=thread, data=EffectRetryRequested(effect, by, reason), id=f"R{row['id']}/{effect}"
            )
            for effect in out.retry
        ]
        if out.resume:
            said.append(
                NewEvent(thread=thread, data=ThreadResumed(by, reason), id=f"R{row['id']}/{row['no']}/resume")
            )
        if out.book_again:
            booked = StockBookAgain(out.picked.ref, by)
            said.append(NewEvent(thread=thread, data=booked, id=f"R{row['id']}/{row['no']}/book"))
        if out.settles is not None:
            again = MessageReadAgain(row["id"], by, row["reason"], out.settles)
            said.append(NewEvent(thread=thread, data=again, id=f"R{row['id']}/{out.picked.ref}"))
        source = f"operator/{row['asked_key']}"
        items = [
            self._intake.item(source, event.id, (event,), content=event.id.encode()[-16:]) for event in said
        ]
        return [out.take, *items] if out.take is not None else items
