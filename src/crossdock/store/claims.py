"""The tables `claim` and `claim_line`: written when a claim is decided, locked before the balances whenever it is used."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from crossdock.store.held import Held, HeldLine
from crossdock.store.pool import Connection

Answer = tuple[bytes, bytes]
"""(fingerprint of what was asked, what was answered)"""
_LINES = (
    "select l.claim, l.line, l.balance, b.item, b.location, b.lot, b.owner, b.possessor, b.unit, l.quantity, l.posted, l.released"
    " from claim_line l join stock_balance b on b.id = l.balance where l.claim = any($1) order by l.claim, l.line, l.balance"
)
_CLAIM = "id, thread, thread_key, kind, state, expires_at, ended_at is not null as ended, channel, taken_by"


async def lock(connection: Connection, names: Sequence[str]) -> dict[str, Held]:
    """Lock these claims in the order of their names; one that is not there is left out."""
    if not names:
        return {}
    rows = await connection.fetch(
        f"select {_CLAIM} from claim where id = any($1) order by id for update", sorted(names)
    )
    return await _with_lines(connection, rows)


async def read(connection: Connection, name: str) -> tuple[Held, bytes] | None:
    """A claim as it stands, and what its asker was told."""
    row = await connection.fetchrow(f"select {_CLAIM}, answer from claim where id = $1", name)
    if row is None:
        return None
    held = (await _with_lines(connection, [row]))[name]
    return held, row["answer"] or b""


async def _with_lines(connection: Connection, rows: Sequence[Any]) -> dict[str, Held]:
    found = {
        row["id"]: Held(
            row["id"], row["thread"], row["thread_key"], row["kind"], row["state"], [], row["expires_at"], row["ended"],
            channel=row["channel"], taken_by=row["taken_by"],
        )
        for row in rows
    }  # fmt: skip
    if found:
        for row in await connection.fetch(_LINES, list(found)):
            claim, line, balance, item, location, lot, owner, possessor, *rest = row
            key = (item, location, lot, owner, possessor)
            found[claim].lines.append(HeldLine(line, balance, key, *rest))
    return found


async def due(
    connection: Connection, partitions: Sequence[int], of: int, limit: int
) -> list[tuple[str, bytes]]:  # fmt: skip
    """(claim, thread) of those whose time is up on the business clock, of threads in these partitions, oldest first."""
    rows = await connection.fetch(
        "select c.id, c.thread from claim c, hub h where c.ended_at is null and c.expires_at <="
        " h.clock_business_at + (clock_timestamp() - h.clock_real_at) * h.clock_rate"
        " and (get_byte(c.thread, 0) * 256 + get_byte(c.thread, 1)) % $2 = any($1) order by c.expires_at limit $3",
        partitions, of, limit,
    )  # fmt: skip
    return [(row["id"], row["thread"]) for row in rows]


async def clock(connection: Connection) -> tuple[int, datetime]:
    """(log generation, business time)"""
    row = await connection.fetchrow(
        "select generation, clock_business_at + (clock_timestamp() - clock_real_at) * clock_rate as now from hub"
    )
    assert row is not None
    return row["generation"], row["now"]


async def known(connection: Connection, names: Sequence[str]) -> dict[str, Answer | None]:
    """What the askers of these claims were told; None for a claim that was not asked for here."""
    return told(await connection.fetch("select id, fingerprint, answer from claim where id = any($1)", names))


def told(rows: Iterable[Any]) -> dict[str, Answer | None]:
    return {row["id"]: (row["fingerprint"], row["answer"]) if row["answer"] else None for row in rows}


async def replies(connection: Connection, keys: Sequence[bytes]) -> dict[bytes, Answer]:
    """What earlier acts under these idempotency keys were answered."""
    if not keys:
        return {}
    rows = await connection.fetch(
        "select key, fingerprint, reply from idempotent_reply where key = any($1)", keys
    )
    return {row["key"]: (row["fingerprint"], row["reply"]) for row in rows}


async def keep_replies(connection: Connection, given: Mapping[bytes, Answer]) -> None:
    if given:
        await connection.copy_records_to_table(
            "idempotent_reply", records=[(key, *answer) for key, answer in given.items()],
            columns=("key", "fingerprint", "reply"),
        )  # fmt: skip


async def insert(connection: Connection, claims: Sequence[Held], answers: Mapping[str, Answer]) -> None:
    """Claims that were just decided. Raises `UniqueViolationError` where somebody else took the name meanwhile."""
    nothing: tuple[None, None] = (None, None)
    await connection.copy_records_to_table(
        "claim",
        records=[(c.id, c.thread, c.thread_key, c.kind, c.state, c.expires_at, c.channel, *answers.get(c.id, nothing)) for c in claims],
        columns=("id", "thread", "thread_key", "kind", "state", "expires_at", "channel", "fingerprint", "answer"),
    )  # fmt: skip
    lines = [(c.id, x.line, x.balance, x.quantity) for c in claims for x in c.lines]
    if lines:
        await connection.copy_records_to_table(
            "claim_line", records=lines, columns=("claim", "line", "balance", "quantity")
        )  # fmt: skip
    ended = [c.id for c in claims if c.ended]
    if ended:
        await connection.execute("update claim set ended_at = clock_timestamp() where id = any($1)", ended)


async def update(connection: Connection, claims: Sequence[Held]) -> None:
    """What became of claims that were locked."""
    await connection.execute(
        "update claim c set kind = n.kind, state = n.state, expires_at = n.expires_at, taken_by = n.taken_by, updated_at = clock_timestamp(),"
        " ended_at = case when n.ended then coalesce(c.ended_at, clock_timestamp()) end"
        " from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::boolean[], $6::text[])"
        " as n (id, kind, state, expires_at, ended, taken_by)"
        " where c.id = n.id",
        [c.id for c in claims], [c.kind for c in claims], [c.state for c in claims], [c.expires_at for c in claims],
        [c.ended for c in claims], [c.taken_by for c in claims],
    )  # fmt: skip
    lines = [(c.id, x) for c in claims for x in c.lines if x.changed]
    if lines:
        await connection.execute(
            "insert into claim_line as l (claim, line, balance, quantity, posted, released)"
            " select * from unnest($1::text[], $2::text[], $3::bigint[], $4::numeric[], $5::numeric[], $6::numeric[])"
            " on conflict (claim, line, balance) do update set quantity = excluded.quantity, posted = excluded.posted,"
            " released = excluded.released",
            [c for c, _ in lines], [x.line for _, x in lines], [x.balance for _, x in lines],
            [x.quantity for _, x in lines], [x.posted for _, x in lines], [x.released for _, x in lines],
        )  # fmt: skip
