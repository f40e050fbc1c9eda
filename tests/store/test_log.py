"""The log: whatever commits late is still read, in one order, once."""

import asyncio
import random

import asyncpg
import pytest

from crossdock.store import log
from crossdock.store.segments import current_segment
from store.conftest import Connect
from store.entries import Follower, append, item


async def test_a_late_commit_is_not_skipped(another: Connect) -> None:
    """The first transaction began earlier and commits later: a reader in between waits rather than pass it."""
    early, late, reader = await another(), await another(), Follower(await another())
    slow = early.transaction()
    await slow.start()
    await log.append(early, [item("stock/S/early", "early")], current_segment())
    await append(late, item("stock/S/late", "late"))

    await reader.read()
    assert reader.seen == []

    await slow.commit()
    await reader.read()
    assert sorted(reader.seen) == ["early", "late"]


async def test_a_rolled_back_append_leaves_no_gap(another: Connect) -> None:
    """What never committed is passed over, and blocks nobody."""
    failing, other, reader = await another(), await another(), Follower(await another())
    lost = failing.transaction()
    await lost.start()
    await log.append(failing, [item("stock/S/lost", "lost")], current_segment())
    await append(other, item("stock/S/kept", "kept"))
    await lost.rollback()

    await reader.read()

    assert reader.seen == ["kept"]


async def test_a_long_reader_blocks_nobody(another: Connect) -> None:
    """A transaction that only reads has no place in the order of writers."""
    idle, writer, reader = await another(), await another(), Follower(await another())
    async with idle.transaction():
        await idle.fetchval("select count(*) from event")
        await append(writer, item("stock/S/1", "a"))
        await reader.read()

    assert reader.seen == ["a"]


async def appender(
    connection: asyncpg.Connection, number: int, rng: random.Random, wanted: list[str]
) -> None:
    """Transactions of any length and number of events, some of them given up."""
    for turn in range(25):
        names = [f"{number}-{turn}-{n}" for n in range(rng.randint(1, 4))]
        work = connection.transaction()
        await work.start()
        for name in names:
            await log.append(connection, [item(f"stock/S/{rng.randint(1, 8)}", name)], current_segment())
            await asyncio.sleep(rng.choice((0, 0, 0.001, 0.004)))
        if rng.random() < 0.15:
            await work.rollback()
        else:
            await work.commit()
            wanted += names


@pytest.mark.parametrize("seed", [1, random.randrange(10**6)], ids=["seed 1", "any seed"])
async def test_a_follower_reads_all_of_many_writers_once(another: Connect, seed: int) -> None:
    """Six writers at once, a reader all the time: every committed event exactly once, no cursor ever moves back."""
    rng, wanted = random.Random(seed), list[str]()
    reader = Follower(await another())
    writers = [
        asyncio.create_task(appender(await another(), n, random.Random(rng.random()), wanted))
        for n in range(6)
    ]

    while not all(w.done() for w in writers):
        await reader.read(per_partition=rng.randint(1, 5))
    await asyncio.gather(*writers)
    while await reader.read():
        pass

    assert sorted(reader.seen) == sorted(wanted), f"seed {seed}"
    assert len(wanted) > 100


async def test_one_thread_is_read_in_the_order_of_its_commits(another: Connect) -> None:
    """Appends that wait for each other's commit come out in that order."""
    writer, reader = await another(), Follower(await another())
    for number in range(30):
        await append(writer, item("stock/S/one", f"{number:02}"))

    await reader.read(per_partition=7)
    while await reader.read(per_partition=7):
        pass

    assert reader.seen == [f"{n:02}" for n in range(30)]


async def test_duplicates_are_decided_by_the_database(another: Connect) -> None:
    """Same id and body: duplicate. Same id, another body: kept under an id of its own, once."""
    first, second = await another(), await another()

    assert await append(first, item("stock/S/1", "x")) == ["new"]
    assert await append(second, item("stock/S/1", "x")) == ["duplicate"]
    assert await append(second, item("stock/S/1", "x", body=b"2")) == ["different"]
    assert await append(first, item("stock/S/1", "x", body=b"2")) == ["duplicate"]
    assert await append(first, item("stock/S/1", "x", source="others")) == ["new"]

    rows = await first.fetch("select event_id, source from event order by id")
    assert len(rows) == 3
    assert len({(r["event_id"], r["source"]) for r in rows}) == 3
    assert await first.fetchval("select seen from dedupe where event_id = 'x' and key = $1", log.dedupe_key("tests", "x")) == 4  # fmt: skip


async def test_one_group_may_hold_the_same_id_twice(connection: asyncpg.Connection) -> None:
    """Group commit meets copies of one delivery in the same transaction."""
    verdicts = await append(
        connection, item("stock/S/1", "x"), item("stock/S/1", "x"), item("stock/S/1", "x", body=b"2")
    )

    assert verdicts == ["new", "duplicate", "different"]
    assert await connection.fetchval("select count(*) from event") == 2


async def test_concurrent_copies_are_one_event(another: Connect) -> None:
    """Ten connections append the same source id at the same time."""
    connections = [await another() for _ in range(10)]

    verdicts = await asyncio.gather(*(append(c, item("stock/S/1", "x", events=3)) for c in connections))

    assert sorted(v for [v] in verdicts) == ["duplicate"] * 9 + ["new"]
    assert await connections[0].fetchval("select count(*) from event") == 3


async def test_opposite_orders_do_not_deadlock(another: Connect) -> None:
    """Keys are locked sorted, so groups that share ids in any order wait instead of dying."""
    left, right = await another(), await another()
    names = [f"k{n}" for n in range(40)]

    for turn in range(10):
        await asyncio.gather(
            append(left, *(item("stock/S/1", f"{turn}{n}") for n in names)),
            append(right, *(item("stock/S/1", f"{turn}{n}") for n in reversed(names))),
        )

    assert await left.fetchval("select count(*) from event") == 400
