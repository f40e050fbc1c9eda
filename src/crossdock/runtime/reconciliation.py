"""Reconciliations: reads another system's stock, waits until the ledger has heard what it had said, compares, settles.

Part of a delivery process. A run has one owner at a time, by lease and epoch; whoever takes it over begins anew, and
what the other one finds is not written.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import structlog

from crossdock.connect.contract import Refused, RetryLater, StockPage, StockSource
from crossdock.connect.transport import Transport
from crossdock.errors import CrossdockError, Fenced
from crossdock.model.drift import Counted, Facts
from crossdock.model.master import ItemDefined
from crossdock.model.thread import hash16
from crossdock.processes.drift import Compared, Difference, Gap, compare, gap
from crossdock.processes.master import State as MasterState
from crossdock.processes.policy import Policy
from crossdock.processes.settling import judge
from crossdock.processes.snapshot_times import slot
from crossdock.runtime.hub import Hub
from crossdock.runtime.wake import LOG, Waker
from crossdock.store import evidence
from crossdock.store import reconcile as table
from crossdock.store.pool import LOST, Connection, connect
from crossdock.store.segments import current_segment

POLL_SECONDS: Final = 1.0
TRIES_MAX: Final = 8
"""Of one page; in between it waits as long as the partner asks, or twice as long as before."""
PATIENCE: Final = timedelta(seconds=30)
"""How long events that the other side has sent may be on their way before they count as lost."""
LOST_FOR_GOOD: Final = timedelta(days=3)
"""After so long, senders have given up: what is still missing will not come and be booked after all."""
CHAIN: Final = evidence.CHAIN_MAX
FIRST_LOOK: Final = timedelta(days=1)
"""How far back entries are looked at where the two never agreed before."""
_TROUBLE: Final = (*LOST, asyncpg.PostgresError)
_item = msgspec.json.Decoder(ItemDefined).decode
_decode = msgspec.msgpack.Decoder(MasterState).decode
_log = structlog.get_logger()


class Unreadable(CrossdockError):
    """The snapshot could not be read, or not be compared."""


def comparable(hub: Hub) -> list[str]:
    """Systems whose stock can be read."""
    return [name for name in sorted(hub.landscape.systems) if hub.connector(name).stock is not None]


class Reconciliations:
    """Takes runs that were asked for, one after the other."""

    def __init__(self, hub: Hub, owner: UUID, pool: asyncpg.Pool, waker: Waker) -> None:
        self._hub, self._owner, self._pool, self._waker = hub, owner, pool, waker

    async def run(self) -> None:
        """Until cancelled."""
        systems = comparable(self._hub)
        lease = self._hub.settings.lease_seconds
        while systems:
            mine = None
            with contextlib.suppress(*_TROUBLE):
                async with self._pool.acquire() as connection:
                    await ask_what_is_due(connection, self._hub)
                    mine = await table.claim(connection, self._owner, systems, lease)
            if mine is not None:
                with contextlib.suppress(*_TROUBLE):
                    await self._one(mine, lease)
            else:
                await asyncio.sleep(POLL_SECONDS)

    async def _one(self, run: table.Run, lease: float) -> None:
        """A connection of its own: it holds the snapshot."""
        connection = await connect(self._hub.dsn)
        transport = Transport(connections_max=1)
        holding = asyncio.create_task(_hold(self._pool, run, lease))
        try:
            source = self._hub.connector(run.system).stock
            assert source is not None
            reader = source(self._hub.account(run.system), transport)
            await reconcile(connection, run, reader, self._hub.policy)
            self._waker.ring(LOG)
        except Fenced as error:
            _log.warning("reconciliation_lost", run=run.id, reason=str(error))
        except LOST:
            raise
        except (CrossdockError, asyncpg.PostgresError) as error:
            with contextlib.suppress(Fenced):
                await table.fail(connection, run, str(error))
        finally:
            holding.cancel()
            await transport.close()
            await connection.close()


async def ask_what_is_due(connection: Connection, hub: Hub) -> None:
    """Every delivery process looks; the slot of a day is there once, whoever writes it. One under way is waited for."""
    timed = {name: system.snapshot_at for name, system in hub.landscape.systems.items() if system.snapshot_at}
    if not timed:
        return
    now = await table.business_now(connection)
    for name, at in sorted(timed.items()):
        due = slot(name, at, now, hub.policy)
        if due:
            await table.ask(connection, name, "schedule", due)


async def _hold(pool: asyncpg.Pool, run: table.Run, lease: float) -> None:
    """The lease, for as long as the run takes."""
    while True:
        await asyncio.sleep(lease / 4)
        with contextlib.suppress(*_TROUBLE, Fenced):
            async with pool.acquire() as connection:
                await table.renew(connection, run, lease)


async def reconcile(
    connection: Connection,
    run: table.Run,
    source: StockSource,
    policy: Policy,
    patience: timedelta = PATIENCE,
) -> Compared:
    """One run on a connection of its own. Raises `Unreadable`, `Fenced`."""
    await table.begin_snapshot(connection)
    counted, told, watermark = await _read(connection, source)
    locations = [x for x in told if policy.keeps_stock(run.system, x)]
    read = datetime.now(UTC)
    missing = await _heard(connection, run, watermark, patience)
    rows = await table.candidates(connection, locations, read, watermark)
    if len(rows) > table.CANDIDATES_MAX:
        raise Unreadable(
            f"more than {table.CANDIDATES_MAX} places differ: is it the same site, are the items and units the same?"
        )
    same = [row for row, unit in rows if row.unit == unit]
    masters = await _masters(connection, {row.place.item for row in same})
    found = await _compared(connection, run, same, Facts(missing=frozenset(missing)), policy, masters)
    written = [_written(d, run.system, masters, policy, bool(missing)) for d in found.differences]
    written += [_unit_apart(row, unit) for row, unit in rows if row.unit != unit]
    seen = table.Seen(counted, watermark, len(found.under_way), missing)
    await table.finish(connection, run, written, seen, current_segment(), datetime.now(UTC))
    return found


async def _read(connection: Connection, source: StockSource) -> tuple[int, tuple[str, ...], int | None]:
    """(rows, locations, last event) of the whole snapshot, which is in the session then."""
    after, counted = "", 0
    while True:
        page = await _page(source, after)
        await table.add_rows(connection, page.rows)
        counted += len(page.rows)
        if not page.after:
            return counted, page.locations, page.watermark
        if page.after == after:
            raise Unreadable(f"the snapshot does not go on behind {after}")
        after = page.after


async def _page(source: StockSource, after: str) -> StockPage:
    wait, reason = 0.5, ""
    for _ in range(TRIES_MAX):
        answer = await source.stock_page(after)
        match answer:
            case Refused():
                raise Unreadable(f"the snapshot was refused: {answer.code}: {answer.reason}")
            case RetryLater():
                await asyncio.sleep(min(answer.after_seconds or wait, 60.0))
                wait, reason = wait * 2, answer.reason
            case StockPage():
                return answer
    raise Unreadable(f"no page of the snapshot in {TRIES_MAX} tries: {reason}")


async def _heard(
    connection: Connection, run: table.Run, watermark: int | None, patience: timedelta
) -> dict[int, datetime]:
    """Wait until what the system had said is in the log and in the ledger, for so long as it may be on its way.

    Returns its events that have not come, and since when each is missed.
    """
    end = datetime.now(UTC) + patience
    since = run.since or datetime.now(UTC) - FIRST_LOOK
    missing: dict[int, datetime] = {}
    while watermark is not None:
        now = datetime.now(UTC)
        fresh = await evidence.missing(connection, run.system, watermark, run.agreed_to, since)
        old = {number: at for number, at in run.missed.items() if now - at < LOST_FOR_GOOD}
        arrived = await evidence.came(connection, run.system, old)
        missing = {n: at for n, at in old.items() if n not in arrived} | dict.fromkeys(sorted(fresh), now)
        if not fresh or now > end:
            break
        await asyncio.sleep(POLL_SECONDS / 2)
    for _ in range(CHAIN):
        instant = datetime.now(UTC)
        while await evidence.behind(connection, instant):
            if datetime.now(UTC) > end + patience:
                raise Unreadable(
                    "the hub is too far behind with its events: compare again when it has caught up"
                )
            await asyncio.sleep(POLL_SECONDS / 5)
    return missing


async def _compared(
    connection: Connection,
    run: table.Run,
    same: Sequence[Counted],
    facts: Facts,
    policy: Policy,
    masters: dict[str, ItemDefined],
) -> Compared:
    """What differs at the watermark, and why."""
    system, since = run.system, run.since or datetime.now(UTC) - FIRST_LOOK
    warehouse = any(policy.warehouse_of(row.place.location) == system for row in same)
    places = [row.place for row in same]
    booked, bookings = await evidence.read(connection, places, system, since, warehouse=warehouse)
    known = set(masters) | {place.item for place in booked}
    gaps: list[Gap] = []
    for row in same:
        found = gap(row, booked.get(row.place), bookings.get(row.place, []))
        if found is not None:
            gaps.append(found)
    units = {name: _units(item) for name, item in masters.items()}
    return compare(gaps, msgspec.structs.replace(facts, units=units, items=frozenset(known)))


async def _masters(connection: Connection, items: set[str]) -> dict[str, ItemDefined]:
    """Items that somebody defined, by code."""
    rows = await connection.fetch(
        "select state from thread_state where thread = any($1)", [hash16(f"item/{item}") for item in items]
    )
    records = (_decode(row["state"]).record for row in rows)
    return {item.item: item for item in (_item(record) for record in records if record)}


def _units(item: ItemDefined) -> dict[str, Decimal]:
    return {unit.unit: Decimal(unit.numerator) / Decimal(unit.denominator) for unit in item.units}


def _written(
    one: Difference, system: str, masters: dict[str, ItemDefined], policy: Policy, gaps: bool
) -> table.Found:
    defined = masters.get(one.place.item)
    verdict = judge(one, system, defined.cost if defined else None, policy, gaps=gaps)
    return table.Found(
        one.place,
        one.unit,
        one.good,
        one.held,
        one.cause,
        one.evidence,
        verdict.value,
        verdict.state,
        verdict.reason,
    )


def _unit_apart(row: Counted, unit: str) -> table.Found:
    """Nothing is subtracted: numbers of two units say nothing about each other."""
    said = f"they count {row.good:f} {row.unit}, the ledger keeps the place in {unit}"
    zero = Decimal(0)
    return table.Found(row.place, row.unit, zero, zero, "wrong_unit", (said,), None, "open", "")
