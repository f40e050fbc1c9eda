"""One statement or many: what is appended, and what is judged a duplicate, is the same."""

import random

import asyncpg
import pytest

from crossdock.store import log
from crossdock.store.segments import current_segment
from store.entries import item


def _groups(rng: random.Random) -> list[list[tuple[str, bytes, int]]]:
    """Groups as concurrent callers make them: few ids, few bodies, so that most kinds of repeats occur."""
    return [
        [
            (f"id-{rng.randint(1, 12)}", rng.choice((b"1", b"1", b"2")), rng.randint(1, 3))
            for _ in range(rng.randint(1, 6))
        ]
        for _ in range(25)
    ]


async def _appended(connection: asyncpg.Connection, source: str) -> list[str]:
    rows = await connection.fetch("select event_id from event where source = $1 order by id", source)
    return [row["event_id"] for row in rows]


@pytest.mark.parametrize("seed", [1, 2, random.randrange(10**6)], ids=["seed 1", "seed 2", "any seed"])
async def test_both_ways_judge_and_append_the_same(connection: asyncpg.Connection, seed: int) -> None:
    """Verdict by verdict and event by event in the same order; changed repeats come after the rest of their group."""
    for group in _groups(random.Random(seed)):  # the seed stands in a failure's report
        many = [item("stock/S/1", name, source="many", body=body, events=n) for name, body, n in group]
        once = [item("stock/S/1", name, source="once", body=body, events=n) for name, body, n in group]
        async with connection.transaction():
            await log.append(connection, many, current_segment())

        await log.append_at_once(connection, once, current_segment())

        assert [x.verdict for x in once] == [x.verdict for x in many]
    once_in, many_in = await _appended(connection, "once"), await _appended(connection, "many")
    assert [x for x in once_in if "~" not in x] == [x for x in many_in if "~" not in x]
    assert [x for x in once_in if "~" in x] == [x for x in many_in if "~" in x]
    counted = "select event_id from dedupe group by event_id having count(*) <> 2 or min(seen) <> max(seen)"
    assert await connection.fetch(counted) == []
