"""Cases: one open row per fingerprint, a link per blocked thread and thing, closed when nothing is blocked any more."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from crossdock.model.causes import CAUSES, HOLD
from crossdock.model.envelope import HUB
from crossdock.processes.desk import due
from crossdock.processes.intents import CloseCase, OpenCase
from crossdock.processes.policy import Policy
from crossdock.store.pool import Connection

Change = tuple[bytes, str, OpenCase | CloseCase]
"""(thread hash, thread key, what)"""


_USUAL = Policy()
_OPENED_AGAIN = """
with before as (
    select watchers from cases where fingerprint = $2 and id < $1 order by id desc limit 1
), watched as (
    update cases c set watchers = before.watchers from before where c.id = $1 and before.watchers <> '{}'
)
insert into case_note (case_id, who, action) select $1, $3, 'opened again' from before
"""
"""Who watched the last case of the cause watches this one."""
_CLOSE = """
with closed as (
    update cases set state = 'closed', closed_at = clock_timestamp(), closed_because = $2 where id = $1
    and state = 'open' and not exists (select 1 from case_link where case_id = $1 and closed_at is null) returning id
)
insert into case_note (case_id, who, action, note) select id, $3, 'closed', $2 from closed
"""


Closing = tuple[bytes, CloseCase]
Opening = tuple[bytes, str, OpenCase]


def fingerprint_of(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


async def apply(connection: Connection, changes: Sequence[Change], policy: Policy = _USUAL) -> None:
    """Close what is opened anew, open, link, close, in the order of the fingerprints: few causes, each with all it blocks."""
    before, opened, after = _last_words(changes)
    for thread, close in before:
        await _close(connection, thread, close)
    causes: dict[bytes, list[Opening]] = {}
    for one in opened:
        causes.setdefault(fingerprint_of(one[2].fingerprint), []).append(one)
    for fingerprint in sorted(causes):
        await _open(connection, fingerprint, causes[fingerprint], policy)
    for thread, close in after:
        await _close(connection, thread, close)


async def _open(
    connection: Connection, fingerprint: bytes, opened: Sequence[Opening], policy: Policy
) -> None:
    """A cause that came again spends no number."""
    number = await connection.fetchval(
        "update cases set recurrences = recurrences + $2, snoozed_until = null where fingerprint = $1 and state = 'open'"
        " returning id",
        fingerprint, len(opened),
    )  # fmt: skip
    if number is None:
        case = opened[0][2]
        number = await connection.fetchval(
            "insert into cases as c (fingerprint, class, cause, title, detail, owner, due_at)"
            " values ($1, $2, $3, $4, $5, $6, $7) on conflict (fingerprint) where state = 'open'"
            " do update set recurrences = c.recurrences + 1, snoozed_until = null returning id",
            fingerprint, case.problem, case.cause, case.title, case.detail, _owner(case, policy),
            await _due(connection, case, policy),
        )  # fmt: skip
        await connection.execute(_OPENED_AGAIN, number, fingerprint, HUB)
        if len(opened) > 1:
            await connection.execute(
                "update cases set recurrences = recurrences + $2 where id = $1", number, len(opened) - 1
            )
    links = {(thread, case.key): key for thread, key, case in opened}
    await connection.execute(
        "insert into case_link (case_id, thread, thread_key, key) select $1, * from unnest($2::bytea[], $3::text[], $4::text[])"
        " on conflict (case_id, thread, key) do update set closed_at = null",
        number, [thread for thread, _ in links], list(links.values()), [key for _, key in links],
    )  # fmt: skip


def _owner(case: OpenCase, policy: Policy) -> str:
    """Whoever the landscape names for the cause, else whoever the process does."""
    rule = policy.causes.get(case.cause)
    return rule.owner if rule and rule.owner else case.owner


async def _due(connection: Connection, case: OpenCase, policy: Policy) -> datetime:
    """When it should be settled: hours of the desk on the business clock, told as an instant of the real one."""
    rule = policy.causes.get(case.cause)
    hours = rule.hours if rule and rule.hours else CAUSES.get(case.cause, CAUSES[HOLD]).hours
    now = await connection.fetchrow(
        "select clock_timestamp() as real, clock_rate as rate,"
        " clock_business_at + (clock_timestamp() - clock_real_at) * clock_rate as business from hub"
    )
    assert now is not None
    calendar = policy.routing.calendars.get(policy.desk.calendar)
    ends = due(now["business"], hours, policy.desk, calendar)
    found: datetime = now["real"] + (ends - now["business"]) / now["rate"]
    return found


def _last_words(changes: Sequence[Change]) -> tuple[list[Closing], list[Opening], list[Closing]]:
    """(closings whose key a later change opens again, openings that no such closing ends, the other closings)

    The last word on a key counts: what a batch opens, closes and opens again is what it opened last.
    """
    again: set[tuple[bytes, str]] = set()
    replaced: set[tuple[bytes, str]] = set()
    before: list[Closing] = []
    opened: list[Opening] = []
    after: list[Closing] = []
    for thread, thread_key, change in reversed(changes):
        key = (thread, change.key)
        if isinstance(change, CloseCase):
            (before if key in again else after).append((thread, change))
            if key in again:
                replaced.add(key)
        elif key not in replaced:
            again.add(key)
            opened.append((thread, thread_key, change))
    return before[::-1], opened[::-1], after[::-1]


async def _close(connection: Connection, thread: bytes, close: CloseCase) -> None:
    numbers = await connection.fetch(
        "update case_link set closed_at = clock_timestamp() where thread = $1 and key = $2 and closed_at is null"
        " returning case_id",
        thread, close.key,
    )  # fmt: skip
    for (number,) in numbers:
        await connection.execute(_CLOSE, number, close.because, HUB)
