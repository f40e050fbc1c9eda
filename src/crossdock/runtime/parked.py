"""Which lanes of an account wait for a person: read at the start, and freed when somebody settled what parked them."""

from crossdock.runtime.lanes import Lanes
from crossdock.store import delivery as table
from crossdock.store.pool import Connection

LOOK_SECONDS = 1.0


class Parked:
    """Of one account. A retry comes back by the journal; what was done, taken back or given up does not."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._looked_at = 0.0

    async def read(self, connection: Connection, lanes: Lanes) -> None:
        found = await table.parked_lanes(connection, self._account)
        lanes.parked = {lane: seq for lane, (seq, _) in found.items()}
        lanes.parkers = {lane: effect for lane, (_, effect) in found.items()}

    async def free(self, connection: Connection, lanes: Lanes, now: float) -> None:
        """Looks once a second, where there is anything to look for."""
        if not lanes.parkers or now < self._looked_at + LOOK_SECONDS:
            return
        self._looked_at = now
        for effect in await table.settled_by_people(connection, list(lanes.parkers.values())):
            lanes.free(effect)
