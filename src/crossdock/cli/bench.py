"""`bench`: what this machine reaches, as ratios measured in one run."""

import asyncio
import sys
from importlib import import_module
from typing import Annotated

import typer

from crossdock.cli.hub import JsonOption, note

NAMES = ("append", "pipeline", "deliver")


def register(app: typer.Typer) -> None:
    app.command()(bench)


def bench(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(NAMES)}, or all.")] = "all",
    as_json: JsonOption = False,
) -> None:
    """Measure on a hub of its own; each bench ends within a minute and prints a row per figure."""
    if name not in (*NAMES, "all"):
        raise typer.BadParameter(f"one of {', '.join(NAMES)}, all", param_hint="NAME")

    async def run() -> None:
        for one in NAMES if name == "all" else (name,):
            note(f"bench {one}: about a minute …")
            async for row in import_module(f"crossdock.bench.{one}").bench():
                sys.stdout.write((row.as_json() if as_json else _line(row)) + "\n")
                sys.stdout.flush()

    asyncio.run(run())


def _line(row: object) -> str:
    r: object = row
    text = f"{r.name:16} {r.value:12,.1f} {r.unit}"  # type: ignore[attr-defined]
    if r.ratio is not None:  # type: ignore[attr-defined]
        text += f"   ratio {r.ratio:.2f} of {r.baseline:,.0f}"  # type: ignore[attr-defined]
    if r.p99_ms is not None:  # type: ignore[attr-defined]
        text += f"   p50 {r.p50_ms:.1f} ms  p99 {r.p99_ms:.1f} ms"  # type: ignore[attr-defined]
    return text + (f"\n  {r.note}" if r.note else "")  # type: ignore[attr-defined]
