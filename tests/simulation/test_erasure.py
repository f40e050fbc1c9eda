"""A person is erased after a backup: a restore of it erases them again from the list that is kept elsewhere, and the chain tells."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from crossdock.demo.day import prepare
from crossdock.runtime.postgres import place_for
from e2e.running import Api, eventually, rows, start
from e2e.trading import Trade, trading_twins
from simulation.test_backup import crossdock, end, refused


@pytest.fixture
async def trading(tmp_path: Path) -> AsyncIterator[Trade]:
    """A hub whose checkpoints and erasures are kept beside it, and its twins."""
    directory, elsewhere = tmp_path / "hub", tmp_path / "elsewhere"
    settings = {
        "business_clock_rate": 20.0, "audit_checkpoint_seconds": 1, "audit_checkpoints": str(elsewhere),
    }  # fmt: skip
    prepare(directory, settings=settings)
    hub = start(directory)
    try:
        async with trading_twins(hub) as made:
            yield made
    finally:
        end(hub)
        shutil.rmtree(place_for(directory, None).data.parent, ignore_errors=True)


async def people_of(api: Api, order: str) -> Any:
    """As the first event of the order says, revealed."""
    story = await api.get(f"/v1/threads/story/{order}", limit="500")
    ref = next(x for x in reversed(story["timeline"]) if x["type"] == "order.received.v1")["lineage"]["event"]
    chain = await api.get(f"/v1/lineage/{quote(ref)}", reveal="true", reason="the test looks")
    return json.loads(chain["canonical"][0]["body"])["people"]


async def erased(trading: Trade, reference: str) -> None:
    """By two people, and on the list."""
    hub = trading.api.hub

    async def free() -> bool:
        found = hub.crossdock("erasure", "preview", "--order", reference, "--json")
        return json.loads(found.stdout)["waits"] == []

    await eventually(free, what="nothing is under way")
    asked = hub.crossdock("erasure", "ask", "--order", reference, "--reason", "by letter", "--json")
    assert json.loads(asked.stdout)["erasure"]["name"] == "E-1", asked.stderr
    own = hub.crossdock("erasure", "approve", "E-1")
    assert own.returncode == 4
    assert "another person" in own.stderr
    token = hub.crossdock("token", "create", "ada", "--scope", "operator").stdout.strip()

    async def approved() -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        answer = await trading.api.call("POST", "/v1/erasures/1/approve", b"{}", headers=headers)
        return answer.status == 200

    await eventually(approved, what="the colleague's token is known, and the erasure approved")

    async def listed() -> bool:
        [row] = await rows(hub, "select sent_at from erasure")
        return row["sent_at"] is not None

    await eventually(listed, what="the erasure is on the list")


async def restored(copy: Path, directory: Path, order: str, session: aiohttp.ClientSession) -> Any:
    """(what the restore said, the order's people, what verifying its chain said)."""
    told = json.loads(crossdock("backup", "restore", copy, "--hub", directory, "--json").stdout)
    hub = start(directory)
    try:
        people = await people_of(Api(hub, session), order)
        chain = hub.crossdock("audit", "verify", "--json")
        return told, people, chain
    finally:
        end(hub)
        shutil.rmtree(place_for(directory, None).data.parent, ignore_errors=True)


async def test_a_restore_erases_again_who_was_erased_since(trading: Trade, tmp_path: Path) -> None:
    """With the list nothing personal comes back, without it everything does; checkpoints since the backup are no break."""
    api, hub, copy = trading.api, trading.api.hub, tmp_path / "backup"
    reference = await trading.order(("WID-1", 1))
    await trading.until(reference, "completed")
    order = f"order/{reference}"
    assert (await people_of(api, order))["buyer"]["email"]
    await asyncio.to_thread(crossdock, "backup", "create", "--hub", hub.directory, "--to", copy, "--with-key")
    await erased(trading, reference)
    assert "erased on" in await people_of(api, order)
    end(hub)

    told, people, chain = await restored(copy, tmp_path / "again", order, api.session)
    assert told["erased"] == 1
    assert "erased on" in people
    assert chain.returncode == 0, chain.stdout
    assert json.loads(chain.stdout)["lost_by_restore"] >= 1

    kept = tmp_path / "elsewhere" / "erasures.jsonl"
    forged = tmp_path / "forged.jsonl"
    forged.write_text(kept.read_text().replace('\\"erasure\\":1', '\\"erasure\\":2'))
    assert "changed since" in refused(
        "backup", "restore", copy, "--hub", tmp_path / "no", "--erasures", forged
    )
    kept.rename(tmp_path / "lost")
    told, people, _ = await restored(copy, tmp_path / "without", order, api.session)
    assert told["erased"] is None
    assert people["buyer"]["email"]
