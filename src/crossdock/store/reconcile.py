"""Reconciliation: who runs which comparison, the snapshot to compare with, what was found, and its settling.

A snapshot stands in a temporary table of one session and is joined there: neither side is ever in memory whole. It is
copied in small pieces, since a long write transaction would stall all readers of the log.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from crossdock.errors import Fenced
from crossdock.model.drift import Counted
from crossdock.model.envelope import HUB
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.registry import encode
from crossdock.model.stock import StockPlace, StockReconciled
from crossdock.model.thread import hash16, stock_thread
from crossdock.processes.intents import CloseCase, OpenCase
from crossdock.store import cases, log
from crossdock.store.pool import Connection
from crossdock.store.segments import current_segment

CANDIDATES_MAX: Final = 20_000
"""More differing places than this mean that the two cannot be compared: another unit, another site."""
JOIN_SECONDS: Final = 120
CASE_LINKS_MAX: Final = 50
_COLUMNS: Final = (
    "item", "location", "lot", "owner", "unit", "good", "held", "read_at", "watermark", "last_change", "claimed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """A comparison that is ours under `epoch`. `since` and `agreed_to`: when and up to which event the last one looked."""

    id: int
    system: str
    epoch: int
    since: datetime | None
    agreed_to: int | None
    missed: dict[int, datetime]
    """Their events that the last run missed, and since when."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The snapshot as a whole: rows, the system's last event in it, moves that one side had not heard of."""

    counted: int
    watermark: int | None
    under_way: int
    missing: dict[int, datetime]


@dataclass(frozen=True, slots=True)
class Found:
    """A difference as it is written; `settled` ones are booked with it."""

    place: StockPlace
    unit: str
    good: Decimal
    held: Decimal
    cause: str
    evidence: tuple[str, ...]
    value: Money | None
    state: str
    reason: str

    def event(self, system: str, number: int, watermark: int | None, read_at: datetime) -> StockReconciled:
        good, held = Quantity(self.good, self.unit), Quantity(self.held, self.unit)
        return StockReconciled(
            self.place, good, held, system, number, self.cause, self.reason, HUB, watermark, read_at
        )


_FOUND_COLUMNS: Final = (
    "id", "run", "item", "location", "lot", "owner", "unit", "good", "held", "cause", "evidence", "value", "currency", "state",
    "decided_by", "decided_at", "reason",
)  # fmt: skip


_STATE: Final = _FOUND_COLUMNS.index("state")


def _record(run: Run, number: int, one: Found, now: datetime) -> tuple[Any, ...]:
    place, settled = one.place, one.state == "settled"
    return (
        number, run.id, place.item, place.location, place.lot, place.owner, one.unit, one.good, one.held, one.cause,
        list(one.evidence), one.value and one.value.amount, one.value and one.value.currency, one.state,
        HUB if settled else None, now if settled else None, one.reason or None,
    )  # fmt: skip


async def ask(connection: Connection, system: str, who: str, due: str | None = None) -> int | None:
    """The new run's number, or None where one is open, or this slot of the schedule had its own."""
    found: int | None = await connection.fetchval(
        "insert into reconcile_run (system, asked_by, due) select $1, $2, $3 where not exists ("
        "   select 1 from reconcile_run where system = $1 and (due = $3 or state in ('asked', 'running')))"
        " on conflict do nothing returning id",
        system, who, due,
    )  # fmt: skip
    return found


async def business_now(connection: Connection) -> datetime:
    found: datetime = await connection.fetchval(
        "select clock_business_at + (clock_timestamp() - clock_real_at) * clock_rate from hub"
    )
    return found


async def claim(
    connection: Connection, owner: UUID, systems: Sequence[str], lease_seconds: float
) -> Run | None:
    """The oldest run that nobody holds, of these systems; none while the hub is paused: it may not have heard all yet."""
    row = await connection.fetchrow(
        "update reconcile_run r set state = 'running', owner = $1, epoch = epoch + 1, read_at = clock_timestamp(),"
        " lease_until = clock_timestamp() + $3 * interval '1 second' where id = ("
        "   select id from reconcile_run where state in ('asked', 'running') and system = any($2)"
        "   and lease_until < clock_timestamp() and (select paused_reason from hub) is null order by id limit 1 for update skip locked)"
        " returning id, system, epoch",
        owner, list(systems), lease_seconds,
    )  # fmt: skip
    if row is None:
        return None
    last = await connection.fetchrow(
        "select read_at, watermark, missing, missed_since from reconcile_run where system = $1 and state = 'done' order by id desc limit 1", row["system"]
    )  # fmt: skip
    known = (row["id"], row["system"], row["epoch"])
    if last is None:
        return Run(*known, None, None, {})
    return Run(
        *known,
        last["read_at"],
        last["watermark"],
        dict(zip(last["missing"], last["missed_since"], strict=True)),
    )


