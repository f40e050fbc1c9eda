"""Opening balances: which rows the ledger can begin with, and that it begins once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crossdock.model.envelope import Recorded
from crossdock.model.master import ItemDefined
from crossdock.model.stock import StockOpened, StockPlace, StockReceived
from crossdock.processes import stock
from crossdock.processes.intents import Move, OpenCase
from crossdock.processes.opening import Facts, Row, judge, mark
from crossdock.processes.policy import Policy
from crossdock.processes.routing import Node, Routing
from unit.processes.goods import qty

AT = datetime(2026, 11, 26, 8, tzinfo=UTC)
POLICY = Policy(routing=Routing(nodes={"SITE3": Node("wms-3")}), master_authority={"item": "sap-1"})
NUT = ItemDefined("NUT", "EA")
NOTHING = Facts({"NUT": NUT}, {}, {})
PLACE = StockPlace("NUT", "SITE3", "L1", "ACME")


def row(**more: Any) -> Row:
    given: dict[str, Any] = {
        "item": "NUT", "location": "SITE3", "quantity": Decimal(40), "unit": "EA", "lot": "L1", "owner": "ACME",
    }  # fmt: skip
    return Row(**(given | more))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"item": "BOLT"}, "item"),
        ({"item": ""}, "item"),
        ({"location": "SITE9"}, "location"),
        ({"quantity": Decimal(-1)}, "quantity"),
        ({"quantity": Decimal("NaN")}, "quantity"),
        ({"quantity": Decimal("1e12")}, "quantity"),
        ({"unit": "CS"}, "unit"),
        ({"unit": ""}, "unit"),
    ],
)
def test_a_wrong_row_names_its_field_and_the_remedy(change: dict[str, Any], field: str) -> None:
    """Whoever sent the file can correct it without asking."""
    said = judge(row(**change), AT, NOTHING, POLICY)

    assert (said.verdict, said.field) == ("wrong", field)
    assert said.detail
    assert said.remedy


def test_a_row_is_new_once() -> None:
    """However its number is written, it is as before; another number, or another instant, is not."""
    opened = Facts({"NUT": NUT}, {PLACE: mark(qty(40), AT)}, {})

    assert judge(row(), AT, NOTHING, POLICY).verdict == "new"
    assert judge(row(quantity=Decimal("40.0")), AT, opened, POLICY).verdict == "as_before"
    assert judge(row(quantity=Decimal(41)), AT, opened, POLICY).verdict == "different"
    assert judge(row(), AT + timedelta(seconds=1), opened, POLICY).verdict == "different"


def test_a_place_that_was_kept_before_is_not_opened() -> None:
    """Its moves from before that instant would count twice."""
    said = judge(row(), AT, Facts({"NUT": NUT}, {}, {PLACE: AT - timedelta(days=1)}), POLICY)

    assert (said.verdict, said.field) == ("wrong", "as_of")
    assert "reconcile" in said.remedy


def hear(state: stock.State, data: Any, at: datetime, source: str = stock.HUB) -> Any:
    type_ = "stock.opened.v1" if isinstance(data, StockOpened) else "stock.received.v1"
    event = Recorded(
        thread="stock/SITE3/NUT", type=type_, data=data, id="e", source=source, occurred_at=at, recorded_at=AT
    )
    return stock.step(state, event, POLICY)


def test_the_ledger_begins_once() -> None:
    """The same again is a duplicate, another number a case; nobody but the hub opens a place."""
    made = hear(stock.State(), StockOpened(PLACE, qty(40)), AT)
    [move] = [x for x in made.intents if isinstance(x, Move)]
    assert (move.source, move.target, move.quantity, move.place) == ("outside", "available", 40, PLACE)

    assert hear(made.state, StockOpened(PLACE, qty(40)), AT).verdict == "duplicate"
    other = hear(made.state, StockOpened(PLACE, qty(41)), AT)
    assert other.verdict == "stale"
    assert [type(x) for x in other.intents] == [OpenCase]
    assert hear(stock.State(), StockOpened(PLACE, qty(40)), AT, "wms-3").verdict == "ignored"


def test_what_was_before_the_opening_is_in_its_number() -> None:
    """A receipt from before that is told late changes what there was, and not what there is; one from after it counts."""
    opened = hear(stock.State(), StockOpened(PLACE, qty(40)), AT).state
    early = hear(opened, StockReceived(PLACE, qty(5)), AT - timedelta(hours=1), "wms-3")
    late = hear(opened, StockReceived(PLACE, qty(5)), AT + timedelta(hours=1), "wms-3")

    came, went = (x for x in early.intents if isinstance(x, Move))
    assert (came.target, went.source, went.at) == ("available", "available", AT)
    assert [(x.target, x.quantity) for x in late.intents if isinstance(x, Move)] == [("available", 5)]


def test_nothing_is_an_opening_too() -> None:
    """A place that was empty is known to have been, and makes no entry."""
    made = hear(stock.State(), StockOpened(PLACE, qty(0)), AT)

    assert made.intents == ()
    assert made.state.openings
