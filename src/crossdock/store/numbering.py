"""Running numbers of senders in PostgreSQL: what was heard since the last look, and the intervals that are missing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from crossdock.processes.numbering import Anew, Run, Series
from crossdock.store.pool import Connection

HEARD_MAX: Final = 20_000
_LOCK: Final = 0x67617073
Key = tuple[str, str]
"""(system, series)"""
_TAKE = """
with taken as (
    delete from number_heard where id in (select id from number_heard order by id limit $1) returning id, system, series, number, at
)
select system, series, number, at from taken order by id
"""
_SERIES = """
select s.*, g.first, g.last, g.since, g.named from number_series s left join number_gap g using (system, series)
order by s.system, s.series, g.first
"""
_WRITE = """
insert into number_series (system, series, top, again_first, again_last, anew_at, anew_from, anew_to, anew_missing, heard_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())
on conflict (system, series) do update set top = excluded.top, again_first = excluded.again_first, again_last = excluded.again_last,
    anew_at = excluded.anew_at, anew_from = excluded.anew_from, anew_to = excluded.anew_to, anew_missing = excluded.anew_missing,
    heard_at = excluded.heard_at
"""
_SAID = """
select distinct on (system) system, watermark, read_at from reconcile_run
where state = 'done' and watermark is not null order by system, id desc
"""


async def mine(connection: Connection) -> bool:
    """Whether this transaction is the one that folds; the others of the moment leave it."""
    return bool(await connection.fetchval("select pg_try_advisory_xact_lock($1)", _LOCK))


async def take(connection: Connection) -> dict[Key, list[tuple[int, datetime]]]:
    """(number, when) by series, in the order of arrival; it is gone with this transaction."""
    found: dict[Key, list[tuple[int, datetime]]] = {}
    for row in await connection.fetch(_TAKE, HEARD_MAX):
        found.setdefault((row["system"], row["series"]), []).append((row["number"], row["at"]))
    return found


async def read(connection: Connection) -> dict[Key, Series]:
    """All that is known."""
    rows: dict[Key, list[Any]] = {}
    for row in await connection.fetch(_SERIES):
        rows.setdefault((row["system"], row["series"]), []).append(row)
    return {key: _series(of) for key, of in rows.items()}


def _series(rows: Sequence[Any]) -> Series:
    row = rows[0]
    again = (row["again_first"], row["again_last"]) if row["again_first"] is not None else None
    anew = None
    if row["anew_at"] is not None:
        anew = Anew(row["anew_at"], row["anew_from"], row["anew_to"], row["anew_missing"])
    missing = tuple(
        Run(x["first"], x["last"], x["since"], x["named"]) for x in rows if x["first"] is not None
    )
    return Series(row["top"], missing, again, anew)


async def write(connection: Connection, key: Key, series: Series) -> None:
    """Instead of what was known."""
    anew = series.anew
    told = (anew.at, anew.from_number, anew.to_number, anew.missing) if anew else (None,) * 4
    await connection.execute(_WRITE, *key, series.top, *(series.again or (None, None)), *told)
    await connection.execute("delete from number_gap where system = $1 and series = $2", *key)
    await connection.executemany(
        "insert into number_gap (system, series, first, last, since, named) values ($1, $2, $3, $4, $5, $6)",
        [(*key, run.first, run.last, run.since, run.named) for run in series.missing],
    )


async def said(connection: Connection) -> Mapping[str, tuple[int, datetime]]:
    """System → the last number that it says it had sent, and when it said so: with its newest stock snapshot."""
    return {row["system"]: (row["watermark"], row["read_at"]) for row in await connection.fetch(_SAID)}


async def now(connection: Connection) -> datetime:
    found: datetime = await connection.fetchval("select clock_timestamp()")
    return found
