"""Writing one batch: a single transaction, locks in one order, balances last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec

from crossdock.model.operations import EffectRefused, TimerFired
from crossdock.model.stock import ClaimGranted, ClaimRefused, ClaimTakenOver
from crossdock.model.thread import hash16, stock_thread
from crossdock.processes.clocks import TIMER
from crossdock.processes.demand import taken_apart
from crossdock.processes.intents import Claim, CloseCase, Move, OpenCase
from crossdock.processes.routing import below_zero
from crossdock.runtime.as_booked import apart, as_booked
from crossdock.runtime.availability import Showcase
from crossdock.runtime.batch import Batch, Output, Wanted
from crossdock.runtime.journal import Journal
from crossdock.runtime.units import booked_in
from crossdock.store import batch as table
from crossdock.store import cases, claims, effects, log, stock
from crossdock.store.items import Items

replace = msgspec.structs.replace
EFFECT_KEY_LENGTH = 36
"""A case is linked to an effect by its id."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a batch stands on: the epochs it was read under, and how far the cursors go."""

    epochs: dict[int, int]
    moved: Sequence[tuple[int, int, int, int, int, int]]
    timers: Sequence[Any]
    segment: int
    lease_seconds: float
    showcase: Showcase
    items: Items


async def write(connection: asyncpg.Connection, batch: Batch, journal: Journal, frame: Frame) -> None:
    """All or nothing. Raises `Fenced` when a partition is no longer ours."""
    out = batch.out
    await journal.load_keys(connection, out.wanted)
    await _know_items(connection, out, frame.items)
    _take_kits_apart(out.wishes, frame.items)
    told, adjustments = apart(out.wanted)
    rendered = journal.render(told, batch)
    states = batch.finish()
    async with connection.transaction():
        await table.lock_epochs(connection, frame.epochs)
        moot = await _moot(connection, out)
        if out.cases:
            await cases.apply(connection, out.cases, batch.policy)
        await _timers(connection, batch, frame)
        await table.write_states(connection, states)
        if out.binds:
            await table.bind(connection, out.binds)
        if out.resumed:
            await table.unpark(connection, out.resumed)
        if out.parked:
            await table.park(connection, out.parked)
        if rendered:
            await _journal(connection, batch, rendered, frame.segment)
        await _take_back(connection, batch, journal, moot)
        if out.wishes or out.publish or adjustments:
            await _stock(connection, batch, journal, frame, adjustments)
        if out.events:
            await log.append_rows(connection, out.events, frame.segment)
        if frame.moved:
            await table.advance_cursors(connection, frame.moved, frame.segment, frame.lease_seconds)


async def _journal(
    connection: asyncpg.Connection, batch: Batch, rendered: Sequence[effects.NewEffect], segment: int
) -> None:
    await effects.journal(connection, rendered, segment)
    batch.out.accounts.update(e.account for e in rendered)


async def _timers(connection: asyncpg.Connection, batch: Batch, frame: Frame) -> None:
    if frame.timers:
        clocks = [t["thread"] for t in frame.timers if t["name"].startswith(TIMER)]
        await table.delete_timers(connection, [(t["thread"], t["name"]) for t in frame.timers])
        if clocks:
            await table.said_run_out(connection, clocks)
        for timer in frame.timers:
            cause = f"{timer['name']}@{timer['due_at'].isoformat()}"
            batch.append(timer["thread_key"], TimerFired(timer["name"]), cause=cause, place="timer")
    if batch.out.timers:
        await table.write_timers(connection, batch.out.timers)


async def _moot(connection: asyncpg.Connection, out: Output) -> list[UUID]:
    """Refused effects that their processes take back: their cases are closed. What has ended meanwhile opens none."""
    keys = [(n, x.key) for n, (_, _, x) in enumerate(out.cases) if isinstance(x, OpenCase)]
    named = {UUID(key): n for n, key in keys if len(key) == EFFECT_KEY_LENGTH}
    if named:
        ended = {named[x] for x in await effects.ended_among(connection, list(named))}
        out.cases = [x for n, x in enumerate(out.cases) if n not in ended]
    wanted = {
        effects.effect_id(key, w.kind, w.object, w.generation, ""): (key, w) for key, w in out.withdrawn
    }
    moot = await effects.refused_among(connection, list(wanted)) if wanted else []
    for effect in moot:
        key, w = wanted[effect]
        out.cases.append((hash16(key), key, CloseCase(str(effect), w.because)))
    return moot


async def _take_back(
    connection: asyncpg.Connection, batch: Batch, journal: Journal, moot: Sequence[UUID]
) -> None:
    if batch.out.withdrawn:
        ids = [effects.effect_id(key, w.kind, w.object, w.generation, "") for key, w in batch.out.withdrawn]
        await effects.withdraw(connection, ids, moot)
    if batch.out.retried:
        wanted = {UUID(effect): on for effect, on in batch.out.retried.items()}
        for row in await effects.unrendered(connection, list(wanted)):
            refused = await journal.render_again(connection, row)
            _still_refused(batch, row, refused, wanted)
        for row in await effects.refused_bodies(connection, [x for x, on in wanted.items() if on]):
            refused = await journal.redate(connection, row, wanted[row["id"]])
            _still_refused(batch, row, refused, wanted)
        batch.out.accounts.update(await effects.retry(connection, sorted(wanted)))


