"""What stands before which gate: of one thread, for its story, and over all open threads, by what is missing.

Folded from the states as they are stored; nothing is kept for it.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from crossdock.model.money import Money
from crossdock.model.thread import reference_of
from crossdock.processes import gates
from crossdock.processes.order_state import State as Order
from crossdock.processes.policy import Policy
from crossdock.processes.shipment_state import State as Shipment
from crossdock.store.pool import Connection
from crossdock.views.names import Names
from crossdock.views.sql import blocks
from crossdock.views.story_material import Material, decode_state
from crossdock.views.story_shape import Lack, Waiting
from crossdock.views.words import plain_number

LISTED_MAX: Final = 100
"""Threads that are named before each gate, for each thing that is missing: the oldest, or a page after them."""
PAGES_MAX: Final = 100
ROWS_AT_ONCE: Final = 250
"""Other requests are served in between: a thread takes about 40 µs."""


class Stands(msgspec.Struct, frozen=True):
    """One thread before a gate. `thing` is the shipment, order or bill whose step waits, `worth` the value of an order."""

    thread: str
    thing: str
    since: datetime | None
    number: str = ""
    """What people quote the thread by, where that is not its key."""
    worth: Money | None = None
    missing: tuple[Lack, ...] = ()

    @property
    def called(self) -> str:
        """As people say it."""
        return self.number or plain_number(reference_of(self.thread))

    @property
    def of(self) -> str:
        """Which part of it waits; empty where it is the whole."""
        return "" if self.thing == reference_of(self.thread) else plain_number(self.thing)


class Waits(msgspec.Struct, frozen=True):
    """All that one missing fact keeps before a gate; `threads` are the oldest, `more` that there are others."""

    fact: str
    what: str
    owed_by: str
    called: str
    count: int
    oldest: datetime | None
    threads: tuple[Stands, ...]
    more: bool


class Before(msgspec.Struct, frozen=True):
    """A gate with what stands before it. A step that waits for two facts counts once here, and in both of `waits`.

    `threads` are the oldest, or a page after them, each with all that it lacks; `more` that there are others.
    """

    gate: str
    opens: str
    step: str
    count: int
    oldest: datetime | None
    waits: tuple[Waits, ...]
    threads: tuple[Stands, ...]
    more: bool


class Gates(msgspec.Struct, frozen=True):
    as_of: datetime
    gates: tuple[Before, ...]


def waiting(m: Material, names: Names, policy: Policy) -> list[Waiting]:
    """Closed gates of this thread; of an order also those of its shipments, of a shipment also those of its orders for it."""
    own = [_told(m.row, m.state, x, names) for x in gates.closed(m.state, policy)]
    for key, (row, state) in m.linked.items():
        other = gates.closed(state, policy) if isinstance(m.state, Order | Shipment) else ()
        if isinstance(m.state, Shipment):
            other = (x for x in other if x.thing == reference_of(m.key))
        own += [_told(row, state, x, names, key) for x in other]
    return sorted(own, key=lambda x: x.since or m.now)


def _told(row: Any, state: Any, x: gates.Closed, names: Names, linked: str = "") -> Waiting:
    missing = _lacks(x, names)
    several = isinstance(state, Order) and len(state.parts) > 1 and x.thing != state.reference
    of = f" of {plain_number(x.thing)}" if several else ""
    lacks = " and ".join(f"{y.what} from {y.called}" for y in missing)
    since = x.since or row["waiting_since"]
    return Waiting(
        x.gate.name, x.gate.step, x.thing, since, missing, f"{x.gate.step}{of} waits for {lacks}", linked
    )


def _lacks(x: gates.Closed, names: Names) -> tuple[Lack, ...]:
    return tuple(Lack(y.fact, names.plain(y.what), y.owed_by, names.of(y.owed_by)) for y in x.missing)


async def read_gates(
    connection: Connection, names: Names, policy: Policy, gate: str = "", *, after: int = 0
) -> Gates:
    """Of one instant. With `gate`, only that one; `after` so many pages of what is listed."""
    found: dict[str, _Count] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        as_of = await connection.fetchval("select clock_timestamp()")
        async for row in _open_threads(connection):
            state = decode_state(row)
            for x in gates.closed(state, policy):
                if gate in ("", x.gate.name):
                    stands = Stands(
                        row["thread_key"], x.thing, x.since or row["waiting_since"], row["number"] or "",
                        state.total if isinstance(state, Order) else None, _lacks(x, names),
                    )  # fmt: skip
                    found.setdefault(x.gate.name, _Count(after)).add(x, stands)
    told = (_before(gates.BY_NAME[name], count, names) for name, count in found.items())
    return Gates(as_of, tuple(sorted(told, key=lambda x: list(gates.BY_NAME).index(x.gate))))


async def _open_threads(connection: Connection) -> AsyncIterator[Any]:
    cursor = await connection.cursor(blocks("gates.sql")["threads"], ["order", "shipment"])
    while rows := await cursor.fetch(ROWS_AT_ONCE):
        for row in rows:
            yield row


class _Count:
    """What stands before one gate, gathered thread by thread. No more is kept than is shown."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.count = 0
        self.oldest: datetime | None = None
        self.lacks: dict[gates.Missing, _Count] = {}
        self.listed: list[Stands] = []

    def add(self, closed: gates.Closed, stands: Stands) -> None:
        self._one(stands)
        for missing in closed.missing:
            self.lacks.setdefault(missing, _Count(self.after))._one(stands)

    def _one(self, stands: Stands) -> None:
        self.count += 1
        self.oldest = min(filter(None, (self.oldest, stands.since)), default=None)
        self.listed.append(stands)
        kept = (self.after + 1) * LISTED_MAX
        if len(self.listed) > 2 * kept:
            self.listed = self._aged()[:kept]

    @property
    def more(self) -> bool:
        """Whether there are others after those that are named."""
        return self.count > (self.after + 1) * LISTED_MAX

    def named(self) -> list[Stands]:
        """The oldest of this page, as many as are shown."""
        return self._aged()[self.after * LISTED_MAX : (self.after + 1) * LISTED_MAX]

    def _aged(self) -> list[Stands]:
        return sorted(self.listed, key=lambda x: (x.since is None, x.since and x.since.timestamp(), x.thread))


def _before(gate: gates.Gate, count: _Count, names: Names) -> Before:
    return Before(
        gate.name, gate.opens, gate.step, count.count, count.oldest, tuple(_waits(count, names)), tuple(count.named()), count.more
    )  # fmt: skip


def _waits(count: _Count, names: Names) -> Iterator[Waits]:
    """What keeps most before the gate comes first."""
    for missing, one in sorted(count.lacks.items(), key=lambda x: (-x[1].count, x[0].what, x[0].owed_by)):
        yield Waits(
            missing.fact, names.plain(missing.what), missing.owed_by, names.of(missing.owed_by), one.count, one.oldest,
            tuple(one.named()), one.more,
        )  # fmt: skip
