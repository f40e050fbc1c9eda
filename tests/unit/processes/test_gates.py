"""Gates: no order of events takes a step before what it needs, and what is told to wait has not been asked for.

The oracle knows no table: it looks at which facts were heard before, and nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.model import order as o
from crossdock.model import shipment as s
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.model.stock import ClaimGranted, ClaimLine, StockPlace
from crossdock.processes import gates
from crossdock.processes.catalogue import PROCESSES
from crossdock.processes.intents import Do, Tell, Withdraw
from crossdock.processes.policy import Policy

START = datetime(2026, 11, 26, 8, tzinfo=UTC)
REFERENCE = "shop/1"
SHIPMENTS = {"wms/S-1": ("1", "WID-1"), "wms/S-2": ("2", "CBL-1")}
SOURCES: dict[type, str] = {
    s.GoodsIssueReversed: "erp", s.GoodsIssueReversalRequested: "crossdock", o.LinesShipped: "crossdock",
}  # fmt: skip
LINES = tuple(
    o.OrderLine(line, item, Quantity(Decimal(1)), Money(Decimal(5), "EUR"))
    for line, item in SHIPMENTS.values()
)
PRICE = Money(Decimal("7.77"), "EUR")
WITH_DELIVERY = Policy(
    erp="erp", warehouse="wms", carrier="ups", location="SITE1", channels=("shop",), approvals=("fraud",)
)
AT_GOODS_ISSUE = msgspec.structs.replace(WITH_DELIVERY, invoice_needs=("goods_issue",))
Said = tuple[msgspec.Struct, str]
"""(a fact, the object of the effect that it is the receipt of)"""


def boxed(shipment: str) -> tuple[o.LineShipped, ...]:
    line, item = SHIPMENTS[shipment]
    return (o.LineShipped(REFERENCE, line, item, Quantity(Decimal(1))),)


def of_order() -> list[Said]:
    """The facts of an order's life in their natural order."""
    granted = tuple(
        ClaimLine(x.line, StockPlace(x.item, "SITE1"), Quantity(Decimal(1))) for x in LINES
    )  # fmt: skip
    told: list[Said] = [
        (o.OrderReceived(number="#1", reference=REFERENCE, channel="shop", total=PRICE, lines=LINES), ""),
        (o.OrderChecked("ok", ()), ""), (ClaimGranted(f"{REFERENCE}#0", granted), ""), (o.HoldReleased("fraud"), ""),
        (o.SalesOrderPosted("4711"), ""),
    ]  # fmt: skip
    for shipment in SHIPMENTS:
        told += [
            (o.LinesPacked(shipment, boxed(shipment), "SITE1"), ""),
            (o.LinesShipped(shipment, "ups", (f"1Z{shipment[-1]}",), boxed(shipment), "SITE1"), ""),
            (s.GoodsIssuePosted("D", f"M{shipment[-1]}"), shipment),
            (o.LinesDelivered(shipment, "ups", (f"1Z{shipment[-1]}",), boxed(shipment)), ""),
        ]
    return told


def of_reversal() -> list[Said]:
    """A goods issue that is taken back and posted anew, and a departure that did not happen and then did."""
    wish = s.GoodsIssueReversalRequested("ann", "wrong day", shipment="wms/S-1", lines=boxed("wms/S-1"))
    stayed = msgspec.structs.replace(wish, never_left=True, shipment="wms/S-2", lines=boxed("wms/S-2"))
    return [
        (wish, ""), (s.GoodsIssueReversed("R1", "D", reverses="M1"), "wms/S-1"), (o.HoldReleased("reversed/wms/S-1"), ""),
        (s.GoodsIssuePosted("D", "M3"), "wms/S-1"), (stayed, ""), (s.GoodsIssueReversed("R2", reverses="M2"), "wms/S-2"),
        (o.LinesShipped("wms/S-2", "ups", ("1Z2",), boxed("wms/S-2"), "SITE1"), ""),
        (s.GoodsIssuePosted("D", "M4"), "wms/S-2"),
    ]  # fmt: skip