async def renew(connection: Connection, run: Run, lease_seconds: float) -> None:
    """Raises `Fenced` where somebody else took the run over."""
    done = await connection.execute(
        "update reconcile_run set lease_until = clock_timestamp() + $3 * interval '1 second'"
        " where id = $1 and epoch = $2 and state = 'running'",
        run.id, run.epoch, lease_seconds,
    )  # fmt: skip
    _ours(run, done)


async def begin_snapshot(connection: Connection) -> None:
    """An empty snapshot in this session."""
    await connection.execute(
        "create temporary table if not exists snapshot (item text, location text, lot text, owner text, unit text, good numeric,"
        " held numeric, read_at timestamptz, watermark bigint, last_change bigint, claimed numeric)"
    )
    await connection.execute("truncate snapshot")


async def add_rows(connection: Connection, rows: Iterable[Counted]) -> None:
    """One page; its transaction is as short as the page."""
    await connection.copy_records_to_table(
        "snapshot", columns=_COLUMNS,
        records=[
            (
                r.place.item, r.place.location, r.place.lot, r.place.owner, r.unit, r.good, r.held, r.read_at, r.watermark,
                r.last_change, r.claimed,
            )
            for r in rows
        ],
    )  # fmt: skip


_CANDIDATES = """
with theirs as (
    select item, location, lot, owner, min(unit) as unit, sum(good) as good, sum(held) as held, min(read_at) as read_at,
        min(watermark) as watermark, max(last_change) as last_change, sum(claimed) as claimed
    from snapshot where location = any($1) group by item, location, lot, owner
), ours as (
    select item, location, lot, owner, min(unit) as unit,
        sum(available + soft_claim + firm_claim + allocated + picked) as good, sum(quarantine + damaged + returned) as held
    from stock_balance where location = any($1) group by item, location, lot, owner
)
select item, location, lot, owner, coalesce(t.unit, o.unit) as unit, o.unit as our_unit, coalesce(t.good, 0) as good,
    coalesce(t.held, 0) as held, t.read_at, t.watermark, t.last_change, t.claimed
from theirs t full join ours o using (item, location, lot, owner)
where coalesce(t.good, 0) <> coalesce(o.good, 0) or coalesce(t.held, 0) <> coalesce(o.held, 0)
    or (t.unit <> o.unit and (t.good <> 0 or t.held <> 0))
limit $2
"""


async def candidates(
    connection: Connection, locations: Sequence[str], read_at: datetime, watermark: int | None
) -> list[tuple[Counted, str]]:
    """Places whose numbers differ right now, with the ledger's unit there. What no row names is counted as nothing, at the end.

    Reads only: no transaction identity is taken, so nobody's log waits for it.
    """
    async with connection.transaction(readonly=True):
        await connection.execute("set local transaction_timeout = 0")
        await connection.execute("set local work_mem = '64MB'")
        rows = await connection.fetch(_CANDIDATES, list(locations), CANDIDATES_MAX + 1, timeout=JOIN_SECONDS)
    return [
        (
            Counted(
                StockPlace(r["item"], r["location"], r["lot"], r["owner"]), r["unit"], r["good"], r["held"], r["read_at"] or read_at,
                r["watermark"] if r["read_at"] else watermark, r["last_change"], r["claimed"],
            ),
            r["our_unit"] or r["unit"],
        )
        for r in rows
    ]  # fmt: skip


async def finish(
    connection: Connection, run: Run, found: Sequence[Found], seen: Seen, segment: int, now: datetime
) -> int:
    """Write what was found, replace what earlier runs left open, and book what is settled. Returns how many were booked."""
    async with connection.transaction():
        done = await connection.execute(
            "update reconcile_run set state = 'done', ended_at = clock_timestamp(), counted = $3, watermark = $4, under_way = $5, missing = $6, missed_since = $7,"
            " owner = null where id = $1 and epoch = $2 and state = 'running'",
            run.id, run.epoch, seen.counted, seen.watermark, seen.under_way,
            list(seen.missing), list(seen.missing.values()),
        )  # fmt: skip
        _ours(run, done)
        replaced = await connection.fetch(
            "update reconcile_difference d set state = 'superseded' from reconcile_run r"
            " where r.id = d.run and r.system = $1 and d.state = 'open' returning d.id, d.item, d.location", run.system,
        )  # fmt: skip
        await _close_case(connection, replaced, f"run {run.id} looked again")
        generation = await connection.fetchval("select generation from hub")
        read_at = await connection.fetchval("select read_at from reconcile_run where id = $1", run.id)
        # What was settled since this run began to look is not booked a second time.
        decided = await connection.fetch(
            "select d.item, d.location, d.lot, d.owner from reconcile_difference d join reconcile_run r on r.id = d.run"
            " where r.system = $1 and d.state = 'settled' and d.decided_at >= (select read_at from reconcile_run where id = $2)",
            run.system, run.id,
        )  # fmt: skip
        settled = {StockPlace(*row) for row in decided}
        found = [one for one in found if one.place not in settled]
        numbers = await connection.fetch(
            "select nextval(pg_get_serial_sequence('reconcile_difference', 'id')) as id from generate_series(1, $1)",
            len(found),
        )
        records, events = [], []
        for number, one in zip((row["id"] for row in numbers), found, strict=True):
            records.append(_record(run, number, one, now))
            if one.state == "settled":
                said = one.event(run.system, number, seen.watermark, read_at)
                events.append(_event(said, generation, segment, now))
        if records:
            await connection.copy_records_to_table(
                "reconcile_difference", records=records, columns=_FOUND_COLUMNS
            )
        if events:
            await log.append_rows(connection, events, segment)
        await _open_case(connection, run, [r for r in records if r[_STATE] == "open"])
    return len(events)


