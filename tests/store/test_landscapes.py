"""Versions of the landscape: recorded at a start, asked for, taken or given up; one of each at a time."""

import asyncpg
import pytest

from crossdock.errors import Conflict
from crossdock.store import landscapes
from crossdock.store.pool import connect

A, B = {"hub.yaml": {"roles": {"erp": "a"}}}, {"hub.yaml": {"roles": {"erp": "b"}}}


async def states(connection: asyncpg.Connection) -> list[str]:
    return [r["state"] for r in await connection.fetch("select state from landscape_version order by number")]


async def test_a_start_records_what_is_new(dsn: str) -> None:
    """The same landscape, however its keys are ordered, keeps its number; another gets one."""
    connection = await connect(dsn)
    first = await landscapes.start(connection, {"x": {"a": 1, "b": 2}})
    again = await landscapes.start(connection, {"x": {"b": 2, "a": 1}})
    second = await landscapes.start(connection, B)
    current = await landscapes.current(connection)

    assert (first, second > first) == (again, True)
    assert current is not None
    assert (current.number, current.documents) == (second, B)
    assert await states(connection) == ["past", "current"]
    await connection.close()


async def test_one_is_asked_for_at_a_time(dsn: str) -> None:
    """Taken it is current; given up it says why, and the one before stays."""
    connection = await connect(dsn)
    await landscapes.start(connection, A)
    number = await landscapes.ask(connection, B, "me", "because")
    with pytest.raises(Conflict, match="under way"):
        await landscapes.ask(connection, A, "me", "")
    await landscapes.fail(connection, number, "no")
    assert await landscapes.outcome(connection, number) == ("failed", "no")
    assert not await landscapes.settle(connection, number)
    taken = await landscapes.ask(connection, B, "me", "")
    assert await landscapes.settle(connection, taken)
    assert await states(connection) == ["past", "failed", "current"]
    await connection.close()


async def test_a_start_overtakes_what_was_asked_for(dsn: str) -> None:
    """Started with just that it is taken; started with anything else it has failed."""
    connection = await connect(dsn)
    await landscapes.start(connection, A)
    asked = await landscapes.ask(connection, B, "me", "")
    assert await landscapes.start(connection, B) == asked
    overtaken = await landscapes.ask(connection, A, "me", "")
    assert await landscapes.start(connection, B) == asked
    assert (await landscapes.outcome(connection, overtaken))[0] == "failed"
    assert await states(connection) == ["past", "current", "failed"]
    await connection.close()
