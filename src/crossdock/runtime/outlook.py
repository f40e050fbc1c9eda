"""What replaying one thing would do, told before it is done: what exists already and is left alone, what is tried again, what is
read again. Judges only; `replaying.py` acts on the same judgement.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

import msgspec
from asyncpg.pgproto import pgproto

from crossdock.access.sealing import Unsealable
from crossdock.errors import Malformed, Misconfigured, Rejected, Unsupported
from crossdock.model.thread import hash16
from crossdock.processes.blocked import words
from crossdock.processes.catalogue import PROCESSES
from crossdock.processes.demand import in_unit
from crossdock.processes.intents import Do
from crossdock.processes.policy import Policy
from crossdock.runtime.batch import _recorded, load_thread
from crossdock.runtime.correcting import PROCESS_FAULTS, REPLACED
from crossdock.runtime.hub import Hub
from crossdock.runtime.intake import Intake, Kept
from crossdock.runtime.reading_again import trouble_of, understand
from crossdock.store import messages, replays
from crossdock.store.effects import State, effect_id
from crossdock.store.items import Items
from crossdock.store.log import EVENT_COLUMNS, Item
from crossdock.store.pool import Connection
from crossdock.store.replays import Picked

Fold = Callable[[Sequence[Any], Policy], Mapping[int, tuple[str, ...]]]
"""Events of a thread, newest first → the effects that each led to."""
ENDING: Final = ("order", "shipment", "inbound", "transfer", "return")
"""Kinds of threads that come to an end; others merely stand as they are."""
_TYPE: Final = EVENT_COLUMNS.index("type")
_DATA: Final = EVENT_COLUMNS.index("data")
CASE_NEEDED: Final = "nothing of it can be replayed: its case says what a person must settle"


@dataclass(slots=True)
class Outlook:
    """`does` and `leaves` are sentences; nothing is done where `does` is empty. `calls` by account are those known now."""

    picked: Picked
    does: list[str] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    failed: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    retry: list[str] = field(default_factory=list)
    """Effects to be tried again."""
    resume: bool = False
    book_again: bool = False
    take: Item | None = None
    """What a message gives today that stands nowhere yet."""
    settles: tuple[str, ...] | None = None
    """Threads that a message which nobody could read gives now."""

    @property
    def said(self) -> str:
        return self.failed or "; ".join(dict.fromkeys((*self.does, *self.leaves)))


@dataclass(frozen=True, slots=True)
class Judge:
    """One per process. `fold` asks the processes again which event led to which effects."""

    hub: Hub
    intake: Intake
    fold: Fold

    async def look(self, connection: Connection, picked: Picked) -> Outlook:
        out = Outlook(picked)
        try:
            match picked.what:
                case "message":
                    await self._message(connection, out)
                case "event":
                    await self._event(connection, out)
                case "effect":
                    await self._effects(connection, out, [UUID(picked.ref)])
                case "thread":
                    await self._thread(connection, out)
                case "move":
                    await self._move(connection, out)
        except Unsealable as error:
            out.failed = f"it cannot be opened any more: {error}"
        return out

    async def _thread(self, connection: Connection, out: Outlook) -> None:
        row = await replays.thread(connection, out.picked.thread)
        if row is None or row["parked"] is None:
            out.leaves.append(
                CASE_NEEDED if row is not None and not row["done"] else "it is not parked any more"
            )
            return
        out.resume = True
        out.does.append(f"lets the thread go on, in the order its events came (parked: {row['parked']})")

    async def _move(self, connection: Connection, out: Outlook) -> None:
        """Whether what was told comes out even in the units that its item has now."""
        hashed = hash16(out.picked.thread)
        row = await replays.thread(connection, out.picked.thread)
        state = load_thread(hashed, out.picked.thread, row).state
        waiting = [x for x in getattr(state, "unbooked", ()) if x.cause == out.picked.ref]
        if not waiting:
            out.leaves.append("it is booked already")
        items = Items()
        await items.read(connection, {x.place.item for x in waiting})
        for kept in waiting:
            item = items.known[kept.place.item]
            try:
                booked = in_unit(item, kept.quantity, item.base_unit, "/quantity")
            except Rejected as error:
                out.failed = (
                    f"{kept.quantity} of {kept.place.item} stay as they are: the quantity {error.reason}"
                )
                return
            out.book_again = True
            out.does.append(f"books {kept.quantity} of {kept.place.item} as {booked}")

    async def _effects(self, connection: Connection, out: Outlook, ids: Sequence[UUID]) -> None:
        """By the journal's own word."""
        found = {row["id"]: row for row in await replays.effects(connection, ids)}
        for id_ in dict.fromkeys(ids):
            row = found.get(id_)
            if row is None:
                out.leaves.append("an effect of it was never asked for: its process did not want it then")
            elif row["state"] in (State.REFUSED, State.UNCLEAR):
                self._again(out, row)
            else:
                out.leaves.append(_stands(row))

    def _again(self, out: Outlook, row: Any) -> None:
        first = "looks first, then asks" if row["state"] == State.UNCLEAR else "asks"
        out.does.append(
            f"{first} {row['account']} again for {words(row['kind'])} of {row['object']}: the same effect, a new attempt"
        )
        out.retry.append(str(row["id"]))
        out.calls[row["account"]] += 1 + (row["state"] == State.UNCLEAR)

    async def _event(self, connection: Connection, out: Outlook) -> None:
        segment, p, generation, xid, id_ = map(int, out.picked.ref.split("-"))
        event = await replays.event(connection, (segment, p, generation, xid, id_))
        if event is None:
            out.failed = "it is no longer kept"
            return
        row = await replays.thread(connection, event["thread_key"])
        if row is not None and row["parked"] is not None:
            out.resume = True
            out.does.append(f"lets its parked thread go on, in the order the events came ({row['parked']})")
            return
        if event["message"] is not None:
            await self._read_otherwise(connection, out, event)
        history = await replays.history(connection, event["thread"], row["first_segment"]) if row else []
        if len(history) == replays.HISTORY_MAX:
            out.leaves.append(
                f"its thread has {len(history)} events or more: which effects it led to is not judged"
            )
            return
        led_to = self.fold(history[::-1], self.hub.policy).get(event["id"], ())
        ids = [UUID(x) for x in led_to] + ([event["effect"]] if event["effect"] else [])
        await self._effects(connection, out, ids)
        kind = event["thread_key"].partition("/")[0]
        if row is not None and row["done"] and kind in ENDING:
            out.leaves.insert(0, f"the {kind} is {row['phase']}: the world moved on")
        if not out.does and not ids:
            out.leaves.append("it was taken in and led to nothing that a system was asked for")

    async def _read_otherwise(self, connection: Connection, out: Outlook, event: Any) -> None:
        """An event stands in the log already: it is taken in anew only where today's mapping makes something else of it."""
        message = await messages.find(connection, event["message"], self.hub.key)
        if message is None:
            out.leaves.append("its message is no longer kept")
            return
        system = self.hub.system(message.system)
        if system is None or message.channel not in self.hub.manifest(message.system).inbound:
            out.leaves.append("it was told in our own words, no mapping reads it: a duplicate")
            return
        try:
            item, threads = self._item(message, again=True)
        except (Malformed, Rejected, Unsupported, Misconfigured) as error:
            out.leaves.append(f"today's mapping cannot read it again: {error}")
            return
        except PROCESS_FAULTS as error:
            out.failed = f"its connector has a fault: {type(error).__name__}: {error}"
            return
        told = await replays.of_message(connection, message.id, event["recorded_at"])
        _without(item, {(x["type"], x["data"]) for x in told})
        if not item.rows:
            out.leaves.append("today's mapping reads it as it did then: a duplicate")
        elif others := {row[_TYPE] for row in item.rows} - REPLACED:
            named = ", ".join(sorted(others))
            out.leaves.append(
                f"today's mapping reads it otherwise, but another {named} would count beside the first"
            )
        elif await self._follow(connection, out, item):
            out.take = item
            out.does.append(
                f"is taken in as another version: today's mapping reads it otherwise ({', '.join(threads)} judges it)"
            )

    async def _message(self, connection: Connection, out: Outlook) -> None:
        """One that no mapping could read when it came."""
        message = await messages.find(connection, UUID(out.picked.ref), self.hub.key)
        row = await replays.thread(connection, out.picked.thread)
        if message is None:
            out.failed = "it is no longer kept"
        elif row is not None and row["done"]:
            out.leaves.append(f"it was settled before: {row['phase']}")
        else:
            await self._read_now(connection, out, message)

    async def _read_now(self, connection: Connection, out: Outlook, message: messages.Message) -> None:
        try:
            item, threads = self._item(message)
        except (Malformed, Rejected, Unsupported, Misconfigured) as error:
            where, what = trouble_of(error) if not isinstance(error, Misconfigured) else ("", str(error))
            out.failed = f"today's mapping cannot read it either{' at ' + where if where else ''}: {what}"
            return
        except PROCESS_FAULTS as error:
            out.failed = f"its connector has a fault: {type(error).__name__}: {error}"
            return
        out.take, out.settles = item, threads
        out.does.append(
            f"is read with today's mapping{': gives ' + ', '.join(threads) if threads else ': nothing follows from it'}"
        )
        await self._follow(connection, out, item)

    def _item(self, message: messages.Message, *, again: bool = False) -> tuple[Item, tuple[str, ...]]:
        """Under the very id under which its sender told it, so that nothing counts twice. What is read `again` comes last."""
        found = understand(self.hub, self.intake, message)
        events = [msgspec.structs.replace(e, sequence=None) if again else e for e in found.events]
        content = found.content or blake2b(message.body, digest_size=16).digest()
        kept = Kept(pgproto.UUID(message.id.bytes), content, ((), ()))
        item = self.intake.item(
            found.source, found.source_id, events, content=content, days=found.days, kept=kept
        )
        item.message = None  # it stands there since it came
        return item, tuple(dict.fromkeys(event.thread for event in found.events))

    async def _follow(self, connection: Connection, out: Outlook, item: Item) -> bool:
        """What its threads would ask for at once, of which whatever was asked for before is left alone. False: nothing changes."""
        ids: dict[UUID, Do] = {}
        news = False
        for row in item.rows:
            event = _recorded(
                {**dict(zip(EVENT_COLUMNS, row, strict=True)), "recorded_at": datetime.now(UTC)}
            )
            stored = await replays.thread(connection, event.thread)
            thread = load_thread(hash16(event.thread), event.thread, stored)
            try:
                step = PROCESSES[thread.kind].step(thread.state, event, self.hub.policy)
            except PROCESS_FAULTS as error:
                out.leaves.append(f"{event.thread} would be parked: {type(error).__name__}: {error}")
                continue
            if step.verdict in ("duplicate", "stale", "ignored"):
                out.leaves.append(f"{event.thread}: {step.verdict}, it changes nothing there any more")
                continue
            news = True
            for do in step.intents:
                if isinstance(do, Do):
                    ids[effect_id(event.thread, do.kind, do.object, do.generation, do.account)] = do
        standing = {row["id"]: row for row in await replays.effects(connection, list(ids))}
        out.leaves += [_stands(row) for row in standing.values()]
        out.calls.update(do.account for id_, do in ids.items() if id_ not in standing)
        return news


