"""Senders' running numbers: heard with their messages, folded once, kept as intervals, told as events."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from crossdock.runtime.gaps import look
from crossdock.store import log
from crossdock.store.segments import current_segment
from crossdock.views.gaps import Sender, read_gaps
from store.entries import item

KEY = ("wms-1", "SITE1")
AT_ONCE, LATER = {"wms-1": timedelta()}, {"wms-1": timedelta(hours=1)}


def numbered(number: int, body: bytes = b"1") -> log.Item:
    made = item("stock/S/1", f"SITE1-{number}", source="wms-1", body=body)
    made.number = (*KEY, number)
    return made


async def come(connection: asyncpg.Connection, *numbers: int, body: bytes = b"1") -> None:
    await log.append_at_once(connection, [numbered(n, body) for n in numbers], current_segment())


async def gaps(connection: asyncpg.Connection) -> tuple[Sender, list[tuple[int, int]]]:
    [sender] = await read_gaps(connection)
    return sender, [(gap.first, gap.last) for gap in sender.gaps]


async def said(connection: asyncpg.Connection) -> list[Mapping[str, Any]]:
    rows = await connection.fetch("select data from event where type = 'numbers.compared.v1' order by id")
    return [json.loads(row["data"]) for row in rows]


@pytest.mark.parametrize("way", [log.append, log.append_at_once])
async def test_a_number_is_heard_with_its_message_and_once(connection: asyncpg.Connection, way: Any) -> None:
    """Whichever way it is written; a duplicate says nothing, the same id with another body is a message of its own."""
    for one in ([numbered(1), numbered(2)], [numbered(2)], [numbered(2, b"2")]):
        async with connection.transaction():
            await way(connection, one, current_segment())

    heard = await connection.fetch("select number from number_heard order by id")
    assert [row["number"] for row in heard] == [1, 2, 2]


async def test_a_gap_is_named_and_closes_by_what_comes(connection: asyncpg.Connection) -> None:
    """It is an interval that splits; nothing of the numbers that came is kept; each change of it is told."""
    await come(connection, 41)
    assert await look(connection, AT_ONCE) == 0
    await come(connection, 46)
    assert await look(connection, AT_ONCE) == 1
    assert await look(connection, AT_ONCE) == 0
    await come(connection, 43)
    assert await look(connection, AT_ONCE) == 1
    sender, runs = await gaps(connection)

    assert (sender.missing, sender.awaited, sender.top, runs) == (3, 0, 46, [(42, 42), (44, 45)])
    assert await connection.fetchval("select count(*) from number_heard") == 0
    await come(connection, 45, 44, 42)
    await look(connection, AT_ONCE)
    assert (await gaps(connection))[1] == []
    assert [x["missing"] for x in await said(connection)] == [4, 3, 0]


async def test_what_is_merely_late_is_not_told(connection: asyncpg.Connection) -> None:
    """Nor is the order in which the first of all come."""
    await come(connection, 12, 10, 11)
    await look(connection, LATER)
    await come(connection, 15)
    assert await look(connection, LATER) == 0

    sender, runs = await gaps(connection)
    assert (sender.missing, sender.awaited, runs) == (0, 2, [])
    assert await said(connection) == []


async def test_a_sender_that_counts_anew_is_told_so(connection: asyncpg.Connection) -> None:
    """Not as five thousand gaps."""
    await come(connection, 5000, 5003)
    await look(connection, AT_ONCE)
    await come(connection, 1, 2, 3, 4)
    await look(connection, AT_ONCE)

    sender, runs = await gaps(connection)
    assert (sender.top, sender.missing, runs) == (4, 0, [])
    assert sender.anew is not None
    assert (sender.anew.from_number, sender.anew.to_number, sender.anew.missing) == (5003, 1, 2)
    assert [x.get("anew") for x in await said(connection)] == [None, [5003, 1, 2]]


async def test_the_last_of_all_is_missed_by_what_the_sender_counts(connection: asyncpg.Connection) -> None:
    """Its stock snapshot names the last message that it had sent; the next snapshot with the same changes nothing."""
    await come(connection, 8)
    await look(connection, AT_ONCE)
    for _ in range(2):
        await connection.execute(
            "insert into reconcile_run (system, asked_by, state, read_at, watermark) values ('wms-1', 'ann', 'done', clock_timestamp(), 10)"
        )
        await look(connection, AT_ONCE)

    sender, runs = await gaps(connection)
    assert (sender.missing, runs) == (2, [(9, 10)])
    await come(connection, 9, 10)
    await look(connection, AT_ONCE)
    assert (await gaps(connection))[1] == []
