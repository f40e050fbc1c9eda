"""`replay`: preview what a selection would do, run it behind live traffic, and see what became of each item."""

import asyncio
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crossdock.cli.correct import asking, decide, key_of, tell
from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client

Json = dict[str, Any]
POLL_SECONDS: Final = 0.5
PARTLY: Final = 3
BAR: Final = 30
_SPAN: Final = re.compile(r"([1-9]\d{0,4})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
ReplayArgument = Annotated[str, typer.Argument(metavar="R-NUMBER")]
ReasonOption = Annotated[str, typer.Option(help="Why; it stands in the stories it touches.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Replay events, messages, cases: what was done is left alone, with the reason.")
    group.callback(invoke_without_command=True)(run)
    group.command("run")(run)
    group.command("list")(show_all)
    group.command("show")(show)
    group.command("stop")(stop)
    group.command("resume")(resume)
    app.add_typer(group, name="replay")


def run(
    ctx: typer.Context,
    hub: HubOption = Path(),
    *,
    where: Annotated[str, typer.Option(help="A CEL condition over events, as of tail.")] = "",
    case: Annotated[str, typer.Option(help="What this case blocks: C-12.")] = "",
    thread: Annotated[str, typer.Option(help="What one thread was told: order/shop/1042.")] = "",
    since: Annotated[str, typer.Option(help="Heard since then: 7d, 12h, or RFC 3339.")] = "",
    until: Annotated[str, typer.Option(help="Heard until then.")] = "",
    per_second: Annotated[
        float, typer.Option(help="At most so many items a second.", min=0.1, max=500)
    ] = 20.0,
    reason: ReasonOption = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would become of each; do nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Stay until it is done.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Replay a selection; with --dry-run, only the preview."""
    if ctx.invoked_subcommand is not None:
        return
    asked: Json = {
        "where": where,
        "thread": thread,
        "per_second": per_second,
        "reason": reason,
        "dry_run": dry_run,
    }
    asked |= {"case": int(key_of(case, "C-"))} if case else {}
    asked |= {
        name: _instant(text, f"--{name}") for name, text in (("since", since), ("until", until)) if text
    }
    if not (where or case or thread or since) or not (reason or dry_run):
        note("error: say what to replay (--where, --case, --thread or --since), and --reason or --dry-run")
        raise typer.Exit(2)
    if dry_run:
        tell(asking(hub, lambda client: client.post("/v1/replays", asked)), preview_lines, as_json)
        return
    made = asking(hub, lambda client: client.post("/v1/replays", asked))
    note(f"{made['name']}: {made['count']} items, at most {made['per_second']:g} a second")
    if not wait:
        tell(made, lambda x: iter([_line(x)]), as_json)
        return
    _finish(hub, made["id"], as_json)


def _instant(text: str, option: str) -> str:
    found = _SPAN.fullmatch(text)
    if found:
        return (datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})).isoformat()
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text}: write 7d, 12h or 2026-11-20T10:00:00Z", param_hint=option
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()


def _finish(hub: Path, number: int, as_json: bool) -> None:
    """Wait for its end; whoever interrupts leaves it running."""
    try:
        found = asking(hub, lambda client: _until_done(client, number))
    except KeyboardInterrupt:
        note(f"\nR-{number} goes on; crossdock replay stop R-{number} stops it")
        raise typer.Exit(130) from None
    tell(found, report_lines, as_json)
    counts = found["counts"]
    if counts.get("failed") or counts.get("waiting"):
        raise typer.Exit(1 if counts.get("failed") == found["count"] else PARTLY)


async def _until_done(client: Client, number: int) -> Json:
    attached = sys.stderr.isatty()
    while True:
        found: Json = await client.get(f"/v1/replays/{number}", limit="0")
        if attached:
            sys.stderr.write("\r" + bar(found))
        if found["state"] != "running":
            if attached:
                sys.stderr.write("\n")
            return await _whole(client, number)
        await asyncio.sleep(POLL_SECONDS)


def bar(found: Json) -> str:
    """`R-3 ████      120/500`."""
    over = found["count"] - found["counts"].get("waiting", 0)
    filled = BAR * over // max(1, found["count"])
    return f"{found['name']} {'█' * filled}{'·' * (BAR - filled)} {over}/{found['count']}"


async def _whole(client: Client, number: int, status: str = "") -> Json:
    found: Json = await client.get(f"/v1/replays/{number}", limit="1000", status=status)
    after = found["next"]
    while after is not None:
        page = await client.get(f"/v1/replays/{number}", limit="1000", status=status, after=str(after))
        found["items"] += page["items"]
        after = page["next"]
    return found | {"next": None}


def show_all(hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """Replays, newest first."""
    found = asking(hub, lambda client: client.get("/v1/replays"))
    if not found["replays"] and not as_json:
        note("Nothing was replayed.")
        return
    tell(found, lambda x: (_line(one) for one in x["replays"]), as_json)


def show(
    number: ReplayArgument,
    hub: HubOption = Path(),
    *,
    status: Annotated[str, typer.Option(help="Only items that are waiting, done, skipped or failed.")] = "",
    as_json: JsonOption = False,
) -> None:
    """What became of each item, and why."""
    tell(asking(hub, lambda client: _whole(client, int(key_of(number, "R-")), status)), report_lines, as_json)


def stop(
    number: ReplayArgument, hub: HubOption = Path(), *, reason: ReasonOption, as_json: JsonOption = False
) -> None:
    """Stop it where it is; what it did stays done."""
    found = asking(hub, lambda client: decide(client, f"/v1/replays/{key_of(number, 'R-')}", "stop", reason))
    tell(found, lambda x: iter([_line(x)]), as_json)


def resume(
    number: ReplayArgument, hub: HubOption = Path(), *, reason: ReasonOption, as_json: JsonOption = False
) -> None:
    """Let it go on where it was."""
    found = asking(
        hub, lambda client: decide(client, f"/v1/replays/{key_of(number, 'R-')}", "resume", reason)
    )
    tell(found, lambda x: iter([_line(x)]), as_json)


def preview_lines(found: Json) -> Iterator[str]:
    """What would become of it all, what it costs, then item by item."""
    verdicts = found["verdicts"]
    yield f"{found['count']} items ({found['selection']}), about {found['seconds']:g} s"
    said = {"done": "would do something", "skipped": "would be left alone", "failed": "cannot be replayed"}
    yield "  " + (", ".join(f"{verdicts[x]} {said[x]}" for x in said if verdicts.get(x)) or "nothing")
    for x in found["targets"]:
        budget = f", {x['percent']:g} % of its budget meanwhile" if x["percent"] is not None else ""
        yield f"  {x['system']}: {x['calls']} calls at once{budget}; what follows later comes on top"
    for x in found["items"]:
        yield f"{x['verdict']:8} {x['what']} {x['ref'] if x['what'] == 'effect' else ''}{' of ' if x['what'] == 'effect' else ''}{x['thread']}"
        for sentence in (*x["does"], *dict.fromkeys(x["leaves"]), *([x["failed"]] if x["failed"] else [])):
            yield f"         {sentence}"
    if found["judged"] < found["count"]:
        yield f"… and {found['count'] - found['judged']} more that were not judged yet"


def report_lines(found: Json) -> Iterator[str]:
    """The replay, then item by item what became of it."""
    yield _line(found)
    yield f"  because: {found['reason']}"
    for x in found["items"]:
        yield f"{x['no']:>5} {x['state']:8} {x['thread']}: {x['said'] or 'not reached yet'}"


def _line(x: Json) -> str:
    counts = ", ".join(f"{n} {state}" for state, n in sorted(x["counts"].items()))
    return (
        f"{x['name']}  {x['state']:8}  {x['count']} items: {counts}  ({x['selection']}, by {x['asked_by']})"
    )
