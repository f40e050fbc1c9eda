"""Lines of cases' histories that nobody was told of yet, and cases that were not settled in time."""

from collections.abc import Sequence
from typing import Any, Final

from crossdock.model.envelope import HUB
from crossdock.store.pool import Connection

CASES_MAX: Final = 200
_LOCK: Final = 0x63617365
_ESCALATE = """
with late as (
    select id from cases where state = 'open' and escalated_at is null and due_at < clock_timestamp()
        and coalesce(snoozed_until < clock_timestamp(), true) order by id limit $1 for update skip locked
), marked as (
    update cases c set escalated_at = clock_timestamp() from late where c.id = late.id returning c.id
)
insert into case_note (case_id, who, action) select id, $2, 'overdue' from marked order by id
"""
_DUE = """
with due as (
    select case_id from case_note where told_at is null group by case_id
    having min(at) <= clock_timestamp() - make_interval(secs => $1) order by case_id limit $2
), notes as (
    update case_note n set told_at = clock_timestamp() from due where n.case_id = due.case_id and n.told_at is null
    returning n.id, n.case_id, n.at, n.who, n.action
)
select c.id as number, c.title, c.cause, c.state, c.owner, coalesce(c.assignee, '') as assignee, c.watchers,
    n.id, n.at, n.who, n.action,
    exists (select from case_link l where l.case_id = c.id and l.thread_key like 'case/%') as own
from notes n join cases c on c.id = n.case_id order by c.id, n.id
"""


async def escalate(connection: Connection) -> None:
    """A line in the history of each open case whose time is up, once; what is snoozed is left until it is back."""
    await connection.execute(_ESCALATE, CASES_MAX, HUB)


async def take(connection: Connection, wait_seconds: int) -> Sequence[Any]:
    """Untold lines with their cases, by case, where the oldest has waited; they count as told with this transaction.

    `own` marks cases about such messages themselves. One process at a time takes: the others find nothing.
    """
    if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", _LOCK):
        return []
    return await connection.fetch(_DUE, wait_seconds, CASES_MAX)
