"""Codes of items and locations as master data has them: read after changes, kept in memory, used both ways.

A code that nobody mapped stands for itself, so a hub whose systems all use the same codes needs none of this.
"""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

import msgspec

from crossdock.model.recoding import recoded
from crossdock.model.requests import PostGoodsIssue
from crossdock.processes.master import ANYBODY, State
from crossdock.store.pool import Connection

READ_EVERY_SECONDS: Final = 3.0
OVERLAP: Final = timedelta(seconds=10)
"""Rows whose transaction began before the last reading and ended after it are found by reading a little again."""
replace = msgspec.structs.replace
_decode = msgspec.msgpack.Decoder(State).decode


class Codes:
    """Of one process."""

    def __init__(self) -> None:
        self._ours: dict[tuple[str, str, str], str] = {}
        self._theirs: dict[tuple[str, str, str], str] = {}
        self._renamed: dict[tuple[str, str], str] = {}
        self._items: dict[str, State] = {}
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._since = datetime(1970, 1, 1, tzinfo=UTC)
        self._next = 0.0

    async def refresh(self, connection: Connection) -> None:
        """At most every three seconds."""
        if monotonic() < self._next:
            return
        self._next = monotonic() + READ_EVERY_SECONDS
        rows = await connection.fetch(
            "select thread_key, state, master_changed_at from thread_state"
            " where master_changed_at > $1 order by master_changed_at",
            self._since - OVERLAP,
        )
        for row in rows:
            if self._known.get(row["thread_key"]) != row["state"]:
                self._known[row["thread_key"]] = row["state"]
                self._learn(row["thread_key"].partition("/")[0], _decode(row["state"]))
            self._since = max(self._since, row["master_changed_at"])

    def _learn(self, kind: str, state: State) -> None:
        """A renamed item keeps the code it had among us: orders and stock under way mean the same thing."""
        if kind == "item":
            self._items[state.code] = state
        for text in state.codes:
            system, _, code = text.partition("/")
            if system == ANYBODY:
                self._ours[kind, "", code] = state.code
                continue
            self._ours[kind, system, code] = state.code
            self._theirs[kind, system, state.code] = code
        if state.now:
            self._ours[kind, "", state.now] = state.code
            self._renamed[kind, state.code] = state.now

    def from_system(self, system: str, data: msgspec.Struct) -> msgspec.Struct:
        """An event of `system` in our codes."""
        if not self._ours:
            return data
        return recoded(
            data,
            lambda kind, code: self._ours.get((kind, system, code)) or self._ours.get((kind, "", code), code),
        )

    def for_system(self, system: str, payload: msgspec.Struct) -> msgspec.Struct:
        """A request to `system` in its codes."""
        if not self._ours:
            return payload
        sent = recoded(
            payload,
            lambda kind, code: (
                self._theirs.get((kind, system, code)) or self._renamed.get((kind, code), code)
            ),
        )
        if isinstance(payload, PostGoodsIssue) and isinstance(sent, PostGoodsIssue):
            names = zip(payload.lines, sent.lines, strict=True)
            others = {new.item: self._others(system, old.item, new.item) for old, new in names}
            return replace(sent, also_called={item: codes for item, codes in others.items() if codes})
        return sent

    def _others(self, system: str, ours: str, sent: str) -> tuple[str, ...]:
        record = self._items.get(ours)
        if record is None:
            return ()
        theirs = (code for at, _, code in (x.partition("/") for x in record.codes) if at == system)
        return tuple(x for x in dict.fromkeys((ours, *theirs, record.now)) if x not in ("", sent))
