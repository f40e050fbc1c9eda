"""The supervisor: PostgreSQL and the hub's processes as children; whatever dies is started again.

It holds no business state. Killed itself, its children stop within half a second, and the next supervisor
stops the orphaned PostgreSQL and starts it again as its own child.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec
import structlog

from crossdock.errors import Conflict, Misconfigured
from crossdock.runtime.hub import Hub
from crossdock.runtime.postgres import Postgres, place_for
from crossdock.store import access, migrate, segments
from crossdock.store.pool import LOST, connect, until_served

LOG_BYTES_MAX = 20 * 1024 * 1024
STABLE_SECONDS = 10.0
LOCK_TRIES = 10
RESTART_SECONDS_MAX = 5.0
TOKEN_FILE = "operator.token"  # noqa: S105 — a name, not a secret
STATUS_FILE = "status.json"
SUPERVISOR_VARIABLE = "CROSSDOCK_SUPERVISOR"
"""Tells a child who must live for it to go on."""
_log = structlog.get_logger()


@dataclass
class Child:
    """One process of a role."""

    role: str
    number: int
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: int = 0
    pause: float = 0.0


@dataclass
class Supervisor:
    hub: Hub
    roles: tuple[str, ...]
    on_ready: Callable[[], None] = lambda: None
    _children: list[Child] = field(default_factory=list)
    _postgres: Postgres | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until `stop`: start all, watch all."""
        self.hub.private.mkdir(mode=0o700, exist_ok=True)
        with self._only_one():
            if "api" in self.roles:
                await self._until_port_is_free()
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
                count = self.hub.settings.workers if role == "worker" else 1
                self._children += [Child(role, number) for number in range(count)]
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

    async def _until_port_is_free(self) -> None:
        """A killed supervisor's API needs a moment to notice; whoever holds the port longer is another program."""
        bind, port = self.hub.settings.bind, self.hub.settings.port
        for _ in range(30):
            with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((bind, port))
                except OSError as error:
                    reason = error.strerror
                else:
                    return
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
            token = self.hub.private / TOKEN_FILE
            if not await connection.fetchval(
                "select 1 from access_key where 'operator' = any(scopes) and revoked_at is null"
            ):
                text = await access.create_key(connection, self.hub.key, "operator", ["operator"])
                handle = os.open(token, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(handle, "w") as file:
                    file.write(text + "\n")
        finally:
            await connection.close()

    async def _clock(self, connection: asyncpg.Connection) -> None:
        """Set the business clock's rate without letting it jump."""
        await connection.execute(
            "update hub set clock_business_at = clock_business_at + (clock_timestamp() - clock_real_at) * clock_rate,"
            " clock_real_at = clock_timestamp(), clock_rate = $1 where clock_rate <> $1",
            self.hub.settings.business_clock_rate,
        )

    async def _watch(self) -> None:
        housekeeping = asyncio.create_task(self._housekeep())
        try:
            while not self._stopping.is_set():
                if self._postgres and self._postgres.died():
                    _log.error("postgres_died")
                    await self._postgres.start()
                    _log.info("postgres_back")
                    self._write_status()
                changed = [self._keep(child) for child in self._children]
                if any(changed):
                    self._write_status()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await self._stopping.wait()
        finally:
            housekeeping.cancel()

    def _keep(self, child: Child) -> bool:
        """Start a child that is not running; one that dies at once is given pauses."""
        now = asyncio.get_running_loop().time()
        if child.process is not None:
            code = child.process.poll()
            if code is None:
                return False
            lived = now - child.started_at
            child.pause = 0.0 if lived > STABLE_SECONDS else min(RESTART_SECONDS_MAX, child.pause * 2 or 0.2)
            child.restarts += 1
            child.process = None
            child.started_at = now
            _log.error("process_died", role=child.role, number=child.number, code=code)
        if child.restarts and now - child.started_at < child.pause:
            return False
        child.process = self._spawn(child)
        child.started_at = now
        return True

    def _spawn(self, child: Child) -> subprocess.Popen[bytes]:
        log = self.hub.private / "log" / f"{child.role}-{child.number}.log"
        log.parent.mkdir(exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.1"))
        command = [
            sys.executable,
            "-m",
            "crossdock.cli.main",
            "up",
            "--role",
            child.role,
            "--hub",
            str(self.hub.folder),
        ]
        command += ["--port", str(self.hub.settings.port)]
        environment = {**os.environ, SUPERVISOR_VARIABLE: str(os.getpid())}
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=environment,
            )

    def _write_status(self) -> None:
        pids = {f"{c.role}-{c.number}": c.process.pid for c in self._children if c.process}
        pids["supervisor"] = os.getpid()
        if self._postgres and self._postgres.pid:
            pids["postgres"] = self._postgres.pid
        status = {
            "port": self.hub.settings.port,
            "bind": self.hub.settings.bind,
            "dsn": self.hub.dsn,
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
                        await segments.drop(connection, segment)
                await connection.close()

    async def _end(self) -> None:
        """Children first, the database last."""
        running = [c.process for c in self._children if c.process and c.process.poll() is None]
        for process in running:
            process.terminate()
        for _ in range(200):
            if all(p.poll() is not None for p in running):
                break
            await asyncio.sleep(0.05)
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()
        if self._postgres:
            await self._postgres.stop()
        (self.hub.private / STATUS_FILE).unlink(missing_ok=True)
