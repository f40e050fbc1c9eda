"""Corrections: what is proposed, judged as if it had just come, and taken in once it is approved. The original stays as it came."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from asyncpg.pgproto import pgproto

from crossdock.access.sealing import subject_of
from crossdock.access.tokens import Identity
from crossdock.connect.changes import exact, is_json, merged, with_values, written
from crossdock.errors import Conflict, Malformed, Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.operations import MessageCorrected
from crossdock.model.thread import hash16, thread_key
from crossdock.processes.catalogue import PROCESSES
from crossdock.runtime.batch import _recorded, load_thread
from crossdock.runtime.hub import Hub
from crossdock.runtime.intake import Intake, Kept, Raw
from crossdock.runtime.reading_again import Understood, understand
from crossdock.runtime.reception import ORIGIN, RULES
from crossdock.store import corrections as table
from crossdock.store import messages, replays
from crossdock.store.log import EVENT_COLUMNS, Item, seal_row
from crossdock.store.pool import Connection

OUTCOME: Final = "correction"
"""The outcome of the message that holds a corrected body."""
HIDDEN: Final = "•••"
REPLACED: Final = frozenset({
    "order.received.v1", "inbound.expected.v1", "item.defined.v1", "customer.defined.v1", "location.defined.v1", "carrier.defined.v1",
    "codeList.published.v1",
})  # fmt: skip
"""Facts whose later version stands in place of the earlier one, by their processes' own rules."""
PROCESS_FAULTS: Final = (
    AssertionError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    StopIteration,
    ArithmeticError,
)


class Unknown(Exception):
    """There is no such thing to correct (any more)."""


class Edit(msgspec.Struct, frozen=True):
    """What shall stand there: the whole body, or values at JSON Pointers; with `shown`, the body was made from that text."""

    content: bytes | None = None
    set: Mapping[str, Any] = {}
    shown: str | None = None

    def made(self, original: bytes) -> bytes:
        """The corrected body. Raises `Malformed` or `Rejected`."""
        if self.set:
            return written(with_values(exact(original), self.set))
        if self.content is None:
            raise Rejected("/content", "say what shall stand there: `content`, or values by path in `set`")
        body = self.content
        if self.shown is not None and is_json(original) and is_json(body):
            body = written(merged(exact(original), exact(self.shown.encode()), exact(body), HIDDEN))
            if HIDDEN.encode() in body:
                raise Rejected(
                    "/", f"a hidden value ({HIDDEN}) was changed in part or moved: show personal data first"
                )
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A correction that would be accepted: what it is about, both bodies, and the events that would follow."""

    kind: table.Kind
    target: str
    thread_key: str
    system: str
    channel: str
    original: bytes
    corrected: bytes
    headers: Mapping[str, str]
    understood: Understood
    was_read: bool
    """What it corrects counted before: its events are another version, not the first."""
    people: tuple[bytes, bytes] | None = None
    """Of a corrected event: (sealed, data subject), carried over as they are."""

    @property
    def subject(self) -> str:
        return next((s for e in self.understood.events if (s := getattr(e.data, "subject", ""))), "")

    @property
    def threads(self) -> list[str]:
        return sorted({event.thread for event in self.understood.events})


async def of_message(connection: Connection, hub: Hub, intake: Intake, target: str, edit: Edit) -> Draft:
    """Raises `Unknown`, `Unsealable`, `Conflict`, and whatever its connector finds wrong."""
    found = await message(connection, hub, target)
    if found.outcome == OUTCOME:
        raise Conflict("this is a correction itself: correct the message that it corrects")
    corrected = edit.made(found.body)
    if corrected == found.body:
        raise Conflict("nothing was changed: a message that can be read by now is replayed, not corrected")
    understood = understand(hub, intake, msgspec.structs.replace(found, body=corrected))
    if not understood.events:
        raise Unsupported(f"a message from which nothing follows ({understood.ignored})")
    before = await table.newest(connection, state="applied", target=target, limit=1)
    was_read = found.was_read or bool(before)
    thread = understood.events[0].thread if found.was_read else thread_key("message", target)
    return Draft(
        kind="message", target=target, thread_key=thread, system=found.system, channel=found.channel,
        original=found.body, corrected=corrected, headers=found.headers, understood=understood, was_read=was_read,
    )  # fmt: skip


async def message(connection: Connection, hub: Hub, target: str) -> messages.Message:
    try:
        found = await messages.find(connection, UUID(target), hub.key)
    except ValueError:
        raise Unknown(f"{target} is no message's id") from None
    if found is None:
        raise Unknown(f"there is no message {target}, or it is no longer kept")
    return found


async def propose(
    connection: Connection, intake: Intake, draft: Draft, who: Identity, reason: str
) -> table.Correction:
    """Keep it beside the original. Raises `Conflict` where one waits already."""
    headers = {k: v for k, v in draft.headers.items() if k not in (ORIGIN, RULES)}
    own = {ORIGIN: f"correction of {draft.kind} {draft.target}", RULES: draft.understood.rules}
    raw = Raw(
        system=draft.system, channel=draft.channel, body=draft.corrected, outcome=OUTCOME,
        headers=headers | {name: value for name, value in own.items() if value}, unmapped=draft.understood.unmapped,
        subject=subject_of(draft.subject) if draft.subject else None,
    )  # fmt: skip
    kept = intake.keep(raw)
    wish = table.Wish(
        draft.kind,
        draft.target,
        draft.thread_key,
        draft.system,
        draft.channel,
        UUID(str(kept.message)),
        reason,
    )
    async with connection.transaction():
        await messages.keep(connection, kept.rows)
        return await table.propose(connection, wish, who)


def items(intake: Intake, draft: Draft, made: table.Correction) -> list[Item]:
    """What is taken in, once however often it is tried: its source id is the correction's own. Every story it touches says why."""
    by, threads = made.decided_by or made.proposed_by, draft.threads
    said = {thread: MessageCorrected(made.id, by, made.reason) for thread in threads}
    if draft.thread_key == thread_key("message", draft.target):
        said[draft.thread_key] = MessageCorrected(made.id, by, made.reason, tuple(threads))
    told = [NewEvent(thread=thread, data=data, id=f"K{made.id}/{thread}") for thread, data in said.items()]
    source, content = f"operator/{made.proposed_key}", made.content.bytes
    first = taken(intake, draft, f"~K{made.id}", made.content)
    return [first, *(intake.item(source, event.id, (event,), content=content) for event in told)]


