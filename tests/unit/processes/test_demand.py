"""What a wish comes to in base units: exactly, or not at all; kits are the sum of their components."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import Rejected
from crossdock.model.claim import WantedLine
from crossdock.model.master import Component, ItemDefined, ItemUnit
from crossdock.model.quantity import Quantity
from crossdock.model.stock import ClaimLine, StockPlace
from crossdock.processes.demand import DECIMALS_MAX, base, demand, exact, taken_apart
from crossdock.processes.intents import Claim


def each(value: str, unit: str = "EA") -> Quantity:
    return Quantity(Decimal(value), unit)


UNITS = (
    ItemUnit("IN", 6),
    ItemUnit("CS", 12),
    ItemUnit("PF", 480),
    ItemUnit("TH", 1, 3),
    ItemUnit("LBR", 45359237, 10**8),
)
ITEMS = {
    "A": ItemDefined("A", units=UNITS),
    "KIT": ItemDefined(
        "KIT", components=(Component("A", each("1", "IN")), Component("B", each("0.5", "KGM")))
    ),
    "TWO": ItemDefined("TWO", components=(Component("KIT", each("2")), Component("A", each("1")))),
    "LOOP": ItemDefined("LOOP", components=(Component("LOOP", each("1")),)),
    "BOX": ItemDefined("BOX", components=(Component("A", each("4")),), stocked=True),
}


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=10**9))
def test_a_fraction_is_its_decimal_or_refused(value: Fraction) -> None:
    """Never a number near it."""
    try:
        found = exact(value, "/x")
    except Rejected:
        assert (value * 10**DECIMALS_MAX).denominator != 1
    else:
        assert Fraction(found) == value


@pytest.mark.parametrize(
    ("value", "unit", "comes_to"),
    [("2", "CS", "24"), ("0.5", "PF", "240"), ("3", "TH", "1"), ("2.5", "LBR", "1.133980925")],
)
def test_units_convert_exactly(value: str, unit: str, comes_to: str) -> None:
    """Case, pallet, a third of one, a pound."""
    assert base(ITEMS["A"], each(value, unit), "/q") == each(comes_to)


@pytest.mark.parametrize(
    ("quantity", "path"),
    [(each("1", "TH"), "/q"), (each("1", "XX"), "/q/unit"), (each("0"), "/q/value"), (each("NaN"), "/q/value"),
     (each("1E+12"), "/q/value"), (each("0.0000000001"), "/q/value")],
)  # fmt: skip
def test_what_is_no_number_of_base_units_is_refused(quantity: Quantity, path: str) -> None:
    """With its place: a third of one, an unknown unit, nothing, too much, too fine."""
    with pytest.raises(Rejected) as refused:
        base(ITEMS["A"], quantity, "/q")

    assert refused.value.path == path


def test_kits_of_kits_are_summed_by_component() -> None:
    """Three times (two kits and one loose): 2 × 6 + 1 of A and 2 × 0.5 kg of B, each."""
    found = demand(WantedLine("TWO", each("3")), 0, ITEMS)

    assert found.kits == 3
    assert {(x.place.item, x.quantity) for x in found.lines} == {("A", each("39")), ("B", each("3.0", "KGM"))}
    assert {x.item: x.quantity.value for x in found.contents} == {"A": 13, "B": 1}


def test_a_stocked_kit_is_kept_as_itself() -> None:
    """Its components are not touched."""
    [line] = demand(WantedLine("BOX", each("2")), 0, ITEMS).lines

    assert (line.place.item, line.quantity) == ("BOX", each("2"))


@pytest.mark.parametrize(("item", "value"), [("LOOP", "1"), ("KIT", "0.5")])
def test_a_kit_is_whole_and_not_in_itself(item: str, value: str) -> None:
    """Half a kit and an endless one are refused."""
    with pytest.raises(Rejected):
        demand(WantedLine(item, each(value)), 0, ITEMS)


orders = st.lists(st.tuples(st.sampled_from(["A", "KIT", "TWO", "BOX", "UNHEARD-OF"]), st.integers(1, 99)), min_size=1, max_size=5)  # fmt: skip


def claim(*lines: tuple[str, str]) -> Claim:
    return Claim("c", tuple(ClaimLine(str(n), StockPlace(item, "S"), each(q)) for n, (item, q) in enumerate(lines)))  # fmt: skip


@given(orders)
def test_a_claim_is_taken_apart_as_a_wish_is(wanted: list[tuple[str, int]]) -> None:
    """An order's kits come to what they come to for other programs; what is no kit stays as it is."""
    taken, kits = taken_apart(claim(*((item, str(n)) for item, n in wanted)), ITEMS)

    demands = [demand(WantedLine(item, each(str(n)), str(at), "S"), at, ITEMS) for at, (item, n) in enumerate(wanted)]  # fmt: skip
    assert taken.lines == tuple(line for one in demands for line in one.lines)
    assert taken.sets == tuple((one.line, one.kits) for one in demands if one.kits)
    assert [(x.line, tuple((c.item, c.quantity) for c in x.components)) for x in kits] == [
        (one.line, tuple((c.item, c.quantity) for c in one.contents)) for one in demands if one.kits
    ]


@pytest.mark.parametrize("line", [("KIT", "1.5"), ("LOOP", "1"), ("BOX", "2"), ("A", "3")])
def test_what_cannot_be_taken_apart_stays(line: tuple[str, str]) -> None:
    """Part of a kit, a kit that contains itself, one that is kept as itself, and no kit at all."""
    whole = claim(line)

    assert taken_apart(whole, ITEMS) == (whole, ())
