"""`tail`: the hub's events as they happen, all or those a condition picks."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused, Unreachable

if TYPE_CHECKING:
    from crossdock.condition import Condition

Json = dict[str, Any]
PAGE: Final = 200
WAIT: Final = "20s"
AWAY_SECONDS: Final = 1.0


def register(app: typer.Typer) -> None:
    app.command()(tail)


def tail(
    hub: HubOption = Path(),
    *,
    where: Annotated[str, typer.Option(help="A CEL condition, e.g. 'data.code == \"M7/090\"'.")] = "",
    after: Annotated[
        str, typer.Option(help="Where to begin: beginning, now, newest:N, or a cursor.")
    ] = "newest:10",
    follow: Annotated[bool, typer.Option(help="Wait for what comes; else end at the newest event.")] = True,
    limit: Annotated[int, typer.Option(help="End after so many matching events; 0: never.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Print events in the hub's order, one line each."""
    from crossdock.condition import compile_condition

    matches = compile_condition(where, "--where") if where else None
    try:
        asyncio.run(_tail(hub, after, (follow, limit, as_json), matches))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _tail(hub: Path, after: str, how: tuple[bool, int, bool], matches: "Condition | None") -> None:
    follow, limit, as_json = how
    count = 0
    async with Client(hub) as client:
        async for event in _events(client, after, follow):
            if matches is not None and not matches(_seen(event)):
                continue
            sys.stdout.write((json.dumps(event, ensure_ascii=False) if as_json else _line(event)) + "\n")
            sys.stdout.flush()
            count += 1
            if count == limit:
                return


async def _events(client: Client, after: str, follow: bool) -> AsyncIterator[Json]:
    """Page by page; a hub that is away is waited for, and said to be away once."""
    away, cursor = False, after
    while True:
        try:
            query = {"after": cursor, "limit": str(PAGE), "wait": WAIT if follow else "0s"}
            page = await client.request("GET", "/v1/feed", query=query)
        except (Unreachable, Refused) as error:
            if not follow or (isinstance(error, Refused) and error.status < 500) or cursor == after:
                raise
            if not away:
                note(f"{error}; still trying")
            away = True
            await asyncio.sleep(AWAY_SECONDS)
            continue
        if away:
            note("The hub is back.")
        away = False
        for event in page["events"]:
            yield event
        if not follow and page["cursor"] == cursor:
            return
        cursor = page["cursor"]


def _seen(event: Json) -> Json:
    """As conditions see it: the type without its prefix."""
    from crossdock.model.registry import short_type

    names = ("id", "source", "subject", "time", "data")
    return {name: event.get(name, "") for name in names} | {"type": short_type(event["type"])}


def _line(event: Json) -> str:
    """`2026-11-25 19:02:11.042  order/shopify-eu/1042  order.received.v1  shopify-eu placed …`, times in UTC."""
    from crossdock.model.registry import decode, short_type
    from crossdock.views.words import happened

    type_ = short_type(event["type"])
    try:
        said = happened(type_, event["source"], decode(type_, json.dumps(event["data"]).encode()))
    except (ValueError, KeyError):  # an event of a newer release speaks for itself
        said = ""
    at = event["recordedtime"][:23].replace("T", " ").rstrip("Z")
    return f"{at:23}  {event['subject']}  {type_}  {said}".rstrip()
