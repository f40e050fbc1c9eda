"""Holds and what is expected, as rows: they count by the business clock, a target is paused once, and nothing is told twice."""

from datetime import UTC, datetime, timedelta

from crossdock.store import batch, holds
from crossdock.store.holds import Wish
from crossdock.store.pool import connect


async def test_a_hold_ends_by_the_business_clock(dsn: str) -> None:
    """An hour of that clock later it counts no more, cannot be lifted, and its row says why it ended."""
    connection = await connect(dsn)
    wish = Wish(scope="key", name="order/x/1", reason="look", owner="ops", who="kim", for_seconds=3600)
    made = await holds.place(connection, wish)
    assert made is not None
    assert await holds.current(connection) == (made,)

    await connection.execute("update hub set clock_business_at = clock_business_at + interval '61 minutes'")

    assert await holds.current(connection) == ()
    assert await holds.lift(connection, made.id, "kim", "settled") == "over"
    row = await holds.one(connection, made.id)
    assert row is not None
    assert row["lifted_because"] == "its time was up"
    await connection.close()


async def test_a_target_is_paused_or_drained_once(dsn: str) -> None:
    """The same again changes nothing; the other takes its place, and says so."""
    connection = await connect(dsn)
    pause = Wish(mode="pause", scope="target", name="sap-1", reason="month end", owner="fin", who="kim")
    first = await holds.place(connection, pause)
    assert first is not None
    assert await holds.place(connection, pause) is None
    drain = Wish(mode="drain", scope="target", name="sap-1", reason="upgrade", owner="fin", who="kim")
    second = await holds.place(connection, drain)

    assert second is not None
    assert second.up_to == 0  # nothing was ever journaled
    assert await holds.current(connection) == (second,)
    row = await holds.one(connection, first.id)
    assert row is not None
    assert row["lifted_because"] == "it became a drain"
    await connection.close()


async def test_a_hold_is_lifted_as_it_was_read(dsn: str) -> None:
    """Another version, or a number that nobody gave, lifts nothing."""
    connection = await connect(dsn)
    made = await holds.place(connection, Wish(scope="item", name="WID-1", reason="x", owner="ops", who="kim"))
    assert made is not None
    assert await holds.lift(connection, made.id, "kim", "y", made.version + 1) == "changed"
    assert await holds.lift(connection, made.id + 1, "kim", "y") == "unknown"
    assert await holds.lift(connection, made.id, "kim", "y", made.version) == "lifted"
    assert await holds.lift(connection, made.id, "kim", "y") == "over"
    await connection.close()


async def test_a_clock_runs_as_fast_as_the_business_clock(dsn: str) -> None:
    """An hour of a clock that runs sixty times as fast is a minute; once it is said, it is not said again before the next step."""
    connection = await connect(dsn)
    now = datetime.now(UTC)
    for name, since in (("soon", now - timedelta(seconds=30)), ("past", now - timedelta(seconds=90))):
        await connection.execute(
            "insert into thread_state (thread, p, thread_key, kind, version, state, first_segment, expects_since, expects_at)"
            " values ($1, 0, $2, 'order', 1, '', 1, $3, $4)",
            name.encode(), name, since, since + timedelta(hours=1),
        )  # fmt: skip
    assert await batch.run_out(connection, [0], 10) == []
    await connection.execute("update hub set clock_rate = 60")

    [row] = await batch.run_out(connection, [0], 10)
    assert row["thread_key"] == "past"
    await batch.said_run_out(connection, [row["thread"]])
    assert await batch.run_out(connection, [0], 10) == []
    await connection.close()
