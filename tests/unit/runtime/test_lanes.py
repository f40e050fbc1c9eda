"""Lanes against a small model: order within a lane, freedom between lanes, and a parked lane that stops nobody else."""

from dataclasses import dataclass, field
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from crossdock.runtime.lanes import Entry, Lanes
from crossdock.store.effects import MODES, State

ORDERED, INDEPENDENT = MODES["ordered"], MODES["independent"]
LANES = (b"one", b"two", b"three")


def entry(
    seq: int, lane: bytes = LANES[0], *, mode: int = ORDERED, priority: int = 5, not_before: float = 0.0
) -> Entry:
    return Entry(
        UUID(int=seq), seq, "k", "o", lane, mode, priority, State.PENDING, 0, "order/x", 1, not_before
    )


@dataclass
class Model:
    """What the lanes should know."""

    lanes: Lanes = field(default_factory=Lanes)
    waiting: dict[bytes, list[int]] = field(default_factory=dict)
    flying: dict[int, Entry] = field(default_factory=dict)
    settled: list[int] = field(default_factory=list)
    now: float = 0.0
    seq: int = 0
    held: set[bytes] = field(default_factory=set)

    def hold(self, lane: bytes) -> None:
        """Held lanes are let go, and free ones held."""
        self.held = self.held ^ {lane}
        self.lanes.heed((lambda one: one.lane in self.held) if self.held else None)

    def add(self, lane: bytes) -> None:
        self.seq += 1
        self.lanes.add(entry(self.seq, lane, priority=self.seq % 4))
        self.waiting.setdefault(lane, []).append(self.seq)

    def take(self, count: int) -> None:
        for one in self.lanes.take(count, self.now):
            assert one.lane not in self.lanes.parked
            assert one.lane not in self.held
            assert one.seq == self.waiting[one.lane][0], "overtaken within its lane"
            assert not any(other.lane == one.lane for other in self.flying.values()), (
                "two of one lane at once"
            )
            self.flying[one.seq] = one

    def settle(self, seq: int, *, park: bool) -> None:
        one = self.flying.pop(seq)
        self.lanes.settle(one, park=park)
        self.waiting[one.lane].remove(seq)
        self.settled.append(seq)


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["add", "take", "settle", "park", "again", "wait", "hold"]), st.integers(0, 5)), max_size=80
)  # fmt: skip


@given(ACTIONS)
def test_a_lane_keeps_its_order_whatever_happens(actions: list[tuple[str, int]]) -> None:
    """One at a time per lane, oldest first; a retried head is not overtaken; a parked or held lane gives nothing."""
    model = Model()
    for name, value in actions:
        flying = sorted(model.flying)
        match name:
            case "add":
                model.add(LANES[value % len(LANES)])
            case "take":
                model.take(value)
            case "settle" | "park" if flying:
                model.settle(flying[value % len(flying)], park=name == "park")
            case "again" if flying:
                one = model.flying.pop(flying[value % len(flying)])
                model.lanes.again(one, model.now + value)
            case "wait":
                model.now += value
            case "hold":
                model.hold(LANES[value % len(LANES)])


@given(ACTIONS)
def test_nothing_is_forgotten(actions: list[tuple[str, int]]) -> None:
    """Once everything in flight ends well, holds are lifted and time passes, every effect of an unparked lane has gone out."""
    model = Model()
    for name, value in actions:
        match name:
            case "add":
                model.add(LANES[value % len(LANES)])
            case "take":
                model.take(value)
            case "again" if model.flying:
                one = model.flying.pop(min(model.flying))
                model.lanes.again(one, model.now + value)
            case "hold":
                model.hold(LANES[value % len(LANES)])
    for lane in [*model.held]:
        model.hold(lane)
    for _ in range(model.seq * 3 + 1):
        model.now += 10
        model.take(100)
        for seq in sorted(model.flying):
            model.settle(seq, park=False)

    assert sorted(model.settled) == list(range(1, model.seq + 1))
    assert not model.lanes.lines
    assert not model.lanes.known


