"""A hub that was down hears all the same what its shops gave up telling, once, and has them tell by themselves again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from crossdock.demo.day import prepare
from crossdock.demo.landscape import ask_shops
from crossdock.demo.twins import Twins
from e2e.running import Api, eventually, rows, start, stop
from scenarios.group import Group, open_books

WOO, SHOPIFY = "woo-us", "shopify-eu"
ASK_SECONDS = 2.0
FAILURES = 5
"""In a row, after which WooCommerce switches a webhook off."""


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[Group]:
    """Two companies on a hub of this test's own: it is stopped under way."""
    directory = tmp_path / "hub"
    prepare(directory, settings={"business_clock_rate": 20.0}, group=True)
    ask_shops(directory, ASK_SECONDS)
    hub = start(directory)
    twins = Twins(hub.configured, hub.url, seed=1, pace_seconds=0.05)
    for process in twins.processes.values():
        process.start()
    try:
        await open_books(hub, twins)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            yield Group(Api(hub, session), twins)
    finally:
        for process in twins.processes.values():
            process.stop()
        stop(hub)


async def webhook(group: Group) -> str:
    status: str = (await group.twin(WOO, "/webhook"))["status"]
    return status


async def until_webhook(group: Group, status: str) -> None:
    async def look() -> bool:
        return await webhook(group) == status

    await eventually(look, what=f"the shop's webhook is {status}")


async def gaps(group: Group) -> dict[str, Any]:
    """How much each system was heard of only because it was asked."""
    return {row["system"]: row["found"] for row in (await group.api.get("/v1/now"))["asked"]}


async def test_what_happened_while_the_hub_was_down_is_found(group: Group) -> None:
    """Nobody repeats it and the shop has switched its webhook off; it is fulfilled once, and the next order comes by itself."""
    await gaps_are(group, {WOO: 0, SHOPIFY: 0})
    await group.twin(SHOPIFY, "/quirks", {"gives_up": 1.0}, "PUT")
    group.api.hub.process.terminate()
    await asyncio.to_thread(group.api.hub.process.wait, 40)
    missed = [await group.buy(("GAD-1", 1), shop=WOO) for _ in range(FAILURES + 2)]
    await until_webhook(group, "disabled")
    given_up = await group.buy(("GAD-1", 1))
    regretted = await group.buy(("GAD-1", 1), shop=WOO)
    await group.cancel(regretted)
    await until_given_up(group)

    group.api.hub.process = start(group.api.hub.directory).process

    for reference in (*missed, given_up):
        await group.until(reference, "completed")
    await group.until(regretted, "cancelled")
    await until_webhook(group, "active")
    assert [len(await group.journal(WOO, f"webhook.{x}")) for x in ("disabled", "active")] == [1, 1]
    for shop, wanted in ((WOO, missed), (SHOPIFY, [given_up])):
        done = [x["reference"].rpartition("|")[2] for x in await group.journal(shop, "fulfilment.create")]
        assert sorted(done) == sorted(wanted)
    assert await group.left(regretted) == {}
    await origins_are(group, [*missed, given_up, regretted], "backfill")
    found = await gaps(group)
    assert found[WOO] >= len(missed) + 1
    assert found[SHOPIFY] >= 1
    assert f'crossdock_backfill_found_total{{system="{WOO}"}} {float(found[WOO])}' in await metrics(group)
    told = group.api.hub.crossdock("doctor").stdout
    assert f"orders of {WOO}" in told
    assert "heard of only by asking" in told

    heard = await group.buy(("GAD-1", 1), shop=WOO)
    await group.until(heard, "completed")
    await origins_are(group, [heard], None)


async def until_given_up(group: Group) -> None:
    async def look() -> bool:
        return not (await group.twin(SHOPIFY, "/outbox"))["waiting"]

    await eventually(look, what="Shopify gives up what it could not deliver")


async def metrics(group: Group) -> str:
    answer = await group.api.call("GET", "/metrics")
    return answer.body.decode()


async def gaps_are(group: Group, wanted: dict[str, int]) -> None:
    async def look() -> bool:
        return wanted.items() <= (await gaps(group)).items()

    await eventually(look, what=f"heard of only by asking: {wanted}")


async def origins_are(group: Group, references: list[str], wanted: str | None) -> None:
    """How the message with which each order was first heard of came."""
    for reference in references:
        found = await rows(
            group.api.hub,
            "select m.headers::json ->> 'crossdock-origin' as origin from event e join message m on m.id = e.message"
            " where e.thread_key = $1 order by e.id limit 1",
            f"order/{reference}",
        )  # fmt: skip
        assert [row["origin"] for row in found] == [wanted], reference
