"""Hubs that really run: processes, PostgreSQL of their own, HTTP. One for most tests, one more that trades with twins.

Both live as long as the tests of this directory, others as long as a file's; every test brings its own order numbers. A hub whose logs hold a stack trace fails.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from crossdock.demo.day import prepare
from crossdock.demo.twins import Twins
from e2e.browser import Browser, Page
from e2e.running import Api, RunningHub, start, stop
from e2e.trading import Trade, open_books


@contextmanager
def starting(factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunningHub]]:
    """Makes hubs: `start_hub("name", settings={…}, edit=function of its directory)`; all are stopped at the end."""
    running: list[RunningHub] = []

    def make(
        name: str = "hub",
        settings: dict[str, Any] | None = None,
        edit: Callable[[Path], None] = lambda directory: None,
    ) -> RunningHub:
        directory = factory.mktemp(name)
        prepare(directory, settings=settings)
        edit(directory)
        running.append(start(directory))
        return running[-1]

    yield make
    for hub in running:
        if hub.process.poll() is None:
            stop(hub)


@pytest.fixture(scope="module")
def start_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunningHub]]:
    """Hubs of one file's tests: they end with it."""
    with starting(tmp_path_factory) as make:
        yield make


@pytest.fixture(scope="package")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """The landscape of `crossdock init`, running; nobody answers at the systems' addresses."""
    with starting(tmp_path_factory) as make:
        yield make("hub", settings={"body_bytes_max": 2_000_000})


@pytest.fixture
async def api(hub: RunningHub) -> AsyncIterator[Api]:
    """HTTP to the hub that has no twins."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Api(hub, session)


@pytest.fixture(scope="package")
def trading_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, Twins]]:
    """A second hub whose six systems are twins; master data and opening stock are in their books."""
    with starting(tmp_path_factory) as make:
        hub = make("trading", settings={"business_clock_rate": 20.0})
        twins = Twins(hub.configured, hub.url, seed=1, pace_seconds=0.05)
        for process in twins.processes.values():
            process.start()
        try:
            asyncio.run(open_books(hub, twins))
            yield hub, twins
        finally:
            for process in twins.processes.values():
                process.stop()
    logs = "".join(process.log.read_text(errors="replace") for process in twins.processes.values())
    assert "Traceback (most recent call last)" not in logs, logs[-4000:]


@pytest.fixture
async def trading(
    trading_hub: tuple[RunningHub, Twins], request: pytest.FixtureRequest
) -> AsyncIterator[Trade]:
    """Trade with twins; the twins behave (every quirk is off again afterwards)."""
    hub, twins = trading_hub
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        made = Trade(Api(hub, session), twins, seed=sum(request.node.name.encode()))
        yield made
        for name in twins.processes:
            quirks = await made.twin(name, "/quirks")
            await made.twin(name, "/quirks", dict.fromkeys(quirks, 0.0), "PUT")


@pytest.fixture
async def page(trading: Trade, tmp_path: Path) -> AsyncIterator[Page]:
    """A browser that is logged in to the hub that trades; it must have nothing to complain of."""
    async with Browser(tmp_path / "profile") as browser:
        tab = await browser.tab()
        await tab.look()
        await tab.open(trading.api.hub.url + "/login")
        await tab.js(f"document.getElementById('token').value = {json.dumps(trading.api.hub.token)}")
        await tab.js("document.querySelector('main form').submit()")
        await tab.until("document.querySelector('.live') !== null", "the console is open")
        yield tab
        assert browser.complaints == []
