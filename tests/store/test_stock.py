"""The ledger: whoever comes together, nothing is sold twice, and entries and balances say the same."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.quantity import Quantity
from crossdock.model.stock import Bucket, ClaimLine, StockPlace
from crossdock.model.thread import hash16
from crossdock.processes.intents import Claim, Move
from crossdock.store import claims as claims_table
from crossdock.store import stock
from crossdock.store.segments import current_segment
from store.conftest import Connect

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BUCKETS = [b for b in get_args(Bucket) if b != "outside"]


def place(item: str = "WID-1") -> StockPlace:
    return StockPlace(item, "SITE1")


def wish(what: Claim | Move, cause: str = "cause") -> stock.Wish:
    return stock.Wish(what, hash16("order/x"), "order/x", cause, NOW)


def receipt(quantity: int, item: str = "WID-1") -> stock.Wish:
    return wish(Move(place(item), "outside", "available", Decimal(quantity), "EA"))


def claim(name: str, *lines: tuple[str, int]) -> stock.Wish:
    return wish(Claim(name, tuple(ClaimLine(str(n), place(i), Quantity(Decimal(q))) for n, (i, q) in enumerate(lines, 1))))  # fmt: skip


async def settle(connection: asyncpg.Connection, *wishes: stock.Wish) -> stock.Settled:
    """One round of the ledger in a transaction of its own."""
    places: dict[stock.Key, str] = {}
    for one in wishes:
        lines = [line.place for line in one.what.lines] if isinstance(one.what, Claim) else [one.what.place]
        places |= {stock.key_of(p): "EA" for p in lines}
    async with connection.transaction():
        held = await claims_table.lock(connection, stock.named_claims(wishes))
        locked = await stock.lock(connection, places.items())
        settled = stock.settle(wishes, locked, current_segment(), held)
        await stock.write(connection, settled, current_segment())
    return settled


async def balances(connection: asyncpg.Connection) -> dict[str, dict[str, Decimal]]:
    rows = await connection.fetch("select * from stock_balance")
    return {row["item"]: {bucket: row[bucket] for bucket in BUCKETS} for row in rows}


async def entries_summed(connection: asyncpg.Connection) -> dict[str, dict[str, Decimal]]:
    """The balances that the double entries alone lead to."""
    rows = await connection.fetch(
        "select b.item, e.from_bucket, e.to_bucket, e.quantity from stock_entry e join stock_balance b on b.id = e.balance"
    )
    found: dict[str, dict[str, Decimal]] = {}
    for row in rows:
        item = found.setdefault(row["item"], dict.fromkeys([*BUCKETS, "outside"], Decimal(0)))
        item[row["from_bucket"]] -= row["quantity"]
        item[row["to_bucket"]] += row["quantity"]
    return {name: {b: q for b, q in item.items() if b != "outside"} for name, item in found.items()}


async def test_concurrent_claims_never_oversell(another: Connect) -> None:
    """Thirty want two each of forty: twenty get it, ten are refused, nothing is left and nothing is owed."""
    connections = [await another() for _ in range(10)]
    await settle(connections[0], receipt(40))

    async def some(worker: int) -> list[stock.Settled]:
        return [await settle(connections[worker], claim(f"c{worker}-{n}", ("WID-1", 2))) for n in range(3)]

    rounds = [s for worker in await asyncio.gather(*(some(w) for w in range(10))) for s in worker]

    assert sum(len(s.granted) for s in rounds) == 20
    assert sum(len(s.refused) for s in rounds) == 10
    [item] = (await balances(connections[0])).values()
    assert (item["available"], item["firm_claim"]) == (0, 40)
    assert await balances(connections[0]) == await entries_summed(connections[0])
    states = await connections[0].fetch("select state, count(*) from claim group by state")
    assert dict(map(tuple, states)) == {"pending": 20, "refused": 10}


async def test_claims_over_several_items_neither_deadlock_nor_split(another: Connect) -> None:
    """Named in any order, locked in one order; a claim gets all its lines or none."""
    connections = [await another() for _ in range(6)]
    items = ["WID-1", "WID-2", "WID-3"]
    for item in items:
        await settle(connections[0], receipt(30, item))

    async def some(worker: int) -> int:
        turn = items[worker % 3 :] + items[: worker % 3]
        rounds = [
            await settle(connections[worker], claim(f"c{worker}-{n}", *((i, 1) for i in turn)))
            for n in range(8)
        ]
        return sum(len(s.granted) for s in rounds)

    granted = sum(await asyncio.gather(*(some(w) for w in range(6))))

    assert granted == 30
    assert {b["available"] for b in (await balances(connections[0])).values()} == {0}
    assert await balances(connections[0]) == await entries_summed(connections[0])


async def test_a_refused_claim_moves_nothing(connection: asyncpg.Connection) -> None:
    """It names what is missing, and the other lines stay where they were."""
    await settle(connection, receipt(5), receipt(1, "WID-2"))

    settled = await settle(connection, claim("c1", ("WID-1", 5), ("WID-2", 2)))

    [(_, missing)] = settled.refused
    assert [line.place.item for line in missing] == ["WID-2"]
    assert (await balances(connection))["WID-1"]["available"] == 5
    assert await connection.fetchval("select count(*) from claim_line") == 0


async def test_one_claim_may_name_an_item_twice(connection: asyncpg.Connection) -> None:
    """Its lines count together against what is there."""
    await settle(connection, receipt(3))

    settled = await settle(connection, claim("c1", ("WID-1", 2), ("WID-1", 2)))

    assert not settled.granted


async def test_a_move_takes_no_more_than_there_is(connection: asyncpg.Connection) -> None:
    """The rest is reported as a difference, not booked."""
    await settle(connection, receipt(3))

    settled = await settle(connection, wish(Move(place(), "available", "damaged", Decimal(5), "EA")))

    assert [missing for _, missing in settled.short] == [2]
    item = (await balances(connection))["WID-1"]
    assert (item["available"], item["damaged"]) == (0, 3)


async def test_a_claim_ends_by_its_entries(connection: asyncpg.Connection) -> None:
    """Allocated: posted. Given back: released."""
    await settle(connection, receipt(4))
    await settle(connection, claim("used", ("WID-1", 1)), claim("freed", ("WID-1", 1)))

    await settle(
        connection,
        wish(Move(place(), "firm_claim", "allocated", Decimal(1), "EA", "used")),
        wish(Move(place(), "firm_claim", "available", Decimal(1), "EA", "freed")),
    )

    rows = await connection.fetch("select id, state from claim")
    assert dict(map(tuple, rows)) == {"used": "posted", "freed": "released"}


async def test_the_table_itself_refuses_to_oversell(connection: asyncpg.Connection) -> None:
    """Were the code wrong, the row's own bound would stop the transaction."""
    await settle(connection, receipt(1))

    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("update stock_balance set available = -1")


