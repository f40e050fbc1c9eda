"""Stock adjustments are posted as the ledger booked them, so that the ERP's stock and the ledger's change alike.

Where the ledger had less than was moved, it booked what it had and a person hears of the rest; whatever then settles that
rest posts it. Pure on what one round of the ledger settled.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from crossdock.model.quantity import Quantity
from crossdock.model.requests import PostStockAdjustment
from crossdock.processes import adjusting
from crossdock.processes.intents import Move
from crossdock.runtime.batch import Wanted
from crossdock.store.stock import Wish

replace = msgspec.structs.replace
_LEAVES: Final = frozenset({"loss", "scrap"})
_Key = tuple[bytes, str, str, str, str]
"""(thread, cause, item, lot, way)"""


def apart(wanted: Iterable[Wanted]) -> tuple[list[Wanted], list[Wanted]]:
    """(what does not depend on the ledger's round, adjustments)."""
    told, adjustments = list[Wanted](), list[Wanted]()
    for x in wanted:
        (adjustments if x.do.kind == adjusting.KIND else told).append(x)
    return told, adjustments


def as_booked(
    adjustments: Iterable[Wanted], wishes: Iterable[Wish], short: Sequence[tuple[Wish, Decimal]]
) -> list[Wanted]:
    """With the quantities that were booked, in the ledger's unit where they are less; nothing of what was not booked at all."""
    if not short:
        return list(adjustments)
    less: dict[_Key, Decimal] = {}
    for wish, missing in short:
        key = _of_wish(wish)
        if key:
            less[key] = less.get(key, Decimal(0)) + missing
    moved: dict[_Key, tuple[Decimal, str]] = {}
    for wish in wishes:
        key = _of_wish(wish)
        if key in less and isinstance(wish.what, Move):
            moved[key] = moved.get(key, (Decimal(0), ""))[0] + wish.what.quantity, wish.what.unit
    return [x for one in adjustments if (x := _booked(one, less, moved)) is not None]


def _of_wish(wish: Wish) -> _Key | None:
    if not isinstance(wish.what, Move) or (said := adjusting.said_by(wish.what)) is None:
        return None
    return wish.thread, wish.cause, wish.what.place.item, wish.what.place.lot, "-".join(said)


def _booked(one: Wanted, less: dict[_Key, Decimal], moved: dict[_Key, tuple[Decimal, str]]) -> Wanted | None:
    payload: Any = one.do.payload
    assert isinstance(payload, PostStockAdjustment)
    change = "loss" if payload.change in _LEAVES else payload.change
    key = one.thread.hash, one.cause, payload.item, payload.lot, f"{change}-{payload.condition}"
    if key not in less:
        return one
    quantity, unit = moved[key]
    left = quantity - less[key]
    if left <= 0:
        return None
    return Wanted(
        replace(one.do, payload=replace(payload, quantity=Quantity(left, unit))),
        one.thread,
        one.cause,
        one.withheld,
    )
