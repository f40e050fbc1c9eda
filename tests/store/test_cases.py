"""The exception queue: one open case per cause, closed when nothing is blocked by it any more."""

import asyncio

import asyncpg

from crossdock.model.thread import hash16
from crossdock.processes.intents import CloseCase, OpenCase
from crossdock.store import cases
from store.conftest import Connect


def opened(thread: str, fingerprint: str = "credit/sap-1", key: str = "hold") -> cases.Change:
    case = OpenCase(fingerprint, "value", "credit", "Credit refused", "Order #1", "finance", key)
    return hash16(thread), thread, case


def closed(thread: str, key: str = "hold") -> cases.Change:
    return hash16(thread), thread, CloseCase(key, "released")


async def apply(connection: asyncpg.Connection, *changes: cases.Change) -> None:
    async with connection.transaction():
        await cases.apply(connection, changes)


async def states(connection: asyncpg.Connection) -> list[tuple[str, int]]:
    return [tuple(row) for row in await connection.fetch("select state, recurrences from cases order by id")]


async def test_one_cause_is_one_case(connection: asyncpg.Connection) -> None:
    """Two orders held for the same reason are one thing to settle."""
    await apply(connection, opened("order/a/1"), opened("order/a/2"))

    assert await states(connection) == [("open", 2)]
    assert await connection.fetchval("select count(*) from case_link where closed_at is null") == 2


async def test_it_closes_with_the_last_thing_it_blocks(connection: asyncpg.Connection) -> None:
    """And says why; not before."""
    await apply(connection, opened("order/a/1"), opened("order/a/2"))

    await apply(connection, closed("order/a/1"))
    assert await states(connection) == [("open", 2)]
    await apply(connection, closed("order/a/2"))

    assert await states(connection) == [("closed", 2)]
    assert await connection.fetchval("select closed_because from cases") == "released"


async def test_a_cause_that_comes_back_is_a_new_case(connection: asyncpg.Connection) -> None:
    """The closed one stays as it was."""
    await apply(connection, opened("order/a/1"))
    await apply(connection, closed("order/a/1"))

    await apply(connection, opened("order/a/1"))

    assert await states(connection) == [("closed", 1), ("open", 1)]


async def test_the_same_thread_blocked_again_reopens_its_link(connection: asyncpg.Connection) -> None:
    """While another keeps the case open."""
    await apply(connection, opened("order/a/1"), opened("order/a/2"))
    await apply(connection, closed("order/a/1"))

    await apply(connection, opened("order/a/1"))

    assert await connection.fetchval("select count(*) from case_link where closed_at is null") == 2


async def test_closing_what_is_not_open_changes_nothing(connection: asyncpg.Connection) -> None:
    """Another key, another thread."""
    await apply(connection, opened("order/a/1"))

    await apply(connection, closed("order/a/1", "other"), closed("order/a/9"))

    assert await states(connection) == [("open", 1)]


async def test_the_last_word_of_a_batch_counts(connection: asyncpg.Connection) -> None:
    """Closed and opened again in one batch it is open, by its new cause; opened and closed it is closed."""
    await apply(connection, opened("order/a/1", "first"))

    await apply(connection, closed("order/a/1"), opened("order/a/1", "second"))
    assert await states(connection) == [("closed", 1), ("open", 1)]

    await apply(connection, opened("order/a/1", "lost"), closed("order/a/1"), opened("order/a/1", "second"))
    assert await states(connection) == [("closed", 1), ("closed", 1), ("open", 1)]

    await apply(connection, closed("order/a/1"))
    await apply(connection, opened("order/a/1", "third"), closed("order/a/1"))
    assert await states(connection) == [("closed", 1)] * 4


async def test_many_at_once_are_still_one_case(another: Connect) -> None:
    """Batches of several workers meet the same cause in any order, without a deadlock."""
    connections = [await another() for _ in range(6)]
    causes = [f"cause-{n}" for n in range(5)]

    async def some(worker: int) -> None:
        turn = causes[worker % 5 :] + causes[: worker % 5]
        for number in range(4):
            await apply(
                connections[worker], *(opened(f"order/{worker}/{number}", cause, cause) for cause in turn)
            )

    await asyncio.gather(*(some(w) for w in range(6)))

    assert await states(connections[0]) == [("open", 24)] * 5
