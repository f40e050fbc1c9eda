"""Holds: what people keep from being sent, and which effects each of them covers.

A hold says nothing of what was sent already, and lifting one repeats nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal, Protocol
from uuid import UUID

import asyncpg
import msgspec

from crossdock.model.thread import hash16
from crossdock.processes.order_state import State as Order
from crossdock.store.effects import State, lane_of
from crossdock.store.pool import Connection

Mode = Literal["hold", "pause", "drain"]
Scope = Literal["target", "key", "system", "item", "cause"]
"""target: effects to this system. key: effects of this thread, or of this lane. system: effects of the threads that this
system's messages began. item: releases of orders that have it. cause: retries of what this cause of cases stopped.
"""
Mark = tuple[Literal["item", "cause"], str]
"""What is to be known of an effect beyond its own row, to tell whether a hold by item or cause covers it."""

CURRENT_MAX: Final = 1000
RELEASE: Final = "warehouse_order.release"
"""Sets work on an order's items going; before it, an item can be held and nothing has to be undone."""
_decode_order = msgspec.msgpack.Decoder(Order).decode


class Hold(msgspec.Struct, frozen=True):
    """One hold that counts now."""

    id: int
    mode: Mode
    scope: Scope
    name: str
    kind: str
    up_to: int | None
    reason: str
    owner: str
    who: str
    placed_at: datetime
    until_at: datetime | None
    """On the business clock."""
    ends_at: datetime | None
    """The same instant on the clock of everybody else."""
    version: int


class Waiting(Protocol):
    """An effect, as delivery or a view knows it. `seq` orders the journal."""

    @property
    def kind(self) -> str: ...
    @property
    def thread_key(self) -> str: ...
    @property
    def lane(self) -> bytes: ...
    @property
    def seq(self) -> int: ...
    @property
    def marks(self) -> tuple[Mark, ...]: ...


class Index:
    """The holds that can concern one account's effects, found by what an effect is."""

    def __init__(self, account: str, holds: Iterable[Hold]) -> None:
        self._by: dict[tuple[str, str | bytes], list[Hold]] = {}
        self._account = account
        for hold in holds:
            if hold.scope != "target" or hold.name == account:
                self._by.setdefault((hold.scope, hold.name), []).append(hold)
            if hold.scope == "key":
                self._by.setdefault(("lane", lane_of(account, hold.name)), []).append(hold)
        self.needs_marks = any(scope in ("item", "cause") for scope, _ in self._by)

    def __bool__(self) -> bool:
        return bool(self._by)

    def over(self, effect: Waiting) -> Hold | None:
        """The first hold that keeps this effect; None where it may go."""
        return next((hold for hold in self.all_over(effect)), None)

    def all_over(self, effect: Waiting) -> Iterable[Hold]:
        keys: list[tuple[str, str | bytes]] = [
            ("target", self._account), ("key", effect.thread_key), ("lane", effect.lane),
            ("system", _second(effect.thread_key)), *effect.marks,
        ]  # fmt: skip
        for key in keys:
            for hold in self._by.get(key, ()):
                if hold.kind in ("", effect.kind) and (hold.up_to is None or effect.seq > hold.up_to):
                    yield hold


def _second(thread: str) -> str:
    """`order/shopify-eu/1042` → "shopify-eu": the system that a thread's key names."""
    parts = thread.split("/", 2)
    return parts[1] if len(parts) > 1 else ""


_BUSINESS_NOW = "u.clock_business_at + (clock_timestamp() - u.clock_real_at) * u.clock_rate"
_CURRENT = f"""
select h.id, h.mode, h.scope, h.name, h.kind, h.up_to, h.reason, h.owner, h.who, h.placed_at, h.until_at,
    u.clock_real_at + (h.until_at - u.clock_business_at) / u.clock_rate as ends_at, h.version
from hold h, hub u
where h.lifted_at is null and (h.until_at is null or h.until_at > {_BUSINESS_NOW}) order by h.id limit {CURRENT_MAX}
"""


async def current(connection: Connection) -> tuple[Hold, ...]:
    """Everything that is held now, oldest first."""
    return tuple(Hold(**dict(row)) for row in await connection.fetch(_CURRENT))


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A hold to be placed. `until_at` is on the business clock; `for_seconds` counts from now on it."""

    mode: Mode = "hold"
    scope: Scope
    name: str
    kind: str = ""
    reason: str
    owner: str
    who: str
    until_at: datetime | None = None
    for_seconds: int | None = None


_PLACE = f"""
insert into hold (mode, scope, name, kind, up_to, reason, owner, who, until_at)
select $1, $2, $3, $4, case when $1 = 'drain' then coalesce(pg_sequence_last_value(pg_get_serial_sequence('effect', 'seq')), 0) end,
    $5, $6, $7, coalesce($8::timestamptz, {_BUSINESS_NOW} + $9::int * interval '1 second')
