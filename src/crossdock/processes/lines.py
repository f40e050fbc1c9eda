"""The order line and its law (DESIGN "Stock and lines"), in the line's base unit:

ordered + over_shipped + substituted_in = open + reserved + allocated + picked + shipped
                                          + short_closed + backordered + cancelled + substituted_out
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final, Literal

import msgspec

ZERO: Final = Decimal(0)
Part = Literal[
    "open", "reserved", "allocated", "picked", "shipped",
    "short_closed", "backordered", "cancelled", "substituted_out",
]  # fmt: skip
PARTS: Final[tuple[Part, ...]] = (
    "open", "reserved", "allocated", "picked", "shipped",
    "short_closed", "backordered", "cancelled", "substituted_out",
)  # fmt: skip
WAYS_FORWARD: Final[dict[Part, tuple[Part, ...]]] = {
    "reserved": ("open", "backordered"),
    "allocated": ("reserved",),
    "picked": ("allocated", "reserved", "open", "backordered"),
    "shipped": ("picked", "allocated", "reserved", "open", "backordered"),
    "cancelled": ("open", "backordered", "reserved", "allocated", "picked"),
    "backordered": ("open", "allocated", "reserved", "picked"),
    "short_closed": ("open", "backordered", "allocated", "reserved", "picked"),
    "substituted_out": ("allocated", "reserved", "open", "backordered", "picked"),
}
"""From where a quantity may come into a part, nearest first: a late or lost step in between is stepped over."""
UNPACKED: Final[tuple[Part, ...]] = ("picked",)
UNRELEASED: Final[tuple[Part, ...]] = ("allocated",)


class Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One order line, or its share at one node, or what was packed in its place; all quantities in `unit`."""

    line: str
    item: str
    unit: str
    price: Decimal
    ordered: Decimal
    open: Decimal = ZERO
    reserved: Decimal = ZERO
    allocated: Decimal = ZERO
    picked: Decimal = ZERO
    shipped: Decimal = ZERO
    short_closed: Decimal = ZERO
    backordered: Decimal = ZERO
    cancelled: Decimal = ZERO
    substituted_out: Decimal = ZERO
    over_shipped: Decimal = ZERO
    substituted_in: Decimal = ZERO
    delivered: Decimal = ZERO
    """Of what was shipped; outside the law."""
    location: str = ""
    """The node that serves it; empty until stock was claimed for it."""
    instead_of: str = ""
    """The item that was ordered, where this one was packed in its place."""
    claim: str = ""
    """The claim that set it aside."""
    release: int = -1
    """Which release to a warehouse it is part of; -1 before it is released."""
    lot: str = ""
    """The lot that was set aside, or taken; empty where the item has none."""
    kit_of: str = ""
    """The line of the kit that this component is in: see `order_kits`."""
    per_kit: Decimal = ZERO
    """How much of it is in one kit."""
    worth: Decimal = ZERO
    """What that weighs when the kit's price is split."""
    owner: str = ""
    """Whose goods they are, where not the site's own company's."""


def lawful(line: Line) -> bool:
    """The conservation law, and no negative part."""
    given = line.ordered + line.over_shipped + line.substituted_in
    parts = (
        line.open, line.reserved, line.allocated, line.picked, line.shipped,
        line.short_closed, line.backordered, line.cancelled, line.substituted_out,
    )  # fmt: skip
    return given == sum(parts, ZERO) and min(parts) >= ZERO


class Taken(msgspec.Struct, frozen=True, gc=False):
    """How much of a quantity came from which part."""

    source: Part
    quantity: Decimal


def advance(
    line: Line, target: Part, quantity: Decimal, ways: tuple[Part, ...] = ()
) -> tuple[Line, tuple[Taken, ...]]:
    """Move up to `quantity` into `target` from the parts before it; the rest was there already or never existed.

    `ways` replaces the usual sources, for quantities that go back.
    """
    left = quantity
    taken: list[Taken] = []
    changed: dict[str, Decimal] = {}
    for source in ways or WAYS_FORWARD[target]:
        here = min(left, getattr(line, source))
        if here > ZERO:
            changed[source] = getattr(line, source) - here
            taken.append(Taken(source, here))
            left -= here
    if not taken:
        return line, ()
    changed[target] = getattr(line, target) + (quantity - left)
    moved = msgspec.structs.replace(line, **changed)
    assert lawful(moved), f"line {line.line}: the law is broken moving {quantity} to {target}"
    return moved, tuple(taken)


def promised(line: Line) -> Decimal:
    """What the customer is still to get of it, or got: everything that was not taken off the order."""
    given = line.ordered + line.over_shipped + line.substituted_in
    return given - line.cancelled - line.short_closed - line.substituted_out


