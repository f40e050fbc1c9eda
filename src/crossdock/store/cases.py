"""Cases: one open row per fingerprint, a link per blocked thread and thing, closed when nothing is blocked any more."""

from collections.abc import Sequence
from hashlib import blake2b

from crossdock.processes.intents import CloseCase, OpenCase
from crossdock.store.pool import Connection

Change = tuple[bytes, str, OpenCase | CloseCase]
"""(thread hash, thread key, what)"""


def fingerprint_of(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


async def apply(connection: Connection, changes: Sequence[Change]) -> None:
    """Close what is opened anew, open, link, close, in the order of the fingerprints; few per batch, so one statement each."""
    before, after = _closings(changes)
    for thread, close in before:
        await _close(connection, thread, close)
    opened = sorted(
        ((fingerprint_of(c.fingerprint), t, k, c) for t, k, c in changes if isinstance(c, OpenCase)),
        key=lambda x: x[0],
    )
    for fingerprint, thread, thread_key, case in opened:
        number = await connection.fetchval(
            "insert into cases as c (fingerprint, class, cause, title, detail, owner) values ($1, $2, $3, $4, $5, $6)"
            " on conflict (fingerprint) where state = 'open' do update set recurrences = c.recurrences + 1 returning id",
            fingerprint, case.problem, case.cause, case.title, case.detail, case.owner,
        )  # fmt: skip
        await connection.execute(
            "insert into case_link (case_id, thread, thread_key, key) values ($1, $2, $3, $4)"
            " on conflict (case_id, thread, key) do update set closed_at = null",
            number, thread, thread_key, case.key,
        )  # fmt: skip
    for thread, close in after:
        await _close(connection, thread, close)


def _closings(
    changes: Sequence[Change],
) -> tuple[list[tuple[bytes, CloseCase]], list[tuple[bytes, CloseCase]]]:
    """Those whose key a later change opens again, and the others: the last word on a key counts."""
    opened: set[tuple[bytes, str]] = set()
    before: list[tuple[bytes, CloseCase]] = []
    after: list[tuple[bytes, CloseCase]] = []
    for thread, _, change in reversed(changes):
        if isinstance(change, OpenCase):
            opened.add((thread, change.key))
        else:
            (before if (thread, change.key) in opened else after).append((thread, change))
    return before[::-1], after[::-1]


async def _close(connection: Connection, thread: bytes, close: CloseCase) -> None:
    numbers = await connection.fetch(
        "update case_link set closed_at = clock_timestamp() where thread = $1 and key = $2 and closed_at is null"
        " returning case_id",
        thread, close.key,
    )  # fmt: skip
    for (number,) in numbers:
        await connection.execute(
            "update cases set state = 'closed', closed_at = clock_timestamp(), closed_because = $2 where id = $1"
            " and state = 'open' and not exists (select 1 from case_link where case_id = $1 and closed_at is null)",
            number, close.because,
        )  # fmt: skip
