"""Backups of the hub's own PostgreSQL: taken while it runs, and judged without it.

A backup is a directory: `base/` (a physical base backup with the log it needs), `landscape/`, and `backup.json`,
written last. The hub key is not in it unless asked for: together they are everything in the clear.
"""

import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from crossdock import __version__
from crossdock.access.sealing import HubKey
from crossdock.errors import Conflict, Misconfigured
from crossdock.runtime.hub import Hub
from crossdock.runtime.physical_backup import run_program, verify_base
from crossdock.runtime.postgres import MAJOR, find_binaries, place_for
from crossdock.runtime.wal_archive import first_segment, last_without_gap
from crossdock.settings import Settings
from crossdock.store import migrate
from crossdock.store.access import note_action
from crossdock.store.pool import LOST, connect

FORMAT = 1
MANIFEST = "backup.json"
BASE = "base"
LANDSCAPE = "landscape"
KEY = "hub.key"
ACTION = "backup create"


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """`backup.json`. Everything committed before `began_at` is in it, nothing committed after `ended_at`."""

    format: int
    crossdock: str
    postgres: str
    schema: int
    system_identifier: str
    hub_id: str
    name: str
    key: str
    """Tells the hub key apart from others; the key cannot be had from it."""
    with_key: bool
    began_at: datetime
    ended_at: datetime
    wal_archive: str
    """Where the log went on being kept, or empty."""
    files: dict[str, str]
    """SHA-256 by path, of all but `base/`, which has a manifest of its own."""


class Verdict(msgspec.Struct, frozen=True):
    """What a backup holds. `reaches_to` is the moment to which its archive leads without a gap."""

    backup: Backup
    size_bytes: int
    reaches_to: datetime
    archived: bool


def fingerprint(key: HubKey) -> str:
    return key.derive("backup fingerprint")[:8].hex()


def key_file(folder: Path, settings: Settings) -> Path:
    return Path(settings.hub_key) if settings.hub_key else folder / ".crossdock" / KEY


async def create(hub: Hub, target: Path, *, with_key: bool) -> Backup:
    """Take a base backup of the running hub. Raises `Misconfigured` or `Conflict` with the remedy."""
    if hub.settings.database_url:
        raise Misconfigured(
            "database_url", "is set: take the physical backups of whoever runs that PostgreSQL"
        )
    try:
        connection = await connect(hub.dsn)
    except LOST:
        raise Conflict(
            f"the hub in {hub.folder} does not run: `crossdock up --hub {hub.folder}`, then back it up"
        ) from None
    try:
        _make_new(target)
        began_at = await connection.fetchval("select clock_timestamp()")
        _base_backup(hub, target / BASE)
        row = await connection.fetchrow(
            "select h.hub_id::text, clock_timestamp() as at, (select max(version) from schema_migration) as schema,"
            " (select system_identifier::text from pg_control_system()) as cluster,"
            " current_setting('server_version') as postgres from hub h"
        )
        assert row is not None
        made = _complete(hub, target, began_at, row, with_key=with_key)
        await note_action(connection, "command line", ACTION, str(target), "", began_at=began_at)
    finally:
        await connection.close()
    return made


def _complete(hub: Hub, target: Path, began_at: datetime, row: Any, *, with_key: bool) -> Backup:
    """The landscape and the manifest beside the base; `row` is what the database says of itself."""
    _copy_landscape(hub, target, with_key=with_key)
    made = Backup(
        format=FORMAT, crossdock=__version__, postgres=row["postgres"], schema=row["schema"],
        system_identifier=row["cluster"], hub_id=row["hub_id"], name=hub.settings.name, key=fingerprint(hub.key),
        with_key=with_key, began_at=began_at, ended_at=row["at"], wal_archive=str(archive_of(hub) or ""),
        files=_sums(target),
    )  # fmt: skip
    partial = target / f"{MANIFEST}.part"
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2))
    partial.replace(target / MANIFEST)
    return made


