"""`backup create`, `verify`, `restore`, and `resume`: a hub's data elsewhere, and going on from it."""

import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossdock.cli.hub import HubOption, JsonOption, note

if TYPE_CHECKING:
    from crossdock.runtime.resuming import Group

Folder = Annotated[Path, typer.Argument(help="The backup's directory.")]
WalOption = Annotated[
    Path | None, typer.Option("--wal", help="The archive of the log, where it is not where it was.")
]
IDS_SHOWN = 5


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Backups of the hub's own PostgreSQL.", no_args_is_help=True)
    group.command("create")(create)
    group.command("verify")(verify)
    group.command("restore")(restore)
    app.add_typer(group, name="backup")
    app.command()(resume)


def create(
    to: Annotated[Path, typer.Option("--to", help="A new or empty directory.")],
    hub: HubOption = Path(),
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Also the hub key and the secrets' files.")
    ] = False,
) -> None:
    """Take a backup while the hub runs."""
    from crossdock.runtime import backup
    from crossdock.runtime.hub import load_hub

    loaded = load_hub(hub)
    made = asyncio.run(backup.create(loaded, to.resolve(), with_key=with_key))
    note(f"{to} holds everything up to {made.began_at:%Y-%m-%d %H:%M:%S} UTC.")
    if with_key:
        note("It holds the hub key and the systems' secrets: whoever has it can read everything.")
    else:
        key = backup.key_file(loaded.folder, loaded.settings)
        note(
            f"The hub key is not in it, and without it nothing opens. It is {key}: keep a copy of it apart from the backup."
        )
        note("The systems' secrets are not in it either.")
    if not made.wal_archive:
        note("Without the setting `wal_archive` it can be restored as it is, and to no later moment.")
    note(f"Next: crossdock backup verify {to}")


def verify(folder: Folder, wal: WalOption = None, as_json: JsonOption = False) -> None:
    """Check every file of a backup, and say what it holds and up to when."""
    import msgspec

    from crossdock.runtime import backup

    found = backup.verify(folder, wal=wal)
    if as_json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return
    made = found.backup
    sys.stdout.write(
        f"Hub {made.name} ({made.hub_id}), crossdock {made.crossdock}, schema {made.schema}, PostgreSQL {made.postgres}\n"
        f"Taken {made.began_at:%Y-%m-%d %H:%M:%S} to {made.ended_at:%H:%M:%S} UTC, {found.size_bytes / 2**20:.0f} MiB, all files as they were written\n"
        f"Hub key {made.key}: {'in it' if made.with_key else 'not in it, kept apart'}\n"
    )
    if found.archived:
        sys.stdout.write(
            f"With the archive it can be restored to any moment up to {found.reaches_to:%Y-%m-%d %H:%M:%S} UTC\n"
        )
    else:
        sys.stdout.write("No archive follows it: it can be restored as it is\n")


def restore(
    folder: Folder,
    hub: Annotated[Path, typer.Option("--hub", help="A new landscape directory.")],
    until: Annotated[str, typer.Option(help="A moment with its offset, as 2026-11-25T18:30:00Z; left out: as far as it goes.")] = "",
    key: Annotated[Path | None, typer.Option("--key", help="The hub key, where the backup has none.")] = None,
    wal: WalOption = None,
    erasures: Annotated[Path | None, typer.Option("--erasures", help="The list of who was erased (erasures.jsonl), where it is kept elsewhere.")] = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Restore a backup into a new hub, whose deliveries are paused."""
    from crossdock.runtime.restore import Wish, restore

    wish = Wish(
        source=folder, target=hub, until=_moment(until), key=key, wal=wal and wal.resolve(), erasures=erasures
    )
    made = asyncio.run(restore(wish))
    if as_json:
        head = {"hub": str(hub), "up_to": made.up_to.isoformat(), "paused": True, "erased": made.erased}
        _say_json(head, made.unfinished)
        return
    sys.stdout.write(
        f"{hub} holds everything up to {made.up_to:%Y-%m-%d %H:%M:%S} UTC. Its deliveries are paused.\n"
    )
    _say_report(made.unfinished)
    if made.erased is None:
        note(
            "No list of erasures was found: who was erased since the backup can be read again. Give it with --erasures FILE."
        )
    elif made.erased:
        note(f"{made.erased} erasures of the list were done again.")
    note("Make sure that the old hub is stopped for good: two hubs would both send.")
    note(f"Next: crossdock up --hub {hub}; then, when you have looked: crossdock resume --hub {hub}")


def resume(
    hub: HubOption = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End the pause of a restored hub: look up what may have been done since the backup, then send."""
    from crossdock.cli.migrate import with_database
    from crossdock.runtime import resuming
    from crossdock.runtime.hub import load_hub
    from crossdock.store import pause

    if TYPE_CHECKING:
        import asyncpg
    loaded = load_hub(hub)

    async def work(connection: "asyncpg.Connection") -> "tuple[str | None, list[Group]]":
        reason = (await pause.standing(connection)).paused_reason
        found = await resuming.report(connection, loaded) if reason is not None else []
        if not dry_run:
            await resuming.resume(connection, loaded, "command line")
        return reason, found

    reason, found = asyncio.run(with_database(hub, work))
    resumed = reason is not None and not dry_run
    if as_json:
        _say_json({"paused": reason, "resumed": resumed}, found)
        return
    if reason is None:
        note("Deliveries are not paused.")
        return
    _say_report(found)
    note("Deliveries go on." if resumed else f"Nothing was changed. Next: crossdock resume --hub {hub}")


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(
            f"{text} is no moment with an offset, as 2026-11-25T18:30:00Z", param_hint="--until"
        )
    return moment


def _say_json(head: dict[str, object], groups: "list[Group]") -> None:
    import msgspec

    sys.stdout.write(json.dumps(head | {"effects": msgspec.to_builtins(groups)}) + "\n")


def _say_report(groups: "list[Group]") -> None:
    """Effects by account and kind, and what becomes of each when the pause ends."""
    if not groups:
        sys.stdout.write("No effect was unsettled at its end.\n")
        return
    sys.stdout.write("Unsettled at its end; what was open may have been done since. When the pause ends:\n")
    words = {
        "look up": "looked up before anything is sent", "send again": "sent again, which is harmless",
        "ask a person": "not sent: a case for a person", "leave": "waits for a person, as before",
    }  # fmt: skip
    for group in groups:
        ids = ", ".join(group.effects[:IDS_SHOWN]) + (" …" if group.count > IDS_SHOWN else "")
        sys.stdout.write(
            f"  {group.account:14} {group.kind:24} {group.state:16} {group.count:6}  {words[group.fate]}: {ids}\n"
        )
