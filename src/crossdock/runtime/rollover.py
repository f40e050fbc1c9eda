"""A running hub takes another landscape: its processes start anew one after another, or all go back and it says why."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg

from crossdock.landscape import Documents
from crossdock.runtime.children import Assignment, Child, Children
from crossdock.runtime.hub import Hub
from crossdock.runtime.landscape_diff import ROLES
from crossdock.store import landscapes, processes
from crossdock.store.pool import LOST, connect

READY_SECONDS = 20.0
"""How long one process may take from its start until it works."""
DEATHS_MAX = 3
"""A process that ended so often meanwhile will not get ready."""
LOOK_SECONDS = 0.1
ANSWER_SECONDS = 2.0


@dataclass(frozen=True)
class Rollover:
    """`restarted`: the roles whose processes start anew; the others take it when they start next."""

    children: Children
    before: Assignment
    after: Assignment
    restarted: Sequence[str]

    async def run(self) -> str:
        """Empty when the hub runs with the new landscape; else why not, and it runs with the one before."""
        why = await self._bring(self.after, self._stranded)
        if not why:
            return ""
        back = await self.back()
        return f"{why}; and going back: {back}" if back else why

    async def back(self) -> str:
        """Run with the landscape before; why it does not, or empty."""
        return await self._bring(self.before, _nothing)

    async def _bring(self, wanted: Assignment, check: Callable[[], Awaitable[str]]) -> str:
        for role in ROLES:
            if not self.children.of(role):
                continue
            count = wanted.hub.settings.workers if role == "worker" else 1
            await self.children.end(self.children.of(role)[count:])
            for number in range(count):
                if why := await self._one(role, number, wanted):
                    return why
            if role == "worker" and (why := await check()):
                return why
        return ""

    async def _one(self, role: str, number: int, wanted: Assignment) -> str:
        there = self.children.of(role)
        if number >= len(there):
            child = self.children.add(role, wanted)
        elif role not in self.restarted or there[number].assigned.version == wanted.version:
            there[number].assigned = wanted
            return ""
        else:
            child = there[number]
            await self.children.replace(child, wanted)
        if await ready(child):
            return ""
        log = f"{wanted.hub.private}/log/{role}-{number}.log"
        if child.restarts >= DEATHS_MAX:
            return f"{role}-{number} ended {child.restarts} times at its start: see {log}"
        return f"{role}-{number} was not ready {READY_SECONDS:g} s after its start: see {log}"

    async def _stranded(self) -> str:
        """What workers wished for between the plan and their end."""
        gone = gone_systems(self.before.hub.documents, self.after.hub.documents)
        with contextlib.suppress(*LOST, asyncpg.PostgresError):
            connection = await connect(self.before.hub.dsn)
            try:
                found = await landscapes.open_effects(connection, gone)
            finally:
                await connection.close()
            return "; ".join(f"{n.open + n.parked} effects for {n.system} came up meanwhile" for n in found)
        return "the database went away while effects were counted"


async def _nothing() -> str:
    return ""


def gone_systems(old: Documents, new: Documents) -> list[str]:
    """Systems that are no longer there, or whose effects were made by another connector."""
    before, after = _connectors(old), _connectors(new)
    return sorted(name for name, connector in before.items() if after.get(name) != connector)


def _connectors(documents: Documents) -> dict[str, str]:
    return {x["name"]: x["connector"] for path, x in documents.items() if path.startswith("systems/")}


async def ready(child: Child) -> bool:
    """Wait until the process that runs for this child works; False when it does not in time."""
    hub = child.assigned.hub
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS):
            while child.restarts < DEATHS_MAX:
                process = child.running
                if process is not None and not child.leaving and await _works(child.role, process.pid, hub):
                    return True
                await asyncio.sleep(LOOK_SECONDS)
    return False


async def _works(role: str, pid: int, hub: Hub) -> bool:
    if role == "api":
        return await serves(hub)
    with contextlib.suppress(*LOST, asyncpg.PostgresError):
        connection = await connect(hub.dsn)
        try:
            return await processes.works(connection, role, pid)
        finally:
            await connection.close()
    return False


async def serves(hub: Hub) -> bool:
    """Somebody answers at the hub's address."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(hub.settings.bind, hub.settings.port)
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
            answered = b" 200 " in await reader.readline()
            writer.close()
            return answered
    return False
