"""Kits that come back in parts: each component by itself, and the shares of a kit's price always add up to it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.model import movement as m
from crossdock.model import order as o
from crossdock.model import returning as r
from crossdock.model.envelope import Recorded
from crossdock.model.master import Component, ItemDefined
from crossdock.model.money import Money, smallest
from crossdock.model.registry import TYPE_OF
from crossdock.model.shipment import GoodsIssuePosted
from crossdock.processes import intents as i
from crossdock.processes import order
from crossdock.processes.demand import worth
from crossdock.processes.kit_price import portion, split
from unit.processes.goods import NOW, Goods, qty
from unit.processes.order_floor import Floor
from unit.processes.test_returning import POLICY

PARTS = {"CUP": 2, "PLATE": 1, "SPOON": 3}
SOLD_FOR = Money(Decimal("10.00"), "EUR")
PRICES = {"CUP": "4.00", "PLATE": "2.00", "SPOON": "1.00"}


def items(**said: Mapping[str, Money]) -> dict[str, ItemDefined]:
    """A kit of three; `said`: a field of the components' definitions, item by item."""
    parts = tuple(Component(x, qty(n)) for x, n in PARTS.items())
    of = {x: {field: by_item[x] for field, by_item in said.items() if x in by_item} for x in PARTS}
    return {"SET": ItemDefined("SET", components=parts)} | {x: ItemDefined(x, **of[x]) for x in PARTS}


def euros(**amounts: str) -> dict[str, Money]:
    return {item: Money(Decimal(x), "EUR") for item, x in amounts.items()}


class Shop:
    """An order of kits that left and was billed, and its returns, which ask it as in a hub."""

    def __init__(
        self, *shipments: int, price: Money = SOLD_FOR, known: Any = None, billed: bool = True
    ) -> None:
        self.returns: dict[str, Goods] = {}
        shelves = {(x, ""): (1000, None) for x in PARTS}
        self.floor = Floor(
            [("SET", sum(shipments))], shelves, known or items(price=euros(**PRICES)), price=price
        )  # type: ignore[arg-type]
        self.floor.say(o.SalesOrderPosted("4711"))
        for n, kits in enumerate(shipments, 1):
            self.floor.ship(f"S-{n}", *((f"1/{x}", x, per * kits, "") for x, per in PARTS.items()))
            self.floor.say(GoodsIssuePosted(f"D-{n}", f"GI-{n}", f"S-{n}"))
            if billed:
                self.bill(f"S-{n}")

    def send_back(self, name: str, *lines: r.ReturnLine) -> Goods:
        """Authorised, or authorised anew."""
        thread = f"return/shop/{name}"
        made = self.returns.setdefault(thread, Goods(thread, POLICY))
        made.hear(r.ReturnAuthorised(name, "shop/1", lines), "shop")
        self.ask(thread, lines)
        return made

    def ask(self, thread: str, lines: tuple[r.ReturnLine, ...]) -> None:
        self._order_hears(r.ReturnAsked(thread, lines), "crossdock")

    def bill(self, shipment: str) -> None:
        self._order_hears(o.InvoiceReleased(shipment=shipment, document=f"INV-{shipment}"), "sap-2", shipment)

    def _order_hears(self, data: msgspec.Struct, source: str, about: str = "") -> None:
        """And what it says to its returns is heard."""
        event = Recorded(
            thread="order/shop/1", type=TYPE_OF[type(data)], data=data, id="e", source=source, occurred_at=NOW, recorded_at=NOW,
            about=about,
        )  # fmt: skip
        step = order.step(self.floor.state, event, self.floor.policy)
        self.floor.state = step.state
        for x in step.intents:
            if isinstance(x, i.Tell):
                self.returns[x.thread].hear(x.data, "crossdock")

    def credits(self) -> list[r.MatchedLine]:
        return [x for made in self.returns.values() for p in made.asked("credit.post") for x in p.lines]

    @property
    def credited(self) -> Decimal:
        return sum((x.amount.amount for x in self.credits() if x.amount), Decimal(0))


