"""The lines in which one account's effects keep their order. In memory, rebuilt from the journal at any time."""

from bisect import insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any
from uuid import UUID

from crossdock.connect.manifest import EffectTraits
from crossdock.store.effects import MODES, State
from crossdock.store.holds import Mark


@dataclass(slots=True)
class Entry:
    """An open effect. `not_before` is monotonic seconds."""

    id: UUID
    seq: int
    kind: str
    object: str
    lane: bytes
    mode: int
    priority: int
    state: State
    attempts: int
    thread_key: str
    segment: int
    not_before: float = 0.0
    deadline_at: datetime | None = None
    in_flight: bool = False
    marks: tuple[Mark, ...] = ()
    """What holds by item or cause ask of it; read only while there are such holds."""
    since: int = 0
    """Its place among effects of equal priority: that of the first one it replaced."""
    probes: int = 0
    """How often it went ahead to see whether a dead target is back, and failed: the others have their turn first."""

    def __post_init__(self) -> None:
        self.since = self.since or self.seq

    def __lt__(self, other: "Entry") -> bool:
        return self.seq < other.seq


def entry_of(row: Any, not_before: float) -> Entry:
    return Entry(
        row["id"], row["seq"], row["kind"], row["object"], row["lane"], row["mode"], row["priority"],
        State(row["state"]), row["attempts"], row["thread_key"], row["segment"], not_before, row["deadline_at"],
    )  # fmt: skip


def _waits(entry: Entry) -> bool:
    return not entry.in_flight and entry.state in (State.PENDING, State.RETRY)


def adopted(row: Any, traits: Mapping[str, EffectTraits], now: float, wall: datetime) -> Entry:
    """An open effect as found. One that was being sent by somebody who is gone has an unknown outcome."""
    entry = entry_of(row, 0.0)
    due = row["next_at"]
    if entry.state is State.SENDING:
        entry.state = State.OUTCOME_UNKNOWN
        due = wall + timedelta(seconds=traits[entry.kind].search_lag_seconds)
    if due is not None and due > wall:
        entry.not_before = now + (due - wall).total_seconds()
    return entry


