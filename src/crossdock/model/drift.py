"""What a comparison of stock is made of: what another system counts, what the ledger holds, and how it came to that.

`good` is what lies there with nothing against it, set aside or not; `held` is what lies there and may not be sold
(quarantine, damaged, returned). Quantities are in the unit of the row.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from crossdock.model.stock import StockPlace

Cause = Literal[
    "in_flight", "lost_event", "duplicate", "wrong_unit", "wrong_item", "wrong_place", "hold", "claims_subtracted", "rounding",
    "unknown_item", "not_told", "counted",
]  # fmt: skip
"""Why two systems hold different numbers.

in_flight: a move that one has heard of and the other has not yet: no difference at all. lost_event: theirs never came.
duplicate: one of the two booked a move twice. wrong_unit: cases taken for pieces, or the reverse. wrong_item: a move
booked under another item's code. wrong_place: right item, other lot, owner or location. hold: the same total in another
state. claims_subtracted: their number already lacks what is set aside. rounding: a conversion that does not come out
even. unknown_item: an item nobody ever told us of. not_told: our move was refused there, or never sent. counted: the
goods themselves; whatever none of the others explains.
"""
ZERO = Decimal(0)


class Counted(msgspec.Struct, frozen=True, gc=False):
    """A row of the other side's snapshot. `watermark`: its last event when it read the row, or None where it has no
    order of events; then `read_at` counts. `last_change`: its last event about this row, `claimed`: what of `good` it has
    set aside, both where it says so.
    """

    place: StockPlace
    unit: str
    good: Decimal
    held: Decimal
    read_at: datetime
    watermark: int | None = None
    last_change: int | None = None
    claimed: Decimal | None = None


class Booked(msgspec.Struct, frozen=True, gc=False):
    """What the ledger holds of a place now. `claimed` is the part of `good` that is set aside, allocated or picked; of what is
    `recalled`, nothing can be sold, whatever the other side says.
    """

    place: StockPlace
    unit: str
    good: Decimal = ZERO
    held: Decimal = ZERO
    claimed: Decimal = ZERO
    recalled: bool = False


class Booking(msgspec.Struct, frozen=True, gc=False):
    """An entry of the ledger, signed.

    `sequence`: the other side's event that it followed from, or None. `document`: what it was booked for. `told`: how
    far the other side was told of it; "" where there was nothing to tell. `sent_at` and `settled_at` bound when it heard.
    """

    entry: int
    place: StockPlace
    good: Decimal
    held: Decimal
    claimed: Decimal
    document: str
    recorded_at: datetime
    sequence: int | None = None
    told: Literal["", "open", "done", "refused"] = ""
    attempts: int = 1
    sent_at: datetime | None = None
    settled_at: datetime | None = None


class Facts(msgspec.Struct, frozen=True):
    """What is known beside the places. `missing`: their events up to the watermark that have not come; `patient` while
    they may still come. `units`: item → unit → how many of the base unit. `items`: every item anybody defined.
    """

    missing: frozenset[int] = frozenset()
    patient: bool = False
    units: dict[str, dict[str, Decimal]] = {}
    items: frozenset[str] = frozenset()
