"""Corrections: what is proposed, judged as if it had just come, and taken in once it is approved. The original stays as it came."""

from collections.abc import Mapping
from dataclasses import dataclass
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
from crossdock.model.thread import thread_key
from crossdock.runtime.hub import Hub
from crossdock.runtime.intake import Intake, Kept, Raw
from crossdock.runtime.reading_again import Understood, understand
from crossdock.runtime.reception import ORIGIN, RULES
from crossdock.store import corrections as table
from crossdock.store import messages
from crossdock.store.log import Item
from crossdock.store.pool import Connection

OUTCOME: Final = "correction"
"""The outcome of the message that holds a corrected body."""
HIDDEN: Final = "•••"


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


async def again(connection: Connection, hub: Hub, intake: Intake, made: table.Correction) -> Draft:
    """The draft of a correction that waits, judged anew. Raises as the kind's own function does."""
    kept = await messages.find(connection, made.content, hub.key)
    if kept is None:
        raise Unknown(f"the body of correction K-{made.id} is no longer kept")
    return await of_message(connection, hub, intake, made.target, Edit(content=kept.body))


def items(intake: Intake, draft: Draft, made: table.Correction) -> list[Item]:
    """What is taken in, once however often it is tried: its source id is the correction's own."""
    mark = f"~K{made.id}"
    understood = draft.understood
    events = tuple(_corrected(event, mark, draft) for event in understood.events)
    content = made.content.bytes
    taken = intake.item(
        understood.source, understood.source_id + mark, events, content=content, days=understood.days,
        kept=Kept(pgproto.UUID(made.content.bytes), content, ((), ())),
    )  # fmt: skip
    taken.message = None  # it stands there since it was proposed
    if draft.thread_key != thread_key("message", draft.target):
        return [taken]
    said = MessageCorrected(made.id, made.decided_by or made.proposed_by, made.reason, tuple(draft.threads))
    told = NewEvent(thread=draft.thread_key, data=said, id=f"K{made.id}")
    return [taken, intake.item(f"operator/{made.proposed_key}", told.id, (told,), content=content)]


def _corrected(event: NewEvent, mark: str, draft: Draft) -> NewEvent:
    """Under an id of its own. Another version of what counted already has no place in its sender's order: it comes last."""
    id_ = event.id + mark if event.id else ""
    sequence = None if draft.was_read else event.sequence
    return msgspec.structs.replace(event, id=id_, sequence=sequence)


Trouble = Malformed | Rejected | Unsupported
