"""The shapes of a story: what the API answers as JSON and the page draws. Nothing here is personal."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from crossdock.model.money import Money
from crossdock.model.quantity import Quantity

Tone = Literal["blocked", "waiting", "moving", "done"]
Classifier = Literal["actual", "estimated", "planned", "missing", "open", "unreported"]
"""actual: it happened. estimated, planned: somebody said when. missing: that time has passed. open: nobody said when.
unreported: passed over, what came after it has happened, and nobody ever told us of it.
"""
Standing = Literal["in step", "pending", "looking up", "refused", "unclear", "nothing to do"]


class Said(msgspec.Struct, frozen=True):
    """A piece of a sentence: text, or an instant that the reader's zone decides how to write."""

    text: str = ""
    at: datetime | None = None


class Headline(msgspec.Struct, frozen=True):
    title: str
    facts: tuple[str, ...] = ()
    amount: Money | None = None
    amount_of: str = ""


class Milestone(msgspec.Struct, frozen=True):
    """One point of the line. `standing` marks the one everybody looks at."""

    name: str
    label: str
    classifier: Classifier
    at: datetime | None = None
    standing: Literal["", "waiting", "blocked"] = ""
    note: str = ""


class SystemRow(msgspec.Struct, frozen=True):
    """What one system acknowledged last, and whether it is in step."""

    system: str
    called: str
    role: str
    acknowledged: str
    document: str
    at: datetime | None
    attempts: int
    standing: Standing
    trouble: str = ""
    effect: str = ""
    effects: int = 0
    failing_since: datetime | None = None


class Line(msgspec.Struct, frozen=True):
    """One order line; quantities in `unit`."""

    line: str
    item: str
    unit: str
    price: Decimal
    currency: str
    ordered: Decimal
    open: Decimal
    reserved: Decimal
    allocated: Decimal
    picked: Decimal
    shipped: Decimal
    delivered: Decimal
    extras: dict[str, Decimal] = {}
    location: str = ""
    """The node that serves it; empty before stock was set aside."""
    instead_of: str = ""
    """The item that was ordered, where this one was packed in its place."""
    lot: str = ""
    kit_of: str = ""
    """The line of the kit that it is a component of."""

    @property
    def each(self) -> Money:
        return Money(self.price, self.currency)


class Package(msgspec.Struct, frozen=True):
    sscc: str
    tracking: str
    weight: Quantity
    milestone: str
    content: tuple[tuple[str, str, str, Quantity], ...]
    """(order thread, line, item, quantity)"""


class Link(msgspec.Struct, frozen=True):
    """Another thread in one line."""

    thread: str
    kind: str
    title: str
    phase: str
    waiting_on: str
    waiting_since: datetime | None
    done: bool


class Lack(msgspec.Struct, frozen=True):
    """A fact that a gate needs and that has not come: what, and who owes it (`called`: as people say it)."""

    fact: str
    what: str
    owed_by: str
    called: str


class Waiting(msgspec.Struct, frozen=True):
    """A gate that stands closed although its step is due; `text` says it, but for `since`. `thread`: where, if it is a linked one."""

    gate: str
    step: str
    thing: str
    since: datetime | None
    missing: tuple[Lack, ...]
    text: str
    thread: str = ""


class Decision(msgspec.Struct, frozen=True):
    """What the hub decided by the company's tables, and by which of their rules."""

    about: str
    answer: str
    because: str


class Case(msgspec.Struct, frozen=True):
    """An open case that this thread is linked to; `key` is what it blocks here."""

    number: int
    title: str
    detail: str
    owner: str
    cause: str
    opened_at: datetime
    thread: str
    key: str
    retryable: bool


class Lineage(msgspec.Struct, frozen=True):
    """Where each of the four stages of an entry is to be found; empty where there is none."""

    message: str = ""
    event: str = ""
    effects: tuple[str, ...] = ()
    attempt: int = 0
    answered: bool = False


class Entry(msgspec.Struct, frozen=True):
    """One thing that happened. `at` is when we knew; `occurred_at` when it happened, where that is another time."""

    id: str
    at: datetime
    text: str
    system: str
    what: Literal["event", "attempt", "effect"]
    type: str
    tone: Literal["", "bad", "unsure", "good"]
    technical: bool
    lineage: Lineage
    occurred_at: datetime | None = None
    attempt: int = 0
    thread: str = ""
    """Where it happened, when that is a linked thread."""


class Story(msgspec.Struct, frozen=True):
    """Everything about one thread."""

    thread: str
    kind: str
    headline: Headline
    tone: Tone
    sentence: tuple[Said, ...]
    phase: str
    waiting_on: str
    waiting_since: datetime | None
    whose_move: str
    done: bool
    waiting: list[Waiting]
    milestones: list[Milestone]
    systems: list[SystemRow]
    decisions: list[Decision]
    lines: list[Line]
    packages: list[Package]
    linked: list[Link]
    cases: list[Case]
    timeline: list[Entry]
    next: str
    as_of: datetime