from hub u returning id
"""


async def place(connection: Connection, wish: Wish) -> Hold | None:
    """Place a hold; of a target that is paused or drained already in the other way, that ends. None where it is so already,
    or where the hold would be over before it began.
    """
    async with connection.transaction():
        await _close_expired(connection)
        if wish.mode != "hold":
            found = await connection.fetchrow(
                "select id, mode from hold where name = $1 and mode <> 'hold' and lifted_at is null for update", wish.name
            )  # fmt: skip
            if found is not None and found["mode"] == wish.mode:
                return None
            if found is not None:
                await _lift(connection, found["id"], wish.who, f"it became a {wish.mode}")
        made = await connection.fetchval(
            _PLACE, wish.mode, wish.scope, wish.name, wish.kind, wish.reason, wish.owner, wish.who, wish.until_at,
            wish.for_seconds,
        )  # fmt: skip
        return next((hold for hold in await current(connection) if hold.id == made), None)


async def _close_expired(connection: Connection) -> None:
    """Those whose time is up are over without this; it only says so in their rows."""
    await connection.execute(
        f"update hold h set lifted_at = u.clock_real_at + (h.until_at - u.clock_business_at) / u.clock_rate, lifted_by = '',"
        f" lifted_because = 'its time was up', version = h.version + 1 from hub u"
        f" where h.lifted_at is null and h.until_at <= {_BUSINESS_NOW}"
    )


async def _lift(connection: Connection, id_: int, who: str, because: str) -> None:
    await connection.execute(
        "update hold set lifted_at = clock_timestamp(), lifted_by = $2, lifted_because = $3, version = version + 1 where id = $1",
        id_, who, because,
    )  # fmt: skip


Lifted = Literal["lifted", "over", "unknown", "changed"]


async def lift(
    connection: Connection, id_: int, who: str, because: str, version: int | None = None
) -> Lifted:
    """over: it had ended before. changed: it is not as the caller saw it (`version`)."""
    async with connection.transaction():
        await _close_expired(connection)
        row = await connection.fetchrow("select lifted_at, version from hold where id = $1 for update", id_)
        if row is None:
            return "unknown"
        if version is not None and row["version"] != version:
            return "changed"
        if row["lifted_at"] is not None:
            return "over"
        await _lift(connection, id_, who, because)
    return "lifted"


async def pause_of(connection: Connection, target: str) -> Hold | None:
    """The pause or drain of a target, if there is one."""
    found = await current(connection)
    return next((x for x in found if x.mode != "hold" and x.name == target), None)


async def marks_of(
    connection: Connection, effects: Sequence[Any]
) -> dict[UUID, tuple[Mark, ...]]:  # fmt: skip
    """What holds by item and by cause ask of these effects (`id`, `kind`, `thread_key`, `attempts` or `state`)."""
    found: dict[UUID, list[Mark]] = {}
    releases = [e for e in effects if e.kind == RELEASE and e.thread_key.startswith("order/")]
    if releases:
        items = await _items(connection, {e.thread_key for e in releases})
        for effect in releases:
            found.setdefault(effect.id, []).extend(("item", x) for x in items.get(effect.thread_key, ()))
    tried = {str(e.id): e.id for e in effects if e.attempts or e.state is not State.PENDING}
    if tried:
        rows = await connection.fetch(
            "select l.key, c.cause from case_link l join cases c on c.id = l.case_id"
            " where l.thread = any($1) and l.closed_at is null and l.key = any($2)",
            list({hash16(e.thread_key) for e in effects if str(e.id) in tried}), list(tried),
        )  # fmt: skip
        for row in rows:
            found.setdefault(tried[row["key"]], []).append(("cause", row["cause"]))
    return {id_: tuple(marks) for id_, marks in found.items()}


async def _items(connection: Connection, threads: set[str]) -> dict[str, set[str]]:
    rows = await connection.fetch(
        "select thread_key, state from thread_state where thread = any($1) and kind = 'order'",
        [hash16(thread) for thread in threads],
    )
    return {row["thread_key"]: {x.item for x in _decode_order(row["state"]).lines} for row in rows}


async def one(connection: Connection, id_: int) -> asyncpg.Record | None:
    """A hold's row, also of one that is over."""
    return await connection.fetchrow("select * from hold where id = $1", id_)
