"""Restoring a backup into a new hub directory: copied, replayed up to a moment, and paused before anybody can start it."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from crossdock.access.audit import BadSignature, Erased, opened, public_key
from crossdock.access.sealing import load_hub_key
from crossdock.errors import Misconfigured
from crossdock.runtime import backup as backups
from crossdock.runtime.backup import BASE, KEY, LANDSCAPE, Backup
from crossdock.runtime.checkpoints import ERASURES, folder_of, read_lines
from crossdock.runtime.hub import Hub, load_hub
from crossdock.runtime.postgres import RESTORING, Place, Postgres, place_for
from crossdock.runtime.resuming import Group, report
from crossdock.runtime.supervisor import TOKEN_FILE
from crossdock.runtime.wal_archive import fetch_settings
from crossdock.settings import load_settings
from crossdock.store import access, audit, erasure, migrate, pause
from crossdock.store.pool import connect


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What shall be restored, and where to. `key` and `wal` are only needed where the backup does not lead to them."""

    source: Path
    target: Path
    until: datetime | None = None
    key: Path | None = None
    wal: Path | None = None
    erasures: Path | None = None
    """The list of who was erased, where it is not where the landscape says (`audit_checkpoints`)."""


@dataclass(frozen=True, kw_only=True)
class Restored:
    backup: Backup
    up_to: datetime
    """The last commit that is in it."""
    unfinished: list[Group]
    erased: int | None
    """How many erasures were done again; None where no list of them was found."""


async def restore(wish: Wish) -> Restored:
    """Raises `Misconfigured` naming what is in the way; the place is then as free as before."""
    if (wish.target / ".crossdock" / "lock").exists():
        raise _occupied(wish)
    verdict = backups.verify(wish.source, wal=wish.wal)
    backup = verdict.backup
    if wish.erasures is not None:
        read_lines(wish.erasures)  # before anything is copied
    _check_moment(wish, verdict)
    _place_landscape(wish)
    settings = load_settings(wish.target)
    if settings.database_url:
        raise Misconfigured(
            f"{wish.target / 'hub.yaml'}: database_url",
            "is set, and this is a backup of a hub's own PostgreSQL: remove it",
        )
    _place_key(wish, backup, backups.key_file(wish.target, settings))
    place = place_for(wish.target, Path(settings.bin_dir) if settings.bin_dir else None)
    if place.data.exists():
        raise _occupied(wish)
    archive = wish.wal or (Path(backup.wal_archive) if verdict.archived else None)
    partial = replace(place, data=place.data.with_name(f"{place.data.name}{RESTORING}"))
    with _removed_on_failure(partial.data):
        _copy_base(wish.source / BASE, partial)
        (partial.data / "recovery.signal").touch()
        _own(partial)
        postgres = Postgres(partial)
        postgres.prepare(_recovery(archive, wish.until))
        await postgres.start()
        try:
            restored = await _go_on_paused(wish, backup, load_hub(wish.target))
        finally:
            await postgres.stop()
        partial.data.rename(place.data)
    return restored


def _occupied(wish: Wish) -> Misconfigured:
    return Misconfigured(str(wish.target), "holds a hub already: name a new directory")


def _check_moment(wish: Wish, verdict: backups.Verdict) -> None:
    if wish.until is None:
        return
    if wish.until < verdict.backup.ended_at:
        reason = (
            f"the backup ended at {verdict.backup.ended_at.isoformat()} and cannot be cut: take an older one"
        )
        raise Misconfigured("--until", reason)
    if wish.until > verdict.reaches_to:
        where = "no archive follows it" if not verdict.archived else "its archive ends there"
        reason = (
            f"the backup reaches to {verdict.reaches_to.isoformat()}, {where}; --wal names another archive"
        )
        raise Misconfigured("--until", reason)


def _place_landscape(wish: Wish) -> None:
    """What the operator put there already stays."""
    wish.target.mkdir(parents=True, exist_ok=True)
    for path in sorted((wish.source / LANDSCAPE).rglob("*")):
        place = wish.target / path.relative_to(wish.source / LANDSCAPE)
        if path.is_file() and not place.exists():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy2(path, place)


