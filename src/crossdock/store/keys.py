"""Subject keys: one row each, wrapped by the hub key, cached, made on first use by whoever comes first."""

from collections import OrderedDict
from collections.abc import Iterable

from crossdock.access.sealing import HubKey, Unsealable, new_key, open_sealed, seal
from crossdock.store.pool import Connection

CACHE_MAX = 50_000
PEOPLE = b"people"


def seal_people(key: bytes, subject: bytes, plain: bytes) -> bytes:
    return seal(key, plain, PEOPLE + subject)


class Keyring:
    """Opens and seals what belongs to a data subject."""

    def __init__(self, hub: HubKey) -> None:
        self.hub = hub
        self.effects = hub.derive("effect bodies")
        self._cache: OrderedDict[bytes, bytes] = OrderedDict()

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
            "insert into subject_key (subject, wrapped) select * from unnest($1::bytea[], $2::bytea[])"
            " on conflict do nothing",
            missing, fresh,
        )  # fmt: skip
        return known | await self._fetch(connection, missing)

    async def _fetch(self, connection: Connection, subjects: list[bytes]) -> dict[bytes, bytes]:
        rows = await connection.fetch(
            "select subject, wrapped from subject_key where subject = any($1) and wrapped is not null",
            subjects,
        )
        return {row["subject"]: self.hub.unwrap(row["wrapped"], row["subject"]) for row in rows}

    def remember(self, keys: dict[bytes, bytes]) -> None:
        self._cache.update(keys)
        while len(self._cache) > CACHE_MAX:
            self._cache.popitem(last=False)

    def key(self, subject: bytes) -> bytes:
        """Raises `Unsealable` where the subject was erased or never known."""
        try:
            return self._cache[subject]
        except KeyError:
            raise Unsealable("the data subject was erased") from None

    def open_people(self, subject: bytes, sealed: bytes) -> bytes:
        return open_sealed(self.key(subject), sealed, PEOPLE + subject)

    def seal_effect(self, effect: bytes, subject: bytes | None, plain: bytes) -> bytes:
        return seal(self.key(subject) if subject else self.effects, plain, b"effect" + effect)

    def open_effect(self, effect: bytes, subject: bytes | None, sealed: bytes) -> bytes:
        return open_sealed(self.key(subject) if subject else self.effects, sealed, b"effect" + effect)

    def forget(self, subject: bytes) -> None:
        self._cache.pop(subject, None)
