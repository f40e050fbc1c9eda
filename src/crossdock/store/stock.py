"""The stock ledger's transaction: lock the balances, decide claims, move quantities, write the entries.

The no-oversell bound is enforced here, on locked rows, and once more by the table's own check constraint.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from crossdock.model.quantity import Quantity
from crossdock.model.stock import Bucket, ClaimLine, StockPlace
from crossdock.processes.intents import Claim, Move
from crossdock.store.pool import Connection

BUCKETS = (
    "available", "soft_claim", "firm_claim", "allocated", "picked", "quarantine", "damaged", "returned",
    "in_transit_out", "in_transit_in", "expected",
)  # fmt: skip
ZERO = Decimal(0)
replace = msgspec.structs.replace
Key = tuple[str, str, str, str, str]


def key_of(place: StockPlace) -> Key:
    return (place.item, place.location, place.lot, place.owner, place.possessor)


@dataclass(slots=True)
class Wish:
    """A claim or a move, with the event that caused it."""

    what: Claim | Move
    thread: bytes
    thread_key: str
    cause: str
    occurred_at: datetime


@dataclass(slots=True)
class Balance:
    id: int
    key: Key
    unit: str
    buckets: dict[str, Decimal]
    may_be_negative: bool
    version: int
    published: Decimal | None
    changed: bool = False


@dataclass(slots=True)
class Settled:
    """What became of a round of wishes."""

    segment: int
    granted: list[tuple[Wish, tuple[ClaimLine, ...], tuple[ClaimLine, ...]]] = field(default_factory=list)
    """(claim, the lines it got, by node; what it did not get)"""
    refused: list[tuple[Wish, tuple[ClaimLine, ...]]] = field(default_factory=list)
    short: list[tuple[Wish, Decimal]] = field(default_factory=list)
    """Moves that found less than they wanted; the rest was not moved."""
    balances: dict[Key, Balance] = field(default_factory=dict)
    entries: list[tuple[Any, ...]] = field(default_factory=list)


async def lock(connection: Connection, places: Iterable[tuple[Key, str]]) -> dict[Key, Balance]:
    """Lock the balances of these (place, unit), made where they are missing, in the order of their keys."""
    wanted = dict(places)
    keys = sorted(wanted)
    if not keys:
        return {}
    columns = [list(column) for column in zip(*keys, strict=True)]
    sql = (
        "select b.id, b.item, b.location, b.lot, b.owner, b.possessor, b.unit, b.may_be_negative, b.version, b.published, "
        + ", ".join(f"b.{bucket}" for bucket in BUCKETS)
        + " from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])"
        " as k (item, location, lot, owner, possessor) join stock_balance b using (item, location, lot, owner, possessor)"
        " order by item, location, lot, owner, possessor for update of b"
    )
    rows = await connection.fetch(sql, *columns)
    if len(rows) < len(keys):
        units = [wanted[key] for key in keys]
        await connection.execute(
            "insert into stock_balance (item, location, lot, owner, possessor, unit)"
            " select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])"
            " on conflict do nothing",
            *columns, units,
        )  # fmt: skip
        rows = await connection.fetch(sql, *columns)
    found = {}
    for row in rows:
        key = tuple(row[1:6])
        buckets = dict(zip(BUCKETS, row[10:], strict=True))
        found[key] = Balance(row[0], key, row[6], buckets, row[7], row[8], row[9])
    return found


def settle(wishes: Sequence[Wish], balances: dict[Key, Balance], segment: int) -> Settled:
    """Grant or refuse in order; pure on the locked balances."""
    settled = Settled(segment, balances=balances)
    for wish in wishes:
        if isinstance(wish.what, Claim):
            _claim(settled, wish, wish.what)
        else:
            _move(settled, wish, wish.what)
    return settled


def places_of(claim: Claim) -> dict[Key, str]:
    """Every balance the claim may be served from, with its unit."""
    return {
        key_of(place): line.quantity.unit for line in claim.lines for place in _candidates(line.place, claim)
    }


def _candidates(place: StockPlace, claim: Claim) -> list[StockPlace]:
    return [replace(place, location=node) for node in claim.nodes] or [place]


def _claim(settled: Settled, wish: Wish, claim: Claim) -> None:
    served, missing = _serve(settled.balances, claim)
    if missing and not (claim.partial and served):
        settled.refused.append((wish, missing))
        return
    for line in served:
        balance = settled.balances[key_of(line.place)]
        _enter(settled, wish, balance, "available", "firm_claim", line.quantity.value)
    settled.granted.append((wish, served, missing))


def _serve(balances: dict[Key, Balance], claim: Claim) -> tuple[tuple[ClaimLine, ...], tuple[ClaimLine, ...]]:
    """(lines by node, what is missing): from the first node that has everything, else from as many as it takes."""
    for node in claim.nodes:
        served, missing = _take(balances, replace(claim, nodes=(node,)))
        if not missing:
            return served, missing
    return _take(balances, claim)


def _take(balances: dict[Key, Balance], claim: Claim) -> tuple[tuple[ClaimLine, ...], tuple[ClaimLine, ...]]:
    """Line by line from the candidates in their order; lines of one item share what there is of it."""
    left: dict[Key, Decimal] = {}
    served: list[ClaimLine] = []
    missing: list[ClaimLine] = []
    for line in claim.lines:
        wanted = line.quantity.value
        for place in _candidates(line.place, claim):
            key = key_of(place)
            here = min(wanted, max(ZERO, left.setdefault(key, balances[key].buckets["available"])))
            if here > ZERO:
                left[key] -= here
                wanted -= here
                served.append(ClaimLine(line.line, place, Quantity(here, line.quantity.unit)))
        if wanted > ZERO:
            missing.append(ClaimLine(line.line, line.place, Quantity(wanted, line.quantity.unit)))
    return tuple(served), tuple(missing)


def _move(settled: Settled, wish: Wish, move: Move) -> None:
    balance = settled.balances[key_of(move.place)]
    quantity = move.quantity
    if move.source != "outside" and not (balance.may_be_negative and move.source == "available"):
        here = balance.buckets[move.source]
        if here < quantity:
            settled.short.append((wish, quantity - here))
            quantity = here
    if quantity > ZERO:
        _enter(settled, wish, balance, move.source, move.target, quantity)


def _enter(
    settled: Settled, wish: Wish, balance: Balance, source: Bucket, target: Bucket, quantity: Decimal
) -> None:
    if source != "outside":
        balance.buckets[source] -= quantity
    if target != "outside":
        balance.buckets[target] += quantity
    balance.changed = True
    claim = wish.what.claim or None
    settled.entries.append(
        (
            settled.segment,
            balance.id,
            source,
            target,
            quantity,
            wish.cause,
            wish.thread,
            claim,
            wish.occurred_at,
        )
    )


_UPDATE = (
    "update stock_balance b set "
    + ", ".join(f"{bucket} = n.{bucket}" for bucket in BUCKETS)
    + ", version = n.version, published = n.published, updated_at = clock_timestamp() from unnest($1::bigint[], $2::bigint[], $3::numeric[], "
    + ", ".join(f"${place}::numeric[]" for place in range(4, 4 + len(BUCKETS)))
    + ") as n (id, version, published, "
    + ", ".join(BUCKETS)
    + ") where b.id = n.id"
)


async def write(connection: Connection, settled: Settled, segment: int) -> None:
    """Write back changed balances, their entries, and the claims' records."""
    changed = [balance for balance in settled.balances.values() if balance.changed]
    if changed:
        for balance in changed:
            balance.version += 1
        await connection.execute(
            _UPDATE, [b.id for b in changed], [b.version for b in changed], [b.published for b in changed],
            *([b.buckets[bucket] for b in changed] for bucket in BUCKETS),
        )  # fmt: skip
    if settled.entries:
        await connection.copy_records_to_table(
            f"stock_entry_{segment}", records=settled.entries,
            columns=("segment", "balance", "from_bucket", "to_bucket", "quantity", "cause", "thread", "claim", "occurred_at"),
        )  # fmt: skip
    await _record_claims(connection, settled)
    await _consume_claims(connection, settled)


