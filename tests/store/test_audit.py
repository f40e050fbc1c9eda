"""The audit chain on real rows: it verifies, and whatever is done to a row, a link or the end of it is found and named."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from crossdock.access.audit import Signed
from crossdock.connect.transport import Transport
from crossdock.demo.landscape import write
from crossdock.runtime import checkpoints
from crossdock.runtime.hub import Hub, load_hub
from crossdock.runtime.sealer import make_checkpoint, seal_next
from crossdock.runtime.verification import Report, verify
from crossdock.store import audit, segments
from crossdock.store.access import note_action
from crossdock.store.segments import current_segment
from store.entries import append, item


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    write(tmp_path, hub_port=1, system_port=2)
    return load_hub(tmp_path)


async def filled(connection: asyncpg.Connection, links: int = 4) -> None:
    """So many links, each with events, a message, an attempt and an action."""
    segment = current_segment()
    for number in range(links):
        await append(connection, *(item(f"stock/S/{n}", f"e-{number}-{n}") for n in range(5)))
        await connection.execute(
            "insert into attempt (segment, effect, no, deadline_at, reason) values ($1, gen_random_uuid(), 1, now(), 'was fine')",
            segment,
        )
        await note_action(connection, "tests", "look", f"thing {number}", "to see")
        link = await seal_next(connection)
        assert link is not None
        assert (link.no, link.events, link.attempts, link.actions) == (number + 1, 5, 1, 1)


async def read(connection: asyncpg.Connection, hub: Hub, *written: Signed) -> Report:
    return await verify(connection, hub, written)


async def test_a_chain_that_nobody_touched_verifies(connection: asyncpg.Connection, hub: Hub) -> None:
    """All rows are counted, nothing is broken, and nothing new makes no link."""
    await filled(connection)
    assert await make_checkpoint(connection, hub)

    report = await read(connection, hub)

    assert await seal_next(connection) is None
    assert (report.breaks, report.links, report.rows, report.unsealed, report.checkpoints) == (
        [],
        4,
        28,
        0,
        1,
    )


@pytest.mark.parametrize(
    ("sql", "kind", "link", "named"),
    [
        ("update event set data = '{\"x\": 1}' where event_id = 'e-1-3'", "changed", 2, "e-1-3"),
        ("update event set occurred_at = occurred_at - interval '1 day' where event_id = 'e-2-0'", "changed", 3, "e-2-0"),
        ("delete from event where event_id = 'e-0-2'", "missing", 1, "sealed 3 of 5"),
        ("update operator_action set who = 'nobody' where target = 'thing 2'", "changed", 3, "thing 2 by nobody"),
        ("delete from operator_action where target = 'thing 3'", "missing", 4, "operator action"),
        ("update attempt set reason = 'never' where xid = (select max(xid) from attempt)", "changed", 4, "attempt 1"),
        ("update audit_link set digests = digests || '\\x00' where no = 2", "link changed", 2, "its own hash"),
        ("delete from audit_link where no = 3", "link missing", 3, "4 follows 2"),
    ],
)  # fmt: skip
async def test_what_is_done_to_it_is_found(
    connection: asyncpg.Connection, hub: Hub, sql: str, kind: str, link: int, named: str
) -> None:
    """By kind and link, with the row's name where it still has one."""
    await filled(connection)
    await connection.execute(sql)

    report = await read(connection, hub)

    assert (report.breaks[0].kind, report.breaks[0].link) == (kind, link)
    assert named in report.breaks[0].what


async def test_a_row_that_was_slipped_in_is_found(connection: asyncpg.Connection, hub: Hub) -> None:
    """An event under a transaction that is sealed already was not there when it was sealed."""
    await filled(connection)
    await connection.execute(
        "insert into event (segment, p, generation, xid, thread, thread_key, type, event_id, source, occurred_at, data)"
        " select segment, p, generation, xid, thread, thread_key, type, 'forged', source, occurred_at, data from event"
        " where event_id = 'e-1-1'"
    )

    report = await read(connection, hub)

    assert [(x.kind, x.link) for x in report.breaks] == [("added", 2)]
    assert "forged" in report.breaks[0].what


async def test_a_cut_end_is_found_by_a_checkpoint_from_elsewhere(
    connection: asyncpg.Connection, hub: Hub
) -> None:
    """The chain alone looks whole; a checkpoint that was kept says that there was more."""
    await filled(connection)
    await make_checkpoint(connection, hub)
    row = await connection.fetchrow("select body, signature from audit_checkpoint")
    kept = Signed(body=row["body"], signature=row["signature"].hex(), key="")
    await connection.execute("delete from audit_checkpoint")
    await connection.execute("delete from audit_link where no > 2")
    await connection.execute("delete from event where event_id >= 'e-2'")
    await connection.execute("delete from attempt where xid > (select max(xid_to) from audit_link)")
    await connection.execute("delete from operator_action where xid > (select max(xid_to) from audit_link)")

    assert (await read(connection, hub)).breaks == []
    [found] = (await read(connection, hub, kept)).breaks

    assert (found.kind, found.link) == ("truncated", 4)
    assert "ends at 2" in found.what


