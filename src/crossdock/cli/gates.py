"""`gates`: what stands before which gate, since when, and who owes what is missing."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crossdock.cli import telling
from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused

SHOWN: Final = 5


def register(app: typer.Typer) -> None:
    app.command()(gates)


def gates(
    hub: HubOption = Path(),
    *,
    gate: Annotated[str, typer.Option(help="One gate only, as invoice.release.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Tell what stands before which gate, the oldest first."""
    try:
        found = asyncio.run(_read(hub, gate))
    except Refused as error:
        note(f"error: {error}")
        raise typer.Exit(2 if error.status == 400 else 1) from None
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    if not found["gates"]:
        note(f"Nothing stands before {gate}." if gate else "Nothing stands before a gate.")
    for line in _told(found):
        sys.stdout.write(line + "\n")


async def _read(hub: Path, gate: str) -> dict[str, Any]:
    async with Client(hub) as client:
        found = await client.request("GET", "/v1/gates", query={"gate": gate})
    assert isinstance(found, dict)
    return found


def _told(found: dict[str, Any]) -> Iterator[str]:
    now = telling.instant(found["as_of"])
    for x in found["gates"]:
        oldest = telling.clock(x["oldest"], now)
        yield f"{x['step']} ({x['gate']}): {x['count']} waiting, the oldest since {oldest}"
        for y in x["waits"]:
            yield f"  {y['count']} for {y['what']} from {y['called']}, the oldest since {telling.clock(y['oldest'], now)}"
            for z in y["threads"][:SHOWN]:
                thing = f", {z['thing']}" if not z["thread"].endswith(z["thing"]) else ""
                yield f"    {z['thread']}{thing}: since {telling.clock(z['since'], now)}"
            if y["count"] > SHOWN:
                yield f"    and {y['count'] - SHOWN} more{'' if y['more'] else ': --json has all'}"
