"""What the ledger and the log say about places that differ: balances, entries with their origin, what never came.

Reads only, of one instant where it matters.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from crossdock.model.drift import ZERO, Booked, Booking
from crossdock.model.registry import decode
from crossdock.model.stock import StockPlace
from crossdock.processes.adjusting import KIND, name_of
from crossdock.store.pool import Connection
from crossdock.store.segments import segment_at

ENTRIES_MAX: Final = 20_000
CHAIN_MAX: Final = 3
"""So many threads an event passes on its way from the partner to the ledger, at most."""
SEQUENCES_MAX: Final = 1_000_000
LEEWAY: Final = timedelta(minutes=5)
GOOD: Final = frozenset({"available", "soft_claim", "firm_claim", "allocated", "picked"})
HELD: Final = frozenset({"quarantine", "damaged", "returned"})
POSTINGS: Final = ("goods_issue.post", "goods_receipt.post", "transfer_issue.post", KIND)
"""What an ERP is told of its stock."""
CLAIMED: Final = frozenset({"allocated", "picked"})
"""What a warehouse knows to be set aside; claims that were not released to it are the hub's own business."""
_BOOKED = """
select b.item, b.location, b.lot, b.owner, min(b.unit) as unit,
    sum(b.available + b.soft_claim + b.firm_claim + b.allocated + b.picked) as good,
    sum(b.quarantine + b.damaged + b.returned) as held, sum(b.allocated + b.picked) as claimed,
    bool_or(b.recalled) as recalled
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as k (item, location, lot, owner)
join stock_balance b using (item, location, lot, owner)
group by b.item, b.location, b.lot, b.owner
"""
_ENTRIES = """
select e.id, b.item, b.location, b.lot, b.owner, e.from_bucket, e.to_bucket, e.quantity, e.cause, e.thread, e.recorded_at
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as k (item, location, lot, owner)
join stock_balance b using (item, location, lot, owner)
join stock_entry e on e.balance = b.id
where e.segment >= $7 and e.recorded_at >= $5
order by e.id desc limit $6
"""


async def behind(connection: Connection, instant: datetime) -> bool:
    """Whether an event recorded by then still waits for its worker."""
    found: bool = await connection.fetchval(
        "select exists (select 1 from partition c where exists (select 1 from event e where e.p = c.p"
        " and (e.generation, e.xid, e.id) > (c.generation, c.xid, c.id) and e.recorded_at <= $1))", instant,
    )  # fmt: skip
    return found


async def missing(
    connection: Connection, system: str, watermark: int, agreed_to: int | None, since: datetime
) -> frozenset[int]:  # fmt: skip
    """Which of the system's events up to its watermark are not in the log, counted from where the last comparison ended."""
    rows = await connection.fetch(
        "select distinct sequence from event where source = $1 and sequence <= $2 and recorded_at >= $3", system, watermark, since - LEEWAY
    )  # fmt: skip
    came = {row["sequence"] for row in rows}
    first = min(came, default=watermark) if agreed_to is None else agreed_to + 1
    if watermark - first > SEQUENCES_MAX:
        return frozenset()
    return frozenset(range(first, watermark + 1)) - came


async def came(connection: Connection, system: str, numbers: Mapping[int, datetime]) -> frozenset[int]:
    """Which of the events that were missed are there by now."""
    if not numbers:
        return frozenset()
    rows = await connection.fetch(
        "select sequence from event where source = $1 and sequence = any($2) and recorded_at >= $3",
        system, list(numbers), min(numbers.values()) - LEEWAY,
    )  # fmt: skip
    return frozenset(row["sequence"] for row in rows)


async def read(
    connection: Connection, places: Sequence[StockPlace], system: str, since: datetime, *, warehouse: bool
) -> tuple[dict[StockPlace, Booked], dict[StockPlace, list[Booking]]]:  # fmt: skip
    """Balances and entries of these places, of one instant. `warehouse`: the system tells us; otherwise we tell it."""
    columns = [[getattr(p, name) for p in places] for name in ("item", "location", "lot", "owner")]
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        balances = await connection.fetch(_BOOKED, *columns)
        entries = await connection.fetch(_ENTRIES, *columns, since, ENTRIES_MAX, segment_at(since) - 1)
        causes = await _causes(connection, entries)
        numbers = await _sequences(connection, causes, system) if warehouse else {}
        posted = {} if warehouse else await _posted(connection, {row["thread"] for row in entries})
    booked = {
        _place(row): Booked(
            _place(row), row["unit"], row["good"], row["held"], row["claimed"], row["recalled"]
        )
        for row in balances
    }
    bookings: dict[StockPlace, list[Booking]] = {}
    for row in reversed(entries):
        event = causes.get((row["thread"], row["cause"]))
        one = _booking(row, event, numbers, posted, warehouse)
        if one.good or one.held or one.claimed:
            bookings.setdefault(one.place, []).append(one)
    return booked, bookings