def _still_refused(
    batch: Batch, row: Any, refused: EffectRefused | None, wanted: dict[UUID, date | None]
) -> None:
    if refused is not None:
        del wanted[row["id"]]
        batch.append(row["thread_key"], refused, cause=f"{row['id']}/{uuid4()}", place="render")


async def _know_items(connection: asyncpg.Connection, out: Output, items: Items) -> None:
    """Units and components of everything that is claimed or moved, and of what channels are told of."""
    named = {item for item, _ in out.publish}
    for wish in out.wishes:
        if isinstance(wish.what, Claim):
            named.update(x.place.item for x in wish.what.lines)
        else:
            named.add(wish.what.place.item)
    items.forget(x.what.place.item for x in out.wishes if isinstance(x.what, Move) and x.what.cause)
    await items.read(connection, named)


def _take_kits_apart(wishes: Sequence[stock.Wish], items: Items) -> None:
    """Claims that are served as goods are sold ask for components from here on."""
    for wish in wishes:
        if isinstance(wish.what, Claim) and wish.what.as_sold:
            wish.what, wish.kits = taken_apart(wish.what, items.known)


async def _stock(
    connection: asyncpg.Connection,
    batch: Batch,
    journal: Journal,
    frame: Frame,
    adjustments: Sequence[Wanted],
) -> None:
    """The ledger's round: one lock, one decision, one write; answers, adjustments and availability follow from it."""
    out, segment = batch.out, frame.segment
    known = frame.items.known
    places: dict[stock.Key, str] = frame.showcase.homes(out.publish)
    for wish in out.wishes:
        if isinstance(wish.what, Claim):
            places |= stock.places_of(wish.what)
        else:
            places[stock.key_of(wish.what.place)] = wish.what.unit
    places = {key: known[key[0]].base_unit if key[0] in known else unit for key, unit in places.items()}
    held = await claims.lock(connection, stock.named_claims(out.wishes))
    await _bound_keeping(connection, out.wishes)
    near = {
        *frame.showcase.nodes(out.publish),
        *((x.key[0], x.key[1]) for c in held.values() for x in c.lines),
    }
    excepted = below_zero(batch.policy.routing)
    balances = await stock.lock_whole(connection, places, near, excepted)
    wishes, uneven, opened = booked_in(out.wishes, balances, known)
    for kept in uneven:
        thread = stock_thread(kept.place.location, kept.place.item)
        batch.append(thread, kept, cause=kept.cause, place=f"{kept.source}/{kept.target}/{batch.now}")
    settled = stock.settle(wishes, balances, segment, held)
    _tell_claims(batch, settled)
    told = as_booked(adjustments, wishes, settled.short)
    told += frame.showcase.told(out.publish, settled.balances, batch.now)
    if told:
        await _journal(connection, batch, journal.render(told, batch), segment)
    await stock.write(connection, settled, segment)
    opened += [_short_case(wish, missing) for wish, missing in settled.short]
    if opened:
        await cases.apply(connection, opened, batch.policy)


async def _bound_keeping(connection: asyncpg.Connection, wishes: Sequence[stock.Wish]) -> None:
    """Until when a checkout's claim is kept for its order, by the clock on which claims expire; asked only where one is named."""
    taking = [x for x in wishes if isinstance(x.what, Claim) and x.what.takes is not None]
    if not taking:
        return
    _, now = await claims.clock(connection)
    for wish in taking:
        assert isinstance(wish.what, Claim)
        takes = wish.what.takes
        assert takes is not None
        until = now + timedelta(seconds=takes.keep_seconds)
        wish.what = replace(wish.what, takes=replace(takes, keep_until=until))


def _tell_claims(batch: Batch, settled: stock.Settled) -> None:
    """Who asked hears what was decided; whose claim was taken over hears by whom."""
    for wish, served, missing in settled.granted:
        claim = wish.what.claim
        took = settled.took.get(claim)
        granted = ClaimGranted(claim, served, missing, wish.kits, took)
        batch.append(wish.thread_key, granted, cause=wish.cause, place=claim)
        if took is not None and took.outcome == "taken":
            told = ClaimTakenOver(took.claim, wish.thread_key, took.lines, took.released)
            batch.append(settled.claims[took.claim].thread_key, told, cause=wish.cause, place=claim)
    for wish, missing in settled.refused:
        assert isinstance(wish.what, Claim)
        claim = wish.what.claim
        refused = ClaimRefused(claim, missing, settled.took.get(claim))
        batch.append(wish.thread_key, refused, cause=wish.cause, place=claim)


def _short_case(wish: stock.Wish, missing: Any) -> cases.Change:
    assert not isinstance(wish.what, Claim)
    place = wish.what.place
    return (
        wish.thread, wish.thread_key,
        OpenCase(
            f"short/{place.item}/{place.location}/{wish.what.source}", "value", "stock difference",
            f"The ledger holds {missing} {wish.what.unit} less of {place.item} at {place.location} ({wish.what.source}) than was moved",
            "Count the item there, or find the movement that was not reported; the ledger kept what it had.", "warehouse", wish.cause,
        ),
    )  # fmt: skip