async def _record_claims(connection: Connection, settled: Settled) -> None:
    records = [(w, "pending") for w, _, _ in settled.granted] + [(w, "refused") for w, _ in settled.refused]
    if not records:
        return
    await connection.execute(
        "insert into claim (id, thread, thread_key, state) select * from unnest($1::text[], $2::bytea[], $3::text[], $4::text[])"
        " on conflict (id) do nothing",
        [w.what.claim for w, _ in records], [w.thread for w, _ in records], [w.thread_key for w, _ in records],
        [state for _, state in records],
    )  # fmt: skip
    lines = [
        (wish.what.claim, line.line, settled.balances[key_of(line.place)].id, line.quantity.value)
        for wish, served, _ in settled.granted
        for line in served
    ]
    if lines:
        await connection.copy_records_to_table(
            "claim_line", records=lines, columns=("claim", "line", "balance", "quantity")
        )


async def _consume_claims(connection: Connection, settled: Settled) -> None:
    """Claims end by their entries: quantities leaving `firm_claim` are posted, those going back are voided."""
    posted: dict[str, Decimal] = {}
    for _, _, source, target, quantity, _, _, claim, _ in settled.entries:
        if claim is not None and source == "firm_claim":
            posted[claim] = posted.get(claim, ZERO) + (ZERO if target == "available" else quantity)
    if posted:
        claims = sorted(posted)
        await connection.execute(
            "update claim c set state = case when n.posted > 0 then 'posted' else 'voided' end, updated_at = clock_timestamp()"
            " from unnest($1::text[], $2::numeric[]) as n (id, posted) where c.id = n.id and c.state = 'pending'",
            claims, [posted[claim] for claim in claims],
        )  # fmt: skip
