"""What is packed in place of an item: in one box or several, it replaces what was ordered, and only the rest is too much."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from crossdock.model.money import Money
from crossdock.model.order import LineShipped, LinesPacked, LinesShipped
from crossdock.model.quantity import Quantity
from crossdock.processes import order
from crossdock.processes.intents import OpenCase
from crossdock.processes.lines import Line
from crossdock.processes.policy import Policy
from unit.processes.goods import Goods

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
ORDER = "shop/1"
POLICY = Policy(routing=Policy().routing)


def allocated(quantity: int) -> Goods:
    """An order of which so much is in a warehouse's hands."""
    made = Goods(f"order/{ORDER}", POLICY)
    amount = Decimal(quantity)
    made.state = order.State(
        form=2, reference=ORDER, number="#1", phase="released", total=Money(Decimal(5), "EUR"), erp_lines="told", sales_order="4711",
        lines=(Line("1", "WID-1", "EA", Decimal(5), amount, allocated=amount, location="SITE1", release=0, claim="c"),),
    )  # fmt: skip
    return made


def boxes(*quantities: int, item: str = "WID-2") -> tuple[LineShipped, ...]:
    return tuple(LineShipped(ORDER, "1", item, Quantity(Decimal(n))) for n in quantities)


def parts(made: Goods, item: str, *names: str) -> list[Decimal]:
    lines = [x for x in made.state.lines if x.item == item]
    return [sum((getattr(x, name) for x in lines), Decimal(0)) for name in names]


@pytest.mark.parametrize("quantities", [(3,), (1, 2), (1, 1, 1)])
def test_a_substitute_in_several_boxes_replaces_as_one_in_one_box(quantities: tuple[int, ...]) -> None:
    """Nothing is too much, nothing is left to be packed, and the same leaves with the truck."""
    made = allocated(3)

    made.hear(LinesPacked("S-1", boxes(*quantities), "SITE1"))

    assert parts(made, "WID-1", "allocated", "substituted_out") == [0, 3]
    assert parts(made, "WID-2", "substituted_in", "picked", "over_shipped") == [3, 3, 0]
    made.hear(LinesShipped("S-1", "ups", ("1Z1",), boxes(*quantities)))
    assert parts(made, "WID-2", "shipped", "over_shipped") == [3, 0]
    assert not [x for x in made.cases.values() if isinstance(x, OpenCase) and x.cause == "over-pick"]


def test_what_is_packed_beyond_the_order_is_too_much() -> None:
    """Two replace what was ordered, the third is over."""
    made = allocated(2)

    made.hear(LinesPacked("S-1", boxes(1, 2), "SITE1"))

    assert parts(made, "WID-1", "substituted_out") == [2]
    assert parts(made, "WID-2", "substituted_in", "over_shipped") == [2, 1]
    assert [x.cause for x in made.cases.values()] == ["over-pick"]


def test_part_of_a_line_can_be_replaced() -> None:
    """One piece as ordered, two in place of it, whatever the order of the boxes."""
    made = allocated(3)

    made.hear(LinesPacked("S-1", (*boxes(1), *boxes(1, item="WID-1"), *boxes(1)), "SITE1"))

    assert parts(made, "WID-1", "picked", "substituted_out", "allocated") == [1, 2, 0]
    assert parts(made, "WID-2", "substituted_in", "over_shipped") == [2, 0]
