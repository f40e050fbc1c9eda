"""Orders and shipments in a small world of partners whose messages come late, twice, in any order, or never.

The world answers what the processes ask for, as the partners would; a script of numbers decides what happens
next. Whatever it does, the promises below hold after every single step.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.model import order as o
from crossdock.model import shipment as s
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.operations import TimerFired
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.model.stock import ClaimGranted, ClaimRefused
from crossdock.processes import intents as i
from crossdock.processes.catalogue import PROCESSES
from crossdock.processes.lines import lawful
from crossdock.processes.policy import Policy
from crossdock.processes.routing import OrderRule, Routing

START = datetime(2026, 1, 15, 8, tzinfo=UTC)
ORDER = "order/shop/1"
REFERENCE = "shop/1"
POLICY = Policy(
    erp="erp", warehouse="wms", carrier="ups", location="SITE1", notify=("crm",), follow=("erp", "crm"), channels=("shop",)
)  # fmt: skip
RECEIVED = o.OrderReceived(
    number="#1", reference=REFERENCE, channel="shop", total=Money(Decimal("29.50"), "EUR"),
    lines=(
        o.OrderLine("1", "WID-1", Quantity(Decimal(2)), Money(Decimal("12.50"), "EUR")),
        o.OrderLine("2", "CBL-1", Quantity(Decimal(1)), Money(Decimal("4.50"), "EUR")),
    ),
)  # fmt: skip
SHIPMENTS = {"wms/S-1": (("1", "WID-1", 2),), "wms/S-2": (("2", "CBL-1", 1),)}
STEPS_MAX = 400


@dataclass
class World:
    """Threads, messages under way, what was asked for, and the stock ledger's books."""

    script: list[int]
    lossy: bool
    polite: bool = False
    """A polite world repeats and overtakes, but loses nothing and refuses nothing."""
    end: s.Milestone = "delivered"
    """How the parcels' ways end."""
    states: dict[str, Any] = field(default_factory=dict)
    log: dict[str, list[Recorded]] = field(default_factory=lambda: defaultdict(list))
    under_way: list[Recorded] = field(default_factory=list)
    asked: dict[tuple[str, ...], bytes] = field(default_factory=dict)
    posted: set[str] = field(default_factory=set)
    books: Counter[tuple[str, str]] = field(default_factory=Counter)
    doubled: set[str] = field(default_factory=set)
    lost: int = 0
    warehouse: str = "waiting"
    _count: int = 0
    _at: int = 0

    def choose(self, among: int) -> int:
        value = self.script[self._at % len(self.script)] if self.script else 0
        self._at += 1
        return (value + self._at // max(1, len(self.script))) % among if self.script else 0

    def say(self, thread: str, data: msgspec.Struct, *, about: str = "", source: str = "partner") -> None:
        """Put a message under way; the hub's own events exist exactly once, partners' may be doubled or lost."""
        self._count += 1
        at = START + timedelta(seconds=self._count)
        self.under_way.append(
            Recorded(
                thread=thread, type=TYPE_OF[type(data)], data=data, id=f"e{self._count}", source=source, occurred_at=at,
                recorded_at=at, about=about,
            )
        )  # fmt: skip

    def run(self) -> None:
        for _ in range(STEPS_MAX):
            if not self.under_way:
                return
            event = self.under_way.pop(self.next())
            fate = self.choose(10) if event.source == "partner" else 9
            if fate == 0 and self.lossy:
                self.lost += 1
                continue
            self.take(event)
            if fate == 1 and event.id not in self.doubled:
                self.doubled.add(event.id)
                self.under_way.append(event)

    def next(self) -> int:
        """Partners' messages overtake each other; what one thread tells another stands in the log in its order."""
        at = self.choose(len(self.under_way))
        chosen = self.under_way[at]
        if chosen.source == "partner":
            return at
        return next(
            n for n, x in enumerate(self.under_way) if (x.source, x.thread) == (chosen.source, chosen.thread)
        )

    def take(self, event: Recorded) -> None:
        process = PROCESSES[event.thread.partition("/")[0]]
        before = self.states.get(event.thread, process.initial(event.thread))
        step = process.step(before, event, POLICY)
        self.states[event.thread] = step.state
        self.log[event.thread].append(event)
        if event.type == "goodsIssue.posted.v1":
            self.posted.add(event.about)
        assert all(lawful(line) for line in getattr(step.state, "lines", ()))
        assert process.summary(step.state, POLICY).phase
        for intent in step.intents:
            self.carry_out(event.thread, intent)

    def carry_out(self, thread: str, intent: i.Intent) -> None:
        match intent:
            case i.Do():
                self.do(thread, intent)
            case i.Tell():
                self.say(intent.thread, intent.data, source=thread)
            case i.Claim():
                self.claim(thread, intent)
            case i.Move():
                self.move(intent)
            case i.SetTimer():
                self.say(thread, TimerFired(intent.name), source="timers")

    def claim(self, thread: str, claim: i.Claim) -> None:
        if not self.polite and self.choose(4) == 0:
            self.say(thread, ClaimRefused(claim.claim, claim.lines), source="ledger")
            return
        for line in claim.lines:
            self.books[line.place.item, "firm_claim"] += int(line.quantity.value)
        self.say(thread, ClaimGranted(claim.claim, claim.lines), source="ledger")

    def move(self, move: i.Move) -> None:
        """The ledger's promise: nothing is taken from a bucket that does not hold it."""
        if move.source != "outside":
            self.books[move.place.item, move.source] -= int(move.quantity)
        self.books[move.place.item, move.target] += int(move.quantity)
        assert all(
            n >= 0 for (_, bucket), n in self.books.items() if bucket in ("firm_claim", "allocated", "picked")
        )

    def do(self, thread: str, do: i.Do) -> None:
        """One identity, one meaning, for ever; the partner acts at its first sight only."""
        identity = (thread, do.kind, do.object, str(do.generation), do.account)
        payload = msgspec.json.encode(do.payload)
        known = self.asked.get(identity)
        if known is not None:
            assert known == payload, f"{identity} was asked for with two meanings"
            return
        self.asked[identity] = payload
        if do.kind == "invoice.release":
            assert do.object in self.posted, "an invoice before its goods issue"
        self.answer(thread, do)

    def answer(self, thread: str, do: i.Do) -> None:
        refuse = not self.polite and self.choose(6) == 0
        match do.kind:
            case "order.check":
                held = refuse and do.generation < 3
                checks = tuple(o.LineCheck(x.line, True, x.ordered) for x in do.payload.lines)  # type: ignore[attr-defined]
                self.say(thread, o.OrderChecked("blocked" if held else "ok", checks))
            case "sales_order.create":
                self.say(thread, o.SalesOrderPosted("4711"))
            case "sales_order.cancel":
                self.say(thread, o.SalesOrderCancelled("4711"))
            case "warehouse_order.release":
                self.fulfil(thread)
            case "warehouse_order.cancel":
                self.stop(thread)
            case "label.create":
                packages = tuple(s.LabelledPackage(x.sscc, f"1Z{x.sscc}") for x in do.payload.packages)  # type: ignore[attr-defined]
                self.say(
                    thread, s.LabelGenerated("ups", f"L-{do.object}", packages, Money(Decimal(7), "EUR"))
                )
            case "tracking.subscribe":
                for tracking in do.payload.tracking:  # type: ignore[attr-defined]
                    for milestone in ("in_transit", "out_for_delivery", self.end):
                        self.say(
                            thread,
                            s.MilestoneReached(milestone, "ACT", tracking, "ups", START + timedelta(days=1)),
                        )
            case "goods_issue.post":
                self.say(thread, s.GoodsIssuePosted(f"D-{do.object}", f"M-{do.object}"), about=do.object)
            case "fulfilment.create":
                self.say(thread, o.FulfilmentCreated("F"), about=do.object)
            case "invoice.release":
                self.say(thread, o.InvoiceReleased(f"I-{do.object}", ""), about=do.object)
            case "freight.accrue":
                self.say(thread, s.FreightAccrued("A", Money(Decimal(7), "EUR")))

    def fulfil(self, thread: str) -> None:
        """The warehouse takes the order, allocates, packs two shipments and lets them go."""
        self.say(thread, o.OrderReleased("WO-1"))
        self.warehouse = "working"
        lines = tuple(o.LineAllocation(x.line, x.item, x.ordered, "SITE1") for x in RECEIVED.lines)
        self.say(thread, o.OrderAllocated(lines))
        if self.choose(5) == 0 and not self.polite:
            return
        self.let_go()

    def let_go(self) -> None:
        """Two shipments are packed and leave; a warehouse that is asked again tells of them again, and packs none anew."""
        if self.warehouse == "packed":
            return
        self.warehouse = "packed"
        for key, content in SHIPMENTS.items():
            lines_ = tuple(o.LineShipped(REFERENCE, n, item, Quantity(Decimal(q))) for n, item, q in content)
            package = (s.Package(key[-1], Quantity(Decimal(1), "KGM"), lines_),)
            self.say(f"shipment/{key}", s.ShipmentPacked(key, "SITE1", package))
            self.say(f"shipment/{key}", s.ShipmentDeparted(key, "SITE1", package))

    def stop(self, thread: str) -> None:
        stopped = self.warehouse == "working"
        self.say(thread, o.CancellationAnswered(stopped, "" if stopped else "packed already"))


SCRIPTS = st.lists(st.integers(0, 997), min_size=1, max_size=60)


def play(
    script: list[int], *, cancel: bool = False, lossy: bool = False, polite: bool = False, gone: bool = False
) -> World:
    """`gone`: goods left before this hub heard of the order, as after a restore from a backup."""
    world = World(script, lossy, polite)
    world.say(ORDER, RECEIVED)
    if gone:
        world.let_go()
    if cancel:
        world.say(ORDER, o.OrderCancelRequested(REFERENCE, "customer"))
    world.run()
    assert not world.under_way, "the world has no end"
    return world


@settings(max_examples=300)
@given(SCRIPTS, st.booleans(), st.booleans(), st.booleans())
def test_no_course_of_events_breaks_a_promise(
    script: list[int], cancel: bool, lossy: bool, gone: bool
) -> None:
    """Law of the line, one meaning per effect, invoice after goods issue, nothing taken that is not there."""
    play(script, cancel=cancel, lossy=lossy, gone=gone)


@settings(max_examples=100)
@given(SCRIPTS, st.booleans())
def test_replaying_the_events_rebuilds_the_state(script: list[int], cancel: bool) -> None:
    """State is nothing but a fold of the log."""
    world = play(script, cancel=cancel, lossy=True)
    for thread, events in world.log.items():
        process = PROCESSES[thread.partition("/")[0]]
        state = process.initial(thread)
        for event in events:
            state = process.step(state, event, POLICY).state
        assert state == world.states[thread]


@settings(max_examples=150)
@given(SCRIPTS, st.booleans())
def test_an_order_completes_when_every_message_comes_at_last(script: list[int], gone: bool) -> None:
    """Doubled and overtaking messages change nothing about the end: shipped, delivered, invoiced once each."""
    world = play(script, polite=True, gone=gone)

    done = PROCESSES["order"].summary(world.states[ORDER], POLICY)
    kinds = Counter(kind for _, kind, *_ in world.asked)
    assert done.done, done
    assert (done.phase, kinds["goods_issue.post"], kinds["invoice.release"]) == ("completed", 2, 2)
    assert (kinds["fulfilment.create"], kinds["sales_order.change"]) == (2, 0)
    assert {item: n for (item, bucket), n in world.books.items() if bucket == "outside"} == {
        "WID-1": 2,
        "CBL-1": 1,
    }


@settings(max_examples=150)
@given(SCRIPTS, st.sampled_from(["delivered", "lost", "returned"]))
def test_everybody_hears_that_it_left_and_how_it_ended(script: list[int], end: s.Milestone) -> None:
    """Scans that overtake the ship confirmation wait for it; the notices keep their order."""
    world = World(script, lossy=False, polite=True, end=end)
    world.say(ORDER, RECEIVED)
    world.run()

    recorded = {(account, about) for _, kind, about, _, account in world.asked if kind == "milestone.record"}
    assert recorded >= {("crm", f"{shipment}/{end}") for shipment in SHIPMENTS}
    told = [about for _, kind, about, *_ in world.asked if kind == "customer.notify"]
    for shipment in SHIPMENTS if end in POLICY.notify_about else ():
        assert told.index(f"shipped/{shipment}") < told.index(f"{end}/{shipment}")


@settings(max_examples=150)
@given(SCRIPTS)
def test_a_cancelled_order_holds_no_stock(script: list[int]) -> None:
    """Wherever the cancellation meets the order, what is not shipped goes back, and nothing is billed for it."""
    world = play(script, cancel=True)
    state = world.states[ORDER]

    if state.phase == "cancelled":
        assert not any(
            n for (_, bucket), n in world.books.items() if bucket in ("firm_claim", "allocated", "picked")
        )
        assert all(line.shipped + line.cancelled == line.ordered for line in state.lines)


@settings(max_examples=150)
@given(SCRIPTS, st.booleans())
def test_a_cancellation_always_comes_to_an_end(script: list[int], gone: bool) -> None:
    """Stopped in time or too late: where no message is lost, the order is closed, and nobody waits for anything."""
    world = play(script, cancel=True, polite=True, gone=gone)

    assert world.states[ORDER].phase in ("cancelled", "completed")


def test_each_company_has_its_own_rules() -> None:
    """Whose order it is follows from the routing table; its policy counts for every step after that."""
    table = Routing(orders=(OrderRule("us", channel=("shop",), company="US"), OrderRule("eu", company="EU")))
    of_us = Policy(erp_check="none", notify=("portal",), notify_about=("approved",))
    policy = msgspec.structs.replace(POLICY, routing=table, companies={"US": of_us, "EU": POLICY})
    order = PROCESSES["order"]
    asked: dict[str, list[str]] = {}
    for shop in ("shop", "other"):
        at = START
        data = msgspec.structs.replace(RECEIVED, channel=shop)
        event = Recorded(
            thread=ORDER,
            type="order.received.v1",
            data=data,
            id="1",
            source=shop,
            occurred_at=at,
            recorded_at=at,
        )
        step = order.step(order.initial(ORDER), event, policy)
        asked[step.state.company] = [type(x).__name__ for x in step.intents]

    assert asked == {"US": ["Claim"], "EU": ["Do"]}


STRAY = st.sampled_from([
    RECEIVED, o.OrderCancelRequested(REFERENCE), o.OrderCancelRequested(REFERENCE, final=True), o.OrderChecked("ok", ()), o.CreditReleased(), o.OrderReleased("WO-1"),
    o.OrderAllocated((o.LineAllocation("1", "WID-1", Quantity(Decimal(5)), "SITE1"),)), o.CancellationAnswered(True),
    o.LinesPacked("wms/S-1", (o.LineShipped(REFERENCE, "1", "WID-1", Quantity(Decimal(9))),)),
    o.LinesShipped("wms/S-1", "ups", ("1Z1",), (o.LineShipped(REFERENCE, "1", "WID-1", Quantity(Decimal(2))),)),
    o.LinesDelivered("wms/S-1", "ups", ("1Z1",), (o.LineShipped(REFERENCE, "7", "X", Quantity(Decimal(1))),)),
    o.SalesOrderPosted("4711"), o.SalesOrderCancelled("4711"), o.ReservationUpdated("R"), o.FulfilmentCreated("F"),
    o.InvoiceReleased("I", "wms/S-1"), s.GoodsIssuePosted("D", "M", "wms/S-1"), TimerFired("recheck"),
    s.MilestoneReached("in_transit", "ACT", "1Z1", "ups"), ClaimGranted("shop/1#0", ()), ClaimRefused("shop/1#0", ()),
    s.ShipmentPacked("wms/S-1", "SITE1", ()), s.ShipmentDeparted("wms/S-1", "SITE1", ()), s.LabelAttached("wms/S-1"),
    s.LabelGenerated("ups", "L", (s.LabelledPackage("1", "1Z1"),)), s.TrackingSubscribed(("1Z1",)),
])  # fmt: skip


@settings(max_examples=300)
@given(st.sampled_from(["order", "shipment", "identifier", "message", "stock"]), st.lists(STRAY, max_size=25))
def test_even_impossible_orders_of_events_crash_nothing(kind: str, events: list[msgspec.Struct]) -> None:
    """Events nobody asked for, in any order, at any thread: every step has a state, a verdict and a summary."""
    process = PROCESSES[kind]
    state = process.initial(f"{kind}/x")
    for number, data in enumerate(events):
        at = START + timedelta(seconds=number)
        event = Recorded(
            thread=f"{kind}/x", type=TYPE_OF[type(data)], data=data, id=str(number), source="x", occurred_at=at, recorded_at=at
        )  # fmt: skip
        step = process.step(state, event, POLICY)
        state = step.state
        assert all(lawful(line) for line in getattr(state, "lines", ()))
        assert process.summary(state, POLICY).phase
