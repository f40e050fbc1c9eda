"""Ownership of partitions: one owner each, and a late writer writes nothing."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from crossdock.errors import Fenced
from crossdock.model.thread import PARTITIONS
from crossdock.store import batch
from crossdock.store.segments import current_segment
from store.conftest import Connect


async def epochs_of(connection: asyncpg.Connection, owner: UUID, *, wanted: int = PARTITIONS, lease: float = 30.0) -> dict[int, int]:  # fmt: skip
    """Claim, and what a worker then holds."""
    rows = await batch.claim_partitions(connection, owner, wanted, lease)
    return {row["p"]: row["epoch"] for row in rows}


async def test_every_partition_has_one_owner(another: Connect) -> None:
    """Four workers claim at the same moment: all 64 are owned, none twice, nobody has more than a share."""
    owners = [(uuid4(), await another()) for _ in range(4)]

    held = await asyncio.gather(*(epochs_of(c, owner, wanted=16) for owner, c in owners))

    rest = [await epochs_of(c, owner, wanted=16) for owner, c in owners]
    partitions = [p for one in rest for p in one]
    assert sorted(partitions) == list(range(PARTITIONS))
    assert all(len(one) <= 16 for one in held)


async def test_a_live_lease_is_respected(another: Connect) -> None:
    """What somebody holds is not taken, however much is wanted."""
    first, second = await another(), await another()
    await epochs_of(first, uuid4())

    assert await epochs_of(second, uuid4()) == {}


async def test_a_late_writer_is_refused(another: Connect) -> None:
    """A worker that slept past its lease is told so by its first lock, before it writes anything."""
    sleeper, heir = await another(), await another()
    held = await epochs_of(sleeper, uuid4(), lease=-1.0)
    taken = await epochs_of(heir, uuid4())
    assert taken.keys() == held.keys()

    with pytest.raises(Fenced):
        async with sleeper.transaction():
            await batch.lock_epochs(sleeper, held)
    async with heir.transaction():
        await batch.lock_epochs(heir, taken)


async def test_one_lost_partition_refuses_the_whole_batch(another: Connect) -> None:
    """A batch over many partitions stands or falls together."""
    sleeper, heir = await another(), await another()
    held = await epochs_of(sleeper, uuid4(), lease=-1.0)
    await epochs_of(heir, uuid4(), wanted=1)

    with pytest.raises(Fenced, match=r"partitions \[\d+\]"):
        async with sleeper.transaction():
            await batch.lock_epochs(sleeper, held)


async def test_a_batch_under_way_cannot_be_taken_over(another: Connect) -> None:
    """Its rows are locked: the heir passes over them until the commit, then gets them with a new epoch."""
    worker, heir, owner = await another(), await another(), uuid4()
    held = await epochs_of(worker, uuid4(), lease=-1.0)
    async with worker.transaction():
        await batch.lock_epochs(worker, held)
        assert await epochs_of(heir, owner) == {}
        await batch.advance_cursors(worker, [(7, 1, 10, 1, 0, 3)], current_segment(), -1.0)

    rows = await batch.claim_partitions(heir, owner, PARTITIONS, 30.0)
    assert {row["p"]: row["position"] for row in rows}[7] == 3
    assert all(row["epoch"] > held[row["p"]] for row in rows)


async def test_renewing_keeps_the_epoch(connection: asyncpg.Connection) -> None:
    """A lease that goes on does not fence its own owner."""
    owner = uuid4()

    assert await epochs_of(connection, owner) == await epochs_of(connection, owner)


async def test_what_is_released_is_free_at_once(another: Connect) -> None:
    """An orderly stop does not leave others waiting for the lease to end."""
    first, second, owner = await another(), await another(), uuid4()
    held = await epochs_of(first, owner)

    await batch.release_partitions(first, owner, [0, 1, 2])

    assert set(await epochs_of(second, uuid4())) == {0, 1, 2}
    with pytest.raises(Fenced):
        async with first.transaction():
            await batch.lock_epochs(first, held)


async def test_positions_have_no_gap(another: Connect) -> None:
    """Each stretch begins where the one before ended, in the table that records them."""
    connection = await another()
    async with connection.transaction():
        await batch.advance_cursors(connection, [(3, 1, 10, 5, 0, 4)], current_segment(), 6.0)
    async with connection.transaction():
        await batch.advance_cursors(connection, [(3, 1, 11, 9, 4, 6)], current_segment(), 6.0)

    rows = await connection.fetch(
        "select position_from, position_to from position_range where p = 3 order by 1"
    )
    assert [tuple(row) for row in rows] == [(1, 4), (5, 6)]