def _without(item: Item, told: set[tuple[str, bytes]]) -> None:
    """Leave out the events that were told just so, and mark the rest by what it says."""
    kept = [place for place, row in enumerate(item.rows) if (row[_TYPE], row[_DATA]) not in told]
    item.personal = [
        (kept.index(place), subject, plain) for place, subject, plain in item.personal if place in kept
    ]
    item.rows = [item.rows[place] for place in kept]
    item.content = blake2b(b"".join(row[_DATA] for row in item.rows), digest_size=16).digest()


def _stands(row: Any) -> str:
    """Why an effect is left alone, from the journal."""
    what = f"{row['account']}: {words(row['kind'])} of {row['object']}"
    match row["state"]:
        case State.DONE:
            document = f", document {row['document']}" if row["document"] else ""
            return (
                f"{what} was done{document}, {row['settled_at']:%Y-%m-%d %H:%M} UTC"
                if row["settled_at"]
                else f"{what} was done{document}"
            )
        case State.WITHDRAWN:
            return f"{what} was taken back{_because(row['reason'])}"
        case State.SUPERSEDED:
            return f"{what} was replaced by a newer one"
        case State.REFUSED | State.UNCLEAR:
            return f"{what} waits for a person: its case can be retried"
        case _:
            return f"{what} is under way already"


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def picked_text(out: Outlook) -> dict[str, Any]:
    """An outlook as JSON."""
    return msgspec.structs.asdict(out.picked) | {
        "verdict": "failed" if out.failed else "done" if out.does else "skipped", "does": out.does, "leaves": out.leaves,
        "failed": out.failed, "calls": dict(out.calls),
    }  # fmt: skip
