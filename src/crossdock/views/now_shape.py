"""The shapes of "is anything stuck": what `GET /v1/now` answers and the Now page draws. Nothing here is personal."""

from datetime import datetime

import msgspec

from crossdock.views.holds import Held
from crossdock.views.story_shape import Link, Said, Tone


class Flow(msgspec.Struct, frozen=True):
    """Effects of one kind that wait to be delivered to one account; `thread` is that of the oldest."""

    account: str
    called: str
    kind: str
    ask: str
    waiting: int
    capped: bool
    oldest: datetime
    thread: str
    reason: str
    next_at: datetime | None
    failing: bool
    paused: bool = False
    """The target is paused or drained: that it waits is wanted."""


class Target(msgspec.Struct, frozen=True):
    """One account's health. `parked` effects wait for a person, in as many `parked_lanes`."""

    account: str
    called: str
    role: str
    failing_since: datetime | None
    last_failure: str
    answered: bool
    """It answered at least once since it was last failing."""
    owned: bool
    """A delivery process has it."""
    waiting: int
    parked: int
    parked_lanes: int
    parked_since: datetime | None
    parked_thread: str
    delivered: int = 0
    """Of a subscriber: messages it took."""
    next_at: datetime | None = None
    """Of a subscriber: when a message that it did not take is sent again."""
    stopped: Held | None = None
    """The pause or drain that a person put on it."""


class Asked(msgspec.Struct, frozen=True):
    """One list of a system that is asked what changed; `found` changes were heard of only by asking."""

    system: str
    called: str
    list: str
    found: int
    last_found_at: datetime | None
    revived: int
    """How often its sender had given up telling and was made to tell again."""
    last_revived_at: datetime | None
    read_at: datetime | None
    """When it was last read to its end."""
    troubled_since: datetime | None
    trouble: str


class Cases(msgspec.Struct, frozen=True):
    """Open cases of one owner."""

    owner: str
    count: int
    oldest: datetime


class Waiting(msgspec.Struct, frozen=True):
    """Threads that wait on the same; `longest` is the one that waits since `oldest`."""

    waiting_on: str
    owner: str
    kind: str
    phase: str
    count: int
    oldest: datetime | None
    longest: Link | None


class Rate(msgspec.Struct, frozen=True):
    """One counter: per second over the last minute, and for each of the last minutes, oldest first; None: not sampled."""

    name: str
    per_second: float | None
    minutes: list[float | None]


class Behind(msgspec.Struct, frozen=True):
    """Events that are kept and not processed yet, and partitions of the log that no worker owns."""

    events: int
    oldest: datetime | None
    capped: bool
    unowned: int


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """Everything, worst first."""

    as_of: datetime
    empty: bool
    tone: Tone = "done"
    sentence: tuple[Said, ...] = ()
    behind: Behind
    last_event_at: datetime | None
    targets: list[Target]
    asked: list[Asked]
    flows: list[Flow]
    cases: list[Cases]
    waiting: list[Waiting]
    waiting_capped: bool
    rates: list[Rate]
    holds: list[Held] = []
    """What people hold, oldest first; pauses and drains among them."""
