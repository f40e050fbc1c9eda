"""The landscapes this hub was told to run with: recorded, asked for, taken, or given up."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import msgspec

from crossdock.errors import Conflict
from crossdock.landscape import Documents, canonical, digest
from crossdock.store.pool import Connection

CHANNEL = "crossdock_landscape"
SUPERVISOR = "crossdock supervisor"
"""Application name of the session in which a supervisor waits for news on `CHANNEL`."""


@dataclass(frozen=True, slots=True)
class Version:
    """`documents` hold secrets as references only."""

    number: int
    digest: str
    documents: Documents


async def current(connection: Connection) -> Version | None:
    """What the hub runs with, or ran with last."""
    return await _in_state(connection, "current")


async def asked(connection: Connection) -> Version | None:
    """What the supervisor shall take."""
    return await _in_state(connection, "asked")


async def _in_state(connection: Connection, state: str) -> Version | None:
    row = await connection.fetchrow(
        "select number, digest, documents from landscape_version where state = $1", state
    )
    return Version(row["number"], row["digest"], msgspec.json.decode(row["documents"])) if row else None


async def start(connection: Connection, documents: Documents) -> int:
    """A hub starts with these: a version of their own where their digest is new. What was asked for is overtaken."""
    wanted = digest(documents)
    async with connection.transaction():
        before, waiting = await current(connection), await asked(connection)
        if waiting is not None and waiting.digest == wanted:
            await settle(connection, waiting.number)
            return waiting.number
        if waiting is not None:
            await fail(connection, waiting.number, "the hub was started anew before it was taken")
        if before is not None and before.digest == wanted:
            return before.number
        number = await _insert(connection, documents, "start", "command line", "")
        await settle(connection, number)
        return number


async def ask(connection: Connection, documents: Documents, who: str, reason: str) -> int:
    """Record what shall be taken, and wake the supervisor. Raises `Conflict` while another is being taken."""
    try:
        number = await _insert(connection, documents, "apply", who, reason)
    except asyncpg.UniqueViolationError:
        raise Conflict(
            "another `config apply` is under way: `crossdock config diff` says when it is over"
        ) from None
    await connection.execute(f"notify {CHANNEL}")
    return number


async def _insert(connection: Connection, documents: Documents, origin: str, who: str, reason: str) -> int:
    return await connection.fetchval(  # type: ignore[no-any-return]
        "insert into landscape_version (digest, documents, state, origin, who, reason)"
        " values ($1, $2, 'asked', $3, $4, $5) returning number",
        digest(documents), canonical(documents).decode(), origin, who, reason,
    )  # fmt: skip


async def settle(connection: Connection, number: int) -> bool:
    """It is what the hub runs with; False where it is no longer asked for."""
    async with connection.transaction():
        if await outcome(connection, number) != ("asked", None):
            return False
        await connection.execute("update landscape_version set state = 'past' where state = 'current'")
        await connection.execute("update landscape_version set state = 'current' where number = $1", number)
        return True


async def fail(connection: Connection, number: int, because: str) -> None:
    """The hub does not run with it; what it ran with before stays."""
    await connection.execute(
        "update landscape_version set state = 'failed', failed_because = $2 where number = $1 and state = 'asked'",
        number, because,
    )  # fmt: skip


async def outcome(connection: Connection, number: int) -> tuple[str, str | None]:
    """(state, why it failed)."""
    row = await connection.fetchrow(
        "select state, failed_because from landscape_version where number = $1", number
    )
    assert row is not None
    return row["state"], row["failed_because"]


async def supervisors(connection: Connection) -> int:
    """How many supervisors run on this database now."""
    return await connection.fetchval(  # type: ignore[no-any-return]
        "select count(*) from pg_stat_activity where application_name = $1 and datname = current_database()",
        SUPERVISOR,
    )


@dataclass(frozen=True, slots=True)
class Left:
    """Effects of a system that are not settled: `open`, delivery has work with them; `parked`, a person has."""

    system: str
    open: int
    parked: int


async def open_effects(connection: Connection, systems: Sequence[str]) -> list[Left]:
    """Of these systems, those that have any."""
    rows = await connection.fetch(
        "select s.name, (select count(*) from effect e where e.account = s.name and e.state < 5) as open,"
        " (select count(*) from effect e where e.account = s.name and e.state in (5, 6)) as parked"
        " from unnest($1::text[]) as s (name) order by s.name",
        systems,
    )  # fmt: skip
    return [Left(r["name"], r["open"], r["parked"]) for r in rows if r["open"] or r["parked"]]


async def open_threads(connection: Connection, system: str, limit: int) -> int:
    """Objects under way that this system sent or was asked about; counted up to `limit`."""
    return await connection.fetchval(  # type: ignore[no-any-return]
        "select count(*) from (select from thread_state t where not t.done and (split_part(t.thread_key, '/', 2) = $1"
        " or exists (select from effect e where e.thread = t.thread and e.account = $1)) limit $2) as found",
        system, limit,
    )  # fmt: skip
