"""Subject keys and access keys: made once, wrapped, and gone when they are destroyed."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from crossdock.access.sealing import HubKey, Unsealable, load_hub_key
from crossdock.access.tokens import id_of, matches
from crossdock.store import access
from crossdock.store.keys import Keyring, seal_people
from store.conftest import Connect

SUBJECT = b"subject-handle-1"


@pytest.fixture
def hub_key(tmp_path: Path) -> HubKey:
    return load_hub_key(tmp_path / "hub.key")


async def test_concurrent_first_uses_agree_on_one_key(another: Connect, hub_key: HubKey) -> None:
    """Whoever comes first makes it; what one seals the others open."""
    connections = [await another() for _ in range(8)]

    async def create(connection: asyncpg.Connection) -> bytes:
        async with connection.transaction():
            return (await Keyring(hub_key).create(connection, [SUBJECT]))[SUBJECT]

    made = await asyncio.gather(*(create(c) for c in connections))

    assert len(set(made)) == 1
    assert await connections[0].fetchval("select count(*) from subject_key") == 1


async def test_the_key_is_stored_wrapped(connection: asyncpg.Connection, hub_key: HubKey) -> None:
    """The database alone opens nothing."""
    key = (await Keyring(hub_key).create(connection, [SUBJECT]))[SUBJECT]

    stored = await connection.fetchval("select wrapped from subject_key")

    assert key not in stored
    assert hub_key.unwrap(stored, SUBJECT) == key


async def test_an_erased_subject_cannot_be_opened(connection: asyncpg.Connection, hub_key: HubKey) -> None:
    """With the key destroyed, what was sealed under it stays sealed for ever."""
    key = (await Keyring(hub_key).create(connection, [SUBJECT]))[SUBJECT]
    sealed = seal_people(key, SUBJECT, b'{"buyer": {}}')
    await connection.execute("update subject_key set wrapped = null, destroyed_at = now()")

    later = Keyring(hub_key)
    await later.load(connection, [SUBJECT])

    with pytest.raises(Unsealable):
        later.open_people(SUBJECT, sealed)


async def test_a_token_is_nowhere_in_the_database(connection: asyncpg.Connection, hub_key: HubKey) -> None:
    """Only its keyed hash is, and that is enough to know it again."""
    token = await access.create_key(connection, hub_key, "operator", ["operator"])

    key = (await access.live_keys(connection))[id_of(token)]

    assert matches(hub_key, key, token, datetime.now(UTC))
    assert not matches(hub_key, key, token + "x", datetime.now(UTC))
    [row] = await connection.fetch("select k::text from access_key k")
    assert token not in row[0]


async def test_a_revoked_key_is_dead(connection: asyncpg.Connection, hub_key: HubKey) -> None:
    """It is no longer among the live ones."""
    token = await access.create_key(connection, hub_key, "operator", ["operator"])

    await connection.execute("update access_key set revoked_at = now()")

    assert id_of(token) not in await access.live_keys(connection)


async def test_refused_deliveries_fill_a_ring(connection: asyncpg.Connection) -> None:
    """However many come, the table stays bounded and holds no body."""
    for number in range(50):
        await access.note_rejected(connection, "shopify-eu" * 50, "wrong " * 200, number)

    rows = await connection.fetch(
        "select place, length(system) as system, length(reason) as reason from rejected_delivery"
    )
    assert 0 < len(rows) <= 50
    assert all(
        0 <= row["place"] < access.RING and row["system"] <= 100 and row["reason"] <= 300 for row in rows
    )


async def test_who_comes_again_after_an_erasure_gets_another_key(another: Connect, hub_key: HubKey) -> None:
    """A process that had the old key in memory forgets it; what was sealed before says when it was erased."""
    connection = await another()
    intake, reader = Keyring(hub_key), Keyring(hub_key)
    keys = await intake.create(connection, [SUBJECT])
    intake.remember(keys)
    await reader.hear(connection)
    await reader.load(connection, [SUBJECT])
    before = seal_people(keys[SUBJECT], SUBJECT, b"before")
    assert reader.open_people(SUBJECT, before) == b"before"
    await connection.execute("update subject_key set wrapped = null, destroyed_at = clock_timestamp()")

    for keyring in (intake, reader):
        await keyring.hear(connection)
    again = await intake.create(connection, [SUBJECT])
    intake.remember(again)
    after = seal_people(again[SUBJECT], SUBJECT, b"after")
    await reader.load(connection, [SUBJECT])

    assert again[SUBJECT] != keys[SUBJECT]
    assert reader.open_people(SUBJECT, after) == b"after"
    with pytest.raises(Unsealable, match=f"erased on {datetime.now(UTC):%Y-}"):
        reader.open_people(SUBJECT, before)


async def test_an_answer_is_kept_sealed_and_an_old_one_still_read(
    connection: asyncpg.Connection, hub_key: HubKey
) -> None:
    """What a target answered may repeat a name: it is sealed as the effect was."""
    keyring, effect = Keyring(hub_key), b"e" * 16
    keyring.remember(await keyring.create(connection, [SUBJECT]))

    for subject in (SUBJECT, None):
        kept = keyring.seal_answer(effect, subject, b'{"name": "Mara"}')
        assert b"Mara" not in kept
        assert keyring.open_answer(effect, subject, kept) == b'{"name": "Mara"}'
    assert keyring.open_answer(effect, SUBJECT, b'{"old": 1}') == b'{"old": 1}'
