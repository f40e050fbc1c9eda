"""References to log rows in URLs: `segment-partition-generation-xid-id`, every part a number."""

import re
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

_EVENT: Final = re.compile(r"^(\d{1,6})-(\d{1,2})-(\d{1,4})-(\d{1,19})-(\d{1,18})$")


@dataclass(frozen=True, slots=True)
class EventRef:
    segment: int
    p: int
    generation: int
    xid: int
    id: int


def event_ref(row: Any) -> str:
    return f"{row['segment']}-{row['p']}-{row['generation']}-{row['xid']}-{row['id']}"


def read_ref(text: str) -> EventRef | UUID | None:
    """An event's reference, an effect's id, or None for anything else."""
    found = _EVENT.match(text)
    if found:
        return EventRef(*map(int, found.groups()))
    try:
        return UUID(text)
    except ValueError:
        return None
