"""Which effects an event led to, by asking the process again: processes are pure, effect ids are derived.

Exact for the policy in force; an effect that a former policy wanted has no cause here, and the page says so.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from crossdock.model.envelope import Recorded
from crossdock.model.registry import EVENTS, decode
from crossdock.model.thread import kind_of
from crossdock.processes.catalogue import PROCESSES
from crossdock.processes.intents import Do
from crossdock.processes.policy import Policy
from crossdock.store.effects import effect_id


def recorded(row: Any) -> Recorded:
    """A log row as a process sees it."""
    return Recorded(
        thread=row["thread_key"], type=row["type"], data=decode(row["type"], row["data"]), id=row["event_id"],
        source=row["source"], occurred_at=row["occurred_at"], recorded_at=row["recorded_at"], sequence=row["sequence"],
        about=row["about"] or "", effect=str(row["effect"] or ""), sealed=row["sealed"], subject=row["subject"],
    )  # fmt: skip


def effects_of_events(newest_first: Sequence[Any], policy: Policy) -> dict[int, tuple[str, ...]]:
    """Log id of each event → ids of the effects it led to. The threads must be there from their first event."""
    by_thread: dict[str, list[Any]] = {}
    for row in reversed(newest_first):
        by_thread.setdefault(row["thread_key"], []).append(row)
    found: dict[int, tuple[str, ...]] = {}
    for key, rows in by_thread.items():
        rows.sort(key=lambda r: (r["generation"], r["xid"], r["id"]))
        found |= _fold(key, rows, policy)
    return found


def _fold(key: str, rows: Iterable[Any], policy: Policy) -> dict[int, tuple[str, ...]]:
    process = PROCESSES.get(kind_of(key))
    found: dict[int, tuple[str, ...]] = {}
    if process is None:
        return found
    state = process.initial(key)
    for row in rows:
        if row["type"] not in EVENTS:
            continue
        try:
            step = process.step(state, recorded(row), policy)
        except (AssertionError, ValueError, KeyError, AttributeError, TypeError, StopIteration):
            return (
                found  # what parked the thread then, or a history cut off at its beginning: no claim is made
            )
        state = step.state
        wanted: list[UUID] = [
            effect_id(key, do.kind, do.object, do.generation, do.account)
            for do in step.intents
            if isinstance(do, Do)
        ]
        if wanted:
            found[row["id"]] = tuple(map(str, wanted))
    return found
