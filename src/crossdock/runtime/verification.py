"""Walking the audit chain: every hash is made again from the rows that are there, and every signature is checked.

Reads only. What is found is said by link, range and kind; a row that differs is named.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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


async def verify(
    connection: Connection, hub: Hub, written: Sequence[Signed], progress: Callable[[int, int], None] = lambda _a, _b: None
) -> Report:  # fmt: skip
    """`written`: checkpoints that were kept off the machine. `progress` hears of rows done and of all."""
    report = Report()
    head = await audit.head(connection)
    total = await connection.fetchval(
        "select coalesce(sum(events + messages + attempts + actions), 0)::bigint from audit_link"
    )
    allowed = await _allowed(connection)
    hashes = await _walk(connection, head.hub, allowed, report, lambda: progress(report.rows, total))
    report.head = head.no
    report.unsealed = await _unsealed(connection, head)
    for row in await audit.checkpoints(connection, limit=1_000_000):
        signed = Signed(body=row["body"], signature=row["signature"].hex(), key="")
        _judge(f"checkpoint {row['no']}", signed, hub, head, hashes, allowed, report)
    before: Signed | None = None
    for line, signed in enumerate(written, 1):
        found = _judge(f"line {line} of the file", signed, hub, head, hashes, allowed, report)
        if found and before and found.previous not in ("", digest_of(before.body)):
            _gap(line, found, allowed, report)
        before = signed
    return report


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


async def _walk(
    connection: Connection, hub: str, allowed: _Allowed, report: Report, said: Callable[[], None]
) -> dict[int, bytes]:
    """Hash of each link, by number."""
    hashes, last = dict[int, bytes](), None
    previous, after = genesis(hub), 0
    while page := await audit.links(connection, after, PAGE):
        sound: list[Link] = []
        for link in page:
            for number in range(after + 1, link.no):
                report.add("link missing", number, f"link {number} is not there; {link.no} follows {after}")
            if link.no == after + 1 and link.previous != previous:
                report.add(
                    "link changed", link.no, f"does not follow on link {after}: one of the two was changed"
                )
            elif last is not None and link.xid_from != last.xid_to:
                report.add("link changed", link.no, f"begins at transaction {link.xid_from}, link {last.no} ends at {last.xid_to}")  # fmt: skip
            if link.hashed() != link.hash:
                report.add("link changed", link.no, "its own hash does not fit it")
            hashes[link.no], previous, after, last = link.hash, link.hash, link.no, link
            report.links += 1
            if _is_dropped(link, allowed, report):
                report.dropped += 1
            else:
                sound.append(link)
        for group in _grouped(sound):
            await _compare(connection, group, allowed, report)
            report.rows += sum(link.rows for link in group)
            said()
    return hashes


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


def _judge(
    name: str, signed: Signed, hub: Hub, head: audit.Head, hashes: dict[int, bytes], allowed: _Allowed, report: Report
) -> Checkpoint | None:  # fmt: skip
    """One checkpoint against the chain that is there."""
    try:
        found = opened(signed, public_key(hub.key), Checkpoint)
    except BadSignature as error:
        report.add("signature", 0, f"{name}: {error}")
        return None
    if found.hub != head.hub:
        report.add("signature", 0, f"{name} is of another hub, {found.hub}")
        return None
    report.checkpoints += 1
    report.last_checkpoint = max(report.last_checkpoint or found.at, found.at)
    if hashes.get(found.link, b"").hex() == found.hash:
        return found
    if any(up_to <= found.at <= at for up_to, at in allowed.restores):
        report.lost_by_restore += 1
    elif found.link > head.no:
        report.add("truncated", found.link, f"checkpoint {found.checkpoint} of {found.at:%Y-%m-%d %H:%M:%S} UTC saw link {found.link}; the chain ends at {head.no}")  # fmt: skip
    elif found.link in hashes:
        report.add("rewritten", found.link, f"checkpoint {found.checkpoint} of {found.at:%Y-%m-%d %H:%M:%S} UTC saw another link {found.link}")  # fmt: skip
    return found


def _gap(line: int, found: Checkpoint, allowed: _Allowed, report: Report) -> None:
    """A line of the file that does not follow on the one before: after a restore that is so."""
    if not any(found.at >= at for _, at in allowed.restores):
        report.add(
            "signature", 0, f"line {line} of the file does not follow on the one before: a line is missing"
        )


async def _unsealed(connection: Connection, head: audit.Head) -> int:
    """Rows that no link holds yet, as far as one link would."""
    bound = await audit.bound(connection, head, ROWS_AT_ONCE)
    if bound is None:
        return 0
    span = (head.generation, head.xid, bound, head.oldest_segment)
    return sum([(await audit.digests(connection, table, span))[1] for table in TABLES])