def arrive(made: Goods, number: str, line: str, item: str, pieces: int) -> None:
    """Received, and judged to be for sale again."""
    made.hear(m.InboundReceived(f"R-{number}", "SITE1", (m.ReceivedLine(line, item, qty(pieces)),)))
    told = (r.JudgedLine(line, item, qty(pieces), "restock"),)
    made.hear(r.ReturnDispositioned(f"I-{number}", "SITE1", told))


def a_line(item: str, pieces: int, order_line: str = "1", name: str = "7") -> r.ReturnLine:
    return r.ReturnLine(name, order_line, item, qty(pieces))


@pytest.mark.parametrize("item", ["", "SET"])
def test_a_whole_kit_is_expected_and_taken_back_by_component(item: str) -> None:
    """The warehouse hears of cups, plates and spoons, never of a set; the ledger holds each in its own bucket."""
    shop = Shop(3)
    made = shop.send_back("A", a_line(item, 2))

    [told] = made.asked("inbound.announce")
    assert [(x.line, x.item, x.quantity.value) for x in told.lines] == [
        ("7/CUP", "CUP", 4), ("7/PLATE", "PLATE", 2), ("7/SPOON", "SPOON", 6),
    ]  # fmt: skip
    made.hear(
        m.InboundReceived(
            "R-1", "SITE1", tuple(m.ReceivedLine(x.line, x.item, x.quantity) for x in told.lines)
        )
    )
    assert made.buckets() == {"returned": 12}
    told_of = (
        r.JudgedLine("7/CUP", "CUP", qty(3), "restock"), r.JudgedLine("7/CUP", "CUP", qty(1), "scrap"),
        r.JudgedLine("7/PLATE", "PLATE", qty(2), "refurbish"), r.JudgedLine("7/SPOON", "SPOON", qty(6), "vendor"),
    )  # fmt: skip
    made.hear(r.ReturnDispositioned("I-1", "SITE1", told_of))

    assert made.buckets(item="CUP") == {"available": 3}
    assert made.buckets(item="PLATE") == {"quarantine": 2}
    assert made.buckets(item="SPOON") == made.buckets(item="SET") == {}
    assert made.cases == {}
    assert shop.credited == 2 * SOLD_FOR.amount
    [receipt] = made.asked("goods_receipt.post")
    assert {(x.line, x.item) for x in receipt.lines} == {("1", x) for x in PARTS}


def test_one_component_is_credited_its_share_by_what_it_is_sold_for() -> None:
    """4 for each cup, 2 for the plate, 1 for each spoon: of 10 for a set, a cup is 3.08 or 3.07, both 6.15."""
    shop = Shop(1)
    made = shop.send_back("A", a_line("CUP", 1))
    [told] = made.asked("inbound.announce")
    assert [(x.line, x.item, x.quantity.value) for x in told.lines] == [("7", "CUP", 1)]
    arrive(made, "1", "7", "CUP", 1)
    other = shop.send_back("B", a_line("", 1, "1/CUP"))
    arrive(other, "2", "7", "CUP", 1)

    one, two = shop.credits()
    assert (one.order_line, one.item, one.kit, one.invoice, one.goods_issue) == (
        "1",
        "CUP",
        "SET",
        "INV-S-1",
        "GI-1",
    )
    assert (one.amount, two.amount) == (Money(Decimal("3.08"), "EUR"), Money(Decimal("3.07"), "EUR"))
    third = shop.send_back("C", a_line("CUP", 1))
    assert "left and did not come back" in third.cases["accept/beyond"].title


def test_what_weighs_a_component_is_known_of_all_or_of_none() -> None:
    """Prices; without one of them or in two currencies, costs; else pieces."""
    parts = tuple(Component(x, qty(n)) for x, n in PARTS.items())
    prices, costs = euros(**PRICES), euros(CUP="1.00", PLATE="5.00", SPOON="0.10")
    foreign = prices | {"CUP": Money(Decimal(4), "USD")}

    assert worth(parts, items(price=prices, cost=costs)) == (8, 2, 3)
    assert worth(parts, items(price=euros(CUP="4.00"), cost=costs)) == (2, 5, Decimal("0.30"))
    assert worth(parts, items(price=foreign, cost=costs)) == (2, 5, Decimal("0.30"))
    assert worth(parts, items(price=foreign)) == (2, 1, 3)
    assert worth(parts, items(price=euros(CUP="0", PLATE="0", SPOON="0"))) == (2, 1, 3)


