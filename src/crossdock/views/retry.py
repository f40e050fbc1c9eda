"""What retrying a case would do, said before it is done."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from crossdock.processes.stock import UNBOOKED
from crossdock.store.pool import Connection
from crossdock.views.names import Names
from crossdock.views.retryable import FREIGHT, HOLD
from crossdock.views.sql import blocks
from crossdock.views.story import link_of
from crossdock.views.story_material import decode_state
from crossdock.views.words import ask, counted

THREADS_MAX: Final = 12
"""Threads of one case that are named; the rest is counted."""


class Plan(msgspec.Struct, frozen=True):
    """`will` is one sentence per kind of thing; `threads` are (key, title) of those that wait, `more` are not named."""

    number: int
    will: tuple[str, ...]
    threads: tuple[tuple[str, str], ...]
    more: int


async def plans(connection: Connection, numbers: Sequence[int], names: Names) -> dict[int, Plan]:
    """By case number, from the cases' open links; nothing is changed."""
    sql = blocks("retry.sql")
    links: dict[int, list[Any]] = {number: [] for number in numbers}
    for link in await connection.fetch(sql["links"], numbers):
        links[link["case_id"]].append(link)
    ids = [UUID(link["key"]) for found in links.values() for link in found if len(link["key"]) == 36]
    effects = {str(row["id"]): row for row in await connection.fetch(sql["effects"], ids)}
    shown = {link["thread"] for found in links.values() for link in found[: 2 * THREADS_MAX]}
    rows = await connection.fetch(blocks("story.sql")["threads"], list(shown))
    titles = {row["thread_key"]: link_of(row, decode_state(row), names).title for row in rows}
    return {number: _plan(number, found, effects, titles, names) for number, found in links.items()}


def _plan(
    number: int, links: list[Any], effects: dict[str, Any], titles: dict[str, str], names: Names
) -> Plan:
    will = _effects([effects[link["key"]] for link in links if link["key"] in effects], names)
    parked = sum(1 for link in links if link["key"] == "parked")
    held = sum(1 for link in links if link["key"] == "hold")
    if parked:
        will.append(f"let {counted(parked, 'parked thread')} go on, in the order the events came")
    if held:
        will.append(f"check {counted(held, 'held order')} again")
    names_of_holds = dict.fromkeys(x["key"].removeprefix(HOLD) for x in links if x["key"].startswith(HOLD))
    will += [f"release the hold: {hold}" for hold in names_of_holds]
    bills = dict.fromkeys(x["key"].removeprefix(FREIGHT) for x in links if x["key"].startswith(FREIGHT))
    will += [f"accept freight bill {bill} and adjust the accrual to it" for bill in bills]
    unbooked = sum(1 for link in links if link["key"].startswith(UNBOOKED))
    if unbooked:
        will.append(f"book {counted(unbooked, 'move')} in the units that the item has now")
    keys = list(dict.fromkeys(link["thread_key"] for link in links))
    named = tuple((key, titles.get(key, key.rpartition("/")[2])) for key in keys[:THREADS_MAX])
    return Plan(number, tuple(will), named, len(keys) - len(named))


def _effects(rows: list[Any], names: Names) -> list[str]:
    groups: dict[tuple[str, str, bool], list[Any]] = {}
    for row in rows:
        if row["state"] in (5, 6):
            groups.setdefault((row["account"], row["kind"], row["state"] == 6), []).append(row)
    return [
        (f"look in {names.of(account)} first, then " if unclear else "") + f"ask {names.of(account)} to {ask(kind)}"
        f" for {', '.join(row['object'] for row in found[:5])}" + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        for (account, kind, unclear), found in groups.items()
    ]  # fmt: skip
