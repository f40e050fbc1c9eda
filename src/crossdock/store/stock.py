"""The stock ledger's transaction: lock the balances, decide claims, move quantities, write the entries.

The no-oversell bound is enforced here, on locked rows, and once more by the table's own check constraint.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from crossdock.model.claim import CLAIM_ID
from crossdock.model.quantity import Quantity
from crossdock.model.stock import Bucket, ClaimLine, CostLayer, StockPlace, TakenApart, TakenOver
from crossdock.processes.intents import Claim, Move, Takes
from crossdock.processes.publishing import slowed
from crossdock.store import claims as claim_table
from crossdock.store import takeover
from crossdock.store.held import CLAIMED, ZERO, Held, HeldLine, Key, key_of
from crossdock.store.pool import Connection
from crossdock.store.taking import Served, Shelves, serve

__all__ = ["ZERO", "Key", "key_of"]
BUCKETS = (
    "available", "soft_claim", "firm_claim", "allocated", "picked", "quarantine", "damaged", "returned",
    "in_transit_out", "in_transit_in", "expected",
)  # fmt: skip
CLAIM_BUCKETS = frozenset(CLAIMED.values())
PHYSICAL = frozenset({"outside", "picked", "in_transit_out"})
"""Where goods go by a fact, which may take what is available below zero where that is excepted."""
EXCEPTED_AT_ONCE = 5_000
NEW_LOTS = 0x6C6F7473
"""The advisory lock between recalls and whoever makes balances of lots."""
replace = msgspec.structs.replace


@dataclass(slots=True)
class Wish:
    """A claim or a move, with the event that caused it. `kits` are lines of the claim that were taken apart."""

    what: Claim | Move
    thread: bytes
    thread_key: str
    cause: str
    occurred_at: datetime
    kits: tuple[TakenApart, ...] = ()


@dataclass(slots=True)
class Balance:
    id: int
    key: Key
    unit: str
    buckets: dict[str, Decimal]
    may_be_negative: bool
    version: int
    shown: str | None = None
    """What channels were told of the item, by channel, as JSON; kept at the balance without lot of their first node."""
    expires_on: date | None = None
    sold_lately: float = 0.0
    """Pieces claimed lately, as they counted at `sold_at`: see `publishing.slowed`."""
    sold_at: datetime | None = None
    review_at: datetime | None = None
    """When what channels are shown may differ though nothing moved."""
    recalled: bool = False
    """What would be available of it is in quarantine: see `standing`."""
    changed: bool = False

    @property
    def available(self) -> Decimal:
        return self.buckets["available"]

    def lately(self, at: datetime) -> float:
        """Pieces claimed lately, as they count at an instant."""
        return slowed(self.sold_lately, (at - self.sold_at).total_seconds()) if self.sold_at else 0.0

    def note_sold(self, quantity: Decimal, at: datetime) -> None:
        self.sold_lately = self.lately(at) + float(quantity)
        self.sold_at = max(at, self.sold_at or at)


class Cause(NamedTuple):
    """What an entry names: the event or request, the thread it was for, and the claim it belongs to."""

    name: str
    thread: bytes
    occurred_at: datetime
    claim: str | None = None
    cost: CostLayer | None = None


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
    claims: dict[str, Held] = field(default_factory=dict)
    """Those that were locked, and those granted or refused in this round."""
    took: dict[str, TakenOver] = field(default_factory=dict)
    """What became of the checkouts' claims that claims of this round name, by the latter."""
    shelves: Shelves = field(init=False)

    def __post_init__(self) -> None:
        self.shelves = Shelves(self.balances)


_COLUMNS = (
    "b.id, b.item, b.location, b.lot, b.owner, b.possessor, b.unit, b.may_be_negative, b.version, b.shown, b.expires_on, b.sold_lately, b.sold_at, b.review_at, b.recalled, "
    + ", ".join(f"b.{bucket}" for bucket in BUCKETS)
)
_IN_ORDER = " order by b.item, b.location, b.lot, b.owner, b.possessor for update of b"
_LOCK = (
    f"select {_COLUMNS} from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])"
    f" as k (item, location, lot, owner, possessor) join stock_balance b using (item, location, lot, owner, possessor){_IN_ORDER}"
)
_LOCK_LOTS = (
    f"select {_COLUMNS} from unnest($1::text[], $2::text[]) as k (item, location)"
    f" join stock_balance b using (item, location){_IN_ORDER}"
)
_LOCK_LOT = f"select {_COLUMNS} from stock_balance b where b.item = $1 and b.lot = $2{_IN_ORDER}"
_MAKE = (
    "insert into stock_balance (item, location, lot, owner, possessor, unit, may_be_negative, recalled)"
    " select k.*, k.location = any($7), exists (select from recall r where (r.item, r.lot) = (k.item, k.lot)) from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])"
    " as k (item, location, lot, owner, possessor, unit) on conflict do nothing"
)
_EXCEPT = (
    "with other as (select id from stock_balance where may_be_negative <> (location = any($1)) and (not may_be_negative or available >= 0)"
    " order by item, location, lot, owner, possessor limit $2 for update)"
    " update stock_balance b set may_be_negative = b.location = any($1) from other where b.id = other.id"
)