def test_prices_of_another_day_change_nothing_of_what_was_sold() -> None:
    """The split is made when the kit is taken apart, and kept with the order."""
    shop = Shop(1)
    shop.floor.items.clear()
    arrive(shop.send_back("A", a_line("PLATE", 1)), "1", "7", "PLATE", 1)

    assert shop.credited == Decimal("1.54")


def test_what_left_of_a_kit_that_is_not_whole_was_not_billed_and_is_not_credited() -> None:
    """A cup too many left: no more cups are credited than the sets that were sold have."""
    shop = Shop(1)
    shop.floor.ship("S-9", ("1/CUP", "CUP", 2, ""))
    made = shop.send_back("A", a_line("CUP", 3))
    arrive(made, "1", "7", "CUP", 3)

    assert [x.quantity.value for x in shop.credits()] == [2]
    assert "accept/beyond" in made.cases
    assert made.buckets() == {"available": 3}


def test_what_was_packed_in_place_of_a_component_comes_back_as_what_it_is() -> None:
    """A dish for the plate: the return expects the dish, at the plate's share."""
    floor = Floor([("SET", 1)], {(x, ""): (9, None) for x in (*PARTS, "DISH")}, items(price=euros(**PRICES)))
    shop = Shop(1)
    shop.floor = floor
    floor.say(o.SalesOrderPosted("4711"))
    floor.ship("S-1", ("1/CUP", "CUP", 2, ""), ("1/SPOON", "SPOON", 3, ""), ("1/PLATE", "DISH", 1, ""))
    shop.bill("S-1")
    made = shop.send_back("A", a_line("", 1))
    [told] = made.asked("inbound.announce")
    assert {x.item for x in told.lines} == {"CUP", "SPOON", "DISH"}
    arrive(made, "1", "7/DISH", "DISH", 1)

    assert shop.credited == Decimal("1.54")
    assert made.cases == {}


def test_a_return_that_is_authorised_anew_tells_the_warehouse_once_it_is_known() -> None:
    """One set instead of two: the notice is replaced once, and an invoice that comes later replaces nothing."""
    shop = Shop(2, billed=False)
    made = shop.send_back("A", a_line("", 2))
    shop.send_back("A", a_line("", 1))
    shop.bill("S-1")

    told = [{x.item: int(x.quantity.value) for x in p.lines} for p in made.asked("inbound.announce")]
    assert told == [{x: n * kits for x, n in PARTS.items()} for kits in (2, 1)]


def test_what_was_credited_is_not_reckoned_anew_when_the_order_is_asked_again() -> None:
    """Ten yen for six spoons: 2 for the first stays 2, and what a second line of the return brings fits to it."""
    yen = {x: Money(Decimal(x == "SPOON"), "JPY") for x in PARTS}
    shop = Shop(2, price=Money(Decimal(5), "JPY"), known=items(price=yen))
    lines = (a_line("SPOON", 1), a_line("SPOON", 2, name="8"))
    made = shop.send_back("A", *lines)
    arrive(made, "1", "7", "SPOON", 1)
    arrive(shop.send_back("B", a_line("SPOON", 1)), "2", "7", "SPOON", 1)
    shop.ask("return/shop/A", lines)
    arrive(made, "3", "8", "SPOON", 2)

    assert [x.amount and x.amount.amount for x in shop.credits()] == [2, 3, 2]


def test_a_customer_who_was_refunded_at_once_got_the_price_of_the_kit() -> None:
    """All components together, before anything is back; what comes later is booked and not credited again."""
    shop = Shop(1)
    thread = "return/shop/A"
    made = shop.returns[thread] = Goods(thread, POLICY)
    made.hear(r.ReturnAuthorised("A", "shop/1", (a_line("", 1),), credit="at_once"), "shop")
    shop.ask(thread, (a_line("", 1),))
    assert shop.credited == SOLD_FOR.amount
    arrive(made, "1", "7/CUP", "CUP", 2)

    assert shop.credited == SOLD_FOR.amount
    assert len(made.asked("goods_receipt.post")) == 1


