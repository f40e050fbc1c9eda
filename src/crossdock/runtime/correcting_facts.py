"""Corrections of canonical events, and of entries of code lists: judged by the registry and by the thread's own process."""

from typing import Any, Final
from uuid import UUID

import msgspec

from crossdock.connect.changes import exact
from crossdock.connect.reading import pointer
from crossdock.errors import Conflict, Rejected
from crossdock.model.envelope import HUB, NewEvent
from crossdock.model.master import CodeListPublished
from crossdock.model.registry import EVENTS, decode
from crossdock.processes.master import State
from crossdock.runtime.correcting import Draft, Edit, Unknown, lawful, of_message
from crossdock.runtime.hub import Hub
from crossdock.runtime.intake import Intake
from crossdock.runtime.reading_again import Understood
from crossdock.store import corrections as table
from crossdock.store import messages, replays
from crossdock.store.pool import Connection

OPERATOR: Final = "operator/correction"
"""The source of a corrected code: a person, whose word counts where no system's does."""
_REF_PARTS: Final = 5
_state = msgspec.msgpack.Decoder(State).decode


async def event_row(connection: Connection, ref: str) -> Any:
    """An event that somebody told. Raises `Unknown`, or `Conflict` where it only followed from another."""
    parts = [int(x) for x in ref.split("-") if x.isdecimal()]
    found = await replays.event(connection, parts) if len(parts) == _REF_PARTS else None
    if found is None:
        raise Unknown(f"{ref} is no event's reference, or it is no longer kept")
    if found["source"] == HUB or found["effect"] is not None or found["type"] not in EVENTS:
        raise Conflict("it only followed from something else: correct what it followed from")
    return found


async def of_event(connection: Connection, hub: Hub, intake: Intake, ref: str, edit: Edit) -> Draft:
    """Other data for an event, as another version of it. People stay as they are: they are corrected in their message."""
    found = await event_row(connection, ref)
    type_, source = found["type"], found["source"]
    corrected = edit.made(found["data"])
    exact(corrected)
    try:
        data: Any = decode(type_, corrected)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        raise Rejected(pointer(path.rstrip("`")) if path else "/", text) from None
    if getattr(data, "people", None) is not None or getattr(data, "subject", None):
        raise Rejected("/people", "people are corrected in the message that named them")
    event = NewEvent(
        thread=found["thread_key"], data=data, id=found["event_id"], occurred_at=found["occurred_at"]
    )
    people = (found["sealed"], found["subject"]) if found["sealed"] is not None else None
    return Draft(
        kind="event", target=ref, thread_key=found["thread_key"], system=source, channel=type_, original=found["data"],
        corrected=corrected, headers={}, was_read=True, people=people,
        understood=Understood(source=source, source_id=found["event_id"], events=(event,)),
    )  # fmt: skip


async def of_code(connection: Connection, hub: Hub, intake: Intake, target: str, edit: Edit) -> Draft:
    """Another meaning for one entry of a code list that is the hub's own: its next version."""
    name, _, entry = target.partition("/")
    row = await replays.thread(connection, f"codelist/{name}")
    state = _state(row["state"]) if row is not None and row["kind"] == "codelist" else None
    if state is None or not state.record:
        raise Unknown(f"nobody published a code list {name}")
    authority = hub.policy.master_authority.get("codelist", "")
    if authority:
        raise Conflict(
            f"code lists are {authority}'s part: correct {name} there, its next version counts here"
        )
    stands = msgspec.json.decode(state.record, type=CodeListPublished)
    if entry not in stands.entries:
        raise Unknown(f"{name} has no entry {entry}")
    original = msgspec.json.encode({entry: stands.entries[entry]})
    corrected = edit.made(original)
    try:
        values = msgspec.json.decode(corrected, type=dict[str, str])
    except msgspec.ValidationError as error:
        raise Rejected(f"/{entry}", str(error)) from None
    if set(values) != {entry}:
        raise Rejected("/", f"one entry at a time: {entry}")
    if values[entry] == stands.entries[entry]:
        raise Conflict(f"{entry} means {values[entry]} already")
    version = stands.version + 1
    data = CodeListPublished(name, version, stands.entries | values)
    event = NewEvent(thread=f"codelist/{name}", data=data, id=f"{name}/{version}")
    return Draft(
        kind="code", target=target, thread_key=event.thread, system=name, channel="codelist", original=original,
        corrected=corrected, headers={}, was_read=False, understood=Understood(source=OPERATOR, source_id=event.id, events=(event,)),
    )  # fmt: skip


_OF: Final = {"message": of_message, "event": of_event, "code": of_code}


async def proposed(
    connection: Connection, hub: Hub, intake: Intake, about: tuple[table.Kind, str], edit: Edit
) -> Draft:
    """`about`: kind and target. Judged as it would be taken in today; raises what its kind's function and `lawful` do."""
    kind, target = about
    return await lawful(connection, hub, intake, await _OF[kind](connection, hub, intake, target, edit))


async def again(connection: Connection, hub: Hub, intake: Intake, made: table.Correction) -> Draft:
    """The draft of a correction, judged anew while it waits; what was decided stays as it is."""
    kept = await messages.find(connection, UUID(str(made.content)), hub.key)
    if kept is None:
        raise Unknown(f"the body of correction K-{made.id} is no longer kept")
    edit = Edit(content=kept.body)
    if made.state in ("proposed", "approved"):
        return await proposed(connection, hub, intake, (made.kind, made.target), edit)
    return await _OF[made.kind](connection, hub, intake, made.target, edit)
