"""The hot queries use their index on tables of some size: a missing or unusable one is found here, not in production."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import date
from typing import Any

import asyncpg
import pytest

from crossdock.model.thread import PARTITIONS, hash16
from crossdock.runtime.admission import _COUNT
from crossdock.store import audit, batch, delivery, feed, log, reviews, stock
from crossdock.store.pool import connect
from crossdock.store.segments import current_segment
from crossdock.views.sql import blocks
from store.conftest import Server

ROWS = 20_000
SEGMENT = current_segment()
_SEED = f"""
insert into event (segment, p, generation, thread, thread_key, type, event_id, source, occurred_at, data)
select {SEGMENT}, n % 64, 1, decode(md5((n / 10)::text), 'hex'), 'order/x/' || n / 10, 'order.received.v1', 'e-' || n, 'tests', now(), '{{}}'
from generate_series(1, {ROWS}) n;
insert into effect (id, p, thread, thread_key, kind, account, object, lane, mode, state, segment, document)
select md5('f' || n)::uuid, n % 64, decode(md5((n / 10)::text), 'hex'), 'order/x/' || n / 10, 'goods_issue.post', 'sap-' || n % 5,
    'S-' || n, decode(md5((n % 4000)::text), 'hex'), 1 + n % 3, case when n % 200 = 0 then 0 when n % 999 = 0 then 5 else 10 end, {SEGMENT}, '49' || n
