"""`lanes`: what healthy keys lose while one key in a hundred is poisoned, and whether every key keeps its order.

Open loop at half of what the target takes, in pairs of a run without poison and one with it. A poisoned key's first effect is
refused, so that its later ones wait; once the target takes them, one retry lets them go, in order.
"""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import yaml

from crossdock.bench.lifecycle import ITEMS, LOCATION, SHOP, WMS, _event, batches, opening_stock
from crossdock.bench.rows import Row, row
from crossdock.bench.stage import BenchHub
from crossdock.client import Client
from crossdock.model import order, shipment
from crossdock.model.money import Money
from crossdock.model.quantity import Quantity
from crossdock.model.thread import order_thread

PAIRS: Final = 7
EVENTS: Final = 20_000
EVENTS_PER_RUN_MIN: Final = 500
POISONED_ONE_IN: Final = 100
SETTLE_SECONDS_MAX: Final = 600.0
TARGET: Final = "crm"
POISON: Final = "poison"
CURED, TOLD = "/cured", "/told"
_ON_THE_WAY: Final[tuple[shipment.Milestone, ...]] = (
    "picked_up", "in_transit", "arrived", "delayed", "on_hold", "exception", "out_for_delivery", "attempt_failed", "available_for_pickup",
)  # fmt: skip
WAY: Final = tuple((parcel, milestone) for parcel in (1, 2) for milestone in _ON_THE_WAY)
"""What is told of each key, in this order: (parcel, milestone)."""
_TIMES = """
with events as (
    select thread, recorded_at, row_number() over (partition by thread order by xid, id) as n from event
    where type = 'shipment.milestoneReached.v1' and thread_key like $1
), effects as (
    select thread, settled_at, state, row_number() over (partition by thread order by seq) as n from effect
    where account = 'crm' and kind = 'milestone.record' and thread_key like $1
)
select count(*) filter (where f.state = 10) as settled, count(*) as told,
    percentile_cont(array[0.5, 0.99]) within group (order by extract(epoch from f.settled_at - e.recorded_at) * 1000)
        filter (where f.state = 10) as ms,
    extract(epoch from max(f.settled_at) - min(f.settled_at)) as seconds
from events e left join effects f using (thread, n)
"""


def _names(run: str, keys: int, *, poisoned: bool) -> list[str]:
    """One in a hundred of both kinds of run is set apart; only in one kind is it poisoned."""
    apart = POISON if poisoned else "plain"
    return [f"{run}{apart if n % POISONED_ONE_IN == 0 else 'healthy'}-{n}" for n in range(keys)]


def _known(names: list[str]) -> Iterator[bytes]:
    """Orders whose two parcels left."""
    price = Money(Decimal(1), "EUR")
    for n, name in enumerate(names):
        reference, thread, item = f"{SHOP}/{name}", order_thread(SHOP, name), f"ITEM-{n % ITEMS}"
        line = order.OrderLine("1", item, Quantity(Decimal(2)), price)
        yield _event(
            SHOP, f"{name}-r", thread, order.OrderReceived(f"#{name}", reference, SHOP, (line,), price)
        )
        for parcel in (1, 2):
            left = (order.LineShipped(reference, "1", item, Quantity(Decimal(1))),)
            said = order.LinesShipped(
                f"{WMS}/{name}-{parcel}", "ups", (_number(name, parcel),), left, LOCATION
            )
            yield _event(WMS, f"{name}-s{parcel}", thread, said)


def _number(name: str, parcel: int) -> str:
    return f"1Z{name}{parcel}"


def _told(names: list[str], events: int) -> list[bytes]:
    """Key by key in turn, each one step further, until there are so many."""
    found: list[bytes] = []
    for parcel, milestone in WAY:
        for name in names:
            if len(found) == events:
                return found
            said = shipment.MilestoneReached(
                milestone, "ACT", _number(name, parcel), "ups", datetime.now(UTC), raw=milestone
            )
            found.append(_event("ups-1", f"{name}-{parcel}-{milestone}", order_thread(SHOP, name), said))
    return found


