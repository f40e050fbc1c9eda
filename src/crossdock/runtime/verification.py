"""Walking the audit chain: every hash is made again from the rows that are there, and every signature is checked.

Reads only. What is found is said by link, range and kind; a row that differs is named.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, Literal

import msgspec

from crossdock.access.audit import (
    TABLES,
    BadSignature,
    Checkpoint,
    Link,
    Signed,
    genesis,
    opened,
    public_key,
)
from crossdock.runtime.checkpoints import digest_of
from crossdock.runtime.hub import Hub
from crossdock.store import audit
from crossdock.store.audit import DROPPED, ERASED, RESTORED
from crossdock.store.pool import Connection

PAGE: Final = 200
ROWS_AT_ONCE: Final = 4000
BREAKS_MAX: Final = 50
_ONE: Final = {"events": "event", "messages": "message", "attempts": "attempt", "actions": "operator action"}

Kind = Literal[
    "changed", "missing", "added", "link changed", "link missing", "truncated", "rewritten", "signature"
]


class Break(msgspec.Struct, frozen=True):
    """Something that is not as it was sealed. `link` is 0 where it is about a checkpoint."""

    kind: Kind
    link: int
    what: str


@dataclass(slots=True)
class Report:
    """What a walk found. `dropped`: links whose rows retention took; their digests still stand."""

    head: int = 0
    links: int = 0
    rows: int = 0
    dropped: int = 0
    redacted: int = 0
    unsealed: int = 0
    checkpoints: int = 0
    last_checkpoint: datetime | None = None
    lost_by_restore: int = 0
    breaks: list[Break] = field(default_factory=list)

    def add(self, kind: Kind, link: int, what: str) -> None:
        if len(self.breaks) < BREAKS_MAX:
            self.breaks.append(Break(kind, link, what))


@dataclass(frozen=True, slots=True)
class _Allowed:
    """What actions in the chain say about rows that are not as they were: dropped, restored, erased."""

    segments: frozenset[int]
    existing: frozenset[int]
    restores: tuple[tuple[datetime, datetime], ...]
    redacted: frozenset[bytes]


@dataclass(slots=True)
class _Walk:
    """One verification: what checkpoints say, what the chain is found to be."""

    hub: str
    allowed: _Allowed
    report: Report
    named: dict[int, bytes | None]
    """Links that checkpoints name, and the hashes that are found for them."""
    last: Link | None = None


async def verify(
    connection: Connection, hub: Hub, written: Sequence[Signed], progress: Callable[[int, int], None] = lambda _a, _b: None
) -> Report:  # fmt: skip
    """`written`: checkpoints that were kept off the machine. `progress` hears of rows done and of all.

    Checkpoints are read before the chain, which meanwhile may only grow.
    """
    report, head = Report(), await audit.head(connection)
    total = await connection.fetchval(
        "select coalesce(sum(events + messages + attempts + actions), 0)::bigint from audit_link"
    )
    checkpoints = await _checkpoints(connection, hub, head.hub, written, report)
    walk = _Walk(head.hub, await _allowed(connection), report, {x.link: None for _, x in checkpoints})
    await _walk(connection, walk, lambda: progress(report.rows, total))
    report.head = walk.last.no if walk.last else 0
    report.unsealed = await _unsealed(connection)
    for _, checkpoint in checkpoints:
        _judge(checkpoint, walk)
    _whole([x for x in checkpoints if x[0] is not None], walk)
    return report


async def _checkpoints(
    connection: Connection, hub: Hub, hub_id: str, written: Sequence[Signed], report: Report
) -> list[tuple[Signed | None, Checkpoint]]:
    """Those of the database and those that were kept elsewhere (with their line), as far as their signatures hold."""
    rows = await audit.checkpoints(connection, limit=1_000_000)
    given: list[tuple[str, Signed, bool]] = [
        (f"checkpoint {x['no']}", Signed(body=x["body"], signature=x["signature"].hex(), key=""), False)
        for x in rows
    ]
    given += [(f"line {line} of the file", signed, True) for line, signed in enumerate(written, 1)]
    found: list[tuple[Signed | None, Checkpoint]] = []
    for name, signed, kept in given:
        try:
            checkpoint = opened(signed, public_key(hub.key), Checkpoint)
        except BadSignature as error:
            report.add("signature", 0, f"{name}: {error}")
            continue
        if checkpoint.hub != hub_id:
            report.add("signature", 0, f"{name} is of another hub, {checkpoint.hub}")
            continue
        found.append((signed if kept else None, checkpoint))
        report.checkpoints += 1
        report.last_checkpoint = max(report.last_checkpoint or checkpoint.at, checkpoint.at)
    return found


async def _allowed(connection: Connection) -> _Allowed:
    rows = await connection.fetch(
        "select action, target, detail, at from operator_action where action = any($1) and xid is not null",
        [DROPPED, RESTORED, ERASED],
    )
    segments, restores, redacted = set[int](), list[tuple[datetime, datetime]](), set[bytes]()
    for row in rows:
        detail = msgspec.json.decode(row["detail"])
        if row["action"] == DROPPED:
            segments.add(int(row["target"]))
        elif row["action"] == RESTORED and detail.get("up_to"):
            restores.append((datetime.fromisoformat(detail["up_to"]), row["at"]))
        redacted.update(bytes.fromhex(x) for x in detail.get("redacted", ()))
    there = await connection.fetch(
        "select substring(relname from 'event_(\\d+)$')::int as n from pg_class where relkind = 'r' and relname ~ '^event_\\d+$'"
    )
    return _Allowed(
        frozenset(segments), frozenset(row["n"] for row in there), tuple(restores), frozenset(redacted)
    )


async def _walk(connection: Connection, walk: _Walk, said: Callable[[], None]) -> None:
    """Link by link, page by page."""
    report, after = walk.report, 0
    while page := await audit.links(connection, after, PAGE):
        sound: list[Link] = []
        for link in page:
            _follows(link, after, walk)
            if link.no in walk.named:
                walk.named[link.no] = link.hash
            walk.last, after = link, link.no
            report.links += 1
            if _is_dropped(link, walk.allowed, report):
                report.dropped += 1
            else:
                sound.append(link)
        for group in _grouped(sound):
            await _compare(connection, group, walk.allowed, report)
            report.rows += sum(link.rows for link in group)
            said()


def _follows(link: Link, after: int, walk: _Walk) -> None:
    """Whether a link stands where it must, and its hash is its own."""
    report, last = walk.report, walk.last
    previous = last.hash if last else genesis(walk.hub)
    for number in range(after + 1, min(link.no, after + 1 + BREAKS_MAX)):
        report.add("link missing", number, f"link {number} is not there; {link.no} follows {after}")
    if link.no == after + 1 and link.previous != previous:
        report.add("link changed", link.no, f"does not follow on link {after}: one of the two was changed")
    elif link.no == after + 1 and last is not None and link.xid_from != last.xid_to:
        report.add("link changed", link.no, f"begins at transaction {link.xid_from}, link {last.no} ends at {last.xid_to}")  # fmt: skip
    if link.hashed() != link.hash:
        report.add("link changed", link.no, "its own hash does not fit it")


def _is_dropped(link: Link, allowed: _Allowed, report: Report) -> bool:
    """Whether rows of it are gone with their week; that must have been done by retention, which says so in the chain."""
    if not link.segment_from:
        return False
    gone = {*range(link.segment_from, link.segment_to + 1)} - allowed.existing
    for segment in sorted(gone - allowed.segments):
        report.add("missing", link.no, f"its rows of week {segment} are gone, and no retention dropped them")
    return bool(gone)


def _grouped(links: Sequence[Link]) -> Iterator[list[Link]]:
    """Neighbours, so that many small links are compared in one look."""
    group: list[Link] = []
    for link in links:
        if group and (link.no != group[-1].no + 1 or sum(x.rows for x in group) + link.rows > ROWS_AT_ONCE):
            yield group
            group = []
        group.append(link)
    if group:
        yield group


def _span(links: Sequence[Link]) -> tuple[int, int, int, int]:
    oldest = min((x.segment_from for x in links if x.segment_from), default=1) - 1
    return links[0].generation, links[0].xid_from, links[-1].xid_to, oldest


async def _compare(connection: Connection, links: Sequence[Link], allowed: _Allowed, report: Report) -> None:
    """All tables of these links at once; where they differ, link by link and row by row."""
    differs = False
    for table in TABLES:
        wanted = b"".join(b"".join(link.of(table)) for link in links)
        found, *_ = await audit.digests(connection, table, _span(links))
        differs = differs or found != wanted
    if not differs:
        return
    if len(links) > 1:
        for link in links:
            await _compare(connection, [link], allowed, report)
        return
    for table in TABLES:
        rows = await audit.rows(connection, table, _span(links))
        _name(links[0], table, links[0].of(table), rows, allowed, report)


def _name(
    link: Link, table: str, wanted: list[bytes], rows: list[Any], allowed: _Allowed, report: Report
) -> None:  # fmt: skip
    """Which rows differ from what was sealed."""
    one, found = _ONE[table], [row["digest"] for row in rows]
    if len(found) == len(wanted):
        for was, row in zip(wanted, rows, strict=True):
            if was == row["digest"]:
                continue
            if was in allowed.redacted:
                report.redacted += 1
            else:
                report.add("changed", link.no, f"{one} {row['name']} is not as it was sealed{_when(link)}")
        return
    sealed, there = set(wanted), set(found)
    for row in rows:
        if row["digest"] not in sealed:
            report.add("added" if len(found) > len(wanted) else "changed", link.no, f"{one} {row['name']} was not sealed so{_when(link)}")  # fmt: skip
    for place, was in enumerate(wanted):
        if was not in there and len(found) < len(wanted):
            names = [row["name"] for row in rows if row["digest"] in sealed]
            near = f"; next to {names[min(place, len(names) - 1)]}" if names else ""
            report.add("missing", link.no, f"the {one} sealed {place + 1} of {len(wanted)} is gone{_when(link)}{near}")  # fmt: skip


def _when(link: Link) -> str:
    return f" at {link.sealed_at:%Y-%m-%d %H:%M:%S} UTC"


def _judge(found: Checkpoint, walk: _Walk) -> None:
    """One checkpoint against the chain that is there."""
    hashed, head = walk.named[found.link], walk.report.head
    if hashed is not None and hashed.hex() == found.hash:
        return
    saw = f"checkpoint {found.checkpoint} of {found.at:%Y-%m-%d %H:%M:%S} UTC saw"
    if any(up_to <= found.at <= at for up_to, at in walk.allowed.restores):
        walk.report.lost_by_restore += 1
    elif found.link > head:
        walk.report.add("truncated", found.link, f"{saw} link {found.link}; the chain ends at {head}")
    elif hashed is not None:
        walk.report.add("rewritten", found.link, f"{saw} another link {found.link}")


def _whole(kept: Sequence[tuple[Signed | None, Checkpoint]], walk: _Walk) -> None:
    """Whether each line of the file follows on the one before; after a restore it does not."""
    for (before, earlier), (_, found) in pairwise(kept):
        follows = before is not None and found.previous == digest_of(before.body)
        if not follows and not any(found.at >= at for _, at in walk.allowed.restores):
            walk.report.add("signature", 0, f"in the file, checkpoint {found.checkpoint} follows {earlier.checkpoint}: a line is missing")  # fmt: skip


async def _unsealed(connection: Connection) -> int:
    """Rows that no link holds yet, as far as one link would."""
    head = await audit.head(connection)
    bound = await audit.bound(connection, head, ROWS_AT_ONCE)
    if bound is None:
        return 0
    span = (head.generation, head.xid, bound, head.oldest_segment)
    return sum([(await audit.digests(connection, table, span))[1] for table in TABLES])
