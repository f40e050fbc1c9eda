"""An order's goods in lots: what is set aside expires first, and what the warehouse takes instead is so in the ledger too.

The order's own steps are carried out on the real rules of the ledger, without a database.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model import order as o
from crossdock.model.envelope import Recorded
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.registry import TYPE_OF
from crossdock.model.stock import ClaimGranted, ClaimLine, ClaimRefused
from crossdock.processes import order
from crossdock.processes.intents import Claim, Do, Intent, Move
from crossdock.processes.lines import lawful
from crossdock.processes.policy import Policy
from crossdock.store import stock
from crossdock.store.held import Held

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TODAY = NOW.date()
POLICY = Policy(erp_check="none", claim_when="received", location="SITE1", channels=("shop",))
LOTS = {
    "LATE": (30, date(2027, 6, 30)),
    "SOON": (4, date(2026, 12, 31)),
    "LAST": (30, None),
    "OLD": (99, date(2026, 11, 25)),
}
GOOD = [x for x in LOTS if x != "OLD"]
few = st.integers(1, 12)


class Floor:
    """One order, and the ledger that carries out what it wants."""

    def __init__(self, ordered: int, lots: dict[str, tuple[int, date | None]]) -> None:
        self.state: Any = order.initial("order/shop/1")
        self.balances = {
            (key := ("WID-1", "SITE1", lot, "", "")): stock.Balance(
                n, key, "EA", dict.fromkeys(stock.BUCKETS, Decimal(0)) | {"available": Decimal(there)}, False, 0, None, ends,
            )
            for n, (lot, (there, ends)) in enumerate({"": (0, None), **lots}.items())
        }  # fmt: skip
        self.held: dict[str, Held] = {}
        self.short = 0
        self.done: list[Do] = []
        money = Money(Decimal(10), "EUR")
        lines = (o.OrderLine("1", "WID-1", Quantity(Decimal(ordered)), money),)
        self.say(o.OrderReceived(number="#1", reference="shop/1", channel="shop", total=money, lines=lines))

    def say(self, data: msgspec.Struct) -> None:
        event = Recorded(
            thread="order/shop/1", type=TYPE_OF[type(data)], data=data, id="e", source="wms", occurred_at=NOW, recorded_at=NOW
        )  # fmt: skip
        step = order.step(self.state, event, POLICY)
        self.state = step.state
        assert all(lawful(line) for line in self.state.lines)
        for intent in step.intents:
            self.carry_out(intent)

    def carry_out(self, intent: Intent) -> None:
        if isinstance(intent, Do):
            self.done.append(intent)
        if not isinstance(intent, Claim | Move):
            return
        if isinstance(intent, Claim) and intent.any_lot:
            intent = msgspec.structs.replace(intent, good_on=TODAY)
        settled = stock.settle(
            [stock.Wish(intent, b"", "order/shop/1", "e", NOW)], self.balances, 1, self.held
        )
        self.held = settled.claims
        self.short += len(settled.short)
        for wish, served, missing in settled.granted:
            self.say(ClaimGranted(wish.what.claim, served, missing))
        for wish, missing in settled.refused:
            self.say(ClaimRefused(wish.what.claim, missing))

    def bucket(self, name: str) -> dict[str, int]:
        """Lot → pieces in a bucket of the ledger, where there are any."""
        return {k[2]: int(b.buckets[name]) for k, b in self.balances.items() if b.buckets[name]}

    def part(self, name: str) -> dict[str, int]:
        """Lot → pieces in a part of the order's line."""
        found: dict[str, int] = {}
        for line in self.state.lines:
            if getattr(line, name):
                found[line.lot] = found.get(line.lot, 0) + int(getattr(line, name))
        return found

    def allocate(self, lot: str, pieces: int) -> None:
        self.say(o.OrderAllocated((o.LineAllocation("1", "WID-1", Quantity(Decimal(pieces)), "SITE1", lot),)))

    def pack(self, *lots: tuple[str, int]) -> None:
        self.say(o.LinesPacked(shipment="S-1", lines=boxes(lots), location="SITE1"))

    def ship(self, *lots: tuple[str, int]) -> None:
        self.say(
            o.LinesShipped(shipment="S-1", lines=boxes(lots), carrier="ups", tracking=(), location="SITE1")
        )


def boxes(lots: tuple[tuple[str, int], ...]) -> tuple[o.LineShipped, ...]:
    return tuple(o.LineShipped("shop/1", "1", "WID-1", Quantity(Decimal(n)), lot) for lot, n in lots)


