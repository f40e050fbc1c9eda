"""`audit show` and `audit verify`: where the audit chain stands, and whether everything is as it was sealed."""

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from crossdock.cli.hub import HubOption, JsonOption, note

if TYPE_CHECKING:
    import asyncpg

    from crossdock.runtime.verification import Report
    from crossdock.views.audit import Standing

BAR: Final = 30
SHOWN: Final = 10


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The audit chain: what was sealed, and whether it still is so.", no_args_is_help=True)  # fmt: skip
    group.command()(show)
    group.command()(verify)
    app.add_typer(group, name="audit")


def show(hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """The head of the chain, how far it is behind, and the last checkpoint."""
    import msgspec

    from crossdock.access.audit import public_key
    from crossdock.cli.migrate import with_database
    from crossdock.runtime.hub import load_hub
    from crossdock.views.audit import read_standing

    key = public_key(load_hub(hub).key)
    found = asyncio.run(with_database(hub, lambda connection: read_standing(connection, key)))
    if as_json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return
    sys.stdout.write("\n".join(_standing(found)) + "\n")


def _standing(found: "Standing") -> list[str]:
    head = (
        f"link {found.head}, sealed {found.sealed_at:%Y-%m-%d %H:%M:%S} UTC, {found.hash}"
        if found.sealed_at
        else "nothing is sealed yet"
    )
    behind = f"{found.lag_seconds:.0f} s behind" if found.lag_seconds else "everything is sealed"
    lines = [f"head        {head}", f"lag         {behind}"]
    if found.checkpoint_at:
        away = f"written {found.sent_at:%Y-%m-%d %H:%M:%S} UTC" if found.sent_at else f"not written: {found.trouble or 'not yet'}"  # fmt: skip
        lines.append(f"checkpoint  {found.checkpoint} of link {found.checkpoint_link}, signed {found.checkpoint_at:%Y-%m-%d %H:%M:%S} UTC, {away}")  # fmt: skip
    else:
        lines.append("checkpoint  none yet")
    return [*lines, f"public key  {found.key}"]


def verify(
    hub: HubOption = Path(),
    *,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            "--checkpoints",
            help="Checkpoints that were kept elsewhere; left out, the file the hub writes.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Walk the whole chain: make every hash again from the rows, check every signature. Exit 1 where it is broken."""
    import msgspec

    from crossdock.cli.migrate import with_database
    from crossdock.runtime import checkpoints as files
    from crossdock.runtime.hub import load_hub
    from crossdock.runtime.verification import verify as walk

    loaded = load_hub(hub)
    own = files.folder_of(loaded) / files.CHECKPOINTS
    path = checkpoints or (own if own.exists() else None)
    written = files.read_lines(path) if path else []

    async def work(connection: "asyncpg.Connection") -> "Report":
        return await walk(connection, loaded, written, _progress)

    found = asyncio.run(with_database(hub, work))
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    if as_json:
        sys.stdout.write(msgspec.json.encode(asdict(found) | {"ok": not found.breaks}).decode() + "\n")
    else:
        sys.stdout.write("\n".join(_told(found, path)) + "\n")
    if checkpoints is None and not files.is_elsewhere(loaded):
        note("The checkpoints lie beside the hub: whoever can change it can cut them too. Set audit_checkpoints, or give a copy with --checkpoints.")  # fmt: skip
    if found.breaks:
        raise typer.Exit(1)


def _progress(done: int, total: int) -> None:
    if not sys.stderr.isatty():
        return
    share = min(1.0, done / total) if total else 1.0
    filled = int(share * BAR)
    sys.stderr.write(f"\r[{'#' * filled}{'.' * (BAR - filled)}] {share:4.0%} {done} of {total} rows")
    sys.stderr.flush()


def _told(found: "Report", path: Path | None) -> list[str]:
    lines = [f"{found.links} links, {found.rows} rows made again, {found.checkpoints} checkpoints checked"]
    if path:
        lines.append(f"checkpoints from {path}")
    if found.last_checkpoint:
        lines.append(f"last checkpoint {found.last_checkpoint:%Y-%m-%d %H:%M:%S} UTC")
    if found.dropped:
        lines.append(f"{found.dropped} links whose rows retention dropped: their digests still fit")
    if found.redacted:
        lines.append(f"{found.redacted} rows that an erasure blanked, as the chain says")
    if found.lost_by_restore:
        lines.append(f"{found.lost_by_restore} checkpoints of what a restore left behind")
    if found.unsealed:
        lines.append(f"{found.unsealed} rows wait to be sealed")
    if not found.breaks:
        return [*lines, "The chain holds."]
    lines.append(f"BROKEN, first at link {found.breaks[0].link}:" if found.breaks[0].link else "BROKEN:")
    lines += [f"  {x.kind:13} link {x.link:<6} {x.what}" for x in found.breaks[:SHOWN]]
    more = len(found.breaks) - SHOWN
    return [*lines, f"  and {more} more: --json has all"] if more > 0 else lines
