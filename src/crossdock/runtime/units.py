"""Moves in the unit that a balance is kept in: exactly, or not at all and a person is told. Pure on locked balances."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from crossdock.errors import Rejected
from crossdock.model.quantity import Quantity
from crossdock.processes.demand import Items, in_unit
from crossdock.processes.intents import Move, OpenCase
from crossdock.store import cases
from crossdock.store.held import Key, key_of
from crossdock.store.stock import Balance, Wish


def booked_in(
    wishes: Sequence[Wish], balances: Mapping[Key, Balance], items: Items
) -> tuple[list[Wish], list[cases.Change]]:
    """(the wishes with their moves converted, a case for each move that comes to no number of its balance's unit).

    An empty balance takes the item's base unit. What nobody defined is booked as it is told.
    """
    booked: list[Wish] = []
    uneven: list[cases.Change] = []
    for wish in wishes:
        if isinstance(wish.what, Move):
            try:
                wish.what = _converted(wish.what, balances[key_of(wish.what.place)], items)
            except Rejected as error:
                uneven.append(_case(wish, wish.what, error.reason))
                continue
        booked.append(wish)
    return booked, uneven


def _converted(move: Move, balance: Balance, items: Items) -> Move:
    item = items.get(move.place.item)
    if item is None:
        return move
    if balance.unit != item.base_unit and not any(balance.buckets.values()):
        balance.unit, balance.changed = item.base_unit, True
    if move.unit == balance.unit:
        return move
    told = in_unit(item, Quantity(move.quantity, move.unit), balance.unit, "/quantity")
    return msgspec.structs.replace(move, quantity=told.value, unit=told.unit)


def _case(wish: Wish, move: Move, reason: str) -> cases.Change:
    place, told = move.place, Quantity(Decimal(move.quantity), move.unit)
    return (
        wish.thread, wish.thread_key,
        OpenCase(
            f"unit/{place.item}/{place.location}/{wish.cause}", "value", "unit",
            f"{told} of {place.item} at {place.location} ({move.source} to {move.target}) are not booked",
            f"The quantity {reason}. Correct the units of the item, or have the move told in one that comes out even.",
            "master data", wish.cause,
        ),
    )  # fmt: skip