def test_what_expires_first_is_set_aside_first() -> None:
    """The lot past its last day never, the one without an end last; the warehouse is told the sum."""
    floor = Floor(40, LOTS)

    assert floor.bucket("firm_claim") == {"SOON": 4, "LATE": 30, "LAST": 6} == floor.part("reserved")
    [release] = [x.payload for x in floor.done if x.kind == "warehouse_order.release"]
    assert [(x.item, x.ordered.value) for x in release.lines] == [("WID-1", 40)]  # type: ignore[attr-defined]


def test_held_and_expired_goods_are_not_enough() -> None:
    """Stock that stands in quarantine or is past its day does not serve an order: it waits for stock."""
    floor = Floor(5, {"OLD": (99, date(2026, 11, 25)), "GOOD": (4, None)})

    assert (floor.state.phase, floor.state.hold) == ("held", "stock")
    assert floor.bucket("available") == {"OLD": 99, "GOOD": 4}


def test_the_warehouse_may_take_another_lot() -> None:
    """What was set aside goes back to its shelf, what was taken comes from the other: both lots are right in the ledger."""
    floor = Floor(6, LOTS)
    assert floor.part("reserved") == {"SOON": 4, "LATE": 2}

    floor.allocate("LAST", 5)
    assert floor.part("allocated") == {"LAST": 5} == floor.bucket("allocated")
    assert floor.part("reserved") == {"LATE": 1} == floor.bucket("firm_claim")

    floor.pack(("LAST", 5), ("LATE", 1))
    floor.ship(("LAST", 5), ("LATE", 1))
    assert floor.bucket("available") == {"SOON": 4, "LATE": 29, "LAST": 25, "OLD": 99}
    assert floor.short == 0


def test_what_a_cancelled_order_held_goes_back_to_its_lots() -> None:
    """Lot by lot, and its claim is used up."""
    floor = Floor(6, LOTS)
    for lot in ("SOON", "LATE"):
        floor.allocate(lot, 2)
    floor.say(o.OrderCancelRequested("shop/1", "customer"))
    floor.say(o.CancellationAnswered(accepted=True, reason=""))

    assert floor.bucket("available") == {lot: there for lot, (there, _) in LOTS.items()}
    assert not floor.bucket("allocated")
    assert all(x.ended for x in floor.held.values())


@given(few, st.lists(st.tuples(st.sampled_from(["", *GOOD]), few), max_size=3), st.lists(st.tuples(st.sampled_from(GOOD), few), max_size=3))  # fmt: skip
def test_line_and_ledger_agree_lot_by_lot(
    ordered: int, allocated: list[tuple[str, int]], packed: list[tuple[str, int]]
) -> None:
    """Whatever lots are told: each part of the line is a bucket of the ledger, and what left is missing from its lot.

    Unless more is told of a lot than the ledger has of it, which is a case for the warehouse.
    """
    floor = Floor(ordered, LOTS)
    for lot, pieces in allocated:
        floor.allocate(lot, pieces)
        assert floor.short or floor.part("allocated") == floor.bucket("allocated")
        assert floor.short or floor.part("reserved") == floor.bucket("firm_claim")
    floor.pack(*packed)
    assert floor.short or floor.part("picked") == floor.bucket("picked")
    floor.ship(*packed)

    left: dict[str, int] = {}
    for lot, pieces in packed:
        left[lot] = left.get(lot, 0) + pieces
    if not floor.short:
        there = {
            lot: sum(int(q) for q in x.buckets.values())
            for (_, _, lot, *_), x in floor.balances.items()
            if lot
        }
        assert there == {lot: LOTS[lot][0] - left.get(lot, 0) for lot in LOTS}


def test_a_claim_of_an_order_is_one_of_any_lot() -> None:
    """The process knows no day: it asks for whatever may be sold when the claim is decided."""
    lines = (ClaimLine("1", stock_place(), Quantity(Decimal(1))),)

    assert Claim("c", lines).good_on is None
    assert [x.any_lot for x in claims_of(Floor(3, {}))] == [True]


def stock_place() -> Any:
    from crossdock.model.stock import StockPlace

    return StockPlace("WID-1", "SITE1")


def claims_of(floor: Floor) -> list[Claim]:
    return [x for x in order.proceed(floor.state, POLICY).intents if isinstance(x, Claim)]
