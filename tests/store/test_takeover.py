"""A claim is taken over once, whoever wants it in the same moment: the row that is locked first decides, and it stays so."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import asyncpg

from crossdock.model.quantity import Quantity
from crossdock.model.stock import ClaimLine, StockPlace
from crossdock.model.thread import PARTITIONS, hash16
from crossdock.processes.intents import Claim, Move, Takes
from crossdock.runtime import expiry
from crossdock.store import batch, claims, stock
from crossdock.store.ledger_law import differences
from crossdock.store.segments import current_segment
from store.conftest import Connect

NOW = datetime.now(UTC)
PLACE = StockPlace("WID-1", "SITE1")


def lines(pieces: int) -> tuple[ClaimLine, ...]:
    return (ClaimLine("1", PLACE, Quantity(Decimal(pieces))),)


def checkout(name: str, pieces: int = 1, *, ends: timedelta = timedelta(hours=1)) -> stock.Wish:
    claim = Claim(name, lines(pieces), kind="soft", expires_at=NOW + ends, good_on=NOW.date(), channel="shop")
    return stock.Wish(claim, hash16(f"claim/{name}"), f"claim/{name}", "asked", NOW)


def order(number: int, takes: str, pieces: int = 1) -> stock.Wish:
    claim = Claim(f"{number}#0", lines(pieces), good_on=NOW.date(), takes=Takes(takes, "shop", 60, NOW))
    return stock.Wish(claim, hash16(f"order/{number}"), f"order/{number}", f"order {number}", NOW)


async def settle(connection: asyncpg.Connection, *wishes: stock.Wish) -> stock.Settled:
    """One round, as the worker does it."""
    async with connection.transaction():
        held = await claims.lock(connection, stock.named_claims(wishes))
        balances = await stock.lock_whole(connection, {stock.key_of(PLACE): "EA"})
        settled = stock.settle(wishes, balances, current_segment(), held)
        await stock.write(connection, settled, current_segment())
    return settled


async def stocked(connection: asyncpg.Connection, pieces: int) -> None:
    move = Move(PLACE, "outside", "available", Decimal(pieces), "EA")
    await settle(connection, stock.Wish(move, hash16("order/x"), "order/x", "receipt", NOW))


async def test_twenty_orders_that_name_one_claim_share_what_there_is(another: Connect) -> None:
    """At once, over their own connections: one takes it over, and the claim's row says which for good."""
    connections = [await another() for _ in range(8)]
    await stocked(connections[0], 3)
    await settle(connections[0], checkout("c", 2))

    async def some(worker: int) -> list[stock.Settled]:
        return [await settle(connections[worker], order(100 * worker + n, "c", 2)) for n in range(3)]

    rounds = [x for found in await asyncio.gather(*map(some, range(8))) for x in found]

    granted = [wish.thread_key for x in rounds for wish, _, _ in x.granted]
    outcomes = sorted(told.outcome for x in rounds for told in x.took.values())
    assert (len(granted), outcomes) == (1, ["other_order"] * 23 + ["taken"])
    row = await connections[0].fetchrow("select state, taken_by, ended_at is not null as ended from claim where id = 'c'")  # fmt: skip
    assert row is not None
    assert tuple(row) == ("taken_over", granted[0], True)
    assert await differences(connections[0]) == []


async def test_an_order_and_the_end_of_its_claim_at_the_same_moment_have_one_winner(another: Connect) -> None:
    """Either it is taken over and never expires, or it has expired and the order is served from the shelf."""
    worker, other = await another(), await another()
    leased = {
        row["p"]: row["epoch"] for row in await batch.claim_partitions(other, uuid4(), PARTITIONS, 60.0)
    }
    await stocked(worker, 20)
    for number in range(20):
        await settle(worker, checkout(f"c{number}", ends=timedelta(seconds=-1)))

    async def orders() -> list[str]:
        found = []
        for number in range(20):
            settled = await settle(worker, order(number, f"c{number}"))
            assert len(settled.granted) == 1
            found.append(settled.took[f"{number}#0"].outcome)
        return found

    outcomes, _ = await asyncio.gather(orders(), expiry.expire_due(other, leased))
    await expiry.expire_due(other, leased)

    states = {r["id"]: r["state"] for r in await worker.fetch("select id, state from claim where thread_key like 'claim/%'")}  # fmt: skip
    wanted = {"taken": "taken_over", "ended": "expired"}
    assert [states[f"c{n}"] for n in range(20)] == [wanted[x] for x in outcomes]
    firm = await worker.fetchval("select firm_claim from stock_balance")
    assert firm == 20
    assert await differences(worker) == []


def test_orders_without_a_claim_lock_none() -> None:
    """Nor does one whose claim has a name that no claim can have."""
    plain = Claim("1#0", lines(1), good_on=NOW.date())
    wishes = [stock.Wish(plain, b"", "order/1", "x", NOW), order(2, "no such\x00name"), order(3, "cart-7")]

    assert stock.named_claims(wishes) == ["cart-7"]
