"""`find`: any identifier → the business objects it belongs to."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crossdock.cli import telling
from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused, read_story

TOLD_MAX: Final = 5
"""So many hits are told with their sentence; more are listed."""
ACCEPTED: Final = (
    "Accepted: an order number (#1042) or the shop's own order id, a shipment number, an SSCC (18 or 20 digits), a"
    " tracking number, a document number of the ERP, an item, a case (C-31), the id of a message, event or effect, or"
    " a reference such as order/<shop>/<id>."
)
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Any number you have.")]


def register(app: typer.Typer) -> None:
    app.command()(find)


def find(identifier: IdArgument, hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """Find by any number: where it stands, since when, what to do next."""
    hits, stories = asyncio.run(_look(hub, identifier))
    if as_json:
        sys.stdout.write(json.dumps({"query": identifier, "hits": hits}) + "\n")
    elif not hits:
        note(unknown(identifier))
    else:
        sys.stdout.write("\n".join(_told(hits, stories)) + "\n")
    if not hits:
        raise typer.Exit(1)


def unknown(identifier: str) -> str:
    return f"Nobody has heard of {identifier!r}.\n{ACCEPTED}"


async def look_up(client: Client, identifier: str) -> list[dict[str, Any]]:
    """The API's hits; a text that cannot be an identifier has none."""
    try:
        found: list[dict[str, Any]] = (await client.get("/v1/find", q=identifier))["hits"]
    except Refused as error:
        if error.status == 400:
            return []
        raise
    return found


async def _look(hub: Path, identifier: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    async with Client(hub) as client:
        hits = await look_up(client, identifier)
        threads = [hit["found"]["thread"] for hit in hits[:TOLD_MAX]]
        return hits, {thread: await read_story(client, thread, limit=1) for thread in threads}


def _told(hits: list[dict[str, Any]], stories: dict[str, Any]) -> list[str]:
    """One block for each object."""
    now, lines = datetime.now(UTC), []
    for hit in hits:
        found = hit["found"]
        story = stories.get(found["thread"])
        lines += list(telling.opening(story)) if story else [telling.standing(found, now)]
        lines.append(f"  found by: {', '.join(hit['because'])}")
        lines += [f"  linked:   {telling.standing(x, now)}" for x in hit["linked"]]
        lines += [f"  more:     crossdock trace {found['thread']}", ""]
    return lines[:-1]