def of_shipment() -> list[Said]:
    package = (s.Package("1", Quantity(Decimal(1), "KGM"), boxed("wms/S-1")),)
    label = s.LabelGenerated("ups", "L-1", (s.LabelledPackage("1", "1Z1"),), PRICE)
    bill = s.FreightInvoiced("B-1", "ups", Money(Decimal("7.70"), "EUR"))
    return [
        (s.ShipmentPacked("wms/S-1", "SITE1", package), ""), (label, "wms/S-1"),
        (s.ShipmentDeparted("wms/S-1", "SITE1", package), ""), (s.FreightAccrued("A-1", PRICE), "wms/S-1"), (bill, ""),
    ]  # fmt: skip


@dataclass
class Course:
    """One thread, the facts it heard, and what it asked for."""

    thread: str
    policy: Policy
    heard: list[Said] = field(default_factory=list)
    asked: list[Do | Tell] = field(default_factory=list)
    state: Any = None

    def __post_init__(self) -> None:
        self.process = PROCESSES[self.thread.partition("/")[0]]
        self.state = self.process.initial(self.thread)

    def run(self, told: Iterable[Said]) -> None:
        for data, about in told:
            at = START + timedelta(minutes=len(self.heard))
            event = Recorded(
                thread=self.thread, type=TYPE_OF[type(data)], data=data, id=str(len(self.heard)), source=SOURCES.get(type(data), "wms"), occurred_at=at,
                recorded_at=at, about=about,
            )  # fmt: skip
            self.heard.append((data, about))
            step = self.process.step(self.state, event, self.policy)
            self.state = step.state
            for intent in step.intents:
                if isinstance(intent, Do | Tell):
                    self.check(intent)
                    self.asked.append(intent)
                if isinstance(intent, Withdraw):
                    self.take_back(intent)
            self.check_waiting()

    def take_back(self, what: Withdraw) -> None:
        named = (what.kind, what.object, what.generation)
        self.asked = [
            x for x in self.asked if not isinstance(x, Do) or (x.kind, x.object, x.generation) != named
        ]

    def knows(self, shape: type, object_: str = "") -> bool:
        """Whether such a fact was heard, of this shipment where one is named."""
        return any(
            isinstance(data, shape) and object_ in ("", about, getattr(data, "shipment", ""))
            for data, about in self.heard
        )

    def standing(self, shipment: str) -> set[str]:
        """Documents of goods issues that were posted and not taken back. What is taken back of nothing is nobody's."""
        posted: set[str] = set()
        gone: set[str] = set()
        packed = False
        for data, about in self.heard:
            mine = shipment in (about, getattr(data, "shipment", ""))
            packed = packed or (mine and isinstance(data, o.LinesPacked | o.LinesShipped))
            if mine and isinstance(data, s.GoodsIssuePosted):
                posted.add(data.document)
            if mine and packed and isinstance(data, s.GoodsIssueReversed):
                gone.add(data.reverses)
        return posted - gone

    def reversals(self, shipment: str) -> int:
        return len({
            data.document for data, about in self.heard if isinstance(data, s.GoodsIssueReversed) and about == shipment
        })  # fmt: skip

    def check(self, intent: Do | Tell) -> None:
        """By what was heard alone."""
        match intent:
            case Do(kind="warehouse_order.release"):
                assert self.knows(o.OrderChecked)
                assert self.knows(ClaimGranted)
                assert self.knows(o.HoldReleased)
            case Do(kind="goods_issue.post"):
                assert self.knows(o.LinesShipped, intent.object)
                assert self.knows(o.SalesOrderPosted)
                assert intent.generation <= self.reversals(intent.object)
            case Do(kind="goods_issue.reverse"):
                assert self.knows(s.GoodsIssueReversalRequested, intent.object)
                assert intent.payload.document in self.standing(intent.object)  # type: ignore[attr-defined]
            case Do(kind="fulfilment.create"):
                assert self.knows(o.LinesShipped, intent.object)
            case Do(kind="invoice.release"):
                assert intent.payload.goods_issue in self.standing(intent.object)  # type: ignore[attr-defined]
                assert self.knows(o.LinesDelivered, intent.object) or self.policy is AT_GOODS_ISSUE
            case Do(kind="freight.accrue") | Tell(data=o.LinesShipped()):
                assert self.knows(s.ShipmentPacked)
                assert self.knows(s.LabelGenerated)
                assert self.knows(s.ShipmentDeparted)
            case Do(kind="freight.adjust"):
                assert self.knows(s.FreightAccrued)
                assert self.knows(s.FreightInvoiced)

    def check_waiting(self) -> None:
        """What stands before a closed gate was not asked for, and every gate says of whom it waits for what."""
        asked = {(x.kind, x.object, x.generation) for x in self.asked if isinstance(x, Do)}
        for x in gates.closed(self.state, self.policy):
            assert (x.gate.opens, x.thing, self.generation(x.thing)) not in asked
            assert all(missing.what and missing.owed_by for missing in x.missing)

    def generation(self, shipment: str) -> int:
        """Of what is asked of this shipment now: an order counts the goods issues of it that were taken back."""
        parts = getattr(self.state, "parts", ())
        return next((x.issue + (x.reversing == "stayed") for x in parts if x.shipment == shipment), 0)


