"""What a balance's buckets mean to those who ask, and what it was before some of its entries."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crossdock.store.stock import BUCKETS
from crossdock.views.stock import Place, figures, totals, undone

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
quantities = st.decimals(0, 100, places=2)
moves = st.fixed_dictionaries({
    "balance": st.just(1), "from_bucket": st.sampled_from([*BUCKETS, "outside"]), "to_bucket": st.sampled_from([*BUCKETS, "outside"]),
    "quantity": quantities,
})  # fmt: skip


def buckets(**some: int) -> dict[str, Decimal]:
    return {name: Decimal(some.get(name, 0)) for name in BUCKETS}


def place(unit: str = "EA", **some: int) -> Place:
    held = buckets(**some)
    return Place("SITE1", "", "", "", figures(unit, held), held, 1, NOW)


def test_on_hand_is_more_than_sellable() -> None:
    """Picked, held and damaged goods lie there; only what nobody has can be sold; what is expected is not promised."""
    found = figures(
        "EA", buckets(available=5, firm_claim=2, picked=1, quarantine=3, in_transit_in=7, in_transit_out=9)
    )

    assert (found.on_hand, found.sellable, found.available_to_promise, found.inbound) == (11, 5, 5, 7)


def test_what_a_place_owes_is_not_promised_elsewhere() -> None:
    """A node that may be negative takes from the sum before the floor; units never add."""
    found = totals([place(available=-4), place(available=6), place("KGM", available=3)])

    assert [(f.unit, f.sellable, f.available_to_promise) for f in found] == [("EA", 2, 2), ("KGM", 3, 3)]
    assert totals([place(available=-4)])[0].available_to_promise == 0


@given(st.lists(moves, max_size=20))
def test_undoing_entries_restores_what_was(entries: list[dict[str, Any]]) -> None:
    """Whatever happened since, taking it back in any order leads to the balance before."""
    before = buckets(available=50, picked=7)
    now = dict(before)
    for one in entries:
        for bucket, sign in ((one["from_bucket"], -1), (one["to_bucket"], 1)):
            if bucket != "outside":
                now[bucket] += sign * one["quantity"]

    assert undone({1: now}, reversed(entries)) == {1: before}