def taken(intake: Intake, draft: Draft, mark: str, content: UUID) -> Item:
    """The corrected events, under ids of their own; `content` is the message that holds the corrected body."""
    understood = draft.understood
    events = tuple(_corrected(event, mark, draft) for event in understood.events)
    item = intake.item(
        understood.source, understood.source_id + mark, events, content=content.bytes, days=understood.days,
        kept=Kept(pgproto.UUID(content.bytes), content.bytes, ((), ())),
    )  # fmt: skip
    item.message = None  # it stands there since it was proposed
    if draft.people is not None:
        item.rows = [seal_row(row, *draft.people) for row in item.rows]
    return item


def _corrected(event: NewEvent, mark: str, draft: Draft) -> NewEvent:
    """Under an id of its own. Another version of what counted already has no place in its sender's order: it comes last."""
    id_ = event.id + mark if event.id else ""
    sequence = None if draft.was_read else event.sequence
    return msgspec.structs.replace(event, id=id_, sequence=sequence)


async def lawful(connection: Connection, hub: Hub, intake: Intake, draft: Draft) -> Draft:
    """The draft, where its threads can take another version of what they heard. Raises `Conflict` where they cannot."""
    if not draft.was_read:
        return draft
    for row in taken(intake, draft, "~K0", UUID(int=0)).rows:
        values = dict(zip(EVENT_COLUMNS, row, strict=True))
        type_, key = values["type"], values["thread_key"]
        if type_ not in REPLACED:
            raise Conflict(
                f"{type_} says that something happened: another version would count beside the first."
                " Tell the difference instead, by a fact of its own (stock.adjusted.v1, say)"
            )
        stored = await replays.thread(connection, key)
        thread = load_thread(hash16(key), key, stored)
        event = _recorded({**values, "recorded_at": datetime.now(UTC)})
        try:
            verdict = PROCESSES[thread.kind].step(thread.state, event, hub.policy).verdict
        except PROCESS_FAULTS as error:
            raise Conflict(f"{key} cannot take it: {type(error).__name__}: {error}") from None
        if verdict in ("duplicate", "stale", "ignored"):
            stands = (
                f"is {stored['phase']} and takes no other version"
                if verdict != "duplicate" and stored
                else "has it like this already"
            )
            raise Conflict(f"{key} {stands}")
    return draft


Trouble = Malformed | Rejected | Unsupported
