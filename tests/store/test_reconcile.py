"""Reconciliation on a real database: the ledger at the watermark, what is settled, and who may write what was found."""

import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from crossdock.connect.contract import Refused, RetryLater, StockPage
from crossdock.demo.landscape import write
from crossdock.errors import Fenced, Misconfigured
from crossdock.model.drift import Counted
from crossdock.model.quantity import Quantity
from crossdock.model.registry import encode
from crossdock.model.stock import StockPlace, StockReceived, StockReconciled
from crossdock.model.thread import hash16, partition_of, stock_thread
from crossdock.processes.intents import Move
from crossdock.processes.policy import Policy
from crossdock.runtime.hub import load_hub
from crossdock.runtime.reconciliation import Unreadable, ask_what_is_due, reconcile
from crossdock.store import log, stock
from crossdock.store import reconcile as table
from crossdock.store.segments import current_segment
from crossdock.views import reconcile as view
from crossdock.views import stock as stock_view
from crossdock.views.sql import blocks
from store.conftest import Connect

NOW = datetime.now(UTC)
POLICY = Policy(warehouse="wms-1", settle_quantity_max=Decimal(5))
NO_PATIENCE = timedelta(seconds=0.2)


class Pages:
    """A warehouse that answers with these, one after the other."""

    def __init__(self, *answers: StockPage | RetryLater | Refused) -> None:
        self._answers = list(answers)

    async def stock_page(self, after: str) -> StockPage | RetryLater | Refused:
        return self._answers.pop(0)


def counted(item: str, good: int, held: int = 0, watermark: int = 3, unit: str = "EA") -> Counted:
    return Counted(
        StockPlace(item, "SITE1"), unit, Decimal(good), Decimal(held), datetime.now(UTC), watermark
    )


def page(*rows: Counted, after: str = "") -> StockPage:
    return StockPage(
        rows=rows,
        locations=("SITE1",),
        after=after,
        watermark=max((r.watermark or 0 for r in rows), default=3),
    )


async def receive(
    connection: asyncpg.Connection,
    item: str,
    quantity: int,
    sequence: int,
    document: str = "",
    occurred: datetime = NOW,
) -> None:
    """A receipt as the worker would write it: in the log, processed, and in the ledger."""
    place, event = StockPlace(item, "SITE1"), f"m-{sequence}-{uuid4().hex[:6]}"
    thread = stock_thread("SITE1", item)
    data = encode(StockReceived(place, Quantity(Decimal(quantity)), document or event))
    row = log.event_row(
        segment=current_segment(), generation=1, thread=thread, type_="stock.received.v1", event_id=event, source="wms-1",
        occurred_at=occurred, data=data, sequence=sequence,
    )  # fmt: skip
    wish = stock.Wish(
        Move(place, "outside", "available", Decimal(quantity), "EA"), hash16(thread), thread, event, occurred
    )
    async with connection.transaction():
        await log.append_rows(connection, [row], current_segment())
        settled = stock.settle(
            [wish], await stock.lock(connection, [(stock.key_of(place), "EA")]), current_segment()
        )
        await stock.write(connection, settled, current_segment())
    await processed(connection)


async def processed(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "update partition c set generation = n.generation, xid = n.xid, id = n.id from (select distinct on (p) p, generation, xid, id"
        " from event order by p, generation desc, xid desc, id desc) n where n.p = c.p"
    )


async def run_with(
    connection: asyncpg.Connection, *answers: StockPage | RetryLater | Refused, policy: Policy = POLICY
) -> list[view.Difference]:
    await table.ask(connection, "wms-1", "ada")
    run = await table.claim(connection, uuid4(), ["wms-1"], 5.0)
    assert run is not None
    await reconcile(connection, run, Pages(*answers), policy, NO_PATIENCE)
    return await view.list_differences(connection, run.id, 0, 100)


def told(found: Sequence[view.Difference]) -> list[tuple[str, Decimal, str, str]]:
    return [(d.item, d.good, d.cause, d.state) for d in sorted(found, key=lambda d: d.item)]


async def test_small_ones_are_settled_and_large_ones_wait(connection: asyncpg.Connection) -> None:
    """Within the bound an event with the reason is appended in the same transaction; above it a person decides."""
    for n, item in enumerate(("A", "B", "C"), 1):
        await receive(connection, item, 50, n)

    found = await run_with(
        connection, page(counted("A", 50), after="A"), RetryLater(reason="busy", after_seconds=0.01),
        page(counted("B", 48), counted("C", 10)),
    )  # fmt: skip

    assert told(found) == [("B", -2, "counted", "settled"), ("C", -40, "counted", "open")]
    [event] = await connection.fetch("select * from event where type = 'stock.reconciled.v1'")
    assert event["event_id"] == f"reconciled/{found[0].id}"
    assert event["p"] == partition_of(hash16("stock/SITE1/B"))
    assert b"settle_quantity_max" in event["data"]


