"""Stock of an item: every number by place, what it adds up to for whom, as of an instant, and the entries behind it.

Numbers are decimals in the unit of their place; numbers of different units are never added.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import msgspec

from crossdock.store.pool import Connection
from crossdock.store.segments import WEEK_SECONDS
from crossdock.store.stock import BUCKETS
from crossdock.views.sql import blocks

PLACES_MAX: Final = 1_000
BEHIND_MAX: Final = 10_000
ENTRIES_MAX: Final = 500
NEWEST: Final = 2**62
ON_HAND: Final = (
    "available",
    "soft_claim",
    "firm_claim",
    "allocated",
    "picked",
    "quarantine",
    "damaged",
    "returned",
)
"""What lies in the house, whoever it is for and whatever its state."""
ENDED: Final = "the exception has ended, and it stays until what is below zero is put right"
ZERO: Final = Decimal(0)


class Figures(msgspec.Struct, frozen=True):
    """on_hand: all that lies there. sellable: nobody has it and nothing is against it. available_to_promise: sellable,
    never below zero; what is only expected is not promised and stands in `inbound`.
    """

    unit: str
    on_hand: Decimal
    sellable: Decimal
    available_to_promise: Decimal
    inbound: Decimal


class Place(msgspec.Struct, frozen=True):
    """One balance. `buckets` holds those that are not zero. `below_zero`: why it may fall there; empty: it may not."""

    location: str
    lot: str
    owner: str
    possessor: str
    figures: Figures
    buckets: dict[str, Decimal]
    version: int
    updated_at: datetime
    below_zero: str = ""


class Freshness(msgspec.Struct, frozen=True):
    """`position` is the ledger's last entry; `events_behind` wait to be processed, the oldest since `behind_since`."""

    as_of: datetime
    position: int
    events_behind: int
    behind_since: datetime | None


class Stock(msgspec.Struct, frozen=True):
    """`totals` over all places, one per unit. `at` and `known_at` where it was asked for another instant than now."""

    item: str
    totals: tuple[Figures, ...]
    places: tuple[Place, ...]
    freshness: Freshness
    at: datetime | None = None
    known_at: datetime | None = None


class Entry(msgspec.Struct, frozen=True):
    """A quantity that went from one bucket to another. `cause` is the event, `type` and `source` what it was and whose."""

    id: int
    location: str
    lot: str
    owner: str
    possessor: str
    from_bucket: str
    to_bucket: str
    quantity: Decimal
    unit: str
    cause: str
    type: str
    source: str
    thread: str
    claim: str
    occurred_at: datetime
    recorded_at: datetime
    cost_layer: str
    cost_currency: str


class TooOld(Exception):
    """Entries of that time are not kept any more."""

    def __init__(self, since: datetime) -> None:
        super().__init__(f"entries are kept since {since.date()}")


async def read_stock(
    connection: Connection, item: str, at: datetime | None = None, known_at: datetime | None = None,
    below_zero: Mapping[str, str] = MappingProxyType({}), others: Collection[tuple[str, str]] = (),
) -> Stock | None:  # fmt: skip
    """None where no place ever held it. `at`: what had happened by then; `known_at`: as far as was recorded by then.
    `below_zero`: location → why stock may fall below zero there. `others`: (location, owner) whose goods may be sold as well.

    Raises `TooOld` where the entries since then are no longer all there.
    """
    sql = blocks("stock.sql")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await connection.fetch(sql["balances"], item, PLACES_MAX)
        if not rows:
            return None
        freshness = await read_freshness(connection)
        later: list[Any] = []
        if at is not None or known_at is not None:
            await _check_kept(connection, min(x for x in (at, known_at) if x is not None))
            end = datetime.max.replace(tzinfo=UTC)
            later = await connection.fetch(
                sql["later"], [row["id"] for row in rows], at or end, known_at or end
            )
    quantities = undone({row["id"]: {b: row[b] for b in BUCKETS} for row in rows}, later)
    places = tuple(_place(row, quantities[row["id"]], below_zero, others) for row in rows)
    return Stock(item, totals(places), places, freshness, at, known_at)


async def read_freshness(connection: Connection) -> Freshness:
    """How far the ledger is, within the caller's transaction."""
    stamp = await connection.fetchrow(blocks("stock.sql")["stamp"], BEHIND_MAX)
    assert stamp is not None
    return Freshness(stamp["now"], stamp["position"], stamp["events"], stamp["oldest"])


