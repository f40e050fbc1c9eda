"""`bench`: what this machine reaches, as ratios measured in one run."""

import sys
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from crossdock.cli.ending import run_or_end
from crossdock.cli.hub import JsonOption, note

if TYPE_CHECKING:
    from crossdock.bench.rows import Row

NAMES = ("append", "pipeline", "deliver", "memory", "claims", "drift", "reconcile", "availability", "lanes")


def register(app: typer.Typer) -> None:
    app.command()(bench)


def bench(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(NAMES)}, or all.")] = "all",
    as_json: JsonOption = False,
    events: Annotated[
        int,
        typer.Option(
            help="lanes: so many events in all; 0 for what ends within a minute.", min=0, max=10_000_000
        ),
    ] = 0,
) -> None:
    """Measure on a hub of its own; each bench ends within a minute and prints a row per figure."""
    if name not in (*NAMES, "all"):
        raise typer.BadParameter(f"one of {', '.join(NAMES)}, all", param_hint="NAME")

    import uvloop

    async def measure() -> None:
        for one in NAMES if name == "all" else (name,):
            note(f"bench {one}: within a minute …")
            scale = {"events": events} if events and one == "lanes" else {}
            async with aclosing(import_module(f"crossdock.bench.{one}").bench(**scale)) as rows:
                async for row in rows:  # who reads no further ends the bench with its hub
                    sys.stdout.write((row.as_json() if as_json else _line(row)) + "\n")
                    sys.stdout.flush()

    run_or_end(measure(), uvloop.run)


def _line(row: "Row") -> str:
    text = f"{row.name:18} {row.value:12,.1f} {row.unit}"
    if row.ratio is not None:
        text += f"   ratio {row.ratio:.2f} of {row.baseline:,.0f}"
    if row.p99_ms is not None:
        text += f"   p50 {row.p50_ms:.1f} ms  p99 {row.p99_ms:.1f} ms"
    return text + (f"\n  {row.note}" if row.note else "")
