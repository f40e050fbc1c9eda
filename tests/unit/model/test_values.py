"""Quantities, money and thread keys."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.recoding import recoded
from crossdock.model.registry import encode
from crossdock.model.returning import MatchedLine
from crossdock.model.stock import StockAdjusted, StockPlace
from crossdock.model.thread import (
    PARTITIONS,
    hash16,
    identifier_thread,
    kind_of,
    order_thread,
    partition_of,
    reference_of,
    shipment_thread,
    stock_thread,
)  # fmt: skip

AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6)
WORDS = st.text(min_size=1, max_size=40)


@given(AMOUNTS, AMOUNTS)
def test_adding_and_subtracting_are_exact(one: Decimal, other: Decimal) -> None:
    """What was added comes off again to the last digit."""
    total = Quantity(one) + Quantity(other)

    assert total.value == one + other
    assert (total - Quantity(other)).value == one


def test_quantities_of_different_units_never_add() -> None:
    """Three pieces and two kilograms are not five of anything."""
    with pytest.raises(AssertionError, match="KGM"):
        Quantity(Decimal(3)) + Quantity(Decimal(2), "KGM")
    with pytest.raises(AssertionError, match="KGM"):
        Quantity(Decimal(3)) - Quantity(Decimal(2), "KGM")


def test_a_quantity_reads_as_a_person_writes_it() -> None:
    """No exponent, no trailing zeros."""
    assert str(Quantity(Decimal("100.00"))) == "100 EA"
    assert str(Quantity(Decimal("1.250"), "MTR")) == "1.25 MTR"
    assert str(Money(Decimal("1E+3"), "EUR")) == "EUR 1000"


@given(AMOUNTS)
def test_the_wire_keeps_every_digit(amount: Decimal) -> None:
    """Decimals travel as strings, so no reader turns them into floats."""
    data = StockAdjusted(StockPlace("A", "SITE1"), Quantity(amount), "counted")
    written = encode(data)

    assert msgspec.json.decode(written, type=StockAdjusted).change.value == amount
    assert f'"{amount}"'.encode() in written


@given(WORDS, WORDS)
def test_a_thread_key_gives_back_what_partners_echo(system: str, number: str) -> None:
    """The reference is the key without its kind, in the source's own spelling."""
    key = order_thread(system, number)

    assert kind_of(key) == "order"
    assert reference_of(key) == f"{system}/{number}"


@given(WORDS)
def test_every_key_has_one_partition(text: str) -> None:
    """The same on every machine, and in range."""
    assert partition_of(hash16(text)) == partition_of(hash16(text))
    assert 0 <= partition_of(hash16(text)) < PARTITIONS


def test_kinds_do_not_mix() -> None:
    """An order and a shipment of one number are two threads."""
    keys = {
        order_thread("a", "1"), shipment_thread("a", "1"), stock_thread("a", "1"), identifier_thread("a", "", "1"),
    }  # fmt: skip

    assert len({hash16(key) for key in keys}) == 4


def test_the_partition_map_never_changes() -> None:
    """Stored rows depend on it: a new map is a new generation."""
    assert partition_of(hash16("order/shopify-eu/1042")) == 23
    assert hash16("order/shopify-eu/1042").hex() == "c6d7b12078f9cdd970fdad753f3ba562"


def test_a_kit_is_named_in_the_other_systems_code_like_an_item() -> None:
    """A credit of a component names two items; both are exchanged, and nothing else."""
    line = MatchedLine("1", "CUP", "CUP", Quantity(Decimal(2)), Money(Decimal(1), "EUR"), "CUP", kit="SET")

    theirs = recoded(line, lambda kind, code: f"{kind}:{code}")

    assert theirs == msgspec.structs.replace(line, item="item:CUP", kit="item:SET")
