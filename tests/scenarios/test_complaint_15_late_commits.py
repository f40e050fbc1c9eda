"""kamu-cli#1398, postgresql-event-sourcing#16, transactional-outbox-pattern#6: readers of an outbox pass what commits late, and two relays mix up a key's order.

A naive reader remembers the highest number that it saw: a transaction that took its number before and commits after is never read.
"""

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from crossdock.client import read_status
from crossdock.model.quantity import Quantity
from crossdock.model.registry import encode
from crossdock.model.stock import StockAdjusted, StockPlace
from crossdock.model.thread import hash16, stock_thread
from crossdock.store import log
from crossdock.store.pool import connect
from crossdock.store.segments import current_segment
from e2e.conftest import starting
from e2e.documents import canonical, next_number
from e2e.running import Api, RunningHub, eventually, rows
from e2e.test_feed import all_of, page
from e2e.test_subscriptions import Receiver, write

SITE, SUBSCRIBER = "SITE1", "steady"
KEYS, EACH = 12, 12
HELD_SECONDS = 2.5
"""Longer than readers poll, shorter than a writer's transaction may last."""


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
async def receiver(port: int) -> AsyncIterator[Receiver]:
    async with Receiver(port).serving() as made:
        yield made


@pytest.fixture(scope="module")
def two_of_each(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[RunningHub]:
    """A hub with two workers and a subscriber; the tests add a second delivery."""

    def edit(folder: Path) -> None:
        write(
            folder, SUBSCRIBER, url=f"http://127.0.0.1:{port}/{SUBSCRIBER}", fields=["subject", "data.reason"]
        )

    with starting(tmp_path_factory) as make:
        yield make("relays", settings={"workers": 2}, edit=edit)


@pytest.fixture
async def api(two_of_each: RunningHub) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        made = Api(two_of_each, session)

        async def placed() -> bool:
            return bool(await rows(two_of_each, "select 1 from subscription where name = $1", SUBSCRIBER))

        await eventually(placed, what="the subscription has begun")
        yield made


def told(receiver: Receiver) -> list[tuple[str, str]]:
    """(thread, reason) as they arrived."""
    found = [json.loads(body) for _, body in receiver.got.get(SUBSCRIBER, [])]
    return [(x["subject"], x["data"]["reason"]) for x in found]


async def say(api: Api, item: str, reason: str) -> None:
    place, change = {"item": item, "location": SITE}, {"value": "1", "unit": "EA"}
    event = canonical(
        "stock.adjusted.v1", stock_thread(SITE, item), place=place, change=change, reason=reason
    )
    answer = await api.post("/v1/events", event)
    assert answer.status == 202, answer.body


def late_item(item: str, reason: str) -> log.Item:
    """As intake appends it."""
    now, source_id = datetime.now(UTC), f"late-{next_number()}"
    data = StockAdjusted(StockPlace(item, SITE), Quantity(Decimal(1)), reason)
    row = log.event_row(
        segment=current_segment(), generation=1, thread=stock_thread(SITE, item), type_="stock.adjusted.v1",
        event_id=source_id, source="tests", occurred_at=now, data=encode(data),
    )  # fmt: skip
    return log.Item(
        log.dedupe_key("tests", source_id),
        hash16(reason),
        source_id,
        (now + timedelta(days=30)).date(),
        [row],
    )


@contextlib.asynccontextmanager
async def held_open(api: Api, *items: log.Item) -> AsyncIterator[None]:
    """An append that has its number and does not commit before the block ends."""
    connection = await connect(api.hub.dsn)
    try:
        async with connection.transaction():
            await log.append(connection, items, current_segment())
            yield
    finally:
        await connection.close()


async def available(api: Api, item: str) -> Decimal | None:
    found = await rows(api.hub, "select available from stock_balance where item = $1", item)
    return found[0]["available"] if found else None


async def test_what_commits_late_is_skipped_by_nobody(api: Api, receiver: Receiver) -> None:
    """Worker, feed and subscriber: of a key that others overtook, and of a key of its own; nothing twice, nobody waits longer than the writer."""
    shared, alone = f"LATE-{next_number()}", f"LATE-{next_number()}"
    cursor = (await page(api, "now"))["cursor"]
    seen: list[str] = []

    async def follow(until: asyncio.Event) -> None:
        """As a program that polls all the time: its cursor moves as far as the hub lets it."""
        nonlocal cursor
        while not until.is_set() or not seen:
            events, cursor = await all_of(api, cursor, types="stock.adjusted.v1")
            seen.extend(x["data"]["reason"] for x in events)
            await asyncio.sleep(0.05)

    stop = asyncio.Event()
    following = asyncio.create_task(follow(stop))
    async with held_open(api, late_item(shared, "late"), late_item(alone, "late alone")):
        for n in range(5):
            await say(api, shared, f"quick {n}")
        await asyncio.sleep(HELD_SECONDS)

    async def all_there() -> bool:
        return {"late", "late alone", *(f"quick {n}" for n in range(5))} <= set(seen)

    await eventually(all_there, what="the feed tells of all")
    stop.set()
    await following
    assert len(seen) == len(set(seen)) == 7

    async def booked() -> bool:
        return await available(api, shared) == 6 and await available(api, alone) == 1

    await eventually(booked, what="the workers booked all")

    async def subscribed() -> bool:
        return (
            len(
                {x for x in told(receiver) if x[0] in (stock_thread(SITE, shared), stock_thread(SITE, alone))}
            )
            == 7
        )

    await eventually(subscribed, what="the subscriber was told of all")


async def test_a_writer_that_gives_up_stops_nobody(api: Api, receiver: Receiver) -> None:
    """Its numbers stay unused: readers pass them once it is gone."""
    lost, after = f"LATE-{next_number()}", f"LATE-{next_number()}"
    connection = await connect(api.hub.dsn)
    gives_up = connection.transaction()
    await gives_up.start()
    await log.append(connection, [late_item(lost, "lost")], current_segment())
    await say(api, after, "after")
    await gives_up.rollback()
    await connection.close()

    async def booked() -> bool:
        return await available(api, after) == 1

    await eventually(booked, what="what came after is booked")
    assert await available(api, lost) is None


@contextlib.contextmanager
def second_delivery(hub: RunningHub) -> Iterator[None]:
    """Another delivery process of the same hub, as on another machine."""
    with (hub.directory / ".crossdock" / "log" / "second.log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "crossdock.cli.main", "up", "--role", "delivery", "--hub", str(hub.directory)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait(40)


@pytest.mark.parametrize("seed", [random.randrange(10**6)], ids=["any seed"])
async def test_two_workers_and_two_relays_keep_the_order_of_every_key(
    api: Api, receiver: Receiver, seed: int
) -> None:
    """Twelve keys in turn, while a worker and a delivery process are killed: each key's facts arrive in their order, none is missing."""
    rng = random.Random(seed)
    items = [f"KEY-{next_number()}" for _ in range(KEYS)]
    turns = [key for key in range(KEYS) for _ in range(EACH)]
    rng.shuffle(turns)
    counts = [itertools.count() for _ in items]
    kills = dict(zip(sorted(rng.sample(range(10, len(turns)), 2)), ("worker-0", "delivery-0"), strict=True))

    with second_delivery(api.hub):
        processes = "select count(*) as n from process where role = $1 and seen_at > clock_timestamp() - interval '10 s'"
        for role in ("worker", "delivery"):

            async def two(role: str = role) -> bool:
                return (await rows(api.hub, processes, role))[0]["n"] >= 2

            await eventually(two, what=f"there are two processes of {role}")
        for turn, key in enumerate(turns):
            await say(api, items[key], str(next(counts[key])))
            if turn in kills:
                pids: Any = (read_status(api.hub.directory) or {})["pids"]
                os.kill(pids[kills[turn]], signal.SIGKILL)

        async def all_there() -> bool:
            return len({x for x in told(receiver) if x[0] in wanted}) == len(turns)

        wanted = {stock_thread(SITE, item): [str(n) for n in range(EACH)] for item in items}
        await eventually(all_there, what="all arrived")
    for thread, order in wanted.items():
        arrived = [reason for subject, reason in told(receiver) if subject == thread]
        assert list(dict.fromkeys(arrived)) == order, f"seed {seed}"

    async def booked() -> bool:  # by whoever took over from the worker that was killed
        return all([await available(api, item) == EACH for item in items])

    await eventually(booked, what=f"the workers booked all once, seed {seed}")