async def test_what_came_after_the_watermark_is_no_difference(connection: asyncpg.Connection) -> None:
    """The ledger has heard more than the row, and says so."""
    await receive(connection, "A", 50, 99)
    await receive(connection, "A", 7, 101)

    assert await run_with(connection, page(counted("A", 50, watermark=100))) == []
    [run] = await view.list_runs(connection)
    assert (run.state, run.counted, run.watermark, run.differences) == ("done", 1, 100, 0)


async def test_a_gap_in_their_numbers_is_a_lost_event(connection: asyncpg.Connection) -> None:
    """Number 2 never came, and something is there that nobody told of."""
    await receive(connection, "A", 50, 1)
    await receive(connection, "B", 50, 3)

    found = await run_with(connection, page(counted("A", 62, watermark=3), counted("B", 50, watermark=3)))

    assert told(found) == [("A", 12, "lost_event", "open")]


async def test_a_lost_event_is_missed_until_it_comes(connection: asyncpg.Connection) -> None:
    """However small, it is not settled by itself: it comes after all, and nothing differs any more."""
    await receive(connection, "A", 50, 1)
    await receive(connection, "B", 50, 3)
    rows = (counted("A", 52, watermark=3), counted("B", 50, watermark=3))

    nights = [told(await run_with(connection, page(*rows))) for _ in range(2)]
    await receive(connection, "A", 2, 2)
    later = await run_with(connection, page(*rows))

    assert nights == [[("A", 2, "lost_event", "open")]] * 2
    assert later == []
    assert await connection.fetchval("select count(*) from event where type = 'stock.reconciled.v1'") == 0


async def test_nothing_is_compared_while_the_hub_is_paused(connection: asyncpg.Connection) -> None:
    """A restored hub may not have heard all that the lost one had."""
    await table.ask(connection, "wms-1", "ada")
    await connection.execute("update hub set paused_reason = 'restored'")

    assert await table.claim(connection, uuid4(), ["wms-1"], 5.0) is None


async def test_a_document_booked_twice_is_a_duplicate(connection: asyncpg.Connection) -> None:
    """The evidence names both entries."""
    await receive(connection, "A", 9, 1, "R-1")
    await receive(connection, "A", 9, 2, "R-1")

    [one] = await run_with(connection, page(counted("A", 9, watermark=2)))

    assert (one.cause, one.good) == ("duplicate", -9)
    assert "R-1" in one.evidence[0]


async def test_what_they_do_not_name_is_not_there(connection: asyncpg.Connection) -> None:
    """At the places they speak for; and what nobody defined here is an unknown item. Another unit is never subtracted."""
    await receive(connection, "A", 3, 1)
    await receive(connection, "C", 24, 2)
    await receive(connection, "D", 1, 3)

    found = await run_with(connection, page(counted("B", 4), counted("C", 2, unit="CS"), counted("D", 1)))

    assert told(found) == [
        ("A", -3, "counted", "settled"), ("B", 4, "unknown_item", "open"), ("C", 0, "wrong_unit", "open"),
    ]  # fmt: skip


async def test_a_later_run_replaces_what_is_open_and_approval_is_once(connection: asyncpg.Connection) -> None:
    """Of two who approve, one does; what was superseded cannot be approved."""
    await receive(connection, "A", 50, 1)
    [first] = await run_with(connection, page(counted("A", 10)))
    [second] = await run_with(connection, page(counted("A", 11)))

    async def approve(number: int) -> bool:
        row = await table.read_difference(connection, number)
        return await table.decide(connection, row, booked=True, who="ada", reason="counted twice", now=NOW)

    assert [await approve(first.id), await approve(second.id), await approve(second.id)] == [
        False,
        True,
        False,
    ]
    [event] = await connection.fetch("select data from event where type = 'stock.reconciled.v1'")
    assert b"counted twice" in event["data"]


