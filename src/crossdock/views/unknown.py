"""Effects that may or may not have been done: what was sent, when, how often, and what each look-up said."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from crossdock.model.money import Money
from crossdock.model.receipts import asked
from crossdock.processes.blocked import FINANCE, FORGOABLE
from crossdock.store.pool import Connection
from crossdock.views.names import Names
from crossdock.views.sql import blocks
from crossdock.views.story import link_of
from crossdock.views.story_material import decode_state
from crossdock.views.words import ask

PAGE_MAX: Final = 200


class Try(msgspec.Struct, frozen=True):
    """One send or look-up, and what came of it."""

    number: int
    purpose: str
    at: datetime
    outcome: str
    reason: str


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """`looking` while the hub still looks by itself; else a person must. `worth` is the order's, where it is an order's."""

    effect: str
    place: int
    kind: str
    wish: str
    account: str
    called: str
    object: str
    thread: str
    title: str
    worth: Money | None
    looking: bool
    since: datetime
    attempts: int
    next_at: datetime | None
    reason: str
    case: int | None
    asks: tuple[str, ...]
    """What marking it posted asks for besides the document."""
    two_people: bool
    forgoable: bool
    asked_by: str
    asked_because: str
    asked_at: datetime | None
    tries: list[Try]


async def read_unknown(
    connection: Connection,
    names: Names,
    receipts: Mapping[tuple[str, str], str],
    *,
    after: int = 0,
    limit: int = 100,
) -> list[Unknown]:
    """The oldest first; `receipts` as the manifests say; `after` is the last `place` of the page before."""
    sql = blocks("unknown.sql")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await connection.fetch(sql["unknown"], after, min(limit, PAGE_MAX))
        tries = await connection.fetch(
            sql["tries"], [row["id"] for row in rows], [row["segment"] for row in rows]
        )
        found = await connection.fetch(blocks("story.sql")["threads"], list({row["thread"] for row in rows}))
    of: dict[Any, list[Try]] = {}
    for x in tries:
        of.setdefault(x["effect"], []).append(
            Try(x["no"], x["purpose"], x["started_at"], x["outcome"] or "", names.plain(x["reason"] or ""))
        )
    threads = {row["thread"]: (row, decode_state(row)) for row in found}
    return [
        _told(
            row,
            of.get(row["id"], []),
            threads.get(row["thread"]),
            names,
            receipts.get((row["account"], row["kind"]), ""),
        )
        for row in rows
    ]


def _told(row: Any, tries: list[Try], thread: tuple[Any, Any] | None, names: Names, receipt: str) -> Unknown:
    title = link_of(*thread, names).title if thread else row["thread_key"]
    worth = getattr(thread[1], "total", None) if thread else None
    return Unknown(
        effect=str(row["id"]), place=row["seq"], kind=row["kind"], wish=ask(row["kind"]), account=row["account"],
        called=names.of(row["account"]), object=row["object"], thread=row["thread_key"], title=title, worth=worth,
        looking=row["state"] == 3, since=row["journaled_at"], attempts=row["attempts"], next_at=row["next_at"],
        reason=names.plain(row["reason"] or ""), case=row["case_id"], asks=asked(row["kind"], receipt) if receipt else (), two_people=row["kind"] in FINANCE,
        forgoable=row["kind"] in FORGOABLE, asked_by=row["asked_by"] or "", asked_because=row["asked_because"] or "",
        asked_at=row["asked_at"], tries=tries,
    )  # fmt: skip
