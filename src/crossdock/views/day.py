"""Closing a day: what each system confirmed of what another said, in counts and values, and whose move it is where they differ.

It is the hub's own knowledge of what the systems told and answered; the systems' own books are compared by reconciliation.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from crossdock.model.registry import decode
from crossdock.processes.order_state import State as Order
from crossdock.processes.shipment_state import State as Shipment
from crossdock.store.pool import Connection
from crossdock.store.segments import segment_at
from crossdock.views.day_ties import Difference, Ledger, Tie, Whose
from crossdock.views.names import Names
from crossdock.views.sql import blocks

STRAYS_MAX: Final = 500
ROWS_AT_ONCE: Final = 2000
_order = msgspec.msgpack.Decoder(Order).decode
_shipment = msgspec.msgpack.Decoder(Shipment).decode


class Day(msgspec.Struct, frozen=True):
    """`ties` are pairs that should say the same; `differences` is what is missing, what needs a person first."""

    date: date
    zone: str
    since: datetime
    until: datetime
    as_of: datetime
    ties: tuple[Tie, ...]
    differences: tuple[Difference, ...]
    is_over: bool


async def read_day(
    connection: Connection, day: date, zone: str, names: Names, suppliers: frozenset[str] = frozenset()
) -> Day:  # fmt: skip
    """Of one instant. Objects of the day, and whatever of earlier days is not settled."""
    since = datetime.combine(day, time(), ZoneInfo(zone))
    until = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone))
    span = (segment_at(since) - 1, segment_at(until), since, until)
    sql = blocks("day.sql")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        as_of = await connection.fetchval("select clock_timestamp()")
        placed = {row["thread"] for row in await connection.fetch(sql["placed"], *span)}
        ledger = Ledger(names, suppliers)
        issues: dict[bytes, set[str]] = {}
        async for rows in _pages(connection, sql["threads"], ["order", "shipment"], *span):
            cases = await _cases(connection, sql["cases"], [row["thread"] for row in rows])
            for row in rows:
                whose = Whose(row["waiting_on"], row["waiting_since"], row["owner"], cases.get(row["thread"]))
                if row["kind"] == "order":
                    state = _order(row["state"])
                    known = ((part.goods_issue, *part.reversed) for part in state.parts)
                    issues[row["thread"]] = {document for documents in known for document in documents}
                    ledger.order(row["thread_key"], state, whose, counts=row["thread"] in placed)
                else:
                    ledger.shipment(row["thread_key"], _shipment(row["state"]), whose)
        for row in await connection.fetch(sql["issued"], *span):
            data: Any = decode("goodsIssue.posted.v1", row["data"])
            if data.document not in issues.get(row["thread"], {data.document}):
                ledger.issued_unshipped(row["thread_key"], data.document, row["recorded_at"])
        for row in await connection.fetch(sql["strays"], STRAYS_MAX):
            ledger.stray(row["thread_key"], row["waiting_since"])
    ties, differences = ledger.close()
    return Day(day, zone, since, until, as_of, ties, differences, as_of >= until)


async def _pages(connection: Connection, sql: str, *values: Any) -> AsyncIterator[list[Any]]:
    cursor = await connection.cursor(sql, *values)
    while rows := await cursor.fetch(ROWS_AT_ONCE):
        yield rows


async def _cases(connection: Connection, sql: str, threads: list[bytes]) -> Mapping[bytes, Any]:
    """The oldest open case of each thread."""
    return {row["thread"]: row for row in await connection.fetch(sql, threads)}