def test_a_component_that_nobody_announced_is_credited_once_it_is_accepted() -> None:
    """A slip names the order and the component's own line, as it stood on the packing list."""
    shop = Shop(1)
    thread = "return/wms-1/R-1"
    made = shop.returns[thread] = Goods(thread, POLICY)
    line = a_line("PLATE", 1, "1/PLATE")
    made.hear(m.InboundReceived("R-1", "SITE1", (m.ReceivedLine("7", "PLATE", qty(1)),)))
    made.hear(r.ReturnIdentified("shop/1", (line,)))
    shop.ask(thread, (line,))
    made.hear(r.ReturnDispositioned("I-1", "SITE1", (r.JudgedLine("7", "PLATE", qty(1), "restock"),)))
    assert shop.credits() == []
    made.hear(m.InboundAccepted("blind", "ada"), "operator/ada")

    [credit] = shop.credits()
    assert (credit.order_line, credit.kit, credit.amount) == ("1", "SET", Money(Decimal("1.54"), "EUR"))


def test_components_are_credited_when_their_kit_is_billed() -> None:
    """The goods are taken back at once; the order tells the invoice when there is one, with the same shares."""
    shop = Shop(1, billed=False)
    made = shop.send_back("A", a_line("", 1))
    for n, (item, pieces) in enumerate(PARTS.items()):
        arrive(made, f"{n}", f"7/{item}", item, pieces)
    assert shop.credits() == []
    assert len(made.asked("goods_receipt.post")) == 3
    shop.bill("S-1")

    assert shop.credited == SOLD_FOR.amount
    assert {x.invoice for x in shop.credits()} == {"INV-S-1"}


def test_a_warehouse_that_names_the_line_of_the_kit_is_understood() -> None:
    """Cups told for the set's line are its cups, received and judged."""
    shop = Shop(1)
    made = shop.send_back("A", a_line("", 1))
    arrive(made, "1", "7", "CUP", 2)

    assert shop.credited == Decimal("6.15")
    assert made.cases == {}
    assert made.asked("goods_receipt.post")[0].lines[0].line == "1"


def test_a_slip_expects_nothing() -> None:
    """It says what came: of a set that it names, nobody waits for the rest."""
    shop = Shop(1)
    thread = "return/wms-1/R-1"
    made = shop.returns[thread] = Goods(thread, POLICY)
    made.hear(m.InboundReceived("R-1", "SITE1", (m.ReceivedLine("7", "CUP", qty(2)),)))
    made.hear(r.ReturnIdentified("shop/1", (a_line("SET", 1),)))
    shop.ask(thread, (a_line("SET", 1),))

    assert made.state.left == 0
    assert made.asked("inbound.announce") == []


@pytest.mark.parametrize("item", ["", "CUP"])
def test_another_unit_is_beyond_the_order(item: str) -> None:
    """A case of sets, or of cups, was not sold."""
    shop = Shop(3)
    made = shop.send_back("A", r.ReturnLine("7", "1", item, qty(1, "CS")))

    assert shop.floor.state.back == ()
    assert "accept/beyond" in made.cases


def test_an_item_that_left_for_two_components_comes_back_once() -> None:
    """A cup was packed for the plate too: of three cups two come back, then the third, at the plate's share."""
    shop = Shop()
    shop.floor = Floor([("SET", 1)], {(x, ""): (9, None) for x in PARTS}, items(price=euros(**PRICES)))
    shop.floor.say(o.SalesOrderPosted("4711"))
    shop.floor.ship("S-1", ("1/CUP", "CUP", 2, ""), ("1/SPOON", "SPOON", 3, ""), ("1/PLATE", "CUP", 1, ""))
    shop.bill("S-1")
    arrive(shop.send_back("A", a_line("CUP", 2)), "1", "7", "CUP", 2)
    assert shop.credited == Decimal("6.15")
    arrive(shop.send_back("B", a_line("CUP", 1)), "2", "7", "CUP", 1)

    assert shop.credited == Decimal("7.69")


