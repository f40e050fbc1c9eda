"""DOMAIN check 22: pages shift while records change, many changed in the same second, and a sender gave up long before the hub was back.

A naive hub asks for page 2 of a list that moved up meanwhile, or for what changed after the last instant it saw; both lose orders and nobody knows which.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import aiohttp
import pytest

from crossdock.connectors.shopify.listing import PAGE_ROWS as SHOPIFY_PAGE
from crossdock.connectors.woocommerce.listing import PAGE_ROWS as WOO_PAGE
from crossdock.demo.twins import Twins
from e2e.running import Api, RunningHub, eventually, rows, start
from scenarios.calls import seen
from scenarios.conftest import trading
from scenarios.group import PRICE, Group
from scenarios.test_backfill import (
    FAILURES,
    SHOPIFY,
    WOO,
    gaps,
    gaps_are,
    metrics,
    until_given_up,
    until_webhook,
)

MANY = {WOO: 2 * WOO_PAGE + 7, SHOPIFY: SHOPIFY_PAGE + 9}
"""Orders that nobody told of: more than one page of each shop, made at one moment."""
CHANGED = 12
SLOWLY = {"rate_per_second": 0.4, "burst": 1, "backfill_seconds": 2.0}
"""What both accounts allow, so that there is time between two pages."""
VERSIONS = "select thread_key, sequence from event where type = 'order.received.v1' and source = $1 and thread_key = any($2)"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, Twins]]:
    with trading(tmp_path_factory.mktemp("drift"), systems={WOO: SLOWLY, SHOPIFY: SLOWLY}) as made:
        yield made


@pytest.fixture
async def group(running: tuple[RunningHub, Twins]) -> AsyncIterator[Group]:
    hub, twins = running
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Group(Api(hub, session), twins, seed=22)


async def buy_many(group: Group, shop: str, item: str) -> list[str]:
    """As many orders as the hub misses, at once."""
    line = {"sku": item, "quantity": 2, "price": PRICE, "title": item}
    wishes = [{"lines": [line], "currency": "EUR"} for _ in range(MANY[shop])]
    if shop == SHOPIFY:
        first = await group.buy((item, 2))
        wishes = wishes[1:]
    made = await group.twin(shop, "/orders", {"orders": wishes}, "POST")
    return [*([first] if shop == SHOPIFY else []), *(f"{shop}/{x['id']}" for x in made)]


async def pages_read(group: Group, shop: str, after: float) -> list[float]:
    """When the shop was asked for the pages of its list, by its own log."""
    calls = (await seen(group, shop, after=after)).calls
    return [
        x["at"] for x in calls if x["method"] == "GET" and x["path"].endswith(("/orders", "/orders.json"))
    ]


@pytest.mark.parametrize("seed", [random.randrange(10**6)], ids=["any seed"])
async def test_pages_that_shift_lose_nothing_and_double_nothing(group: Group, seed: int) -> None:
    """While the hub reads, orders of both shops change and move to the list's end: every order is heard of, in its last version, once."""
    rng = random.Random(seed)
    await gaps_are(group, {WOO: 0, SHOPIFY: 0})
    await group.twin(SHOPIFY, "/quirks", {"gives_up": 1.0}, "PUT")
    for erp in ("sap-1", "sap-2"):
        await group.twin(erp, "/quirks", {"credit_blocked": 1.0}, "PUT")
    group.api.hub.process.terminate()
    await asyncio.to_thread(group.api.hub.process.wait, 40)
    missed = {WOO: await buy_many(group, WOO, "US-1"), SHOPIFY: await buy_many(group, SHOPIFY, "WID-1")}
    assert min(MANY.values()) > FAILURES
    await until_webhook(group, "disabled")
    await until_given_up(group)
    await asyncio.sleep(2)  # older than what is left to webhooks
    await group.twin(WOO, "/quirks", {"lost_delivery": 1.0}, "PUT")

    began = time.time()
    changes: dict[str, list[float]] = {WOO: [], SHOPIFY: []}
    group.api.hub.process = start(group.api.hub.directory).process
    cancelled = rng.sample(missed[WOO], CHANGED)
    edited = rng.sample(missed[SHOPIFY], CHANGED)

    async def change(shop: str, references: list[str], how: Callable[[str], Awaitable[None]]) -> None:
        """From the first page on, one after another."""
        await eventually(lambda: pages_read(group, shop, began), what=f"{shop} is asked for its list")
        for reference in references:
            await how(reference)
            changes[shop].append(time.time())
            await asyncio.sleep(rng.uniform(0.02, 0.2))

    async def edit(reference: str) -> None:
        await group.edit(reference, quantities={"WID-1": 5})

    await asyncio.gather(change(WOO, cancelled, group.cancel), change(SHOPIFY, edited, edit))
    for shop, references in missed.items():
        await eventually(
            lambda s=shop, r=references: all_heard(group, s, r), what=f"every order of {shop}, seed {seed}"
        )  # type: ignore[misc]
    for reference in cancelled:
        await group.until(reference, "cancelled")

    async def five() -> bool:
        return all([(await group.line(x, "WID-1")).get("ordered") == 5 for x in edited])

    await eventually(five, what=f"every edit is heard of, seed {seed}")
    for shop, references in missed.items():
        versions = await rows(group.api.hub, VERSIONS, shop, [f"order/{x}" for x in references])
        twice = Counter((x["thread_key"], x["sequence"]) for x in versions)
        assert set(twice.values()) == {1}, f"seed {seed}"
        heard = Counter(x["thread_key"] for x in versions)
        changed = {f"order/{x}" for x in (*cancelled, *edited)}
        assert {count for thread, count in heard.items() if thread not in changed} == {1}, f"seed {seed}"
        assert max(heard.values()) <= 2, f"seed {seed}"
        first, second, *_ = await pages_read(group, shop, began)
        assert any(first < x < second for x in changes[shop]), (
            f"nothing changed between two pages, seed {seed}"
        )
    await counted(group)


async def all_heard(group: Group, shop: str, references: list[str]) -> bool:
    versions = await rows(group.api.hub, VERSIONS, shop, [f"order/{x}" for x in references])
    return len({x["thread_key"] for x in versions}) == len(references)


async def counted(group: Group) -> None:
    """The gap is told: Now, doctor and the metrics say of how many changes the hub heard only because it asked. What changed
    once more before it was read was told by that change.
    """
    found = await gaps(group)
    told = group.api.hub.crossdock("doctor").stdout
    for shop in (WOO, SHOPIFY):
        assert MANY[shop] - CHANGED <= found[shop] <= MANY[shop] + CHANGED
        assert f'crossdock_backfill_found_total{{system="{shop}"}} {float(found[shop])}' in await metrics(
            group
        )
    assert "heard of only by asking" in told
