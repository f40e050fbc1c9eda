"""Customers change their orders while warehouses work on them; every message may be late and overtake others.

A small warehouse and an ERP with their own rules stand opposite the order; a script of numbers says what happens next.
"""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.model import order as o
from crossdock.model.operations import TimerFired
from crossdock.model.quantity import Quantity
from crossdock.model.shipment import GoodsIssuePosted
from crossdock.model.stock import LotRecalled
from crossdock.processes.intents import Do, Intent, OpenCase
from crossdock.processes.policy import Policy
from unit.processes.order_floor import PRICE, Floor

ITEMS = ("WID-1", "CBL-1")
STOCK = 40
POLICY = Policy(
    erp="erp", erp_check="wait", warehouse="wms", location="SITE1", channels=("shop",), notify_about=(), follow=()
)  # fmt: skip
SOON = date(2026, 12, 31)
AT_ONCE = msgspec.structs.replace(POLICY, erp="", erp_check="none", shortage="backorder")
Pieces = dict[str, int]
"""Of each item that is more than none."""


class House(Floor):
    """One order, a warehouse, an ERP. Calls keep their order per partner; news of one box, and nothing else, keep theirs."""

    def __init__(
        self, wanted: Pieces, shelves: dict[tuple[str, str], tuple[int, date | None]] | None = None
    ) -> None:
        self.calls: dict[str, list[Do]] = {"wms": [], "erp": []}
        self.news: list[list[tuple[msgspec.Struct, str]]] = []
        self.work: dict[int, dict[str, Any]] = {}
        self.left: Pieces = {}
        self.erp: Pieces | None = None
        self.delivered: Pieces = {}
        self.cases: list[str] = []
        self.gone_before: Pieces = {}
        """Of each item's recalled lot, what had left by then."""
        self.wanted, self.version = wanted, 0
        self.too_much = False
        ordered = [(item, wanted.get(item, 0)) for item in ITEMS]
        shelves = shelves or {(item, ""): (STOCK, None) for item in ITEMS}
        super().__init__(ordered, shelves, policy=POLICY)

    def carry_out(self, intent: Intent) -> None:
        super().carry_out(intent)
        if isinstance(intent, OpenCase):
            self.cases.append(intent.key)
        if isinstance(intent, Do) and intent.account in self.calls:
            self.calls[intent.account].append(intent)

    def edit(self, wanted: Pieces) -> None:
        """The customer wants something else."""
        self.version += 1
        self.wanted = wanted
        lines = tuple(
            o.OrderLine(str(n), item, Quantity(Decimal(wanted[item])), PRICE)
            for n, item in enumerate(ITEMS, 1)
            if wanted.get(item)
        )
        data = o.OrderReceived(number="#1", reference="shop/1", channel="shop", total=PRICE, lines=lines)
        self.say(data, sequence=self.version)

    def act(self, choice: int) -> bool:
        """One thing that can happen, if any can."""
        ways: list[Any] = [lambda name=name: self.answer(name) for name, calls in self.calls.items() if calls]
        ways += [lambda box=box: self.hear(box) for box in self.news]
        ways += [
            lambda n=n: self.toil(n)
            for n, one in self.work.items()
            if one["state"] not in ("gone", "stopped")
        ]
        if ways:
            ways[choice % len(ways)]()
        return bool(ways)

    def hear(self, box: list[tuple[msgspec.Struct, str]]) -> None:
        data, about = box.pop(0)
        if not box:
            self.news.remove(box)
        self.say(data, about)

    def answer(self, name: str) -> None:
        call = self.calls[name].pop(0)
        payload: Any = call.payload
        match call.kind:
            case "order.check":
                checks = tuple(o.LineCheck(x.line, True, x.ordered) for x in payload.lines)
                self.tell(o.OrderChecked("ok", checks), call.object)
            case "warehouse_order.release":
                content = {(x.line, x.item): int(x.ordered.value) for x in payload.lines}
                self.work[payload.release] = {"state": "released", "content": content, "box": []}
                self.tell(o.OrderReleased(f"WO-{payload.release}"), call.object)
            case "warehouse_order.cancel":
                self.stop(payload.release, call.object)
            case "sales_order.create":
                self.erp = _pieces(payload.lines)
                self.tell(o.SalesOrderPosted("4711"), call.object)
            case "sales_order.change":
                says = _pieces(payload.lines)
                for item, quantity in self.delivered.items():
                    assert says.get(item, 0) >= quantity, f"{says}, and {self.delivered} was delivered"
                    assert self.erp is not None
                    assert quantity < self.erp[item] or says[item] == quantity, "an item that is complete"
                self.erp = says
            case "sales_order.cancel":
                assert not self.delivered
                self.erp = {}
                self.tell(o.SalesOrderCancelled("4711"), call.object)
            case "reservation.update":
                for x in payload.lines:
                    assert x.quantity.value <= (self.erp or {})[x.item], (
                        "more would be confirmed than was ordered"
                    )
            case "goods_issue.post":
                for x in payload.lines:
                    self.delivered[x.item] = self.delivered.get(x.item, 0) + int(x.quantity.value)
                assert all(q <= (self.erp or {})[item] for item, q in self.delivered.items())
                self.tell(GoodsIssuePosted("D", "M"), call.object)

    def tell(self, data: msgspec.Struct, about: str = "", box: list[Any] | None = None) -> None:
        """News that is under way; into its box's row where it has one."""
        if box:
            box.append((data, about))
        else:
            box = [] if box is None else box
            box.append((data, about))
            self.news.append(box)

    def toil(self, number: int) -> None:
        """The warehouse does its next step for one release."""
        one = self.work[number]
        boxes = _boxed(number, one["content"])
        shipment = f"wms/S-{number}"
        match one["state"]:
            case "released":
                one["state"] = "allocated"
                lines = tuple(
                    o.LineAllocation(line, item, Quantity(Decimal(q)), "SITE1", release=number)
                    for (line, item), q in one["content"].items()
                )
                self.tell(o.OrderAllocated(lines))
            case "allocated":
                one["state"] = "packed"
                if self.too_much:
                    self.too_much = False
                    one["content"][next(iter(one["content"]))] += 1
                    boxes = _boxed(number, one["content"])
                self.tell(o.LinesPacked(shipment, boxes, "SITE1"), box=one["box"])
            case "packed":
                one["state"] = "gone"
                for (_, item), q in one["content"].items():
                    self.left[item] = self.left.get(item, 0) + q
                self.tell(o.LinesShipped(shipment, "ups", (), boxes, "SITE1"), box=one["box"])

    def stop(self, number: int, about: str) -> None:
        one = self.work[number]
        if one["state"] == "gone":
            self.tell(o.CancellationAnswered(False, "it left"), about)
            return
        if one["state"] == "packed":
            boxes = _boxed(number, one["content"])
            self.tell(o.LinesUnpacked(f"wms/S-{number}", boxes, "SITE1", "stopped"), box=one["box"])
        one["state"] = "stopped"
        self.tell(o.CancellationAnswered(True), about)

    def end(self) -> None:
        """Everything under way arrives, and the warehouse finishes what it has."""
        for turn in range(2000):
            if not self.act(turn * 7):
                return
        raise AssertionError("the world has no end")