async def _check_kept(connection: Connection, instant: datetime) -> None:
    first = await connection.fetchval(blocks("stock.sql")["kept_since"])
    since = datetime.fromtimestamp(first * WEEK_SECONDS, UTC)
    if instant < since:
        raise TooOld(since)


def undone(
    balances: dict[int, dict[str, Decimal]], entries: Iterable[Mapping[str, Any]]
) -> dict[int, dict[str, Decimal]]:
    """The balances as if these entries had not been made."""
    for entry in entries:
        buckets = balances[entry["balance"]]
        for name, change in (
            (entry["from_bucket"], entry["quantity"]),
            (entry["to_bucket"], -entry["quantity"]),
        ):
            if name != "outside":
                buckets[name] += change
    return balances


def figures(unit: str, buckets: Mapping[str, Decimal], *, for_sale: bool = True) -> Figures:
    """Goods of an owner for whom nobody sells here are on hand, and not `for_sale`."""
    available = buckets["available"] if for_sale else ZERO
    return Figures(
        unit, sum((buckets[name] for name in ON_HAND), ZERO), available, max(available, ZERO),
        buckets["in_transit_in"] + buckets["expected"],
    )  # fmt: skip


def totals(places: Iterable[Place]) -> tuple[Figures, ...]:
    """Per unit. What one place owes is not promised from another's stock twice: the sum is taken before the floor."""
    found: dict[str, Figures] = {}
    for place in places:
        one, so_far = place.figures, found.get(place.figures.unit)
        if so_far is None:
            found[one.unit] = one
            continue
        sellable = so_far.sellable + one.sellable
        found[one.unit] = Figures(
            one.unit,
            so_far.on_hand + one.on_hand,
            sellable,
            max(sellable, ZERO),
            so_far.inbound + one.inbound,
        )
    return tuple(found[unit] for unit in sorted(found))


def _place(
    row: Any,
    buckets: Mapping[str, Decimal],
    below_zero: Mapping[str, str],
    others: Collection[tuple[str, str]],
) -> Place:
    for_sale = not row["owner"] or (row["location"], row["owner"]) in others
    why = below_zero.get(row["location"], ENDED) if row["may_be_negative"] else ""
    return Place(
        row["location"], row["lot"], row["owner"], row["possessor"], figures(row["unit"], buckets, for_sale=for_sale),
        {name: quantity for name, quantity in buckets.items() if quantity}, row["version"], row["updated_at"],
        why,
    )  # fmt: skip


class Narrowing(msgspec.Struct, frozen=True):
    """Which entries of an item: of one location, lot, owner, bucket; None and "" are all."""

    location: str | None = None
    lot: str | None = None
    owner: str | None = None
    bucket: str = ""


async def read_entries(
    connection: Connection, item: str, before: int, limit: int, narrowing: Narrowing
) -> list[Entry] | None:
    """Newest first, below entry `before` (0: from the newest). None where no place ever held the item."""
    sql = blocks("stock.sql")
    limit = max(1, min(limit, ENTRIES_MAX))
    rows = await connection.fetch(
        sql["entries"], item, before or NEWEST, narrowing.location, narrowing.lot, narrowing.owner, narrowing.bucket, limit
    )  # fmt: skip
    if not rows:
        return [] if await connection.fetchval(sql["known"], item) else None
    threads, causes = {row["thread"] for row in rows}, {row["cause"] for row in rows}
    first = min(row["segment"] for row in rows) - 1
    said = {
        (row["thread"], row["event_id"]): row
        for row in await connection.fetch(sql["causes"], list(threads), list(causes), first)
    }
    return [_entry(row, said.get((row["thread"], row["cause"]))) for row in rows]


def _entry(row: Any, event: Any) -> Entry:
    return Entry(
        row["id"], row["location"], row["lot"], row["owner"], row["possessor"], row["from_bucket"], row["to_bucket"],
        row["quantity"], row["unit"], row["cause"], event["type"] if event else "", event["source"] if event else "",
        row["thread_key"] or "", row["claim"] or "", row["occurred_at"], row["recorded_at"],
        row["cost_layer"] or "", row["cost_currency"] or "",
    )  # fmt: skip
