"""Run one twin as its own process: `python -m crossdock.connect.twin_server CONNECTOR --port P < setup.json`.

The set-up comes on standard input, so that no secret stands in an argument list or an environment.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

from aiohttp import web

from crossdock.connect.discovery import installed
from crossdock.connect.twin import Twin, TwinSetup


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("connector")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--parent", type=int, default=os.getppid(), help="pid whose end is the twin's end")
    arguments = parser.parse_args()
    given = json.load(sys.stdin)
    setup = TwinSetup(**{**given, "books": Path(given["books"])})
    found = installed()[arguments.connector]
    twin = Twin(setup, found.manifest.quirks)
    import_module(f"{found.package}.twin").build(twin)
    twin.app.cleanup_ctx.append(lambda _: _watched(arguments.parent))
    web.run_app(twin.app, host="127.0.0.1", port=arguments.port, print=None, access_log=None)


async def _watched(parent: int) -> AsyncIterator[None]:
    """A twin whose starter is gone ends, so that no stray one answers the next."""

    async def watch() -> None:
        while os.getppid() == parent:
            await asyncio.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = asyncio.create_task(watch())
    yield
    watcher.cancel()


if __name__ == "__main__":
    main()
