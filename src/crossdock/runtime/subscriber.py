"""Subscribers: each follows the feed and gets its events one by one, in order, signed, until it has taken each.

How far one is stands in the database and moves after its answer: a repeated message keeps its id. What it refuses is
tried again by a published schedule, which is a row too; nothing passes it meanwhile.
"""

import asyncio
import base64
import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import structlog
from standardwebhooks import Webhook

from crossdock.condition import Condition, compile_condition
from crossdock.connect.addresses import objection
from crossdock.connect.resolver import PublicResolver
from crossdock.connect.transport import Answer, NoAnswer, NotSent, Transport
from crossdock.errors import Fenced, Misconfigured
from crossdock.landscape import Subscription, resolve_secret
from crossdock.model.registry import short_type
from crossdock.runtime.hub import Hub
from crossdock.runtime.projection import message_id, project
from crossdock.runtime.wake import LOG, listen
from crossdock.store import feed
from crossdock.store import subscriptions as table
from crossdock.store.feed import Place
from crossdock.store.pool import LOST
from crossdock.store.segments import current_segment

SCHEDULE: Final = tuple(timedelta(seconds=s) for s in (5, 30, 120, 300, 1800, 7200, 18000, 36000))
"""Waits between tries; the last one repeats."""
TIMEOUT_SECONDS: Final = 15.0
PAGE: Final = 100
POLL_SECONDS: Final = 1.0
_TROUBLE: Final = (*LOST, asyncpg.PostgresError)
_log = structlog.get_logger()


