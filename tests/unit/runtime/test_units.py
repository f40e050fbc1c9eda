"""A move is booked in the unit of its balance, exactly, or it is a case."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.master import ItemDefined, ItemUnit
from crossdock.model.quantity import Quantity
from crossdock.model.stock import StockPlace
from crossdock.processes.intents import Move, OpenCase
from crossdock.runtime.units import booked_in
from crossdock.store.stock import BUCKETS, Balance, Wish, key_of

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
AT = StockPlace("WID-1", "SITE1")
RATIOS = {"EA": (1, 1), "IN": (7, 1), "CS": (12, 1), "TW": (1, 12), "LB": (10000, 22046)}
ITEM = ItemDefined(
    "WID-1",
    base_unit="EA",
    units=tuple(ItemUnit(u, n, d) for u, (n, d) in RATIOS.items() if u != "EA"),
)
AMOUNTS = st.decimals(min_value="0.001", max_value=1_000_000, places=3)


def balance(unit: str, available: int = 0) -> Balance:
    buckets = dict.fromkeys(BUCKETS, Decimal(0)) | {"available": Decimal(available)}
    return Balance(1, key_of(AT), unit, buckets, may_be_negative=False, version=1)


def wish(quantity: Decimal, unit: str) -> Wish:
    return Wish(Move(AT, "outside", "available", quantity, unit), b"t", "stock/SITE1/WID-1", "cause", NOW)


@given(AMOUNTS, st.sampled_from(sorted(RATIOS)))
def test_it_is_exact_or_a_case(quantity: Decimal, unit: str) -> None:
    """What is booked, counted back, is what was told; what would not be is not booked, and the case says how much it is."""
    shelf = balance("EA", 5)
    booked, uneven, changes = booked_in([wish(quantity, unit)], {shelf.key: shelf}, {"WID-1": ITEM})

    assert len(booked) + len(uneven) == 1
    for one in booked:
        assert isinstance(one.what, Move)
        numerator, denominator = RATIOS[unit]
        assert one.what.unit == "EA"
        assert one.what.quantity * denominator == quantity * numerator
    for kept, (_, _, case) in zip(uneven, changes, strict=True):
        assert (kept.cause, kept.quantity, kept.at) == ("cause", Quantity(quantity, unit), NOW)
        assert isinstance(case, OpenCase)
        assert case.title == f"Moves of WID-1 at SITE1 that were told in {unit} are not booked"


def test_an_empty_balance_takes_the_base_unit() -> None:
    """The first receipt comes in cases to a row that was made for pieces of something else; a full row keeps its unit."""
    empty, full = balance("KGM"), balance("CS", 3)
    first, *_ = booked_in([wish(Decimal(2), "CS")], {empty.key: empty}, {"WID-1": ITEM})
    later, *_ = booked_in([wish(Decimal(24), "EA")], {full.key: full}, {"WID-1": ITEM})

    assert (empty.unit, first[0].what) == ("EA", Move(AT, "outside", "available", Decimal(24), "EA"))
    assert (full.unit, later[0].what) == ("CS", Move(AT, "outside", "available", Decimal(2), "CS"))


def test_what_nobody_defined_is_booked_as_told() -> None:
    """Without master data there is nothing to convert by."""
    shelf = balance("EA", 1)
    booked, *uneven = booked_in([wish(Decimal(2), "CS")], {shelf.key: shelf}, {})

    assert uneven == [[], []]
    assert booked[0].what == wish(Decimal(2), "CS").what
