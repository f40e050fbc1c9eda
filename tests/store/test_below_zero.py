"""Where stock may fall below zero, facts are booked whole; claims take nothing that is not there, and the exception ends."""

from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import pytest

from crossdock.model.quantity import Quantity
from crossdock.model.stock import Bucket, ClaimLine, StockPlace
from crossdock.model.thread import hash16
from crossdock.processes.intents import Claim, Move
from crossdock.store import stock
from crossdock.store.segments import current_segment

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FLOOR, SHELF = StockPlace("WID-1", "FLOOR"), StockPlace("WID-1", "SHELF")


async def settle(
    connection: asyncpg.Connection, *whats: Claim | Move, excepted: tuple[str, ...] = ("FLOOR",)
) -> stock.Settled:
    wishes = [stock.Wish(what, hash16("order/x"), "order/x", "cause", NOW) for what in whats]
    places = dict.fromkeys((stock.key_of(x) for x in (FLOOR, SHELF)), "EA")
    async with connection.transaction():
        balances = await stock.lock_whole(connection, places, (), excepted)
        settled = stock.settle(wishes, balances, current_segment())
        await stock.write(connection, settled, current_segment())
    return settled


def move(place: StockPlace, source: Bucket, target: Bucket, quantity: int) -> Move:
    return Move(place, source, target, Decimal(quantity), "EA")


async def available(connection: asyncpg.Connection) -> dict[str, int]:
    return {r["location"]: int(r["available"]) for r in await connection.fetch("select * from stock_balance")}


@pytest.mark.parametrize("target", ["outside", "picked"])
async def test_a_fact_is_booked_whole_only_where_that_is_excepted(
    connection: asyncpg.Connection, target: Bucket
) -> None:
    """Five of three: two below zero on the floor, nothing left and a shortage of two on the shelf."""
    settled = await settle(
        connection,
        *(move(place, "outside", "available", 3) for place in (FLOOR, SHELF)),
        *(move(place, "available", target, 5) for place in (FLOOR, SHELF)),
    )

    assert await available(connection) == {"FLOOR": -2, "SHELF": 0}
    assert [(wish.what.place.location, int(rest)) for wish, rest in settled.short] == [("SHELF", 2)]  # type: ignore[union-attr]


async def test_neither_a_claim_nor_a_hold_takes_what_is_not_there(connection: asyncpg.Connection) -> None:
    """Below zero nothing is granted; at one piece a hold of two gets one."""
    line = ClaimLine("1", FLOOR, Quantity(Decimal(1)))
    refused = await settle(connection, move(FLOOR, "available", "outside", 2), Claim("c1", (line,)))
    held = await settle(
        connection, move(FLOOR, "outside", "available", 3), move(FLOOR, "available", "quarantine", 2)
    )

    assert len(refused.refused) == 1
    assert [int(rest) for _, rest in held.short] == [1]
    assert await available(connection) == {"FLOOR": 0, "SHELF": 0}


async def test_the_exception_comes_to_balances_that_are_there_and_goes_where_nothing_is_owed(
    connection: asyncpg.Connection,
) -> None:
    """What is below zero keeps it until it was put right and a landscape is taken once more."""

    async def flags() -> dict[str, bool]:
        found = await connection.fetch("select location, may_be_negative from stock_balance")
        return {r["location"]: r["may_be_negative"] for r in found}

    await settle(connection, excepted=())
    assert await flags() == {"FLOOR": False, "SHELF": False}
    await stock.except_below_zero(connection, ["FLOOR", "SHELF"])
    await settle(connection, move(FLOOR, "available", "outside", 1))
    await stock.except_below_zero(connection, [])
    assert await flags() == {"FLOOR": True, "SHELF": False}
    await settle(connection, move(FLOOR, "outside", "available", 1))
    await stock.except_below_zero(connection, [])
    assert await flags() == {"FLOOR": False, "SHELF": False}
