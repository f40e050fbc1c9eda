"""`demo`: a day of trade through the twins, with faults, on a hub of its own."""

import asyncio
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from crossdock.cli.hub import note


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    orders: Annotated[int, typer.Option(help="Orders to place.", min=1, max=100_000)] = 60,
    seed: Annotated[int, typer.Option(help="The same seed is the same day.")] = 1,
    folder: Annotated[
        Path, typer.Option("--hub", help="Where the demo's hub and twins keep their data.")
    ] = Path("demo-hub"),
    leave: Annotated[
        bool, typer.Option("--exit", help="Run the day on a fresh hub, compare the books, and end.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Show a day of trade: orders, faults, what to look at; ends with the books compared."""
    from crossdock.demo import show

    began = monotonic()
    if leave:
        folder = Path(tempfile.mkdtemp(prefix="crossdock-demo-"))
    try:
        good = asyncio.run(
            show.run(folder, orders=orders, seed=seed, leave=leave, as_json=as_json, began=began)
        )
    except (KeyboardInterrupt, asyncio.CancelledError):
        note("Stopped; the data stays in " + str(folder))
        good = True
    finally:
        if leave:
            remove_hub(folder)
    if not good:
        raise typer.Exit(1)


def remove_hub(folder: Path) -> None:
    """A demo that was asked to leave leaves nothing."""
    from crossdock.runtime.postgres import place_for

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    data = place_for(folder, None).data.parent
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)
    sys.stderr.flush()