def _make_new(target: Path) -> None:
    if target.exists() and any(target.iterdir()):
        raise Misconfigured(str(target), "is not empty: name a new directory")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)


def archive_of(hub: Hub) -> Path | None:
    return hub.folder / hub.settings.wal_archive if hub.settings.wal_archive else None


def _base_backup(hub: Hub, base: Path) -> None:
    place = place_for(hub.folder, Path(hub.settings.bin_dir) if hub.settings.bin_dir else None)
    command: list[str | Path] = [
        place.bin_dir / "pg_basebackup", "--pgdata", base, "--host", place.sockets, "--username", "crossdock",
        "--format=plain", "--wal-method=stream", "--checkpoint=fast", "--manifest-checksums=SHA256", "--no-password",
    ]  # fmt: skip
    run_program(command)


def _copy_landscape(hub: Hub, target: Path, *, with_key: bool) -> None:
    """The landscape's own files; with the key also the files that secrets are read from."""
    patterns = ("hub.yaml", "routing.yaml", "systems/*.yaml", "subscriptions/*.yaml", "tests/routing/*.yaml")
    wanted = [path for pattern in patterns for path in sorted(hub.folder.glob(pattern))]
    if with_key:
        references = [text for s in hub.landscape.systems.values() for text in s.secrets.values()]
        subscribers = hub.landscape.subscriptions.values()
        references += [text for s in subscribers for text in (s.secret, s.secret_previous) if text]
        secrets = [hub.folder / r[7:-1] for r in references if r.startswith("${file:")]
        wanted += [path for path in secrets if path.is_file() and path.resolve().is_relative_to(hub.folder)]
        shutil.copyfile(key_file(hub.folder, hub.settings), target / KEY)
        (target / KEY).chmod(0o600)
    for path in wanted:
        place = target / LANDSCAPE / path.relative_to(hub.folder)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(path, place)


def _sums(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] != BASE and path.name != MANIFEST:
            found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def verify(folder: Path, *, bin_dir: Path | None = None, wal: Path | None = None) -> Verdict:
    """Check every file, the versions and the archive. Raises `Misconfigured` naming what is wrong."""
    backup = read(folder)
    if backup.format != FORMAT or int(backup.postgres.split(".")[0]) != MAJOR:
        reason = f"is of format {backup.format} and PostgreSQL {backup.postgres}; this release reads {FORMAT} and {MAJOR}"
        raise Misconfigured(str(folder / MANIFEST), reason)
    newest = max(m.version for m in migrate.known())
    if backup.schema > newest:
        reason = f"was made by crossdock {backup.crossdock}, whose schema {backup.schema} is newer than ours ({newest})"
        raise Misconfigured(str(folder / MANIFEST), f"{reason}: install that release")
    sums = _sums(folder)
    for name in sorted(sums.keys() | backup.files.keys()):
        if sums.get(name) != backup.files.get(name):
            raise Misconfigured(str(folder / name), "is missing, changed or does not belong to the backup")
    verify_base(folder / BASE, find_binaries(bin_dir))
    last = archived_to(folder, backup, wal)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    reaches_to = backup.ended_at
    if last is not None:
        reaches_to = max(reaches_to, datetime.fromtimestamp(last.stat().st_mtime, UTC))
    return Verdict(backup, size, reaches_to, last is not None)


def read(folder: Path) -> Backup:
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Backup)
    except FileNotFoundError:
        raise Misconfigured(
            str(folder / MANIFEST), "is not there: no backup, or one that was not finished"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise Misconfigured(str(folder / MANIFEST), str(error)) from None


def archived_to(folder: Path, backup: Backup, wal: Path | None) -> Path | None:
    """The last archived segment that follows on the backup without a gap."""
    archive = wal or (Path(backup.wal_archive) if backup.wal_archive else None)
    if archive is None or not archive.is_dir():
        if wal is not None:
            raise Misconfigured(str(wal), "is no directory: name the archive of the hub's log")
        return None
    return last_without_gap(archive, first_segment((folder / BASE / "backup_label").read_text()))
