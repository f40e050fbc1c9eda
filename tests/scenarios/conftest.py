"""Two companies on one hub, with eleven systems as twins: what experts check is tried from the outside, one by one.

The hub lives as long as the tests of this directory; every test has items and orders of its own, and switches off what it switched on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from crossdock.demo.day import prepare
from crossdock.demo.trade import MARKET
from crossdock.demo.twins import Twins
from e2e.running import Api, RunningHub, start, stop
from scenarios.group import Group, open_books

POLICY = {
    "unknown_item": "hold", "master_authority": {"item": "sap-1"}, "recheck_seconds": 60, "parent_wait_seconds": 1200,
    "item_fetch": True, "settle_quantity_max": 5,
}  # fmt: skip


@contextmanager
def trading(
    directory: Path,
    routing: Callable[[dict[str, Any]], None] = lambda _: None,
    policy: dict[str, Any] | None = None,
    systems: dict[str, dict[str, Any]] | None = None,
    settings: dict[str, Any] | None = None,
) -> Iterator[tuple[RunningHub, Twins]]:
    """A hub with its twins, books opened; `routing` changes the tables before, `policy` the rules, `systems` the keys of single
    systems (the marketplace is there where it is named). Their logs hold no stack trace when they end.
    """
    prepare(directory, settings={"business_clock_rate": 20.0} | (settings or {}), group=True)
    _edit(directory / "hub.yaml", policy or {}, market=MARKET in (systems or {}))
    _hand_over(directory / "routing.yaml", routing)
    for name, keys in (systems or {}).items():
        path = directory / "systems" / f"{name}.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | keys))
    hub = start(directory)
    twins = Twins(hub.configured, hub.url, seed=1, pace_seconds=0.05)
    for process in twins.processes.values():
        process.start()
    try:
        asyncio.run(open_books(hub, twins))
        yield hub, twins
    finally:
        for process in twins.processes.values():
            process.stop()
        stop(hub)
    logs = "".join(process.log.read_text(errors="replace") for process in twins.processes.values())
    assert "Traceback (most recent call last)" not in logs, logs[-4000:]


@pytest.fixture(scope="package")
def group_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, Twins]]:
    with trading(tmp_path_factory.mktemp("group")) as made:
        yield made


@pytest.fixture
def own_hub(tmp_path: Path) -> Iterator[tuple[RunningHub, Twins]]:
    with trading(tmp_path / "own") as made:
        yield made


def _edit(path: Path, policy: dict[str, Any], *, market: bool) -> None:
    """The marketplace, which keeps pieces back from the shop, is left out of most tests."""
    hub = yaml.safe_load(path.read_text())
    hub["policy"] |= POLICY | policy
    if not market:
        hub["roles"]["channels"].remove(MARKET)
        (path.parent / "systems" / f"{MARKET}.yaml").unlink()
    path.write_text(yaml.safe_dump(hub))


def _hand_over(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """A third site, which serves no orders, changes its warehouse system."""
    routing = yaml.safe_load(path.read_text())
    routing["nodes"]["SITE3"] = {"warehouse": "wms-2", "leaving": "wms-1"}
    edit(routing)
    path.write_text(yaml.safe_dump(routing))


@pytest.fixture
async def group(group_hub: tuple[RunningHub, Twins], request: pytest.FixtureRequest) -> AsyncIterator[Group]:
    """Trade with the twins; they behave again afterwards."""
    hub, twins = group_hub
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        made = Group(Api(hub, session), twins, seed=sum(request.node.name.encode()))
        yield made
        await made.calm()


@pytest.fixture
async def own_group(own_hub: tuple[RunningHub, Twins]) -> AsyncIterator[Group]:
    """Trade on a hub of the test's own, for what other tests' unsettled differences would change."""
    hub, twins = own_hub
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield Group(Api(hub, session), twins)