def test_the_most_urgent_goes_first_and_equals_by_age() -> None:
    """Across lanes only priority and age count."""
    lanes = Lanes()
    for seq, priority in ((1, 5), (2, 1), (3, 5), (4, 0)):
        lanes.add(entry(seq, bytes([seq]), priority=priority))

    assert [one.seq for one in lanes.take(4, 0.0)] == [4, 2, 1, 3]


def test_independent_effects_do_not_wait_for_their_lane() -> None:
    """A question may be asked while another one of the same object is open."""
    lanes = Lanes()
    for seq in (1, 2, 3):
        lanes.add(entry(seq, mode=INDEPENDENT))

    assert len(lanes.take(3, 0.0)) == 3


def test_a_reopened_effect_frees_its_parked_lane() -> None:
    """After a person retried it, the effect that parked the lane goes first, then its followers."""
    lanes = Lanes()
    first, second = entry(1), entry(2)
    lanes.add(first)
    lanes.add(second)
    lanes.take(1, 0.0)
    lanes.settle(first, park=True)
    assert lanes.take(5, 0.0) == []

    lanes.add(entry(1))

    [again] = lanes.take(5, 0.0)
    assert again.seq == 1
    lanes.settle(again)
    assert [one.seq for one in lanes.take(5, 0.0)] == [2]


def test_a_settled_parker_frees_its_lane() -> None:
    """A person said that it was done: its followers go, and nothing of another lane changes."""
    lanes = Lanes()
    first, second, other = entry(1), entry(2), entry(3, LANES[1])
    for one in (first, second, other):
        lanes.add(one)
    lanes.take(5, 0.0)
    lanes.settle(first, park=True)
    lanes.settle(other, park=True)

    lanes.free(first.id)

    assert [one.seq for one in lanes.take(5, 0.0)] == [2]
    assert lanes.parked == {LANES[1]: 3}


def test_what_a_person_wants_now_does_not_wait() -> None:
    """An effect that was put off goes at once, and only once; its old moment means nothing any more."""
    lanes = Lanes()
    lanes.add(entry(1, not_before=7.0))

    lanes.now(UUID(int=1), State.RETRY)

    [one] = lanes.take(5, 1.0)
    assert one.state is State.RETRY
    lanes.again(one, 20.0)
    assert lanes.take(5, 8.0) == []
    assert lanes.take(5, 20.0) == [one]


def test_when_the_target_is_back_the_oldest_goes_first() -> None:
    """What failed and was put off is before what came since; a look-up waits for its own time."""
    lanes = Lanes()
    for seq in (1, 2, 3):
        lanes.add(entry(seq, bytes([seq])))
    first, second = lanes.take(2, 0.0)
    first.state, second.state = State.RETRY, State.OUTCOME_UNKNOWN
    for one in (first, second):
        lanes.again(one, 30.0)

    lanes.hurry()

    assert [one.seq for one in lanes.take(5, 1.0)] == [1, 3]


def test_what_can_never_succeed_is_not_all_that_is_tried_at_a_dead_target() -> None:
    """Each waiting effect has its turn as the probe, however old or urgent the first; back, all go by age again."""
    lanes = Lanes()
    for seq, priority in ((1, 0), (2, 5), (3, 9)):
        lanes.add(entry(seq, bytes([seq]), priority=priority))
    tried = []
    for _ in range(6):
        [probe] = lanes.take(1, 0.0)
        tried.append(probe.seq)
        probe.state = State.RETRY
        lanes.probed(probe)
        lanes.again(probe, 0.0)
    assert tried == [1, 2, 3] * 2

    [last] = lanes.take(1, 0.0)
    lanes.hurry()
    lanes.settle(last)

    assert [one.seq for one in lanes.take(5, 0.0)] == [2, 3]


