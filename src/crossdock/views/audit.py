"""Where the audit chain stands: its head, how far it is behind, and its last checkpoint."""

from datetime import datetime

import msgspec

from crossdock.store.pool import Connection
from crossdock.store.segments import segment_at
from crossdock.views.sql import blocks


class Standing(msgspec.Struct, frozen=True):
    """`lag_seconds`: age of the oldest event or action that is in no link yet; `sent_at`: when the checkpoint left the machine."""

    head: int
    hash: str
    sealed_at: datetime | None
    lag_seconds: float
    checkpoint: int
    checkpoint_link: int
    checkpoint_at: datetime | None
    sent_at: datetime | None
    unsent: int
    trouble: str
    key: str
    """The public key (Ed25519, hexadecimal) that checkpoints are signed by."""


async def read_standing(connection: Connection, key: str) -> Standing:
    sql = blocks("audit.sql")
    row = await connection.fetchrow(sql["standing"])
    assert row is not None
    oldest_segment = segment_at(row["sealed_at"]) - 1 if row["sealed_at"] else 0
    oldest = await connection.fetchval(sql["oldest_unsealed"], row["xid_to"] or 0, oldest_segment)
    lag = max(0.0, (row["now"] - oldest).total_seconds()) if oldest else 0.0
    return Standing(
        row["no"] or 0, (row["hash"] or b"").hex(), row["sealed_at"], round(lag, 3), row["checkpoint"] or 0,
        row["checkpoint_link"] or 0, row["made_at"], row["sent_at"], row["unsent"], row["trouble"] or "", key,
    )  # fmt: skip
