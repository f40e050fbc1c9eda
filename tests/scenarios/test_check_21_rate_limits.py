"""DOMAIN check 21: limits are refused in other words by each partner, count calls at once, per second or per day, and a sandbox allows less.

A naive hub takes a throttled answer for a refusal and loses the work, or calls again at once and is blocked; it counts effects where the partner counts
requests; and it comes back every minute to a quota that is used up until tomorrow. What was called is read in the partners' own logs.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from crossdock.demo.trade import MARKET
from crossdock.demo.twins import Twins
from e2e.running import Api, RunningHub, eventually, rows
from scenarios.calls import gate, seen
from scenarios.conftest import trading
from scenarios.group import Group
from scenarios.killing import kill

SHOP_RATE, SHOP_BURST, SHOP_AT_ONCE = 6.0, 4, 2
ERP_RATE, ERP_BURST, ERP_AT_ONCE = 25.0, 5, 3
SANDBOX: dict[str, dict[str, Any]] = {
    "shopify-eu": {"rate_per_second": SHOP_RATE, "burst": SHOP_BURST, "concurrency": SHOP_AT_ONCE},
    "sap-1": {"rate_per_second": ERP_RATE, "burst": ERP_BURST, "concurrency": ERP_AT_ONCE},
    MARKET: {},
}
"""What the landscape says of two accounts whose partners allow less than production: nothing else is set."""
PALLET = ("WID-1", 1000)
"""Too heavy for parcels: the TMS is asked."""
TROUBLE = "select e.account, e.kind, e.state, e.reason from effect e where e.state in (5, 6)"
THROTTLED = "select distinct e.account from attempt a join effect e on e.id = a.effect where a.outcome = 'retry' and a.started_at > to_timestamp($1)"


@dataclass(frozen=True)
class Dialect:
    """How a partner says that it was too much."""

    system: str
    status: int
    body: str = ""
    headers: dict[str, str] | None = None

    @property
    def answer(self) -> dict[str, Any]:
        return {"status": self.status, "headers": self.headers or {}, "body": self.body}


def ups(code: str, message: str) -> str:
    return json.dumps({"response": {"errors": [{"code": code, "message": message}]}})


SECOND = {"Retry-After": "1"}
COST = {"requestedQueryCost": 112, "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 12, "restoreRate": 100.0}}  # fmt: skip
SHOPIFY_COST = json.dumps(
    {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], "extensions": {"cost": COST}}
)
AMAZON_QUOTA = json.dumps({"errors": [{"code": "QuotaExceeded", "message": "You exceeded your quota."}]})
ROUNDS: tuple[tuple[Dialect, ...], ...] = (
    (
        Dialect("shopify-eu", 200, SHOPIFY_COST),
        Dialect("sap-1", 429, "<html>Too Many Requests</html>", SECOND),
        Dialect("wms-1", 429, '{"message": "slow down"}', SECOND),
        Dialect("ups-1", 429, ups("10429", "Too Many Requests")),
        Dialect("otm-1", 429, "Too Many Requests", SECOND),
        Dialect("woo-us", 429, "Too Many Requests", SECOND),
        Dialect(MARKET, 429, AMAZON_QUOTA, {"x-amzn-RateLimit-Limit": "2.0"}),
        Dialect("crm", 429, "{}", SECOND),
    ),
    (
        Dialect("shopify-eu", 429, '{"errors": "Too many requests"}', SECOND),
        Dialect("sap-1", 503, "<html>Service Unavailable</html>", SECOND),
        Dialect("wms-1", 503, "Service Unavailable", SECOND),
        Dialect("ups-1", 403, ups("250009", "Quota Limit Exceeded")),
        Dialect("otm-1", 503, "Service Unavailable", SECOND),
        Dialect("woo-us", 503, "Briefly unavailable", SECOND),
        Dialect(MARKET, 503, "Service Unavailable", SECOND),
        Dialect("crm", 503, "{}", SECOND),
    ),
    (
        Dialect("shopify-eu", 503, "Service Unavailable", SECOND),
        Dialect("sap-1", 429, "<html>Too Many Requests</html>"),
        Dialect("ups-1", 400, ups("10429", "Too Many Requests")),
        Dialect("woo-us", 429, "error code: 1015"),
        Dialect(MARKET, 429, AMAZON_QUOTA),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, Twins]]:
    with trading(tmp_path_factory.mktemp("limits"), systems=SANDBOX) as made:
        yield made


@pytest.fixture
async def group(running: tuple[RunningHub, Twins], request: pytest.FixtureRequest) -> AsyncIterator[Group]:
    hub, twins = running
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        made = Group(Api(hub, session), twins, seed=sum(request.node.name.encode()))
        yield made
        for name in twins.processes:
            await gate(made, name)


async def test_a_sandbox_with_lower_limits_is_never_asked_for_more(group: Group) -> None:
    """Requests are counted, not effects: of a burst of orders the partner refuses nothing, and every one completes."""
    began = time.time()
    shop = {"per_second": SHOP_RATE * 1.1, "burst": SHOP_BURST + 1, "at_once": SHOP_AT_ONCE}
    erp = {"per_second": ERP_RATE * 1.1, "burst": ERP_BURST + 1, "at_once": ERP_AT_ONCE}
    await gate(group, "shopify-eu", **shop, answer=ROUNDS[0][0].answer)
    await gate(group, "sap-1", **erp, answer=ROUNDS[0][1].answer)

    references = [await group.buy(("WID-1", 1)) for _ in range(6)]
    for reference in references:
        await group.until(reference, "completed")

    for system, rate, burst, at_once in (
        ("shopify-eu", SHOP_RATE, SHOP_BURST, SHOP_AT_ONCE), ("sap-1", ERP_RATE, ERP_BURST, ERP_AT_ONCE),
    ):  # fmt: skip
        calls = await seen(group, system, after=began)
        assert calls.refused == []
        assert len(calls.calls) > burst
        for seconds in (1.0, 3.0):
            assert (
                calls.most_within(seconds) <= burst + rate * seconds + 1
            )  # one for the clocks of two processes
        assert calls.most_at_once() <= at_once
    assert await rows(group.api.hub, TROUBLE) == []


@pytest.mark.parametrize("dialects", ROUNDS, ids=("usual", "other", "without a time"))
async def test_every_partners_words_for_too_much_are_waited_out(
    group: Group, dialects: tuple[Dialect, ...]
) -> None:
    """Two calls of every account are refused in its own words: no case, no work lost, nothing done twice, no target called dead."""
    began = time.time()
    for dialect in dialects:
        await gate(group, dialect.system, refuse=2, answer=dialect.answer)

    references = [
        await group.buy(("WID-1", 1)), await group.buy(PALLET),
        await group.buy(("US-1", 1), shop="woo-us"), await group.buy(("GAD-1", 1), shop=MARKET),
    ]  # fmt: skip
    for reference in references:
        await group.until(reference, "completed")

    for dialect in dialects:
        refused = (await seen(group, dialect.system, after=began)).refused
        assert [x["status"] for x in refused] == [dialect.status] * 2, dialect
    assert await rows(group.api.hub, TROUBLE) == []
    for system in (await group.api.get("/v1/systems"))["systems"]:
        assert (system["stands"], system["failure"]) in (
            ("answers", ""),
            ("not called yet", ""),
            ("only tells", ""),
        ), system
    for reference, item, erp in zip(
        references, ("WID-1", PALLET[0], "US-1", "GAD-1"), ("sap-1", "sap-1", "sap-2", "sap-1"), strict=True
    ):
        [quantity] = (await group.left(reference)).values()
        assert await group.booked(reference, "goods_issue.post", erp) == {item: quantity}
        assert await group.booked(reference, "invoice.release", erp) == {item: quantity}
        assert await group.cases(f"order/{reference}") == []
    assert {x["account"] for x in await rows(group.api.hub, THROTTLED, began)} >= {"sap-1", "ups-1"}


QUOTA = {"status": 429, "headers": {"Retry-After": "7200"}, "body": "<html>daily quota exceeded</html>"}
COMPANY, OTHER = "sap-2", "sap-1"


async def quota_is_told(group: Group) -> dict[str, Any]:
    async def look() -> Any:
        systems = (await group.api.get("/v1/systems"))["systems"]
        return next((x for x in systems if x["name"] == COMPANY and x["stands"] == "failing"), None)

    found = await eventually(look, what=f"it is said that {COMPANY} asks to be left alone")
    assert isinstance(found, dict)
    return found


async def test_a_used_up_quota_is_left_alone_until_it_is_said_to_come_back(group: Group) -> None:
    """Work waits, the reason and the time are shown, the other company goes on, a restart asks once, and a person's word counts before the partner's."""
    await gate(group, COMPANY, calls=0, answer=QUOTA)
    began = time.time()
    first = await group.buy(("US-1", 1), shop="woo-us")
    told = await quota_is_told(group)
    waiting = [first, *[await group.buy(("US-1", 1), shop="woo-us") for _ in range(4)]]
    other = [await group.buy(("WID-1", 1)) for _ in range(2)]
    for reference in other:
        await group.until(reference, "completed")
    for reference in waiting:
        await group.story(f"order/{reference}")
    await asyncio.sleep(2)

    assert len((await seen(group, COMPANY, after=began)).calls) == 1
    assert "asks to be left alone until" in told["failure"]
    assert "SAP is busy (HTTP 429)" in told["failure"]
    for reference in (waiting[0], waiting[-1]):
        said = (await group.story(f"order/{reference}"))["sentence"]
        assert "SAP is busy (HTTP 429)" in said, said
    doctor = group.api.hub.crossdock("doctor").stdout
    assert "asks to be left alone until" in doctor
    assert await group.cases(f"order/{first}") == []

    await kill(group, "delivery")
    await asyncio.sleep(3)
    assert len((await seen(group, COMPANY, after=began)).calls) <= 2

    await gate(group, COMPANY)
    for action in ("pause", "resume"):
        done = group.api.hub.crossdock("target", action, COMPANY, "--reason", "the quota was raised")
        assert done.returncode == 0, done.stderr
        await asyncio.sleep(1)
    for reference in waiting:
        await group.until(reference, "completed")
        assert await group.booked(reference, "goods_issue.post", COMPANY) == {"US-1": Decimal(1)}
    made = [x["reference"] for x in await group.journal(COMPANY, "sales_order.create")]
    assert sorted(x for x in made if x in waiting) == sorted(waiting)


async def test_a_quota_without_a_time_is_asked_for_ever_more_rarely(group: Group) -> None:
    """Many wait and nobody says how long: a handful of calls in four seconds, not one for each parcel four times a second."""
    began = time.time()
    await gate(group, "ups-1", calls=0, answer={"status": 403, "body": ups("250009", "Quota Limit Exceeded")})
    references = [await group.buy(("PEN-1", 1)) for _ in range(5)]
    for reference in references:
        await group.until_shipments(reference, 1)
    await asyncio.sleep(4)

    refused = (await seen(group, "ups-1", after=began)).calls
    await gate(group, "ups-1")
    for reference in references:
        await group.until(reference, "completed")

    gaps = [after["at"] - before["at"] for before, after in pairwise(refused)]
    assert max(gaps) > 0.9
    assert len([x for x in refused if x["at"] > refused[0]["at"] + 1.0]) <= 4
    labels = [x["reference"] for x in await group.journal("ups-1", "label.create")]
    for reference in references:
        [thread] = await group.shipments(reference)
        assert labels.count(thread.partition("/")[2]) == 1
