"""The effect journal: one identity, one effect; and what each outcome moves it to."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from crossdock.store import delivery, effects
from crossdock.store.delivery import Outcome
from crossdock.store.effects import MODES, NewEffect, State
from crossdock.store.segments import current_segment
from store.conftest import Connect
from store.entries import effect

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


async def journal(connection: asyncpg.Connection, *new: NewEffect) -> list[UUID]:
    async with connection.transaction():
        return await effects.journal(connection, new, current_segment())


async def try_once(connection: asyncpg.Connection, one: NewEffect) -> int:
    """Mark it as being sent; the attempt's number, 0 where it was not ours to send."""
    rows = await delivery.mark_sending(connection, [one.id], [5.0], [current_segment()])
    return rows[0]["attempts"] if rows else 0


def outcome(
    one: NewEffect, attempt: int, state: State, document: str = "", reason: str = "because"
) -> Outcome:
    return Outcome(
        effect=one.id, account=one.account, lane=one.lane, attempt=attempt, purpose="send", state=state, started_at=NOW,
        deadline_at=NOW + timedelta(seconds=5), label=state.name.lower(), reason=reason, document=document,
    )  # fmt: skip


async def write(connection: asyncpg.Connection, *outcomes: Outcome) -> None:
    await delivery.write_outcomes(connection, outcomes, current_segment())


async def state_of(connection: asyncpg.Connection, one: NewEffect) -> tuple[State, str | None]:
    row = await connection.fetchrow("select state, document from effect where id = $1", one.id)
    assert row is not None
    return State(row["state"]), row["document"]


async def test_the_same_wish_is_journaled_once(connection: asyncpg.Connection) -> None:
    """Whatever event led to it: same thread, kind, object and generation are the same effect."""
    one, again = (effect("order/shopify-eu/1", "goods_issue.post", "S-1|shopify-eu/1") for _ in range(2))

    assert await journal(connection, one) == [one.id]
    assert await journal(connection, again) == []
    assert await connection.fetchval("select count(*) from effect") == 1
    assert await connection.fetchval("select count(*) from effect_body") == 1


async def test_concurrent_batches_journal_it_once(another: Connect) -> None:
    """Even if two workers believed they own the thread."""
    connections = [await another() for _ in range(8)]

    found = await asyncio.gather(
        *(journal(c, effect("order/shopify-eu/1", "invoice.release", "S-1")) for c in connections)
    )

    assert sorted(len(ids) for ids in found) == [0] * 7 + [1]


def test_identity_follows_from_what_it_is_about() -> None:
    """A new generation, object, kind or thread is another effect; the account only where several get the same."""
    of = effects.effect_id
    one = of("order/a/1", "goods_issue.post", "S-1", 0, "sap-1")

    assert one == of("order/a/1", "goods_issue.post", "S-1", 0, "sap-2")
    others = {
        of("order/a/1", "goods_issue.post", "S-1", 1, "sap-1"), of("order/a/1", "goods_issue.post", "S-2", 0, "sap-1"),
        of("order/a/1", "invoice.release", "S-1", 0, "sap-1"), of("order/a/2", "goods_issue.post", "S-1", 0, "sap-1"),
    }  # fmt: skip
    assert len(others | {one}) == 5
    assert of("order/a/1", "customer.notify", "x", 0, "crm") != of(
        "order/a/1", "customer.notify", "x", 0, "portal"
    )


async def test_done_settles(connection: asyncpg.Connection) -> None:
    """With the document's number; the attempt stands beside it, and delivery sees it no more."""
    one = effect("order/a/1", "goods_issue.post", "S-1")
    await journal(connection, one)
    attempt = await try_once(connection, one)

    await write(connection, outcome(one, attempt, State.DONE, "4900000001"))

    assert await state_of(connection, one) == (State.DONE, "4900000001")
    assert (await delivery.open_effects(connection, "sap-1", (0, 0), 10)).rows == []
    assert await connection.fetchval("select count(*) from attempt where effect = $1", one.id) == 1


@pytest.mark.parametrize("parked", [State.REFUSED, State.UNCLEAR])
async def test_a_refusal_parks_the_lane(connection: asyncpg.Connection, parked: State) -> None:
    """The lane waits for a person; a retry frees it and shows the effect to delivery again."""
    one = effect("order/a/1", "goods_issue.post", "S-1")
    await journal(connection, one)

    await write(connection, outcome(one, await try_once(connection, one), parked))

    assert (await state_of(connection, one))[0] is parked
    assert set(await delivery.parked_lanes(connection, "sap-1")) == {one.lane}
    [before] = await connection.fetch("select xid from effect")
    await effects.retry(connection, [one.id])
    assert await delivery.parked_lanes(connection, "sap-1") == {}
    assert await connection.fetchval("select count(*) from lane") == 0
    wanted = State.RETRY if parked is State.REFUSED else State.OUTCOME_UNKNOWN
    assert (await state_of(connection, one))[0] is wanted
    shown = await delivery.open_effects(connection, "sap-1", (before["xid"], 10**9), 10)
    assert [row["id"] for row in shown.rows] == [one.id]


async def test_a_late_done_is_evidence(connection: asyncpg.Connection) -> None:
    """An earlier attempt's answer arrives after the next try began: what is done is done."""
    one = effect("order/a/1", "goods_issue.post", "S-1")
    await journal(connection, one)
    first = await try_once(connection, one)
    await write(connection, outcome(one, first, State.RETRY))
    await try_once(connection, one)

    await write(connection, outcome(one, first, State.DONE, "4900000001"))

    assert await state_of(connection, one) == (State.DONE, "4900000001")


