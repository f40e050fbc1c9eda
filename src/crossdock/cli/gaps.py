"""`gaps`: which messages never came, by their senders' own running numbers."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from crossdock.cli import telling
from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused

SHOWN: Final = 20
MISSING_EXIT: Final = 3


def register(app: typer.Typer) -> None:
    app.command()(gaps)


def gaps(hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """Tell which messages never came, by their senders' own running numbers; exit 3 while any is missing."""
    try:
        senders = asyncio.run(_read(hub))
    except Refused as error:
        note(f"error: {error}")
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.write(json.dumps({"senders": senders}) + "\n")
    else:
        for line in _told(senders):
            sys.stdout.write(line + "\n")
        if not senders:
            note("No system that numbers its messages was heard yet.")
    if any(x["missing"] for x in senders):
        raise typer.Exit(MISSING_EXIT)


async def _read(hub: Path) -> list[dict[str, Any]]:
    async with Client(hub) as client:
        found: list[dict[str, Any]] = (await client.get("/v1/gaps"))["senders"]
    return found


def _told(senders: list[dict[str, Any]]) -> Iterator[str]:
    for x in senders:
        missing = f"{x['missing']} never came" if x["missing"] else "nothing is missing"
        late = f", {x['awaited']} may be late" if x["awaited"] else ""
        case = f"  C-{x['case']}" if x["case"] else ""
        yield f"{x['system']} {x['series']}: {missing}{late}, up to number {x['top']}{case}"
        if x["anew"]:
            anew = x["anew"]
            lost = f"; {anew['missing']} had not come by then" if anew["missing"] else ""
            yield f"  counts anew since {_clock(anew['at'])}: it stood at {anew['from_number']} and went on at {anew['to_number']}{lost}"
        for gap in x["gaps"][:SHOWN]:
            numbers = (
                f"{gap['first']}"
                if gap["count"] == 1
                else f"{gap['first']} to {gap['last']} ({gap['count']})"
            )
            yield f"  {numbers}, missed since {_clock(gap['since'])}"
        if len(x["gaps"]) > SHOWN or x["more"]:
            yield "  and more: --json has them"


def _clock(at: str) -> str:
    return f"{telling.instant(at):%Y-%m-%d %H:%M} UTC"