def _boxed(number: int, content: dict[tuple[str, str], int]) -> tuple[o.LineShipped, ...]:
    return tuple(
        o.LineShipped("shop/1", line, item, Quantity(Decimal(q)), release=number)
        for (line, item), q in content.items()
    )


def _pieces(lines: tuple[o.OrderLine, ...]) -> Pieces:
    found: Pieces = {}
    for x in lines:
        found[x.item] = found.get(x.item, 0) + int(x.ordered.value)
    return found


QUANTITIES = st.fixed_dictionaries({item: st.integers(0, 4) for item in ITEMS}).filter(
    lambda x: any(x.values())
)
ACTS = st.lists(st.integers(0, 5), min_size=2, max_size=9)
STEPS = st.lists(
    st.tuples(ACTS, st.one_of(QUANTITIES, QUANTITIES, st.sampled_from(["cancel", "one too much"]))),
    min_size=1,
    max_size=4,
)
"""Some things happen, then the customer wants something else, or the next box gets a piece too much."""


def play(first: Pieces, steps: list[Any], *, in_lots: bool = False) -> House:
    """`in_lots`: each item lies in two lots, of which BAD expires first and may be recalled."""
    lots = {(item, lot): (STOCK, last) for item in ITEMS for lot, last in (("BAD", SOON), ("GOOD", None))}
    house = House({item: first[item] or 1 for item in ITEMS}, lots if in_lots else None)
    for acts, wish in steps:
        for choice in acts:
            house.act(choice)
        if wish in ITEMS:
            recall(house, wish)
        elif wish == "cancel":
            house.say(o.OrderCancelRequested("shop/1", "customer"))
        elif wish == "one too much":
            house.too_much = True
        else:
            house.edit(wish)
    house.end()
    return house


