"""DOMAIN check 28: at the cut-off ten times as much comes, one ERP is down, and what it left undone must drain in order, under its quota.

A naive hub keeps one queue: the dead ERP's work stands before everybody's; when it is back all of that is called at once, refused, and tried in any order.
Twelve seconds stand here for the four hours.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from crossdock.demo.twins import Twins
from e2e.running import Api, RunningHub, eventually, rows
from scenarios.calls import gate, seen
from scenarios.conftest import trading
from scenarios.group import PRICE, Group

DEAD, ALIVE = "sap-1", "sap-2"
SHOPS = {DEAD: ("shopify-eu", "WID-1", "12.50"), ALIVE: ("woo-us", "US-1", PRICE)}
"""ERP → its company's shop, an item and its price there."""
USUAL, BURST_ORDERS = 12, 120
RATE, BURST, AT_ONCE = 100.0, 20, 8
DOWN_SECONDS = 12.0
STEPS = ("sales_order.create", "goods_issue.post", "invoice.release")
"""Of one order, in this order."""
DONE = "select count(*) as n from thread_state where kind = 'order' and phase = 'completed' and thread_key = any($1)"
TOO_MUCH = {"status": 429, "headers": {"Retry-After": "1"}, "body": "<html>Too Many Requests</html>"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, Twins]]:
    budget = {"rate_per_second": RATE, "burst": BURST, "concurrency": AT_ONCE}
    with trading(tmp_path_factory.mktemp("peak"), systems={DEAD: budget}) as made:
        yield made


@pytest.fixture
async def group(running: tuple[RunningHub, Twins]) -> AsyncIterator[Group]:
    hub, twins = running
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Group(Api(hub, session), twins, seed=28)


async def place(group: Group, erp: str, count: int) -> list[str]:
    """So many orders of one company, at once; oldest first."""
    shop, item, price = SHOPS[erp]
    first = await group.buy((item, 1), shop=shop)
    line = {"sku": item, "quantity": 1, "price": price, "title": item}
    wishes: list[dict[str, Any]] = [{"lines": [line], "currency": "EUR"} for _ in range(count - 1)]
    made = await group.twin(shop, "/orders", {"orders": wishes}, "POST")
    return [first, *(f"{shop}/{x['id']}" for x in made)]


async def until_completed(group: Group, references: list[str], what: str) -> None:
    threads = [f"order/{x}" for x in references]

    async def all_done() -> bool:
        [row] = await rows(group.api.hub, DONE, threads)
        return int(row["n"]) == len(threads)

    await eventually(all_done, what=what)


async def test_one_dead_erp_holds_up_nobody_and_drains_in_order_under_its_quota(group: Group) -> None:
    """While it is down the other company's burst completes; afterwards every order goes, oldest first, once, and never faster than allowed."""
    usual = [*await place(group, DEAD, USUAL), *await place(group, ALIVE, USUAL)]
    await until_completed(group, usual, "usual trade completes")

    group.twins.processes[DEAD].stop()
    went_down = time.monotonic()
    waiting = await place(group, DEAD, BURST_ORDERS)
    others = await place(group, ALIVE, BURST_ORDERS)
    await until_completed(group, others, f"{ALIVE}'s company trades on while {DEAD} is down")
    await asyncio.sleep(max(0.0, DOWN_SECONDS - (time.monotonic() - went_down)))
    assert [await group.api.phase(f"order/{x}") for x in waiting[::20]] == ["checking"] * len(waiting[::20])
    stands = {x["name"]: x for x in (await group.api.get("/v1/systems"))["systems"]}
    assert (stands[DEAD]["stands"], stands[ALIVE]["stands"]) == ("failing", "answers")
    assert stands[DEAD]["waiting"] >= BURST_ORDERS

    back = time.time()
    group.twins.processes[DEAD].start()
    await eventually(lambda: answers(group), what=f"{DEAD} is up")
    await gate(group, DEAD, per_second=RATE * 1.1, burst=BURST + AT_ONCE, at_once=AT_ONCE, answer=TOO_MUCH)
    await until_completed(group, waiting, "what waited is drained")

    calls = await seen(group, DEAD, after=back)
    assert calls.refused == []
    for seconds in (1.0, 5.0):
        assert (
            calls.most_within(seconds) <= BURST + RATE * seconds + AT_ONCE
        )  # what is under way may arrive together
    assert calls.most_at_once() <= AT_ONCE
    await in_order(group, DEAD, waiting)
    await in_order(group, ALIVE, others)


async def answers(group: Group) -> bool:
    try:
        await group.twin(DEAD, "/health")
    except aiohttp.ClientError:
        return False
    return True


async def in_order(group: Group, erp: str, references: list[str]) -> None:
    """By the ERP's own books: each order once and step by step; none waited while many that are newer went."""
    journal = [(x["effect"], x["reference"].rpartition("|")[2]) for x in await group.twin(erp, "/journal")]
    place = {entry: number for number, entry in enumerate(journal)}
    mine = set(references)
    assert sorted(x for x in journal if x[0] in STEPS and x[1] in mine) == sorted(
        (step, x) for step in STEPS for x in references
    )
    for reference in references:
        steps = [place[step, reference] for step in STEPS]
        assert steps == sorted(steps), reference
    created = [x for effect, x in journal if effect == STEPS[0] and x in mine]
    age = {reference: number for number, reference in enumerate(references)}
    for number, reference in enumerate(created):
        passed_by = sum(age[x] > age[reference] for x in created[:number])
        assert passed_by <= 2 * (AT_ONCE + BURST), f"{reference} waited for {passed_by} that are newer"
    for reference in references[::10]:
        assert await group.booked(reference, "goods_issue.post", erp) == {SHOPS[erp][1]: Decimal(1)}
