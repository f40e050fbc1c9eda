"""The log as one stream: all partitions merged in the order (generation, xid, id), from a cursor on.

Only rows below the oldest open transaction are given, so nothing can appear behind a cursor: none is skipped, none repeated.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from crossdock.model.thread import PARTITIONS
from crossdock.store.pool import Connection

_PACKED = struct.Struct(">B4sHIQQ")
_VERSION = 1
_LAST_ID = 2**63 - 1
SHARE = 32
"""A partition gives this share of what is asked for, and at least `SHARE_MIN`; one that gives all it may bounds the answer."""
SHARE_MIN = 8
COLUMNS = (
    "generation", "xid", "id", "segment", "thread_key", "type", "event_id", "source", "sequence", "cause", "traceparent",
    "occurred_at", "recorded_at", "data", "effect",
)  # fmt: skip
_SELECT = ", ".join(COLUMNS)
_READ = f"""
select c.p, e.*, e.generation < $7 or e.xid < pg_snapshot_xmin(pg_current_snapshot()) as readable
from unnest($1::smallint[], $2::smallint[], $3::xid8[], $4::bigint[]) as c (p, generation, xid, id)
cross join lateral (
    select {_SELECT} from event
    where event.p = c.p and segment >= $6 and (generation, xid, id) > (c.generation, c.xid, c.id)
    order by generation, xid, id limit $5
) e
order by e.generation, e.xid, e.id
"""
_NEWEST = f"""
select e.* from generate_series(0, {PARTITIONS - 1}) as n (p)
cross join lateral (
    select generation, xid, id, segment from event
    where event.p = n.p::smallint order by generation desc, xid desc, id desc limit $1
) e
where e.generation < $2 or e.xid < pg_snapshot_xmin(pg_current_snapshot())
order by e.generation desc, e.xid desc, e.id desc limit $1
"""
_TIP = "select generation, pg_snapshot_xmin(pg_current_snapshot()) as xmin from hub"


class UnknownCursor(Exception):
    """Not a cursor at all (`garbage`), or one of a log that this hub has not got."""

    def __init__(self, reason: str, *, garbage: bool) -> None:
        super().__init__(reason)
        self.garbage = garbage


@dataclass(frozen=True, slots=True)
class Place:
    """How far a reader is; `segment` only spares older tables."""

    generation: int = 0
    xid: int = 0
    id: int = 0
    segment: int = 0


BEGINNING = Place()


@dataclass(frozen=True, slots=True)
class Log:
    """Which log this is: hub and generation."""

    hub: bytes
    generation: int

    def cursor(self, place: Place) -> str:
        """Opaque to whoever keeps it."""
        packed = _PACKED.pack(_VERSION, self.hub[:4], place.generation, place.segment, place.xid, place.id)
        return urlsafe_b64encode(packed).decode().rstrip("=")

    def place(self, cursor: str) -> Place:
        """Raises `UnknownCursor`."""
        try:
            packed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            version, hub, generation, segment, xid, id_ = _PACKED.unpack(packed)
        except (NotBase64, ValueError, struct.error):
            raise UnknownCursor("this is no cursor of a feed", garbage=True) from None
        if version != _VERSION or id_ > _LAST_ID:
            raise UnknownCursor("this is no cursor of a feed", garbage=True)
        if hub != self.hub[:4]:
            raise UnknownCursor("this cursor is of another hub's log", garbage=False)
        if generation > self.generation:
            raise UnknownCursor(f"this cursor is of log generation {generation}, this hub is at {self.generation}", garbage=False)  # fmt: skip
        return Place(generation, xid, id_, segment)


async def log_of(connection: Connection) -> Log:
    row = await connection.fetchrow("select hub_id, generation from hub")
    assert row is not None
    return Log(row["hub_id"].bytes, row["generation"])


async def read(
    connection: Connection, after: Place, log: Log, limit: int
) -> tuple[list[asyncpg.Record], Place]:
    """At most `limit` events after a place, and the place of the last one; fewer only where there are no more yet,
    or where one partition holds so many of them that a further look is needed.
    """
    share = max(SHARE_MIN, limit // SHARE)
    everywhere = [[value] * PARTITIONS for value in (after.generation, after.xid, after.id)]
    rows = await connection.fetch(
        _READ, list(range(PARTITIONS)), *everywhere, share, max(0, after.segment - 1), log.generation
    )
    found = _settled(rows, share)[:limit]
    return found, place_of(found[-1]) if found else after


def _settled(rows: Sequence[Any], share: int) -> list[Any]:
    """Without what an open transaction, or something that a partition still holds back, may come before."""
    given: dict[int, int] = {}
    for place, row in enumerate(rows):
        if not row["readable"]:
            return list(rows[:place])
        given[row["p"]] = given.get(row["p"], 0) + 1
        if given[row["p"]] == share:
            return list(rows[: place + 1])
    return list(rows)


def place_of(row: Any) -> Place:
    return Place(row["generation"], row["xid"], row["id"], row["segment"])


def behind(generation: int, xmin: int, segment: int) -> Place:
    """Behind everything that was settled when `xmin` was the oldest open transaction."""
    return Place(generation, xmin - 1, _LAST_ID, segment)


async def tip(connection: Connection, segment: int) -> Place:
    """Behind everything that can be read now."""
    row = await connection.fetchrow(_TIP)
    assert row is not None
    return behind(row["generation"], row["xmin"], segment)


async def before_newest(connection: Connection, log: Log, count: int) -> Place:
    """After this place come the newest `count` events, or all where there are fewer."""
    rows = await connection.fetch(_NEWEST, count, log.generation)
    if not rows:
        return BEGINNING
    oldest = place_of(rows[-1])
    return Place(oldest.generation, oldest.xid, oldest.id - 1, oldest.segment)