async def bench(events: int = 0) -> AsyncIterator[Row]:
    """`events` in all runs together; at most 18 for a key, so there are as many keys as that takes."""
    events = events or EVENTS
    each = max(EVENTS_PER_RUN_MIN, events // (2 * PAIRS + 1))
    async with BenchHub(("api", "worker", "delivery"), notify=(), judge=True, settle=_settle) as hub:
        stock = [hub.request("/v1/events/batch", b) for b in batches(opening_stock(), 500)]
        await hub.load(stock, connections=1, seconds=30, repeat=False)
        capacity = await _run(hub, "c", each, rate=0.0, poisoned=False)
        rate = capacity.per_second / 2
        ratios, rates = [], []
        for pair in range(PAIRS):
            plain = await _run(hub, f"a{pair}", each, rate=rate, poisoned=False)
            poisoned = await _run(hub, f"b{pair}", each, rate=rate, poisoned=True)
            ratios.append(poisoned.p99_ms / plain.p99_ms)
            rates.append(poisoned.p99_ms)
        parked = await _parked(hub)
        await asyncio.to_thread(_call, hub.port + 9, CURED)
        left = await _drained(hub)
        told = await asyncio.to_thread(_call, hub.port + 9, TOLD)
        made = row(
            "lanes", rates, "ms", ratio=median(ratios), baseline=median(rates) / median(ratios),
            note=f"p99 from append to acknowledgement of healthy keys beside 1 % poisoned ones, at {rate:,.0f} events/s",
        )  # fmt: skip
        made.more = {
            "inversions": told["inversions"], "parked": parked, "parked_left": left, "keys": told["keys"],
            "events": each * (2 * PAIRS + 1), "ratios": [round(x, 3) for x in ratios],
        }  # fmt: skip
        yield made


class _Measured(NamedTuple):
    per_second: float
    p99_ms: float


def _settle(folder: Path) -> None:
    """Only milestones go out: whatever else an order wants is withheld, as for a node that another system still runs."""
    node = {"warehouse": WMS, "parallel": True, "sends": ["milestone.record"], "negative_stock": "a bench"}
    (folder / "routing.yaml").write_text(yaml.safe_dump({"nodes": {LOCATION: node}}))
    hub = yaml.safe_load((folder / "hub.yaml").read_text())
    hub["roles"]["follow"] = [TARGET]
    hub["policy"] |= {"erp_check": "none", "claim_when": "received"}
    (folder / "hub.yaml").write_text(yaml.safe_dump(hub))


async def _run(hub: BenchHub, run: str, events: int, *, rate: float, poisoned: bool) -> _Measured:
    names = _names(run, max(POISONED_ONE_IN, -(-events // len(WAY))), poisoned=poisoned)
    known = [hub.request("/v1/events/batch", b) for b in batches(list(_known(names)), 500)]
    await hub.load(known, connections=2, seconds=60, repeat=False)
    await _quiet(hub)
    told = [hub.request("/v1/events", b) for b in _told(names, events)]
    seconds = events / rate if rate else 60.0
    await hub.load(told, connections=32, seconds=seconds + 60, rate=rate, repeat=False)
    healthy = f"order/{SHOP}/{run}healthy%"
    end = asyncio.get_running_loop().time() + SETTLE_SECONDS_MAX
    while True:
        found = await hub.db.fetchrow(_TIMES, healthy)
        assert found is not None
        if found["settled"] == found["told"]:
            return _Measured(found["settled"] / float(found["seconds"]), float(found["ms"][1]))
        if asyncio.get_running_loop().time() > end:
            raise TimeoutError(
                f"{found['settled']} of {found['told']} effects of healthy keys were acknowledged"
            )
        await asyncio.sleep(0.2)


async def _quiet(hub: BenchHub) -> None:
    """Until the worker has read everything."""
    while await hub.db.fetchval(
        "select exists (select 1 from partition c join event e on e.p = c.p"
        " and (e.generation, e.xid, e.id) > (c.generation, c.xid, c.id))"
    ):
        await asyncio.sleep(0.05)


async def _parked(hub: BenchHub) -> int:
    return int(await hub.db.fetchval("select count(*) from effect where account = $1 and state < 10", TARGET))


async def _drained(hub: BenchHub) -> int:
    """One correction: the case is retried, and what waited goes. Returns how many effects are left."""
    async with Client(hub.folder, url=f"http://127.0.0.1:{hub.port}") as client:
        [case] = [x for x in (await client.get("/v1/cases"))["cases"] if x["blocked"]]
        await client.post(f"/v1/cases/{case['id']}/retry", {"reason": "the target takes them now"})
    end = asyncio.get_running_loop().time() + SETTLE_SECONDS_MAX
    while left := await _parked(hub):
        if asyncio.get_running_loop().time() > end:
            break
        await asyncio.sleep(0.1)
    return left


def _call(port: int, path: str) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        found = json.load(answer)
    assert isinstance(found, dict)
    return found
