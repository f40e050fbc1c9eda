"""Corrections that intake makes by itself: rules of one process, read from the database every second, not for each message."""

from time import monotonic
from typing import Any, Final

import msgspec

from crossdock.connect.changes import exact, exchange, written
from crossdock.errors import Malformed
from crossdock.store import corrections as table
from crossdock.store.pool import Connection

READ_EVERY_SECONDS: Final = 1.0


class Rules:
    """Those in force, by system and channel. The raw message is kept as it came; only what is translated changes."""

    def __init__(self) -> None:
        self._live: dict[tuple[str, str], list[tuple[table.Rule, Any, Any]]] = {}
        self._uses: dict[int, int] = {}
        self._next = 0.0

    async def refresh(self, connection: Connection, *, now: bool = False) -> None:
        """At most once a second, unless it must be `now`."""
        if monotonic() < self._next and not now:
            return
        self._next = monotonic() + READ_EVERY_SECONDS
        uses, self._uses = self._uses, {}
        if uses:
            await table.used(connection, uses)
        live: dict[tuple[str, str], list[tuple[table.Rule, Any, Any]]] = {}
        for rule in await table.rules(connection, live=True):
            values = (msgspec.json.decode(rule.from_value), msgspec.json.decode(rule.to_value))
            live.setdefault((rule.system, rule.channel), []).append((rule, *values))
        self._live = live

    def read(self, system: str, channel: str, body: bytes) -> tuple[bytes, str]:
        """The body to translate, and which rules changed it ("" for none)."""
        mine = self._live.get((system, channel))
        if not mine:
            return body, ""
        try:
            document = exact(body)
        except Malformed:
            return body, ""
        used = []
        for rule, before, after in mine:
            if exchange(document, rule.path, before, after):
                used.append(f"rule {rule.id}: {rule.path} {rule.from_value} read as {rule.to_value}")
                self._uses[rule.id] = self._uses.get(rule.id, 0) + 1
        return (written(document), "; ".join(used)) if used else (body, "")
