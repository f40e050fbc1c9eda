"""Where a lot of an item is, and in which parcels, of which orders, it left. What left without a lot may be of it, and is
told apart. Names and addresses are not here: a person's order leads to them, with a reason.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from crossdock.model.quantity import Quantity
from crossdock.model.shipment import Package
from crossdock.model.thread import hash16, thread_key
from crossdock.processes.elsewhere import State as Elsewhere
from crossdock.processes.order_state import State as Order
from crossdock.processes.returning_state import State as Return
from crossdock.processes.returning_state import came
from crossdock.processes.serial import State as Serial
from crossdock.processes.shipment import State as Shipment
from crossdock.store.batch import lot_mark
from crossdock.store.pool import Connection
from crossdock.views.sql import blocks
from crossdock.views.stock import Freshness, Place, read_stock
from crossdock.views.story_material import decode_state

THREADS_MAX: Final = 500
"""Shipments and returns that are read for one page."""
HOLDERS_MAX: Final = 1_000
Stands = Literal["left", "packed"]


class Parcel(msgspec.Struct, frozen=True):
    """So much of it in one package. `customer` is equal for all parcels of one person, and says nothing of who it is."""

    stands: Stands
    sscc: str
    shipment: str
    order: str
    number: str
    customer: str
    line: str
    sold_as: str
    """The kit that it is a component of; empty where it was sold as itself."""
    quantity: Quantity
    lot: str
    serials: tuple[str, ...]
    location: str
    carrier: str
    tracking: str
    left_at: datetime | None
    delivered_at: datetime | None
    returns: tuple[str, ...]
    """Returns of this item from this shipment."""


class Returned(msgspec.Struct, frozen=True):
    """So much of it came back. The lot is empty where the warehouse did not say it."""

    thread: str
    order: str
    location: str
    lot: str
    quantity: Decimal


class Holder(msgspec.Struct, frozen=True):
    """Whose it would be: an order or claim for which it is set aside, or being worked on, and has not left."""

    thread: str
    location: str
    quantity: Quantity


class Departure(msgspec.Struct, frozen=True):
    """One time that a piece left for a customer."""

    sscc: str
    shipment: str
    order: str
    location: str
    lot: str
    left_at: datetime


class Piece(msgspec.Struct, frozen=True):
    """`places`: where it is, in words; several where that is contradicted, none where it is gone or `known` is false.
    `departures` are all of them, also where it came back since.
    """

    serial: str
    known: bool
    places: tuple[str, ...] = ()
    doubt: str = ""
    departures: tuple[Departure, ...] = ()


class Recalled(msgspec.Struct, frozen=True):
    reason: str
    who: str
    at: datetime


class Trace(msgspec.Struct, frozen=True):
    """`next` is the `after` of the next page of `parcels`, `may_be` and `returned`; null at the end."""

    item: str
    lot: str
    recalled: Recalled | None
    places: tuple[Place, ...]
    without_lot: tuple[Place, ...]
    holders: tuple[Holder, ...]
    all_holders: bool
    """False where there are more of them than are listed."""
    parcels: tuple[Parcel, ...]
    may_be: tuple[Parcel, ...]
    """Their lot is unknown."""
    returned: tuple[Returned, ...]
    next: str | None
    freshness: Freshness


async def trace(connection: Connection, item: str, lot: str, after: str = "") -> Trace | None:
    """One page, in no order that means anything. None where no place ever held the item. Raises `ValueError` for an `after` of
    nobody's.
    """
    sql = blocks("recall.sql")
    marks = [lot_mark(item, lot), lot_mark(item, "")]
    stock = await read_stock(connection, item)
    if stock is None:
        return None
    rows = await connection.fetch(sql["traced"], marks, bytes.fromhex(after), THREADS_MAX)
    states = [(row, decode_state(row)) for row in rows]
    orders = await _orders(connection, item, [state for _, state in states])
    parcels = [x for row, state in states for x in _parcels(row["thread_key"], state, item, orders)]
    elsewhere = [x for row, state in states for x in _elsewhere(row["thread_key"], state, item)]
    holders = await _holders(connection, item, lot)
    returned = [x for row, state in states for x in _returned(row["thread_key"], state, item)]
    return Trace(
        item, lot, await _recalled(connection, item, lot),
        tuple(x for x in stock.places if x.lot == lot), tuple(x for x in stock.places if not x.lot and x.buckets),
        holders[:HOLDERS_MAX], len(holders) <= HOLDERS_MAX,
        tuple(x for x in parcels if x.lot == lot), tuple(x for x in (*parcels, *elsewhere) if not x.lot),
        tuple(x for x in returned if x.lot in (lot, "")),
        rows[-1]["thread"].hex() if len(rows) == THREADS_MAX else None, stock.freshness,
    )  # fmt: skip


async def _recalled(connection: Connection, item: str, lot: str) -> Recalled | None:
    row = await connection.fetchrow(blocks("recall.sql")["recalled"], item, lot)
    return Recalled(*row) if row is not None else None


async def _holders(connection: Connection, item: str, lot: str) -> tuple[Holder, ...]:
    """What is set aside is said by the ledger, what is worked on by its order."""
    sql = blocks("recall.sql")
    found = [
        Holder(row["thread_key"], row["location"], Quantity(row["quantity"], row["unit"]))
        for row in await connection.fetch(sql["set_aside"], item, lot, HOLDERS_MAX + 1)
    ]
    for row in await connection.fetch(sql["in_work"], lot_mark(item, lot), HOLDERS_MAX + 1):
        for x in decode_state(row).lines:
            if (x.item, x.lot) == (item, lot) and x.allocated + x.picked > 0:
                found.append(Holder(row["thread_key"], x.location, Quantity(x.allocated + x.picked, x.unit)))
    return tuple(found)


async def _orders(connection: Connection, item: str, states: list[Any]) -> dict[str, Order]:
    """By reference, those that the shipments have goods of."""
    named = {
        x.order for s in states if isinstance(s, Shipment) for p in _packages(s) for x in p.lines if x.item == item
    }  # fmt: skip
    keys = [hash16(f"order/{reference}") for reference in named]
    rows = await connection.fetch(blocks("recall.sql")["orders"], keys) if keys else []
    return {row["thread_key"].partition("/")[2]: decode_state(row) for row in rows}


def _packages(state: Shipment) -> tuple[Package, ...]:
    return () if state.cancelled else state.packages or state.departed_early


def _parcels(thread: str, state: Any, item: str, orders: dict[str, Order]) -> Iterator[Parcel]:
    if not isinstance(state, Shipment):
        return
    tracks = {x.sscc: x.tracking for x in state.tracks}
    at = state.departed_at or state.departed_early_at
    for package in _packages(state):
        for x in package.lines:
            if x.item != item:
                continue
            order = orders.get(x.order)
            yield Parcel(
                "left" if at else "packed", package.sscc, thread, x.order, order.number if order else "",
                order.subject.hex() if order and order.subject else "", x.line, _kit(order, x.line), x.quantity, x.lot,
                x.serials, state.location, state.carrier, tracks.get(package.sscc, state.pro), at, state.delivered_at,
                _returns(order, state.shipment, (item, _kit(order, x.line))),
            )  # fmt: skip


def _elsewhere(thread: str, state: Any, item: str) -> Iterator[Parcel]:
    """What a marketplace shipped from its own warehouse: of an order of its own, in parcels that nobody tells of."""
    if isinstance(state, Elsewhere):
        for x in state.lines:
            if x.item == item:
                yield Parcel(
                    "left", "", thread, state.reference, state.reference.rpartition("/")[2], "", x.line, "", x.quantity, "", x.serials,
                    "", state.system, "", state.at, None, (),
                )  # fmt: skip


def _kit(order: Order | None, line: str) -> str:
    """The item that was sold, where the line is a component of it."""
    lines = order.lines if order else ()
    kit = next((x.kit_of for x in lines if x.line == line and x.kit_of), "")
    return next((x.item for x in lines if kit and x.line == kit), "")


def _returns(order: Order | None, shipment: str, items: tuple[str, str]) -> tuple[str, ...]:
    back = order.back if order else ()
    return tuple(dict.fromkeys(x.thread for x in back if x.shipment == shipment and x.item in items))


def _returned(thread: str, state: Any, item: str) -> Iterator[Returned]:
    if isinstance(state, Return):
        for (named, lot), quantity in came(state).items():
            if named == item:
                yield Returned(thread, state.order, state.location, lot, quantity)


async def trace_pieces(connection: Connection, item: str, serials: Sequence[str]) -> tuple[Piece, ...]:
    """Each in the order asked for; one that nobody told of is not known, which is not the same as not there."""
    keys = {serial: thread_key("serial", item, serial) for serial in serials}
    rows = await connection.fetch(blocks("recall.sql")["pieces"], [hash16(x) for x in keys.values()])
    states = {row["thread_key"]: decode_state(row) for row in rows}
    return tuple(_piece(serial, states.get(key)) for serial, key in keys.items())


def _piece(serial: str, state: Any) -> Piece:
    if not isinstance(state, Serial):
        return Piece(serial, known=False)
    left = tuple(
        Departure(x.sscc, x.thread, x.order, x.location, x.lot, x.at)
        for x in state.facts
        if x.did == "shipped"
    )
    return Piece(serial, True, tuple(map(str, state.places)), state.doubt, left)