def settled(line: Line) -> bool:
    """Nothing of it can still leave the building."""
    return promised(line) == line.shipped


def split(line: Line, location: str, quantity: Decimal, lot: str = "") -> tuple[Line, Line]:
    """(the share of `quantity` open or backordered units served by `location` from `lot`, the rest)."""
    from_open = min(line.open, quantity)
    from_back = quantity - from_open
    assert from_back <= line.backordered, f"line {line.line}: {quantity} is more than waits for stock"
    change = msgspec.structs.replace
    share = change(
        line, location=location, lot=lot, ordered=quantity, open=from_open, backordered=from_back, reserved=ZERO, allocated=ZERO,
        picked=ZERO, shipped=ZERO, short_closed=ZERO, cancelled=ZERO, substituted_out=ZERO, over_shipped=ZERO,
        substituted_in=ZERO, delivered=ZERO, claim="", release=-1,
    )  # fmt: skip
    rest = change(
        line,
        ordered=line.ordered - quantity,
        open=line.open - from_open,
        backordered=line.backordered - from_back,
    )
    assert lawful(share), f"line {line.line}: the law is broken in a share"
    assert lawful(rest), f"line {line.line}: the law is broken in a rest"
    return share, rest


def of_lot(line: Line, part: Part, quantity: Decimal, lot: str) -> tuple[Line, Line]:
    """(the share of `quantity` units in `part` that are of another lot than the line's, the rest)."""
    assert quantity <= min(line.ordered, getattr(line, part)), (
        f"line {line.line}: {quantity} is more than {part}"
    )
    nothing = dict.fromkeys((*PARTS, "over_shipped", "substituted_in", "delivered"), ZERO)
    change = msgspec.structs.replace
    share = change(line, **{**nothing, "ordered": quantity, part: quantity, "lot": lot})
    rest = change(line, **{"ordered": line.ordered - quantity, part: getattr(line, part) - quantity})
    assert lawful(share), f"line {line.line}: the law is broken in a lot's share"
    assert lawful(rest), f"line {line.line}: the law is broken in what is of no other lot"
    return share, rest


def nothing_of(line: Line, lot: str) -> Line:
    """A share of the line for what is packed beyond the order from another lot."""
    return Line(
        line.line, line.item, line.unit, line.price, ZERO, location=line.location, claim=line.claim, release=line.release, lot=lot,
        kit_of=line.kit_of, per_kit=line.per_kit, worth=line.worth, owner=line.owner,
    )  # fmt: skip


def add_over(line: Line, target: Literal["picked", "shipped"], quantity: Decimal) -> Line:
    """`quantity` more than was ordered is in the boxes."""
    change = {"over_shipped": line.over_shipped + quantity, target: getattr(line, target) + quantity}
    more = msgspec.structs.replace(line, **change)
    assert lawful(more), f"line {line.line}: the law is broken by an over-pick"
    return more


def take_over_out(line: Line, quantity: Decimal) -> tuple[Line, Decimal]:
    """Up to `quantity` of what is in the boxes beyond the order comes out again; how much it was."""
    out = min(quantity, line.over_shipped, line.picked)
    less = msgspec.structs.replace(line, over_shipped=line.over_shipped - out, picked=line.picked - out)
    assert lawful(less), f"line {line.line}: the law is broken by unpacking"
    return less, out


def to_substitute(line: Line) -> Decimal:
    """How much of what was ordered is still to be packed, and can be replaced by something else."""
    return sum((getattr(line, part) for part in WAYS_FORWARD["substituted_out"] if part != "picked"), ZERO)


def substitute(line: Line, item: str, quantity: Decimal, target: Literal["picked", "shipped"]) -> Line:
    """The line that stands for another item packed in place of `line`; add what is packed of it to `target`."""
    fresh = Line(
        line.line,
        item,
        line.unit,
        line.price,
        ZERO,
        location=line.location,
        instead_of=line.item,
        release=line.release,
        kit_of=line.kit_of,
        per_kit=line.per_kit,
        worth=line.worth,
    )
    made = msgspec.structs.replace(fresh, **{"substituted_in": quantity, target: quantity})
    assert lawful(made), f"line {line.line}: the law is broken by a substitute"
    return made


def whole_kits(lines: Iterable[Line], kit: str, quantity_of: Callable[[Line], Decimal]) -> Decimal:
    """How many kits of the line `kit` its components make up, by what `quantity_of` says of each share."""
    there: dict[str, Decimal] = {}
    per: dict[str, Decimal] = {}
    for x in lines:
        if x.kit_of == kit:
            there[x.line] = there.get(x.line, ZERO) + quantity_of(x)
            per[x.line] = x.per_kit
    return min((quantity // per[name] for name, quantity in there.items()), default=ZERO)
