"""The hub's processes as children of the supervisor: each runs on the landscape it was assigned; what dies starts again.

They are told by environment who supervises them, which recorded landscape they run with, and (the API) where it listens.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from crossdock.landscape import Documents, canonical
from crossdock.runtime.hub import Hub
from crossdock.settings import ENVIRONMENT

LOG_BYTES_MAX = 20 * 1024 * 1024
STABLE_SECONDS = 10.0
RESTART_SECONDS_MAX = 5.0
END_SECONDS = 10.0
SUPERVISOR_VARIABLE = "CROSSDOCK_SUPERVISOR"
"""Tells a child who must live for it to go on."""
LANDSCAPE_VARIABLE = "CROSSDOCK_LANDSCAPE_VERSION"
"""Tells a child which recorded landscape it runs with, whatever stands in the directory by now."""
LISTEN_VARIABLE = "CROSSDOCK_LISTEN_FD"
"""The socket on which the API serves; it stays open while one API process ends and the next begins."""
FOLDER = "landscape"
_log = structlog.get_logger()


@dataclass(frozen=True)
class Assignment:
    """A recorded version of the landscape, loaded."""

    hub: Hub
    version: int


@dataclass
class Child:
    """One process of a role."""

    role: str
    number: int
    assigned: Assignment
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: int = 0
    pause: float = 0.0
    leaving: bool = False
    """It was asked to end: no fault, and the next one starts at once."""

    @property
    def running(self) -> subprocess.Popen[bytes] | None:
        return self.process if self.process is not None and self.process.poll() is None else None


@dataclass
class Children:
    """`keep` is called again and again; it alone starts processes."""

    listening: socket.socket | None = None
    all: list[Child] = field(default_factory=list)

    def of(self, role: str) -> list[Child]:
        return [child for child in self.all if child.role == role]

    def add(self, role: str, assigned: Assignment) -> Child:
        child = Child(role, len(self.of(role)), assigned)
        self.all.append(child)
        return child

    def keep(self) -> bool:
        """Start what does not run; True where something changed."""
        changed = [self._keep(child) for child in self.all]
        return any(changed)

    def _keep(self, child: Child) -> bool:
        """Start a child that is not running; one that dies at once is given pauses."""
        now = asyncio.get_running_loop().time()
        if child.process is not None:
            code = child.process.poll()
            if code is None:
                return False
            self._buried(child, code, now)
        if child.restarts and now - child.started_at < child.pause:
            return False
        child.process = self._spawn(child)
        child.started_at = now
        return True

    def _buried(self, child: Child, code: int, now: float) -> None:
        lived = now - child.started_at
        child.process = None
        child.started_at = now
        if child.leaving:
            child.leaving, child.restarts, child.pause = False, 0, 0.0
            return
        child.pause = 0.0 if lived > STABLE_SECONDS else min(RESTART_SECONDS_MAX, child.pause * 2 or 0.2)
        child.restarts += 1
        _log.error("process_died", role=child.role, number=child.number, code=code)

    def _spawn(self, child: Child) -> subprocess.Popen[bytes]:
        hub = child.assigned.hub
        log = hub.private / "log" / f"{child.role}-{child.number}.log"
        log.parent.mkdir(exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.1"))
        command = [sys.executable, "-m", "crossdock.cli.main", "up", "--role", child.role]
        command += ["--hub", str(hub.folder), "--port", str(hub.settings.port)]
        environment = {
            **os.environ, SUPERVISOR_VARIABLE: str(os.getpid()), LANDSCAPE_VARIABLE: str(child.assigned.version),
        }  # fmt: skip
        if hub.settings.database_url:  # what is recorded has no password
            environment[f"{ENVIRONMENT}DATABASE_URL"] = hub.settings.database_url
        handed = [self.listening.fileno()] if self.listening and child.role == "api" else []
        if handed:
            environment[LISTEN_VARIABLE] = str(handed[0])
        with log.open("ab") as output:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env=environment, pass_fds=handed,
            )  # fmt: skip

    async def end(self, children: list[Child]) -> None:
        """Ask these to end, kill those that do not, and forget them."""
        ending = [process for child in children if (process := child.running)]
        for child in children:
            self.all.remove(child)
        await _ended(ending)

    async def replace(self, child: Child, assigned: Assignment) -> None:
        """End its process; `keep` starts the next one on the new assignment."""
        child.assigned = assigned
        child.restarts, child.pause = 0, 0.0
        process = child.running
        if process is None:
            return
        child.leaving = True
        await _ended([process])

    def pids(self) -> dict[str, int]:
        return {f"{c.role}-{c.number}": c.process.pid for c in self.all if c.process}


async def _ended(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            while any(process.poll() is None for process in processes):
                await asyncio.sleep(0.02)
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def keep_documents(private: Path, version: int, documents: Documents) -> None:
    """A copy for the children of this machine, which need it before they reach the database."""
    folder = private / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    partial = folder / f"{version}.json.new"
    partial.write_bytes(canonical(documents))
    partial.replace(folder / f"{version}.json")


def forget_documents(private: Path, kept: int) -> None:
    """Copies of other versions are in the database."""
    for path in (private / FOLDER).glob("*.json"):
        if path.stem != str(kept):
            path.unlink()


def assigned_documents(private: Path) -> Documents | None:
    """What the supervisor of this very process wants it to run with; None without one: the directory counts."""
    version = os.environ.get(LANDSCAPE_VARIABLE)
    if SUPERVISOR_VARIABLE not in os.environ or version is None:
        return None
    found = json.loads((private / FOLDER / f"{version}.json").read_bytes())
    assert isinstance(found, dict)
    return found


def listening_socket() -> socket.socket | None:
    """The socket handed down by the supervisor, if any."""
    number = os.environ.get(LISTEN_VARIABLE)
    return socket.socket(fileno=int(number)) if number else None
