"""`stock open`: begin the ledger with the balances of a file. Every row is looked at before the first one is taken."""

import asyncio
import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import track

from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused
from crossdock.errors import CrossdockError, Malformed

BATCH: Final = 500
SHOWN: Final = 20
Rows = list[dict[str, Any]]


def open_balances(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header, or JSON lines.")],
    hub: HubOption = Path(),
    *,
    as_of: Annotated[
        str, typer.Option(help="The instant at which the other system had these balances, with its offset.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would become of each row.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring opening balances in: item, location, quantity, unit, and optionally lot, owner, expires_on, as_of.

    Nothing is taken while any row is wrong, or says another number than before. The same file again changes nothing.
    """
    rows = _read(file)
    said = asyncio.run(_send(hub, file, rows, as_of, dry_run=dry_run))
    counts = {
        name: sum(1 for x in said if x["verdict"] == name)
        for name in ("new", "as_before", "different", "wrong")
    }
    stopped = bool(counts["different"] or counts["wrong"])
    told = {
        "file": str(file),
        "rows": len(rows),
        "taken": 0 if dry_run or stopped else counts["new"],
        **counts,
    }
    refused = [x for x in said if x["verdict"] in ("different", "wrong")]
    if as_json:
        sys.stdout.write(json.dumps(told | {"refused": refused}) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(file, told, refused)) + "\n")
    if stopped:
        raise typer.Exit(1)


def _lines(file: Path, told: dict[str, Any], refused: Rows) -> Iterator[str]:
    yield (
        f"{told['rows']} rows: {told['new']} new, {told['as_before']} as before, {told['different']} different,"
        f" {told['wrong']} wrong; {told['taken']} taken"
    )
    for x in refused[:SHOWN]:
        yield f"  {file}:{x['row']}: {x.get('field') or 'row'}: {x.get('detail', '')} → {x.get('remedy', '')}"
    if len(refused) > SHOWN:
        yield f"  … and {len(refused) - SHOWN} more: --json has them all"


def _read(file: Path) -> Rows:
    """Each row with its line in the file."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        if text.lstrip().startswith("{"):
            lines = enumerate(text.splitlines(), 1)
            rows = [json.loads(line) | {"row": n} for n, line in lines if line.strip()]
        else:
            reader = csv.DictReader(text.splitlines())
            rows = [
                {k: v for k, v in row.items() if k and v not in ("", None)} | {"row": reader.line_num}
                for row in reader
            ]
    except (OSError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise Malformed(f"cannot read {file}: {error}") from None
    if not rows:
        raise Malformed(f"{file} has no rows")
    return rows


async def _send(hub: Path, file: Path, rows: Rows, as_of: str, *, dry_run: bool) -> Rows:
    """What was said of each row: first all are looked at, then all are taken."""
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    _unlike(file, rows)
    async with Client(hub) as client:
        said = await _post(client, file, parts, as_of, dry_run=True)
        if dry_run or any(x["verdict"] in ("different", "wrong") for x in said):
            return said
        return await _post(client, file, parts, as_of, dry_run=False)


def _unlike(file: Path, rows: Rows) -> None:
    """A place that stands in two rows stands in two batches, perhaps."""
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        place = tuple(str(row.get(name, "")) for name in ("item", "location", "lot", "owner"))
        if place in seen:
            raise Malformed(
                f"{file}:{row['row']}: item: row {seen[place]} is of the same item, location, lot and owner:"
                " leave one row for each, with their sum"
            )
        seen[place] = row["row"]


async def _post(client: Client, file: Path, parts: list[Rows], as_of: str, *, dry_run: bool) -> Rows:
    screen = Console(stderr=True)
    what = "looking" if dry_run else "bringing in"
    said: Rows = []
    for part in track(parts, what, console=screen, transient=True, disable=not screen.is_terminal):
        body = {"as_of": as_of, "document": file.name, "dry_run": dry_run, "rows": part}
        try:
            answer = await client.post("/v1/stock/openings", body)
        except Refused as error:
            note(f"error: {error}")
            raise typer.Exit(1) from None
        except CrossdockError as error:
            note(f"error: {error}; {len(said)} rows were taken, the same file can be brought in again")
            raise typer.Exit(3) from None
        said += answer["rows"]
    return said
