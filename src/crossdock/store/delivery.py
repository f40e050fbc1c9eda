"""The journal as delivery sees it: what is open for an account, marking a try, writing outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from crossdock.store.effects import State
from crossdock.store.log import Reading, Row, append_rows, readable
from crossdock.store.pool import Connection

_OPEN = """
select id, xid, seq, kind, object, lane, mode, priority, state, attempts, next_at, deadline_at, thread_key, segment,
    xid < pg_snapshot_xmin(pg_current_snapshot()) as readable
from effect where account = $1 and state < 5 and (xid, seq) > ($2, $3)
order by xid, seq limit $4
"""


async def open_effects(connection: Connection, account: str, after: tuple[int, int], limit: int) -> Reading:
    """Unsettled effects after a (xid, seq) cursor; nothing can appear behind it later."""
    return readable(await connection.fetch(_OPEN, account, *after, limit))


async def parked_lanes(connection: Connection, account: str) -> dict[bytes, tuple[int, UUID]]:
    """Lanes that wait for a person, with the sequence number and the id of the effect that parked each."""
    rows = await connection.fetch(
        "select distinct on (lane) lane, seq, id from effect where account = $1 and state in (5, 6) and mode <> 3"
        " order by lane, seq",
        account,
    )
    return {row["lane"]: (row["seq"], row["id"]) for row in rows}


async def settled_by_people(connection: Connection, ids: Sequence[UUID]) -> list[UUID]:
    """Those of these refused or unclear effects that a person (or a later event) has settled since: they end for good."""
    return [
        row["id"]
        for row in await connection.fetch("select id from effect where id = any($1) and state >= 10", ids)
    ]


_DOUBT = """
update effect e set state = 3, deadline_at = $2 where e.id = any($1) and e.state = 0 and e.attempts = 0
    and exists (select 1 from event v where v.thread = e.thread and v.occurred_at < $2)
returning e.id
"""


async def doubt(connection: Connection, ids: Sequence[UUID], resumed_at: datetime) -> set[UUID]:
    """New effects of threads from before a restored hub went on: the lost hub may have wanted and done the same."""
    return {row["id"] for row in await connection.fetch(_DOUBT, ids, resumed_at)}


_MARK = """
with picked as (
    select id from effect where id = any($1) and state in (0, 2) order by id for update skip locked
), marked as (
    update effect e set state = 1, attempts = e.attempts + 1, deadline_at = clock_timestamp() + n.timeout * interval '1 second'
    from picked, unnest($1::uuid[], $2::float8[]) as n (id, timeout) where e.id = picked.id and n.id = e.id
    returning e.id, e.attempts
)
select m.id, m.attempts, b.sealed, b.subject from marked m
join unnest($1::uuid[], $3::int[]) as s (id, segment) on s.id = m.id
join effect_body b on b.effect = m.id and b.segment = s.segment
"""


async def mark_sending(
    connection: Connection, ids: Sequence[UUID], timeouts: Sequence[float], segments: Sequence[int]
) -> list[asyncpg.Record]:  # fmt: skip
    """Commit the intent to try before any call; what somebody took back meanwhile is not returned."""
    return await connection.fetch(_MARK, ids, timeouts, segments)


_BODIES = """
select e.id, e.attempts, b.sealed, b.subject from unnest($1::uuid[], $2::int[]) as s (id, segment)
join effect e on e.id = s.id join effect_body b on b.effect = s.id and b.segment = s.segment
where e.state = 3
"""


async def bodies(
    connection: Connection, ids: Sequence[UUID], segments: Sequence[int]
) -> list[asyncpg.Record]:
    """Bodies of effects whose outcome is unknown, for their look-up."""
    return await connection.fetch(_BODIES, ids, segments)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What one try (or look-up) led to, as it shall stand in the journal."""

    effect: UUID
    account: str
    lane: bytes
    attempt: int
    purpose: str
    state: State
    started_at: datetime
    deadline_at: datetime
    label: str
    reason: str
    document: str = ""
    next_at: datetime | None = None
    answer: bytes | None = None
    event: Row | None = None
    """The receipt, or the news of a refusal, for the effect's thread."""