def _place_key(wish: Wish, backup: Backup, place: Path) -> None:
    given = next((p for p in (place, wish.key, wish.source / KEY) if p is not None and p.is_file()), None)
    if given is None:
        reason = f"the backup is sealed under the hub key {backup.key}, which is not in it: give it with --key FILE"
        raise Misconfigured(str(place), reason)
    if given != place:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(given.read_bytes())
    if backups.fingerprint(load_hub_key(place)) != backup.key:
        if given != place:
            place.unlink()
        raise Misconfigured(str(given), f"is another hub's key; the backup is sealed under {backup.key}")


@contextlib.contextmanager
def _removed_on_failure(data: Path) -> Iterator[None]:
    shutil.rmtree(data, ignore_errors=True)  # of a restore that was killed
    try:
        yield
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _copy_base(base: Path, place: Place) -> None:
    Postgres(place)._make_directory(place.data.parent)
    shutil.copytree(base, place.data, symlinks=True)
    place.data.chmod(0o700)


def _own(place: Place) -> None:
    if os.geteuid() == 0:
        for path in (place.data, *place.data.rglob("*")):
            os.chown(path, place.account.pw_uid, place.account.pw_gid, follow_symlinks=False)


def _recovery(archive: Path | None, until: datetime | None) -> str:
    """Always with a timeline of its own, so that two hubs never write the same log."""
    more = f"{fetch_settings(archive)}hot_standby = off\nlogging_collector = off\nrecovery_target_action = 'promote'\n"
    if until is not None:
        more += f"recovery_target_time = '{until.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f+00}'\n"
    return more


async def _go_on_paused(wish: Wish, backup: Backup, hub: Hub) -> Restored:
    connection = await connect(hub.dsn)
    try:
        while await connection.fetchval("select pg_is_in_recovery()"):
            await asyncio.sleep(0.1)
        await _check_cluster(connection, backup)
        up_to = await connection.fetchval("select pg_last_xact_replay_timestamp()") or backup.ended_at
        await migrate.up(connection)
        erased = await _erase_again(connection, hub, wish.erasures)
        await pause.pause(connection, f"restored from the backup of {backup.ended_at:%Y-%m-%d %H:%M} UTC")
        token = await access.create_key(connection, hub.key, "operator", ["operator"])
        file = wish.target / ".crossdock" / TOKEN_FILE
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(token + "\n")
        await access.note_action(
            connection,
            "restore",
            audit.RESTORED,
            "deliveries",
            "paused after a backup was restored",
            up_to=up_to.isoformat(),
        )
        unfinished = await report(connection, hub)
        return Restored(backup=backup, up_to=up_to, unfinished=unfinished, erased=erased)
    finally:
        await connection.close()


async def _erase_again(connection: asyncpg.Connection, hub: Hub, given: Path | None) -> int | None:
    """Who was erased after the backup is erased again, before anybody can read. Raises `Misconfigured` for a forged list."""
    path = given or folder_of(hub) / ERASURES
    if not path.exists():
        return None
    found = []
    for line, signed in enumerate(read_lines(path), 1):
        try:
            found.append(opened(signed, public_key(hub.key), Erased))
        except BadSignature as error:
            raise Misconfigured(f"{path}: line {line}", str(error)) from None
    for one in found:
        async with connection.transaction():
            subjects = [bytes.fromhex(x) for x in one.subjects]
            await erasure.destroy_keys(connection, one.at, subjects, [UUID(x) for x in one.messages])
    return len(found)


async def _check_cluster(connection: asyncpg.Connection, backup: Backup) -> None:
    """Transaction ids go on where they were only in the same cluster; the log is read by them (decision 0009)."""
    found = await connection.fetchval("select system_identifier::text from pg_control_system()")
    if found != backup.system_identifier:
        raise Misconfigured(
            "backup", f"is of cluster {backup.system_identifier}, but what came up is {found}"
        )
