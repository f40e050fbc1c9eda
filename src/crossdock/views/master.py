"""Master data as it stands: one record by its code, or by what a system calls it; one version of a code list."""

from datetime import datetime
from typing import Any

import msgspec

from crossdock.model.registry import decode
from crossdock.model.thread import hash16, identifier_thread, kind_of, reference_of
from crossdock.processes.master import State
from crossdock.store.pool import Connection
from crossdock.views.sql import blocks

_state = msgspec.msgpack.Decoder(State)


class Record(msgspec.Struct, frozen=True):
    """`record` is the definition; null while nobody defined it. `waiting` are the threads that need it."""

    kind: str
    code: str
    version: int
    now: str
    record: msgspec.Raw
    waiting: tuple[str, ...]
    as_of: datetime


async def read_record(connection: Connection, kind: str, code: str) -> Record | None:
    """None where nobody ever spoke of it."""
    row = await connection.fetchrow(blocks("master.sql")["record"], hash16(f"{kind}/{code}"))
    if row is None:
        return None
    state = _state.decode(row["state"])
    return Record(
        kind, state.code, state.version, state.now, msgspec.Raw(state.record.encode() or b"null"), tuple(x.thread for x in state.waiting),
        row["updated_at"],
    )  # fmt: skip


async def code_of(connection: Connection, kind: str, system: str, code: str) -> str:
    """Our code for what `system` calls `code`; empty where none is known."""
    home = identifier_thread(f"{kind}-code", system, code)
    thread: str | None = await connection.fetchval(blocks("master.sql")["bound"], hash16(home))
    return reference_of(thread) if thread and kind_of(thread) == kind else ""


async def read_list(connection: Connection, name: str, version: int) -> Any | None:
    """One published version of a code list."""
    rows = await connection.fetch(blocks("master.sql")["versions"], hash16(f"codelist/{name}"))
    found = (decode("codeList.published.v1", row["data"]) for row in rows)
    return next((x for x in found if getattr(x, "version", None) == version), None)