def kinds(course: Course) -> set[str]:
    return {x.kind if isinstance(x, Do) else TYPE_OF[type(x.data)] for x in course.asked}


GATED = {"warehouse_order.release", "goods_issue.post", "fulfilment.create", "invoice.release"}
GATED_OF_SHIPMENT = {"freight.accrue", "freight.adjust", "order.shipped.v1"}


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from([*of_order(), *of_reversal()]), max_size=40), st.permutations([*of_order(), *of_reversal()]),
    st.sampled_from([WITH_DELIVERY, AT_GOODS_ISSUE]),
)  # fmt: skip
def test_no_order_of_events_opens_a_gate_of_an_order_early(
    stray: list[Said], mixed: list[Said], policy: Policy
) -> None:
    """Facts doubled, lost and in any order, goods issues taken back among them; then all of them once more."""
    course = Course(f"order/{REFERENCE}", policy)
    course.run([*stray, *mixed, *of_order(), *of_reversal()])


@settings(max_examples=300)
@given(st.lists(st.sampled_from(of_shipment()), max_size=15), st.permutations(of_shipment()))
def test_no_order_of_events_opens_a_gate_of_a_shipment_early(stray: list[Said], mixed: list[Said]) -> None:
    """No accrual before departure, no adjustment before the accrual, no order hears of a departure without a label."""
    course = Course("shipment/wms/S-1", WITH_DELIVERY)
    course.run([*stray, *mixed, *of_shipment()])


@pytest.mark.parametrize(
    ("thread", "told", "wanted"),
    [
        (f"order/{REFERENCE}", of_order(), GATED),
        ("shipment/wms/S-1", of_shipment(), GATED_OF_SHIPMENT),
    ],
)
def test_the_natural_course_goes_through_every_gate(thread: str, told: list[Said], wanted: set[str]) -> None:
    """So the tests above look at gates that do open; in the end nothing waits."""
    course = Course(thread, WITH_DELIVERY)
    course.run(told)

    assert wanted <= kinds(course)
    assert list(gates.closed(course.state, WITH_DELIVERY)) == []


def test_a_gate_says_what_is_missing_whose_it_is_and_since_when() -> None:
    """The truck left at 8:06; the invoice waits for the ERP's document and the carrier's proof since then."""
    course = Course(f"order/{REFERENCE}", WITH_DELIVERY)
    course.run(of_order()[:7])

    found = {(x.gate.name, x.thing): x for x in gates.closed(course.state, WITH_DELIVERY)}
    invoice = found["invoice.release", "wms/S-1"]
    assert [(x.what, x.owed_by) for x in invoice.missing] == [
        ("goods issue", "erp"),
        ("proof of delivery", "ups"),
    ]
    assert invoice.since == START + timedelta(minutes=6)
    assert set(found) == {("invoice.release", "wms/S-1")}


def test_an_approval_of_a_company_stands_in_the_same_table() -> None:
    """A process of one's own holds the order by policy `approvals`: its gate names the hold."""
    course = Course(f"order/{REFERENCE}", WITH_DELIVERY)
    course.run(of_order()[:3])

    [waits] = gates.closed(course.state, WITH_DELIVERY)
    assert (waits.gate.name, waits.since) == ("order.release", START)
    assert [x.what for x in waits.missing] == ["release of the hold: fraud"]