async def test_what_is_open_is_somebodys_case(connection: asyncpg.Connection) -> None:
    """One for the system whatever differs, again with the next run, and closed when the last one is decided or gone."""
    for n, item in enumerate(("A", "B", "C"), 1):
        await receive(connection, item, 50, n)

    async def open_cases() -> list[tuple[str, int]]:
        rows = await connection.fetch(
            "select c.owner, count(*) from cases c join case_link l on l.case_id = c.id and l.closed_at is null"
            " where c.state = 'open' group by c.id, c.owner"
        )
        return [(row[0], row[1]) for row in rows]

    await run_with(connection, page(counted("A", 10), counted("B", 10), counted("C", 50)))
    assert await open_cases() == [("warehouse", 2)]
    [one] = await run_with(connection, page(counted("A", 10), counted("B", 50), counted("C", 50)))
    assert await open_cases() == [("warehouse", 1)]
    row = await table.read_difference(connection, one.id)
    await table.decide(connection, row, booked=True, who="ada", reason="counted", now=NOW)
    assert await open_cases() == []


async def test_what_was_approved_meanwhile_is_not_booked_again(connection: asyncpg.Connection) -> None:
    """A run that looked before the approval does not find the same difference a second time."""
    await receive(connection, "A", 50, 1)
    [first] = await run_with(connection, page(counted("A", 47)), policy=Policy(warehouse="wms-1"))
    await table.ask(connection, "wms-1", "ada")
    run = await table.claim(connection, uuid4(), ["wms-1"], 5.0)
    assert run is not None
    row = await table.read_difference(connection, first.id)
    await table.decide(connection, row, booked=True, who="ada", reason="counted", now=NOW)
    await processed(connection)

    await reconcile(connection, run, Pages(page(counted("A", 47))), POLICY, NO_PATIENCE)

    assert await view.list_differences(connection, run.id, 0, 10) == []
    assert await connection.fetchval("select count(*) from event where type = 'stock.reconciled.v1'") == 1


async def test_a_run_has_one_owner(another: Connect) -> None:
    """Two take it at once: one has it. Who was too slow finds that it is no longer his, and nothing of his is written."""
    one, other = await another(), await another()
    assert await table.ask(one, "wms-1", "ada") is not None
    assert await table.ask(one, "wms-1", "bob") is None
    slow = await table.claim(one, uuid4(), ["wms-1"], 0.0)
    taken = await table.claim(other, uuid4(), ["wms-1"], 5.0)
    assert slow is not None
    assert taken is not None
    assert await table.claim(one, uuid4(), ["wms-1"], 5.0) is None

    with pytest.raises(Fenced):
        await reconcile(one, slow, Pages(page(counted("A", 1))), POLICY, NO_PATIENCE)

    assert await one.fetchval("select count(*) from reconcile_difference") == 0


async def test_a_refused_snapshot_says_why(connection: asyncpg.Connection) -> None:
    """It is not taken for an empty warehouse."""
    await receive(connection, "A", 5, 1)

    with pytest.raises(Unreadable, match="no right"):
        await run_with(connection, Refused(code="403", reason="no right"))


async def test_a_slot_of_the_schedule_runs_once(connection: asyncpg.Connection) -> None:
    """However many ask for it."""
    assert await table.ask(connection, "wms-1", "schedule", "2026-11-26") is not None
    run = await table.claim(connection, uuid4(), ["wms-1"], 5.0)
    assert run is not None
    await table.fail(connection, run, "no")

    assert await table.ask(connection, "wms-1", "schedule", "2026-11-26") is None
    assert await table.ask(connection, "wms-1", "schedule", "2026-11-27") is not None


async def test_the_schedule_asks_once_a_day(connection: asyncpg.Connection, tmp_path: Path) -> None:
    """On the business clock, whoever looks and however often; the day after has its own."""
    write(tmp_path, hub_port=1, system_port=2)
    system = tmp_path / "systems" / "wms-1.yaml"
    system.write_text(system.read_text() + 'snapshot_at: "22:00"\n')
    hub = load_hub(tmp_path)

    async def at(moment: datetime) -> int:
        await connection.execute(
            "update hub set clock_business_at = $1, clock_real_at = clock_timestamp()", moment
        )
        for _ in range(3):
            await ask_what_is_due(connection, hub)
        done = await table.claim(connection, uuid4(), ["wms-1"], 5.0)
        if done is not None:
            await table.fail(connection, done, "over")
        return int(await connection.fetchval("select count(*) from reconcile_run"))

    day = datetime(2026, 11, 26, tzinfo=UTC)
    counts = [await at(day + timedelta(hours=h)) for h in (21, 22.5, 23, 24, 46.1)]
    assert counts == [0, 1, 1, 1, 2]


async def test_a_time_for_a_system_without_stock_is_refused(tmp_path: Path) -> None:
    """At the start, naming the file."""
    write(tmp_path, hub_port=1, system_port=2)
    system = tmp_path / "systems" / "ups-1.yaml"
    system.write_text(system.read_text() + 'snapshot_at: "22:00"\n')

    with pytest.raises(Misconfigured, match="reads no stock"):
        load_hub(tmp_path)


