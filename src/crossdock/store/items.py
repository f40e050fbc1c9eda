"""Items' definitions, as the claim desk needs them: units and components, read from master data and kept for seconds."""

from collections import OrderedDict
from collections.abc import Iterable
from time import monotonic
from typing import Final

import msgspec

from crossdock.model.master import ItemDefined
from crossdock.model.thread import hash16, thread_key
from crossdock.processes.demand import KIT_DEPTH_MAX, named
from crossdock.processes.master import State
from crossdock.store.pool import Connection

KEPT_SECONDS: Final = 3.0
KEPT_MAX: Final = 50_000
_state = msgspec.msgpack.Decoder(State)
_item = msgspec.json.Decoder(ItemDefined)


class Items:
    """Of one process. A change of master data counts after at most `kept_seconds`."""

    def __init__(self, kept_seconds: float = KEPT_SECONDS) -> None:
        self._kept_seconds = kept_seconds
        self.known: dict[str, ItemDefined] = {}
        self._read: OrderedDict[str, float] = OrderedDict()

    def forget(self, codes: Iterable[str]) -> None:
        """The next read is of what stands there then."""
        for code in codes:
            self._read.pop(code, None)

    def missing(self, codes: Iterable[str]) -> set[str]:
        """Those of them, and of their components, that have to be read first."""
        now = monotonic()
        return {x for x in named(codes, self.known) if self._read.get(x, 0.0) < now}

    async def read(self, connection: Connection, codes: Iterable[str]) -> None:
        """Read these and the components of kits among them."""
        wanted = set(codes)
        for _ in range(KIT_DEPTH_MAX + 1):
            missing = self.missing(wanted)
            if not missing:
                return
            await self._fetch(connection, sorted(missing))
            wanted |= named(wanted, self.known)

    async def _fetch(self, connection: Connection, codes: list[str]) -> None:
        hashes = {hash16(thread_key("item", code)): code for code in codes}
        rows = await connection.fetch(
            "select thread, state from thread_state where thread = any($1)", list(hashes)
        )
        for code in codes:
            self.known.pop(code, None)
            self._read[code] = monotonic() + self._kept_seconds
            self._read.move_to_end(code)
        for row in rows:
            record = _state.decode(row["state"]).record
            if record:
                self.known[hashes[row["thread"]]] = _item.decode(record.encode())
        while len(self._read) > KEPT_MAX:
            old, _ = self._read.popitem(last=False)
            self.known.pop(old, None)
