"""Corrections and the rules that were made of them. A correction changes only while its version is the one that was seen."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg
import msgspec

from crossdock.access.tokens import Identity
from crossdock.errors import Conflict
from crossdock.store.pool import Connection

Kind = Literal["message", "event", "code"]
LIST_MAX = 200


class Correction(msgspec.Struct, frozen=True):
    """A record of its own: what it corrects is kept as it came."""

    id: int
    kind: Kind
    target: str
    thread_key: str
    system: str
    channel: str
    content: UUID
    state: Literal["proposed", "approved", "applied", "rejected"]
    version: int
    reason: str
    proposed_by: str
    proposed_key: str
    proposed_at: datetime
    decided_by: str | None
    decided_key: str | None
    decided_at: datetime | None
    decided_because: str | None
    gave: list[str]


_COLUMNS = ", ".join(field.name for field in msgspec.structs.fields(Correction))


class Wish(msgspec.Struct, frozen=True):
    """What is proposed; `content` is the kept message that holds the corrected body."""

    kind: Kind
    target: str
    thread_key: str
    system: str
    channel: str
    content: UUID
    reason: str


async def propose(connection: Connection, wish: Wish, who: Identity) -> Correction:
    """Raises `Conflict` where one waits already."""
    try:
        row = await connection.fetchrow(
            "insert into correction (kind, target, thread_key, system, channel, content, reason, proposed_by, proposed_key)"
            f" values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning {_COLUMNS}",
            wish.kind, wish.target, wish.thread_key, wish.system, wish.channel, wish.content, wish.reason, who.name, who.id,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:
        raise Conflict("a correction of this waits already: approve or reject it first") from None
    assert row is not None
    return Correction(**dict(row))


async def find(connection: Connection, number: int) -> Correction | None:
    row = await connection.fetchrow(f"select {_COLUMNS} from correction where id = $1", number)
    return Correction(**dict(row)) if row else None


async def newest(
    connection: Connection, *, state: str = "", target: str = "", before: int = 0, limit: int = 50
) -> list[Correction]:
    """Newest first; `before` is the last number of the page before."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from correction where ($1 = '' or state = $1) and ($2 = '' or target = $2)"
        " and ($3::bigint = 0 or id < $3) order by id desc limit $4",
        state, target, before, max(1, min(limit, LIST_MAX)),
    )  # fmt: skip
    return [Correction(**dict(row)) for row in rows]


async def decide(
    connection: Connection,
    seen: Correction,
    state: Literal["approved", "rejected"],
    who: Identity,
    because: str,
) -> Correction:
    """Raises `Conflict` where somebody else was faster."""
    row = await connection.fetchrow(
        "update correction set state = $3, version = version + 1, decided_by = $4, decided_key = $5, decided_because = $6,"
        f" decided_at = clock_timestamp() where id = $1 and version = $2 and state = 'proposed' returning {_COLUMNS}",
        seen.id, seen.version, state, who.name, who.id, because,
    )  # fmt: skip
    if row is None:
        raise Conflict(f"correction K-{seen.id} was changed meanwhile: look again")
    return Correction(**dict(row))


async def applied(connection: Connection, number: int, gave: Sequence[str]) -> Correction:
    """It was taken in; to say so twice is harmless."""
    row = await connection.fetchrow(
        f"update correction set state = 'applied', version = version + 1, gave = $2 where id = $1 returning {_COLUMNS}",
        number, list(gave),
    )  # fmt: skip
    assert row is not None
    return Correction(**dict(row))


class Rule(msgspec.Struct, frozen=True):
    """At `path` (`*` for any position of a list) of this channel's JSON, `from_value` is read as `to_value`."""

    id: int
    system: str
    channel: str
    path: str
    from_value: str
    to_value: str
    correction: int
    reason: str
    promoted_by: str
    promoted_at: datetime
    uses: int
    used_at: datetime | None
    version: int
    withdrawn_by: str | None
    withdrawn_at: datetime | None
    withdrawn_because: str | None


_RULE = ", ".join(field.name for field in msgspec.structs.fields(Rule))


async def promote(
    connection: Connection, made: Correction, change: tuple[str, str, str], who: Identity, reason: str
) -> Rule:
    """`change`: path, before, after. Raises `Conflict` where another rule reads this value already."""
    try:
        row = await connection.fetchrow(
            "insert into correction_rule (system, channel, path, from_value, to_value, correction, reason, promoted_by)"
            f" values ($1, $2, $3, $4, $5, $6, $7, $8) returning {_RULE}",
            made.system, made.channel, *change, made.id, reason, who.name,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:
        raise Conflict(f"a rule for {change[1]} at {change[0]} exists already") from None
    assert row is not None
    return Rule(**dict(row))


async def rules(connection: Connection, *, live: bool = False) -> list[Rule]:
    rows = await connection.fetch(
        f"select {_RULE} from correction_rule where withdrawn_at is null or not $1 order by id desc limit $2",
        live, 10 * LIST_MAX,
    )  # fmt: skip
    return [Rule(**dict(row)) for row in rows]


async def withdraw(connection: Connection, number: int, version: int, who: Identity, reason: str) -> Rule:
    """Raises `Conflict`."""
    row = await connection.fetchrow(
        "update correction_rule set withdrawn_by = $3, withdrawn_at = clock_timestamp(), withdrawn_because = $4, version = version + 1"
        f" where id = $1 and version = $2 and withdrawn_at is null returning {_RULE}",
        number, version, who.name, reason,
    )  # fmt: skip
    if row is None:
        raise Conflict(f"rule {number} was withdrawn or changed meanwhile")
    return Rule(**dict(row))


async def used(connection: Connection, uses: dict[int, int]) -> None:
    """So often each of these rules read a message since it was last told."""
    await connection.execute(
        "update correction_rule r set uses = r.uses + n.uses, used_at = clock_timestamp()"
        " from unnest($1::bigint[], $2::bigint[]) as n (id, uses) where r.id = n.id",
        list(uses), list(uses.values()),
    )  # fmt: skip