async def lock(connection: Connection, places: Iterable[tuple[Key, str]]) -> dict[Key, Balance]:
    """Lock the balances of these (place, unit), made where they are missing, in the order of their keys."""
    wanted = dict(places)
    keys = sorted(wanted)
    if not keys:
        return {}
    columns = [list(column) for column in zip(*keys, strict=True)]
    rows = await connection.fetch(_LOCK, *columns)
    if len(rows) < len(keys):
        units = [wanted[key] for key in keys]
        await _make(connection, keys, units, [])
        rows = await connection.fetch(_LOCK, *columns)
    return _read(rows)


async def lock_whole(
    connection: Connection, places: Mapping[Key, str], near: Iterable[tuple[str, str]] = (), excepted: Iterable[str] = ()
) -> dict[Key, Balance]:  # fmt: skip
    """Lock every lot there is at these places, and at those `near` (item, location), in the order of their keys.

    A place that is named and missing is made: in the unit of its lots, where there are any, else in the one given; it may
    fall below zero at the locations `excepted`.
    """
    wanted = {(key[0], key[1]) for key in places} | set(near)
    found = await lock_lots(connection, wanted)
    missing = sorted(key for key in places if key not in found)
    if not missing:
        return found
    units = {(key[0], key[1]): balance.unit for key, balance in found.items()}
    await _make(
        connection, missing, [units.get((key[0], key[1]), places[key]) for key in missing], list(excepted)
    )
    return await lock_lots(connection, wanted)


async def _make(
    connection: Connection, keys: Sequence[Key], units: list[str], excepted: list[str]
) -> None:  # fmt: skip
    """Balances that are not there yet. The first of a lot at a place waits for a recall under way, and makes it wait: what
    neither has committed the other would not see.
    """
    if any(lot for _, _, lot, *_ in keys):
        await connection.execute("select pg_advisory_xact_lock_shared($1)", NEW_LOTS)
    await connection.execute(_MAKE, *(list(column) for column in zip(*keys, strict=True)), units, excepted)


async def lock_new_lots(connection: Connection) -> None:
    """Until the transaction ends no lot comes to a place where it was not; those that came are committed.

    To be asked after the lot's balances are locked, as whoever makes one has its other balances locked by then.
    """
    await connection.execute("select pg_advisory_xact_lock($1)", NEW_LOTS)


async def lock_lots(connection: Connection, places: Iterable[tuple[str, str]]) -> dict[Key, Balance]:
    """Lock every balance there is of these (item, location), whatever its lot, in the order of their keys."""
    wanted = sorted(set(places))
    if not wanted:
        return {}
    return _read(await connection.fetch(_LOCK_LOTS, *(list(column) for column in zip(*wanted, strict=True))))


async def lock_lot(connection: Connection, item: str, lot: str) -> dict[Key, Balance]:
    """Lock every balance there is of a lot, in the order of their keys."""
    return _read(await connection.fetch(_LOCK_LOT, item, lot))


async def except_below_zero(connection: Connection, locations: Sequence[str]) -> None:
    """From now on what is available may fall below zero at these locations, and nowhere else; what is below zero stays so."""
    while await connection.execute(_EXCEPT, list(locations), EXCEPTED_AT_ONCE) != "UPDATE 0":
        pass


def _read(rows: Sequence[Any]) -> dict[Key, Balance]:
    found: dict[Key, Balance] = {}
    for row in rows:
        key = tuple(row[1:6])
        buckets = dict(zip(BUCKETS, row[15:], strict=True))
        found[key] = Balance(row[0], key, row[6], buckets, *row[7:15])
    return found


def settle(
    wishes: Sequence[Wish], balances: dict[Key, Balance], segment: int, claims: Mapping[str, Held] | None = None
) -> Settled:  # fmt: skip
    """Grant or refuse in order; pure on the locked balances and the locked claims that the moves name."""
    settled = Settled(segment, balances=balances, claims=dict(claims or {}))
    for wish in wishes:
        if isinstance(wish.what, Claim):
            grant(settled, wish, wish.what)
        else:
            _move(settled, wish, wish.what)
    return settled


def places_of(claim: Claim) -> dict[Key, str]:
    """Every balance the claim may be served from, with its unit."""
    found = {}
    for line in claim.lines:
        for place in [replace(line.place, location=node) for node in claim.nodes] or [line.place]:
            found[key_of(place)] = line.quantity.unit
    return found


