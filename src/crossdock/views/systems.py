"""Every system of the landscape: how it stands, what waits for it and since when, what it allows, what is held there."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from crossdock.store.pool import Connection
from crossdock.views.holds import Held, read_holds
from crossdock.views.names import Names
from crossdock.views.now import OPEN_EFFECTS_MAX
from crossdock.views.sql import blocks

Stands = Literal[
    "unserved", "failing", "paused", "draining", "drained", "answers", "not called yet", "only tells"
]
"""unserved: no delivery process has it. only tells: nothing is ever sent to it."""
_WORST: Final = (
    "unserved",
    "failing",
    "paused",
    "draining",
    "drained",
    "answers",
    "not called yet",
    "only tells",
)


class Allowed(msgspec.Struct, frozen=True):
    """What an account allows: calls at once, and calls per second (0: no limit but that)."""

    concurrency: int
    rate_per_second: float


class System(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the page."""

    name: str
    called: str
    role: str
    connector: str
    stands: Stands
    since: datetime | None
    """Since when it fails, or is paused."""
    failure: str
    waiting: int
    capped: bool
    oldest: datetime | None
    parked: int
    """Effects that wait for a person."""
    allowed: Allowed | None
    last_success_at: datetime | None
    stopped: Held | None
    """Its pause or drain."""
    holds: tuple[Held, ...]
    """Other holds that name it."""


class Systems(msgspec.Struct, frozen=True):
    as_of: datetime
    systems: list[System]
    holds: list[Held]
    """All of the hub's that are not a pause or drain."""


async def read_systems(
    connection: Connection, names: Names, known: Mapping[str, tuple[str, Allowed | None]]
) -> Systems:  # fmt: skip
    """Worst first. `known`: name → (connector, its budget, where it is sent anything)."""
    sql = blocks("now.sql")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        totals = await connection.fetchrow(sql["totals"])
        targets = {row["name"]: row for row in await connection.fetch(sql["targets"], OPEN_EFFECTS_MAX)}
        flows = await connection.fetch(sql["flows"], OPEN_EFFECTS_MAX)
        holds = await read_holds(connection, names)
    assert totals is not None
    found = [
        _system(name, known[name], names, targets.get(name), [f for f in flows if f["account"] == name], holds)
        for name in names.systems
    ]  # fmt: skip
    found.sort(key=lambda x: (_WORST.index(x.stands), x.called.lower()))
    return Systems(totals["now"], found, [x for x in holds if x.mode == "hold"])


def _system(
    name: str, known: tuple[str, Allowed | None], names: Names, row: Any, flows: Sequence[Any], holds: Sequence[Held]
) -> System:  # fmt: skip
    connector, allowed = known
    here = [x for x in holds if x.name == name and x.scope in ("target", "system")]
    stopped = next((x for x in here if x.mode != "hold"), None)
    stands = _stands(row, stopped, sent=allowed is not None)
    waiting = sum(f["waiting"] for f in flows)
    return System(
        name=name, called=names.of(name), role=names.roles.get(name, ""), connector=connector, stands=stands,
        since=stopped.placed_at if stopped else row["failing_since"] if row else None,
        failure=names.plain(row["last_failure"] or "") if row and row["failing_since"] else "",
        waiting=waiting, capped=waiting >= OPEN_EFFECTS_MAX, oldest=min((f["oldest"] for f in flows), default=None),
        parked=row["parked_effects"] if row else 0, allowed=allowed,
        last_success_at=row["last_success_at"] if row else None, stopped=stopped,
        holds=tuple(x for x in here if x.mode == "hold"),
    )  # fmt: skip


def _stands(row: Any, stopped: Held | None, *, sent: bool) -> Stands:
    if not sent:
        return "only tells"
    if row is None or not row["owned"]:
        return "unserved"
    if stopped is not None:
        return "paused" if stopped.doing == "holding" else stopped.doing
    if row["failing_since"] is not None:
        return "failing"
    return "answers" if row["last_success_at"] is not None else "not called yet"
