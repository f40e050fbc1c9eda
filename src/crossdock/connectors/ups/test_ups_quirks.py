"""The client against a twin that misbehaves: every quirk."""

import asyncio
from pathlib import Path

from crossdock.connect.contract import (
    Absent,
    Done,
    RetryLater,
    Unknown,
)
from crossdock.connectors.ups.conftest import (
    Bench,
    bench,
    eventually,
    label,
)
from crossdock.connectors.ups.scans import read_scans


async def test_quirk_answer_lost(ups: Bench) -> None:
    """The label exists though nobody heard so, and the look-up finds it."""
    ups.quirk("answer_lost")
    assert isinstance(await ups.send("label.create", label()), Unknown)
    [(_, number)] = ups.journal("label.create")
    found = await ups.look_up(label())

    assert found.document == number


async def test_quirk_unavailable(ups: Bench) -> None:
    """A bare 503 leaves open what happened; the look-up settles it."""
    ups.quirk("unavailable")

    assert isinstance(await ups.send("label.create", label()), Unknown)
    assert await ups.look_up(label()) == Absent()


async def test_quirk_slow(ups: Bench) -> None:
    """An answer that comes after the time-out counts as none; the look-up finds the label."""
    ups.quirk("slow")

    assert isinstance(await ups.send("label.create", label(), timeout_seconds=0.2), Unknown)
    assert isinstance(await ups.look_up(label()), Done)


async def test_quirk_throttle_429(ups: Bench) -> None:
    """With or without Retry-After nothing was done."""
    ups.quirk("throttle_429")
    outcomes = [await ups.send("label.create", label()) for _ in range(2)]

    assert [outcome.after_seconds for outcome in outcomes] == [1.0, None]
    assert all(isinstance(outcome, RetryLater) and outcome.throttled for outcome in outcomes)
    assert ups.journal("label.create") == []


async def test_quirk_token_expired(ups: Bench) -> None:
    """A token refused before its time is renewed within the same call, and nothing is made twice."""
    ups.quirk("token_expired")
    outcomes = [await ups.send("label.create", label()) for _ in range(3)]

    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert len(ups.journal("label.create")) == 3


async def test_quirk_duplicate_scan(ups: Bench) -> None:
    """Copies carry the id of the original."""
    ups.quirk("duplicate_scan")
    await ups.followed()
    await eventually(lambda: len(ups.heard) >= 12 and "delivered" in ups.milestones())
    ids = [read_scans(body).source_id for body in ups.heard]

    assert len(set(ids)) == 6


async def test_quirk_late_scan(ups: Bench) -> None:
    """Scans are held back by different times, and keep the time they were made."""
    ups.quirk("late_scan")
    await ups.followed()
    await eventually(lambda: len(ups.journal("scan")) == 6)
    rows = ups.twin.books.rows("select due, body from outbox order by id")
    times = [read_scans(body).events[0].occurred_at for _, body in rows]

    assert [due for due, _ in rows] != sorted(due for due, _ in rows)
    assert times == sorted(set(times))


async def test_quirk_garbage_scan(ups: Bench) -> None:
    """Beside the same scan without words and with a fraction of a second: every scan arrives, none twice."""
    ups.quirk("garbage_scan")
    await ups.followed()
    await eventually(lambda: "delivered" in ups.milestones())

    assert len(ups.milestones()) == 6
    assert "unknown" not in ups.milestones()


async def test_quirk_d_without_delivery(ups: Bench) -> None:
    """A scan about delivery that is none comes first."""
    ups.quirk("d_without_delivery")
    await ups.followed()
    await eventually(lambda: "delivered" in ups.milestones())

    assert ups.milestones().index("attempt_failed") < ups.milestones().index("delivered")


async def test_quirk_silent(ups: Bench) -> None:
    """Nothing is scanned while it lasts; then the parcel travels on."""
    ups.quirk("silent")
    await ups.followed()
    await asyncio.sleep(1)
    assert ups.milestones() == []

    ups.quirk("silent", 0.0)
    await eventually(lambda: "delivered" in ups.milestones())


async def test_quirk_early_scan(tmp_path: Path) -> None:
    """The first scan does not wait for the hand-over."""
    async with bench(tmp_path / "ups.db", pace_seconds=30) as ups:
        ups.quirk("early_scan")
        await ups.followed()
        await eventually(lambda: ups.milestones() == ["created"])