def _event(data: StockReconciled, generation: int, segment: int, now: datetime) -> log.Row:
    return log.event_row(
        segment=segment, generation=generation, thread=stock_thread(data.place.location, data.place.item),
        type_="stock.reconciled.v1", event_id=f"reconciled/{data.difference}", source=HUB, occurred_at=now, data=encode(data),
    )  # fmt: skip


async def _open_case(connection: Connection, run: Run, open_: Sequence[tuple[Any, ...]]) -> None:
    """One for the system, at the stock of the first places: who opens it sees the run, not a heap of cases."""
    opened: list[cases.Change] = []
    for number, _, item, location, *_ in open_[:CASE_LINKS_MAX]:
        thread = stock_thread(location, item)
        case = OpenCase(
            f"reconcile/{run.system}", "value", "stock difference", f"{run.system} counts stock otherwise than the ledger",
            f"Look at cause and evidence of each place: crossdock reconcile show {run.id}. Count again, then approve what is right.",
            "warehouse", f"difference/{number}",
        )  # fmt: skip
        opened.append((hash16(thread), thread, case))
    await cases.apply(connection, opened)


async def _close_case(connection: Connection, differences: Sequence[Any], because: str) -> None:
    closed: list[cases.Change] = []
    for row in await _linked(connection, differences):
        closed.append((row["thread"], row["thread_key"], CloseCase(row["key"], because)))
    await cases.apply(connection, closed)


async def _linked(connection: Connection, differences: Sequence[Any]) -> list[Any]:
    threads = [hash16(stock_thread(row["location"], row["item"])) for row in differences]
    keys = [f"difference/{row['id']}" for row in differences]
    return await connection.fetch(
        "select thread, thread_key, key from case_link where thread = any($1) and key = any($2) and closed_at is null", threads, keys
    )  # fmt: skip


async def fail(connection: Connection, run: Run, reason: str) -> None:
    done = await connection.execute(
        "update reconcile_run set state = 'failed', ended_at = clock_timestamp(), failed_because = $3, owner = null"
        " where id = $1 and epoch = $2 and state = 'running'",
        run.id, run.epoch, reason[:500],
    )  # fmt: skip
    _ours(run, done)


async def read_difference(connection: Connection, number: int) -> Any | None:
    return await connection.fetchrow(
        "select d.*, r.system, r.watermark, r.read_at, r.missing, r.missed_since from reconcile_difference d join reconcile_run r on r.id = d.run where d.id = $1", number
    )  # fmt: skip


async def decide(
    connection: Connection, row: Any, booked: bool, who: str, reason: str, now: datetime
) -> bool:
    """Settle (with its entry) or accept one that is open; False where somebody was quicker."""
    async with connection.transaction():
        done = await connection.execute(
            "update reconcile_difference set state = $2, decided_by = $3, decided_at = clock_timestamp(), reason = $4"
            " where id = $1 and state = 'open'",
            row["id"], "settled" if booked else "accepted", who, reason,
        )  # fmt: skip
        if done == "UPDATE 0":
            return False
        await _close_case(connection, [row], f"{who} decided difference {row['id']}")
        if booked:
            place = StockPlace(row["item"], row["location"], row["lot"], row["owner"])
            good, held = Quantity(row["good"], row["unit"]), Quantity(row["held"], row["unit"])
            data = StockReconciled(
                place,
                good,
                held,
                row["system"],
                row["id"],
                row["cause"],
                reason,
                who,
                row["watermark"],
                row["read_at"],
            )
            generation, segment = await connection.fetchval("select generation from hub"), current_segment()
            await log.append_rows(connection, [_event(data, generation, segment, now)], segment)
    return True


def _ours(run: Run, done: str) -> None:
    if done == "UPDATE 0":
        raise Fenced(f"reconciliation {run.id} was taken over")