def books_are_even(house: House) -> None:
    """The ledger knows what left, holds nothing for anybody, and never lacked anything."""
    assert house.short == 0
    for bucket in ("firm_claim", "allocated", "picked"):
        assert house.bucket(bucket) == {}
    gone = {item: STOCK - pieces for (item, _), pieces in house.bucket("available").items()}
    assert {item: pieces for item, pieces in gone.items() if pieces} == house.left


@settings(max_examples=300)
@given(QUANTITIES, STEPS)
def test_what_left_is_what_everybody_knows(first: Pieces, steps: list[Any]) -> None:
    """In the ledger, in the ERP, and to the order, which ends; the ERP is never asked for what it must refuse."""
    house = play(first, steps)

    books_are_even(house)
    assert house.delivered == house.left
    if house.left:
        assert house.state.phase == "shipped"
        assert house.erp == house.left
    else:
        assert house.state.phase == "cancelled"
        assert not house.erp


@settings(max_examples=300)
@given(QUANTITIES, STEPS.map(lambda steps: [x for x in steps if not isinstance(x[1], str)]))
def test_the_customer_gets_the_last_version_or_somebody_is_told(first: Pieces, steps: list[Any]) -> None:
    """Never a line less, never one more, and never without a case where it is an earlier version."""
    house = play(first, steps)

    last = {item: pieces for item, pieces in house.wanted.items() if pieces}
    assert house.left == last or "changed" in house.cases


def left_of_bad(house: House, item: str) -> int:
    return sum(int(x.shipped) for x in house.state.lines if (x.item, x.lot) == (item, "BAD"))


def recall(house: House, item: str) -> None:
    """As the ledger does it: what is available is held and stays so, then the order hears of it."""
    balance = house.balances[item, "SITE1", "BAD", "", ""]
    balance.buckets["quarantine"] += balance.available
    balance.buckets["available"] = Decimal(0)
    balance.recalled = True
    house.gone_before.setdefault(item, left_of_bad(house, item))
    house.say(LotRecalled(item, "BAD", "listeria"), source="crossdock")


RECALLS = st.lists(
    st.tuples(ACTS, st.one_of(QUANTITIES, st.sampled_from([*ITEMS, *ITEMS, "cancel"]))),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300)
@given(QUANTITIES, RECALLS)
def test_a_recall_takes_nothing_from_the_customer_but_the_lot(first: Pieces, steps: list[Any]) -> None:
    """Whenever it comes between changes and cancellations: nothing recalled is available, the last version leaves or somebody
    is told, and ledger, ERP and order agree about what left.
    """
    house = play(first, steps, in_lots=True)

    assert house.short == 0
    for bucket in ("firm_claim", "allocated", "picked"):
        assert house.bucket(bucket) == {}
    assert not [key for key, x in house.balances.items() if x.recalled and x.available]
    there = {
        item: sum(int(n) for key, x in house.balances.items() for n in x.buckets.values() if key[0] == item)
        for item in ITEMS
    }
    gone = {item: 2 * STOCK - pieces for item, pieces in there.items() if pieces != 2 * STOCK}
    assert gone == house.left == house.delivered
    last = {item: pieces for item, pieces in house.wanted.items() if pieces}
    cancelled = house.state.cancel != ""
    for item, before in house.gone_before.items():
        assert left_of_bad(house, item) <= before or "accept/recall" in house.cases
    assert house.left == last or cancelled or "changed" in house.cases
    assert house.state.phase == ("shipped" if house.left else "cancelled")