def _place(row: Any) -> StockPlace:
    return StockPlace(row["item"], row["location"], row["lot"], row["owner"])


def _booking(
    row: Any, event: Any, numbers: Mapping[str, int], posted: Mapping[tuple[bytes, str], Any], warehouse: bool
) -> Booking:  # fmt: skip
    data = decode(event["type"], event["data"]) if event else None
    shipment = str(getattr(data, "shipment", "") or getattr(data, "receipt", "") or "")
    document = str(getattr(data, "document", "") or "") or (
        f"{shipment} {event['thread_key']}" if shipment else row["cause"]
    )
    good, held, claimed = (_change(row, buckets) for buckets in (GOOD, HELD, CLAIMED))
    made = Booking(
        row["id"], _place(row), good, held, claimed, document, row["recorded_at"], numbers.get(row["cause"])
    )
    if warehouse:
        return msgspec.structs.replace(made, told="done")
    adjusted = name_of(f"{event['source']}/{row['cause']}", row["item"], row["lot"]) if event else ""
    post = posted.get((row["thread"], shipment)) or posted.get((row["thread"], adjusted))
    if post is None:
        return made
    state = post["state"]
    told = "done" if state == 10 else "refused" if state >= 5 else "open"
    return msgspec.structs.replace(
        made, told=told, attempts=post["attempts"], sent_at=post["sent_at"], settled_at=post["settled_at"]
    )


def _change(row: Any, buckets: frozenset[str]) -> Decimal:
    quantity: Decimal = row["quantity"]
    return (quantity if row["to_bucket"] in buckets else ZERO) - (
        quantity if row["from_bucket"] in buckets else ZERO
    )


async def _causes(connection: Connection, entries: Iterable[Any]) -> dict[tuple[bytes, str], Any]:
    pairs = {(row["thread"], row["cause"]) for row in entries}
    rows = await connection.fetch(
        "select thread, thread_key, event_id, type, source, sequence, cause, data, recorded_at from event"
        " where thread = any($1) and event_id = any($2)",
        [thread for thread, _ in pairs], [cause for _, cause in pairs],
    )  # fmt: skip
    return {(row["thread"], row["event_id"]): row for row in rows}


async def _sequences(
    connection: Connection, causes: Mapping[tuple[bytes, str], Any], system: str
) -> dict[str, int]:
    """Event id → the number of the system's own event it followed from, over the threads in between."""
    found = {
        row["event_id"]: row["sequence"]
        for row in causes.values()
        if row["source"] == system and row["sequence"] is not None
    }
    open_ = {
        row["event_id"]: row["cause"] for row in causes.values() if row["source"] != system and row["cause"]
    }
    since = min((row["recorded_at"] for row in causes.values()), default=None)
    for _ in range(CHAIN_MAX):
        if not open_ or since is None:
            break
        rows = await connection.fetch(
            "select event_id, source, sequence, cause from event where event_id = any($1) and recorded_at >= $2",
            list(set(open_.values())), since - LEEWAY,
        )  # fmt: skip
        parents = {row["event_id"]: row for row in rows}
        further = {}
        for event, cause in open_.items():
            parent = parents.get(cause)
            if parent is None:
                continue
            if parent["source"] == system and parent["sequence"] is not None:
                found[event] = parent["sequence"]
            elif parent["cause"]:
                further[event] = parent["cause"]
        open_ = further
    return found


async def _posted(connection: Connection, threads: Iterable[bytes]) -> dict[tuple[bytes, str], Any]:
    """How far the ERP was told of what left, came or changed, by (thread, shipment, receipt or name of the adjustment)."""
    rows = await connection.fetch(
        "select f.thread, f.kind, f.object, f.state, f.attempts, f.settled_at,"
        " (select min(a.started_at) from attempt a where a.effect = f.id and a.segment >= f.segment) as sent_at"
        " from effect f where f.thread = any($1) and f.kind = any($2)", list(threads), list(POSTINGS),
    )  # fmt: skip
    return {(row["thread"], _about(row)): row for row in rows}


def _about(row: Any) -> str:
    name: str = row["object"]
    return name.rpartition("/")[0] if row["kind"] == KIND else name
