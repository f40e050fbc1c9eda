"""What a wish for items comes to in the ledger: base units exactly, kits as the sum of their components. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import msgspec

from crossdock.errors import Rejected
from crossdock.model.claim import Content, WantedLine
from crossdock.model.master import Component, ItemDefined
from crossdock.model.quantity import Quantity
from crossdock.model.stock import ClaimLine, StockPlace, TakenApart
from crossdock.processes.intents import Claim

DIGITS_MAX = 12
DECIMALS_MAX = 9
KIT_DEPTH_MAX = 5
Items = Mapping[str, ItemDefined]
replace = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class Demand:
    """`needed` is the line's own quantity in base units; `lines` is what the ledger is asked for.

    `kits` is how many kits that makes up, or 0; then `contents` is what one is made of.
    """

    line: str
    needed: Quantity
    lines: tuple[ClaimLine, ...]
    kits: int = 0
    contents: tuple[Content, ...] = ()


def exact(value: Fraction, path: str) -> Decimal:
    """The decimal that is this fraction, not one near it. Raises `Rejected`."""
    denominator, twos, fives = value.denominator, 0, 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    scale = max(twos, fives)
    if denominator != 1 or scale > DECIMALS_MAX:
        raise Rejected(
            path,
            f"comes to {value} of the base unit, which is no decimal number of {DECIMALS_MAX} places: ask for a multiple",
        )
    number = int(value * 10**scale)
    if len(str(abs(number))) > DIGITS_MAX + scale:
        raise Rejected(path, f"has more than {DIGITS_MAX} digits before the point")
    return Decimal(number).scaleb(-scale)


def base(item: ItemDefined | None, quantity: Quantity, path: str) -> Quantity:
    """In the item's base unit; an item that nobody defined has only the unit it is asked for in. Raises `Rejected`."""
    if not quantity.value.is_finite() or quantity.value <= 0:
        raise Rejected(f"{path}/value", "must be a number above 0")
    if item is None or quantity.unit == item.base_unit:
        _bounded(quantity.value, path)
        return quantity
    factor = _factor(item, quantity.unit, path)
    _bounded(quantity.value, path)
    return Quantity(exact(Fraction(quantity.value) * factor, path), item.base_unit)


def in_unit(item: ItemDefined, quantity: Quantity, unit: str, path: str) -> Quantity:
    """In another unit of the item, exactly. Raises `Rejected`."""
    if quantity.unit == unit:
        return quantity
    amount = Fraction(quantity.value) * _factor(item, quantity.unit, path) / _factor(item, unit, path)
    return Quantity(exact(amount, path), unit)


def _factor(item: ItemDefined, unit: str, path: str) -> Fraction:
    """How many of the base unit are in one. Raises `Rejected`."""
    if unit == item.base_unit:
        return Fraction(1)
    found = next((x for x in item.units if x.unit == unit), None)
    if found is None:
        known = ", ".join([item.base_unit, *(x.unit for x in item.units)])
        raise Rejected(f"{path}/unit", f"{item.item} has the units {known}")
    return Fraction(found.numerator, found.denominator)


def _bounded(value: Decimal, path: str) -> None:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > DECIMALS_MAX or value.adjusted() >= DIGITS_MAX:
        raise Rejected(
            f"{path}/value", f"may have {DIGITS_MAX} digits before the point and {DECIMALS_MAX} after it"
        )


def demand(wanted: WantedLine, place: int, items: Items) -> Demand:
    """Of one line; `place` is its number from 0. Raises `Rejected` with the pointer of what is wrong."""
    name = wanted.line or str(place + 1)
    path = f"/lines/{place}/quantity"
    item = items.get(wanted.item)
    needed = base(item, wanted.quantity, path)
    if not is_kit(item):
        at = StockPlace(wanted.item, wanted.location, wanted.lot, wanted.owner)
        return Demand(name, needed, (ClaimLine(name, at, needed),))
    if wanted.lot:
        raise Rejected(
            f"/lines/{place}/lot", f"{wanted.item} is a kit: its components have lots, not the kit"
        )
    if needed.value != int(needed.value):
        raise Rejected(path, f"{wanted.item} is a kit, which is not divided")
    contents = contents_of(wanted.item, items, path)
    count = int(needed.value)
    lines = tuple(
        ClaimLine(
            name,
            StockPlace(x.item, wanted.location, owner=wanted.owner),
            Quantity(x.quantity.value * count, x.quantity.unit),
        )
        for x in contents
    )
    return Demand(name, needed, lines, count, contents)


