"""A twin as a process of its own."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

from aiohttp import web

from crossdock.connect.discovery import installed
from crossdock.connect.twin import Twin, TwinSetup


def serve(connector: str, port: int, given: dict[str, Any], log: Path) -> None:
    """Serve until a signal comes, or the process that started it is gone, so that no stray one answers the next.

    `given` holds the fields of `TwinSetup`; what is printed goes to `log`.
    """
    os.setsid()  # who ends the starter by Ctrl-C lets the starter end its twins
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    setup = TwinSetup(**{**given, "books": Path(given["books"])})
    found = installed()[connector]
    twin = Twin(setup, found.manifest.quirks)
    import_module(f"{found.package}.twin").build(twin)
    twin.app.cleanup_ctx.append(_watched)
    web.run_app(twin.app, host="127.0.0.1", port=port, print=None, access_log=None)


async def _watched(_: web.Application) -> AsyncIterator[None]:
    async def watch() -> None:
        starter = multiprocessing.parent_process()
        while starter is not None and starter.is_alive():
            await asyncio.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = asyncio.create_task(watch())
    yield
    watcher.cancel()
