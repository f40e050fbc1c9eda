"""What a restored hub does with effects that the lost one may have carried out since the backup."""

from typing import Literal

import asyncpg
import msgspec

from crossdock.runtime.hub import Hub
from crossdock.store import access, pause
from crossdock.store.effects import State

Fate = Literal["look up", "send again", "ask a person", "leave"]
"""look up: ask the target before anything is sent. send again: the target takes it as the same. ask a person: nobody
else can know. leave: it waits for a person already, or its system is not in the landscape.
"""
IN_DOUBT = ("look_up", "none")


class Group(msgspec.Struct, frozen=True):
    """Effects of one kind at one account in one state, and what becomes of them."""

    account: str
    kind: str
    state: str
    fate: Fate
    count: int
    effects: tuple[str, ...]


def doubtful(hub: Hub) -> list[tuple[str, str]]:
    """(account, kind) where sending again could do it twice."""
    return [
        (name, kind)
        for name in sorted(hub.landscape.systems)
        for kind, traits in sorted(hub.manifest(name).effects.items())
        if traits.idempotency in IN_DOUBT
    ]


async def report(connection: asyncpg.Connection, hub: Hub) -> list[Group]:
    """Everything unsettled, by account and kind; nothing is changed."""
    return [
        Group(
            row["account"], row["kind"], State(row["state"]).name.lower(),
            _fate(hub, row["account"], row["kind"], State(row["state"])), len(row["ids"]), tuple(map(str, row["ids"])),
        )
        for row in await pause.unfinished(connection)
    ]  # fmt: skip


def _fate(hub: Hub, account: str, kind: str, state: State) -> Fate:
    system = hub.system(account)
    traits = hub.manifest(account).effects.get(kind) if system else None
    if traits is None or state in (State.REFUSED, State.UNCLEAR):
        return "leave"
    if traits.idempotency == "look_up":
        return "look up"
    return "ask a person" if traits.idempotency == "none" else "send again"


async def resume(connection: asyncpg.Connection, hub: Hub, who: str) -> bool:
    """End the pause; False where there was none."""
    if not await pause.resume(connection, doubtful(hub)):
        return False
    await access.note_action(connection, who, "resume", "deliveries", "the restored hub may send")
    return True
