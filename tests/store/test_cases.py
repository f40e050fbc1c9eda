"""The exception queue: one open case per cause, closed when nothing is blocked by it any more."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from crossdock.model.causes import CAUSES, CauseRule
from crossdock.model.thread import hash16
from crossdock.processes.intents import CloseCase, OpenCase, Withdraw
from crossdock.processes.policy import Policy
from crossdock.runtime import commit
from crossdock.runtime.batch import Output
from crossdock.store import cases, casework, effects, telling
from crossdock.store.effects import State
from crossdock.store.segments import current_segment
from store.conftest import Connect
from store.entries import effect


def opened(thread: str, fingerprint: str = "credit/sap-1", key: str = "hold") -> cases.Change:
    case = OpenCase(fingerprint, "value", "credit", "Credit refused", "Order #1", "finance", key)
    return hash16(thread), thread, case


def closed(thread: str, key: str = "hold") -> cases.Change:
    return hash16(thread), thread, CloseCase(key, "released")


async def apply(connection: asyncpg.Connection, *changes: cases.Change) -> None:
    async with connection.transaction():
        await cases.apply(connection, changes)


async def states(connection: asyncpg.Connection) -> list[tuple[str, int]]:
    return [tuple(row) for row in await connection.fetch("select state, recurrences from cases order by id")]


async def test_one_cause_is_one_case(connection: asyncpg.Connection) -> None:
    """Two orders held for the same reason are one thing to settle."""
    await apply(connection, opened("order/a/1"), opened("order/a/2"))

    assert await states(connection) == [("open", 2)]
    assert await connection.fetchval("select count(*) from case_link where closed_at is null") == 2


async def test_it_closes_with_the_last_thing_it_blocks(connection: asyncpg.Connection) -> None:
    """And says why; not before."""
    await apply(connection, opened("order/a/1"), opened("order/a/2"))

    await apply(connection, closed("order/a/1"))
    assert await states(connection) == [("open", 2)]
    await apply(connection, closed("order/a/2"))

    assert await states(connection) == [("closed", 2)]
    assert await connection.fetchval("select closed_because from cases") == "released"


async def test_a_cause_that_comes_back_is_a_new_case(connection: asyncpg.Connection) -> None:
    """The closed one stays as it was."""
    await apply(connection, opened("order/a/1"))
    await apply(connection, closed("order/a/1"))

    await apply(connection, opened("order/a/1"))

    assert await states(connection) == [("closed", 1), ("open", 1)]


async def test_who_watched_a_cause_watches_it_when_it_comes_back(connection: asyncpg.Connection) -> None:
    """Both turns stand in a history, done by the hub, and wait to be told."""
    await apply(connection, opened("order/a/1"))
    [number] = await connection.fetchrow("select id from cases")
    await casework.act(connection, number, 0, "ann", casework.Watch())

    await apply(connection, closed("order/a/1"))
    await apply(connection, opened("order/a/1"))

    rows = await connection.fetch("select watchers from cases order by id")
    assert [row["watchers"] for row in rows] == [["ann"], ["ann"]]
    notes = await connection.fetch(
        "select who, action, note from case_note where told_at is null order by id"
    )
    assert [tuple(x) for x in notes[1:]] == [
        ("crossdock", "closed", "released"),
        ("crossdock", "opened again", ""),
    ]


async def test_a_late_case_is_escalated_once(connection: asyncpg.Connection) -> None:
    """Not while it is snoozed, and not a second time."""
    await apply(connection, opened("order/a/1"))
    await connection.execute(
        "update cases set due_at = clock_timestamp() - interval '1 h', snoozed_until = clock_timestamp() + interval '1 h'"
    )
    await telling.escalate(connection)
    assert await connection.fetchval("select count(*) from case_note") == 0
    await connection.execute("update cases set snoozed_until = null")

    for _ in range(2):
        await telling.escalate(connection)

    assert [x["action"] for x in await connection.fetch("select action from case_note")] == ["overdue"]


async def test_changes_are_taken_once_and_together(connection: asyncpg.Connection) -> None:
    """Once the first of a case has waited; then all of it."""
    await apply(connection, opened("order/a/1"))
    [number] = await connection.fetchrow("select id from cases")
    await casework.note(connection, number, "ann", "comment", "first")
    assert await telling.take(connection, 60) == []
    await connection.execute("update case_note set at = at - interval '61 s'")
    await casework.note(connection, number, "ann", "comment", "second")

    assert len(await telling.take(connection, 60)) == 2
    assert await telling.take(connection, 0) == []


async def test_the_same_thread_blocked_again_reopens_its_link(connection: asyncpg.Connection) -> None:
    """While another keeps the case open."""
    await apply(connection, opened("order/a/1"), opened("order/a/2"))
    await apply(connection, closed("order/a/1"))

    await apply(connection, opened("order/a/1"))

    assert await connection.fetchval("select count(*) from case_link where closed_at is null") == 2


async def test_closing_what_is_not_open_changes_nothing(connection: asyncpg.Connection) -> None:
    """Another key, another thread."""
    await apply(connection, opened("order/a/1"))

    await apply(connection, closed("order/a/1", "other"), closed("order/a/9"))

    assert await states(connection) == [("open", 1)]


async def test_the_last_word_of_a_batch_counts(connection: asyncpg.Connection) -> None:
    """Closed and opened again in one batch it is open, by its new cause; opened and closed it is closed."""
    await apply(connection, opened("order/a/1", "first"))

    await apply(connection, closed("order/a/1"), opened("order/a/1", "second"))
    assert await states(connection) == [("closed", 1), ("open", 1)]

    await apply(connection, opened("order/a/1", "lost"), closed("order/a/1"), opened("order/a/1", "second"))
    assert await states(connection) == [("closed", 1), ("closed", 1), ("open", 1)]

    await apply(connection, closed("order/a/1"))
    await apply(connection, opened("order/a/1", "third"), closed("order/a/1"))
    assert await states(connection) == [("closed", 1)] * 4


async def test_a_snoozed_case_wakes_when_its_cause_comes_again(connection: asyncpg.Connection) -> None:
    """Not before: closing another thread's link changes nothing."""
    await apply(connection, opened("order/a/1"), opened("order/a/2"))
    [number] = await connection.fetchrow("select id from cases")
    later = datetime.now(UTC) + timedelta(days=1)
    assert await casework.act(connection, number, 0, "ann", casework.Snooze(later))

    await apply(connection, closed("order/a/1"))
    assert await connection.fetchval("select snoozed_until from cases") == later
    await apply(connection, opened("order/a/3"))

    assert await connection.fetchval("select snoozed_until from cases") is None


