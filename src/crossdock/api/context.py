"""What handlers call: the hub, its pool, intake, admission and keys, opened once per API process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
from litestar import Litestar, Request

from crossdock.access.tokens import Identity, Key, id_of, matches
from crossdock.api.problems import Problem
from crossdock.runtime.admission import Admission
from crossdock.runtime.claim_desk import ClaimDesk
from crossdock.runtime.erasing import Eraser, Erasing
from crossdock.runtime.hub import Hub
from crossdock.runtime.intake import Intake
from crossdock.runtime.outlook import Judge
from crossdock.runtime.replaying import Replaying
from crossdock.runtime.throughput import sample
from crossdock.runtime.wake import LOG, Waker, listen
from crossdock.store import access
from crossdock.store.pool import LOST, open_pool, until_served
from crossdock.views.folding import effects_of_events
from crossdock.views.story_material import decode_state, links_of

KEYS_SECONDS = 3.0
RULES_SECONDS = 1.0


@dataclass
class Context:
    hub: Hub
    pool: asyncpg.Pool
    reader: asyncpg.Pool
    intake: Intake
    admission: Admission
    waker: Waker
    desk: ClaimDesk
    judge: Judge
    replaying: Replaying
    eraser: Eraser
    erasing: Erasing
    keys: dict[str, Key] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the next wake-up of the log, and then replaced."""
    ending: bool = False
    """The process is asked to stop: nobody is kept waiting any more."""
    _verified: dict[str, tuple[Key, Identity]] = field(default_factory=dict)

    def ring(self) -> None:
        """Something was appended: whoever waits for it looks again."""
        heard, self.news = self.news, asyncio.Event()
        heard.set()

    def end(self) -> None:
        self.ending = True
        self.ring()

    def identify(self, request: Request[Any, Any, Any], scope: str) -> Identity:
        """The caller, by bearer token. Raises a 401 or 403 problem."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        identity = self.identity_of(token.strip()) if kind.lower() == "bearer" else None
        if identity is None:
            raise Problem(401, "unauthenticated", "send 'Authorization: Bearer <token>' with a live token")
        if scope not in identity.scopes and "operator" not in identity.scopes:
            raise Problem(403, "forbidden", f"this token lacks the scope {scope}")
        return identity

    def identity_of(self, token: str) -> Identity | None:
        """Who holds this token; a token seen before costs one dictionary look-up while its key lives unchanged."""
        seen = self._verified.get(token)
        if seen is not None and self.keys.get(seen[1].id) is seen[0] and seen[0].expires_at is None:
            return seen[1]
        key = self.keys.get(id_of(token))
        if key is None or not matches(self.hub.key, key, token, datetime.now(UTC)):
            return None
        if len(self._verified) > 1000:
            self._verified.clear()
        self._verified[token] = (key, key.identity)
        return key.identity

    async def read_keys(self) -> None:
        """Keys, log generation, other systems' codes: read again every few seconds; an unchanged key stays the same value."""
        async with self.reader.acquire() as connection:
            fresh = await access.live_keys(connection)
            await self.intake.refresh(connection)
        self.keys = {name: old if (old := self.keys.get(name)) == key else key for name, key in fresh.items()}

    async def watch_keys(self) -> None:
        while True:
            await asyncio.sleep(KEYS_SECONDS)
            try:
                await self.read_keys()
            except (*LOST, asyncpg.PostgresError):
                continue

    async def watch_rules(self) -> None:
        """Correction rules that somebody promoted or withdrew elsewhere, and people who were erased."""
        while True:
            await asyncio.sleep(RULES_SECONDS)
            try:
                async with self.reader.acquire() as connection:
                    await self.intake.rules.refresh(connection)
                    await self.intake.hear_erasures(connection)
            except (*LOST, asyncpg.PostgresError):
                continue


def context(request: Request[Any, Any, Any]) -> Context:
    found = request.app.state.context
    assert isinstance(found, Context)
    return found


@asynccontextmanager
async def opened(app: Litestar, hub: Hub) -> AsyncIterator[None]:
    """Lifespan of the API process."""
    pool = await until_served(lambda: open_pool(hub.dsn, size_max=4))
    reader = await open_pool(hub.dsn, size_max=6)
    waker = Waker(hub.dsn)
    intake = Intake(hub, waker)
    claiming = await open_pool(hub.dsn, size_max=4)
    desk = ClaimDesk(claiming, waker)
    admission, judge = Admission(hub, reader), Judge(hub, intake, effects_of_events)
    replaying = Replaying(hub, judge, intake, admission)
    systems = tuple(hub.landscape.systems)
    eraser = Eraser(hub, lambda row: links_of(decode_state(row), systems))
    erasing = Erasing(hub, eraser, intake)
    made = Context(hub, pool, reader, intake, admission, waker, desk, judge, replaying, eraser, erasing)
    app.state.context = made
    intake.start()
    desk.start()
    await until_served(made.read_keys)
    work = (
        made.watch_keys(),
        made.watch_rules(),
        replaying.run(),
        erasing.run(),
        made.admission.watch(),
        sample(reader),
        listen(hub.dsn, LOG, lambda _: made.ring()),
    )
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await intake.close()
        await desk.close()
        await waker.close()
        await pool.close()
        await claiming.close()
        await reader.close()
