"""A hold's case lasts as long as the hold: whatever ends the one closes the other."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from crossdock.model import order as o
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.model.stock import ClaimGranted, ClaimLine, StockPlace
from crossdock.processes import intents as i
from crossdock.processes import order
from crossdock.processes.policy import Policy

NOW = datetime(2026, 1, 15, 8, tzinfo=UTC)
POLICY = Policy(channels=("shop",))
ONE = Quantity(Decimal(1))
RECEIVED = o.OrderReceived(
    number="#1", reference="shop/1", channel="shop", total=Money(Decimal(5), "EUR"),
    lines=(o.OrderLine("1", "WID-1", ONE, Money(Decimal(5), "EUR")),),
)  # fmt: skip
BLOCKED = o.OrderChecked(credit="blocked", lines=(o.LineCheck("1", True, ONE),))
FINE = o.OrderChecked(credit="ok", lines=(o.LineCheck("1", True, ONE),))
UNKNOWN = o.OrderChecked(credit="ok", lines=(o.LineCheck("1", False, ONE),))
RELEASED = o.CreditReleased("mia")
GRANTED = ClaimGranted("shop/1#0", (ClaimLine("1", StockPlace("WID-1", "SITE1"), ONE),))


def live(*events: msgspec.Struct) -> tuple[order.State, list[i.OpenCase | i.CloseCase]]:
    """The order after these events, and what it said about cases."""
    state, said = order.initial("order/shop/1"), []
    for place, data in enumerate(events):
        event = Recorded(
            thread="order/shop/1", type=TYPE_OF[type(data)], data=data, id=f"e{place}", source="shop", occurred_at=NOW, recorded_at=NOW,
        )  # fmt: skip
        step = order.step(state, event, POLICY)
        state = step.state
        said += [x for x in step.intents if isinstance(x, i.OpenCase | i.CloseCase)]
    return state, said


@pytest.mark.parametrize(
    ("then", "phase"),
    [
        ((RELEASED, FINE, GRANTED), "approved"),
        ((RELEASED, UNKNOWN), "rejected"),
        ((o.OrderCancelRequested("shop/1"),), "cancelled"),
    ],
)
def test_what_ends_a_hold_closes_its_case(then: tuple[msgspec.Struct, ...], phase: str) -> None:
    """Approved, rejected or cancelled: nobody is asked any more."""
    state, said = live(RECEIVED, BLOCKED, *then)

    assert state.phase == phase
    assert [(type(x), x.key) for x in said] == [(i.OpenCase, "hold"), (i.CloseCase, "hold")]


def test_an_order_that_was_never_held_says_nothing_about_cases() -> None:
    """An ordinary rejection leaves the exception queue alone."""
    state, said = live(RECEIVED, UNKNOWN)

    assert (state.phase, said) == ("rejected", [])


def test_a_held_order_that_is_checked_again_is_still_held() -> None:
    """What it waits on does not change until the check has said something new, so neither does since when."""
    held, _ = live(RECEIVED, BLOCKED)
    again, _ = live(RECEIVED, BLOCKED, RELEASED)

    assert again.phase == "checking"
    assert order.summary(again, POLICY) == order.summary(held, POLICY)
    assert order.summary(held, POLICY).phase == "held"


CANCELLED = o.OrderCancelRequested("shop/1", "payment declined", final=True)


def test_an_order_that_is_cancelled_before_it_is_told_waits_for_nothing() -> None:
    """Where its channel will not tell it any more it ends, with what it was held for; what comes late all the same is stale."""
    held = o.HoldPlaced("buyer", "the buyer asks to cancel")
    state, said = live(held, CANCELLED)
    assert (state.phase, order.summary(state, POLICY).done) == ("cancelled", True)
    assert [(type(x), x.key) for x in said] == [(i.OpenCase, "hold/buyer"), (i.CloseCase, "hold/buyer")]
    assert said[0].title == "Order shop/1 is held: the buyer asks to cancel"

    late, _ = live(held, CANCELLED, RECEIVED)
    assert late == state


def test_a_cancellation_that_is_not_the_last_word_waits_for_its_order() -> None:
    """The order may come yet: then it is cancelled with all that it says."""
    waiting, _ = live(o.OrderCancelRequested("shop/1"))
    assert not order.summary(waiting, POLICY).done
    ended, _ = live(o.OrderCancelRequested("shop/1"), RECEIVED)
    assert (ended.phase, ended.number) == ("cancelled", "#1")


def test_goods_that_left_for_a_cancelled_order_are_not_forgotten() -> None:
    """Where something of it moved already, the last word of its channel is not the end."""
    moved = o.LinesShipped("wms/S-1", "ups", ("1Z1",), (o.LineShipped("shop/1", "1", "WID-1", ONE),))
    state, _ = live(moved, CANCELLED)
    assert not order.summary(state, POLICY).done