_DONE = """
with done as (
    update effect e set state = 10, document = n.document, settled_at = clock_timestamp(), reason = null, next_at = null
    from (select * from unnest($1::uuid[], $2::text[]) as u (id, document) order by id) n
    where e.id = n.id and e.state < 10 returning e.id, e.account
), counted as (
    update account a set delivered = a.delivered + n.count, last_success_at = clock_timestamp()
    from (select account, count(*) from done group by account order by account) n where a.name = n.account
)
select id from done
"""
_OTHER = """
update effect e set state = n.state, next_at = n.next_at, reason = n.reason
from (select * from unnest($1::uuid[], $2::smallint[], $3::timestamptz[], $4::text[], $5::smallint[])
    as u (id, state, next_at, reason, attempt) order by id) n
where e.id = n.id and e.state in (1, 3) and e.attempts = n.attempt returning e.id
"""


async def write_outcomes(connection: Connection, outcomes: Sequence[Outcome], segment: int) -> None:
    """Outcomes, their attempts, and what the threads hear of them, in one transaction.

    A late "done" is evidence and always counts; any other outcome counts for the attempt it belongs to.
    """
    done = [o for o in outcomes if o.state is State.DONE]
    other = [o for o in outcomes if o.state is not State.DONE]
    async with connection.transaction():
        accepted: set[UUID] = set()
        if done:
            rows = await connection.fetch(_DONE, [o.effect for o in done], [o.document[:200] for o in done])
            accepted |= {row["id"] for row in rows}
        if other:
            rows = await connection.fetch(
                _OTHER, [o.effect for o in other], [int(o.state) for o in other], [o.next_at for o in other],
                [o.reason[:500] for o in other], [o.attempt for o in other],
            )  # fmt: skip
            accepted |= {row["id"] for row in rows}
        await _attempts(connection, outcomes, segment)
        parked = [o for o in other if o.state in (State.REFUSED, State.UNCLEAR) and o.effect in accepted]
        if parked:
            await connection.executemany(
                "insert into lane (account, lane, effect, reason) values ($1, $2, $3, $4) on conflict do nothing",
                [(o.account, o.lane, o.effect, o.reason[:500]) for o in parked],
            )
        events = [o.event for o in outcomes if o.event is not None and o.effect in accepted]
        if events:
            await append_rows(connection, events, segment)


async def _attempts(connection: Connection, outcomes: Sequence[Outcome], segment: int) -> None:
    now = max(o.started_at for o in outcomes)
    await connection.copy_records_to_table(
        f"attempt_{segment}",
        records=[
            (segment, o.effect, o.attempt, o.purpose, o.started_at, o.deadline_at, now, o.label, o.reason[:500], o.answer)
            for o in outcomes
        ],
        columns=("segment", "effect", "no", "purpose", "started_at", "deadline_at", "ended_at", "outcome", "reason", "answer"),
    )  # fmt: skip


async def claim_accounts(
    connection: Connection, owner: UUID, names: Sequence[str], lease_seconds: float
) -> set[str]:
    """Renew and take account leases; returns the accounts that are ours."""
    await connection.execute(
        "insert into account (name) select unnest($1::text[]) on conflict do nothing", sorted(names)
    )
    rows = await connection.fetch(
        "update account set owner = $1, epoch = epoch + (owner is distinct from $1)::int,"
        " lease_until = clock_timestamp() + $3 * interval '1 second' where name in (select name from account"
        " where name = any($2) and (owner = $1 or owner is null or lease_until < clock_timestamp()) order by name for no key update)"
        " returning name",
        owner, names, lease_seconds,
    )  # fmt: skip
    return {row["name"] for row in rows}


async def release_accounts(connection: Connection, owner: UUID) -> None:
    await connection.execute(
        "update account set owner = null, lease_until = '-infinity' where owner = $1", owner
    )


async def is_failing(connection: Connection, account: str) -> bool:
    """What was noted last."""
    return bool(
        await connection.fetchval("select failing_since is not null from account where name = $1", account)
    )


async def note_health(connection: Connection, account: str, failing: bool, reason: str) -> None:
    """What lists and `doctor` say of an account."""
    if failing:
        await connection.execute(
            "update account set failing_since = coalesce(failing_since, clock_timestamp()), last_failure = $2 where name = $1",
            account, reason[:300],
        )  # fmt: skip
    else:
        await connection.execute(
            "update account set failing_since = null, last_success_at = clock_timestamp() where name = $1",
            account,
        )