@pytest.mark.parametrize("late", [State.REFUSED, State.RETRY, State.OUTCOME_UNKNOWN, State.UNCLEAR])
async def test_any_other_late_answer_counts_for_its_attempt_only(
    connection: asyncpg.Connection, late: State
) -> None:
    """It neither disturbs the try that is under way nor parks its lane."""
    one = effect("order/a/1", "goods_issue.post", "S-1")
    await journal(connection, one)
    first = await try_once(connection, one)
    await write(connection, outcome(one, first, State.RETRY))
    second = await try_once(connection, one)

    await write(connection, outcome(one, first, late))

    assert (await state_of(connection, one))[0] is State.SENDING
    assert await connection.fetchval("select count(*) from lane") == 0
    await write(connection, outcome(one, second, State.DONE, "1"))
    assert (await state_of(connection, one))[0] is State.DONE


async def test_done_is_final(connection: asyncpg.Connection) -> None:
    """No later outcome, retry or withdrawal moves it, and a second document does not replace the first."""
    one = effect("order/a/1", "goods_issue.post", "S-1")
    await journal(connection, one)
    attempt = await try_once(connection, one)
    await write(connection, outcome(one, attempt, State.DONE, "1"))

    await write(connection, outcome(one, attempt, State.REFUSED), outcome(one, attempt, State.DONE, "2"))
    await effects.retry(connection, [one.id])
    await effects.withdraw(connection, [one.id])

    assert await state_of(connection, one) == (State.DONE, "1")
    assert await try_once(connection, one) == 0


async def test_an_outcome_written_twice_changes_nothing(connection: asyncpg.Connection) -> None:
    """The writer repeats itself when a commit's answer was lost."""
    one = effect("order/a/1", "goods_issue.post", "S-1")
    await journal(connection, one)
    attempt = await try_once(connection, one)

    for _ in range(2):
        await write(connection, outcome(one, attempt, State.DONE, "1"))

    assert await state_of(connection, one) == (State.DONE, "1")


async def test_what_is_under_way_cannot_be_taken_back(connection: asyncpg.Connection) -> None:
    """Unsent is withdrawn and never sent; sent answers as usual."""
    unsent, sent = effect("order/a/1", "label.create", "S-1"), effect("order/a/1", "label.create", "S-2")
    await journal(connection, unsent, sent)
    attempt = await try_once(connection, sent)

    await effects.withdraw(connection, [unsent.id, sent.id])

    assert (await state_of(connection, unsent))[0] is State.WITHDRAWN
    assert await try_once(connection, unsent) == 0
    await write(connection, outcome(sent, attempt, State.DONE, "1Z"))
    assert (await state_of(connection, sent))[0] is State.DONE


async def test_two_senders_never_both_send(another: Connect) -> None:
    """Ten at once mark the same effect: one gets the body."""
    connections = [await another() for _ in range(10)]
    one = effect("order/a/1", "goods_issue.post", "S-1")
    await journal(connections[0], one)

    marked = await asyncio.gather(*(try_once(c, one) for c in connections))

    assert sorted(marked) == [0] * 9 + [1]


async def test_a_newer_value_replaces_an_unsent_one(connection: asyncpg.Connection) -> None:
    """Availability: only the latest is sent; one that is under way is left alone."""

    def push(version: int) -> NewEffect:
        made = effect(
            "stock/S/A", "availability.publish", f"A#{version}", "shopify-eu", lane="availability/A"
        )
        made.mode = MODES["latest"]
        return made

    under_way, waiting, newest = push(1), push(2), push(3)
    await journal(connection, under_way)
    await try_once(connection, under_way)
    await journal(connection, waiting)
    await journal(connection, newest)

    states = [(await state_of(connection, one))[0] for one in (under_way, waiting, newest)]
    assert states == [State.SENDING, State.SUPERSEDED, State.PENDING]


async def test_a_late_commit_is_not_passed_over_by_delivery(another: Connect) -> None:
    """As in the log: the account's cursor waits for a transaction that began earlier."""
    early, late, reader = await another(), await another(), await another()
    slow = early.transaction()
    await slow.start()
    first, second = effect("order/a/1", "label.create", "1"), effect("order/a/2", "label.create", "2")
    await effects.journal(early, [first], current_segment())
    await journal(late, second)

    early_look = await delivery.open_effects(reader, "sap-1", (0, 0), 10)
    assert (early_look.rows, early_look.hidden) == ([], True)
    await slow.commit()
    look = await delivery.open_effects(reader, "sap-1", (0, 0), 10)

    assert not look.hidden
    assert [row["id"] for row in look.rows] == [first.id, second.id]


async def test_what_was_refused_is_taken_back_and_its_lane_is_free(connection: asyncpg.Connection) -> None:
    """Only what is named as refused and is; what is under way or done stays, and what ended opens no case."""
    lost, busy = (effect("order/shopify-eu/1", "sales_order.change", str(n)) for n in range(2))
    await journal(connection, lost, busy)
    for one in (lost, busy):
        await try_once(connection, one)
    await write(connection, outcome(lost, 1, State.REFUSED))
    assert await connection.fetchval("select count(*) from lane") == 1

    async with connection.transaction():
        moot = await effects.refused_among(connection, [lost.id, busy.id])
        assert moot == [lost.id]
        await effects.withdraw(connection, [lost.id, busy.id], moot)

    assert (await state_of(connection, lost))[0] is State.WITHDRAWN
    assert (await state_of(connection, busy))[0] is State.SENDING
    assert await connection.fetchval("select count(*) from lane") == 0
    assert await effects.ended_among(connection, [lost.id, busy.id]) == {lost.id}
    assert await delivery.settled_by_people(connection, [lost.id, busy.id]) == [lost.id]
