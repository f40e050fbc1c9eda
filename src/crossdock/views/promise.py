"""What can be promised of an item: to buyers of a channel, for a day, from what is there and what surely comes.

available to promise = available at the nodes that serve the channel − what is kept back for orders not heard of yet
+ inbound due by that day − what is backordered, never below zero (DOMAIN "inventory buckets": ATP per channel and date).
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, Final

import msgspec

from crossdock.processes.inbound_state import State as Inbound
from crossdock.processes.order_state import State as Order
from crossdock.processes.transfer_state import State as Transfer
from crossdock.store.pool import Connection
from crossdock.views.sql import blocks
from crossdock.views.stock import Freshness, read_freshness
from crossdock.views.story_material import decode_state

THREADS_MAX: Final = 5_000
ZERO: Final = Decimal(0)
_What = tuple[str, str, str]
"""(item, unit, owner)"""


class Coming(msgspec.Struct, frozen=True):
    """What an open inbound delivery or transfer brings to one of the nodes. `due_on` is None where nobody said when."""

    thread: str
    location: str
    quantity: Decimal
    due_on: date | None
    counts: bool
    """Whether it is due by the day asked for; what has no day is not promised."""


class Promise(msgspec.Struct, frozen=True):
    """All quantities in `unit`, the first of an item that stands in several. `whole` is false where more threads are open than were looked at."""

    item: str
    channel: str
    on: date
    unit: str
    nodes: tuple[str, ...]
    available: Decimal
    kept_back: Decimal
    inbound: Decimal
    backordered: Decimal
    available_to_promise: Decimal
    coming: tuple[Coming, ...]
    whole: bool
    freshness: Freshness


class Goods(msgspec.Struct, frozen=True):
    """What a channel sells: the goods of `owner` at its `nodes`; of our own, also what is `consigned` by (node, supplier)."""

    nodes: tuple[str, ...]
    owner: str = ""
    consigned: tuple[tuple[str, str], ...] = ()

    def hold(self, location: str, owner: str) -> bool:
        return owner == self.owner or (not self.owner and (location, owner) in self.consigned)


async def read_promise(
    connection: Connection, item: str, channel: str, goods: Goods, on: date
) -> Promise | None:
    """None where no node that serves the channel ever held the item."""
    sql = blocks("promise.sql")
    nodes = goods.nodes
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await connection.fetch(sql["balances"], item, list(nodes), channel)
        coming_rows = await connection.fetch(sql["coming"], THREADS_MAX)
        waiting_rows = await connection.fetch(sql["backordered"], THREADS_MAX)
        fresh = await read_freshness(connection)
    rows = [row for row in rows if goods.hold(row["location"], row["owner"])]
    if not rows:
        return None
    unit = min(row["unit"] for row in rows)
    mine = [row for row in rows if row["unit"] == unit]
    today = fresh.as_of.date()
    sellable = sum((r["available"] for r in mine if _may_be_sold(r["expires_on"], today)), ZERO)
    lasting = sum((r["available"] for r in mine if _may_be_sold(r["expires_on"], max(on, today))), ZERO)
    told = next((Decimal(row["shown"]) for row in mine if row["shown"] is not None), None)
    kept = max(ZERO, sellable - told) if told is not None else ZERO
    coming = tuple(x for row in coming_rows for x in _coming(row, (item, unit, goods.owner), nodes, on))
    inbound = sum((x.quantity for x in coming if x.counts), ZERO)
    backordered = sum((_backordered(row, (item, unit, goods.owner)) for row in waiting_rows), ZERO)
    return Promise(
        item, channel, on, unit, nodes, lasting, kept, inbound, backordered,
        max(ZERO, lasting - kept + inbound - backordered), coming,
        max(len(coming_rows), len(waiting_rows)) < THREADS_MAX, fresh,
    )  # fmt: skip


def _may_be_sold(expires_on: date | None, day: date) -> bool:
    return expires_on is None or expires_on >= day


def _coming(row: Any, what: _What, nodes: tuple[str, ...], on: date) -> Iterator[Coming]:
    for location, quantity, due_on in _expected(decode_state(row), what):
        if location in nodes and quantity > ZERO:
            counts = due_on is not None and due_on <= on
            yield Coming(row["thread_key"], location, quantity, due_on, counts)


def _expected(state: Any, what: _What) -> Iterator[tuple[str, Decimal, date | None]]:
    """(node, quantity, day) of what is its owner's and not there yet."""
    match state:
        case Inbound(said=said) if said is not None:
            days = {x.line: x.due_on or said.due_on for x in said.lines}
            for x in state.lines:
                if x.what == what:
                    yield state.location, x.left, days.get(x.line, said.due_on)
        case Transfer(order=order) if order is not None:
            for leg in state.legs:
                if (leg.item, leg.unit, order.owner) == what:
                    yield order.receiver.location, leg.in_transit, order.due_on


def _backordered(row: Any, what: _What) -> Decimal:
    state = decode_state(row)
    if not isinstance(state, Order):
        return ZERO
    return sum((x.backordered for x in state.lines if (x.item, x.unit, state.owner) == what), ZERO)
