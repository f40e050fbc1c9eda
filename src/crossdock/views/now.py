"""Is anything stuck, and where: undelivered effects by flow, failing targets, cases, what threads wait on, what flows.

A flow is one kind of effect towards one account. Every look is bounded, however much has piled up.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import msgspec

from crossdock.processes.catalogue import PROCESSES
from crossdock.store.pool import Connection
from crossdock.store.throughput import TICK_SECONDS
from crossdock.views.holds import Held, read_holds
from crossdock.views.names import Names
from crossdock.views.now_sentence import sentence
from crossdock.views.now_shape import Asked, Behind, Cases, Flow, Now, Rate, Target, Waiting
from crossdock.views.sql import blocks
from crossdock.views.story import link_of
from crossdock.views.story_material import decode_state
from crossdock.views.words import ask

OPEN_EFFECTS_MAX: Final = 1_000
"""Per account; the oldest are among them, since they are read in the order of the journal."""
CASES_MAX: Final = 2_000
THREADS_MAX: Final = 10_000
BEHIND_MAX: Final = 10_000
MINUTES: Final = 30
RATE_SECONDS: Final = 60
_KINDS: Final = tuple(kind for kind in PROCESSES if kind not in ("stock", "identifier"))
"""Kinds of threads that wait for something; a stock never ends, an identifier only leads on."""
_COUNTERS: Final = ("appended", "processed", "delivered")


async def read_now(connection: Connection, names: Names) -> Now:
    """All of the page, of one instant."""
    sql = blocks("now.sql")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        totals = await connection.fetchrow(sql["totals"])
        samples = await connection.fetch(sql["samples"], (MINUTES + 1) * 60 // TICK_SECONDS)
        behind = await connection.fetchrow(sql["lag"], BEHIND_MAX)
        targets = await connection.fetch(sql["targets"], OPEN_EFFECTS_MAX)
        subscribers = await connection.fetch(sql["subscribers"])
        asked = await connection.fetch(sql["asked"])
        flows = await connection.fetch(sql["flows"], OPEN_EFFECTS_MAX)
        owners = await connection.fetch(sql["owners"], CASES_MAX)
        waiting = await connection.fetch(sql["waiting"], list(_KINDS), THREADS_MAX)
        threads = await connection.fetch(
            blocks("find.sql")["threads"], [row["thread"] for row in waiting if row["thread"]], len(waiting)
        )
        holds = await read_holds(connection, names)
        empty = not waiting and await connection.fetchval(sql["empty"])
    assert totals is not None
    assert behind is not None
    stopped = {x.name: x for x in holds if x.mode != "hold"}
    oldest = {row["thread"]: link_of(row, decode_state(row), names) for row in threads}
    found = Now(
        as_of=totals["now"], empty=bool(empty),
        behind=Behind(behind["events"], behind["oldest"], behind["events"] >= BEHIND_MAX, totals["unowned"]),
        last_event_at=totals["processed_at"],
        targets=sorted(
            [_target(row, flows, stopped.get(row["name"]), names) for row in targets if row["name"] in names.systems] + [_subscriber(row) for row in subscribers],
            key=_worst_first,
        ),
        asked=[_asked(row, names) for row in asked if row["system"] in names.systems],
        flows=[_flow(row, targets, names, paused=row["account"] in stopped) for row in flows],
        cases=[Cases(row["owner"], row["count"], row["oldest"]) for row in owners],
        waiting=[_waiting(row, oldest, names) for row in waiting],
        waiting_capped=sum(row["count"] for row in waiting) >= THREADS_MAX,
        holds=holds,
        rates=[_rate(name, totals, samples) for name in _COUNTERS],
    )  # fmt: skip
    tone, pieces = sentence(found)
    return msgspec.structs.replace(found, tone=tone, sentence=pieces)


async def read_stamp(connection: Connection) -> str:
    """Changes when the page may say something else; at most every five seconds for events that just flow."""
    row = await connection.fetchrow(blocks("now.sql")["stamp"])
    assert row is not None
    last = row["processed_at"]
    moved = int(last.timestamp()) // 5 if last else 0
    return f"{row['tick']}.{moved}.{row['last_case']}.{row['cases']}.{row['accounts']}.{row['subscribers']}.{row['holds']}"


def _target(row: Any, flows: Sequence[Any], stopped: Held | None, names: Names) -> Target:
    waiting = sum(f["waiting"] for f in flows if f["account"] == row["name"])
    return Target(
        row["name"], names.of(row["name"]), names.roles.get(row["name"], ""), row["failing_since"],
        names.plain(row["last_failure"] or "") if row["failing_since"] else "", row["last_success_at"] is not None,
        row["owned"], waiting, row["parked_effects"], row["parked_lanes"], row["parked_since"], row["parked_thread"] or "",
        stopped=stopped,
    )  # fmt: skip


def _asked(row: Any, names: Names) -> Asked:
    return Asked(
        row["system"], names.of(row["system"]), row["list"], row["found"], row["last_found_at"], row["revived"],
        row["last_revived_at"], row["read_at"], row["troubled_since"], names.plain(row["trouble"]),
    )  # fmt: skip


def _subscriber(row: Any) -> Target:
    """A subscriber is a target too; what it has not got yet is in the feed, not in the journal."""
    failing = row["failing_since"]
    return Target(
        f"subscription/{row['name']}", row["name"], "Subscriber", failing, (row["last_failure"] or "") if failing else "",
        row["last_success_at"] is not None, row["owned"], 0, 0, 0, None, "", row["delivered"], row["next_at"],
    )  # fmt: skip


def _worst_first(target: Target) -> tuple[bool, bool, str]:
    return target.failing_since is None, not target.parked, target.called.lower()


def _flow(row: Any, targets: Sequence[Any], names: Names, *, paused: bool) -> Flow:
    failing = any(t["failing_since"] is not None for t in targets if t["name"] == row["account"])
    return Flow(
        row["account"], names.of(row["account"]), row["kind"], ask(row["kind"]), row["waiting"],
        row["waiting"] >= OPEN_EFFECTS_MAX, row["oldest"], row["thread"], names.plain(row["reason"] or ""), row["next_at"],
        failing, paused,
    )  # fmt: skip


def _waiting(row: Any, oldest: dict[bytes, Any], names: Names) -> Waiting:
    return Waiting(
        names.plain(row["waiting_on"]), names.of(row["owner"]), row["kind"], row["phase"], row["count"], row["oldest"],
        oldest.get(row["thread"]),
    )  # fmt: skip


def _rate(name: str, totals: Any, samples: Sequence[Any]) -> Rate:
    """Per second over the last minute, and minute by minute; None where nobody sampled."""
    now, instants = totals["now"], [row["at"] for row in samples]

    def at(instant: datetime) -> tuple[datetime, int] | None:
        """The newest sample at or before the instant, unless it is too old to stand for it."""
        place = bisect_right(instants, instant) - 1
        if place < 0 or instant - instants[place] > timedelta(seconds=2.5 * TICK_SECONDS):
            return None
        return instants[place], samples[place][name]

    minutes = [at(now - timedelta(minutes=n)) for n in range(MINUTES, 0, -1)]
    marks: list[tuple[datetime, int] | None] = [*minutes, (now, totals[name])]
    since = minutes[-1] or next(((a, samples[n][name]) for n, a in enumerate(instants)), None)
    stale = since is None or now - since[0] > timedelta(seconds=RATE_SECONDS + 3 * TICK_SECONDS)
    return Rate(
        name, None if stale else _per_second(since, marks[-1]),
        [_per_second(a, b) for a, b in pairwise(marks)],
    )  # fmt: skip


def _per_second(before: tuple[datetime, int] | None, after: tuple[datetime, int] | None) -> float | None:
    if before is None or after is None:
        return None
    seconds = (after[0] - before[0]).total_seconds()
    return max(0.0, (after[1] - before[1]) / seconds) if seconds > 0.5 else None
