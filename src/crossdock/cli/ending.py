"""Commands that start a hub of their own: whoever ends such a command ends its hub with it."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import typer

from crossdock.cli.hub import note

T = TypeVar("T")
ENDED = 128 + signal.SIGTERM
"""The exit code of what a shell ended by SIGTERM."""


def run_or_end(
    work: Coroutine[Any, Any, T], runner: Callable[[Coroutine[Any, Any, T]], T] = asyncio.run
) -> T:
    """Run it; on SIGTERM or SIGINT it is cancelled, tidies up and exits."""

    async def ended() -> T:
        me, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert me is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, me.cancel)
        return await work

    try:
        return runner(ended())
    except asyncio.CancelledError:
        note("Stopped.")
        raise typer.Exit(ENDED) from None