def taken_apart(claim: Claim, items: Items) -> tuple[Claim, tuple[TakenApart, ...]]:
    """The claim for the components of its kits, summed by the ledger over all lines, and what was taken apart.

    A line that cannot be taken apart (part of a kit, a kit of itself) stays as it is: there is no stock of it.
    """
    lines: list[ClaimLine] = []
    found: list[TakenApart] = []
    sets = list(claim.sets)
    for line in claim.lines:
        item, count = items.get(line.place.item), line.quantity.value
        parts = _components(item, items) if item is not None and is_kit(item) else ()
        if not parts or item is None or line.quantity.unit != item.base_unit or count != int(count):
            lines.append(line)
            continue
        found.append(TakenApart(line.line, item.item, parts, worth(parts, items)))
        sets.append((line.line, int(count)))
        lines += (
            ClaimLine(line.line, replace(line.place, item=x.item), Quantity(x.quantity.value * count, x.quantity.unit))
            for x in parts
        )  # fmt: skip
    if not found:
        return claim, ()
    return replace(claim, lines=tuple(lines), sets=tuple(sets)), tuple(found)


def _components(kit: ItemDefined, items: Items) -> tuple[Component, ...]:
    try:
        return tuple(Component(x.item, x.quantity) for x in contents_of(kit.item, items, "/"))
    except Rejected:
        return ()


def worth(parts: Iterable[Component], items: Items) -> tuple[Decimal, ...]:
    """What each part weighs when the price of what they make up is split: what it is sold for by itself; where that is
    not known of all of them in one currency, what it costs; else its quantity. Nobody's opinion of one part alone decides.
    """
    parts = tuple(parts)
    known = [items.get(x.item) for x in parts]
    prices, costs = [x.price if x else None for x in known], [x.cost if x else None for x in known]
    for money in (prices, costs):
        given = [x for x in money if x is not None and x.amount >= 0]
        alike = len(given) == len(parts) and len({x.currency for x in given}) == 1
        if alike and any(x.amount for x in given):
            return tuple(x.amount * part.quantity.value for x, part in zip(given, parts, strict=True))
    return tuple(x.quantity.value for x in parts)


def is_kit(item: ItemDefined | None) -> bool:
    """Whether its components are taken in its place."""
    return item is not None and bool(item.components) and not item.stocked


def contents_of(kit: str, items: Items, path: str) -> tuple[Content, ...]:
    """What one kit is made of, kits in it taken apart, each component once. Raises `Rejected`."""
    found: dict[tuple[str, str], Fraction] = {}
    _collect(kit, Fraction(1), items, path, (), found)
    return tuple(
        Content(item, Quantity(exact(amount, path), unit)) for (item, unit), amount in sorted(found.items())
    )


def _collect(
    kit: str, count: Fraction, items: Items, path: str, above: tuple[str, ...], found: dict[tuple[str, str], Fraction]
) -> None:  # fmt: skip
    if kit in above or len(above) >= KIT_DEPTH_MAX:
        raise Rejected(path, f"the kit {kit} contains itself, or kits of kits deeper than {KIT_DEPTH_MAX}")
    for part in items[kit].components:
        item = items.get(part.item)
        one = base(item, part.quantity, path)
        amount = Fraction(one.value) * count
        if is_kit(item):
            _collect(part.item, amount, items, path, (*above, kit), found)
        else:
            key = (part.item, one.unit)
            found[key] = found.get(key, Fraction(0)) + amount


def named(codes: Iterable[str], items: Items) -> set[str]:
    """Items that must be known to say what these come to: themselves, and components of those that are known."""
    wanted = set(codes)
    for code in list(wanted):
        item = items.get(code)
        if is_kit(item) and item is not None:
            wanted.update(part.item for part in item.components)
    return wanted
