"""`send`: hand in a document as a system of the landscape would, signed with its secret, and say what came of it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from crossdock.cli.hub import HubOption, JsonOption
from crossdock.client import Client

if TYPE_CHECKING:
    from crossdock.cli.outcome import Sent
    from crossdock.runtime.hub import Hub

WATCHED_MAX: Final = 16
PARTLY: Final = 3
FilesArgument = Annotated[
    list[Path],
    typer.Argument(metavar="FILE…", exists=True, dir_okay=False, readable=True, help="Documents, in their order."),
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sender:
    """A system of the landscape, as which we send."""

    hub: "Hub"
    system: str
    channel: str
    topic: str
    headers: Mapping[str, str]


def register(app: typer.Typer) -> None:
    app.command()(send)


def send(
    files: FilesArgument,
    source: Annotated[str, typer.Option(help="The system that sends.")],
    hub: HubOption = Path(),
    *,
    channel: Annotated[str, typer.Option(help="Its channel; needed where it has several.")] = "",
    topic: Annotated[str, typer.Option(help="The topic it would name, such as orders/create.")] = "",
    header: Annotated[
        list[str] | None, typer.Option(help="'Name: value', besides what it signs with.")
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for what comes of each.", min=0)] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Send documents as a system would, signed; say what came of each. Exit 0 story, 3 partly, 1 refused or a case."""
    sender = _sender(hub, source, channel, topic, tuple(header or ()))
    sent = asyncio.run(_send(sender, files, wait, as_json))
    if all(x.outcome == "story" for x in sent):
        return
    raise typer.Exit(1 if all(x.outcome in ("case", "refused") for x in sent) else PARTLY)


def _sender(folder: Path, source: str, channel: str, topic: str, headers: tuple[str, ...]) -> Sender:
    from crossdock.runtime.hub import load_hub

    loaded = load_hub(folder)
    if loaded.system(source) is None:
        known = ", ".join(sorted(loaded.landscape.systems))
        raise typer.BadParameter(
            f"no system {source} in this landscape; there are {known}", param_hint="--source"
        )
    channels = sorted(loaded.manifest(source).inbound)
    if not channels:
        raise typer.BadParameter(
            f"{source} sends nothing: its connector has no channel", param_hint="--source"
        )
    if channel not in channels and (channel or len(channels) > 1):
        raise typer.BadParameter(f"{source} has {', '.join(channels)}", param_hint="--channel")
    return Sender(
        hub=loaded, system=source, channel=channel or channels[0], topic=topic, headers=dict(map(_header, headers))
    )  # fmt: skip


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise typer.BadParameter(f"{text!r} is not of the form 'Name: value'", param_hint="--header")
    return name.strip().lower(), value.strip()


async def _send(sender: Sender, files: list[Path], wait: float, as_json: bool) -> list["Sent"]:
    """Results are printed in the files' order, each as soon as it is known."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    screen = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
    quiet = len(files) == 1 or not screen.is_terminal
    found = []
    with Progress(*columns, console=screen, transient=True, disable=quiet) as bar:
        task = bar.add_task(f"to {sender.system}", total=len(files))
        async for sent in _outcomes(sender, files, wait):
            found.append(sent)
            sys.stdout.write((json.dumps(asdict(sent)) if as_json else "\n".join(_told(sent))) + "\n")
            sys.stdout.flush()
            bar.advance(task)
    return found


async def _outcomes(sender: Sender, files: list[Path], wait: float) -> AsyncIterator["Sent"]:
    """Documents go out one after the other; what comes of them is watched meanwhile, of a bounded number at once."""
    from crossdock.cli.outcome import Sent, deliver, outcome

    path = f"/v1/in/{sender.system}/{sender.channel}"
    loop, watched = asyncio.get_running_loop(), list[asyncio.Task[Sent]]()
    async with Client(sender.hub.folder) as client:
        lost = ""
        for file in files:
            body, end = file.read_bytes(), loop.time() + wait
            if lost:
                answer = {"refused": f"not sent: {lost}"}
            else:
                answer = await deliver(client, path, body, _signed(sender, body), end)
                lost = answer["refused"] if answer.get("lost") else ""
            watched.append(asyncio.create_task(outcome(client, str(file), answer, end)))
            while watched and (len(watched) >= WATCHED_MAX or watched[0].done()):
                yield await watched.pop(0)
        for task in watched:
            yield await task


def _signed(sender: Sender, body: bytes) -> dict[str, str]:
    from crossdock.connect.contract import Inbound

    sign = sender.hub.connector(sender.system).sign
    assert sign is not None, "an inbound connector says how its partner signs"
    message = Inbound(
        channel=sender.channel, headers=sender.headers, body=body, received_at=datetime.now(UTC)
    )
    return {**sign(message, sender.hub.account(sender.system), sender.topic), **sender.headers}


UNKNOWN: Final = "What comes of it is not known yet: look again with crossdock find, or --wait longer."
_VERDICTS: Final = {
    "new": "new", "duplicate": "a duplicate, known already",
    "different": "conflict: its id came before with another body; the object's owner judged it",
}  # fmt: skip


def _told(sent: "Sent") -> list[str]:
    """What came of one document, in words."""
    from crossdock.cli.outcome import NOTHING

    kept = f"kept as message {sent.message}" if sent.message else ""
    how = _VERDICTS.get(sent.verdict, "")
    lines = [": ".join((sent.file, "; ".join(x for x in (kept, how) if x) or sent.detail))]
    match sent.outcome:
        case "story":
            lines += [f"  {x['title']} ({x['thread']}). {x['sentence']}" for x in sent.threads]
        case "case" if sent.case:
            lines.append(f"  ■ {sent.detail}")
            lines.append(f"  Case C-{sent.case['number']}, {sent.case['owner']}: {sent.case['detail']}")
        case "case":
            lines.append(f"  ■ {sent.detail}. Its case is closed already.")
        case "kept":
            lines += [f"  {sent.detail}"] * bool(sent.detail)
            if sent.detail != NOTHING:
                lines.append(f"  {UNKNOWN}")
        case "refused":
            lines = [f"{sent.file}: ■ refused: {sent.detail}"]
    return lines
