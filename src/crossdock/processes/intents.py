"""What a process may want. Intents are values; the runtime carries them out in the batch's one transaction."""

from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from crossdock.model.stock import Bucket, ClaimLine, CostLayer, StockPlace

Mode = Literal["ordered", "latest", "independent"]
ClaimKind = Literal["soft", "firm"]

KIND_MODE: Final[dict[str, Mode]] = {
    "order.check": "independent",
    "availability.publish": "latest",
    "item.fetch": "independent",
    "inbound.fetch": "independent",
    "case.tell": "independent",
}
"""How effects of a kind relate within their lane; every kind not named here is `ordered`."""


class Do(msgspec.Struct, frozen=True, gc=False):
    """Tell or ask the outside world. (thread, kind, object, generation) is the effect's identity for ever."""

    kind: str
    account: str
    object: str
    payload: msgspec.Struct
    lane: str
    generation: int = 0
    people: bytes | None = None
    subject: bytes | None = None
    priority: int = 5
    """0 first; effects of equal priority are served by age."""


class Tell(msgspec.Struct, frozen=True, gc=False):
    """An event to another thread; its id derives from the cause and the target, so it exists once."""

    thread: str
    data: msgspec.Struct
    sealed: bytes | None = None
    subject: bytes | None = None


class Bind(msgspec.Struct, frozen=True, gc=False):
    """Events that name this identifier belong to this thread from now on."""

    scheme: str
    issuer: str
    value: str


class Takes(msgspec.Struct, frozen=True, gc=False):
    """A checkout's claim that an order names: it is taken over where it is of this channel and of no other order.

    Where the order cannot be served yet it is kept for it, for `keep_seconds` of the business clock: until `keep_until`.
    """

    claim: str
    channel: str
    keep_seconds: int
    keep_until: datetime | None = None


class Claim(msgspec.Struct, frozen=True, gc=False):
    """Ask the ledger for stock; the answer is `claim.granted` or `claim.refused` to this thread.

    All or nothing, unless `partial`: then whatever there is, if there is any.
    """

    claim: str
    lines: tuple[ClaimLine, ...]
    nodes: tuple[str, ...] = ()
    """Locations that may serve it, the preferred first, before those the lines name: one that can serve all of it
    does, else lines are split over them in this order."""
    partial: bool = False
    kind: ClaimKind = "firm"
    expires_at: datetime | None = None
    """On the business clock; what is open of it then goes back by itself. None: it stays."""
    good_on: date | None = None
    """Any lot that may be sold on this day serves a line that names none, the first to expire first. None: only the
    lot that the line names."""
    sets: tuple[tuple[str, int], ...] = ()
    """(line, how many kits its components make up): taken in whole kits, each from one node."""
    as_sold: bool = False
    """As claims of other programs are served: any lot that may be sold on the day on which it is decided, and kits by
    their components (a process knows neither clock nor master data)."""
    consigned: tuple[tuple[str, str], ...] = ()
    """(location, supplier) whose goods serve a line that names no owner, where there are none of our own."""
    takes: Takes | None = None
    channel: str = ""
    """Whose orders may take it over; empty: nobody's."""


class Move(msgspec.Struct, frozen=True, gc=False):
    """One double entry. `claim` names the claim it uses up or frees: what is claimed moves only so."""

    place: StockPlace
    source: Bucket
    target: Bucket
    quantity: Decimal
    unit: str
    claim: str = ""
    line: str = ""
    expires_on: date | None = None
    """Until when the goods it brings may be sold."""
    at: datetime | None = None
    """When it happened, where that is another instant than the event's."""
    cost: CostLayer | None = None
    """Where the source names it."""
    cause: str = ""
    """The event that told it, where it could not be booked at that event."""


class Publish(msgspec.Struct, frozen=True, gc=False):
    """What channels may sell of this item at this location may have changed."""

    item: str
    location: str


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """Fire `timer.fired` to this thread `after_seconds` of the business clock from now; the same name replaces."""

    name: str
    after_seconds: int


class ClearTimer(msgspec.Struct, frozen=True, gc=False):
    name: str


class OpenCase(msgspec.Struct, frozen=True, gc=False):
    """A person must settle `cause`; equal fingerprints are one case with many threads."""

    fingerprint: str
    problem: str
    cause: str
    title: str
    detail: str = ""
    owner: str = "operations"
    key: str = ""
    """What within the thread is blocked (an effect id, say); closing names it again."""


class CloseCase(msgspec.Struct, frozen=True, gc=False):
    """This thread no longer needs anybody for `key`."""

    key: str
    because: str


class Withdraw(msgspec.Struct, frozen=True, gc=False):
    """Take back an effect that was not sent yet, or was refused: its case is closed. One that is under way answers as usual."""

    kind: str
    object: str
    generation: int = 0
    because: str = "it is not wanted any more"


class Retry(msgspec.Struct, frozen=True, gc=False):
    """Let a refused or unclear effect be tried again: a new attempt of the same effect.

    With `posting_on` a refused one, which certainly was not booked, carries this posting date from now on.
    """

    effect: str
    posting_on: date | None = None


Intent = (
    Do
    | Tell
    | Bind
    | Claim
    | Move
    | Publish
    | SetTimer
    | ClearTimer
    | OpenCase
    | CloseCase
    | Withdraw
    | Retry
)

Verdict = Literal["applied", "duplicate", "stale", "waiting", "ignored"]


class Summary(msgspec.Struct, frozen=True, gc=False):
    """What every list shows of a thread: where it stands, what it waits on, whose move it is."""

    phase: str
    waiting_on: str = ""
    owner: str = ""
    done: bool = False
    number: str = ""
    """What people quote it by, where that is not its key: an order's `#1042`."""
    units: tuple[str, ...] = ()
    """The handling units in it, as SSCCs (GS1, 18 digits)."""
    lots: tuple[tuple[str, str], ...] = ()
    """(item, lot) of the goods in it, each once; the lot is empty where nobody said it."""
    expects: tuple[datetime, datetime] | None = None
    """(since when, until when) the next thing is expected that must come in time; None where there is none."""


class Step(msgspec.Struct, frozen=True, gc=False):
    """The outcome of one event: the next state, what follows from it, and what became of the event itself."""

    state: msgspec.Struct
    intents: tuple[Intent, ...] = ()
    verdict: Verdict = "applied"
