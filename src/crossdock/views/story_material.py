"""What one story is made of: the rows of a thread and of the shipments it is linked to, read together."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from crossdock.model.thread import hash16
from crossdock.processes.catalogue import PROCESSES
from crossdock.processes.claim import State as Claim
from crossdock.processes.order_state import State as Order
from crossdock.processes.returning_state import State as Return
from crossdock.processes.serial import State as Serial
from crossdock.processes.shipment import State as Shipment
from crossdock.store.holds import Hold
from crossdock.store.pool import Connection
from crossdock.views.holds import holds_over
from crossdock.views.names import Names
from crossdock.views.sql import blocks

EVENTS_MAX: Final = 400
EFFECTS_MAX: Final = 400
LINKED_MAX: Final = 50
_DECODERS: Final = {kind: msgspec.msgpack.Decoder(process.state) for kind, process in PROCESSES.items()}


@dataclass(slots=True)
class Material:
    """Everything read for one story. Events and effects are newest first."""

    row: Any
    state: Any
    linked: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Thread key → (row, state), the linked threads that exist."""
    events: list[Any] = field(default_factory=list)
    effects: list[Any] = field(default_factory=list)
    attempts: list[Any] = field(default_factory=list)
    cases: list[Any] = field(default_factory=list)
    timers: list[Any] = field(default_factory=list)
    failing: dict[str, Any] = field(default_factory=dict)
    parked_events: int = 0
    holds: list[Hold] = field(default_factory=list)
    """Those that keep an effect of this story from being sent."""

    @property
    def horizon(self) -> datetime | None:
        """Before this instant something of the threads was not read; None where all of it was."""
        cut = []
        for rows, most, at in (
            (self.events, EVENTS_MAX, "recorded_at"),
            (self.effects, EFFECTS_MAX, "journaled_at"),
        ):
            for thread, count in Counter(row["thread"] for row in rows).items():
                if count >= most:
                    cut.append(min(row[at] for row in rows if row["thread"] == thread))
        return max(cut, default=None)

    @property
    def key(self) -> str:
        return str(self.row["thread_key"])

    @property
    def now(self) -> datetime:
        found = self.row["now"]
        assert isinstance(found, datetime)
        return found

    @property
    def own_events(self) -> list[Any]:
        return [e for e in self.events if e["thread"] == self.row["thread"]]


def decode_state(row: Any) -> Any:
    """A thread's state, or None where this release knows no such kind."""
    decoder = _DECODERS.get(row["kind"])
    return decoder.decode(row["state"]) if decoder else None


def shipment_keys(shipment: str, systems: tuple[str, ...]) -> list[str]:
    """A reference names its warehouse; a bare number, as an earlier release kept it, may be any system's."""
    return [f"shipment/{shipment}"] if "/" in shipment else [f"shipment/{x}/{shipment}" for x in systems]


def links_of(state: Any, systems: tuple[str, ...]) -> list[str]:
    """Keys of the threads that a state names."""
    match state:
        case Order():
            keys = [key for part in state.parts for key in shipment_keys(part.shipment, systems)]
            claim = [f"claim/{state.checkout}"] if state.checkout_was == "taken" else []
            return [*claim, *keys, *dict.fromkeys(x.thread for x in state.back)][:LINKED_MAX]
        case Claim():
            return [state.taken_by] if state.taken_by else []
        case Return():
            return [f"order/{state.order}"] if state.order else []
        case Shipment():
            packages = (*state.packages, *state.departed_early)
            return list(dict.fromkeys(f"order/{x.order}" for p in packages for x in p.lines))[:LINKED_MAX]
        case Serial():
            threads = [
                x.thread for x in reversed(state.facts) if x.thread and not x.thread.startswith("stock/")
            ]
            orders = [f"order/{x.order}" for x in reversed(state.facts) if x.order]
            return list(dict.fromkeys((*threads, *orders)))[:LINKED_MAX]
        case _:
            return []


async def gather(
    connection: Connection, thread: str, names: Names, before: datetime | None
) -> Material | None:  # fmt: skip
    sql = blocks("story.sql")
    row = await connection.fetchrow(sql["threads"], [hash16(thread)])
    if row is None:
        return None
    found = Material(row, decode_state(row))
    keys = links_of(found.state, names.systems)
    if keys:
        for other in await connection.fetch(sql["threads"], [hash16(key) for key in keys]):
            found.linked[other["thread_key"]] = (other, decode_state(other))
    told = [row["thread"], *(r["thread"] for r, _ in found.linked.values() if r["kind"] == "shipment")]
    found.events = await connection.fetch(sql["events"], told, row["first_segment"], before, EVENTS_MAX)
    found.effects = await connection.fetch(sql["effects"], told, before, EFFECTS_MAX)
    ids, segments = [x["id"] for x in found.effects], [x["segment"] for x in found.effects]
    found.attempts = await connection.fetch(sql["attempts"], ids, segments, EFFECTS_MAX * 5)
    found.cases = await connection.fetch(sql["cases"], told)
    found.timers = await connection.fetch(sql["timers"], row["thread"])
    found.failing = {x["name"]: x for x in await connection.fetch(sql["accounts"])}
    found.holds = await holds_over(connection, found.effects)
    if row["parked"] is not None:
        found.parked_events = await connection.fetchval(sql["parked_count"], row["thread"])
    return found
