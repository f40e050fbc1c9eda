"""What people do with cases. A change names the revision that it was decided on, and stands in the case's history."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from crossdock.store.access import note_action
from crossdock.store.pool import Connection

TAGS_MAX = 20
WATCHERS_MAX = 50


class Stale(Exception):
    """Somebody else changed the case meanwhile."""


class Blocking(Exception):
    """The case still blocks `what`: closing it would hide that."""

    def __init__(self, what: Sequence[str]) -> None:
        super().__init__(", ".join(what))
        self.what = tuple(what)


class Assign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`owner` is a role, `assignee` a person ("" for nobody); what is not given stays."""

    owner: str | None = None
    assignee: str | None = None
    reason: str = ""


class Comment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str


class Snooze(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Out of the open list until then, or until the cause comes again; without an instant it is back at once."""

    until: datetime | None = None
    reason: str = ""


class Tag(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class Watch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whoever asks watches, or does so no more; or somebody else does: a person of the landscape, or an e-mail address."""

    on: bool = True
    who: str = ""


class Resolve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: str


Act = Assign | Comment | Snooze | Tag | Watch | Resolve


async def read(connection: Connection, number: int) -> Any:
    """The row, or None."""
    return await connection.fetchrow("select * from cases where id = $1", number)


async def act(connection: Connection, number: int, revision: int | None, who: str, wish: Act) -> bool:
    """False where there is no such case. Raises `Stale`, or `Blocking` where it cannot be closed."""
    async with connection.transaction():
        row = await connection.fetchrow("select * from cases where id = $1 for update", number)
        if row is None:
            return False
        if revision is not None and row["revision"] != revision:
            raise Stale
        said = await _carry_out(connection, row, who, wish)
        await connection.execute("update cases set revision = revision + 1 where id = $1", number)
        await note(connection, number, who, type(wish).__name__.lower(), said)
        await note_action(connection, who, type(wish).__name__.lower(), f"case C-{number}", said)
    return True


async def note(connection: Connection, number: int, who: str, action: str, text: str) -> None:
    """A line of the case's history."""
    await connection.execute(
        "insert into case_note (case_id, who, action, note) values ($1, $2, $3, $4)",
        number,
        who,
        action,
        text[:2000],
    )


async def _carry_out(connection: Connection, row: Any, who: str, wish: Act) -> str:
    """What the history says of it."""
    match wish:
        case Assign():
            return await _assign(connection, row, wish)
        case Comment(text=text):
            return text
        case Snooze(until=until, reason=reason):
            await connection.execute("update cases set snoozed_until = $2 where id = $1", row["id"], until)
            when = f"until {until:%Y-%m-%d %H:%M} UTC" if until else "no longer"
            return f"{when}{': ' if reason else ''}{reason}"
        case Tag(add=add, remove=remove):
            tags = sorted({*row["tags"], *add} - {*remove})[:TAGS_MAX]
            await connection.execute("update cases set tags = $2 where id = $1", row["id"], tags)
            return " ".join([*(f"+{x}" for x in add), *(f"-{x}" for x in remove)])
        case Watch(on=on, who=whom):
            others = {*row["watchers"]} - {whom or who}
            watchers = sorted({*others, whom or who} if on else others)[:WATCHERS_MAX]
            await connection.execute("update cases set watchers = $2 where id = $1", row["id"], watchers)
            said = "watches" if on else "watches no more"
            return f"{whom} {said}" if whom else said
        case Resolve(reason=reason):
            await _resolve(connection, row, reason, who)
            return reason


async def _assign(connection: Connection, row: Any, wish: Assign) -> str:
    owner = row["owner"] if wish.owner is None else wish.owner
    assignee = row["assignee"] if wish.assignee is None else wish.assignee or None
    await connection.execute(
        "update cases set owner = $2, assignee = $3 where id = $1", row["id"], owner, assignee
    )
    said = f"to {assignee} ({owner})" if assignee else f"to {owner}"
    return f"{said}{': ' if wish.reason else ''}{wish.reason}"


async def _resolve(connection: Connection, row: Any, reason: str, who: str) -> None:
    if row["state"] != "open":
        return
    links = await connection.fetch(
        "select l.thread_key, l.key, e.kind, e.account, e.state, t.parked, t.done from case_link l"
        " left join effect e on e.id = case when l.key ~ '^[0-9a-f-]{36}$' then l.key::uuid end"
        " left join thread_state t on t.thread = l.thread"
        " where l.case_id = $1 and l.closed_at is null order by l.opened_at limit 1000",
        row["id"],
    )
    still = [said for link in links if (said := blocks(link))]
    if still:
        raise Blocking(still)
    await connection.execute(
        "update case_link set closed_at = clock_timestamp() where case_id = $1 and closed_at is null",
        row["id"],
    )
    await connection.execute(
        "update cases set state = 'closed', closed_at = clock_timestamp(), closed_because = $2 where id = $1",
        row["id"], f"{who}: {reason}"[:500],
    )  # fmt: skip


def blocks(link: Any) -> str:
    """What a link keeps from going on, in words; empty where it is a mere notice."""
    if link["state"] in (5, 6):
        return f"{link['kind']} at {link['account']} for {link['thread_key']}"
    if link["key"] == "parked" and link["parked"]:
        return f"{link['thread_key']}, whose events wait"
    if (link["key"] == "hold" or link["key"].startswith("hold/")) and not link["done"]:
        return f"{link['thread_key']}, which is held"
    return ""


async def visited(connection: Connection, who: str, up_to: int) -> None:
    """They have read what happened to their cases up to this line; it never goes back."""
    await connection.execute(
        "insert into case_visit as v (who, note) select $1, max(id) from case_note where id <= $2 having max(id) is not null"
        " on conflict (who) do update set note = greatest(v.note, excluded.note), at = clock_timestamp()",
        who, up_to,
    )  # fmt: skip
