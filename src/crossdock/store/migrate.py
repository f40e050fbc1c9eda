"""Schema migrations: plain SQL files, each in one transaction, with a checksum, under an advisory lock."""

from dataclasses import dataclass
from hashlib import sha256
from importlib import resources

from crossdock.errors import Misconfigured
from crossdock.store.pool import Connection

_LOCK = 0x63726F73
_LEDGER = """
create table if not exists schema_migration (
    version integer primary key, name text not null, checksum text not null,
    applied_at timestamptz not null default clock_timestamp())
"""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


def known() -> list[Migration]:
    """All migrations of this release, oldest first."""
    folder = resources.files("crossdock.store") / "migrations"
    files = sorted(f.name for f in folder.iterdir() if f.name.endswith(".sql"))
    return [Migration(int(name[:4]), name, (folder / name).read_text()) for name in files]


async def pending(connection: Connection) -> list[Migration]:
    """What `up` would apply. Raises `Misconfigured` for a newer or an edited schema."""
    await connection.execute(_LEDGER)
    rows = await connection.fetch("select version, name, checksum from schema_migration")
    applied = {row["version"]: row for row in rows}
    migrations = known()
    newest = max(m.version for m in migrations)
    ahead = sorted(v for v in applied if v > newest)
    if ahead:
        raise Misconfigured(
            "database", f"its schema is newer ({ahead[-1]}) than this release ({newest}): upgrade crossdock"
        )
    for migration in migrations:
        row = applied.get(migration.version)
        if row is not None and row["checksum"] != migration.checksum:
            raise Misconfigured("database", f"migration {row['name']} was applied with another content")
    return [m for m in migrations if m.version not in applied]


async def up(connection: Connection) -> list[Migration]:
    """Apply what is pending; returns what was applied. Safe to run from many processes at once."""
    await connection.execute("select pg_advisory_lock($1)", _LOCK)
    try:
        todo = await pending(connection)
        for migration in todo:
            async with connection.transaction():
                await connection.execute("set local lock_timeout = '5s'; set local transaction_timeout = 0")
                await connection.execute(migration.sql)
                await connection.execute(
                    "insert into schema_migration (version, name, checksum) values ($1, $2, $3)",
                    migration.version, migration.name, migration.checksum,
                )  # fmt: skip
        return todo
    finally:
        await connection.execute("select pg_advisory_unlock($1)", _LOCK)