class Subscriber:
    """One of them, for as long as this process holds its lease."""

    def __init__(self, hub: Hub, subscription: Subscription, pool: asyncpg.Pool, owner: UUID) -> None:
        self.wake = asyncio.Event()
        self._hub, self._subscription, self._pool, self._owner = hub, subscription, pool, owner
        self._types = frozenset(map(short_type, subscription.types))
        self._matches: Condition | None = None
        if subscription.where:
            self._matches = compile_condition(subscription.where, subscription.name)
        resolver = None if subscription.allow_private else PublicResolver()
        self._transport = Transport(connections_max=1, resolver=resolver)

    async def run(self) -> None:
        """Until cancelled, or until somebody else has taken over."""
        try:
            while True:
                self.wake.clear()
                try:
                    pause = await self._turn()
                except Fenced:
                    return
                except _TROUBLE as error:
                    _log.info("subscriber_without_database", name=self._subscription.name, reason=str(error))
                    pause = POLL_SECONDS
                if pause > 0:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await self.wake.wait()
        finally:
            await self._transport.close()

    async def _turn(self) -> float:
        """One page; returns how long there is nothing to do."""
        name = self._subscription.name
        async with self._pool.acquire() as connection:
            row = await table.read(connection, name, self._owner)
            if row["disabled_at"] is not None or (row["wait"] or 0) > 0:
                return POLL_SECONDS
            log = await feed.log_of(connection)
            start = Place(row["generation"], row["xid"], row["id"], row["segment"])
            events, end = await feed.read(connection, start, log, PAGE)
        attempts = row["attempts"]
        for event in events:
            if not self._wants(event):
                continue
            refusal, wait = await self._post(event, attempts)
            if refusal:
                await self._keep(table.fail, row["epoch"], refusal, wait)
                _log.info("subscriber_refused", name=name, reason=refusal)
                return POLL_SECONDS
            await self._keep(table.move, row["epoch"], feed.place_of(event), 1)
            attempts = 0
        if end != start:
            await self._keep(table.move, row["epoch"], end, 0)
        return 0.0 if events else POLL_SECONDS

    async def _keep(self, write: Callable[..., Any], epoch: int, *what: Any) -> None:
        async with self._pool.acquire() as connection:
            await write(connection, self._subscription.name, epoch, *what)

    def _wants(self, event: Any) -> bool:
        if self._types and event["type"] not in self._types:
            return False
        if self._matches is None:
            return True
        return self._matches({
            "id": event["event_id"], "source": event["source"], "type": event["type"], "subject": event["thread_key"],
            "time": event["occurred_at"].isoformat(), "data": msgspec.json.decode(event["data"]),
        })  # fmt: skip

    async def _post(self, event: Any, attempts: int) -> tuple[str, timedelta | None]:
        """(why it was not taken, when to try again); an empty reason: it was. No wait: never again."""
        wait = SCHEDULE[min(attempts, len(SCHEDULE) - 1)]
        subscription = self._subscription
        why = objection(subscription.url, allow_private=subscription.allow_private)
        if why:
            return f"url: {why}", wait
        body = project(event, subscription.fields)
        try:
            answer = await self._transport.request(
                "POST", subscription.url, headers=self._headers(message_id(event), body), body=body, timeout_seconds=TIMEOUT_SECONDS
            )  # fmt: skip
        except NotSent as error:
            return str(error), wait
        except (NoAnswer, Misconfigured) as error:
            return str(error), wait
        return _refusal(answer, wait)

    def _headers(self, id_: str, body: bytes) -> dict[str, str]:
        """Standard Webhooks; while secrets are changed there is a signature for each."""
        at, given = datetime.now(UTC), self._subscription
        signatures = []
        for key, reference in (("secret", given.secret), ("secret_previous", given.secret_previous)):
            if reference:
                secret = resolve_secret(self._hub.folder, f"subscription {given.name}: {key}", reference)
                signatures.append(sign(secret, f"subscription {given.name}: {key}", id_, at, body))
        return {
            "content-type": "application/json", "webhook-id": id_, "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }  # fmt: skip


def sign(secret: str, place: str, id_: str, at: datetime, body: bytes) -> str:
    """Raises `Misconfigured` for a secret that is none, without repeating it."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise Misconfigured(place, "a secret is written whsec_ and base64")
    return str(Webhook(key).sign(id_, at, body.decode()))


def _refusal(answer: Answer, wait: timedelta) -> tuple[str, timedelta | None]:
    """2xx only; redirects are not followed."""
    match answer.status:
        case status if 200 <= status < 300:
            return "", None
        case 410:
            return "410: it is gone; disabled until its file in subscriptions/ changes", None
        case status if 300 <= status < 400:
            return f"{status}: it redirects, which is not followed", wait
        case status:
            asked = timedelta(seconds=answer.retry_after() or 0)
            return f"it answers {status}", max(wait, asked)


def fingerprint(subscription: Subscription) -> bytes:
    """Of everything that may be the reason of a failure."""
    return blake2b(msgspec.json.encode(subscription), digest_size=16).digest()


class Subscribers:
    """Leases subscriptions and runs each; part of a delivery process."""

    def __init__(self, hub: Hub, owner: UUID, pool: asyncpg.Pool) -> None:
        self._hub, self._owner, self._pool = hub, owner, pool
        self._running: dict[str, tuple[Subscriber, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Until cancelled; then the leases are given back."""
        subscriptions = self._hub.landscape.subscriptions
        if not subscriptions:
            return
        ears = asyncio.create_task(listen(self._hub.dsn, LOG, lambda _: self._ring()))
        lease = self._hub.settings.lease_seconds
        try:
            while True:
                with contextlib.suppress(*_TROUBLE):
                    await self._settle(subscriptions, lease)
                await asyncio.sleep(lease / 4)
        finally:
            ears.cancel()
            await self._stop(set(self._running))
            with contextlib.suppress(*_TROUBLE):
                async with self._pool.acquire() as connection:
                    await table.release(connection, self._owner)

    async def _settle(self, subscriptions: Mapping[str, Subscription], lease: float) -> None:
        """Who is ours runs, who is not stops, whoever ended by itself is started again."""
        async with self._pool.acquire() as connection:
            for name in sorted(set(subscriptions) - await table.known(connection)):
                from_now = subscriptions[name].from_ == "now"
                place = await feed.tip(connection, current_segment()) if from_now else feed.BEGINNING
                await table.begin(connection, name, fingerprint(subscriptions[name]), place)
            prints = {name: fingerprint(one) for name, one in subscriptions.items()}
            mine = await table.claim(connection, self._owner, prints, lease)
        await self._stop(
            {name for name, (_, task) in self._running.items() if name not in mine or task.done()}
        )
        for name in sorted(mine - set(self._running)):
            subscriber = Subscriber(self._hub, subscriptions[name], self._pool, self._owner)
            self._running[name] = (subscriber, asyncio.create_task(subscriber.run()))

    async def _stop(self, names: set[str]) -> None:
        tasks = [self._running.pop(name)[1] for name in names]
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                _log.error("subscriber_stopped", reason=f"{type(ended).__name__}: {ended}")

    def _ring(self) -> None:
        for subscriber, _ in self._running.values():
            subscriber.wake.set()
