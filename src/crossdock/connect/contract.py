"""The connector contract: what the hub hands a connector, and what it expects back.

A connector is a folder under `crossdock.connectors` (or an entry point of that group) with `manifest.toml` and a
`connector.py` that holds `CONNECTOR = Connector(...)`. It never sees the database, a process or the landscape.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, runtime_checkable

import msgspec

from crossdock.connect.transport import Transport
from crossdock.errors import Rejected
from crossdock.model.drift import Counted
from crossdock.model.envelope import NewEvent
from crossdock.model.party import People


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One set of credentials at a remote system: the thing that is rate-limited. Secrets are resolved values."""

    name: str
    connector: str
    base_url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """What arrived: header names in lower case, the body's raw bytes."""

    channel: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """The sender's own running number of a message: the next message of the same series has the next number."""

    series: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A message in the hub's words. `source_id` is the sender's id of this delivery's event, for duplicates.

    `unmapped` holds JSON Pointers of fields the mapping did not read: they are counted and shown. `content` stands for
    what the message says where the same may come in other bytes, as from a list; without it the raw bytes count.
    `ignored` says why nothing follows from a message that was understood; it is kept, and nobody is asked. `unread` are
    parts of a list that cannot be read (RFC 6901 paths): the rest counts, and a case tells of them.
    """

    source_id: str
    events: tuple[NewEvent, ...]
    unmapped: tuple[str, ...] = ()
    content: bytes = b""
    ignored: str = ""
    unread: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One attempt of one effect. `body` is what `render` returned; `effect` is stable over all attempts."""

    effect: str
    attempt: int
    kind: str
    body: bytes
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The target did it (now, or on an earlier attempt). `receipt` goes to the effect's thread as an event.

    A query that found nothing is done without a receipt. `sequence` is the target's own order of what the receipt
    says, where it has one: an older answer does not replace a newer one.
    """

    document: str
    receipt: msgspec.Struct | None = None
    answer: bytes = b""
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The target said no for good (a business rule, bad data): trying again as it stands is useless.

    `cause` is the business cause where the connector knows it: a name of `model.causes.CAUSES`.
    """

    code: str
    reason: str
    answer: bytes = b""
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLater:
    """The target certainly did not do it: not reached, throttled, or answered so. `after_seconds` is its own wish.

    `spares_attempt` is true for throttling: it says nothing about the effect and is not held against it.
    """

    reason: str
    after_seconds: float | None = None
    throttled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """It may or may not have been done: the answer was lost or made no sense."""

    reason: str


Outcome = Done | Refused | RetryLater | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The look-up worked and the effect is not there."""

    half_done: bool = False
    """True where it was begun and sending it again can only complete it: then nobody has to wait for the lost attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotTell:
    """The look-up did not work, or this kind has none."""

    reason: str
    for_ever: bool = False
    """True where no later look-up can do better: a person must decide."""


LookUp = Done | Absent | CannotTell


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One page of a declared list: objects that changed at `since` or later, the oldest change first.

    `page` is "" at first, then what the answer before named as `next`.
    """

    list: str
    since: datetime
    page: str
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What came: the partner's own bytes, and how the next page is asked for ("" after the last)."""

    body: bytes
    next: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One object of a page: the message that its sender would have sent, unsigned, and when it changed."""

    message: Inbound
    changed_at: datetime


Answer = Page | Refused | RetryLater


@runtime_checkable
class Lister(Protocol):
    """What a client does besides where its connector declares lists. Raises nothing, changes nothing."""

    async def changed(self, ask: Ask) -> Answer: ...


@runtime_checkable
class Reviver(Protocol):
    """What a client does besides where its partner gives up telling for good. Raises nothing."""

    async def revive(self, timeout_seconds: float) -> str | Refused | RetryLater:
        """Have the partner tell by itself again; returns what was done, "" where there was nothing to do."""
        ...


class Client(Protocol):
    """The only code that talks to the partner; one per account, living as long as the delivery process.

    It may keep tokens, cookies and ETags. It turns every answer into an outcome and raises nothing.
    """

    async def send(self, call: Call) -> Outcome: ...

    async def look_up(self, call: Call) -> LookUp: ...

    async def check(self) -> str:
        """Try the connection; returns a sentence, raises `CrossdockError` with the remedy."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StockPage:
    """A part of a stock snapshot. `after` leads to the next one and is empty at the end.

    `locations` are those the whole snapshot speaks for: what the ledger holds there and no row names is not there.
    `watermark` is the system's last event when it read this page, where it has an order of events.
    """

    rows: tuple[Counted, ...]
    locations: tuple[str, ...]
    after: str = ""
    watermark: int | None = None


class StockSource(Protocol):
    """Reads what the partner counts, page by page; raises nothing."""

    async def stock_page(self, after: str) -> StockPage | RetryLater | Refused: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """The abilities. Inbound-only or outbound-only connectors leave the others None.

    authenticate: raises `Unauthenticated`; looks at raw bytes only.
    translate: pure; raises `Malformed`, `Rejected` (with the path) or `Unsupported`.
    render: pure; canonical payload and people → the final body, stored sealed until it is sent.
    open: makes the client of one account.
    sign: pure; the headers with which the partner itself would send this message at its `received_at`, under a
    topic of its own ("" for none). `crossdock send` uses it; equal messages get equal delivery ids.
    rows: pure; a page of a declared list, received at an instant → its objects, each as the message that would have
    told of it; raises `Malformed` or `Rejected`. Translated, row and message have one source id and one content.
    The client that `open` makes is then a `Lister` as well.
    redate: pure; the body of an effect that the target refused → the same with another posting date; raises `Unsupported` for
    a kind whose manifest entry does not say `posting_date`.
    stock: makes what reads the account's stock snapshots.
    number: pure; the running number in a message's envelope, None where it bears none. Raises nothing, also for a message
    that cannot be translated: it came all the same.
    """

    authenticate: Callable[[Inbound, Account], None] | None = None
    translate: Callable[[Inbound, Account], Translation] | None = None
    render: Callable[[str, msgspec.Struct, People, Account], bytes] | None = None
    open: Callable[[Account, Transport], Client] | None = None
    sign: Callable[[Inbound, Account, str], Mapping[str, str]] | None = None
    rows: Callable[[str, bytes, datetime], tuple[Row, ...]] | None = None
    redate: Callable[[str, bytes, date], bytes] | None = None
    stock: Callable[[Account, Transport], StockSource] | None = None
    number: Callable[[Inbound], Numbered | None] | None = None