from generate_series(1, {ROWS}) n;
insert into account (name) select 'sap-' || n from generate_series(0, 4) n;
insert into throughput (tick, appended, processed, delivered) select n, n, n, n from generate_series(1, 1080) n;
insert into effect_body (segment, effect, connector, sealed) select segment, id, 'sap_s4', 'x' from effect;
insert into attempt (segment, effect, no, deadline_at) select segment, id, 1, now() from effect;
insert into dedupe (key, content, expires_on, event_id)
select decode(md5('d' || n), 'hex'), 'x', current_date, 'e-' || n from generate_series(1, {ROWS}) n;
insert into thread_state (thread, p, thread_key, kind, version, state, done, first_segment, parked, number)
select decode(md5(n::text), 'hex'), n % 64, 'order/x/' || n, 'order', 1, '\\x80', n % 100 <> 0, {SEGMENT}, case when n % 5000 = 0 then 'x' end, '#' || n
from generate_series(1, {ROWS}) n;
insert into identifier (hash, thread, scheme, issuer, value, thread_key)
select decode(md5('i' || n), 'hex'), decode(md5(n::text), 'hex'), 'tracking', 'ups-1', '1Z' || n, 'order/x/' || n from generate_series(1, {ROWS}) n;
insert into timer (thread, name, p, thread_key, due_at)
select decode(md5(n::text), 'hex'), 'recheck', n % 64, 'order/x/' || n, now() + n * interval '1 minute' from generate_series(1, {ROWS}) n;
insert into message (segment, id, direction, system, channel, content_hash, size, sealed)
select {SEGMENT}, md5('m' || n)::uuid, 'in', 'shopify-eu', 'webhooks', 'x', 1, 'x' from generate_series(1, {ROWS}) n;
insert into stock_balance (item, location, unit, review_at)
select 'I-' || n, 'SITE1', 'EA', case when n % 100 = 0 then now() + interval '1 day' end from generate_series(1, {ROWS}) n;
insert into cases (fingerprint, class, cause, title, state)
select decode(md5(n::text), 'hex'), 'value', 'x', 'x', case when n % 200 = 0 then 'open' else 'closed' end from generate_series(1, {ROWS}) n;
insert into case_link (case_id, thread, thread_key, closed_at)
select id, decode(md5(id::text), 'hex'), 'order/x/' || id, case when state = 'closed' then now() end from cases;
"""
_THREAD = bytes.fromhex("c4ca4238a0b923820dcc509a6f75849b")
_CURSORS = ([0, 1, 2], [1, 1, 1], [0, 0, 0], [0, 0, 0])

HOT: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "read the log": (log._READ, (*_CURSORS, 100, 0, 1), "event"),
    "read the log, all partitions": (log._READ, (list(range(PARTITIONS)), [1] * PARTITIONS, [0] * PARTITIONS, [0] * PARTITIONS, 64, 0, 1), "event"),
    "read the feed": (feed._READ, (list(range(PARTITIONS)), [1] * PARTITIONS, [0] * PARTITIONS, [0] * PARTITIONS, 32, 0, 1), "event"),
    "the newest of the feed": (feed._NEWEST, (20, 1), "event"),
    "what the audit seals next": (audit._BOUND, (1, 700, 2**40, SEGMENT - 1, 4000), "event"),
    "digests of what the audit seals": (f"select count(digest) from ({audit.ROWS['events']}) r", (1, 2**39, 2**40, SEGMENT - 1), "event"),
    "whom a key belongs to": ("select distinct thread from event where subject = any($1)", ([b"nobody"],), "event"),
    "count what waits": (_COUNT, (1000,), "event"),
    "decide duplicates": (log._DEDUPE, ([hash16("a"), hash16("b")], [b"x"] * 2, [date(2026, 12, 24)] * 2, ["a", "b"]), "dedupe"),
    "open effects of an account": (delivery._OPEN, ("sap-1", 0, 0, 100), "effect"),
    "mark effects": (delivery._MARK, (["6f1e6a0e-6f2c-5c7e-9d53-0d1c0f0a7c11"], [5.0], [SEGMENT]), "effect"),
    "lock the lots of places": (stock._LOCK_LOTS, (["I-7", "I-8"], ["SITE1", "SITE1"]), "stock_balance"),
    "numbers to look at again": (reviews._DUE, (500,), "stock_balance"),
    "find by identifier": (blocks("find.sql")["by_identifier"], ("1Z77", 50), "identifier"),
    "find by document": (blocks("find.sql")["by_document"], ("4977", 50), "effect"),
    "find by effect": (blocks("find.sql")["by_effect"], ("6f1e6a0e-6f2c-5c7e-9d53-0d1c0f0a7c11",), "effect"),
    "find by number": (blocks("find.sql")["by_number"], (["#77"], 50), "thread_state"),
    "find by handling unit": (blocks("find.sql")["by_unit"], ("340123450000000017", 50), "thread_state"),
    "find by message": (blocks("find.sql")["message"], ("6f1e6a0e-6f2c-5c7e-9d53-0d1c0f0a7c11",), "message"),
    "find by case": (blocks("find.sql")["by_case"], (77, 50), "case_link"),
    "now: targets": (blocks("now.sql")["targets"], (5000,), "effect"),
    "now: flows": (blocks("now.sql")["flows"], (5000,), "effect"),
    "now: cases": (blocks("now.sql")["owners"], (10_000,), "cases"),
    "now: what is waited for": (blocks("now.sql")["waiting"], (["order", "shipment"], 50_000), "thread_state"),
    "now: what is not processed": (blocks("now.sql")["lag"], (10_000,), "event"),
    "clocks that ran out": (batch._RUN_OUT, (list(range(PARTITIONS)), 500), "thread_state"),
    "what is open under holds": (blocks("holds.sql")["open"], ("", 1000), "effect"),
    "now: its stamp": (blocks("now.sql")["stamp"], (), "cases"),
    "a story's events": (blocks("story.sql")["events"], ([_THREAD], 0, None, 50), "event"),
    "a story's effects": (blocks("story.sql")["effects"], ([_THREAD], None, 50), "effect"),
    "a story's cases": (blocks("story.sql")["cases"], ([_THREAD],), "case_link"),
}  # fmt: skip


@pytest.fixture(scope="module")
def seeded(server: Server) -> Iterator[str]:
    """A database with some tens of thousands of rows in every hot table."""

    async def fill() -> None:
        await server.run("create database seeded template template_hub")
        connection = await asyncpg.connect(server.dsn("seeded"))
        await connection.execute(_SEED)
        await connection.execute("vacuum analyze")
        await connection.close()

    asyncio.run(fill())
    yield server.dsn("seeded")
    asyncio.run(server.run("drop database seeded with (force)"))


@pytest.fixture
async def reader(seeded: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(seeded)
    yield connection
    await connection.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def plan_of(
    connection: asyncpg.Connection, sql: str, arguments: tuple[Any, ...]
) -> list[dict[str, Any]]:
    """With these values, on statistics that are fresh."""
    text = await connection.fetchval(f"explain (format json) {sql}", *arguments)
    return list(nodes(json.loads(text)[0]["Plan"]))


def walked(plan: list[dict[str, Any]], table: str) -> list[str]:
    """Tables (or their running segment) that are read from end to end."""
    full = {table, f"{table}_{SEGMENT}"}
    return [n["Relation Name"] for n in plan if n["Node Type"] == "Seq Scan" and n["Relation Name"] in full]


@pytest.mark.parametrize("what", HOT)
async def test_a_hot_query_uses_an_index(reader: asyncpg.Connection, what: str) -> None:
    """Nothing that runs per event, per request or per page reads a whole table."""
    sql, arguments, table = HOT[what]

    plan = await plan_of(reader, sql, arguments)

    assert walked(plan, table) == []
    touched = {n.get("Relation Name", "") for n in plan} | {n.get("Index Name", "") for n in plan}
    assert any(name.startswith(table) for name in touched) or plan[0].get("Conflict Arbiter Indexes")


async def test_the_log_is_read_by_its_own_index(reader: asyncpg.Connection) -> None:
    """In the order of the cursor, so that no sort stands between a partition and its next events."""
    plan = await plan_of(reader, *HOT["read the log"][:2])

    inner = [
        n
        for n in plan
        if n["Node Type"] in ("Index Scan", "Index Only Scan") and n["Relation Name"] == f"event_{SEGMENT}"
    ]
    assert [n["Index Name"] for n in inner] == [f"event_{SEGMENT}_p_generation_xid_id_idx"]


@pytest.mark.parametrize(
    ("what", "run"),
    [
        ("thread_state", lambda c: batch.load_states(c, [_THREAD])),
        ("timer", lambda c: batch.due_timers(c, [1, 2, 3], 10)),
        ("effect", lambda c: delivery.parked_lanes(c, "sap-1")),
        ("effect", lambda c: delivery.open_effects(c, "sap-1", (0, 0), 50)),
    ],
)
async def test_a_hot_call_walks_no_table(reader: asyncpg.Connection, what: str, run: Any) -> None:
    """Counted by the server itself: the call adds no sequential scan of the table."""
    sql = "select pg_stat_force_next_flush(), (select seq_scan from pg_stat_xact_user_tables where relname = $1)"
    async with reader.transaction():
        await run(reader)
        assert (await reader.fetchrow(sql, what))["seq_scan"] == 0


async def test_a_walk_is_seen(reader: asyncpg.Connection) -> None:
    """The guard can fail: a query without an index is found out."""
    plan = await plan_of(reader, "select * from effect where object = $1", ("S-1",))

    assert walked(plan, "effect") == ["effect"]
