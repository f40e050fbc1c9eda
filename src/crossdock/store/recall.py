"""Recalling a lot: from one instant on nothing of it is available anywhere, and everybody who counted on it hears of it."""

from datetime import datetime
from typing import Any

from crossdock.model.envelope import HUB
from crossdock.model.registry import TYPE_OF, encode
from crossdock.model.stock import LotRecalled
from crossdock.model.thread import hash16, stock_thread
from crossdock.store import claims, log, stock
from crossdock.store.batch import lot_mark
from crossdock.store.pool import Connection
from crossdock.store.segments import current_segment

_KEEP = (
    "insert into recall (item, lot, reason, who) values ($1, $2, $3, $4)"
    " on conflict (item, lot) do update set reason = recall.reason returning reason, who, recalled_at"
)
_LYING = (
    "select distinct location from stock_balance where item = $1 and lot = $2"
    " and available + soft_claim + firm_claim + allocated + picked + quarantine + damaged + returned > 0"
)
_CLAIMING = (
    "select distinct c.thread_key from stock_balance b join claim_line l on l.balance = b.id join claim c on c.id = l.claim"
    " where b.item = $1 and b.lot = $2 and l.posted + l.released < l.quantity and c.thread_key <> ''"
)
_WORKING = "select thread_key from thread_state where lots @> array[$1::text] and kind = 'order'"


async def place(connection: Connection, item: str, lot: str, reason: str, who: str) -> None:
    """Hold all that is available of it, and whatever becomes available; done again, it changes nothing.

    Its own transaction: only what is told after its end is told after every claim that was still served from the lot.
    """
    segment = current_segment()
    async with connection.transaction():
        await stock.lock_lot(connection, item, lot)
        await stock.lock_new_lots(connection)
        row = await connection.fetchrow(_KEEP, item, lot, reason, who)
        balances = await stock.lock_lot(connection, item, lot)
        settled = stock.Settled(segment, balances=balances)
        _, now = await claims.clock(connection)
        for balance in balances.values():
            thread = stock_thread(balance.key[1], item)
            cause = stock.Cause(_event_id(item, lot, row, thread), hash16(thread), now)
            if balance.available > stock.ZERO:
                stock.enter(settled, balance, ("available", "quarantine"), balance.available, cause)
        await stock.write(connection, settled, segment)
        await connection.execute(
            "update stock_balance set recalled = true where item = $1 and lot = $2 and not recalled",
            item,
            lot,
        )


async def lift(connection: Connection, item: str, lot: str, reason: str, who: str) -> bool:
    """What comes of it from now on may be sold; what is held stays held until it is released. False where there is none."""
    async with connection.transaction():
        await stock.lock_lot(connection, item, lot)
        await stock.lock_new_lots(connection)
        row = await connection.fetchrow(
            "delete from recall where item = $1 and lot = $2 returning reason, who, recalled_at", item, lot
        )
        if row is None:
            return False
        balances = await stock.lock_lot(connection, item, lot)
        await connection.execute(
            "update stock_balance set recalled = false where item = $1 and lot = $2", item, lot
        )
        threads: set[str] = {stock_thread(key[1], item) for key in balances}
        threads |= {x["thread_key"] for x in await connection.fetch(_CLAIMING, item, lot)}
        await _append(connection, threads, LotRecalled(item, lot, reason, who, lifted=True), row)
    return True


async def tell(connection: Connection, item: str, lot: str) -> int:
    """Every place that has it, and whoever has it set aside or works on it, hears of the recall; how many they are."""
    mark = lot_mark(item, lot)
    async with connection.transaction():
        row = await connection.fetchrow(
            "select reason, who, recalled_at from recall where item = $1 and lot = $2", item, lot
        )
        if row is None:
            return 0
        places = await connection.fetch(_LYING, item, lot)
        threads: set[str] = {stock_thread(x["location"], item) for x in places}
        threads |= {x["thread_key"] for x in await connection.fetch(_CLAIMING, item, lot)}
        threads |= {x["thread_key"] for x in await connection.fetch(_WORKING, mark)}
        await _append(connection, threads, LotRecalled(item, lot, row["reason"], row["who"]), row)
    return len(threads)


async def _append(connection: Connection, threads: set[str], data: LotRecalled, row: Any) -> None:
    generation, now = await claims.clock(connection)
    segment = current_segment()
    events = [_event(data, row, thread, (generation, segment), now) for thread in sorted(threads)]
    await log.append_rows(connection, events, segment)


def _event(data: LotRecalled, row: Any, thread: str, place: tuple[int, int], now: datetime) -> log.Row:
    lifted = "/lifted" if data.lifted else ""
    return log.event_row(
        segment=place[1], generation=place[0], thread=thread, type_=TYPE_OF[LotRecalled],
        event_id=_event_id(data.item, data.lot, row, thread) + lifted, source=HUB, occurred_at=now, data=encode(data),
    )  # fmt: skip


def _event_id(item: str, lot: str, row: Any, thread: str) -> str:
    """One recall of a lot tells a thread one thing, however often it is told."""
    return f"recall/{item}/{lot}/{row['recalled_at'].isoformat()}/{thread}"
