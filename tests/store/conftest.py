"""A real PostgreSQL of the tests' own, and a fresh database with today's schema for every test."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

import asyncpg
import pytest

from crossdock.runtime.postgres import Place, Postgres, place_for
from crossdock.store import migrate, segments
from crossdock.store.pool import connect

_numbers = count(1)


@dataclass
class Server:
    """The server's place; `dsn` leads to one of its databases."""

    place: Place

    def dsn(self, database: str) -> str:
        return self.place.dsn.replace("/crossdock?", f"/{database}?")

    async def run(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.dsn("postgres"))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Started by the hub's own supervisor; the template database holds the schema and this week's segments."""
    place = place_for(tmp_path_factory.mktemp("store"), None)
    postgres = Postgres(place)
    postgres.prepare()
    asyncio.run(postgres.start())
    try:
        made = Server(place)
        asyncio.run(_make_template(made))
        yield made
    finally:
        asyncio.run(postgres.stop())
        shutil.rmtree(place.data.parent, ignore_errors=True)
        shutil.rmtree(place.sockets, ignore_errors=True)


async def _make_template(server: Server) -> None:
    await server.run("create database template_hub")
    connection = await connect(server.dsn("template_hub"))
    await migrate.up(connection)
    await segments.ensure(connection, datetime.now(UTC))
    await connection.close()


@pytest.fixture
async def dsn(server: Server) -> AsyncIterator[str]:
    """A database of this test alone, with the schema in it."""
    name = f"test_{next(_numbers)}"
    await server.run(f"create database {name} template template_hub")
    yield server.dsn(name)
    await server.run(f"drop database {name} with (force)")


@pytest.fixture
async def empty_dsn(server: Server) -> AsyncIterator[str]:
    """A database of this test alone, with nothing in it."""
    name = f"test_{next(_numbers)}"
    await server.run(f"create database {name} template template0")
    yield server.dsn(name)
    await server.run(f"drop database {name} with (force)")


Connect = Callable[[], Awaitable[asyncpg.Connection]]


@pytest.fixture
async def another(dsn: str) -> AsyncIterator[Connect]:
    """Opens connections to the test's database as the hub does; all are closed at the end."""
    opened: list[asyncpg.Connection] = []

    async def make() -> asyncpg.Connection:
        opened.append(await connect(dsn))
        return opened[-1]

    yield make
    for connection in opened:
        connection.terminate()


@pytest.fixture
async def connection(another: Connect) -> asyncpg.Connection:
    return await another()
