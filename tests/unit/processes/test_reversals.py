"""A shipment whose goods issues are to be reversed: who must agree, and what of a departure that did not happen is undone."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from crossdock.model import order as o
from crossdock.model import shipment as s
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.processes import shipment, shipment_reversal
from crossdock.processes.intents import Do, Intent, Tell, Withdraw
from crossdock.processes.policy import Policy
from crossdock.processes.routing import Node, Routing

AT = datetime(2026, 11, 30, 23, 15, tzinfo=UTC)
BERLIN = Routing(nodes={"SITE1": Node(warehouse="wms", time_zone="Europe/Berlin")})
TWO = Policy(erp="erp", warehouse="wms", carrier="ups", routing=BERLIN)
ONE = msgspec.structs.replace(TWO, four_eyes=("event",))
LINES = (o.LineShipped("shop/1", "1", "WID-1", Quantity(Decimal(2))),)
BOXES = (s.Package("1", Quantity(Decimal(1), "KGM"), LINES),)
PRICE = Money(Decimal("7.77"), "EUR")
DEPARTED = s.ShipmentDeparted("S-1", "SITE1", BOXES)


class Life:
    """One shipment of the first warehouse; each event is an hour later than the one before, unless it says when."""

    def __init__(self, policy: Policy = TWO) -> None:
        self.policy, self.state, self.hours = policy, shipment.initial("shipment/wms/S-1"), 0
        self.wanted: list[Intent] = []
        self.verdict = ""

    def say(
        self, data: msgspec.Struct, *, source: str = "wms", about: str = "", at: datetime | None = None
    ) -> list[Any]:
        self.hours += 1
        when = at or AT + timedelta(hours=self.hours)
        event = Recorded(
            thread="shipment/wms/S-1", type=TYPE_OF[type(data)], data=data, id=str(self.hours), source=source,
            occurred_at=when, recorded_at=when, about=about,
        )  # fmt: skip
        step = shipment.step(self.state, event, self.policy)
        assert isinstance(step.state, shipment.State)
        self.state, self.verdict = step.state, step.verdict
        self.wanted += step.intents
        return list(step.intents)

    def leaves(self) -> list[Any]:
        """Packed, labelled, gone at a quarter past midnight in Berlin."""
        self.say(s.ShipmentPacked("S-1", "SITE1", BOXES))
        self.say(s.LabelGenerated("ups", "L", (s.LabelledPackage("1", "1Z1"),), PRICE), about="wms/S-1")
        return self.say(DEPARTED, at=AT)

    def wish(self, by: str, key: str, **more: Any) -> list[Any]:
        return self.say(s.GoodsIssueReversalRequested(by, "wrong", **more), source=f"operator/{key}")


def told(intents: Iterable[Intent], shape: type) -> list[Any]:
    return [x.data for x in intents if isinstance(x, Tell) and isinstance(x.data, shape)]


def dos(intents: Iterable[Intent], kind: str) -> list[Do]:
    return [x for x in intents if isinstance(x, Do) and x.kind == kind]


@pytest.mark.parametrize(("by", "key"), [("ann", "k1"), ("ann", "k2"), ("bob", "k1")])
def test_one_person_alone_reverses_nothing(by: str, key: str) -> None:
    """Neither with a second token nor under a second name."""
    life = Life()
    life.leaves()
    life.wish("ann", "k1")

    assert life.wish(by, key) == []
    assert life.state.reversal is not None


def test_a_second_person_confirms_the_same_wish_only() -> None:
    """Another wish takes the place of the first; the same one goes to every order with what it had in the boxes."""
    life = Life()
    life.leaves()
    life.wish("ann", "k1")
    assert life.wish("bob", "k2", never_left=True) == []
    assert life.state.reversal is not None
    assert life.state.reversal.by == "bob"

    [wish] = told(life.wish("cid", "k3", never_left=True), s.GoodsIssueReversalRequested)

    assert (wish.by, wish.shipment, wish.lines, wish.never_left) == ("bob", "wms/S-1", LINES, True)
    assert life.state.reversal is None


def test_without_four_eyes_one_is_enough() -> None:
    """Policy decides."""
    life = Life(ONE)
    life.leaves()

    assert len(told(life.wish("ann", "k1"), s.GoodsIssueReversalRequested)) == 1
    assert life.state.departed_at == AT


def test_what_has_not_left_has_no_goods_issue() -> None:
    """Nor is a scanned parcel one that never left."""
    life = Life(ONE)
    assert life.wish("ann", "k1") == []
    life.leaves()
    life.say(s.MilestoneReached("in_transit", "ACT", "1Z1", "ups"), source="ups")

    assert life.wish("ann", "k1", never_left=True) == []
    assert life.verdict == "stale"
    assert "scanned" in shipment_reversal.obstacle(life.state, never_left=True)
    assert shipment_reversal.obstacle(life.state, never_left=False) == ""


def test_freight_follows_the_departure_that_counts() -> None:
    """Accrued on the day at the node, taken off when it never left, accrued anew under a name of its own."""
    life = Life(ONE)
    [first] = dos(life.leaves(), "freight.accrue")
    assert (first.object, first.payload.posting_on.isoformat()) == ("wms/S-1", "2026-12-01")  # type: ignore[attr-defined]
    life.say(s.FreightAccrued("A-1", PRICE), source="erp", about="wms/S-1")

    undone = life.wish("ann", "k1", never_left=True)

    [off] = dos(undone, "freight.adjust")
    assert (off.payload.accrual, off.payload.difference.amount) == ("A-1", -PRICE.amount)  # type: ignore[attr-defined]
    assert (life.state.departed_at, life.state.accrual) == (None, "")
    assert life.say(DEPARTED, at=AT) == []
    assert life.verdict == "duplicate"
    [again] = dos(life.say(DEPARTED), "freight.accrue")
    assert (again.object, again.generation) == ("wms/S-1~1", 1)
    life.say(s.FreightAccrued("A-2", PRICE), source="erp", about="wms/S-1~1")
    assert life.state.accrual == "A-2"


def test_an_accrual_that_was_under_way_is_taken_off_when_it_is_known() -> None:
    """Also where the next departure was faster; the accrual that counts is not touched."""
    life = Life(ONE)
    life.leaves()
    undone = life.wish("ann", "k1", never_left=True)
    assert dos(undone, "freight.adjust") == []
    assert [(x.kind, x.object) for x in undone if isinstance(x, Withdraw)] == [("freight.accrue", "wms/S-1")]
    life.say(DEPARTED)
    life.say(s.FreightAccrued("A-2", PRICE), source="erp", about="wms/S-1~1")

    [off] = dos(life.say(s.FreightAccrued("A-1", PRICE), source="erp", about="wms/S-1"), "freight.adjust")

    assert off.payload.accrual == "A-1"  # type: ignore[attr-defined]
    assert life.state.accrual == "A-2"


def test_the_orders_hear_when_it_left_though_they_hear_it_late() -> None:
    """No label at the departure: the order is told with the departure's own time."""
    life = Life()
    life.say(s.ShipmentPacked("S-1", "SITE1", BOXES))
    life.say(DEPARTED, at=AT)

    label = s.LabelGenerated("ups", "L", (s.LabelledPackage("1", "1Z1"),), PRICE)
    [left] = told(life.say(label, about="wms/S-1"), o.LinesShipped)

    assert left.at == AT
