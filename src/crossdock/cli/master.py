"""`master`: master data records, read and brought in. The same events as through the API; each kind has its authority."""

import asyncio
import csv
import json
import sys
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused
from crossdock.errors import CrossdockError, Malformed
from crossdock.model import master
from crossdock.model.registry import TYPE_OF, TYPE_PREFIX, encode

BATCH: Final = 500
_SHAPES: Final[dict[str, type[msgspec.Struct]]] = {
    "item": master.ItemDefined, "customer": master.CustomerDefined, "location": master.LocationDefined,
    "carrier": master.CarrierDefined,
}  # fmt: skip
KindArgument = Annotated[
    str, typer.Argument(metavar="KIND", help="item, customer, location, carrier or codelist")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Look master data up, and bring it in.", no_args_is_help=True)
    group.command("show")(show)
    group.command("import")(bring_in)
    app.add_typer(group, name="master")


def show(
    kind: KindArgument,
    code: Annotated[str, typer.Argument(metavar="CODE")],
    hub: HubOption = Path(),
    *,
    system: Annotated[str, typer.Option(help="CODE is what this system calls it.")] = "",
    as_json: JsonOption = False,
) -> None:
    """One record: its definition, its version, and who waits for it."""
    found = asyncio.run(_read(hub, kind, code, system))
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    now = f", now {found['now']}" if found["now"] else ""
    sys.stdout.write(f"{kind} {found['code']}{now}: version {found['version']}, as of {found['as_of']}\n")
    for name, value in (found["record"] or {}).items():
        sys.stdout.write(f"  {name}: {value if isinstance(value, str) else json.dumps(value)}\n")
    if found["waiting"]:
        sys.stdout.write(f"  waited for by {len(found['waiting'])}: {', '.join(found['waiting'][:5])}\n")


async def _read(hub: Path, kind: str, code: str, system: str) -> dict[str, Any]:
    async with Client(hub) as client:
        try:
            query = {"system": system} if system else {}
            found: dict[str, Any] = await client.request("GET", f"/v1/master/{kind}/{code}", query=query)
        except Refused as error:
            note(f"error: {error}")
            raise typer.Exit(1) from None
    return found


def bring_in(
    kind: KindArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header, or JSON lines.")],
    hub: HubOption = Path(),
    *,
    source: Annotated[str, typer.Option(help="The system that says so; it must be the kind's authority.")],
    as_json: JsonOption = False,
) -> None:
    """Define records from a file, one a row. A row that is wrong is named, and the others are taken."""
    if kind not in _SHAPES:
        raise Malformed(f"cannot import {kind}: one of {', '.join(_SHAPES)}")
    good, bad = _events(kind, file, source)
    verdicts = asyncio.run(_send(hub, good))
    told = {
        "rows": len(good) + len(bad),
        "new": verdicts.get("new", 0),
        "duplicate": verdicts.get("duplicate", 0),
        "wrong": bad,
    }
    if as_json:
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        sys.stdout.write(
            f"{told['rows']} rows: {told['new']} new, {told['duplicate']} as before, {len(bad)} wrong\n"
        )
        for line in bad[:20]:
            sys.stdout.write(f"  {line}\n")
    if bad:
        raise typer.Exit(3 if good else 1)


def _events(kind: str, file: Path, source: str) -> tuple[list[bytes], list[str]]:
    good, bad = [], []
    for number, row in _rows(file):
        try:
            data = msgspec.convert(row, _SHAPES[kind], strict=False)
        except msgspec.ValidationError as error:
            bad.append(f"{file}:{number}: {error}")
            continue
        code = getattr(data, kind)
        body = encode(data)
        digest = blake2b(body, digest_size=8).hexdigest()
        event = {
            "specversion": "1.0", "id": f"{kind}/{code}/{digest}", "source": source, "type": TYPE_PREFIX + TYPE_OF[type(data)],
            "subject": f"{kind}/{code}", "data": msgspec.Raw(body),
        }  # fmt: skip
        good.append(msgspec.json.encode(event))
    return good, bad


def _rows(file: Path) -> list[tuple[int, dict[str, Any]]]:
    """(line, row). CSV cells that hold JSON lists or objects are read as such."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Malformed(f"cannot read {file}: {error}") from None
    if text.lstrip().startswith("{"):
        lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        return [(n, json.loads(line)) for n, line in lines]
    found = csv.DictReader(text.splitlines())
    return [
        (number, {k: _cell(v) for k, v in row.items() if k and v not in ("", None)})
        for number, row in enumerate(found, 2)
    ]


def _cell(text: str) -> Any:
    if text[:1] in "[{":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


async def _send(hub: Path, events: list[bytes]) -> dict[str, int]:
    from rich.console import Console
    from rich.progress import track

    counts: dict[str, int] = {}
    starts = range(0, len(events), BATCH)
    screen = Console(stderr=True)
    async with Client(hub) as client:
        for start in track(
            starts, "bringing in", console=screen, transient=True, disable=not screen.is_terminal
        ):
            body = b"[" + b",".join(events[start : start + BATCH]) + b"]"
            try:
                answer = await client.request("POST", "/v1/events/batch", body=body)
            except CrossdockError as error:
                note(f"error: {error}; {start} rows were taken, the same file can be brought in again")
                raise typer.Exit(3) from None
            for result in answer["results"]:
                counts[result["verdict"]] = counts.get(result["verdict"], 0) + 1
    return counts
