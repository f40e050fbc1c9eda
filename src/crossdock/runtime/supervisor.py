"""The supervisor: PostgreSQL and the hub's processes as children; whatever dies is started again.

It holds no business state, and no landscape but the recorded one that its children run with. Killed itself, its children stop within half a second, and the next supervisor
stops the orphaned PostgreSQL and starts it again as its own child.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec
import structlog

from crossdock.errors import Conflict, Misconfigured
from crossdock.processes.routing import below_zero
from crossdock.runtime.availability import sold_otherwise
from crossdock.runtime.children import Assignment, Children, forget_documents, keep_documents
from crossdock.runtime.hub import Hub, load_hub
from crossdock.runtime.landscape_diff import FROM_START, differences, restarted
from crossdock.runtime.postgres import Postgres, place_for
from crossdock.runtime.rollover import Rollover
from crossdock.runtime.wake import listen
from crossdock.store import access, audit, landscapes, migrate, reviews, segments, stock
from crossdock.store.pool import LOST, connect, until_served

LOCK_TRIES = 10
TOKEN_FILE = "operator.token"  # noqa: S105 — a name, not a secret
STATUS_FILE = "status.json"
_log = structlog.get_logger()


@dataclass
class Supervisor:
    hub: Hub
    roles: tuple[str, ...]
    flags: Mapping[str, object] = field(default_factory=dict)
    """What the command line says of settings; it counts for every landscape."""
    on_ready: Callable[[], None] = lambda: None
    _version: int = 0
    _children: Children = field(default_factory=Children)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    _postgres: Postgres | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until `stop`: start all, watch all."""
        self.hub.private.mkdir(mode=0o700, exist_ok=True)
        with self._only_one():
            if "api" in self.roles:
                self._children.listening = await self._bound()
            if not self.hub.settings.database_url:
                bin_dir = Path(self.hub.settings.bin_dir) if self.hub.settings.bin_dir else None
                archive = self.hub.settings.wal_archive
                self._postgres = Postgres(
                    place_for(self.hub.folder, bin_dir), self.hub.folder / archive if archive else None
                )
                self._postgres.prepare()
                await self._postgres.start()
            await self._prepare_database()
            for role in self.roles:
                for _ in range(self.hub.settings.workers if role == "worker" else 1):
                    self._children.add(role, Assignment(self.hub, self._version))
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stopping.set)
            announced = asyncio.create_task(self._announce())
            try:
                await self._watch()
            finally:
                announced.cancel()
                await self._end()

    async def _announce(self) -> None:
        """Say where the hub serves once somebody listens there."""
        while "api" in self.roles:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(self.hub.settings.bind, self.hub.settings.port)
                writer.close()
                break
            await asyncio.sleep(0.1)
        self.on_ready()

    @contextlib.contextmanager
    def _only_one(self) -> Iterator[None]:
        """One supervisor per hub directory."""
        with (self.hub.private / "lock").open("w") as lock:
            for _ in range(LOCK_TRIES):
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                time.sleep(0.05)  # somebody may just be looking whether we run
            else:
                raise Conflict(f"{self.hub.folder} is running already; `crossdock status` shows it")
            yield

    async def _bound(self) -> socket.socket:
        """The API's address, held for as long as the hub runs. Its first API process begins to listen on it.

        A killed supervisor's API needs a moment to notice; whoever holds the port longer is another program.
        """
        bind, port = self.hub.settings.bind, self.hub.settings.port
        for _ in range(30):
            held = socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET)
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                held.bind((bind, port))
            except OSError as error:
                held.close()
                reason = error.strerror
            else:
                return held
            await asyncio.sleep(0.1)
        raise Misconfigured("port", f"{bind}:{port}: {reason}. Set `port` in hub.yaml, or give --port.")

    async def _prepare_database(self) -> None:
        connection = await until_served(lambda: connect(self.hub.dsn))
        try:
            major = int(await connection.fetchval("show server_version_num")) // 10000
            if major < 18:
                raise Misconfigured("database_url", f"PostgreSQL 18 or newer is needed, this is {major}")
            for migration in await migrate.up(connection):
                _log.info("migrated", name=migration.name)
            await segments.ensure(connection, datetime.now(UTC))
            await self._clock(connection)
            self._version = await landscapes.start(connection, self.hub.documents)
            await stock.except_below_zero(connection, [*below_zero(self.hub.policy.routing)])
            keep_documents(self.hub.private, self._version, self.hub.documents)
            forget_documents(self.hub.private, self._version)
            token = self.hub.private / TOKEN_FILE
            if not await connection.fetchval(
                "select 1 from access_key where 'operator' = any(scopes) and revoked_at is null"
                " and (expires_at is null or expires_at > clock_timestamp())"
            ):
                text = await access.create_key(connection, self.hub.key, "operator", ["operator"])
                handle = os.open(token, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(handle, "w") as file:
                    file.write(text + "\n")
        finally:
            await connection.close()

    async def _set_hub(self, resold: Sequence[str]) -> None:
        """What the database keeps of the landscape."""
        connection = await until_served(lambda: connect(self.hub.dsn))
        await self._clock(connection)
        await stock.except_below_zero(connection, [*below_zero(self.hub.policy.routing)])
        await reviews.mark_sold_otherwise(connection, resold)
        await connection.close()

    async def _clock(self, connection: asyncpg.Connection) -> None:
        """Set the business clock's rate without letting it jump."""
        await connection.execute(
            "update hub set clock_business_at = clock_business_at + (clock_timestamp() - clock_real_at) * clock_rate,"
            " clock_real_at = clock_timestamp(), clock_rate = $1 where clock_rate <> $1",
            self.hub.settings.business_clock_rate,
        )

    async def _watch(self) -> None:
        tasks = [
            asyncio.create_task(self._housekeep()),
            asyncio.create_task(self._follow_landscape()),
            asyncio.create_task(
                listen(
                    self.hub.dsn,
                    landscapes.CHANNEL,
                    lambda _: self._asked.set(),
                    called=landscapes.SUPERVISOR,
                )
            ),
        ]
        try:
            while not self._stopping.is_set():
                if self._postgres and self._postgres.died():
                    _log.error("postgres_died")
                    await self._postgres.start()
                    _log.info("postgres_back")
                    self._write_status()
                if self._children.keep():
                    self._write_status()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await self._stopping.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow_landscape(self) -> None:
        """Take what `config apply` asks for."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                connection = await connect(self.hub.dsn)
                try:
                    wanted = await landscapes.asked(connection)
                finally:
                    await connection.close()
                if wanted is not None:
                    await self._take(wanted)
            except (*LOST, asyncpg.PostgresError) as error:
                _log.info("landscape_without_database", reason=str(error))
                await asyncio.sleep(1)
                self._asked.set()

    async def _take(self, wanted: landscapes.Version) -> None:
        """Run with it, or say in the database why not."""
        _log.info("landscape_asked", version=wanted.number)
        try:
            kept = {name: getattr(self.hub.settings, name) for name in FROM_START}
            hub = load_hub(self.hub.folder, wanted.documents, **{**self.flags, **kept})
        except Misconfigured as error:
            await self._answer(wanted.number, str(error))
            return
        keep_documents(self.hub.private, wanted.number, wanted.documents)
        changes = differences(self.hub.documents, wanted.documents)
        before, after = Assignment(self.hub, self._version), Assignment(hub, wanted.number)
        rollover = Rollover(self._children, before, after, restarted(changes))
        why = await rollover.run()
        if not await self._answer(wanted.number, why) and not why:
            why = await rollover.back() or "it was overtaken"
        if not why:
            self.hub, self._version = after.hub, after.version
            await self._set_hub(sold_otherwise(before.hub, after.hub))
        forget_documents(self.hub.private, self._version)
        self._write_status()

    async def _answer(self, number: int, why: str) -> bool:
        """Write what became of a version, however long the database is away; True where it is the current one."""

        async def write() -> bool:
            connection = await connect(self.hub.dsn)
            try:
                if why:
                    await landscapes.fail(connection, number, why)
                return not why and await landscapes.settle(connection, number)
            finally:
                await connection.close()

        _log.info("landscape_taken", version=number, refused=why)
        return await until_served(write)

    def _write_status(self) -> None:
        pids = self._children.pids()
        pids["supervisor"] = os.getpid()
        if self._postgres and self._postgres.pid:
            pids["postgres"] = self._postgres.pid
        status = {
            "port": self.hub.settings.port,
            "bind": self.hub.settings.bind,
            "dsn": self.hub.dsn,
            "landscape": self._version,
            "pids": pids,
        }
        partial = self.hub.private / f"{STATUS_FILE}.new"
        partial.write_bytes(msgspec.json.encode(status))
        partial.replace(self.hub.private / STATUS_FILE)

    async def _housekeep(self) -> None:
        """Segments ahead, retention behind; every ten minutes."""
        while True:
            await asyncio.sleep(600)
            with contextlib.suppress(*LOST, asyncpg.PostgresError):
                connection = await connect(self.hub.dsn)
                await segments.ensure(connection, datetime.now(UTC))
                keep = self.hub.settings.retention_days
                if keep:
                    for segment in await segments.droppable(connection, datetime.now(UTC), keep):
                        if await audit.covered(connection, segment):
                            why = f"older than {keep} days"
                            async with connection.transaction():
                                await access.note_action(
                                    connection, "retention", audit.DROPPED, str(segment), why
                                )
                                await segments.drop(connection, segment)
                await connection.close()

    async def _end(self) -> None:
        """Children first, the database last."""
        await self._children.end(list(self._children.all))
        if self._postgres:
            await self._postgres.stop()
        (self.hub.private / STATUS_FILE).unlink(missing_ok=True)
