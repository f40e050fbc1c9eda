"""Rows for the log, as intake would write them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg

from crossdock.model.thread import PARTITIONS, hash16, partition_of
from crossdock.store import log
from crossdock.store.effects import MODES, NewEffect, State, effect_id, lane_of
from crossdock.store.segments import current_segment


def item(
    thread: str, source_id: str, *, source: str = "tests", body: bytes = b"1", events: int = 1
) -> log.Item:
    """One source id with its events."""
    now = datetime.now(UTC)
    rows = [
        log.event_row(
            segment=current_segment(), generation=1, thread=thread, type_="stock.adjusted.v1",
            event_id=f"{source_id}#{n}" if events > 1 else source_id, source=source, occurred_at=now, data=b"{}",
        )
        for n in range(events)
    ]  # fmt: skip
    return log.Item(
        log.dedupe_key(source, source_id),
        hash16(body.decode()),
        source_id,
        (now + timedelta(days=30)).date(),
        rows,
    )


async def append(connection: asyncpg.Connection, *items: log.Item) -> list[str | None]:
    """Append in a transaction of its own; the verdicts."""
    async with connection.transaction():
        await log.append(connection, items, current_segment())
    return [one.verdict for one in items]


class Follower:
    """Reads the log as a worker does, from cursors that only move forward."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.cursors = {p: log.Cursor(p, 1, 0, 0, 0) for p in range(PARTITIONS)}
        self.seen: list[str] = []

    async def read(self, per_partition: int = 100) -> Sequence[asyncpg.Record]:
        found = await log.read(
            self.connection,
            list(self.cursors.values()),
            per_partition=per_partition,
            from_segment=0,
            generation=1,
        )
        for row in found.rows:
            before = self.cursors[row["p"]]
            assert (row["generation"], row["xid"], row["id"]) > (before.generation, before.xid, before.id)
            self.cursors[row["p"]] = log.Cursor(
                row["p"], row["generation"], row["xid"], row["id"], before.position + 1
            )
            self.seen.append(row["event_id"])
        return found.rows


def effect(
    thread: str, kind: str, object_: str, account: str = "sap-1", *, lane: str = "", generation: int = 0
) -> NewEffect:
    """A rendered effect whose identity follows from what it is about."""
    hashed = hash16(thread)
    return NewEffect(
        effect_id(thread, kind, object_, generation, account), partition_of(hashed), hashed, thread, kind, account, object_,
        generation, lane_of(account, lane or object_), MODES["ordered"], 5, State.PENDING, None, "sap_s4", b"sealed", None,
    )  # fmt: skip


def new_owner() -> object:
    return uuid4()
