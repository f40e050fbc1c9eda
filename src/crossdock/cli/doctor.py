"""`doctor`: look at everything a hub needs, and say what to do about what is wrong. Changes nothing."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossdock.cli.hub import HubOption, JsonOption

if TYPE_CHECKING:
    from crossdock.doctor.check import Check
    from crossdock.runtime.hub import Hub


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    hub: HubOption = Path(),
    *,
    targets: Annotated[
        bool, typer.Option("--targets", help="Call every system too, as its connector checks it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Examine landscape, key, disk, database, leases, lag and certificates; one line each, with the remedy."""
    failed = asyncio.run(_examine(hub, targets, as_json))
    if failed:
        raise typer.Exit(1)


async def _examine(folder: Path, targets: bool, as_json: bool) -> bool:
    """Lines come as they are known; True where something fails."""
    found = []
    async for check in _checks(folder, targets):
        found.append(check)
        if not as_json:
            remedy = f" → {check.remedy}" if check.remedy else ""
            sys.stdout.write(f"{check.level:5}{check.name:22} {check.text}{remedy}\n")
            sys.stdout.flush()
    failed = any(check.level == "fail" for check in found)
    if as_json:
        sys.stdout.write(json.dumps({"ok": not failed, "checks": [asdict(x) for x in found]}) + "\n")
    return failed


async def _checks(folder: Path, targets: bool) -> "AsyncIterator[Check]":
    from crossdock.doctor import machine
    from crossdock.doctor import targets as others
    from crossdock.doctor.check import Check
    from crossdock.errors import Misconfigured
    from crossdock.runtime.hub import load_hub
    from crossdock.settings import load_settings

    try:
        settings = load_settings(folder)
    except Misconfigured as error:
        yield Check("fail", "landscape", str(error), "docs/reference/settings.md says what may stand there.")
        return
    key = machine.key(folder, settings)
    yield key
    yield machine.running(folder)
    if not machine.key_path(folder, settings).exists():
        yield Check("skip", "landscape", "not looked at without the key", "")
        return
    wrong = list(_lint(folder))
    for check in wrong:
        yield check
    try:
        hub = load_hub(folder)
    except Misconfigured:
        return  # lint has said why
    if not wrong:
        count = sum(len(system.secrets) for system in hub.landscape.systems.values())
        yield Check(
            "ok",
            "landscape",
            f"{len(hub.landscape.systems)} systems, {count} secrets found, nothing to correct",
        )
    yield machine.token(folder)
    yield machine.clock_rate(settings)
    for check in machine.disks(hub):
        yield check
    async for check in _database(hub):
        yield check
    for check in await others.certificates(hub):
        yield check
    if targets:
        async for check in others.answers(hub):
            yield check


def _lint(folder: Path) -> "list[Check]":
    from crossdock.cli.config import problems
    from crossdock.doctor.check import Check

    return [
        Check("fail" if x.level == "error" else "warn", "landscape", f"{x.place}: {x.problem}", x.remedy)
        for x in problems(folder)
    ]


async def _database(hub: "Hub") -> "AsyncIterator[Check]":
    import asyncpg

    from crossdock.doctor import audit, database, gaps, intake, work
    from crossdock.doctor.check import Check
    from crossdock.store.pool import LOST, connect

    try:
        connection = await connect(hub.dsn)
    except (*LOST, asyncpg.PostgresError) as error:
        yield database.unreachable(hub, error)
        return
    yield Check("ok", "database", "answers")
    try:
        async for check in database.examine(connection, hub):
            yield check
        async for check in work.examine(connection, hub):
            yield check
        yield await audit.examine(connection, hub)
        for check in (*await intake.examine(connection), *await gaps.examine(connection)):
            yield check
    except asyncpg.PostgresError as error:
        yield Check(
            "fail", "database", f"refuses a look: {error}", "See the schema, and what its role may read."
        )
    finally:
        await connection.close()
