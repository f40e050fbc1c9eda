"""What availability needs of the database: whole places locked, and numbers that are due looked at once."""

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal

import asyncpg

from crossdock.model.stock import StockPlace
from crossdock.processes.intents import Move
from crossdock.store import reviews, stock
from crossdock.store.segments import current_segment
from store.conftest import Connect
from store.test_stock import claim, receipt, settle, wish


async def lots(connection: asyncpg.Connection) -> None:
    """Two lots in kilograms, one of somebody else's."""
    for place in (StockPlace("KG-1", "SITE1", "L1"), StockPlace("KG-1", "SITE1", "L2", "OWNER-2")):
        move = Move(place, "outside", "available", Decimal(4), "KGM", expires_on=date(2027, 1, 31))
        async with connection.transaction():
            locked = await stock.lock(connection, [(stock.key_of(place), "KGM")])
            settled = stock.settle([wish(move)], locked, current_segment())
            await stock.write(connection, settled, current_segment())


async def test_a_whole_place_is_locked_and_made_in_the_unit_of_its_lots(
    connection: asyncpg.Connection,
) -> None:
    """All lots of what is named come; what is missing is made in their unit, or else in the one given; what is only near is not."""
    await lots(connection)
    head, other = ("KG-1", "SITE1", "", "", ""), ("NEW", "SITE1", "", "", "")

    async with connection.transaction():
        found = await stock.lock_whole(connection, {head: "EA", other: "EA"}, [("ABSENT", "SITE1")])

    assert list(found) == sorted(found)
    assert {key[0] for key in found} == {"KG-1", "NEW"}
    assert {key[2:4]: x.unit for key, x in found.items() if key[0] == "KG-1"} == {
        ("", ""): "KGM", ("L1", ""): "KGM", ("L2", "OWNER-2"): "KGM",
    }  # fmt: skip
    assert (found[other].unit, found["KG-1", "SITE1", "L1", "", ""].expires_on) == ("EA", date(2027, 1, 31))


async def test_what_is_noted_at_a_balance_is_there_next_time(connection: asyncpg.Connection) -> None:
    """What channels were told, when to look again, and how much was claimed lately."""
    await settle(connection, receipt(40), claim("c1", ("WID-1", 3)), claim("c2", ("WID-1", 50)))
    key = ("WID-1", "SITE1", "", "", "")
    due = datetime(2026, 12, 1, tzinfo=UTC)
    async with connection.transaction():
        balances = await stock.lock_whole(connection, {key: "EA"})
        balances[key].shown, balances[key].review_at, balances[key].changed = '{"shop":"7"}', due, True
        await stock.write(connection, stock.Settled(current_segment(), balances=balances), current_segment())

    async with connection.transaction():
        [found] = (await stock.lock_whole(connection, {key: "EA"})).values()

    assert found.shown is not None
    assert (found.shown.replace(" ", ""), found.review_at) == ('{"shop":"7"}', due)
    assert found.sold_at is not None
    assert found.lately(found.sold_at) == 3.0


async def test_each_due_place_is_found_by_one(another: Connect) -> None:
    """Two who look at the same moment share what is due; afterwards nothing is."""
    connections = [await another() for _ in range(2)]
    await settle(connections[0], *(receipt(1, f"I-{n}") for n in range(10)))
    await connections[0].execute("update stock_balance set review_at = clock_timestamp()")
    await settle(connections[0], receipt(1, "LATER"))

    found = await asyncio.gather(*(reviews.take_due(x, 7) for x in connections))
    rest = await reviews.take_due(connections[0], 100)

    assert sorted(x for some in (*found, rest) for x in some) == [(f"I-{n}", "SITE1") for n in range(10)]
    assert await reviews.take_due(connections[0], 100) == []


async def test_a_hold_concerns_what_the_channel_shows(connection: asyncpg.Connection) -> None:
    """A held channel's numbers above 0 are due, and those of 0 where it is held no longer and there is some; others are left alone."""
    numbers = {"ON": '{"a":"5"}', "OFF": '{"a":"0"}', "GONE": '{"a":"0"}', "NEVER": '{"b":"5"}'}
    for item, shown in numbers.items():
        await settle(connection, receipt(1, item))
        await connection.execute("update stock_balance set shown = $2::jsonb where item = $1", item, shown)

    await settle(connection, claim("c1", ("GONE", 1)))

    await reviews.mark_held(connection, {"a": True, "b": False})
    assert await reviews.take_due(connection, 10) == [("ON", "SITE1")]
    await reviews.mark_held(connection, {"a": False, "b": False})
    assert await reviews.take_due(connection, 10) == [("OFF", "SITE1")]


async def test_what_is_sold_otherwise_is_looked_at_again(connection: asyncpg.Connection) -> None:
    """At the nodes that changed: what lies there, and what was shown though none is left; nothing elsewhere."""
    for item in ("THERE", "SHOWN", "NOTHING"):
        await settle(connection, receipt(1, item))
    await settle(connection, claim("c1", ("SHOWN", 1)), claim("c2", ("NOTHING", 1)))
    await connection.execute("""update stock_balance set shown = '{"a":"0"}' where item = 'SHOWN'""")

    await reviews.mark_sold_otherwise(connection, ["SITE9"])
    assert await reviews.take_due(connection, 10) == []
    await reviews.mark_sold_otherwise(connection, ["SITE1"])
    assert sorted(await reviews.take_due(connection, 10)) == [("SHOWN", "SITE1"), ("THERE", "SITE1")]