@dataclass(slots=True)
class Lanes:
    """Heads of free lanes are ready; a parked lane holds its followers and nobody else, and so does a held head."""

    lines: dict[bytes, list[Entry]] = field(default_factory=dict)
    known: dict[UUID, Entry] = field(default_factory=dict)
    parked: dict[bytes, int] = field(default_factory=dict)
    parkers: dict[bytes, UUID] = field(default_factory=dict)
    """The effect that parked each lane."""
    _ready: list[tuple[int, int, int, Entry]] = field(default_factory=list)
    _later: list[tuple[float, int, Entry]] = field(default_factory=list)
    _held: Callable[[Entry], object] | None = None
    """Whether a person holds it; None while nobody holds anything here."""
    _probed: list[Entry] = field(default_factory=list)
    _aside: list[Entry] = field(default_factory=list)
    """What could go and is held; each keeps its place at the head of its lane."""

    def heed(self, held: Callable[[Entry], object] | None) -> None:
        """Other holds count from now on: what was put aside is looked at again, by its old urgency and age."""
        self._held = held
        aside, self._aside = self._aside, []
        for entry in aside:
            self._offer(entry)

    def add(self, entry: Entry) -> None:
        """A new or reopened effect. An effect that was parked and comes back frees its lane."""
        if entry.id in self.known:
            return
        if self.parked.get(entry.lane) == entry.seq:
            self.parkers.pop(entry.lane, None)
            del self.parked[entry.lane]
        self.known[entry.id] = entry
        if entry.mode == MODES["independent"]:
            self._offer(entry)
            return
        line = self.lines.setdefault(entry.lane, [])
        if entry.mode == MODES["latest"]:
            self._replace(line, entry)
        insort(line, entry)
        if line[0] is entry:
            self._offer_head(entry.lane)

    def _replace(self, line: list[Entry], entry: Entry) -> None:
        """The journal took back what waits for this lane when it wrote the newer one, which goes in its place: no call is
        spent on it, and what changes often does not fall behind for ever.
        """
        for old in [x for x in line if x.seq < entry.seq and _waits(x)]:
            line.remove(old)
            del self.known[old.id]
            entry.since = min(entry.since, old.since)
            entry.priority = min(entry.priority, old.priority)

    def _offer_head(self, lane: bytes) -> None:
        line = self.lines.get(lane)
        if line and not line[0].in_flight and lane not in self.parked:
            self._offer(line[0])

    def _offer(self, entry: Entry) -> None:
        if entry.not_before > 0:
            heappush(self._later, (entry.not_before, entry.seq, entry))
        else:
            self._line_up(entry)

    def _line_up(self, entry: Entry) -> None:
        heappush(self._ready, (entry.probes, entry.priority, entry.since, entry))

    def take(self, count: int, now: float) -> list[Entry]:
        """Up to `count` entries that may go now, most urgent first; each is in flight until `settle` or `again`."""
        while self._later and self._later[0][0] <= now:
            at, _, entry = heappop(self._later)
            if entry.not_before != at:
                continue  # it was put off again, or called forward, since
            entry.not_before = 0.0
            self._line_up(entry)
        taken: list[Entry] = []
        while self._ready and len(taken) < count:
            *_, entry = heappop(self._ready)
            if not self._may_go(entry):
                continue
            if self._held is not None and self._held(entry):
                self._aside.append(entry)
            else:
                entry.in_flight = True
                taken.append(entry)
        return taken

    def _may_go(self, entry: Entry) -> bool:
        if entry.in_flight or self.known.get(entry.id) is not entry or entry.not_before > 0:
            return False
        if entry.mode == MODES["independent"]:
            return True
        line = self.lines.get(entry.lane)
        return bool(line) and line[0] is entry and entry.lane not in self.parked  # type: ignore[index]

    def settle(self, entry: Entry, *, park: bool = False) -> None:
        """The effect ended (or was taken back, or parks its lane): the next of its lane may go."""
        self.known.pop(entry.id, None)
        entry.in_flight = False
        if entry.mode == MODES["independent"]:
            return
        line = self.lines.get(entry.lane)
        if line and entry in line:
            line.remove(entry)
        if not line:
            self.lines.pop(entry.lane, None)
        if park:
            self.parked[entry.lane], self.parkers[entry.lane] = entry.seq, entry.id
        else:
            self._offer_head(entry.lane)

    def free(self, effect: UUID) -> None:
        """A person settled the effect that parked its lane: what waits behind it may go."""
        for lane in [lane for lane, parker in self.parkers.items() if parker == effect]:
            del self.parkers[lane]
            self.parked.pop(lane, None)
            self._offer_head(lane)

    def now(self, effect: UUID, state: State) -> None:
        """A person wants it done now, whatever it waited for; one that is under way comes back by itself."""
        entry = self.known[effect]
        if not entry.in_flight:
            entry.state = state
            self.again(entry, 0.0)

    def hurry(self) -> None:
        """The target is back: what it failed at is tried now, so that the oldest goes first. Look-ups keep their time."""
        for entry in self._probed:
            entry.probes = 0
            if entry.not_before <= 0 and not entry.in_flight and self.known.get(entry.id) is entry:
                self._offer(entry)
        self._probed.clear()
        for _, _, entry in list(self._later):
            if entry.state is State.RETRY and entry.not_before > 0 and not entry.in_flight:
                self.again(entry, 0.0)

    def probed(self, entry: Entry) -> None:
        """It failed while the target was taken for dead: one that can never succeed must not be all that is ever tried."""
        if not entry.probes:
            self._probed.append(entry)
        entry.probes += 1

    def again(self, entry: Entry, not_before: float) -> None:
        """Not settled: the entry stays the head of its lane and is offered again later."""
        entry.in_flight = False
        entry.not_before = not_before
        if self.known.get(entry.id) is entry:
            self._offer(entry)

    def next_at(self) -> float | None:
        """When something becomes ready by time alone; None when nothing will."""
        return self._later[0][0] if self._later else None

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)
