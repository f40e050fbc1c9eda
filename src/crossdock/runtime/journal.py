"""From a process's wish to a journaled effect: route to the account, render the final body, seal it.

The connector version of this moment renders; delivery adds only tokens, ETags and control numbers.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import structlog

from crossdock.access.sealing import Unsealable
from crossdock.connect.contract import Account, Connector
from crossdock.errors import CrossdockError, Rejected
from crossdock.model.operations import EffectRefused
from crossdock.model.party import NOBODY, People, told
from crossdock.model.registry import EFFECTS, encode
from crossdock.model.thread import hash16, partition_of
from crossdock.processes.intents import Do
from crossdock.runtime.batch import Batch, Wanted
from crossdock.runtime.hub import Hub
from crossdock.store.codes import Codes
from crossdock.store.effects import UNRENDERED, NewEffect, State, effect_id, lane_of, mode_of, replace_body
from crossdock.store.keys import Keyring
from crossdock.store.pool import Connection

_log = structlog.get_logger()
_people = msgspec.json.Decoder(People)


class Unrendered(msgspec.Struct, frozen=True, gc=False):
    """What is kept as the body of an effect that no connector could render: enough to render it later."""

    payload: msgspec.Raw
    people: bytes | None


_unrendered = msgspec.json.Decoder(Unrendered)
_encode = msgspec.json.Encoder().encode


class Journal:
    """Renders for all accounts of a hub; one per worker process."""

    def __init__(self, hub: Hub, keyring: Keyring) -> None:
        self._hub = hub
        self._keyring = keyring
        self._codes = Codes()
        self._routes: dict[str, tuple[Connector, Account, str]] = {}

    def _route(self, name: str) -> tuple[Connector, Account, str]:
        route = self._routes.get(name)
        if route is None:
            manifest = self._hub.manifest(name)
            account = self._hub.account(name, with_secrets=False)
            route = (self._hub.connector(name), account, f"{manifest.name} {manifest.version}")
            self._routes[name] = route
        return route

    async def load_keys(self, connection: Connection, wanted: Sequence[Wanted]) -> None:
        await self._keyring.load(connection, {w.do.subject for w in wanted if w.do.subject})
        await self._codes.refresh(connection)

    def render(self, wanted: Sequence[Wanted], batch: Batch) -> list[NewEffect]:
        """All effects of a batch; one that cannot be rendered is journaled as refused, and its thread hears of it; one
        that is withheld is journaled as withdrawn, and nobody does.
        """
        opened: dict[bytes, People] = {}
        return [self._one(w, batch, opened) for w in wanted]

    def _one(self, wanted: Wanted, batch: Batch, opened: dict[bytes, People]) -> NewEffect:
        do, thread = wanted.do, wanted.thread
        state, reason, connector = State.PENDING, None, UNRENDERED
        try:
            people = told(do.kind, wanted.people or self._open(do, opened))
            body, connector = self._rendered(do.account, do.kind, do.payload, people)
        except (CrossdockError, Unsealable) as error:
            state, reason = State.REFUSED, str(error)[:500]
            body = _encode(Unrendered(msgspec.Raw(encode(do.payload)), do.people))
        if wanted.withheld:
            state = State.WITHDRAWN
        effect = NewEffect(
            effect_id(thread.key, do.kind, do.object, do.generation, do.account), partition_of(thread.hash), thread.hash,
            thread.key, do.kind, do.account, do.object, do.generation, lane_of(do.account, do.lane), mode_of(do.kind),
            do.priority, state, wanted.withheld or reason, connector, b"", do.subject,
        )  # fmt: skip
        try:
            effect.sealed = self._keyring.seal_effect(effect.id.bytes, do.subject, body)
        except Unsealable:
            effect.subject = None
            effect.sealed = self._keyring.seal_effect(effect.id.bytes, None, b"")
        if reason is not None and not wanted.withheld:
            batch.append(
                thread.key,
                _refusal(effect.id, do.kind, do.account, reason),
                cause=str(effect.id),
                place="render",
            )
        return effect

    def _rendered(self, name: str, kind: str, payload: msgspec.Struct, people: People) -> tuple[bytes, str]:
        """(final body, connector and its version). Raises `CrossdockError` with what stands in the way."""
        if name not in self._hub.landscape.systems:
            raise Rejected("/", f"no system named {name} in the landscape")
        code, account, connector = self._route(name)
        if code.render is None:
            raise Rejected("/", f"{account.connector} carries out nothing")
        try:
            return code.render(kind, self._codes.for_system(name, payload), people, account), connector
        except CrossdockError:
            raise
        except Exception as error:
            _log.exception("render_failed", account=name, kind=kind)
            raise Rejected("/", f"connector fault: {type(error).__name__}: {error}") from None

    async def render_again(self, connection: Connection, row: Any) -> EffectRefused | None:
        """An effect that could not be rendered when it was wished for, retried: its body is made now.

        `row` as from `effects.unrendered`. Returns the refusal where it still cannot be.
        """
        effect, subject = row["id"], row["subject"]
        await self._keyring.load(connection, [subject] if subject else [])
        try:
            kept = _unrendered.decode(self._keyring.open_effect(effect.bytes, subject, row["sealed"]))
            people = NOBODY
            if kept.people and subject:
                people = told(row["kind"], _people.decode(self._keyring.open_people(subject, kept.people)))
            payload = msgspec.json.decode(kept.payload, type=EFFECTS[row["kind"]])
            body, connector = self._rendered(row["account"], row["kind"], payload, people)
        except (CrossdockError, Unsealable, msgspec.DecodeError) as error:
            return _refusal(effect, row["kind"], row["account"], str(error)[:500])
        sealed = self._keyring.seal_effect(effect.bytes, subject, body)
        await replace_body(connection, effect, row["segment"], connector, sealed)
        return None

    async def redate(self, connection: Connection, row: Any, posting_on: date | None) -> EffectRefused | None:
        """A refused effect carries the posting date that a person decided, and is otherwise as it was.

        `row` as from `effects.refused_bodies`. Returns the refusal where that cannot be.
        """
        effect, subject = row["id"], row["subject"]
        await self._keyring.load(connection, [subject] if subject else [])
        try:
            code, account, _ = self._route(row["account"])
            if code.redate is None or posting_on is None:
                raise Rejected("/posting_on", f"{account.connector} books nothing by a posting date")
            body = self._keyring.open_effect(effect.bytes, subject, row["sealed"])
            body = code.redate(row["kind"], body, posting_on)
        except (CrossdockError, Unsealable, msgspec.MsgspecError) as error:
            return _refusal(effect, row["kind"], row["account"], str(error)[:500])
        sealed = self._keyring.seal_effect(effect.bytes, subject, body)
        await replace_body(connection, effect, row["segment"], row["connector"], sealed)
        return None

    def _open(self, do: Do, opened: dict[bytes, People]) -> People:
        if not do.people or not do.subject:
            return NOBODY
        people = opened.get(do.people)
        if people is None:
            people = _people.decode(self._keyring.open_people(do.subject, do.people))
            opened[do.people] = people
        return people


def _refusal(effect: UUID, kind: str, account: str, reason: str) -> EffectRefused:
    return EffectRefused(str(effect), kind, account, "not renderable", reason)


def stock_wanted(thread_key: str, do: Do, cause: str) -> Wanted:
    """An effect of a stock thread that is not itself part of the batch (availability follows every claim)."""
    from crossdock.runtime.batch import Thread

    thread: Any = Thread(hash16(thread_key), thread_key, "stock", None)
    return Wanted(do, thread, cause)