def test_what_one_warehouse_stopped_is_given_to_it_again_where_another_could_not() -> None:
    """The earlier version goes on whole: nothing of it stays with a release that nobody works on."""
    floor = Floor([("WID-1", 2)], {("WID-1", ""): (1, None)}, policy=AT_ONCE)
    floor.balances["WID-1", "SITE1", "", "", ""].buckets["available"] += 1
    floor.say(TimerFired("backorder"))
    assert [x.release for x in floor.state.lines] == [0, 1]
    floor.allocate(("1", "WID-1", 1, ""))

    wanted = (o.OrderLine("1", "WID-1", Quantity(Decimal(1)), PRICE),)
    floor.say(
        o.OrderReceived(number="#1", reference="shop/1", channel="shop", total=PRICE, lines=wanted),
        sequence=1,
    )
    floor.say(o.CancellationAnswered(True), "shop/1")
    floor.say(o.CancellationAnswered(False, "it is loaded"), "shop/1~1")

    given = [
        (x.release, [(y.item, y.ordered.value) for y in x.lines])
        for x in floor.told("warehouse_order.release")
    ]
    assert given == [(0, [("WID-1", 1)]), (1, [("WID-1", 1)]), (2, [("WID-1", 1)])]
    assert sorted(x.release for x in floor.state.lines) == [1, 2]
    assert floor.bucket("firm_claim") == {("WID-1", ""): 2}
    assert floor.short == 0


def test_what_is_found_missing_for_stopped_work_leaves_the_shelf_and_no_order() -> None:
    """The ledger loses it; the new version keeps what it has."""
    floor = Floor([("WID-1", 2)], {("WID-1", ""): (5, None)}, policy=AT_ONCE)
    wanted = (o.OrderLine("1", "WID-1", Quantity(Decimal(1)), PRICE),)
    floor.say(
        o.OrderReceived(number="#1", reference="shop/1", channel="shop", total=PRICE, lines=wanted),
        sequence=1,
    )
    floor.say(o.CancellationAnswered(True), "shop/1")
    floor.say(
        o.LinesShort((o.LineShipped("shop/1", "1", "WID-1", Quantity(Decimal(2)), release=0),), "SITE1")
    )

    assert floor.bucket("available") == {("WID-1", ""): 2}
    assert floor.part("reserved") == {("WID-1", ""): 1}
    assert not floor.part("backordered")


def test_an_order_that_is_cancelled_while_its_change_is_checked_leaves_no_sales_order() -> None:
    """The ERP had one for the version before; it is cancelled there too."""
    house = House({"WID-1": 1, "CBL-1": 1})
    while house.state.phase != "released" or not house.state.sales_order:
        house.act(0)
    house.edit({"WID-1": 2, "CBL-1": 0})
    while house.state.phase != "checking":
        house.act(0)
    house.say(o.OrderCancelRequested("shop/1", "customer"))
    assert house.state.phase == "cancelling"
    house.end()

    assert (house.state.phase, house.erp) == ("cancelled", {})


def test_what_was_not_found_is_not_reserved_once_the_sales_order_comes() -> None:
    """The ERP's answer is late; by then a short pick took a piece off the order, which the ERP hears of first."""
    policy = msgspec.structs.replace(AT_ONCE, erp="erp", short_pick="cancel")
    floor = Floor([("WID-1", 3)], {("WID-1", ""): (3, None)}, policy=policy)
    floor.allocate(("1", "WID-1", 3, ""))
    floor.say(o.LinesShort((o.LineShipped("shop/1", "1", "WID-1", Quantity(Decimal(1))),), "SITE1"))
    floor.say(o.SalesOrderPosted("4711"), "shop/1")

    [reserved] = floor.told("reservation.update")
    assert [x.quantity.value for x in reserved.lines] == [2]


def test_a_substitute_that_was_not_found_lets_the_line_wait() -> None:
    """The warehouse looked for something else: that left its shelf, and what was ordered lies there for whoever is next."""
    floor = Floor(
        [("WID-1", 2), ("CBL-1", 1)], {("WID-1", ""): (2, None), ("CBL-1", ""): (1, None)}, policy=AT_ONCE
    )
    floor.shelf("WID-2", "", 5, None)
    floor.allocate(("1", "WID-1", 2, ""), ("2", "CBL-1", 1, ""))
    floor.say(o.LinesShort((o.LineShipped("shop/1", "1", "WID-2", Quantity(Decimal(2))),), "SITE1"))

    assert floor.part("backordered") == {("WID-1", ""): 2}
    assert floor.bucket("available") == {("WID-1", ""): 2, ("WID-2", ""): 3}
    floor.say(TimerFired("backorder"))
    assert floor.part("reserved") == {("WID-1", ""): 2}
    assert floor.short == 0
