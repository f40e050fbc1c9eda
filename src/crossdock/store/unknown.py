"""What people decide about effects whose outcome is unknown: look again, it was done, send it once more, give it up.

Each decision locks the effect, counts only while nobody knows better, and is told to the thread in the same transaction.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec

from crossdock.model.operations import EffectDecided
from crossdock.model.registry import TYPE_OF, encode
from crossdock.store.access import note_action
from crossdock.store.effects import State
from crossdock.store.log import append_rows, event_row
from crossdock.store.pool import Connection
from crossdock.store.segments import current_segment

UNKNOWN = (State.OUTCOME_UNKNOWN, State.UNCLEAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who decides: the key, its name, and why."""

    key: str
    name: str
    reason: str


class Settled(Exception):
    """It is known by now; the state says what became of it."""

    def __init__(self, state: int) -> None:
        super().__init__(State(state).name.lower().replace("_", " "))
        self.state = State(state)


class SamePerson(Exception):
    """Whoever asked for it cannot be the one who confirms it."""


async def find(connection: Connection, effect: UUID) -> Any:
    """The journal's row, or None."""
    return await connection.fetchrow(
        "select id, kind, account, object, lane, state, thread_key from effect where id = $1", effect
    )


async def _locked(connection: Connection, effect: UUID, *allowed: State) -> Any:
    row = await connection.fetchrow("select * from effect where id = $1 for update", effect)
    assert row is not None
    if row["state"] not in allowed:
        raise Settled(row["state"])
    return row


async def look_again(connection: Connection, effect: UUID, who: Person) -> None:
    """As soon as delivery comes to it. A new xid shows it to delivery."""
    async with connection.transaction():
        row = await _locked(connection, effect, *UNKNOWN)
        await connection.execute(
            "update effect set state = 3, next_at = null, xid = pg_current_xact_id() where id = $1", effect
        )
        await _free_lane(connection, row)
        await note_action(connection, who.name, "look up again", _named(row), who.reason)


async def mark_posted(
    connection: Connection, effect: UUID, who: Person, document: str, receipt: msgspec.Struct | None
) -> None:
    """It was done, says a person who looked: as if the target had answered so."""
    async with connection.transaction():
        row = await _locked(connection, effect, *UNKNOWN)
        await connection.execute(
            "update effect set state = 10, document = $2, settled_at = clock_timestamp(), next_at = null, reason = null where id = $1",
            effect, document[:200],
        )  # fmt: skip
        await _free_lane(connection, row)
        await _tell(connection, row, who, _decided(row, who, "posted", document=document), receipt)


async def post_now(connection: Connection, effect: UUID, who: Person, *, two_people: bool) -> bool:
    """Send it again though nobody can tell. False: it was asked for, and somebody else must confirm it."""
    async with connection.transaction():
        row = await _locked(connection, effect, *UNKNOWN)
        asked = await connection.fetchrow("select * from post_request where effect = $1", effect)
        if two_people and asked is None:
            await connection.execute(
                "insert into post_request (effect, key_id, who, reason) values ($1, $2, $3, $4)",
                effect, who.key, who.name, who.reason,
            )  # fmt: skip
            await note_action(connection, who.name, "ask to post now", _named(row), who.reason)
            return False
        if two_people and asked is not None and (asked["key_id"] == who.key or asked["who"] == who.name):
            raise SamePerson
        await connection.execute(
            "update effect set state = 2, next_at = null, reason = null, xid = pg_current_xact_id() where id = $1",
            effect,
        )
        await _free_lane(connection, row)
        asker = asked["who"] if asked else ""
        await _tell(connection, row, who, _decided(row, who, "sent again", asked_by=asker))
        return True


async def give_up(connection: Connection, effect: UUID, who: Person) -> None:
    """Nobody asks for it any more, whether it was refused or nobody can tell."""
    async with connection.transaction():
        row = await _locked(connection, effect, State.REFUSED, *UNKNOWN)
        await connection.execute(
            "update effect set state = 11, settled_at = clock_timestamp(), next_at = null, reason = $2 where id = $1",
            effect, f"given up by {who.name}: {who.reason}"[:500],
        )  # fmt: skip
        await _free_lane(connection, row)
        await _tell(connection, row, who, _decided(row, who, "given up"))


async def _free_lane(connection: Connection, row: Any) -> None:
    await connection.execute(
        "delete from lane where account = $1 and lane = $2 and effect = $3",
        row["account"],
        row["lane"],
        row["id"],
    )


def _decided(
    row: Any, who: Person, decision: Any, *, document: str = "", asked_by: str = ""
) -> EffectDecided:
    effect, kind, account = str(row["id"]), row["kind"], row["account"]
    return EffectDecided(effect, kind, account, decision, who.name, who.reason, document, asked_by)


async def _tell(
    connection: Connection, row: Any, who: Person, data: EffectDecided, receipt: msgspec.Struct | None = None
) -> None:
    """The thread hears what was decided, and of what was done the receipt that the target would have brought."""
    effect, segment, now = row["id"], current_segment(), datetime.now(UTC)
    generation = await connection.fetchval("select generation from hub")
    await connection.execute("delete from post_request where effect = $1", effect)
    told = [
        event_row(
            segment=segment, generation=generation, thread=row["thread_key"], type_=TYPE_OF[type(data)],
            event_id=uuid4().hex, source=f"operator/{who.key}", occurred_at=now, data=encode(data), about=row["object"],
        )
    ]  # fmt: skip
    if receipt is not None:
        told.append(
            event_row(
                segment=segment, generation=generation, thread=row["thread_key"], type_=TYPE_OF[type(receipt)],
                event_id=f"{effect}/receipt", source=row["account"], occurred_at=now, data=encode(receipt),
                about=row["object"], effect=effect,
            )
        )  # fmt: skip
    await append_rows(connection, told, segment)
    more = {"document": data.document, "asked_by": data.asked_by}
    await note_action(connection, who.name, data.decision, _named(row), who.reason, **more)


def _named(row: Any) -> str:
    return f"effect {row['id']}"