def named_claims(wishes: Iterable[Wish]) -> list[str]:
    """The claims that moves want to use up, and orders to take over: to be locked before the balances."""
    found: set[str] = set()
    for wish in wishes:
        if isinstance(wish.what, Claim):
            takes = wish.what.takes
            if takes is not None and CLAIM_ID.fullmatch(takes.claim):  # else nobody could have asked for it
                found.add(takes.claim)
        elif wish.what.claim and wish.what.source in CLAIM_BUCKETS:
            found.add(wish.what.claim)
    return sorted(found)


def grant(settled: Settled, wish: Wish, claim: Claim) -> Served:
    """Set aside what the claim asks for, or nothing; either way it is known from now on. Returns (got, missing)."""
    checkout = None if claim.takes is None else _checkout(settled, wish, claim, claim.takes)
    taken: Mapping[Key, Decimal] = {}
    if checkout is None:
        served, missing = serve(settled.shelves, claim)
    else:
        served, missing, taken = takeover.fit(claim, checkout, settled.balances)
    held = Held(
        claim.claim, wish.thread, wish.thread_key, claim.kind, "pending", expires_at=claim.expires_at, channel=claim.channel
    )  # fmt: skip
    settled.claims[claim.claim] = held
    if missing and not (claim.partial and served):
        held.state, held.ended = "refused", True
        settled.refused.append((wish, missing))
        return (), missing
    if checkout is not None:
        _take_over(settled, wish, checkout, taken, served)
    cause = Cause(wish.cause, wish.thread, wish.occurred_at, claim.claim)
    set_aside(settled, held, served, cause)
    for line in served:
        fresh = line.quantity.value
        if taken:  # it counted as sold when the checkout claimed it
            fresh, taken = _less_taken(line, taken)
        if fresh > ZERO:
            settled.balances[key_of(line.place)].note_sold(fresh, wish.occurred_at)
    settled.granted.append((wish, served, missing))
    return served, missing


def _checkout(settled: Settled, wish: Wish, claim: Claim, takes: Takes) -> Held | None:
    """The claim that the order may take over, which is kept for it from now on; None, and the reason noted, where it may not."""
    held = settled.claims.get(takes.claim)
    objection = takeover.objection(takes, held, wish.thread_key)
    settled.took[claim.claim] = objection or TakenOver(takes.claim, "kept")
    if objection is not None or held is None:
        return None
    held.taken_by, held.changed = wish.thread_key, True
    if takes.keep_until is not None and (held.expires_at is None or held.expires_at < takes.keep_until):
        held.expires_at = takes.keep_until
    return held


def _take_over(
    settled: Settled, wish: Wish, checkout: Held, taken: Mapping[Key, Decimal], served: Sequence[ClaimLine]
) -> None:
    """All of the checkout's claim leaves it, in its own name; what the order has of it is set aside in the same round."""
    cause = Cause(wish.cause, wish.thread, wish.occurred_at, checkout.id)
    released = []
    for share, mine, back in takeover.end(checkout, taken):
        enter(settled, settled.balances[share.key], (checkout.bucket, "available"), mine + back, cause)
        if back > ZERO:
            released.append(ClaimLine(share.line, StockPlace(*share.key), Quantity(back, share.unit)))
    left = dict(taken)
    lines = []
    for line in served:
        fresh, left = _less_taken(line, left)
        mine = line.quantity.value - fresh
        if mine > ZERO:
            lines.append(replace(line, quantity=Quantity(mine, line.quantity.unit)))
    assert isinstance(wish.what, Claim)
    settled.took[wish.what.claim] = TakenOver(checkout.id, "taken", tuple(lines), tuple(released))


def _less_taken(line: ClaimLine, taken: Mapping[Key, Decimal]) -> tuple[Decimal, dict[Key, Decimal]]:
    """(what of the line was not claimed before, what is left of what was, by balance)."""
    key = key_of(line.place)
    mine = min(line.quantity.value, taken.get(key, ZERO))
    return line.quantity.value - mine, {**taken, key: taken.get(key, ZERO) - mine}


def set_aside(settled: Settled, held: Held, served: Iterable[ClaimLine], cause: Cause) -> None:
    """Move what was served into the claim's bucket; a share of a balance the line has already grows."""
    for line in served:
        balance = settled.balances[key_of(line.place)]
        quantity = line.quantity.value
        enter(settled, balance, ("available", held.bucket), quantity, cause)
        share = next((x for x in held.lines if x.line == line.line and x.balance == balance.id), None)
        if share is None:
            held.lines.append(
                HeldLine(line.line, balance.id, balance.key, balance.unit, quantity, changed=True)
            )
        else:
            share.quantity += quantity
            share.changed = True


