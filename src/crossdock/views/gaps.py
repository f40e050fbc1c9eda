"""Messages that never came, by their senders' own running numbers."""

from datetime import datetime

import msgspec

from crossdock.store.pool import Connection
from crossdock.views.sql import blocks

RUNS_MAX = 1000


class Gap(msgspec.Struct, frozen=True):
    """Consecutive numbers that did not come, both ends included, since a later one came or the sender said it had sent them."""

    first: int
    last: int
    count: int
    since: datetime


class Began(msgspec.Struct, frozen=True):
    """The sender began to count anew: where it stood, where it went on, how many of the old numbers had not come."""

    at: datetime
    from_number: int
    to_number: int
    missing: int


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """One series of one system. `missing` counts what is in `gaps`; `awaited` what may still be merely late."""

    system: str
    series: str
    top: int
    heard_at: datetime
    missing: int
    awaited: int
    oldest: datetime | None
    case: int | None
    anew: Began | None
    gaps: tuple[Gap, ...]
    more: bool


async def read_gaps(connection: Connection) -> list[Sender]:
    """Every numbered sender that was ever heard; the oldest gaps, `more` where a sender has others."""
    sql = blocks("gaps.sql")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        senders = await connection.fetch(sql["series"])
        runs = await connection.fetch(sql["runs"], RUNS_MAX)
    found: dict[tuple[str, str], list[Gap]] = {}
    for x in runs:
        gap = Gap(x["first"], x["last"], x["last"] - x["first"] + 1, x["since"])
        found.setdefault((x["system"], x["series"]), []).append(gap)
    told = []
    for x in senders:
        gaps = tuple(found.get((x["system"], x["series"]), ()))
        anew = None
        if x["anew_at"] is not None:
            anew = Began(x["anew_at"], x["anew_from"], x["anew_to"], x["anew_missing"])
        told.append(
            Sender(
                system=x["system"], series=x["series"], top=x["top"], heard_at=x["heard_at"], missing=x["missing"],
                awaited=x["awaited"], oldest=x["oldest"], case=x["case"], anew=anew, gaps=gaps,
                more=sum(gap.count for gap in gaps) < x["missing"],
            )
        )  # fmt: skip
    return told
