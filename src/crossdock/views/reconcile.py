"""Reconciliations: the runs, newest first, and what one of them found."""

from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

import msgspec

from crossdock.store.pool import Connection
from crossdock.views.sql import blocks

PAGE_MAX: Final = 500
DAYS_MAX: Final = 366


class Run(msgspec.Struct, frozen=True):
    """`counted` rows of the other side up to its event `watermark`; `under_way` moves were no difference."""

    id: int
    system: str
    state: str
    asked_by: str
    asked_at: datetime
    read_at: datetime | None
    ended_at: datetime | None
    failed_because: str | None
    counted: int
    watermark: int | None
    under_way: int
    differences: int
    open: int


class Difference(msgspec.Struct, frozen=True):
    """`good` and `held`: theirs less ours, in `unit`; `value` of the larger one, where the item has a cost."""

    id: int
    item: str
    location: str
    lot: str
    owner: str
    unit: str
    good: Decimal
    held: Decimal
    cause: str
    evidence: list[str]
    value: Decimal | None
    currency: str | None
    state: str
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


class Day(msgspec.Struct, frozen=True):
    """How far a system and the ledger agreed by the last comparison of a day (UTC). `equal` of `counted` rows; `percent` is
    rounded down, and none where nothing was counted.
    """

    day: date
    system: str
    run: int
    counted: int
    equal: int
    percent: Decimal | None
    under_way: int
    causes: dict[str, int]


async def read_agreement(connection: Connection, system: str, days: int) -> list[Day]:
    """Newest day first. A row that only the ledger has counts as one of theirs that differs."""
    sql = blocks("reconcile.sql")
    runs = await connection.fetch(sql["agreement"], system, max(1, min(days, DAYS_MAX)))
    causes: dict[int, dict[str, int]] = {row["id"]: {} for row in runs}
    for row in await connection.fetch(sql["causes"], list(causes)):
        causes[row["run"]][row["cause"]] = row["count"]
    found = [_day(row, causes[row["id"]]) for row in runs]
    return sorted(found, key=lambda x: (x.day, x.system), reverse=True)


def _day(row: Any, causes: dict[str, int]) -> Day:
    counted = row["counted"]
    equal = max(0, counted - sum(causes.values()))
    percent = (Decimal(equal * 100) / counted).quantize(Decimal("0.01"), ROUND_DOWN) if counted else None
    return Day(row["day"], row["system"], row["id"], counted, equal, percent, row["under_way"], causes)


async def list_runs(connection: Connection, *, run: int = 0, system: str = "", limit: int = 20) -> list[Run]:
    """One of them by number, or the newest ones."""
    rows = await connection.fetch(blocks("reconcile.sql")["runs"], run, system, max(1, min(limit, PAGE_MAX)))
    return [Run(*_values(row)) for row in rows]


async def list_differences(connection: Connection, run: int, after: int, limit: int) -> list[Difference]:
    """In the order of their numbers, behind `after`."""
    rows = await connection.fetch(
        blocks("reconcile.sql")["differences"], run, after, max(1, min(limit, PAGE_MAX))
    )
    return [Difference(*_values(row)) for row in rows]


def _values(row: Any) -> tuple[Any, ...]:
    return tuple(row)