async def test_a_chain_made_anew_is_found(connection: asyncpg.Connection, hub: Hub) -> None:
    """Whoever writes all links again has no signature for them."""
    await filled(connection)
    await make_checkpoint(connection, hub)
    await connection.execute("update event set source = 'another' where event_id = 'e-3-0'")
    await connection.execute("delete from audit_link")
    while await seal_next(connection):
        pass

    report = await read(connection, hub)

    assert [x.kind for x in report.breaks] in (["rewritten"], ["truncated"])


async def test_a_forged_checkpoint_is_refused(
    connection: asyncpg.Connection, hub: Hub, tmp_path: Path
) -> None:
    """Changed by a digit, or signed by another hub's key."""
    await filled(connection, 1)
    await make_checkpoint(connection, hub)
    await connection.execute("update audit_checkpoint set body = replace(body, '\"link\":1', '\"link\":2')")

    report = await read(connection, hub)

    assert [x.kind for x in report.breaks] == ["signature"]


async def test_what_an_older_transaction_may_still_add_is_not_sealed(
    connection: asyncpg.Connection, another: object, hub: Hub
) -> None:
    """The range ends below it; both are sealed once it has ended."""
    early: asyncpg.Connection = await another()  # type: ignore[operator]
    slow = early.transaction()
    await slow.start()
    await append(early, item("stock/S/slow", "slow"))
    await append(connection, item("stock/S/quick", "quick"))

    assert await seal_next(connection) is None
    await slow.commit()
    link = await seal_next(connection)

    assert link is not None
    assert link.events == 2
    assert link.sealed_at <= datetime.now(UTC)
    assert (await read(connection, hub)).breaks == []


async def test_what_retention_dropped_is_no_break_and_what_somebody_dropped_is(
    connection: asyncpg.Connection, hub: Hub
) -> None:
    """The digests stand for the rows where the chain says who dropped them; a week is not dropped before it is sealed."""
    segment = current_segment()
    await append(connection, item("stock/S/1", "early"))
    assert not await audit.covered(connection, segment)
    await filled(connection, 0)
    await seal_next(connection)
    assert await audit.covered(connection, segment)

    await segments.drop(connection, segment)
    [found] = (await read(connection, hub)).breaks
    assert (found.kind, found.link) == ("missing", 1)
    assert f"week {segment}" in found.what

    await note_action(connection, "retention", audit.DROPPED, str(segment), "older than 30 days")
    await seal_next(connection)
    report = await read(connection, hub)
    assert (report.breaks, report.dropped) == ([], 1)


async def test_checkpoints_are_sent_until_they_are_taken(connection: asyncpg.Connection, hub: Hub) -> None:
    """An address that answers 503 is told again, and nothing is skipped; the file has each line once it is away."""
    taken, answers = list[bytes](), [503, 200, 200]

    async def hook(request: web.Request) -> web.Response:
        body, status = await request.read(), answers.pop(0)
        if status == 200:
            taken.append(body)
        return web.Response(status=status)

    served = web.Application()
    served.router.add_post("/hook", hook)
    async with TestServer(served) as server:
        settings = msgspec.structs.replace(
            hub.settings, audit_checkpoints=str(server.make_url("/hook")), audit_checkpoint_seconds=1
        )
        told, transport = dataclasses.replace(hub, settings=settings), Transport()
        await filled(connection, 1)
        assert await make_checkpoint(connection, told)
        await checkpoints.ship(connection, told, transport)
        [row] = await connection.fetch("select sent_at, trouble from audit_checkpoint")
        assert (row["sent_at"], row["trouble"]) == (None, "it answers 503")
        await note_action(connection, "tests", "look", "again", "")
        await seal_next(connection)
        await connection.execute("update audit_checkpoint set made_at = made_at - interval '1 minute'")
        assert await make_checkpoint(connection, told)
        await checkpoints.ship(connection, told, transport)
        await transport.close()

    kept = checkpoints.read_lines(checkpoints.folder_of(told) / checkpoints.CHECKPOINTS)
    assert [msgspec.json.decode(x.body)["checkpoint"] for x in kept] == [1, 2]
    assert [msgspec.json.decode(x, type=Signed) for x in taken] == kept
    assert (await verify(connection, told, kept)).breaks == []
    [cut] = (await verify(connection, told, [kept[1], kept[0]])).breaks
    assert cut.kind == "signature"
