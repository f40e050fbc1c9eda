"""`day close`: what the systems confirmed of a day, and whose move it is where they differ."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crossdock.cli.hub import HubOption, JsonOption
from crossdock.client import Client

SHOWN: Final = 20
PARTLY: Final = 3


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Close a day: counts and values across the systems.", no_args_is_help=True)
    group.command()(close)
    app.add_typer(group, name="day")


def close(
    day: Annotated[str, typer.Option("--date", help="YYYY-MM-DD; today by default.")] = "",
    zone: Annotated[
        str, typer.Option(help="IANA time zone the day is of; that of the default location by default.")
    ] = "",
    hub: HubOption = Path(),
    *,
    as_json: JsonOption = False,
) -> None:
    """Tie shops, warehouses, carriers and ERP; every difference has a cause and an owner. Exit 3 while a person must settle one."""
    found = asyncio.run(_read(hub, day, zone))
    sys.stdout.write(json.dumps(found) + "\n" if as_json else "\n".join(_told(found)) + "\n")
    if any(x["case"] for x in found["differences"]):
        raise typer.Exit(PARTLY)


async def _read(hub: Path, day: str, zone: str) -> dict[str, Any]:
    async with Client(hub) as client:
        found = await client.request("GET", "/v1/day", query={"day": day, "zone": zone})
    assert isinstance(found, dict)
    return found


def _told(found: dict[str, Any]) -> Iterator[str]:
    over = "" if found["is_over"] else ", which is not over yet"
    yield f"{found['date']} {found['zone']}{over}: as of {found['as_of']}"
    for tie in found["ties"]:
        said, confirmed = tie["said"], tie["confirmed"]
        mark = "=" if not tie["differences"] else "≠"
        yield f"  {tie['name']:18} {_side(said):>24} {said['says']}"
        yield f"  {mark:>18} {_side(confirmed):>24} {confirmed['says']}"
    settled = [x for x in found["differences"] if x["case"]]
    moving = [x for x in found["differences"] if not x["case"]]
    if not found["differences"]:
        yield "All of it ties."
    if settled:
        yield f"A person must settle {len(settled)}:"
        yield from (f"  {_difference(x)}" for x in settled[:SHOWN])
        if len(settled) > SHOWN:
            yield f"  and {len(settled) - SHOWN} more: --json has all"
    if moving:
        yield f"{len(moving)} under way:"
        for (kind, cause, owner), count in Counter(
            (x["kind"], x["cause"], x["owner"]) for x in moving
        ).most_common(SHOWN):
            yield f"  {count} × {kind}: {cause} ({owner})"


def _side(side: dict[str, Any]) -> str:
    worth = ", ".join(f"{currency} {amount}" for currency, amount in sorted(side["value"].items()))
    return f"{side['count']}" + (f", {worth}" if worth else "")


def _difference(x: dict[str, Any]) -> str:
    value = f", {x['value']['currency']} {x['value']['amount']}" if x["value"] else ""
    since = f" since {x['since']}" if x["since"] else ""
    return f"C-{x['case']} {x['called']}: {x['kind']}{since}{value}; {x['cause']} ({x['owner']})"