async def test_the_landscape_says_whose_a_cause_is_and_for_how_long(connection: asyncpg.Connection) -> None:
    """Its owner and hours win; what it does not say is the process's owner and the table's hours."""
    policy = Policy(causes={"credit": CauseRule(owner="credit desk", hours=2)})
    async with connection.transaction():
        await cases.apply(connection, [opened("order/a/1")], policy)
        await cases.apply(connection, [opened("order/a/2", "another")])

    rows = await connection.fetch("select owner, due_at - opened_at as span from cases order by id")

    assert [row["owner"] for row in rows] == ["credit desk", "finance"]
    assert [round(row["span"] / timedelta(hours=1)) for row in rows] == [2, CAUSES["credit"].hours]


async def test_a_change_of_what_was_seen_otherwise_is_refused(connection: asyncpg.Connection) -> None:
    """Nothing of it is done; a case that nobody knows is none."""
    await apply(connection, opened("order/a/1"))
    [number] = await connection.fetchrow("select id from cases")
    assert await casework.act(connection, number, 0, "ann", casework.Assign(assignee="ann"))

    with pytest.raises(casework.Stale):
        await casework.act(connection, number, 0, "bob", casework.Assign(assignee="bob"))

    assert await connection.fetchval("select assignee from cases") == "ann"
    assert await connection.fetchval("select count(*) from case_note") == 1
    assert not await casework.act(connection, number + 1, 0, "ann", casework.Comment("hm"))


async def test_what_a_process_takes_back_closes_its_case(connection: asyncpg.Connection) -> None:
    """A refused effect that is withdrawn closes the case with the reason; news of it that comes late opens none."""
    thread = "shipment/wms-1/S-1"
    one = effect(thread, "label.attach", "wms-1/S-1")
    one.state = State.REFUSED
    async with connection.transaction():
        await effects.journal(connection, [one], current_segment())
    refusal = OpenCase("refused/x", "value", "refused by target", "Refused", "", "warehouse", str(one.id))
    await apply(connection, (hash16(thread), thread, refusal))

    async def batch(out: Output) -> list[str]:
        async with connection.transaction():
            moot = await commit._moot(connection, out)
            await cases.apply(connection, out.cases)
            await effects.withdraw(connection, [one.id], moot)
        rows = await connection.fetch("select coalesce(closed_because, state) as said from cases order by id")
        return [row["said"] for row in rows]

    taken = Withdraw("label.attach", "wms-1/S-1", because="the shipment was cancelled")
    assert await batch(Output(withdrawn=[(thread, taken)])) == ["the shipment was cancelled"]
    assert await batch(Output(cases=[(hash16(thread), thread, refusal)])) == ["the shipment was cancelled"]


async def test_many_at_once_are_still_one_case(another: Connect) -> None:
    """Batches of several workers meet the same cause in any order, without a deadlock."""
    connections = [await another() for _ in range(6)]
    causes = [f"cause-{n}" for n in range(5)]

    async def some(worker: int) -> None:
        turn = causes[worker % 5 :] + causes[: worker % 5]
        for number in range(4):
            await apply(
                connections[worker], *(opened(f"order/{worker}/{number}", cause, cause) for cause in turn)
            )

    await asyncio.gather(*(some(w) for w in range(6)))

    assert await states(connections[0]) == [("open", 24)] * 5
