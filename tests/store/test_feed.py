"""The feed: all partitions as one stream, in one order; nothing skipped, nothing repeated, and cursors that say whose they are."""

import asyncio
import random

import asyncpg
import pytest

from crossdock.store import feed, log
from crossdock.store.segments import current_segment
from store.conftest import Connect
from store.entries import append, item


async def follow(
    connection: asyncpg.Connection, place: feed.Place, limit: int = 100
) -> tuple[list[str], feed.Place]:
    """Everything that can be read from a place on; the order must only ever go up."""
    found, known = list[str](), await feed.log_of(connection)
    while True:
        before = (place.generation, place.xid, place.id)
        rows, place = await feed.read(connection, place, known, limit)
        keys = [(row["generation"], row["xid"], row["id"]) for row in rows]
        assert [before, *keys] == sorted({before, *keys})
        found += [row["event_id"] for row in rows]
        if not rows:
            return found, place


async def test_it_merges_partitions_in_the_order_of_commits(another: Connect) -> None:
    """Events of many threads come out as they were committed one after the other, whatever the size of a page."""
    connection = await another()
    wanted = [f"e-{n:03}" for n in range(300)]
    for name in wanted:
        await append(connection, item(f"stock/S/{name}", name))

    for limit in (1, 7, 100, 1000):
        assert (await follow(connection, feed.BEGINNING, limit))[0] == wanted


async def test_one_busy_thread_is_read_whole(another: Connect) -> None:
    """A partition that holds far more than its share of a page is neither skipped nor overtaken."""
    connection = await another()
    for n in range(40):
        await append(
            connection,
            *(item("stock/S/busy", f"busy-{n}-{m}") for m in range(5)),
            item(f"stock/S/{n}", f"other-{n}"),
        )

    found, _ = await follow(connection, feed.BEGINNING, 20)

    assert len(found) == len(set(found)) == 240


async def test_an_open_transaction_is_waited_for(another: Connect) -> None:
    """What committed after an older transaction began is held back until that one ends; then both come, once."""
    early, late, reader = await another(), await another(), await another()
    slow = early.transaction()
    await slow.start()
    await log.append(early, [item("stock/S/early", "early")], current_segment())
    await append(late, item("stock/S/late", "late"))

    found, place = await follow(reader, feed.BEGINNING)
    assert found == []

    await slow.commit()
    assert sorted((await follow(reader, place))[0]) == ["early", "late"]


async def _write(connection: asyncpg.Connection, number: int, rng: random.Random, wanted: list[str]) -> None:
    for turn in range(20):
        names = [f"{number}-{turn}-{n}" for n in range(rng.randint(1, 4))]
        async with connection.transaction():
            for name in names:
                await log.append(connection, [item(f"stock/S/{rng.randint(1, 40)}", name)], current_segment())
                await asyncio.sleep(rng.choice((0, 0, 0.001, 0.004)))
        wanted += names


@pytest.mark.parametrize("seed", [1, random.randrange(10**6)], ids=["seed 1", "any seed"])
async def test_a_follower_reads_all_of_many_writers_once(another: Connect, seed: int) -> None:
    """Six writers at once, a follower all the time: every committed event exactly once."""
    rng, wanted, seen = random.Random(seed), list[str](), list[str]()
    reader, place = await another(), feed.BEGINNING
    writers = [
        asyncio.create_task(_write(await another(), n, random.Random(rng.random()), wanted)) for n in range(6)
    ]
    while not all(w.done() for w in writers):
        found, place = await follow(reader, place, rng.randint(1, 30))
        seen += found
    await asyncio.gather(*writers)
    found, place = await follow(reader, place)

    assert sorted(seen + found) == sorted(wanted), f"seed {seed}"


async def test_now_and_the_newest(another: Connect) -> None:
    """`tip` is behind everything and before what comes; `before_newest` leaves the newest N, or all."""
    connection = await another()
    known = await feed.log_of(connection)
    assert await feed.before_newest(connection, known, 5) == feed.BEGINNING
    for n in range(30):
        await append(connection, item(f"stock/S/{n}", f"e-{n:02}"))
    place = await feed.tip(connection, current_segment())
    await append(connection, item("stock/S/new", "new"))

    assert (await follow(connection, place))[0] == ["new"]
    assert (await follow(connection, await feed.before_newest(connection, known, 3)))[0] == [
        "e-28",
        "e-29",
        "new",
    ]
    assert len((await follow(connection, await feed.before_newest(connection, known, 200)))[0]) == 31


async def test_a_cursor_says_whose_it_is(another: Connect) -> None:
    """It comes back as the place it was made of; garbage, another hub's and one of a later generation are told apart."""
    known = await feed.log_of(await another())
    place = feed.Place(1, 2**40, 2**50, 2968)

    assert known.place(known.cursor(place)) == place
    older = feed.Log(known.hub, known.generation + 1)
    assert older.place(known.cursor(place)) == place
    for text in ("", "x", "AAAA", known.cursor(place)[:-4], "ä" * 40, "!" * 40):
        with pytest.raises(feed.UnknownCursor) as wrong:
            known.place(text)
        assert wrong.value.garbage
    for other in (
        feed.Log(bytes(16), 1).cursor(place),
        known.cursor(feed.Place(known.generation + 1, 1, 1, 1)),
    ):
        with pytest.raises(feed.UnknownCursor) as strange:
            known.place(other)
        assert not strange.value.garbage
