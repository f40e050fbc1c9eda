"""An order that names its checkout's claim: when it asks for it, and what it makes of the answer."""

from decimal import Decimal

import msgspec

from crossdock.model import order as o
from crossdock.model.envelope import Recorded
from crossdock.model.master import Component, ItemDefined
from crossdock.model.operations import TimerFired
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.model.stock import ClaimGranted, ClaimLine, StockPlace, TakenOver
from crossdock.processes import order
from crossdock.processes.intents import Claim, Move
from crossdock.processes.policy import Policy
from unit.processes.order_floor import NOW, POLICY, PRICE, Floor

LATER = msgspec.structs.replace(POLICY, claim_when="checked", erp_check="wait")
KIT = {
    "K": ItemDefined(
        "K", components=(Component("A", Quantity(Decimal(2))), Component("B", Quantity(Decimal(1))))
    )
}


def arrive(floor: Floor, item: str, pieces: int) -> None:
    """Goods come, and the order asks again."""
    floor.carry_out(Move(StockPlace(item, "SITE1"), "outside", "available", Decimal(pieces), "EA"))
    floor.say(TimerFired("recheck"))


def test_what_was_claimed_is_taken_before_the_erp_is_asked() -> None:
    """Where stock is otherwise set aside after the check, an order without a claim waits and one with a claim has it."""
    waiting = Floor([("A", 2)], {("A", ""): (2, None)}, policy=LATER)
    assert (waiting.part("reserved"), waiting.told("order.check") != []) == ({}, True)

    floor = Floor([("A", 2)], {("A", ""): (2, None)}, policy=LATER, claimed=[("A", 2)])

    assert floor.part("reserved") == {("A", ""): 2} == floor.bucket("firm_claim")
    assert (floor.state.phase, floor.state.checkout_was) == ("checking", "taken")
    assert len(floor.told("order.check")) == 1
    floor.say(o.OrderChecked(credit="ok", lines=()), about="shop/1")
    assert floor.told("warehouse_order.release") != []
    assert len(floor.claims) == 1


def test_an_order_that_is_refused_by_the_erp_holds_its_goods_until_it_is_cancelled() -> None:
    """Credit is a person's task; the goods are back on the shelf once the order is gone."""
    floor = Floor([("A", 1)], {("A", ""): (1, None)}, policy=LATER, claimed=[("A", 1)])
    floor.say(o.OrderChecked(credit="blocked", lines=()), about="shop/1")
    assert (floor.state.phase, floor.bucket("firm_claim")) == ("held", {("A", ""): 1})

    floor.say(o.OrderCancelRequested("shop/1"), source="shop")

    assert (floor.state.phase, floor.bucket("available")) == ("cancelled", {("A", ""): 1})


def test_an_order_under_a_hold_has_its_goods_as_well() -> None:
    """Fraud, say: nothing goes to the warehouse, and nobody else gets the goods."""
    policy = msgspec.structs.replace(POLICY, claim_when="checked", approvals=("fraud",))
    floor = Floor([("A", 1)], {("A", ""): (1, None)}, policy=policy, claimed=[("A", 1)])

    assert (floor.state.phase, floor.state.hold) == ("held", "fraud")
    assert (floor.bucket("firm_claim"), floor.told("warehouse_order.release")) == ({("A", ""): 1}, [])


def test_all_or_nothing_keeps_the_claim_and_takes_it_at_a_later_try() -> None:
    """Nothing moves while something lacks; with the rest the claim is taken over, and not asked for again."""
    floor = Floor([("A", 2), ("B", 1)], {("A", ""): (2, None)}, claimed=[("A", 2)])
    assert (floor.state.phase, floor.state.hold, floor.state.checkout_was) == ("held", "stock", "kept")
    assert floor.bucket("soft_claim") == {("A", ""): 2}

    arrive(floor, "B", 1)

    assert (floor.state.checkout_was, floor.held["cart"].state) == ("taken", "taken_over")
    assert floor.bucket("firm_claim") == {("A", ""): 2, ("B", ""): 1}
    assert [x.takes is not None for x in floor.claims] == [True, True]


