"""Moves in the unit that a balance is kept in: exactly, or not at all: kept, and a person is told. Pure on locked balances."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from crossdock.errors import Rejected
from crossdock.model.quantity import Quantity
from crossdock.model.stock import StockUnbooked
from crossdock.model.thread import hash16, stock_thread
from crossdock.processes.demand import Items, in_unit
from crossdock.processes.intents import CloseCase, Move, OpenCase
from crossdock.processes.stock import UNBOOKED
from crossdock.store import cases
from crossdock.store.held import Key, key_of
from crossdock.store.stock import Balance, Wish


def booked_in(
    wishes: Sequence[Wish], balances: Mapping[Key, Balance], items: Items
) -> tuple[list[Wish], list[StockUnbooked], list[cases.Change]]:
    """(the wishes with their moves converted, each move that comes to no number of its balance's unit, cases of both).

    An empty balance takes the item's base unit. What nobody defined is booked as it is told.
    """
    booked: list[Wish] = []
    uneven: list[StockUnbooked] = []
    changes: list[cases.Change] = []
    for wish in wishes:
        if isinstance(wish.what, Move):
            move = wish.what
            try:
                wish.what = _converted(move, balances[key_of(move.place)], items)
            except Rejected as error:
                kept = _kept(wish, move)
                uneven.append(kept)
                changes.append(_case(kept, error.reason))
                continue
            if move.cause:
                changes.append(_of_place(move, CloseCase(UNBOOKED + move.cause, "it is booked")))
        booked.append(wish)
    return booked, uneven, changes


def _kept(wish: Wish, move: Move) -> StockUnbooked:
    told = Quantity(Decimal(move.quantity), move.unit)
    return StockUnbooked(
        move.cause or wish.cause, move.place, move.source, move.target, told, move.at or wish.occurred_at, move.claim, move.line,
        move.expires_on, move.cost,
    )  # fmt: skip


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


def _case(kept: StockUnbooked, reason: str) -> cases.Change:
    place = kept.place
    opened = OpenCase(
        f"unit/{place.item}/{place.location}/{kept.quantity.unit}", "value", "unit",
        f"Moves of {place.item} at {place.location} that were told in {kept.quantity.unit} are not booked",
        f"The first quantity {reason}. Correct the units of the item, then retry the case: all are booked as they were told.",
        "master data", UNBOOKED + kept.cause,
    )  # fmt: skip
    return _of_place(kept, opened)


def _of_place(moved: Move | StockUnbooked, change: OpenCase | CloseCase) -> cases.Change:
    """Of the stock's own thread, whoever moved it: what is not booked waits there."""
    thread = stock_thread(moved.place.location, moved.place.item)
    return (hash16(thread), thread, change)
