"""Kits in orders: sold and booked as kits, set aside and shipped as components, which lines share."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model import order as o
from crossdock.model.master import Component, ItemDefined
from crossdock.model.quantity import Quantity
from unit.processes.order_floor import POLICY, PRICE, Floor


def kit(code: str, *, stocked: bool = False, **parts: int) -> ItemDefined:
    return ItemDefined(
        code, components=tuple(Component(x, Quantity(Decimal(n))) for x, n in parts.items()), stocked=stocked
    )


ITEMS = {
    "SET": kit("SET", CUP=2, PLATE=1),
    "DUO": kit("DUO", CUP=2),
    "BOX": kit("BOX", stocked=True, CUP=6),
    "CUP": ItemDefined("CUP"),
    "PLATE": ItemDefined("PLATE"),
}
BACKORDER = msgspec.structs.replace(POLICY, shortage="backorder")


def ordered(*lines: tuple[str, int], cups: int = 100, plates: int = 100, boxes: int = 100, **more: object) -> Floor:  # fmt: skip
    shelves = {("CUP", ""): (cups, None), ("PLATE", ""): (plates, None), ("BOX", ""): (boxes, None)}
    return Floor(list(lines), shelves, ITEMS, **more)  # type: ignore[arg-type]


def sold(floor: Floor, kind: str) -> list[list[tuple[str, str, int]]]:
    """(line, item, quantity) of each effect of a kind."""
    return [
        [(x.line, x.item, int((x.ordered if hasattr(x, "ordered") else x.quantity).value)) for x in asked.lines]
        for asked in floor.told(kind)
    ]  # fmt: skip


def test_the_warehouse_gets_components_and_the_erp_the_kit() -> None:
    """Two cups and a plate for each set; the sales order and everything the customer sees is about sets."""
    floor = ordered(("SET", 3), ("CUP", 1))

    assert floor.bucket("firm_claim") == {("CUP", ""): 7, ("PLATE", ""): 3}
    assert sold(floor, "sales_order.create") == [[("1", "SET", 3), ("2", "CUP", 1)]]
    assert sorted(sold(floor, "warehouse_order.release")[0]) == [("1/CUP", "CUP", 6), ("1/PLATE", "PLATE", 3), ("2", "CUP", 1)]  # fmt: skip


def test_two_lines_that_share_a_component_do_not_both_get_it() -> None:
    """Complaint 1: each line alone would pass, together they ask for more cups than there are; nothing is set aside."""
    floor = ordered(("SET", 4), ("DUO", 3), cups=13)

    assert (floor.state.phase, floor.state.hold) == ("held", "stock")
    assert floor.bucket("available")["CUP", ""] == 13
    assert ordered(("SET", 4), ("DUO", 3), cups=14).state.phase == "approved"


def test_a_kit_that_is_kept_as_itself_is_an_item() -> None:
    """It is set aside, released and shipped as what it is."""
    floor = ordered(("BOX", 2))

    assert floor.bucket("firm_claim") == {("BOX", ""): 2}
    assert sold(floor, "warehouse_order.release") == [[("1", "BOX", 2)]]


def test_a_kit_counts_for_the_shipment_with_its_last_component() -> None:
    """Cups leave first and plates later: nothing is posted or shown as shipped before a set is whole."""
    floor = ordered(("SET", 2))
    floor.say(o.SalesOrderPosted("4711"))
    floor.ship("S-1", ("1/CUP", "CUP", 4, ""), ("1/PLATE", "PLATE", 1, ""))
    assert sold(floor, "goods_issue.post") == [[("1", "SET", 1)]] == sold(floor, "fulfilment.create")
    floor.ship("S-2", ("1/PLATE", "PLATE", 1, ""))

    assert sold(floor, "goods_issue.post") == [[("1", "SET", 1)], [("1", "SET", 1)]]
    assert floor.bucket("available") == {("CUP", ""): 96, ("PLATE", ""): 98, ("BOX", ""): 100}


def test_a_shipment_without_a_whole_kit_is_not_posted_and_holds_nothing_up() -> None:
    """The order is completed by the shipment that made its kit whole."""
    floor = ordered(("SET", 1))
    floor.say(o.SalesOrderPosted("4711"))
    floor.ship("S-1", ("1/CUP", "CUP", 2, ""))
    assert sold(floor, "goods_issue.post") == []

    floor.ship("S-2", ("1/PLATE", "PLATE", 1, ""))
    assert sold(floor, "goods_issue.post") == [[("1", "SET", 1)]]
    assert floor.told("goods_issue.post")[0].shipment == "S-2"
    assert floor.state.phase == "shipped"


def test_only_whole_kits_are_set_aside_of_what_there_is() -> None:
    """Plates for two sets: two go out, one waits whole, and no cup is kept for it."""
    floor = ordered(("SET", 3), plates=2, policy=BACKORDER)

    assert floor.bucket("firm_claim") == {("CUP", ""): 4, ("PLATE", ""): 2}
    assert floor.part("backordered") == {("CUP", ""): 2, ("PLATE", ""): 1}

    floor.balances["PLATE", "SITE1", "", "", ""].buckets["available"] += 1
    floor.say(o.CreditReleased("somebody"))
    assert floor.claims[-1].sets == (("1", 1),)
    assert floor.part("reserved") == {("CUP", ""): 6, ("PLATE", ""): 3} == floor.bucket("firm_claim")


def test_a_component_that_is_not_found_comes_later_and_makes_the_kit_whole() -> None:
    """One cup is short: it alone is asked for again, and its set is posted when it leaves."""
    floor = ordered(("SET", 2))
    floor.say(o.SalesOrderPosted("4711"))
    short = (o.LineShipped("shop/1", "1/CUP", "CUP", Quantity(Decimal(1))),)
    floor.say(o.LinesShort(lines=short, location="SITE1"))
    floor.ship("S-1", ("1/CUP", "CUP", 3, ""), ("1/PLATE", "PLATE", 2, ""))
    assert sold(floor, "goods_issue.post") == [[("1", "SET", 1)]]

    floor.say(o.CreditReleased("somebody"))
    assert [(x.line, x.quantity.value) for x in floor.claims[-1].lines] == [("1/CUP", 1)]
    assert sold(floor, "warehouse_order.release")[-1] == [("1/CUP", "CUP", 1)]
    floor.ship("S-2", ("1/CUP", "CUP", 1, ""))
    assert sold(floor, "goods_issue.post") == [[("1", "SET", 1)], [("1", "SET", 1)]]


def test_loose_components_of_a_kit_that_is_taken_off_become_a_case() -> None:
    """A plate is not found and not waited for: its two cups left, are not billed, and somebody is told once."""
    floor = ordered(("SET", 2), policy=msgspec.structs.replace(POLICY, short_pick="cancel"))
    floor.say(o.SalesOrderPosted("4711"))
    floor.ship("S-1", ("1/CUP", "CUP", 4, ""), ("1/PLATE", "PLATE", 1, ""))
    assert floor.open_cases == {}
    short = (o.LineShipped("shop/1", "1/PLATE", "PLATE", Quantity(Decimal(1))),)
    floor.say(o.LinesShort(lines=short, location="SITE1"))

    assert sold(floor, "goods_issue.post") == [[("1", "SET", 1)]]
    assert sold(floor, "sales_order.change")[-1] == [("1", "SET", 1)]
    [case] = floor.open_cases.values()
    assert case.title == "Order #1: 2 EA of CUP left without the rest of SET"
    floor.say(o.HoldReleased(case.key.removeprefix("hold/"), "ada"))
    assert floor.open_cases == {}


def test_more_of_a_component_than_ordered_is_not_called_loose() -> None:
    """An over-pick has a case of its own; and what still waits for the rest of its kit is not loose yet."""
    floor = ordered(("SET", 1))
    floor.ship("S-1", ("1/CUP", "CUP", 3, ""))

    assert [x.cause for x in floor.open_cases.values()] == ["over-pick"]


def test_a_component_packed_in_place_of_another_makes_the_kit_whole() -> None:
    """The plate that was ordered goes back to its shelf; the customer got a set."""
    floor = ordered(("SET", 1))
    floor.say(o.SalesOrderPosted("4711"))
    floor.shelf("DISH", "", 5, None)
    floor.ship("S-1", ("1/CUP", "CUP", 2, ""), ("1/PLATE", "DISH", 1, ""))

    assert sold(floor, "goods_issue.post") == [[("1", "SET", 1)]]
    assert floor.bucket("available") == {
        ("CUP", ""): 98,
        ("PLATE", ""): 100,
        ("BOX", ""): 100,
        ("DISH", ""): 4,
    }


def test_a_changed_order_takes_its_kits_apart_anew() -> None:
    """The components of the first version go back, those of the second are set aside."""
    floor = ordered(("SET", 3))
    line = o.OrderLine("1", "SET", Quantity(Decimal(2)), PRICE)
    floor.say(o.OrderReceived(number="#1", reference="shop/1", channel="shop", total=PRICE, lines=(line,)))
    floor.say(o.CancellationAnswered(accepted=True, reason=""))

    assert floor.bucket("firm_claim") == {("CUP", ""): 4, ("PLATE", ""): 2}
    assert sold(floor, "warehouse_order.release")[-1] == [("1/CUP", "CUP", 4), ("1/PLATE", "PLATE", 2)]


def test_a_cancelled_kit_gives_its_components_back() -> None:
    """All of them, and the sales order is cancelled by its own line."""
    floor = ordered(("SET", 3))
    floor.say(o.SalesOrderPosted("4711"))
    floor.say(o.OrderCancelRequested("shop/1", "customer"))
    floor.say(o.CancellationAnswered(accepted=True, reason=""))

    assert floor.bucket("available") == {("CUP", ""): 100, ("PLATE", ""): 100, ("BOX", ""): 100}
    assert [x.lines for x in floor.told("sales_order.cancel")] == [("1",)]


@given(
    st.integers(1, 5), st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from(["1/CUP", "1/PLATE", "2/CUP"]), st.integers(1, 6)), max_size=6),
)  # fmt: skip
def test_no_more_kits_are_posted_than_their_components_make_up(
    sets: int, duos: int, parcels: list[tuple[str, int]]
) -> None:
    """However components are spread over shipments, also beyond the order: the ledger follows each, the ERP whole kits."""
    floor = ordered(("SET", sets), ("DUO", duos))
    floor.say(o.SalesOrderPosted("4711"))
    left = {"1/CUP": 0, "1/PLATE": 0, "2/CUP": 0}
    for n, (line, pieces) in enumerate(parcels):
        floor.ship(f"S-{n}", (line, line.partition("/")[2], pieces, ""))
        left[line] += pieces
        posted = {
            name: sum(q for one in sold(floor, "goods_issue.post") for x, _, q in one if x == name)
            for name in "12"
        }
        assert posted == {"1": min(left["1/CUP"] // 2, left["1/PLATE"]), "2": left["2/CUP"] // 2}
    there = {item: sum(map(int, b.buckets.values())) for (item, *_), b in floor.balances.items()}
    assert there["CUP"] == 100 - left["1/CUP"] - left["2/CUP"]
    assert there["PLATE"] == 100 - left["1/PLATE"]
