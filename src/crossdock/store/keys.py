"""Subject keys: one row each, wrapped by the hub key, cached, made on first use by whoever comes first.

Erasure destroys the key in its row; every process hears of it and forgets. Somebody who comes again after that gets
another key, which opens nothing from before.
"""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b

import msgspec

from crossdock.access.sealing import VERSION, HubKey, Unsealable, new_key, open_sealed, seal
from crossdock.store.pool import Connection

CACHE_MAX = 50_000
_gone = msgspec.json.Decoder(dict[str, datetime])
PEOPLE = b"people"


def seal_people(key: bytes, subject: bytes, plain: bytes) -> bytes:
    return seal(key, plain, PEOPLE + subject)


class Keyring:
    """Opens and seals what belongs to a data subject."""

    def __init__(self, hub: HubKey) -> None:
        self.hub = hub
        self.effects = hub.derive("effect bodies")
        self._mailing = hub.derive("subject mail")
        self._cache: OrderedDict[bytes, bytes] = OrderedDict()
        self._erased: OrderedDict[bytes, datetime] = OrderedDict()
        self._mails: OrderedDict[tuple[bytes, bytes], None] = OrderedDict()
        self._heard: datetime | None = None

    async def load(self, connection: Connection, subjects: Iterable[bytes]) -> None:
        """Have these subjects' keys at hand; erased and unknown ones stay away."""
        missing = sorted({s for s in subjects if s not in self._cache})
        if missing:
            self.remember(await self._fetch(connection, missing))

    async def create(self, connection: Connection, subjects: Iterable[bytes]) -> dict[bytes, bytes]:
        """Keys of these subjects, made in the caller's transaction where they are missing.

        `remember` them after the commit only: a key of a transaction that failed must seal nothing.
        """
        known = {s: self._cache[s] for s in subjects if s in self._cache}
        missing = sorted({s for s in subjects if s not in known})
        if not missing:
            return known
        fresh = [self.hub.wrap(new_key(), subject) for subject in missing]
        await connection.execute(
            "insert into subject_key as k (subject, wrapped) select * from unnest($1::bytea[], $2::bytea[])"
            " on conflict (subject) do update set wrapped = excluded.wrapped where k.wrapped is null",
            missing, fresh,
        )  # fmt: skip
        return known | await self._fetch(connection, missing)

    async def _fetch(self, connection: Connection, subjects: list[bytes]) -> dict[bytes, bytes]:
        rows = await connection.fetch(
            "select subject, wrapped, destroyed_at from subject_key where subject = any($1)", subjects
        )
        self._erased.update({row["subject"]: row["destroyed_at"] for row in rows if row["destroyed_at"]})
        return {
            row["subject"]: self.hub.unwrap(row["wrapped"], row["subject"]) for row in rows if row["wrapped"]
        }

    def remember(self, keys: dict[bytes, bytes], mails: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._cache.update(keys)
        self._mails.update(dict.fromkeys(mails))
        for kept in (self._cache, self._mails, self._erased):
            while len(kept) > CACHE_MAX:
                kept.popitem(last=False)

    def mail_of(self, address: str) -> bytes:
        """By what a person is found who names only an e-mail address: a keyed hash of it."""
        return blake2b(address.strip().casefold().encode(), key=self._mailing, digest_size=16).digest()

    async def note_mails(
        self, connection: Connection, pairs: Iterable[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        """(hash of an address, subject): written in the caller's transaction where they are new; `remember` them after it."""
        fresh = sorted({pair for pair in pairs if pair not in self._mails})
        if fresh:
            await connection.execute(
                "insert into subject_mail (mail, subject) select * from unnest($1::bytea[], $2::bytea[]) on conflict do nothing",
                [mail for mail, _ in fresh], [subject for _, subject in fresh],
            )  # fmt: skip
        return fresh

    def key(self, subject: bytes) -> bytes:
        """Raises `Unsealable` where the subject was erased or never known."""
        try:
            return self._cache[subject]
        except KeyError:
            raise Unsealable(self._gone(subject)) from None

    def _gone(self, subject: bytes) -> str:
        at = self._erased.get(subject)
        return f"erased on {at:%Y-%m-%d}" if at else "the data subject was erased"

    def _open(self, subject: bytes, sealed: bytes, context: bytes) -> bytes:
        try:
            return open_sealed(self.key(subject), sealed, context)
        except Unsealable:
            if subject in self._erased:  # the key there is now is of a later life
                raise Unsealable(self._gone(subject)) from None
            raise

    def open_people(self, subject: bytes, sealed: bytes) -> bytes:
        return self._open(subject, sealed, PEOPLE + subject)

    def seal_effect(self, effect: bytes, subject: bytes | None, plain: bytes) -> bytes:
        return seal(self.key(subject) if subject else self.effects, plain, b"effect" + effect)

    def open_effect(self, effect: bytes, subject: bytes | None, sealed: bytes) -> bytes:
        context = b"effect" + effect
        return self._open(subject, sealed, context) if subject else open_sealed(self.effects, sealed, context)

    def seal_answer(self, effect: bytes, subject: bytes | None, plain: bytes) -> bytes:
        """What a target answered may repeat what it was told, so it is sealed as that was."""
        return seal(self.key(subject) if subject else self.effects, plain, b"answer" + effect)

    def open_answer(self, effect: bytes, subject: bytes | None, kept: bytes) -> bytes:
        """An answer from before answers were sealed stands as it came."""
        if kept[:1] != VERSION:
            return kept
        context = b"answer" + effect
        return self._open(subject, kept, context) if subject else open_sealed(self.effects, kept, context)

    def forget(self, subject: bytes) -> None:
        self._cache.pop(subject, None)
        for pair in [pair for pair in self._mails if pair[1] == subject]:
            del self._mails[pair]

    async def hear(self, connection: Connection) -> None:
        """Forget whoever was erased since the last time; to be called every few seconds."""
        row = await connection.fetchrow(
            "select clock_timestamp() as now, coalesce((select jsonb_object_agg(encode(subject, 'hex'), destroyed_at)"
            " from subject_key where destroyed_at > coalesce($1, clock_timestamp()) - interval '10 seconds'), '{}')::text as gone",
            self._heard,
        )  # fmt: skip
        assert row is not None
        self._heard = row["now"]
        for subject, at in _gone.decode(row["gone"]).items():
            handle = bytes.fromhex(subject)
            if self._erased.get(handle) != at:
                self._erased[handle] = at
                self.forget(handle)
