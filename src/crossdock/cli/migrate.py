"""`migrate plan` and `migrate up`: the database schema, ahead of the hub's start."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import read_status

if TYPE_CHECKING:
    import asyncpg

    from crossdock.store.migrate import Migration


T = TypeVar("T")


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="The database schema. `crossdock up` brings it up to date by itself.", no_args_is_help=True
    )
    group.command("plan")(plan)
    group.command("up")(up)
    app.add_typer(group, name="migrate")


def plan(hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """Say which migrations this release would apply."""
    from crossdock.store import migrate

    _say(asyncio.run(with_database(hub, migrate.pending)), "pending", as_json)


def up(hub: HubOption = Path(), *, as_json: JsonOption = False) -> None:
    """Apply what is pending, each migration in a transaction of its own."""
    from crossdock.store import migrate

    _say(asyncio.run(with_database(hub, migrate.up)), "applied", as_json)


async def with_database(folder: Path, work: "Callable[[asyncpg.Connection], Awaitable[T]]") -> T:
    """With `database_url` at any time; the hub's own PostgreSQL only while the hub runs."""
    from crossdock.errors import Misconfigured
    from crossdock.runtime.hub import load_hub
    from crossdock.store.pool import LOST, connect

    loaded = load_hub(folder)
    if not loaded.settings.database_url and read_status(folder) is None:
        reason = "the hub's own PostgreSQL runs with the hub only: `crossdock up` starts it, and migrates"
        raise Misconfigured("database", reason)
    try:
        connection = await connect(loaded.dsn)
    except LOST as error:
        raise Misconfigured("database_url", f"the database does not answer: {error}") from None
    try:
        return await work(connection)
    finally:
        await connection.close()


def _say(migrations: "list[Migration]", word: str, as_json: bool) -> None:  # as the option is
    if as_json:
        sys.stdout.write(
            json.dumps({word: [{"version": m.version, "name": m.name} for m in migrations]}) + "\n"
        )
        return
    for migration in migrations:
        sys.stdout.write(f"{word} {migration.name}\n")
    if not migrations:
        note("The schema is up to date.")