def test_what_lacks_is_claimed_later_without_the_claim() -> None:
    """Backorders: what the checkout has is taken at once, and the rest waits for stock like any other order's."""
    policy = msgspec.structs.replace(POLICY, shortage="backorder")
    floor = Floor([("A", 2), ("B", 1)], {("A", ""): (2, None)}, policy=policy, claimed=[("A", 2)])
    assert (floor.part("reserved"), floor.part("backordered")) == ({("A", ""): 2}, {("B", ""): 1})

    floor.carry_out(Move(StockPlace("B", "SITE1"), "outside", "available", Decimal(1), "EA"))
    floor.say(TimerFired("backorder"))

    assert [x.takes is not None for x in floor.claims] == [True, False]
    assert floor.part("reserved") == {("A", ""): 2, ("B", ""): 1}


def test_a_kit_is_taken_over_by_its_components() -> None:
    """The checkout asked for kits, and so does the order: what is set aside are the same pieces."""
    floor = Floor([("K", 1)], {("A", ""): (2, None), ("B", ""): (1, None)}, KIT, claimed=[("K", 1)])

    assert floor.state.checkout_was == "taken"
    assert floor.bucket("firm_claim") == {("A", ""): 2, ("B", ""): 1} == floor.part("reserved")


def test_a_repeat_and_an_older_version_take_nothing_again() -> None:
    """The order's event comes twice: the second changes nothing."""
    floor = Floor([("A", 1)], {("A", ""): (1, None)}, claimed=[("A", 1)])
    again = o.OrderReceived(
        number="#1", reference="shop/1", channel="shop", claim="cart", total=floor.state.total,
        lines=(o.OrderLine("1", "A", Quantity(Decimal(1)), floor.state.total),),
    )  # fmt: skip
    floor.say(again)

    assert len(floor.claims) == 1
    assert floor.bucket("firm_claim") == {("A", ""): 1}


def test_a_changed_order_gives_back_and_claims_as_usual() -> None:
    """The claim is used up: more of the item comes from the shelf, in the same round in which the first pieces go back."""
    floor = Floor([("A", 1)], {("A", ""): (3, None)}, policy=_approved(), claimed=[("A", 1)])
    more = o.OrderReceived(
        number="#1", reference="shop/1", channel="shop", claim="cart", total=floor.state.total,
        lines=(o.OrderLine("1", "A", Quantity(Decimal(3)), floor.state.total),),
    )  # fmt: skip
    floor.say(more, sequence=2, source="shop")

    assert floor.bucket("firm_claim") == {("A", ""): 3} == floor.part("reserved")
    assert floor.held["cart"].state == "taken_over"


def test_a_change_between_the_question_and_its_answer_lets_nothing_go() -> None:
    """The ledger decided for the first version already: its pieces go to the second one in one round, not over the shelf."""
    first = o.OrderReceived(
        number="#1", reference="shop/1", channel="shop", claim="cart", total=PRICE,
        lines=(o.OrderLine("1", "A", Quantity(Decimal(2)), PRICE),),
    )  # fmt: skip
    state = order.step(order.initial("order/shop/1"), _event(first, 1), LATER)
    [asked] = [x for x in state.intents if isinstance(x, Claim)]
    other = msgspec.structs.replace(first, lines=(o.OrderLine("1", "A", Quantity(Decimal(1)), PRICE),))

    changed = order.step(state.state, _event(other, 2), LATER)

    assert changed.intents == ()
    place = StockPlace("A", "SITE1")
    served = (ClaimLine("1", place, Quantity(Decimal(2))),)
    granted = ClaimGranted(asked.claim, served, took=TakenOver("cart", "taken", served))
    answered = order.step(changed.state, _event(granted, None), LATER)
    wishes = [x for x in answered.intents if isinstance(x, Claim | Move)]
    assert [(type(x).__name__, getattr(x, "quantity", 0)) for x in wishes] == [("Move", 2), ("Claim", 0)]
    assert wishes[1].lines[0].quantity.value == 1  # type: ignore[union-attr]


def _event(data: msgspec.Struct, sequence: int | None) -> Recorded:
    return Recorded(
        thread="order/shop/1", type=TYPE_OF[type(data)], data=data, id=repr(data), source="shop", occurred_at=NOW, recorded_at=NOW,
        sequence=sequence,
    )  # fmt: skip


def _approved() -> Policy:
    return msgspec.structs.replace(POLICY, approvals=("fraud",))
