"""`stock`: what there is of an item by place, now or as of an instant, every number with its entries."""

import asyncio
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.cli.openings import open_balances
from crossdock.cli.recall import pieces, recall
from crossdock.client import Client, Refused

ItemArgument = Annotated[str, typer.Argument(metavar="SKU")]
ENTRIES = 10


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Look stock up, every number with the entries behind it.", no_args_is_help=True)
    group.command("show")(show)
    group.command("as-of")(as_of)
    group.command("promise")(promise)
    group.command("recall")(recall)
    group.command("pieces")(pieces)
    group.command("open")(open_balances)
    app.add_typer(group, name="stock")


def show(
    item: ItemArgument,
    hub: HubOption = Path(),
    *,
    entries: Annotated[int, typer.Option(help="So many entries of each place.", min=0, max=500)] = ENTRIES,
    as_json: JsonOption = False,
) -> None:
    """What there is, by location, lot and owner, and the newest entries that made it so."""
    found = asyncio.run(_read(hub, item, {}, entries))
    _tell(found, as_json)


def as_of(
    item: ItemArgument,
    hub: HubOption = Path(),
    *,
    at: Annotated[str, typer.Option(help="What had happened by this instant, late facts included.")],
    known_at: Annotated[str, typer.Option(help="Only what was recorded by this instant.")] = "",
    as_json: JsonOption = False,
) -> None:
    """What there was at an instant; a fact that came late and says it happened before is in it."""
    query = {"at": at} | ({"known_at": known_at} if known_at else {})
    _tell(asyncio.run(_read(hub, item, query, 0)), as_json)


def promise(
    item: ItemArgument,
    hub: HubOption = Path(),
    *,
    channel: Annotated[
        str, typer.Option(help="A channel of the landscape; the first where none is given.")
    ] = "",
    on: Annotated[str, typer.Option(help="The day, as 2026-12-01; today where none is given.")] = "",
    as_json: JsonOption = False,
) -> None:
    """What can be promised on a channel for a day, and from what: on the shelf, kept back, coming, backordered."""
    found = asyncio.run(_ask(hub, f"/v1/promise/{quote(item, safe='')}", {"channel": channel, "on": on}))
    sys.stdout.write(json.dumps(found) + "\n" if as_json else "\n".join(promised(found)) + "\n")


async def _ask(hub: Path, path: str, query: dict[str, str]) -> dict[str, Any]:
    async with Client(hub) as client:
        try:
            found: dict[str, Any] = await client.request("GET", path, query=query)
        except Refused as error:
            note(f"error: {error}")
            raise typer.Exit(1) from None
    return found


def promised(found: dict[str, Any]) -> Iterator[str]:
    """The answer of the API as text: the sum, then its terms."""
    unit, fresh = found["unit"], found["freshness"]
    yield (
        f"{found['item']} on {found['channel']} for {found['on']}: {_number(found['available_to_promise'])} {unit}"
        f"  (as of {fresh['as_of']})"
    )
    yield f"  {'available':14} {_number(found['available']):>12} {unit}  at {', '.join(found['nodes'])}"
    yield f"  {'kept back':14} {'-' + _number(found['kept_back']):>12} {unit}  for orders not heard of yet"
    yield f"  {'inbound':14} {_number(found['inbound']):>12} {unit}  due by then"
    yield f"  {'backordered':14} {'-' + _number(found['backordered']):>12} {unit}"
    for one in found["coming"]:
        when = f"due {one['due_on']}" if one["due_on"] else "nobody said when"
        later = "" if one["counts"] else ", not counted"
        yield f"    {_number(one['quantity'])} {unit} to {one['location']} with {one['thread']}, {when}{later}"
    if not found["whole"]:
        yield "    … more is open than was looked at: the numbers may be too low or too high"


async def _read(hub: Path, item: str, query: dict[str, str], entries: int) -> dict[str, Any]:
    async with Client(hub) as client:
        try:
            found: dict[str, Any] = await client.request(
                "GET", f"/v1/stock/{quote(item, safe='')}", query=query
            )
            for place in found["places"] if entries else ():
                asked = {name: place[name] for name in ("location", "lot", "owner")} | {"limit": str(entries)}
                page = await client.request("GET", f"/v1/stock/entries/{quote(item, safe='')}", query=asked)
                place["entries"], place["next"] = page["entries"], page["next"]
        except Refused as error:
            note(f"error: {error}")
            raise typer.Exit(1) from None
    return found


def _tell(found: dict[str, Any], as_json: bool) -> None:
    sys.stdout.write(json.dumps(found) + "\n" if as_json else "\n".join(lines(found)) + "\n")


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The answer of the API as text."""
    fresh = found["freshness"]
    behind = f"{fresh['events_behind']} events behind" if fresh["events_behind"] else "up to date"
    when = f" at {found['at']}" if found["at"] else ""
    known = f", as known at {found['known_at']}" if found["known_at"] else ""
    yield f"{found['item']}{when}{known}: as of {fresh['as_of']}, entry {fresh['position']}, {behind}"
    for figures in found["totals"]:
        yield f"  {_figures(figures)}"
    for place in found["places"]:
        unit = place["figures"]["unit"]
        named = " ".join(f"{name} {place[name]}" for name in ("lot", "owner", "possessor") if place[name])
        yield f"{place['location']}{' ' + named if named else ''}: {_figures(place['figures'])}"
        if place["below_zero"]:
            yield f"  may be below zero: {place['below_zero']}"
        for bucket, quantity in place["buckets"].items():
            yield f"  {bucket:14} {_number(quantity):>12} {unit}"
        for entry in place.get("entries", ()):
            yield f"    {_entry(entry)}"
        if place.get("next"):
            yield f"    … older ones: --entries, or GET /v1/stock/entries/{found['item']}?before={place['next']}"


def _figures(figures: dict[str, Any]) -> str:
    names = ("on_hand", "sellable", "available_to_promise", "inbound")
    return ", ".join(f"{name.replace('_', ' ')} {_number(figures[name])} {figures['unit']}" for name in names)


def _entry(entry: dict[str, Any]) -> str:
    what = f"{entry['from_bucket']} → {entry['to_bucket']}"
    late = "" if entry["occurred_at"] == entry["recorded_at"] else f", recorded {entry['recorded_at']}"
    why = f"{entry['type'] or 'event'} {entry['cause']} of {entry['thread']}"
    layer = " ".join(x for x in (entry["cost_layer"], entry["cost_currency"]) if x)
    cost = f"  cost layer {layer}" if layer else ""
    return f"{entry['id']:>8} {_number(entry['quantity'])} {entry['unit']} {what}  {entry['occurred_at']}{late}  {why}{cost}"


def _number(text: str) -> str:
    return f"{Decimal(text).normalize():f}"
