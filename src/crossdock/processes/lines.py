"""The order line and its law (DESIGN "Stock and lines"), in the line's base unit:

ordered + over_shipped + substituted_in = open + reserved + allocated + picked + shipped
                                          + short_closed + backordered + cancelled + substituted_out
"""

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
    "reserved": ("open",),
    "allocated": ("reserved",),
    "picked": ("allocated", "reserved"),
    "shipped": ("picked", "allocated", "reserved"),
    "cancelled": ("open", "reserved", "allocated", "picked", "backordered"),
}
"""From where a quantity may come into a part, nearest first: a late or lost step in between is stepped over."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """One order line; all quantities in `unit`."""

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


def advance(line: Line, target: Part, quantity: Decimal) -> tuple[Line, tuple[Taken, ...]]:
    """Move up to `quantity` into `target` from the parts before it; the rest was there already or never existed."""
    left = quantity
    taken: list[Taken] = []
    changed: dict[str, Decimal] = {}
    for source in WAYS_FORWARD[target]:
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
