"""Clocks for what does not arrive: none speaks while all goes well; each opens one case and closes it again."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.operations import ClockRanOut, Overdue, TimerFired
from crossdock.model.order import LineShipped, OrderCancelRequested
from crossdock.model.party import Place
from crossdock.model.quantity import Quantity
from crossdock.processes import clocks
from crossdock.processes import intents as i
from crossdock.processes.catalogue import PROCESSES
from crossdock.processes.order_state import Part, State
from crossdock.processes.policy import Clocks, Policy
from crossdock.processes.routing import Node, Routing
from crossdock.processes.shipment_state import State as Shipment
from unit.processes.test_journeys import ORDER, POLICY, RECEIVED, SCRIPTS, World

START = datetime(2026, 1, 15, 8, tzinfo=UTC)
LINES = (LineShipped("shop/1", "1", "WID-1", Quantity(Decimal(2))),)


@dataclass
class Impatient(World):
    """Whenever the script says so, the clock of the thread that just moved runs out at once."""

    open: dict[tuple[str, str], int] = field(default_factory=dict)
    opened: int = 0

    def take(self, event: Recorded) -> None:
        super().take(event)
        expects = PROCESSES[event.thread.partition("/")[0]].summary(self.states[event.thread], POLICY).expects
        if expects is not None and self.choose(3) == 0:
            assert expects[0] <= expects[1]
            self.say(event.thread, TimerFired(f"{clocks.TIMER}{expects[1].isoformat()}"), source="timers")

    def carry_out(self, thread: str, intent: i.Intent) -> None:
        match intent:
            case i.OpenCase(key=key) if key.startswith(clocks.KEY):
                assert not self.open.get((thread, key)), "opened twice"
                self.open[thread, key] = 1
                self.opened += 1
            case i.CloseCase(key=key) if key.startswith(clocks.KEY):
                assert self.open.pop((thread, key), 0), "closed what was not open"
            case _:
                super().carry_out(thread, intent)


@settings(max_examples=200)
@given(SCRIPTS, st.booleans())
def test_every_case_of_a_clock_is_closed_in_the_end(script: list[int], cancel: bool) -> None:
    """Whatever runs out when, in whatever order things are told: one case at a time, and none is left when all has come."""
    world = Impatient(script, lossy=False, polite=True)
    world.say(ORDER, RECEIVED)
    if cancel:
        world.say(ORDER, OrderCancelRequested("shop/1", "customer"))
    world.run()

    assert world.open == {}
    assert all(not getattr(state, "overdue", ()) for state in world.states.values())


def test_the_clocks_did_run_out() -> None:
    """The world above is no idle one."""
    world = Impatient([0, 1, 2, 3, 4, 5, 6], lossy=False, polite=True)
    world.say(ORDER, RECEIVED)
    world.run()

    assert world.opened > 0


def test_while_all_goes_well_nothing_is_said() -> None:
    """A thread that is told in time opens no case, closes none, sets no timer for it, and ends expecting nothing."""
    world = World([], lossy=False, polite=True)
    said: list[i.Intent] = []
    carry_out = world.carry_out

    def noted(thread: str, intent: i.Intent) -> None:
        said.append(intent)
        carry_out(thread, intent)

    world.carry_out = noted  # type: ignore[method-assign]
    world.say(ORDER, RECEIVED)
    world.run()

    assert world.states[ORDER].phase == "completed"
    assert not [x for x in said if isinstance(x, i.OpenCase | i.CloseCase | i.SetTimer)]
    for thread, state in world.states.items():
        assert PROCESSES[thread.partition("/")[0]].summary(state, POLICY).expects is None


def left(**more: object) -> State:
    part = Part("wms/S-1", LINES, "ups", ("1Z1",), START, location="SITE1")
    return msgspec.structs.replace(
        State(
            form=2, phase="shipped", number="#1", reference="shop/1", destination=Place("DE"), parts=(part,)
        ),
        **more,
    )


def case_of(state: State, policy: Policy = POLICY) -> tuple[State, list[i.OpenCase]]:
    """The next clock of the order runs out."""
    expects = PROCESSES["order"].summary(state, policy).expects
    assert expects is not None
    event = Recorded(
        thread=ORDER, type="timer.fired.v1", data=TimerFired(f"{clocks.TIMER}{expects[1].isoformat()}"), id="t",
        source="crossdock", occurred_at=START, recorded_at=START,
    )  # fmt: skip
    step = PROCESSES["order"].step(state, event, policy)
    assert isinstance(step.state, State)
    return step.state, [x for x in step.intents if isinstance(x, i.OpenCase)]


@pytest.mark.parametrize(
    ("promised_on", "words"),
    [
        (None, "no day was promised"),
        (date(2026, 1, 14), "late for the customer"),
        (date(2026, 1, 15), "less than a day left"),
        (date(2026, 1, 19), "the promised day can be kept"),
    ],
)
def test_a_promise_makes_it_severe(promised_on: date | None, words: str) -> None:
    """The goods issue of Thursday morning is two hours overdue; the customer was promised that day, another, or none."""
    state, [case] = case_of(left(promised_on=promised_on))

    assert case.cause == "goods issue overdue"
    assert case.owner == "finance"
    assert words in case.title
    assert [x.clock for x in state.overdue] == ["goods issue"]


def test_the_first_to_run_out_is_expected_first() -> None:
    """Of an order that has left: the goods issue within two hours, then the proof of delivery a day after the promised one."""
    promised = left(promised_on=date(2026, 1, 16))
    order = PROCESSES["order"]
    assert order.summary(promised, POLICY).expects == (START, START + timedelta(hours=2))
    state, _ = case_of(promised)
    due = order.summary(state, POLICY).expects
    assert due is not None
    assert due[1] == datetime(2026, 1, 17, 22, 59, tzinfo=UTC), "in Berlin the day ends an hour earlier"


def test_a_clock_that_is_off_never_runs_out() -> None:
    """0 minutes: for ever."""
    never = msgspec.structs.replace(POLICY, clocks=Clocks(goods_issue_minutes=0, delivery_minutes=0))

    assert PROCESSES["order"].summary(left(), never).expects is None


def test_nobody_waits_for_what_others_do() -> None:
    """A supplier posts no goods issue, and an old system that still runs a site answers for it."""
    for node in (Node(warehouse="wms", kind="supplier"), Node(warehouse="wms", parallel=True)):
        policy = msgspec.structs.replace(POLICY, routing=Routing(nodes={"SITE1": node}))
        assert PROCESSES["order"].summary(left(), policy).expects is None


def test_a_bill_keeps_its_shipment_open_where_bills_are_watched() -> None:
    """Its case is the shipment's own: the orders were closed long before."""
    shipment = Shipment(
        shipment="wms/S-1", location="SITE1", carrier="ups", departed_at=START, delivered_at=START, accrual="A",
        freight=Money(Decimal(7), "EUR"),
    )  # fmt: skip
    watched = msgspec.structs.replace(POLICY, clocks=Clocks(freight_bill_minutes=60))
    process = PROCESSES["shipment"]
    assert process.summary(shipment, POLICY).done
    summary = process.summary(shipment, watched)
    assert not summary.done
    assert summary.waiting_on == "the freight bill of ups"
    assert summary.expects == (START, START + timedelta(hours=1))


def test_news_of_a_closed_order_is_stale() -> None:
    """A parcel that is scanned late opens no case of an order that is done."""
    data = ClockRanOut(Overdue("first scan", "wms/S-1", START, START), "ups-1")
    event = Recorded(
        thread=ORDER,
        type="clock.ranOut.v1",
        data=data,
        id="c",
        source="crossdock",
        occurred_at=START,
        recorded_at=START,
    )
    step = PROCESSES["order"].step(left(phase="completed"), event, POLICY)

    assert (step.verdict, step.intents) == ("stale", ())
