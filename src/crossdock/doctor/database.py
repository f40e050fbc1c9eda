"""The database: reachable, of the right version and schema, durable, not stalled by others, on the same time."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg

from crossdock.doctor.check import Check, graded, lasting
from crossdock.errors import Misconfigured
from crossdock.runtime.hub import Hub
from crossdock.runtime.postgres import MAJOR
from crossdock.store import migrate
from crossdock.store.ledger_law import differences
from crossdock.store.pool import Connection

SKEW_SECONDS = (1.0, 10.0)
"""(worth a warning, wrong): signatures of partners count time in minutes, people in seconds."""
OPEN_SECONDS = (5.0, 60.0)
"""How old a transaction that writes may be: readers of the log wait for the oldest one of the whole cluster."""
_OLDEST = """
select coalesce(datname, '') as database, coalesce(usename, '') as who, coalesce(application_name, '') as program, pid,
    extract(epoch from clock_timestamp() - xact_start)::float8 as seconds
from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid() and xact_start is not null
union all
select database, owner, 'prepared transaction ' || gid, 0, extract(epoch from clock_timestamp() - prepared)::float8
from pg_prepared_xacts
order by seconds desc limit 1
"""


async def examine(connection: Connection, hub: Hub) -> AsyncIterator[Check]:
    """In the order in which one explains the next."""
    yield await _version(connection)
    yield await _schema(connection)
    yield await _durable(connection)
    if hub.settings.database_url:
        yield await _standby(connection)
    yield await _oldest(connection)
    yield await _ledger(connection)
    yield await _skew(connection)


async def _version(connection: Connection) -> Check:
    text, number = await connection.fetchval("show server_version"), connection.get_server_version().major
    if number < MAJOR:
        return Check("fail", "PostgreSQL", f"version {text}", f"PostgreSQL {MAJOR} or newer is needed.")
    return Check("ok", "PostgreSQL", f"version {text}")


async def _schema(connection: Connection) -> Check:
    if await connection.fetchval("select to_regclass('schema_migration')") is None:
        return Check("warn", "schema", "the database is empty", "`crossdock up` makes the tables.")
    try:
        pending = await migrate.pending(connection)
    except Misconfigured as error:
        return Check(
            "fail", "schema", error.reason, "Install the release that wrote it, or restore a backup."
        )
    if pending:
        names = ", ".join(m.name for m in pending)
        return Check(
            "fail", "schema", f"not applied: {names}", "crossdock migrate up, or restart with crossdock up."
        )
    return Check("ok", "schema", f"current ({migrate.known()[-1].name})")


async def _durable(connection: Connection) -> Check:
    names = ("fsync", "full_page_writes", "synchronous_commit", "data_checksums")
    found = {name: await connection.fetchval("select current_setting($1)", name) for name in names}
    off = [name for name in names[:3] if found[name] == "off"]
    if off:
        return Check(
            "fail", "durability", f"{', '.join(off)} off: what was answered for can be lost", "Switch it on."
        )
    if found["data_checksums"] != "on":
        return Check("warn", "durability", "no data checksums: a disk that lies is not found out", "Stop PostgreSQL, then pg_checksums --enable.")  # fmt: skip
    return Check("ok", "durability", f"synchronous_commit {found['synchronous_commit']}, data checksums on")


async def _standby(connection: Connection) -> Check:
    if await connection.fetchval("select pg_is_in_recovery()"):
        return Check(
            "fail",
            "standby",
            "database_url leads to a standby, which takes no writes",
            "Point it to the primary.",
        )
    names = await connection.fetchval("show synchronous_standby_names")
    standbys = await connection.fetch("select application_name, sync_state from pg_stat_replication")
    synchronous = [row["application_name"] for row in standbys if row["sync_state"] in ("sync", "quorum")]
    remedy = "If a standby may take over, name it in synchronous_standby_names, or acknowledged events can be lost."
    if not names and standbys:
        return Check("warn", "standby", f"{len(standbys)} standby, none of them synchronous", remedy)
    if not names:
        return Check("ok", "standby", "none is connected; one that may take over must be synchronous")
    if not synchronous:
        return Check("fail", "standby", f"synchronous_standby_names is {names}, and no such standby is connected: commits wait", "Start the standby, or take its name out.")  # fmt: skip
    return Check("ok", "standby", f"synchronous: {', '.join(synchronous)}")


async def _oldest(connection: Connection) -> Check:
    row = await connection.fetchrow(_OLDEST)
    if row is None or row["seconds"] <= OPEN_SECONDS[0]:
        return Check("ok", "open transactions", "none is old: readers of the log are not held up")
    whose = f"{row['program'] or 'a session'} of {row['who']} in database {row['database']}, pid {row['pid']}"
    text = f"{whose} has been writing for {lasting(row['seconds'])}: no event younger than it is processed"
    level = graded(row["seconds"], OPEN_SECONDS)
    return Check(
        level, "open transactions", text, f"Let it end, or: select pg_terminate_backend({row['pid']})"
    )


async def _skew(connection: Connection) -> Check:
    before = datetime.now(UTC)
    there = await connection.fetchval("select clock_timestamp()")
    after = datetime.now(UTC)
    skew = max((before - there).total_seconds(), (there - after).total_seconds(), 0.0)
    if skew > SKEW_SECONDS[0]:
        text = f"database and this machine differ by {skew:.1f} s"
        return Check(graded(skew, SKEW_SECONDS), "clocks", text, "Set both by NTP.")
    return Check("ok", "clocks", f"database and this machine differ by less than {max(skew, 0.1):.1f} s")


def unreachable(hub: Hub, error: Exception) -> Check:
    """Why the rest cannot be looked at."""
    if not hub.settings.database_url:
        return Check("skip", "database", "the hub's own PostgreSQL runs with the hub only: leases, lag and schema were not looked at")  # fmt: skip
    reason = str(error) or type(error).__name__
    return Check(
        "fail",
        "database",
        f"does not answer: {reason}",
        "See database_url, the network, and whether the database exists.",
    )


async def _ledger(connection: Connection) -> Check:
    """Reads every stock entry there is; one too big to be read in 20 s is passed over."""
    if await connection.fetchval("select to_regclass('stock_opening')") is None:
        return Check("skip", "ledger", "its tables are not there yet")
    try:
        found = await differences(connection)
    except asyncpg.QueryCanceledError:
        return Check("skip", "ledger", "too many entries to be added up in 20 s")
    if not found:
        return Check(
            "ok", "ledger", "its entries add up to every balance, and open claims to what is claimed"
        )
    return Check(
        "fail", "ledger", f"{len(found)} differences: {found[0]}",
        "Somebody wrote to its tables past the hub: find out who, and correct it by a stock.adjusted event.",
    )  # fmt: skip
