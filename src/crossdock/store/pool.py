"""Connections. Every writer's session carries the time-outs that keep one slow transaction from stalling all readers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Connection = asyncpg.Connection

T = TypeVar("T")

SESSION = {
    "transaction_timeout": "5s",
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "4s",
    "timezone": "UTC",
    "search_path": "public",
    "application_name": "crossdock",
    "jit": "off",
}

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,
    ConnectionError,
    TimeoutError,
    OSError,
)
"""The database is away or a session was cut: wait and try again; a commit under way may or may not have happened."""


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "xid8", schema="pg_catalog", format="binary",
        encoder=lambda value: value.to_bytes(8, "big"), decoder=lambda data: int.from_bytes(data, "big"),
    )  # fmt: skip


async def connect(dsn: str) -> asyncpg.Connection:
    connection = await asyncpg.connect(dsn, server_settings=SESSION, timeout=10, command_timeout=30)
    await _prepare(connection)
    return connection


async def _keep(_: object) -> None:
    """Nothing of ours outlives a statement or a transaction (no listening, no session settings, no advisory locks):
    asking the server to forget it would cost a round trip with every release.
    """


async def open_pool(dsn: str, *, size_max: int = 8) -> asyncpg.Pool:
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size_max,
        server_settings=SESSION,
        timeout=10,
        command_timeout=30,
        init=_prepare,
        reset=_keep,
    )


def as_text(value: bytes) -> str:
    """A bytea as it is written within a JSON text."""
    return "\\x" + value.hex()


async def until_served(action: Callable[[], Awaitable[T]], *, pause_seconds: float = 0.1) -> T:
    """Repeat `action` until the database answers; for work that may be repeated."""
    while True:
        try:
            return await action()
        except LOST:
            await asyncio.sleep(pause_seconds)
