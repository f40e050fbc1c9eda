"""Access keys, console sessions, operator actions, and the ring of deliveries that failed authentication."""

from datetime import datetime

import msgspec

from crossdock.access.sealing import HubKey
from crossdock.access.tokens import Identity, Key, hash_token, new_token
from crossdock.store.pool import Connection

RING = 10_000


async def create_key(
    connection: Connection, hub: HubKey, name: str, scopes: list[str], expires_at: datetime | None = None
) -> str:
    """Make a key; the returned token is shown once and kept nowhere."""
    identifier, token = new_token()
    await connection.execute(
        "insert into access_key (id, hash, name, scopes, expires_at) values ($1, $2, $3, $4, $5)",
        identifier, hash_token(hub, token), name, scopes, expires_at,
    )  # fmt: skip
    return token


class KeyRow(msgspec.Struct, frozen=True):
    """A key as lists show it: nothing in it lets anybody in."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


_KEY = "id, name, scopes, created_at, expires_at, revoked_at"


async def keys(connection: Connection) -> list[KeyRow]:
    """All that ever were, oldest first."""
    rows = await connection.fetch(f"select {_KEY} from access_key order by created_at, id")
    return [KeyRow(**dict(row)) for row in rows]


async def revoke_key(connection: Connection, id_: str) -> KeyRow | None:
    """From now on it lets nobody in; None where there is no such key. One revoked before keeps its time."""
    row = await connection.fetchrow(
        f"update access_key set revoked_at = coalesce(revoked_at, clock_timestamp()) where id = $1 returning {_KEY}",
        id_,
    )
    return KeyRow(**dict(row)) if row else None


async def live_keys(connection: Connection) -> dict[str, Key]:
    rows = await connection.fetch(
        "select id, hash, name, scopes, expires_at from access_key where revoked_at is null"
    )
    return {
        row["id"]: Key(
            Identity(row["id"], row["name"], frozenset(row["scopes"])), row["hash"], row["expires_at"]
        )
        for row in rows
    }


async def note_rejected(connection: Connection, system: str, reason: str, size: int) -> None:
    """Metadata only, the newest 10,000: what fails authentication must not fill the disk."""
    await connection.execute(
        "insert into rejected_delivery (place, system, reason, size)"
        " values ((extract(epoch from clock_timestamp()) * 1000)::bigint % $4, $1, $2, $3)"
        " on conflict (place) do update set at = clock_timestamp(), system = excluded.system,"
        " reason = excluded.reason, size = excluded.size",
        system[:100], reason[:300], size, RING,
    )  # fmt: skip


async def note_action(
    connection: Connection, who: str, action: str, target: str, reason: str, **detail: object
) -> None:  # fmt: skip
    """Every action of a person stands here, with its reason."""
    await connection.execute(
        "insert into operator_action (who, action, target, reason, detail) values ($1, $2, $3, $4, $5)",
        who, action, target, reason, msgspec.json.encode(detail).decode(),
    )  # fmt: skip
