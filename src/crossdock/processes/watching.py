"""Who is told what happens to a case: whoever watches it, has it, or owns it, and did not do it themselves."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec

from crossdock.model.requests import CaseChange

TOLD: Final = ("assign", "comment", "resolve", "retry", "closed", "opened again", "overdue")
"""Actions of a case's history that watchers hear of; tags, snoozes and other watchers are nobody else's business."""
ADDRESS_LENGTH_MAX: Final = 254


class Telling(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """How watchers are told; without a system they read it on the console."""

    system: str = ""
    """A system whose connector carries out `case.tell`, as `email` does."""
    wait_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 60
    """Changes of one case within so many seconds are one message."""
    people: dict[str, str] = {}
    """Person or role → e-mail address."""
    console: str = ""
    """Where the console is reached, as https://hub.example.com: links begin with it."""

    def address(self, who: str) -> str:
        """Where this person, role or bare address is written to; empty where nobody knows."""
        if not self.system:
            return ""
        return self.people.get(who, who if is_address(who) else "")

    def link(self, number: int) -> str:
        return f"{self.console.rstrip('/')}/cases/C-{number}" if self.console else ""


class Watched(msgspec.Struct, frozen=True, gc=False):
    """What of a case decides who is told."""

    owner: str
    assignee: str
    watchers: tuple[str, ...]


class Note(msgspec.Struct, frozen=True, gc=False):
    """A line of a case's history that was not told yet."""

    id: int
    at: datetime
    who: str
    action: str


def is_address(text: str) -> bool:
    """Whether it is written as an e-mail address; whether mail can be sent there, its connector knows."""
    local, at, domain = text.rpartition("@")
    return bool(local and at and "." in domain) and len(text) <= ADDRESS_LENGTH_MAX and text.isprintable()


def told(
    case: Watched, notes: Sequence[Note], telling: Telling
) -> Iterator[tuple[str, tuple[CaseChange, ...]]]:
    """(address, what changed) for each address once; nobody hears of what they did themselves."""
    heard: dict[str, dict[int, CaseChange]] = {}
    for who in sorted({*case.watchers, case.assignee, case.owner} - {""}):
        address = telling.address(who)
        if not address:
            continue
        for note in notes:
            if note.action in TOLD and note.who != who:
                heard.setdefault(address, {})[note.id] = CaseChange(note.at, note.action, note.who)
    for address, changes in heard.items():
        yield address, tuple(changes[x] for x in sorted(changes))
