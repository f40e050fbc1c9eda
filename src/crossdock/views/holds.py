"""What is held: each hold in words, with what waits under it, since when, and which calls had begun before it."""

from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final, Literal

import msgspec

from crossdock.store import holds as table
from crossdock.store.effects import State
from crossdock.store.holds import Hold, Index
from crossdock.store.pool import Connection
from crossdock.views.names import Names
from crossdock.views.sql import blocks
from crossdock.views.story_shape import Said
from crossdock.views.words import ask

OPEN_EFFECTS_MAX: Final = 1_000
"""Per account; the oldest are among them. More are not counted one by one."""
ENDED_MAX: Final = 200

Doing = Literal["holding", "paused", "draining", "drained"]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One hold that counts now. `waiting` effects are counted among the oldest open ones of each account."""

    id: int
    mode: table.Mode
    scope: table.Scope
    name: str
    kind: str
    over: str
    """What it keeps, in words."""
    doing: Doing
    reason: str
    owner: str
    who: str
    placed_at: datetime
    until_at: datetime | None
    """On the business clock."""
    ends_at: datetime | None
    waiting: int
    capped: bool
    oldest: datetime | None
    """Since when the effect that waits longest has been wanted."""
    under_way: int
    """Calls it covers that are under way: they began before it, and end as they end."""
    still_to_go: int
    """Of a drain: effects that were journaled before it and are not settled."""
    version: int


class Ended(msgspec.Struct, frozen=True):
    """A hold that is over."""

    id: int
    mode: table.Mode
    scope: table.Scope
    name: str
    kind: str
    over: str
    reason: str
    owner: str
    who: str
    placed_at: datetime
    version: int
    ended_at: datetime
    ended_by: str
    """Empty: its time was up."""
    ended_because: str


async def read_holds(connection: Connection, names: Names, *, target: str = "") -> list[Held]:
    """All that count now, oldest first; with `target`, only what waits for that system is counted."""
    current = await table.current(connection)
    if not current:
        return []
    rows = await connection.fetch(blocks("holds.sql")["open"], target, OPEN_EFFECTS_MAX)
    effects = [SimpleNamespace(**dict(row), marks=()) for row in rows]
    kept: dict[int, list[Any]] = {}
    for effect, hold in await _matched(connection, current, effects):
        kept.setdefault(hold.id, []).append(effect)
    accounts: dict[str, list[Any]] = {}
    for effect in effects:
        accounts.setdefault(effect.account, []).append(effect)
    return [_held(hold, kept.get(hold.id, []), accounts, names) for hold in current]


async def holds_over(connection: Connection, rows: Sequence[Any]) -> list[Hold]:
    """The holds that keep any of these effects (rows with `lane`, `seq`, `attempts`) from being sent, oldest first."""
    open_ = [SimpleNamespace(**dict(row), marks=()) for row in rows if row["state"] < State.REFUSED]
    if not open_:
        return []
    found = await _matched(connection, await table.current(connection), open_)
    return sorted(
        {hold.id: hold for effect, hold in found if effect.state != State.SENDING}.values(),
        key=lambda x: x.id,
    )


async def _matched(
    connection: Connection, current: Sequence[Hold], effects: Sequence[Any]
) -> list[tuple[Any, Hold]]:
    """Which hold is over which open effect."""
    if any(hold.scope in ("item", "cause") for hold in current):
        marks = await table.marks_of(connection, effects)
        for effect in effects:
            effect.marks = marks.get(effect.id, ())
    indexes = {account: Index(account, current) for account in {e.account for e in effects}}
    return [(e, hold) for e in effects for hold in indexes[e.account].all_over(e)]


def _held(hold: Hold, effects: Sequence[Any], accounts: dict[str, list[Any]], names: Names) -> Held:
    waiting = [e for e in effects if e.state != State.SENDING]
    before = [] if hold.up_to is None else [e for e in accounts.get(hold.name, ()) if e.seq <= hold.up_to]
    return Held(
        id=hold.id, mode=hold.mode, scope=hold.scope, name=hold.name, kind=hold.kind, over=over(hold, names),
        doing=_doing(hold, before), reason=hold.reason, owner=hold.owner, who=hold.who, placed_at=hold.placed_at,
        until_at=hold.until_at, ends_at=hold.ends_at, waiting=len(waiting),
        capped=any(len(x) >= OPEN_EFFECTS_MAX for x in accounts.values()),
        oldest=min((e.journaled_at for e in waiting), default=None),
        under_way=sum(1 for e in effects if e.state == State.SENDING), still_to_go=len(before), version=hold.version,
    )  # fmt: skip


def _doing(hold: Hold, before: Sequence[Any]) -> Doing:
    if hold.mode == "drain":
        return "draining" if before else "drained"
    return "paused" if hold.mode == "pause" else "holding"


def over(hold: Any, names: Names) -> str:
    """What a hold keeps, as a person says it: completes "held: …"."""
    what = f"requests to {ask(hold.kind)}" if hold.kind else "everything"
    match hold.scope:
        case "target":
            return (
                f"{what} to {names.of(hold.name)}" if not hold.kind else f"{what}, at {names.of(hold.name)}"
            )
        case "key":
            return f"{what} of {names.plain(hold.name)}"
        case "system":
            return f"{what} that follows from what {names.of(hold.name)} tells"
        case "item":
            return f"releases of orders with {hold.name}"
        case _:
            return f"retries of what was stopped by “{hold.name}”"


def because(holds: Sequence[Hold], names: Names) -> list[Said]:
    """`Held by Kim since … until …, because …`: for a story, to be read out. The first speaks, others are counted."""
    if not holds:
        return []
    hold = holds[0]
    word = {
        "hold": "Held",
        "pause": f"{names.of(hold.name)} is paused",
        "drain": f"{names.of(hold.name)} is drained",
    }
    said = [Said(f"{word[hold.mode]} by {names.of(hold.who)} since"), Said(at=hold.placed_at)]
    said += (
        [Said("until"), Said(at=hold.ends_at)] if hold.ends_at is not None else [Said("until it is lifted")]
    )
    more = len(holds) - 1
    others = f" {more} more {'hold is' if more == 1 else 'holds are'} on it." if more else ""
    return [*said, Said(f", because {hold.reason.rstrip('.')}.{others}")]


async def read_ended(
    connection: Connection, names: Names, *, before: int = 0, limit: int = 50
) -> list[Ended]:  # fmt: skip
    """Those that are over, newest first, from `before` (exclusive) on."""
    rows = await connection.fetch(blocks("holds.sql")["ended"], before, min(max(1, limit), ENDED_MAX))
    return [Ended(**dict(row), over=over(SimpleNamespace(**dict(row)), names)) for row in rows]