def test_what_was_held_goes_on_by_age() -> None:
    """Lifted, the held lanes are served as if nobody had held them; what was never held did not wait."""
    lanes = Lanes()
    lanes.heed(lambda one: one.seq != 3)
    for seq in (2, 1, 3):
        lanes.add(entry(seq, bytes([seq])))
    assert [one.seq for one in lanes.take(5, 0.0)] == [3]
    assert not lanes.has_ready

    lanes.heed(None)

    assert [one.seq for one in lanes.take(5, 0.0)] == [1, 2]


def test_the_next_moment_is_the_earliest_retry() -> None:
    """Delivery sleeps until then and no longer."""
    lanes = Lanes()
    assert lanes.next_at() is None
    for seq, moment in ((1, 7.0), (2, 3.0)):
        lanes.add(entry(seq, bytes([seq]), not_before=moment))

    assert lanes.next_at() == 3.0
    assert lanes.take(5, 2.9) == []
    assert [one.seq for one in lanes.take(5, 3.0)] == [2]


def test_the_same_effect_twice_is_one() -> None:
    """The journal is read again after a reconnect."""
    lanes = Lanes()
    lanes.add(entry(1))
    lanes.add(entry(1))

    assert len(lanes.take(5, 0.0)) == 1
    assert lanes.take(5, 0.0) == []


LATEST = MODES["latest"]


def test_a_newer_number_goes_in_the_place_of_the_one_that_waits() -> None:
    """No call is spent on what was replaced, and what changes again and again is not overtaken by what does not."""
    lanes = Lanes()
    for seq, lane in ((1, 0), (2, 1), (3, 0), (4, 2), (5, 0)):
        lanes.add(entry(seq, LANES[lane], mode=LATEST, priority=8))

    assert [one.seq for one in lanes.take(9, 0.0)] == [5, 2, 4]
    assert len(lanes.known) == 3


def test_a_newer_number_is_as_urgent_as_the_one_it_replaces() -> None:
    """The channel still shows what was urgent to correct."""
    lanes = Lanes()
    lanes.add(entry(1, LANES[0], mode=LATEST, priority=8))
    lanes.add(entry(2, LANES[1], mode=LATEST, priority=12))
    lanes.add(entry(3, LANES[0], mode=LATEST, priority=30))

    assert [one.seq for one in lanes.take(1, 0.0)] == [3]


def test_what_is_being_told_is_not_replaced() -> None:
    """A newer number waits for the answer to the one that is under way, or is looked up."""
    lanes = Lanes()
    first, unclear = entry(1, LANES[0], mode=LATEST), entry(2, LANES[1], mode=LATEST)
    unclear.state = State.OUTCOME_UNKNOWN
    lanes.add(first)
    lanes.add(unclear)
    [flying] = lanes.take(1, 0.0)
    lanes.add(entry(3, LANES[0], mode=LATEST))
    lanes.add(entry(4, LANES[1], mode=LATEST))

    assert flying is first
    assert [one.seq for one in lanes.take(9, 0.0)] == [2]
    lanes.settle(first)
    lanes.settle(unclear)
    assert [one.seq for one in lanes.take(9, 0.0)] == [3, 4]


@given(st.lists(st.tuples(st.sampled_from(LANES), st.integers(8, 31)), max_size=30))
def test_of_each_lane_the_newest_is_told_and_no_other(added: list[tuple[bytes, int]]) -> None:
    """Whatever was wished for before; the most urgent wish of a lane counts for it."""
    lanes = Lanes()
    for seq, (lane, priority) in enumerate(added, 1):
        lanes.add(entry(seq, lane, mode=LATEST, priority=priority))
    newest = {lane: seq for seq, (lane, _) in enumerate(added, 1)}
    urgency = {lane: min(p for x, p in added if x == lane) for lane, _ in added}

    taken = lanes.take(99, 0.0)

    assert {one.lane: one.seq for one in taken} == newest
    assert [urgency[one.lane] for one in taken] == sorted(urgency.values())