def _move(settled: Settled, wish: Wish, move: Move) -> None:
    balance = settled.balances[key_of(move.place)]
    quantity = move.quantity
    if move.source in CLAIM_BUCKETS or move.target in CLAIM_BUCKETS:
        quantity = _use(settled, balance, move)
    elif move.source != "outside" and not (
        balance.may_be_negative and move.source == "available" and move.target in PHYSICAL
    ):
        quantity = min(quantity, max(ZERO, balance.buckets[standing(balance, move.source)]))
    if quantity < move.quantity:
        settled.short.append((wish, move.quantity - quantity))
    if quantity > ZERO:
        cause = Cause(move.cause or wish.cause, wish.thread, wish.occurred_at, move.claim or None, move.cost)
        enter(settled, balance, (move.source, move.target), quantity, cause)
    if move.expires_on is not None and move.target != "outside":
        balance.expires_on = move.expires_on
        balance.changed = True


def _use(settled: Settled, balance: Balance, move: Move) -> Decimal:
    """What is claimed moves only by a move that names its claim, and never into another claim."""
    held = settled.claims.get(move.claim)
    if held is None or held.bucket != move.source or move.target in CLAIM_BUCKETS:
        return ZERO
    return held.use(balance.key, move.line, move.quantity, back=move.target == "available")


def standing(balance: Balance, bucket: Bucket) -> Bucket:
    """Where goods stand that go to or come from this bucket: of a recalled lot nothing is available, whoever brings it."""
    return "quarantine" if balance.recalled and bucket == "available" else bucket


def enter(
    settled: Settled, balance: Balance, way: tuple[Bucket, Bucket], quantity: Decimal, cause: Cause
) -> None:
    """One double entry; none where it would stay where it is."""
    source, target = (standing(balance, x) for x in way)
    if source == target:
        return
    if source != "outside":
        balance.buckets[source] -= quantity
    if target != "outside":
        balance.buckets[target] += quantity
    balance.changed = True
    layer, currency = (cause.cost.layer, cause.cost.currency or None) if cause.cost else (None, None)
    settled.entries.append(
        (settled.segment, balance.id, source, target, quantity, cause.name, cause.thread, cause.claim, cause.occurred_at, layer, currency)
    )  # fmt: skip


_UPDATE = (
    "update stock_balance b set "
    + ", ".join(f"{bucket} = n.{bucket}" for bucket in BUCKETS)
    + ", unit = n.unit, version = n.version, shown = n.shown::jsonb, expires_on = n.expires_on, sold_lately = n.sold_lately, sold_at = n.sold_at,"
    " review_at = n.review_at, updated_at = clock_timestamp()"
    " from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::date[], $6::float8[], $7::timestamptz[], $8::timestamptz[], "
    + ", ".join(f"${place}::numeric[]" for place in range(9, 9 + len(BUCKETS)))
    + ") as n (id, version, unit, shown, expires_on, sold_lately, sold_at, review_at, "
    + ", ".join(BUCKETS)
    + ") where b.id = n.id"
)


async def write(connection: Connection, settled: Settled, segment: int) -> None:
    """Write the entries, the changed balances, and the claims."""
    await write_entries(connection, settled.entries, segment)
    await write_balances(connection, settled)
    decided = {wish.what.claim for wish, _, _ in settled.granted} | {
        wish.what.claim for wish, _ in settled.refused
    }
    if decided:
        await claim_table.insert(connection, [settled.claims[name] for name in decided], {})
    await write_used(connection, settled, decided)


async def write_entries(connection: Connection, entries: Sequence[tuple[Any, ...]], segment: int) -> None:
    if entries:
        await connection.copy_records_to_table(
            f"stock_entry_{segment}", records=entries,
            columns=("segment", "balance", "from_bucket", "to_bucket", "quantity", "cause", "thread", "claim", "occurred_at", "cost_layer", "cost_currency"),
        )  # fmt: skip


async def write_balances(connection: Connection, settled: Settled) -> None:
    changed = [balance for balance in settled.balances.values() if balance.changed]
    if changed:
        for balance in changed:
            balance.version += 1
        await connection.execute(
            _UPDATE, [b.id for b in changed], [b.version for b in changed], [b.unit for b in changed],
            [b.shown for b in changed], [b.expires_on for b in changed], [b.sold_lately for b in changed], [b.sold_at for b in changed],
            [b.review_at for b in changed], *([b.buckets[bucket] for b in changed] for bucket in BUCKETS),
        )  # fmt: skip


async def write_used(connection: Connection, settled: Settled, decided: Container[str]) -> None:
    """What became of claims that were there before; `decided` are those of this round."""
    used = [held for held in settled.claims.values() if held.changed and held.id not in decided]
    if used:
        await claim_table.update(connection, used)
