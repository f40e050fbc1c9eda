"""A hub is lost and restored elsewhere: what happened after the backup happens no second time, by the twins' own books."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from crossdock.demo.books import ONCE, Findings, compare
from crossdock.demo.day import prepare
from crossdock.runtime.postgres import place_for
from e2e.running import Api, RunningHub, eventually, rows, start
from e2e.trading import Trade, books_of, trading_twins

BEFORE, AFTER = 8, 5
LOOKED_UP = ("sales_order.create", "goods_issue.post", "label.create", "invoice.release", "freight.accrue")
QUIET_SECONDS = 3.0


@pytest.fixture
async def trading(tmp_path: Path) -> AsyncIterator[Trade]:
    """A hub that keeps its log in an archive, and trades with six twins."""
    directory = tmp_path / "hub"
    # The account that runs PostgreSQL must be able to enter the archive's directory, also when tests run as root.
    archive = place_for(directory, None).data.parent / "archive"
    prepare(directory, settings={"business_clock_rate": 20.0, "wal_archive": str(archive)})
    hub = start(directory)
    try:
        async with trading_twins(hub) as made:
            yield made
    finally:
        end(hub)
        shutil.rmtree(place_for(directory, None).data.parent, ignore_errors=True)


def end(hub: RunningHub) -> None:
    hub.process.terminate()
    hub.process.wait(40)


def crossdock(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "crossdock.cli.main", *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def refused(*arguments: str | Path) -> str:
    """What a command says that ends with 1."""
    with pytest.raises(AssertionError) as told:
        crossdock(*arguments)
    assert "Traceback" not in str(told.value)
    return str(told.value)


def is_careful(copy: Path, target: Path) -> None:
    """A changed byte, a file too many and a missing key are told by name, and nothing is left that could be started."""
    for victim in (copy / "base" / "global" / "pg_control", copy / "landscape" / "hub.yaml"):
        right = victim.read_bytes()
        victim.write_bytes(bytes([right[0] ^ 1]) + right[1:])
        assert str(victim) in refused("backup", "verify", copy)
        victim.write_bytes(right)
    stray = copy / "base" / "stray"
    stray.touch()
    assert str(stray) in refused("backup", "restore", copy, "--hub", target)
    stray.unlink()
    other = target.with_name("other.key")
    other.touch(mode=0o600)
    other.write_text("ab" * 32 + "\n")
    assert "another hub's key" in refused("backup", "restore", copy, "--hub", target, "--key", other)
    assert not place_for(target, None).data.exists()


async def journalled(trading: Trade) -> Counter[tuple[str, str, str]]:
    journals = {name: await trading.twin(name, "/journal") for name in trading.twins.processes}
    return Counter(
        (name, row["effect"], row["reference"]) for name, found in journals.items() for row in found
    )


async def shut(trading: Trade, share: float) -> None:
    """ERP, carrier and shop answer 503 in this share of cases: what they should do stays open."""
    for system in ("sap-1", "ups-1", "shopify-eu"):
        await trading.twin(system, "/quirks", {"unavailable": share}, "PUT")


async def asks_first(hub: RunningHub) -> bool:
    return bool(await rows(hub, "select 1 from effect where state < 5 and kind = any($1)", LOOKED_UP))


def send_everything_again(hub: RunningHub) -> None:
    """The partners are asked for all they ever told: every callback becomes due once more."""
    for books in (hub.directory / ".crossdock" / "twins").glob("*.db"):
        with sqlite3.connect(books, timeout=10) as connection:
            connection.execute("update outbox set status = null, tries = 0, due = 0, copies = 1")
        connection.close()


async def settled(trading: Trade) -> bool:
    """Every order has ended, in the hub and in all books."""
    phases = [await trading.api.phase(f"order/{reference}") for reference in trading.sent]
    if set(phases) != {"completed"}:
        return False
    [left] = await rows(trading.api.hub, "select count(*) as n from effect where state < 5")
    return not left["n"] and compare(await books_of(trading), set()) == Findings()


async def test_a_restored_hub_repeats_nothing(trading: Trade, tmp_path: Path) -> None:
    """Paused until a person says go; then looked up first, so that after all is sent again the books tie, and nothing is doubled."""
    old, copy, directory = trading.api.hub, tmp_path / "backup", tmp_path / "restored"
    for _ in range(BEFORE):
        await trading.order()
        await asyncio.sleep(0.2)
    await shut(trading, 1.0)
    await eventually(lambda: asks_first(old), what="something that must not be sent twice is open")
    await asyncio.to_thread(crossdock, "backup", "create", "--hub", old.directory, "--to", copy, "--with-key")
    await asyncio.sleep(1.0)
    await shut(trading, 0.0)
    for _ in range(AFTER):
        await trading.order()
    await eventually(lambda: settled(trading), what="the lost hub settled all orders")
    before = await journalled(trading)
    told = crossdock("doctor", "--hub", old.directory).stdout
    assert f"ago to {copy.resolve()}" in told, told
    end(old)

    is_careful(copy, directory)
    held = json.loads(crossdock("backup", "verify", copy, "--json").stdout)
    assert held["archived"]
    until = held["backup"]["ended_at"]
    command = ("backup", "restore", copy, "--hub", directory, "--until", until, "--json")
    told = json.loads(crossdock(*command).stdout)
    assert datetime.fromisoformat(told["up_to"]) <= datetime.fromisoformat(until)
    new = start(directory)
    try:
        trading.api = Api(new, trading.api.session)
        await _is_quiet_while_paused(trading, before, told)
        report = json.loads(new.crossdock("resume", "--json").stdout)
        assert report["resumed"]
        send_everything_again(old)
        await eventually(lambda: settled(trading), what="the restored hub settled all orders")
        doubled = {
            key: n for key, n in (await journalled(trading)).items() if n > before[key] and key[1] in ONCE
        }
        assert doubled == {}
        logs = new.logs()
        assert "delivery_paused" in logs
        assert "delivery_resumed" in logs
        assert "Traceback" not in logs
    finally:
        end(new)
        shutil.rmtree(place_for(directory, None).data.parent, ignore_errors=True)


async def _is_quiet_while_paused(trading: Trade, before: Counter[Any], told: dict[str, Any]) -> None:
    """It takes events and says why it sends nothing; the report names what was open, and what will be looked up."""
    new = trading.api.hub
    assert told["paused"]
    fates = {(group["kind"], group["fate"]) for group in told["effects"]}
    assert "look up" in {fate for _, fate in fates}
    assert all(fate == "look up" for kind, fate in fates if kind in LOOKED_UP)
    assert all(group["count"] == len(group["effects"]) for group in told["effects"])
    await asyncio.sleep(QUIET_SECONDS)
    assert await journalled(trading) == before
    assert "restored from the backup" in (await trading.api.get("/health/ready"))["paused"]
    assert "crossdock resume" in new.crossdock("status").stdout
    dry = json.loads(new.crossdock("resume", "--dry-run", "--json").stdout)
    assert not dry["resumed"]
    assert (await trading.api.get("/health/ready"))["paused"]