async def test_a_large_snapshot_does_not_stay_in_memory(connection: asyncpg.Connection) -> None:
    """Page by page into the database: what Python holds does not grow with the rows."""

    class Endless:
        async def stock_page(self, after: str) -> StockPage:
            start = int(after or 0)
            rows = [counted(f"I-{n:06}", 1) for n in range(start, start + 1000)]
            return page(*rows, after=str(start + 1000) if start < 39_000 else "")

    await connection.execute(
        "insert into stock_balance (item, location, unit, available) select 'I-' || lpad(n::text, 6, '0'), 'SITE1', 'EA', 1"
        " from generate_series(0, 39999) n where n <> 77"
    )
    await table.ask(connection, "wms-1", "ada")
    run = await table.claim(connection, uuid4(), ["wms-1"], 60.0)
    assert run is not None
    tracemalloc.start()
    try:
        found = await reconcile(connection, run, Endless(), POLICY, NO_PATIENCE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert [d.place.item for d in found.differences] == ["I-000077"]
    assert peak < 20_000_000


async def test_a_late_fact_changes_the_view_not_the_history(connection: asyncpg.Connection) -> None:
    """What had happened by then includes it; what was known by then never does."""
    earlier = datetime.now(UTC) - timedelta(hours=5)
    await receive(connection, "A", 10, 1, occurred=earlier - timedelta(hours=1))
    before = await connection.fetchval("select clock_timestamp()")
    known = await stock_view.read_stock(connection, "A", earlier, before)
    await receive(connection, "A", 4, 2, occurred=earlier - timedelta(minutes=1))
    await receive(connection, "A", 1, 3)

    async def on_hand(at: datetime | None, known_at: datetime | None = None) -> Decimal:
        found = await stock_view.read_stock(connection, "A", at, known_at)
        assert found is not None
        return found.totals[0].on_hand

    assert [await on_hand(None), await on_hand(earlier), await on_hand(earlier, before)] == [15, 14, 10]
    assert known is not None
    assert known.totals[0].on_hand == 10
    entries = await stock_view.read_entries(connection, "A", 0, 2, stock_view.Narrowing())
    assert entries is not None
    older = await stock_view.read_entries(connection, "A", entries[-1].id, 2, stock_view.Narrowing())
    assert older is not None
    assert [e.quantity for e in (*entries, *older)] == [1, 4, 10]
    assert {(e.type, e.source, e.unit) for e in entries} == {("stock.received.v1", "wms-1", "EA")}


async def test_too_long_ago_is_said(connection: asyncpg.Connection) -> None:
    """Entries that are not kept cannot be taken back."""
    await receive(connection, "A", 10, 1)

    with pytest.raises(stock_view.TooOld):
        await stock_view.read_stock(connection, "A", datetime(2020, 1, 1, tzinfo=UTC))


def test_the_event_of_a_settling_names_its_reason() -> None:
    """Who looks at the entry's cause finds difference, cause and reason in it."""
    made = table.Found(
        StockPlace("A", "SITE1"), "EA", Decimal(-1), Decimal(0), "counted", (), None, "settled", "small"
    )

    assert made.event("wms-1", 7, 90, NOW) == StockReconciled(
        StockPlace("A", "SITE1"),
        Quantity(Decimal(-1)),
        Quantity(Decimal(0)),
        "wms-1",
        7,
        "counted",
        "small",
        "crossdock",
        90,
        NOW,
    )


async def test_entries_are_read_from_the_index_only(connection: asyncpg.Connection) -> None:
    """A hot item's newest page does not cost its whole history."""
    for n in range(1, 4):
        await receive(connection, "A", 1, n)
    balance = await connection.fetchval("select id from stock_balance where item = 'A'")
    await connection.execute(
        f"insert into stock_entry_{current_segment()} (segment, balance, from_bucket, to_bucket, quantity, cause, thread, occurred_at)"
        " select $1, $2, 'outside', 'available', 1, 'bulk', '\\x00', now() from generate_series(1, 20000)",
        current_segment(), balance,
    )  # fmt: skip
    await connection.execute("analyze")
    plan = await connection.fetch(
        "explain (analyze, timing off) " + blocks("stock.sql")["entries"],
        "A",
        2**62,
        None,
        None,
        None,
        "",
        10,
    )
    scanned = [line for (line,) in plan if "Scan" in line and f"stock_entry_{current_segment()}" in line]

    assert scanned
    assert all("Index" in line for line in scanned)
    assert all("rows=10" in line.split("actual")[1] for line in scanned)
