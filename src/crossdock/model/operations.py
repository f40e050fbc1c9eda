"""Events about the hub's own work: identifiers, messages, effects, timers, operators."""

from datetime import date, datetime
from typing import ClassVar, Literal

import msgspec

from crossdock.model.classes import DataClass


class IdentifierBound(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """From now on events that name this identifier belong to `thread`."""

    data_class: ClassVar[DataClass] = "internal"

    thread: str


class MessageNotTranslated(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An authenticated message that no mapping could read: it is kept, and a person is asked."""

    data_class: ClassVar[DataClass] = "internal"

    system: str
    channel: str
    problem: str
    """Technical class: parse, value, missing, unsupported, conflict."""
    path: str
    reason: str
    message: str


class MessageCorrected(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person corrected a message, or what was told in our own words; the original is kept as it came."""

    data_class: ClassVar[DataClass] = "internal"

    correction: int
    by: str
    reason: str
    gave: tuple[str, ...] = ()
    """Of a message that no mapping could read: the threads that it gave."""


class MessageReadAgain(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A message that could not be read was replayed, and today's mapping reads it."""

    data_class: ClassVar[DataClass] = "internal"

    replay: int
    by: str
    reason: str
    gave: tuple[str, ...] = ()


class CaseTold(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A message to somebody who watches a case was taken."""

    data_class: ClassVar[DataClass] = "internal"

    document: str


class NumberRun(msgspec.Struct, frozen=True, gc=False):
    """Consecutive numbers, both ends included."""

    data_class: ClassVar[DataClass] = "internal"

    first: int
    last: int


class NumbersCompared(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What is missing of a sender's running numbers changed, or the sender began to count anew.

    `missing` counts all, `runs` are the oldest. `anew`: where it stood, where it went on, how many were missing then.
    """

    data_class: ClassVar[DataClass] = "internal"

    system: str
    series: str
    missing: int
    runs: tuple[NumberRun, ...] = ()
    anew: tuple[int, ...] = ()
    anew_at: datetime | None = None


class EffectRefused(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The target said no for good: its lane is parked until a person settles it."""

    data_class: ClassVar[DataClass] = "internal"

    effect: str
    kind: str
    account: str
    code: str
    reason: str
    cause: str = ""
    """The business cause, where the connector knows it."""


class EffectUnclear(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """We cannot find out whether the target did it: a person must look."""

    data_class: ClassVar[DataClass] = "internal"

    effect: str
    kind: str
    account: str
    reason: str


class EffectRetryRequested(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An operator wants a refused or unclear effect tried again as it stands."""

    data_class: ClassVar[DataClass] = "internal"

    effect: str
    by: str
    reason: str
    posting_on: date | None = None
    """Of a refused one: the posting date that a person decided, with which it is sent this time."""


class EffectDecided(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person decided about an effect that no machine could settle: it was done, is sent once more, or is given up."""

    data_class: ClassVar[DataClass] = "internal"

    effect: str
    kind: str
    account: str
    decision: Literal["posted", "sent again", "given up"]
    by: str
    reason: str
    document: str = ""
    asked_by: str = ""
    """Who asked for it, where two people must agree."""


class PersonErased(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The keys of the person whom this thread names were destroyed: nothing personal of it can be read any more."""

    data_class: ClassVar[DataClass] = "internal"

    erasure: int
    by: str
    reason: str


class TimerFired(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A business-clock deadline passed."""

    data_class: ClassVar[DataClass] = "internal"

    name: str


ClockName = Literal[
    "warehouse acknowledgement", "label", "carrier acceptance", "first scan", "goods issue", "proof of delivery", "freight bill",
]  # fmt: skip


class Overdue(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Something that should have come by `due_at`. `thing` is the release or shipment that it is about."""

    data_class: ClassVar[DataClass] = "internal"

    clock: ClockName
    thing: str
    since: datetime
    due_at: datetime


class ClockRanOut(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A shipment of this order waits for something that did not come in time."""

    data_class: ClassVar[DataClass] = "internal"

    overdue: Overdue
    system: str
    """Who should have sent it."""


class ClockMet(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """It came after all, or nobody needs it any more."""

    data_class: ClassVar[DataClass] = "internal"

    clock: ClockName
    thing: str


class ThreadResumed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An operator (or a newer release) lets a parked thread go on, in the order its events came."""

    data_class: ClassVar[DataClass] = "internal"

    by: str
    reason: str
