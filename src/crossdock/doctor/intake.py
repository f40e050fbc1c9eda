"""What came in and was not understood: deliveries that were refused, messages from which nothing follows, fields nobody reads."""

from collections import Counter
from collections.abc import Iterator

import asyncpg

from crossdock.doctor.check import Check, lasting
from crossdock.store.pool import Connection
from crossdock.store.segments import current_segment

LATELY_HOURS = 24
NAMED_MAX = 3
PAGES_MAX = 500
"""The newest pages of this week's messages; some thousands of messages, however many there are."""
_REFUSED = """
select system, reason, count(*) as count, extract(epoch from clock_timestamp() - max(at))::float8 as seconds
from rejected_delivery where at > clock_timestamp() - $1 * interval '1 hour'
group by system, reason order by count(*) desc, system, reason
"""
_FROM_PAGE = """
select greatest(0, pg_relation_size(format('message_%s', $1::int)::regclass) / current_setting('block_size')::int - $2)
"""
_NEWEST = """
select system, outcome, unmapped from message where segment = $1 and ctid >= format('(%s,0)', $2::bigint)::tid and direction = 'in'
"""


async def examine(connection: Connection) -> list[Check]:
    """Of the last day, and of the newest messages."""
    refused = await connection.fetch(_REFUSED, LATELY_HOURS)
    segment = current_segment()
    try:
        page = await connection.fetchval(_FROM_PAGE, segment, PAGES_MAX)
    except asyncpg.UndefinedTableError:  # nothing came this week
        return [_refused(refused), Check("ok", "messages", "none this week")]
    newest = await connection.fetch(_NEWEST, segment, page)
    return [_refused(refused), *_messages(newest)]


def _refused(rows: list[asyncpg.Record]) -> Check:
    if not rows:
        return Check("ok", "refused deliveries", f"none in {LATELY_HOURS} hours")
    total = sum(row["count"] for row in rows)
    newest = min(row["seconds"] for row in rows)
    told = "; ".join(f"{row['count']} for {row['system']}: {row['reason']}" for row in rows[:NAMED_MAX])
    more = f"; {len(rows) - NAMED_MAX} more kinds" if len(rows) > NAMED_MAX else ""
    remedy = (
        "A partner of yours? Describe it in systems/NAME.yaml, or correct its secret or the address it sends to; it was told"
        " why, and sends again. Nothing but this was kept."
    )
    return Check(
        "warn", "refused deliveries", f"{total}, the newest {lasting(newest)} ago: {told}{more}", remedy
    )


def _messages(rows: list[asyncpg.Record]) -> Iterator[Check]:
    ignored = Counter(
        f"{row['system']}: {row['outcome'].removeprefix('ignored: ')}" for row in rows if row["outcome"].startswith("ignored: ")
    )  # fmt: skip
    unread = sum(row["outcome"] in ("not translated", "read in part") for row in rows)
    fields = Counter(f"{row['system']} {_shape(path)}" for row in rows for path in row["unmapped"])
    text = f"of the newest {len(rows)}: {unread} not read, or in part, {ignored.total()} ignored{_named(ignored)}"
    yield Check("ok", "messages", text)
    yield Check("ok", "unmapped fields", f"{len(fields)} in them{_named(fields)}")


def _shape(path: str) -> str:
    """Without list positions: the same field of another line is the same field."""
    return "/".join("*" if part.isdigit() else part for part in path.split("/"))


def _named(counted: Counter[str]) -> str:
    told = ", ".join(f"{what} ({count})" for what, count in counted.most_common(NAMED_MAX))
    return f": {told}" if told else ""
