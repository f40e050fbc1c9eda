"""A recall in the ledger: from one instant on nothing of the lot is available anywhere, and everybody concerned hears of it."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg

from crossdock.model.order import LineShipped
from crossdock.model.quantity import Quantity
from crossdock.model.shipment import Package
from crossdock.model.stock import Bucket, ClaimLine, StockPlace
from crossdock.model.thread import hash16
from crossdock.processes.intents import Claim, Move
from crossdock.processes.shipment_state import State
from crossdock.runtime.batch import _ENCODE
from crossdock.store import recall, stock
from crossdock.store.ledger_law import differences
from crossdock.store.segments import current_segment
from crossdock.views.recall import THREADS_MAX, trace
from store.conftest import Connect

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def place(location: str = "SITE1", lot: str = "L1") -> StockPlace:
    return StockPlace("WID-1", location, lot)


def move(at: StockPlace, source: Bucket, target: Bucket, quantity: int) -> Move:
    return Move(at, source, target, Decimal(quantity), "EA")


async def settle(connection: asyncpg.Connection, *whats: Claim | Move) -> stock.Settled:
    wishes = [stock.Wish(x, hash16("order/shop/1"), "order/shop/1", "cause", NOW) for x in whats]
    places = {stock.key_of(x.place) for x in whats if isinstance(x, Move)}
    places |= {key for x in whats if isinstance(x, Claim) for key in stock.places_of(x)}
    async with connection.transaction():
        balances = await stock.lock_whole(connection, dict.fromkeys(places, "EA"))
        settled = stock.settle(wishes, balances, current_segment())
        await stock.write(connection, settled, current_segment())
    return settled


def claim(name: str, at: StockPlace) -> Claim:
    return Claim(name, (ClaimLine("1", at, Quantity(Decimal(1))),))


async def buckets(connection: asyncpg.Connection, lot: str = "L1") -> dict[str, dict[str, int]]:
    """Location → buckets that are not zero."""
    rows = await connection.fetch("select * from stock_balance where lot = $1 order by location", lot)
    return {r["location"]: {b: int(r[b]) for b in stock.BUCKETS if r[b]} for r in rows}


async def told(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch("select thread_key from event where type = 'stock.recalled.v1' order by 1")
    return [row["thread_key"] for row in rows]


async def test_what_is_there_and_what_comes_is_held_everywhere(connection: asyncpg.Connection) -> None:
    """At every site, also one that has it first later; other lots are sold on, and what leaves by a fact leaves."""
    await settle(
        connection, *(move(place(site), "outside", "available", 5) for site in ("SITE1", "SITE2")), claim("c1", place()),
        move(place(lot="L2"), "outside", "available", 5),
    )  # fmt: skip
    await recall.place(connection, "WID-1", "L1", "listeria", "ann")
    assert await buckets(connection) == {
        "SITE1": {"firm_claim": 1, "quarantine": 4},
        "SITE2": {"quarantine": 5},
    }

    settled = await settle(
        connection, move(place("SITE3"), "outside", "available", 7), claim("c2", place("SITE3")), claim("c3", place(lot="L2")),
        move(place("SITE2"), "available", "outside", 2), move(place("SITE2"), "quarantine", "available", 3),
    )  # fmt: skip
    assert [wish.what.claim for wish, *_ in settled.granted] == ["c3"]  # type: ignore[union-attr]
    assert settled.short == []
    assert await buckets(connection) == {
        "SITE1": {"firm_claim": 1, "quarantine": 4}, "SITE2": {"quarantine": 3}, "SITE3": {"quarantine": 7},
    }  # fmt: skip
    assert await differences(connection) == []


async def test_who_counted_on_it_hears_of_it_once_however_often_it_is_told(
    connection: asyncpg.Connection,
) -> None:
    """The places, and the order that it is set aside for; told again, the events are the same."""
    await settle(connection, move(place(), "outside", "available", 5), claim("c1", place()))
    for _ in range(2):
        await recall.place(connection, "WID-1", "L1", "listeria", "ann")
        assert await recall.tell(connection, "WID-1", "L1") == 2

    assert set(await told(connection)) == {"order/shop/1", "stock/SITE1/WID-1"}
    ids = await connection.fetchval(
        "select count(distinct event_id) from event where type = 'stock.recalled.v1'"
    )
    assert ids == 2
    assert await recall.tell(connection, "WID-1", "L2") == 0


async def test_a_place_that_has_none_left_is_not_asked_to_hold_it(connection: asyncpg.Connection) -> None:
    """It is told once it has some again and the recall is told again."""
    await settle(
        connection, move(place(), "outside", "available", 5), move(place(), "available", "outside", 5)
    )
    await recall.place(connection, "WID-1", "L1", "listeria", "ann")
    assert await recall.tell(connection, "WID-1", "L1") == 0

    await settle(connection, move(place(), "outside", "available", 2))
    assert await recall.tell(connection, "WID-1", "L1") == 1


async def test_a_lifted_recall_sells_what_comes_and_keeps_what_is_held(
    connection: asyncpg.Connection,
) -> None:
    """Until it is released; there is nothing to lift twice."""
    await settle(connection, move(place(), "outside", "available", 5))
    await recall.place(connection, "WID-1", "L1", "listeria", "ann")
    assert await recall.lift(connection, "WID-1", "L1", "tested", "ann")
    assert not await recall.lift(connection, "WID-1", "L1", "tested", "ann")
    await settle(
        connection, move(place(), "outside", "available", 2), move(place(), "quarantine", "available", 1)
    )

    assert await buckets(connection) == {"SITE1": {"available": 3, "quarantine": 4}}


async def test_a_recall_among_claims_misses_none(connection: asyncpg.Connection, another: Connect) -> None:
    """Claims that run beside it are granted and told, or refused; none is granted and not told."""
    await settle(connection, move(place(), "outside", "available", 50))

    async def buy(number: int) -> None:
        mine = await another()
        name = f"order/shop/{number}"
        wish = stock.Wish(claim(f"c{number}", place()), hash16(name), name, "cause", NOW)
        async with mine.transaction():
            balances = await stock.lock_whole(mine, {stock.key_of(place()): "EA"})
            settled = stock.settle([wish], balances, current_segment())
            await stock.write(mine, settled, current_segment())

    async def stop() -> None:
        mine = await another()
        await recall.place(mine, "WID-1", "L1", "listeria", "ann")
        await recall.tell(mine, "WID-1", "L1")

    await asyncio.gather(*(buy(n) for n in range(4)), stop(), *(buy(n) for n in range(4, 8)))
    granted = await connection.fetch("select thread_key from claim where state = 'pending' order by 1")
    assert [x for x in await told(connection) if x.startswith("order/")] == [x["thread_key"] for x in granted]
    assert (await buckets(connection))["SITE1"].get("available") is None
    assert await differences(connection) == []


def shipment(number: int, lot: str) -> State:
    line = LineShipped(f"shop/{number}", "1", "WID-1", Quantity(Decimal(1)), lot)
    package = Package(f"{number:018}", Quantity(Decimal(1), "KGM"), (line,))
    return State(shipment=f"wms-1/S-{number}", location="SITE1", packages=(package,), departed_at=NOW)


async def keep(connection: asyncpg.Connection, numbers: range, lot: str, *, lots: str | None) -> None:
    rows = [
        (hash16(f"shipment/wms-1/S-{n}"), 0, f"shipment/wms-1/S-{n}", "shipment", 2, _ENCODE(shipment(n, lot)), 1, [lots] if lots else None)
        for n in numbers
    ]  # fmt: skip
    await connection.copy_records_to_table(
        "thread_state", records=rows, columns=("thread", "p", "thread_key", "kind", "version", "state", "first_segment", "lots")
    )  # fmt: skip


async def whole(connection: asyncpg.Connection, lot: str) -> tuple[list[str], list[str], int]:
    """(shipments for sure, shipments that may have it, pages)"""
    sure: list[str] = []
    maybe: list[str] = []
    after, pages = "", 0
    while True:
        found: Any = await trace(connection, "WID-1", lot, after)
        sure += [x.shipment for x in found.parcels]
        maybe += [x.shipment for x in found.may_be]
        pages += 1
        if found.next is None:
            return sorted(sure), sorted(maybe), pages
        after = found.next


async def test_every_parcel_is_found_also_those_an_earlier_release_wrote(
    connection: asyncpg.Connection,
) -> None:
    """Over as many pages as it takes; rows that say nothing of lots are read, other lots are left out."""
    await settle(connection, move(place(), "outside", "available", 1))
    await keep(connection, range(THREADS_MAX + 40), "L1", lots="WID-1\tL1")
    await keep(connection, range(2_000, 2_003), "L1", lots=None)
    await keep(connection, range(3_000, 3_004), "L2", lots=None)
    await keep(connection, range(4_000, 4_005), "", lots="WID-1\t")
    await keep(connection, range(5_000, 5_006), "L2", lots="WID-1\tL2")

    sure, maybe, pages = await whole(connection, "L1")
    expected = [*range(THREADS_MAX + 40), *range(2_000, 2_003)]
    assert sure == sorted(f"shipment/wms-1/S-{n}" for n in expected)
    assert maybe == sorted(f"shipment/wms-1/S-{n}" for n in range(4_000, 4_005))
    assert pages == 2


async def _blocked(connection: asyncpg.Connection, other: asyncpg.Connection) -> bool:
    """Whether the other session waits for a lock; asked until it does or the patience is over."""
    pid = other.get_server_pid()
    for _ in range(200):
        if await connection.fetchval("select cardinality(pg_blocking_pids($1)) > 0", pid):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_goods_that_come_to_a_new_place_in_the_moment_of_the_recall_are_held(another: Connect) -> None:
    """Whichever comes first: a lot's first balance at a place is seen by the recall, or sees it; and so when it is lifted."""
    watcher, truck, office = [await another() for _ in range(3)]
    await settle(watcher, move(place(), "outside", "available", 1))

    async with truck.transaction():
        await settle(truck, move(place("SITE3"), "outside", "available", 7))
        recalling = asyncio.create_task(recall.place(office, "WID-1", "L1", "listeria", "ann"))
        assert await _blocked(watcher, office)
    await recalling
    assert await buckets(watcher) == {"SITE1": {"quarantine": 1}, "SITE3": {"quarantine": 7}}

    async with office.transaction():
        await recall.place(office, "WID-1", "L2", "listeria", "ann")
        coming = asyncio.create_task(settle(truck, move(place("SITE3", "L2"), "outside", "available", 5)))
        assert await _blocked(watcher, truck)
    await coming
    assert await buckets(watcher, "L2") == {"SITE3": {"quarantine": 5}}

    async with office.transaction():
        assert await recall.lift(office, "WID-1", "L2", "it was another", "ann")
        coming = asyncio.create_task(settle(truck, move(place("SITE4", "L2"), "outside", "available", 5)))
        assert await _blocked(watcher, truck)
    await coming
    assert (await buckets(watcher, "L2"))["SITE4"] == {"available": 5}
    assert await differences(watcher) == []


async def test_an_order_that_is_granted_in_the_moment_of_the_recall_hears_of_it(another: Connect) -> None:
    """The recall waits for the balance that the order holds; when it goes on, the order's claim is there to be asked."""
    watcher, worker, office = [await another() for _ in range(3)]
    await settle(watcher, move(place(), "outside", "available", 3))

    async def recalled() -> int:
        await recall.place(office, "WID-1", "L1", "listeria", "ann")
        return await recall.tell(office, "WID-1", "L1")

    async with worker.transaction():
        settled = await settle(worker, claim("c1", place()))
        assert len(settled.granted) == 1
        telling = asyncio.create_task(recalled())
        assert await _blocked(watcher, office)
    await telling
    assert await told(watcher) == ["order/shop/1", "stock/SITE1/WID-1"]
    assert await buckets(watcher) == {"SITE1": {"firm_claim": 1, "quarantine": 2}}
