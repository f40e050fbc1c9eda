"""`stock recall` and `stock pieces`: where a lot or a piece is and in which parcels it left; holding a lot, and lifting that."""

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
from crossdock.client import Client, Refused

PAGED = ("parcels", "may_be", "returned")
PAGES_MAX = 10_000
PIECES_AT_ONCE = 50


def recall(
    item: Annotated[str, typer.Argument(metavar="SKU")],
    hub: HubOption = Path(),
    *,
    lot: Annotated[str, typer.Option(help="The lot.")],
    hold: Annotated[
        str, typer.Option(help="Recall it for this reason: nothing of it is for sale from now on.")
    ] = "",
    lift: Annotated[str, typer.Option(help="Lift the recall for this reason; what is held stays so.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Where a lot is, and every parcel, shipment and order that it left in; without --hold, nothing is changed."""
    if hold and lift:
        note("error: --hold or --lift, not both")
        raise typer.Exit(2)
    doing = "recall" if hold else "lift" if lift else ""
    found = asyncio.run(_ask(hub, item, lot, doing, hold or lift))
    sys.stdout.write(json.dumps(found) + "\n" if as_json else "\n".join(lines(found)) + "\n")


def pieces(
    item: Annotated[str, typer.Argument(metavar="SKU")],
    serials: Annotated[list[str], typer.Argument(metavar="SERIAL…")],
    hub: HubOption = Path(),
    *,
    as_json: JsonOption = False,
) -> None:
    """Where single pieces are, and in which SSCC of which shipment to which order each of them left."""
    found = asyncio.run(_ask_pieces(hub, item, serials))
    sys.stdout.write(json.dumps(found) + "\n" if as_json else "\n".join(piece_lines(found)) + "\n")


async def _ask_pieces(hub: Path, item: str, serials: list[str]) -> dict[str, Any]:
    """In as many questions as it takes."""
    found: dict[str, Any] = {"item": item, "pieces": []}
    async with Client(hub) as client:
        for first in range(0, len(serials), PIECES_AT_ONCE):
            asked = "&".join(f"serial={quote(x, safe='')}" for x in serials[first : first + PIECES_AT_ONCE])
            try:
                page = await client.get(f"/v1/stock/serials/{quote(item, safe='')}?{asked}")
            except Refused as error:
                note(f"error: {error}")
                raise typer.Exit(1) from None
            found["pieces"] += page["pieces"]
    return found


def piece_lines(found: dict[str, Any]) -> Iterator[str]:
    """The answer of the API as text, a piece a line and below it each time that it left."""
    for x in found["pieces"]:
        where = ", and ".join(x["places"]) or (
            "gone" if x["known"] else "nobody told of it: it may be anywhere"
        )
        yield f"{x['serial']}: {where}{'; ' + x['doubt'] if x['doubt'] else ''}"
        for d in x["departures"]:
            yield f"  left {d['left_at']} in {d['sscc']} of {d['shipment']} to order {d['order']}"


async def _ask(hub: Path, item: str, lot: str, doing: str, reason: str) -> dict[str, Any]:
    path = f"/v1/stock/lots/{quote(item, safe='')}"
    async with Client(hub) as client:
        try:
            if doing:
                await client.post(f"{path}/{doing}", {"lot": lot, "reason": reason})
            found: dict[str, Any] = await client.get(path, lot=lot)
            for _ in range(PAGES_MAX):
                if found["next"] is None:
                    break
                page = await client.get(path, lot=lot, after=found["next"])
                for name in PAGED:
                    found[name] += page[name]
                found["next"] = page["next"]
        except Refused as error:
            note(f"error: {error}")
            raise typer.Exit(1) from None
    return found


def lines(found: dict[str, Any]) -> Iterator[str]:
    """The answer of the API as text: what must be stopped first, then what left, then what may be of it."""
    recalled = found["recalled"]
    state = f"recalled by {recalled['who']}: {recalled['reason']}" if recalled else "not recalled"
    yield f"{found['item']} lot {found['lot']}: {state}  (as of {found['freshness']['as_of']})"
    for place in found["places"]:
        yield f"  at {place['location']}: {_buckets(place)}"
    for x in found["holders"]:
        yield f"  not left: {_amount(x['quantity'])} for {x['thread']} at {x['location']}"
    if not found["all_holders"]:
        yield "  not left: … and more orders or claims than are listed here"
    gone = sorted(found["parcels"], key=lambda x: (x["stands"], x["shipment"], x["sscc"]))
    yield f"left in {sum(x['stands'] == 'left' for x in gone)} parcel lines"
    for x in gone:
        yield f"  {_parcel(x)}"
    for x in found["returned"]:
        known = "" if x["lot"] else ", lot unknown"
        yield f"  came back: {_number(x['quantity'])} with {x['thread']} at {x['location']}{known}"
    if found["may_be"] or found["without_lot"]:
        yield "lot unknown: it may be of this lot"
    for place in found["without_lot"]:
        yield f"  at {place['location']}: {_buckets(place)}"
    for x in found["may_be"]:
        yield f"  {_parcel(x)}"


def _buckets(place: dict[str, Any]) -> str:
    unit, buckets = place["figures"]["unit"], place["buckets"]
    return (
        ", ".join(f"{_number(n)} {unit} {name.replace('_', ' ')}" for name, n in buckets.items())
        or "none left"
    )


def _parcel(x: dict[str, Any]) -> str:
    kit = f" in kit {x['sold_as']}" if x["sold_as"] else ""
    pieces = f" ({', '.join(x['serials'])})" if x["serials"] else ""
    way = f", {x['carrier']} {x['tracking']}".rstrip() if x["carrier"] else ""
    when = f", {x['stands']} {x['left_at']}" if x["left_at"] else ", still in the house"
    back = f", taken back with {', '.join(x['returns'])}" if x["returns"] else ""
    if not x["sscc"]:
        return f"{_amount(x['quantity'])}{pieces} of order {x['order']}, shipped {x['left_at']} by {x['carrier']} itself"
    return (
        f"{_amount(x['quantity'])}{pieces}{kit} in {x['sscc']} of {x['shipment']} to order {x['order']}"
        f" {x['number']}{way}{when}{back}"
    )


def _amount(quantity: dict[str, Any]) -> str:
    return f"{_number(quantity['value'])} {quantity.get('unit', 'EA')}"


def _number(text: str) -> str:
    return f"{Decimal(text).normalize():f}"
