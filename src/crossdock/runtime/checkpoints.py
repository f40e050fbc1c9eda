"""Signed checkpoints on their way off the machine: lines of a file in a directory, or posts to an address.

A chain that lies beside its rows cannot show that its end was cut off; a checkpoint that lies elsewhere can.
"""

import asyncio
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from crossdock.access.audit import Signed, public_key, sign
from crossdock.connect.transport import NoAnswer, NotSent, Transport
from crossdock.errors import Misconfigured
from crossdock.runtime.hub import Hub
from crossdock.store import audit, erasure
from crossdock.store.pool import Connection

FOLDER: Final = "audit"
CHECKPOINTS: Final = "checkpoints.jsonl"
ERASURES: Final = "erasures.jsonl"
TIMEOUT_SECONDS: Final = 15.0


def digest_of(body: str) -> str:
    return sha256(body.encode()).hexdigest()


def is_address(place: str) -> bool:
    return place.startswith(("https://", "http://"))


def folder_of(hub: Hub) -> Path:
    """Where the files are written; with an address it is the hub's own directory."""
    place = hub.settings.audit_checkpoints
    return hub.private / FOLDER if not place or is_address(place) else hub.folder / place


def is_elsewhere(hub: Hub) -> bool:
    """Whether they go anywhere but the hub's own directory."""
    place = hub.settings.audit_checkpoints
    return is_address(place) or (bool(place) and not folder_of(hub).is_relative_to(hub.folder))


async def ship(connection: Connection, hub: Hub, transport: Transport) -> None:
    """Everything that is not off the machine yet, oldest first, up to the first that cannot be."""
    for row in await audit.checkpoints(connection, unsent=True):
        signed = Signed(body=row["body"], signature=row["signature"].hex(), key=public_key(hub.key))
        trouble = await tell(hub, transport, CHECKPOINTS, msgspec.json.encode(signed))
        await audit.note_sent(connection, row["no"], trouble)
        if trouble:
            return


async def list_erased(connection: Connection, hub: Hub, transport: Transport) -> None:
    """Who was erased, for a restore of an older backup to erase again; signed like a checkpoint."""
    for erased in await erasure.unsent(connection):
        if await tell(hub, transport, ERASURES, msgspec.json.encode(sign(hub.key, erased))):
            return
        await erasure.note_sent(connection, erased.erasure)


async def tell(hub: Hub, transport: Transport, file: str, line: bytes) -> str:
    """Append a line, and post it where an address is configured. Returns what stood in the way, or nothing."""
    place = hub.settings.audit_checkpoints
    if is_address(place):
        try:
            answer = await transport.request(
                "POST", place, headers={"content-type": "application/json"}, body=line, timeout_seconds=TIMEOUT_SECONDS
            )  # fmt: skip
        except (NotSent, NoAnswer) as error:
            return str(error)
        if not 200 <= answer.status < 300:
            return f"it answers {answer.status}"
    try:
        await asyncio.to_thread(append, folder_of(hub) / file, line)
    except OSError as error:
        return f"{folder_of(hub)}: {error.strerror}"
    return ""


def append(path: Path, line: bytes) -> None:
    """On the disk when this returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "ab") as file:
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> Sequence[Signed]:
    """Raises `Misconfigured` for a file that is not there or holds something else."""
    try:
        lines = path.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Signed) for line in lines if line.strip()]
    except OSError as error:
        raise Misconfigured(str(path), error.strerror or "cannot be read") from None
    except msgspec.DecodeError as error:
        raise Misconfigured(str(path), f"holds a line that is no checkpoint: {error}") from None
