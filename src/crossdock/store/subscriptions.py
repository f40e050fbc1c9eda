"""Subscriptions: who follows for whom, how far each subscriber was told, and when it is tried again."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import asyncpg

from crossdock.errors import Fenced
from crossdock.store.feed import Place
from crossdock.store.pool import Connection


async def known(connection: Connection) -> set[str]:
    return {row["name"] for row in await connection.fetch("select name from subscription")}


async def begin(connection: Connection, name: str, fingerprint: bytes, place: Place) -> None:
    """A new subscription starts at a place; one that exists keeps its own."""
    await connection.execute(
        "insert into subscription (name, fingerprint, generation, xid, id, segment) values ($1, $2, $3, $4, $5, $6)"
        " on conflict do nothing",
        name, fingerprint, place.generation, place.xid, place.id, place.segment,
    )  # fmt: skip


async def claim(
    connection: Connection, owner: UUID, fingerprints: Mapping[str, bytes], lease_seconds: float
) -> set[str]:
    """Renew and take leases; returns those that are ours. A changed configuration is tried at once."""
    rows = await connection.fetch(
        "update subscription s set owner = $1, epoch = epoch + (owner is distinct from $1)::int,"
        " lease_until = clock_timestamp() + $4 * interval '1 second', fingerprint = n.fingerprint,"
        " next_at = case when s.fingerprint = n.fingerprint then next_at end,"
        " failing_since = case when s.fingerprint = n.fingerprint then failing_since end,"
        " disabled_at = case when s.fingerprint = n.fingerprint then disabled_at end"
        " from (select * from unnest($2::text[], $3::bytea[]) as u (name, fingerprint) order by name) n"
        " where s.name = n.name and (s.owner = $1 or s.owner is null or s.lease_until < clock_timestamp()) returning s.name",
        owner, list(fingerprints), list(fingerprints.values()), lease_seconds,
    )  # fmt: skip
    return {row["name"] for row in rows}


async def release(connection: Connection, owner: UUID) -> None:
    await connection.execute(
        "update subscription set owner = null, lease_until = '-infinity' where owner = $1", owner
    )


async def read(connection: Connection, name: str, owner: UUID) -> asyncpg.Record:
    """How it stands, with the epoch under which it may be written. Raises `Fenced` where it is no longer ours."""
    row = await connection.fetchrow(
        "select epoch, generation, xid, id, segment, attempts, disabled_at,"
        " extract(epoch from next_at - clock_timestamp())::float8 as wait from subscription where name = $1 and owner = $2",
        name, owner,
    )  # fmt: skip
    if row is None:
        raise Fenced(f"subscription {name} was taken over")
    return row


async def move(connection: Connection, name: str, epoch: int, place: Place, delivered: int) -> None:
    """Everything up to this place was delivered or not wanted."""
    done = await connection.execute(
        "update subscription set generation = $3, xid = $4, id = $5, segment = $6, delivered = delivered + $7,"
        " attempts = case when $7 > 0 then 0 else attempts end, next_at = case when $7 = 0 then next_at end,"
        " failing_since = case when $7 = 0 then failing_since end,"
        " last_success_at = case when $7 > 0 then clock_timestamp() else last_success_at end"
        " where name = $1 and epoch = $2",
        name, epoch, place.generation, place.xid, place.id, place.segment, delivered,
    )  # fmt: skip
    _ours(name, done)


async def fail(connection: Connection, name: str, epoch: int, reason: str, wait: timedelta | None) -> None:
    """Try again after `wait`; without one it is disabled."""
    done = await connection.execute(
        "update subscription set attempts = attempts + 1, next_at = clock_timestamp() + $4, last_failure = $3,"
        " failing_since = coalesce(failing_since, clock_timestamp()),"
        " disabled_at = case when $4::interval is null then clock_timestamp() end where name = $1 and epoch = $2",
        name, epoch, reason[:300], wait,
    )  # fmt: skip
    _ours(name, done)


def _ours(name: str, done: str) -> None:
    if done == "UPDATE 0":
        raise Fenced(f"subscription {name} was taken over")
