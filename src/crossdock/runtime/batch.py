"""One batch in memory: events in, what must be written out. No I/O; the worker loads before and writes after.

State changes go to an overlay; the worker swaps it into its cache only after the commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import blake2b
from typing import Any

import msgspec

from crossdock.model.envelope import HUB, Recorded
from crossdock.model.operations import IdentifierBound
from crossdock.model.party import People
from crossdock.model.registry import TYPE_OF, decode, encode
from crossdock.model.thread import hash16, identifier_thread, kind_of, partition_of
from crossdock.processes import blocked
from crossdock.processes import intents as i
from crossdock.processes.catalogue import OWN, PROCESSES, heard_by
from crossdock.processes.parallel import silences
from crossdock.processes.policy import Policy
from crossdock.processes.routing import consigned
from crossdock.store.batch import StateRow, lot_mark
from crossdock.store.log import Row, event_row
from crossdock.store.pool import as_text
from crossdock.store.stock import CLAIM_BUCKETS, Wish

_ENCODE = msgspec.msgpack.Encoder(decimal_format="string").encode
_DECODERS = {kind: msgspec.msgpack.Decoder(process.state) for kind, process in PROCESSES.items()}
RESUMED = "thread.resumed.v1"


class Thread(msgspec.Struct, gc=False):
    """A thread as this worker knows it. `parked` is the reason, or None."""

    hash: bytes
    key: str
    kind: str
    state: Any
    parked: str | None = None
    first_segment: int = 0
    waiting_on: str = ""
    waiting_since: datetime | None = None


def load_thread(hashed: bytes, key: str, row: Any) -> Thread:
    """From a `thread_state` row, or a thread that nobody heard of yet (`row` None)."""
    kind = kind_of(key)
    if row is None:
        process = PROCESSES.get(kind)
        return Thread(hashed, key, kind, process.initial(key) if process else None)
    state = _DECODERS[kind].decode(row["state"]) if kind in _DECODERS else None
    return Thread(
        hashed, key, kind, state, row["parked"], row["first_segment"], row["waiting_on"], row["waiting_since"]
    )


@dataclass(slots=True)
class Wanted:
    """A `Do` with where it came from."""

    do: i.Do
    thread: Thread
    cause: str
    withheld: str = ""
    """Why it is journaled and not sent."""
    people: People | None = None
    """Whom it tells, where that is in clear and no subject of a process."""


@dataclass(slots=True)
class Output:
    """Everything a batch writes, besides the cursors."""

    threads: dict[bytes, Thread] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    publish: dict[tuple[str, str], str] = field(default_factory=dict)
    binds: list[tuple[bytes, bytes, str, str, str, str]] = field(default_factory=list)
    timers: dict[tuple[bytes, str], tuple[int, str, int | None]] = field(default_factory=dict)
    cases: list[tuple[bytes, str, i.OpenCase | i.CloseCase]] = field(default_factory=list)
    withdrawn: list[tuple[str, i.Withdraw]] = field(default_factory=list)
    retried: dict[str, date | None] = field(default_factory=dict)
    """Effect → the posting date that it shall carry, where a person decided one."""
    parked: list[tuple[bytes, int, int, int, int]] = field(default_factory=list)
    resumed: list[bytes] = field(default_factory=list)
    accounts: set[str] = field(default_factory=set)
    """Whose delivery has something to do, once the batch is written."""


class Batch:
    """Applies events in order to threads given by the worker."""

    def __init__(
        self, threads: dict[bytes, Thread], policy: Policy, *, segment: int, generation: int, now: datetime
    ) -> None:
        self._known = threads
        self.policy = policy
        self._segment = segment
        self._generation = generation
        self.now = now
        self.out = Output()

    def take(self, row: Any, parked: Sequence[Any] = (), force_park: str | None = None) -> None:
        """One log row. `parked` are the thread's kept events when `row` resumes it."""
        thread = self._thread(row["thread"])
        if row["type"] == RESUMED and thread.parked is not None:
            thread.parked = None
            self.out.resumed.append(thread.hash)
            for kept in parked:
                self._one(thread, kept, None)
            return
        self._one(thread, row, force_park)

    def _thread(self, hashed: bytes) -> Thread:
        """The batch's own copy of a thread: the cached one stays as it was until the commit."""
        mine = self.out.threads.get(hashed)
        if mine is None:
            k = self._known[hashed]
            mine = Thread(
                k.hash, k.key, k.kind, k.state, k.parked, k.first_segment, k.waiting_on, k.waiting_since
            )
            mine.first_segment = mine.first_segment or self._segment
            self.out.threads[hashed] = mine
        return mine

    def _one(self, thread: Thread, row: Any, force_park: str | None) -> None:
        if thread.parked is None and force_park is not None:
            self._park(thread, force_park)
        if thread.parked is not None:
            self.out.parked.append((thread.hash, row["segment"], row["generation"], row["xid"], row["id"]))
            return
        try:
            event = _recorded(row)
            process = PROCESSES[thread.kind]
            step = process.step(thread.state, event, self.policy)
            follow_ups = (*step.intents, *blocked.intents(event))
            _check(follow_ups)
        except Exception as error:
            self._park(thread, f"{row['type']}: {type(error).__name__}: {error}"[:500])
            self.out.parked.append((thread.hash, row["segment"], row["generation"], row["xid"], row["id"]))
            return
        thread.state = step.state
        for place, intent in enumerate(follow_ups):
            self._carry_out(thread, intent, event, place)
        if thread.kind not in OWN and step.verdict not in ("duplicate", "stale"):
            for own in heard_by(event):
                self.append(own, event.data, cause=event.id, place="heard", occurred_at=event.occurred_at)

    def _park(self, thread: Thread, reason: str) -> None:
        thread.parked = reason
        case = i.OpenCase(
            f"parked/{thread.kind}/{reason}", "value", "mapping or process fault",
            f"A {thread.kind} cannot be processed: {reason}"[:200],
            "Its later events wait in order; all others go on. Fix the cause, then resume the thread.", "integration", "parked",
        )  # fmt: skip
        self.out.cases.append((thread.hash, thread.key, case))

    def _carry_out(self, thread: Thread, intent: i.Intent, event: Recorded, place: int) -> None:
        out = self.out
        match intent:
            case i.Do():
                withheld = silences(thread.state, intent, self.policy)
                out.wanted.append(Wanted(intent, thread, event.id, withheld))
            case i.Tell():
                self._tell(intent.thread, intent.data, event, place, intent.sealed, intent.subject)
            case i.Claim(as_sold=True):
                dated = msgspec.structs.replace(
                    intent, good_on=self.now.date(), consigned=consigned(self.policy.routing)
                )
                out.wishes.append(Wish(dated, thread.hash, thread.key, event.id, event.occurred_at))
            case i.Move(at=datetime() as at):
                out.wishes.append(Wish(intent, thread.hash, thread.key, event.id, at))
            case i.Claim() | i.Move():
                out.wishes.append(Wish(intent, thread.hash, thread.key, event.id, event.occurred_at))
            case i.Publish():
                out.publish[intent.item, intent.location] = event.id
            case i.Bind():
                self._bind(thread, intent, event, place)
            case i.SetTimer():
                out.timers[thread.hash, intent.name] = (
                    partition_of(thread.hash),
                    thread.key,
                    intent.after_seconds,
                )
            case i.ClearTimer():
                out.timers[thread.hash, intent.name] = (partition_of(thread.hash), thread.key, None)
            case i.OpenCase() | i.CloseCase():
                out.cases.append((thread.hash, thread.key, intent))
            case i.Withdraw():
                out.withdrawn.append((thread.key, intent))
            case i.Retry():
                out.retried[intent.effect] = intent.posting_on

    def _bind(self, thread: Thread, bind: i.Bind, event: Recorded, place: int) -> None:
        home = identifier_thread(bind.scheme, bind.issuer, bind.value)
        self.out.binds.append((hash16(home), thread.hash, bind.scheme, bind.issuer, bind.value, thread.key))
        self._tell(home, IdentifierBound(thread.key), event, place, None, None)

    def _tell(
        self, thread: str, data: msgspec.Struct, event: Recorded, place: int, sealed: bytes | None, subject: bytes | None
    ) -> None:  # fmt: skip
        self.append(
            thread,
            data,
            cause=event.id,
            place=place,
            occurred_at=event.occurred_at,
            sealed=sealed,
            subject=subject,
        )

    def append(
        self, thread: str, data: msgspec.Struct, *, cause: str, place: int | str, occurred_at: datetime | None = None,
        sealed: bytes | None = None, subject: bytes | None = None,
    ) -> None:  # fmt: skip
        """An event of our own, with an id derived from its cause and its target."""
        type_ = TYPE_OF[type(data)]
        digest = blake2b(f"{cause}\0{thread}\0{type_}\0{place}".encode(), digest_size=16).hexdigest()
        self.out.events.append(
            event_row(
                segment=self._segment, generation=self._generation, thread=thread, type_=type_, event_id=digest,
                source=HUB, occurred_at=occurred_at or self.now, data=encode(data), cause=cause, sealed=sealed,
                subject=subject,
            )
        )  # fmt: skip

    def finish(self) -> list[tuple[StateRow, bytes]]:
        """Rows for `thread_state`; to be called once, after the last event."""
        rows = []
        for thread in self.out.threads.values():
            process = PROCESSES.get(thread.kind)
            summary = process.summary(thread.state, self.policy) if process else i.Summary("unknown kind")
            if thread.parked is None and thread.hash in self.out.resumed:
                went_on = i.CloseCase("parked", "the thread was resumed and went on")
                self.out.cases.append((thread.hash, thread.key, went_on))
            if summary.waiting_on != thread.waiting_on or thread.waiting_since is None:
                thread.waiting_on, thread.waiting_since = summary.waiting_on, self.now
            row = StateRow(
                as_text(thread.hash), partition_of(thread.hash), thread.key, thread.kind, process.version if process else 0,
                summary.phase, summary.waiting_on, thread.waiting_since, summary.owner, summary.done, thread.parked,
                thread.first_segment, summary.number or None, " ".join(summary.units) or None,
                "\n".join(lot_mark(*x) for x in summary.lots) or None, *(summary.expects or (None, None)),
            )  # fmt: skip
            rows.append((row, _ENCODE(thread.state)))
        return rows


def _check(intents: Sequence[i.Intent]) -> None:
    """What is claimed moves only in the name of its claim. Raises `ValueError`: a fault of the process."""
    for intent in intents:
        if isinstance(intent, i.Move) and not intent.claim and intent.source in CLAIM_BUCKETS:
            raise ValueError(f"a move out of {intent.source} names no claim")


def _recorded(row: Any) -> Recorded:
    effect = row["effect"]
    return Recorded(
        thread=row["thread_key"], type=row["type"], data=decode(row["type"], row["data"]), id=row["event_id"],
        source=row["source"], occurred_at=row["occurred_at"], recorded_at=row["recorded_at"], sequence=row["sequence"],
        about=row["about"] or "", effect=str(effect) if effect else "", sealed=row["sealed"], subject=row["subject"],
    )  # fmt: skip
