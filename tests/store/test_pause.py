"""The pause of a restored hub, and what is in doubt when it ends."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from crossdock.store import pause
from crossdock.store.delivery import doubt
from crossdock.store.log import append_rows, event_row
from crossdock.store.pool import connect
from crossdock.store.segments import current_segment

NOW = datetime.now(UTC)


async def effect(
    connection: asyncpg.Connection, kind: str, state: int, *, thread: bytes = b"t", connector: str = "c"
) -> UUID:
    """One row of the journal as a backup may hold it."""
    made = uuid4()
    await connection.execute(
        "insert into effect (id, p, thread, thread_key, kind, account, object, lane, mode, state, segment)"
        " values ($1, 0, $2, 't', $3, 'erp', 'o', $4, 1, $5, $6)",
        made, thread, kind, made.bytes[:8], state, current_segment(),
    )  # fmt: skip
    await connection.execute(
        "insert into effect_body (segment, effect, connector, sealed) values ($1, $2, $3, '')",
        current_segment(), made, connector,
    )  # fmt: skip
    return made


async def state_of(connection: asyncpg.Connection, identity: UUID) -> int:
    return int(await connection.fetchval("select state from effect where id = $1", identity))


@pytest.mark.parametrize(
    ("state", "doubted", "harmless"),
    [(0, 3, 0), (1, 3, 1), (2, 3, 2), (3, 3, 3), (5, 6, 5), (6, 6, 6), (10, 10, 10), (11, 11, 11)],
)
async def test_what_may_have_been_done_is_not_sent_unasked(
    dsn: str, state: int, doubted: int, harmless: int
) -> None:
    """Open ones are unknown outcomes, refused ones unclear; other kinds stay as they were."""
    connection = await connect(dsn)
    await pause.pause(connection, "restored")
    risky, safe = await effect(connection, "risky", state), await effect(connection, "safe", state)
    assert await pause.resume(connection, [("erp", "risky"), ("shop", "safe")])
    assert (await state_of(connection, risky), await state_of(connection, safe)) == (doubted, harmless)
    await connection.close()


async def test_what_was_never_rendered_is_rendered_anew(dsn: str) -> None:
    """It has no body that could have been sent."""
    connection = await connect(dsn)
    await pause.pause(connection, "restored")
    bare = await effect(connection, "risky", 5, connector="")
    assert await pause.resume(connection, [("erp", "risky")])
    assert await state_of(connection, bare) == 5
    await connection.close()


async def test_a_pause_ends_once(dsn: str) -> None:
    """Without a pause nothing is changed."""
    connection = await connect(dsn)
    waiting = await effect(connection, "risky", 0)
    assert not await pause.resume(connection, [("erp", "risky")])
    assert await state_of(connection, waiting) == 0
    await pause.pause(connection, "restored")
    assert (await pause.standing(connection)).paused_reason == "restored"
    assert await pause.resume(connection, [])
    stands = await pause.standing(connection)
    assert stands.paused_reason is None
    assert stands.resumed_at is not None
    await connection.close()


async def test_new_effects_of_old_threads_are_in_doubt(dsn: str) -> None:
    """A thread whose first event happened before the hub went on may have been served by the lost one; a younger one not."""
    connection = await connect(dsn)
    found: dict[str, UUID] = {}
    async with connection.transaction():
        for name, age in (("old", timedelta(hours=1)), ("young", -timedelta(hours=1))):
            row = event_row(
                segment=current_segment(), generation=1, thread=name, type_="order.received.v1", event_id=name, source="shop",
                occurred_at=NOW - age, data=b"{}",
            )  # fmt: skip
            await append_rows(connection, [row], current_segment())
    for name in ("old", "young"):
        thread = await connection.fetchval("select thread from event where thread_key = $1", name)
        found[name] = await effect(connection, "risky", 0, thread=thread)
    assert await doubt(connection, list(found.values()), NOW) == {found["old"]}
    assert await state_of(connection, found["old"]) == 3
    assert await state_of(connection, found["young"]) == 0
    await connection.close()
