"""What a replay is about: things of the log that a condition, a thread or a case names. Nothing is judged here."""

from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import msgspec

from crossdock.condition import Condition, compile_condition
from crossdock.errors import Conflict
from crossdock.model.envelope import HUB
from crossdock.model.thread import kind_of
from crossdock.processes.stock import UNBOOKED
from crossdock.store import feed, replays
from crossdock.store.replays import Picked
from crossdock.store.segments import segment_at

SCANNED_MAX: Final = 500_000
ITEMS_MAX: Final = 10_000
PAGE: Final = 1000
_EFFECT_KEY: Final = 36
_ABOUT_EFFECTS: Final = ("effect.refused.v1", "effect.unclear.v1")


class Selection(msgspec.Struct, frozen=True, omit_defaults=True):
    """`where` sees events as `tail --where` does; `case` and `thread` narrow where it looks; times are when we heard."""

    where: str = ""
    case: int = 0
    thread: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        parts = (
            f"where {self.where}" if self.where else "", f"case C-{self.case}" if self.case else "",
            f"thread {self.thread}" if self.thread else "",
            f"since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else "",
            f"until {self.until:%Y-%m-%d %H:%M:%S} UTC" if self.until else "",
        )  # fmt: skip
        return ", ".join(part for part in parts if part)


async def pick(pool: asyncpg.Pool, wanted: Selection) -> list[Picked]:
    """In the log's order, each thing once. Raises `Misconfigured` for the condition, `Conflict` where it is too much."""
    matches = compile_condition(wanted.where, "where") if wanted.where else None
    found: dict[tuple[str, str], Picked] = {}
    if wanted.case:
        await _of_case(pool, wanted, found)
    elif wanted.thread:
        await _of_thread(pool, wanted, matches, found)
    else:
        await _of_log(pool, wanted, matches, found)
    return list(found.values())


async def _of_case(pool: asyncpg.Pool, wanted: Selection, found: dict[tuple[str, str], Picked]) -> None:
    async with pool.acquire() as connection:
        links = await replays.links(connection, wanted.case)
    for link in links:
        thread, key = link["thread_key"], link["key"]
        if len(key) == _EFFECT_KEY:
            found["effect", key] = Picked("effect", key, thread)
        elif key.startswith(UNBOOKED):
            found["move", key] = Picked("move", key.removeprefix(UNBOOKED), thread)
        elif kind_of(thread) == "message":
            found["message", thread] = Picked("message", thread.partition("/")[2], thread)
        else:
            found["thread", thread] = Picked("thread", thread, thread)


async def _of_thread(
    pool: asyncpg.Pool, wanted: Selection, matches: Condition | None, found: dict[tuple[str, str], Picked]
) -> None:
    """What it was told, and without a condition everything that it asked for."""
    key = wanted.thread
    async with pool.acquire() as connection:
        row = await replays.thread(connection, key)
        if row is None:
            return
        rows = await replays.history(connection, row["thread"], row["first_segment"])
        asked = await replays.effects_of(connection, row["thread"])
    if row["parked"] is not None:
        found["thread", key] = Picked("thread", key, key)
    _take(rows, wanted, matches, found)
    for effect in asked if matches is None else ():
        if _within(effect["journaled_at"], wanted):
            found["effect", str(effect["id"])] = Picked("effect", str(effect["id"]), key)


def _within(at: datetime, wanted: Selection) -> bool:
    return (wanted.since is None or at >= wanted.since) and (wanted.until is None or at <= wanted.until)


async def _of_log(
    pool: asyncpg.Pool, wanted: Selection, matches: Condition | None, found: dict[tuple[str, str], Picked]
) -> None:
    """Everything that stood in the log when this began, as far as `SCANNED_MAX`."""
    start = segment_at(wanted.since) if wanted.since else 0
    place, scanned, began = feed.Place(segment=start), 0, datetime.now(UTC)
    while True:
        async with pool.acquire() as connection:
            rows, place = await feed.read(connection, place, await feed.log_of(connection), PAGE)
        _take(rows, wanted, matches, found)
        scanned += len(rows)
        if not rows or rows[0]["recorded_at"] > (wanted.until or began):
            return
        if scanned > SCANNED_MAX:
            raise Conflict(f"more than {SCANNED_MAX} events to look through: say since and until")


def _take(
    rows: list[Any], wanted: Selection, matches: Condition | None, found: dict[tuple[str, str], Picked]
) -> None:
    for row in rows:
        if not _within(row["recorded_at"], wanted):
            continue
        if matches is not None and not matches(_seen(row)):
            continue
        picked = _picked(row)
        if picked is not None:
            found[picked.what, picked.ref] = picked
    if len(found) > ITEMS_MAX:
        raise Conflict(
            f"more than {ITEMS_MAX} things to replay: narrow it, or take it in parts by since and until"
        )


def _seen(row: Any) -> dict[str, Any]:
    return {
        "id": row["event_id"], "source": row["source"], "subject": row["thread_key"], "type": row["type"],
        "time": row["occurred_at"].isoformat(), "data": msgspec.json.decode(row["data"]),
    }  # fmt: skip


def _picked(row: Any) -> Picked | None:
    """None for what only followed from something else: its cause is what can be replayed."""
    thread = row["thread_key"]
    if row["type"] == "message.notTranslated.v1":
        return Picked("message", thread.partition("/")[2], thread)
    if row["type"] in _ABOUT_EFFECTS:
        return Picked("effect", msgspec.json.decode(row["data"])["effect"], thread)
    if row["source"] == HUB or row["source"].startswith("operator/") or row["effect"] is not None:
        return None
    return Picked("event", reference(row), thread)


def reference(row: Any) -> str:
    """As `GET /v1/lineage/{ref}` takes it."""
    return f"{row['segment']}-{row['p']}-{row['generation']}-{row['xid']}-{row['id']}"