def test_an_order_of_an_earlier_release_is_split_by_pieces() -> None:
    """It kept no worth of its components: of six pieces for 10.00, a plate is a sixth."""
    shop = Shop(1)
    lines = tuple(msgspec.structs.replace(x, worth=Decimal(0)) for x in shop.floor.state.lines)
    shop.floor.state = msgspec.structs.replace(shop.floor.state, lines=lines)
    arrive(shop.send_back("A", a_line("PLATE", 1)), "1", "7", "PLATE", 1)

    assert shop.credited == Decimal("1.67")


def test_each_kit_of_several_is_worth_its_price() -> None:
    """Three sets of one shipment come back one by one: 10.00 each, though 30.00 would be split otherwise."""
    shop = Shop(3)
    for n in range(3):
        made = shop.send_back(f"{n}", a_line("", 1))
        for item, pieces in PARTS.items():
            arrive(made, f"{n}-{item}", f"7/{item}", item, pieces)
        assert shop.credited == (n + 1) * SOLD_FOR.amount


coins = st.sampled_from(["EUR", "JPY", "KWD"])
amounts = st.integers(0, 100_000)
worths = st.lists(st.decimals(0, 1000, places=2), min_size=1, max_size=6)


@given(amounts, coins, worths)
def test_shares_add_up_and_differ_from_the_exact_ones_by_less_than_a_coin(
    number: int, currency: str, weights: list[Decimal]
) -> None:
    """Largest remainders: nothing is lost, nothing negative, nobody gets a coin more than is his."""
    coin = smallest(currency)
    total = Money(number * coin, currency)
    shares = split(total, weights)

    assert sum(shares) == total.amount
    of = sum(weights)
    for share, weight in zip(shares, weights, strict=True):
        assert share == share.quantize(coin)
        assert share >= 0
        assert abs(
            share - (total.amount * weight / of if of else total.amount / len(weights))
        ) < coin + Decimal("1E-20")


@given(amounts, coins, st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_portions_of_a_share_add_up_to_it(number: int, currency: str, parcels: list[int]) -> None:
    """Piece by piece or many at once: the last ones get exactly what is left, parts of a coin too."""
    left, pieces = Money(number * smallest(currency) * Decimal("0.7"), currency), sum(parcels)
    for n in parcels:
        part = portion(left, Decimal(n), Decimal(pieces))
        assert 0 <= part <= left.amount
        left, pieces = Money(left.amount - part, currency), pieces - n
    assert left.amount == 0


@settings(max_examples=150)
@given(
    st.lists(st.integers(1, 2), min_size=1, max_size=2), st.integers(1, 9999), coins,
    st.fixed_dictionaries({x: st.integers(0, 500) for x in PARTS}), st.data(),
)  # fmt: skip
def test_a_kit_that_came_back_is_credited_at_its_price_whatever_the_order(
    shipments: list[int], number: int, currency: str, prices: dict[str, int], data: st.DataObject
) -> None:
    """Components in any order, in any returns, judged in any portions, asked again meanwhile: all of it is the price, to the coin."""
    price = Money(number * smallest(currency), currency)
    by_item = {x: Money(Decimal(n), currency) for x, n in prices.items()}
    shop = Shop(*shipments, price=price, known=items(price=by_item))
    left = {x: n * sum(shipments) for x, n in PARTS.items()}
    asked: list[tuple[str, r.ReturnLine]] = []
    total = price.amount * sum(shipments)
    while left:
        item = data.draw(st.sampled_from(sorted(left)))
        pieces = data.draw(st.integers(1, left[item]))
        line = a_line(item, pieces)
        number = len(asked)
        made = shop.send_back(f"{number}", line)
        asked.append((made.thread, line))
        first = data.draw(st.integers(0, pieces))
        for n, part in enumerate(x for x in (first, pieces - first) if x):
            arrive(made, f"{number}-{n}", "7", item, part)
        again, line = data.draw(st.sampled_from(asked))
        shop.ask(again, (line,))
        left = {x: n - (pieces if x == item else 0) for x, n in left.items() if x != item or n > pieces}
        assert shop.credited <= total
    assert shop.credited == total
    assert all(not made.cases for made in shop.returns.values())