moves = st.builds(
    Move, place=st.sampled_from([place(), place("WID-2")]), source=st.sampled_from(get_args(Bucket)),
    target=st.sampled_from(get_args(Bucket)), quantity=st.decimals("0.1", 20, places=1), unit=st.just("EA"),
).filter(lambda move: move.source != move.target)  # fmt: skip
claims = st.builds(
    lambda n, lines: claim(f"c{n}", *lines).what,
    st.integers(0, 10**6),
    st.lists(st.tuples(st.sampled_from(["WID-1", "WID-2"]), st.integers(1, 9)), min_size=1, max_size=3),
)


def empty() -> dict[stock.Key, stock.Balance]:
    keys = [stock.key_of(place()), stock.key_of(place("WID-2"))]
    return {
        key: stock.Balance(n, key, "EA", dict.fromkeys(stock.BUCKETS, Decimal(0)), False, 0, None)
        for n, key in enumerate(keys)
    }


@given(st.lists(st.one_of(moves, claims), max_size=40))
def test_any_run_of_wishes_keeps_the_law(wishes: list[Any]) -> None:
    """No bucket falls below nothing; the entries alone rebuild every balance; each wish is answered at most one way."""
    settled = stock.settle([wish(what) for what in wishes], empty(), 1)

    rebuilt = {
        balance.id: dict.fromkeys([*stock.BUCKETS, "outside"], Decimal(0))
        for balance in settled.balances.values()
    }
    for _, balance, source, target, quantity, *_ in settled.entries:
        assert quantity > 0
        rebuilt[balance][source] -= quantity
        rebuilt[balance][target] += quantity
    for balance in settled.balances.values():
        assert all(quantity >= 0 for quantity in balance.buckets.values())
        assert balance.buckets == {b: rebuilt[balance.id][b] for b in stock.BUCKETS}
    wanted = [w for w in wishes if isinstance(w, Claim)]
    assert len(settled.granted) + len(settled.refused) == len(wanted)
