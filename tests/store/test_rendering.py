"""An effect that no connector can render is refused and kept whole: once the landscape is mended, a retry sends it."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec

from crossdock.demo.day import prepare
from crossdock.model.requests import Notify
from crossdock.model.thread import hash16
from crossdock.processes.intents import Do
from crossdock.runtime.batch import Batch, Thread, Wanted
from crossdock.runtime.hub import Hub, load_hub
from crossdock.runtime.journal import Journal
from crossdock.store import effects
from crossdock.store.effects import State
from crossdock.store.keys import Keyring
from crossdock.store.segments import current_segment

KEY = "order/shopify-eu/1042"
NOTICE = Do(
    "customer.notify", "crm-2", "approved", Notify("approved", "shopify-eu/1042", "#1042"), "shopify-eu/1042"
)


def _hubs(folder: Path) -> tuple[Hub, Hub]:
    """The same hub before and after its landscape got the missing system."""
    before = prepare(folder / "hub")
    shutil.copytree(folder / "hub", folder / "mended")
    system = (folder / "mended/systems/crm.yaml").read_text().replace("name: crm", "name: crm-2")
    (folder / "mended/systems/crm-2.yaml").write_text(system)
    return before, load_hub(folder / "mended")


async def _refused(connection: asyncpg.Connection, hub: Hub) -> asyncpg.Record:
    """Journaled by a hub that cannot render it."""
    batch = Batch({}, hub.policy, segment=current_segment(), generation=1, now=datetime.now(UTC))
    wanted = Wanted(NOTICE, Thread(hash16(KEY), KEY, "order", None), "a cause")
    [effect] = Journal(hub, Keyring(hub.key)).render([wanted], batch)
    assert effect.state is State.REFUSED
    assert [row[5] for row in batch.out.events] == ["effect.refused.v1"]
    await effects.journal(connection, [effect], current_segment())
    [row] = await effects.unrendered(connection, [effect.id])
    return row


async def test_a_mended_landscape_renders_what_was_kept(
    connection: asyncpg.Connection, tmp_path: Path
) -> None:
    """The body is made from the request as it was wished for, and stands in the journal under its connector."""
    before, after = _hubs(tmp_path)
    row = await _refused(connection, before)

    assert await Journal(after, Keyring(after.key)).render_again(connection, row) is None

    assert await effects.unrendered(connection, [row["id"]]) == []
    kept = await connection.fetchrow(
        "select connector, sealed, subject from effect_body where effect = $1", row["id"]
    )
    assert kept is not None
    body = Keyring(after.key).open_effect(row["id"].bytes, kept["subject"], kept["sealed"])
    assert kept["connector"].startswith("signed_webhook ")
    assert "1042" in str(msgspec.json.decode(body))


async def test_a_landscape_that_is_not_mended_refuses_again(
    connection: asyncpg.Connection, tmp_path: Path
) -> None:
    """With the reason, and nothing of the request is lost."""
    before, _ = _hubs(tmp_path)
    row = await _refused(connection, before)

    refused = await Journal(before, Keyring(before.key)).render_again(connection, row)

    assert refused is not None
    assert "no system named crm-2" in refused.reason
    assert len(await effects.unrendered(connection, [row["id"]])) == 1
