"""A hub with its twins, running, and what whoever plays a day on it needs: looking until, saying, counting."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from crossdock.client import Client, Refused, Unreachable
from crossdock.demo import trade
from crossdock.demo.twins import Twins
from crossdock.errors import Misconfigured
from crossdock.model.registry import TYPE_PREFIX
from crossdock.runtime.hub import Hub

LOOK_SECONDS = 0.3


@dataclass
class Stage:
    """A hub with its twins, running."""

    hub: Hub
    twins: Twins
    client: Client
    supervisor: subprocess.Popen[bytes] | None = None
    placed: dict[str, trade.Wish] = field(default_factory=dict)
    """By order reference."""

    def start_hub(self) -> None:
        log = self.hub.private / "log"
        log.mkdir(parents=True, exist_ok=True)
        with (log / "supervisor.log").open("ab") as output:
            self.supervisor = subprocess.Popen(
                [sys.executable, "-m", "crossdock.cli.main", "up", "--hub", str(self.hub.folder)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    async def until_ready(self) -> None:
        for _ in range(600):
            if self.supervisor is not None and self.supervisor.poll() is not None:
                raise Misconfigured(
                    "hub", f"it ended at once: see {self.hub.private / 'log' / 'supervisor.log'}"
                )
            try:
                await self.client.get("/health/ready")
            except (Unreachable, Refused):
                await asyncio.sleep(0.1)
            else:
                return
        raise TimeoutError(f"the hub did not get ready: see {self.hub.private / 'log'}")

    async def close(self) -> None:
        await self.client.__aexit__()
        await self.twins.close()
        if self.supervisor is not None and self.supervisor.poll() is None:
            self.supervisor.terminate()
            try:
                await asyncio.to_thread(self.supervisor.wait, 30)
            except subprocess.TimeoutExpired:
                self.supervisor.kill()


async def until(look: Callable[[], Awaitable[Any]]) -> Any:
    """What `look` finds, as soon as it finds anything; a system that is away is asked again."""
    while True:
        try:
            if found := await look():
                return found
        except Refused as error:
            if error.status < 500 and error.status != 429:
                raise
        except (aiohttp.ClientError, TimeoutError, OSError, Unreachable):
            pass
        await asyncio.sleep(LOOK_SECONDS)


async def say(stage: Stage, source: str, thread: str, type_: str, data: dict[str, Any], number: str) -> None:
    """An event of a system that has no twin, told over the API until it is taken."""
    event = {
        "specversion": "1.0", "id": number, "source": source, "type": TYPE_PREFIX + type_, "subject": thread, "data": data,
    }  # fmt: skip

    async def said() -> Any:
        return await stage.client.post("/v1/events", event)

    await until(said)


async def phases_of(stage: Stage) -> dict[str, str]:
    """Every order's phase, by reference, as the hub says."""
    phases: dict[str, str] = {}
    after = ""
    while True:
        found = await stage.client.get("/v1/threads", kind="order", after=after, limit="500")
        for row in found["threads"]:
            phases[row["thread_key"].partition("/")[2]] = row["phase"]
        if len(found["threads"]) < 500:
            return phases
        after = found["threads"][-1]["thread_key"]
