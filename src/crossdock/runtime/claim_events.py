"""What the log hears of claims: that availability changed, once a round and place, and that a claim expired."""

from collections.abc import Iterable
from datetime import datetime
from uuid import uuid4

import msgspec

from crossdock.model.envelope import HUB
from crossdock.model.registry import TYPE_OF, encode
from crossdock.model.stock import AvailabilityChanged, ClaimExpired
from crossdock.model.thread import stock_thread
from crossdock.store.held import Held
from crossdock.store.log import Row, event_row
from crossdock.store.stock import Settled


def availability(settled: Settled, generation: int, now: datetime) -> list[Row]:
    """One event for every place whose `available` an entry of this round moved."""
    touched = {entry[1] for entry in settled.entries if "available" in (entry[2], entry[3])}
    places = {(b.key[1], b.key[0]) for b in settled.balances.values() if b.id in touched}
    return [
        _row(settled, generation, now, stock_thread(location, item), AvailabilityChanged(item, location))
        for location, item in sorted(places)
    ]


def expired(settled: Settled, held: Iterable[Held], generation: int, now: datetime) -> list[Row]:
    """To the thread each claim was made for."""
    return [_row(settled, generation, now, claim.thread_key, ClaimExpired(claim.id)) for claim in held]


def _row(settled: Settled, generation: int, now: datetime, thread: str, data: msgspec.Struct) -> Row:
    return event_row(
        segment=settled.segment, generation=generation, thread=thread, type_=TYPE_OF[type(data)], event_id=uuid4().hex,
        source=HUB, occurred_at=now, data=encode(data),
    )  # fmt: skip
