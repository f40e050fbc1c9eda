"""Raw messages as they are kept: opened with the hub's key, one at a time, and never changed."""

from datetime import datetime
from uuid import UUID

import msgspec

from crossdock.access.sealing import HubKey, Unsealable, open_sealed
from crossdock.store.log import MESSAGE_COLUMNS, Row
from crossdock.store.pool import Connection

READ_IN_PART = "read in part"


class Message(msgspec.Struct, frozen=True):
    """One message with its body in clear: for reading it again, not for showing it."""

    id: UUID
    system: str
    channel: str
    headers: dict[str, str]
    outcome: str
    received_at: datetime
    body: bytes
    subject: bytes | None

    @property
    def was_read(self) -> bool:
        """Whole: what was read in part is corrected and replayed as if it had just come, and what is known of it counts once."""
        return self.outcome not in ("not translated", READ_IN_PART)


_FIND = """
select m.id, m.system, m.channel, m.headers, m.outcome, m.received_at, m.sealed, k.wrapped, k.subject, k.destroyed_at
from message m left join message_key k on k.message = m.id where m.id = $1 limit 1
"""


def erased(at: datetime | None) -> str:
    """Why a message has no key any more."""
    return f"erased on {at:%Y-%m-%d}" if at else "the message's key was destroyed: erased"


async def find(connection: Connection, message: UUID, key: HubKey) -> Message | None:
    """None where it is not kept (any more). Raises `Unsealable` where its key was destroyed."""
    row = await connection.fetchrow(_FIND, message)
    if row is None:
        return None
    if row["wrapped"] is None:
        raise Unsealable(erased(row["destroyed_at"]))
    id_ = row["id"].bytes
    body = open_sealed(key.unwrap(row["wrapped"], id_), row["sealed"], b"message" + id_)
    return Message(
        row["id"], row["system"], row["channel"], msgspec.json.decode(row["headers"]), row["outcome"],
        row["received_at"], body, row["subject"],
    )  # fmt: skip


async def keep(connection: Connection, rows: tuple[Row, Row]) -> None:
    """A message that comes with no event yet; `rows` as `Intake.keep` makes them."""
    message, wrapped = rows
    await connection.copy_records_to_table(
        f"message_{message[0]}", records=[message], columns=MESSAGE_COLUMNS
    )
    await connection.copy_records_to_table(
        "message_key", records=[wrapped], columns=("message", "wrapped", "subject")
    )
