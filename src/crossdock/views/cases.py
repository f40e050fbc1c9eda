"""The exception queue: one row per cause, with what it blocks, what it is worth and what people did about it."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from crossdock.model.causes import CAUSES, HOLD, Cause
from crossdock.model.money import Money
from crossdock.model.shipment import Package
from crossdock.model.thread import hash16
from crossdock.processes.watching import Telling
from crossdock.store.casework import blocks as still_blocks
from crossdock.store.pool import Connection
from crossdock.views.sql import blocks
from crossdock.views.story_material import decode_state

PAGE_MAX = 500
_SILENT: Final = Telling()
ORDERS_VALUED_MAX: Final = 200


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which cases; what is empty does not matter. `assignee` "-" is nobody."""

    state: str = "open"
    owner: str = ""
    assignee: str = ""
    problem: str = ""
    cause: str = ""
    tag: str = ""
    overdue: bool = False
    snoozed: Literal["without", "with", "only"] = "with"


class Value(msgspec.Struct, frozen=True):
    """Of the blocked orders, by currency; `of` says how many were looked at, `more` that there are more."""

    sums: tuple[Money, ...]
    of: int
    more: bool


class Link(msgspec.Struct, frozen=True):
    """One thing that the case blocks or blocked; `blocks` says in words what cannot go on by closing the case."""

    thread: str
    key: str
    opened_at: datetime
    closed_at: datetime | None
    phase: str
    effect: str
    reason: str
    blocks: str


class Note(msgspec.Struct, frozen=True):
    at: datetime
    who: str
    action: str
    note: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """All of one case. `recurrences` counts how often its cause came while it is open, `opened_before` its earlier cases."""

    number: int
    revision: int
    state: str
    problem: str = msgspec.field(name="class")
    cause: str
    cause_title: str
    playbook: str
    title: str
    detail: str
    owner: str
    assignee: str
    tags: tuple[str, ...]
    watchers: tuple[str, ...]
    told_by: str
    """The system that tells those who watch it; empty where they read it on the console only."""
    told: tuple[str, ...]
    """Whoever of watchers, assignee and owner is told by it."""
    snoozed_until: datetime | None
    opened_at: datetime
    due_at: datetime | None
    overdue: bool
    closed_at: datetime | None
    closed_because: str
    recurrences: int
    opened_before: int
    last_opened_at: datetime | None
    blocked: int
    threads: int
    effects: int
    oldest: datetime | None
    value: Value
    links: list[Link]
    history: list[Note]

    @property
    def etag(self) -> str:
        return etag_of(self.number, self.revision)


def etag_of(number: int, revision: int) -> str:
    """What a change of the case must name."""
    return f'"C-{number}.{revision}"'


async def list_cases(
    connection: Connection, wanted: Filter, *, before: int = 0, limit: int = 100
) -> list[dict[str, Any]]:  # fmt: skip
    """Newest first; `before` is the last number of the page before."""
    rows = await connection.fetch(
        blocks("cases.sql")["list_cases"], wanted.state, before, min(limit, PAGE_MAX), wanted.owner, wanted.assignee,
        wanted.problem, wanted.cause, wanted.tag, wanted.overdue, wanted.snoozed,
    )  # fmt: skip
    return [{k: v for k, v in row.items() if k != "fingerprint"} for row in rows]


async def case_links(connection: Connection, number: int) -> list[dict[str, Any]]:
    """The threads a case blocks or blocked."""
    rows = await connection.fetch(blocks("cases.sql")["case_links"], number)
    return [dict(row) for row in rows]


async def read_case(
    connection: Connection, number: int, causes: Mapping[str, Cause], telling: Telling = _SILENT
) -> Case | None:
    """The whole of it, of one instant."""
    sql = blocks("cases.sql")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        row = await connection.fetchrow(sql["one_case"], number)
        if row is None:
            return None
        blocked = await connection.fetchrow(sql["blocked"], number)
        links = await connection.fetch(sql["case_links"], number)
        value = await _value(connection, number)
        notes = await connection.fetch(sql["notes"], number)
    assert blocked is not None
    known = cause_of(row["cause"], causes)
    interested = sorted({*row["watchers"], row["assignee"] or "", row["owner"]} - {""})
    return Case(
        number=row["id"], revision=row["revision"], state=row["state"], problem=row["class"], cause=row["cause"],
        cause_title=known.title, playbook=known.playbook, title=row["title"], detail=row["detail"], owner=row["owner"],
        assignee=row["assignee"] or "", tags=tuple(row["tags"]), watchers=tuple(row["watchers"]),
        told_by=telling.system, told=tuple(x for x in interested if telling.address(x)),
        snoozed_until=row["snoozed_until"], opened_at=row["opened_at"], due_at=row["due_at"], overdue=bool(row["overdue"]),
        closed_at=row["closed_at"], closed_because=row["closed_because"] or "", recurrences=row["recurrences"],
        opened_before=row["opened_before"], last_opened_at=row["last_opened_at"], blocked=blocked["links"],
        threads=blocked["threads"], effects=blocked["effects"], oldest=blocked["oldest"], value=value,
        links=[_link(x) for x in links], history=[Note(**dict(x)) for x in notes],
    )  # fmt: skip


def cause_of(name: str, causes: Mapping[str, Cause]) -> Cause:
    """A standing hold is a cause of its own name."""
    return causes.get(name) or causes.get(HOLD, CAUSES[HOLD])


async def _value(connection: Connection, number: int) -> Value:
    """Of the orders that are blocked themselves, or by a shipment of theirs. Money is added by currency only."""
    sql = blocks("cases.sql")
    rows = await connection.fetch(sql["worth"], number, ORDERS_VALUED_MAX + 1)
    found = {row["thread"]: decode_state(row) for row in rows}
    orders = {thread: state for thread, state in found.items() if hasattr(state, "total")}
    named = {
        order for state in found.values() for p in getattr(state, "packages", ()) for order in _orders(p)
    }
    others = [x for x in (hash16(f"order/{name}") for name in sorted(named)) if x not in orders]
    rows = await connection.fetch(sql["orders_of"], others[:ORDERS_VALUED_MAX])
    orders |= {row["thread"]: decode_state(row) for row in rows}
    sums: dict[str, Decimal] = {}
    for state in list(orders.values())[:ORDERS_VALUED_MAX]:
        if state.total is not None:
            sums[state.total.currency] = sums.get(state.total.currency, Decimal(0)) + state.total.amount
    more = len(found) > ORDERS_VALUED_MAX or len(orders) > ORDERS_VALUED_MAX
    return Value(tuple(Money(sums[x], x) for x in sorted(sums)), min(len(orders), ORDERS_VALUED_MAX), more)


def _orders(package: Package) -> set[str]:
    return {line.order for line in package.lines if line.order}


def _link(row: Any) -> Link:
    open_ = row["closed_at"] is None
    return Link(
        row["thread_key"], row["key"], row["opened_at"], row["closed_at"], row["phase"] or "", row["kind"] or "",
        row["reason"] or "", still_blocks(row) if open_ else "",
    )  # fmt: skip
