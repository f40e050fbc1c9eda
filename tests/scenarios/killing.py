"""Killing a hub's processes, as the kernel does when memory is short."""

import os
import signal
from typing import Any

from crossdock.client import read_status
from e2e.running import eventually
from scenarios.group import Group


async def kill(group: Group, role: str) -> None:
    """SIGKILL; the supervisor starts it again, which is waited for."""
    hub = group.api.hub
    found: Any = (read_status(hub.directory) or {})["pids"]
    name, pid = next((n, p) for n, p in found.items() if n.startswith(role))
    os.kill(pid, signal.SIGKILL)

    async def again() -> bool:
        pids: Any = (read_status(hub.directory) or {}).get("pids", {})
        return pids.get(name) not in (None, pid)

    await eventually(again, what=f"{role} was started again")
