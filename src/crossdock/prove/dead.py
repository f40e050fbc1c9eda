"""`prove dead`: one target is dead for a while, and comes back. The others must not notice, and it must not be run over.

Three phases of one length under one even load, two targets told of the same things: both alive, one dead, it is back.
"""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import yaml

from crossdock.bench.deliver import _pair
from crossdock.bench.lanes import TOLD
from crossdock.bench.lifecycle import SHOP, batches
from crossdock.bench.stage import BenchHub
from crossdock.connect.discovery import installed

DEAD, ALIVE = "crm", "portal"
PER_SECOND: Final = 30
"""Things that both are told of, each second."""
BUDGET_PER_SECOND: Final = 100.0
BURST: Final = 100
SETTLE_SECONDS: Final = 5
_DELIVERED = (
    "select count(*) from effect where account = $1 and state = 10 and settled_at >= $2 and settled_at < $3"
)
_PASSED = """
select count(*) from (
    select seq, max(seq) over (order by settled_at, seq rows between unbounded preceding and 1 preceding) as newest
    from effect where account = $1 and state = 10 and journaled_at < $2
) x where newest > seq + $3
"""
Progress = Callable[[str, int, int], None]


@dataclass
class Proof:
    """What `prove dead` prints. `kept` is the other target's share of its rate, while this one was dead."""

    seconds: int = 0
    kept: float = 0.0
    waited: int = 0
    """Effects that waited when the target came back."""
    calls_while_dead: int = 0
    calls_per_effect: float = 0.0
    calls_per_second_max: int = 0
    budget_per_second: float = BUDGET_PER_SECOND
    burst: int = BURST
    passed: int = 0
    """Effects that were overtaken by more newer ones than may be under way at once."""
    left: int = 0
    drained_s: float = 0.0
    flaws: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.flaws

    def judge(self) -> None:
        """What is promised, and does not hold."""
        for holds, what in (
            (self.kept >= 0.9, f"the other target lost {1 - self.kept:.0%}"),
            (self.calls_per_effect <= 1.1, f"{self.calls_per_effect:.2f} calls for each effect after its return"),
            (self.calls_per_second_max <= self.budget_per_second + self.burst, f"{self.calls_per_second_max} calls in one second"),
            (self.passed == 0, f"{self.passed} effects were overtaken"),
            (self.left == 0, f"{self.left} effects never went"),
        ):  # fmt: skip
            if not holds:
                self.flaws.append(what)

    def as_json(self) -> str:
        return json.dumps(asdict(self))


async def run(*, seconds: int, progress: Progress) -> Proof:
    """On a hub of its own; ends after three times as long, and what the waiting effects take."""
    proof = Proof(seconds=seconds)
    async with BenchHub(
        ("api", "worker", "delivery"), notify=(DEAD, ALIVE), sink=True, settle=_with_budget
    ) as hub:
        target = _Target(hub.port + 8)
        try:
            await _phases(hub, target, proof, progress)
        finally:
            target.kill()
    proof.judge()
    return proof


async def _phases(hub: BenchHub, target: "_Target", proof: Proof, progress: Progress) -> None:
    seconds, names = proof.seconds, [f"dead{n}" for n in range(3 * proof.seconds * PER_SECOND)]
    pairs = [_pair(name) for name in names]
    first = [hub.request("/v1/events/batch", b) for b in batches([pair[0] for pair in pairs], 500)]
    await hub.load(first, connections=2, seconds=120, repeat=False)
    told = [hub.request("/v1/events", pair[1]) for pair in pairs]
    load = asyncio.create_task(
        hub.load(told, connections=8, seconds=3 * seconds + 60, rate=PER_SECOND, repeat=False)
    )
    await asyncio.sleep(SETTLE_SECONDS)
    alive = await _phase(hub, "both alive", seconds - SETTLE_SECONDS, progress)
    target.kill()
    dead = await _phase(hub, f"{DEAD} dead", seconds, progress)
    proof.kept = round(min(1.0, dead / max(alive, 0.001)), 3)
    proof.waited = await _open(hub)
    proof.calls_while_dead = await hub.db.fetchval(
        "select count(*) from attempt a join effect e on e.id = a.effect where e.account = $1 and a.outcome <> 'done'",
        DEAD,
    )
    returned = datetime.now(UTC)
    target.start()
    await _phase(hub, f"{DEAD} is back", seconds, progress)
    await load
    for _ in range(seconds * 10):
        proof.left = await _open(hub)
        if not proof.left:
            break
        await asyncio.sleep(0.1)
    proof.drained_s = round((datetime.now(UTC) - returned).total_seconds(), 1)
    calls = await asyncio.to_thread(target.calls)
    done = await hub.db.fetchval(_DELIVERED, DEAD, returned, datetime.now(UTC))
    proof.calls_per_effect = round(sum(calls) / max(done, 1), 3)
    proof.calls_per_second_max = max(calls, default=0)
    under_way = 2 * installed()["signed_webhook"].manifest.limits.concurrency + int(BURST)
    proof.passed = await hub.db.fetchval(_PASSED, DEAD, returned, 2 * under_way)


async def _phase(hub: BenchHub, name: str, seconds: int, progress: Progress) -> float:
    """Effects per second that the other target took."""
    began = datetime.now(UTC)
    for second in range(seconds):
        progress(name, second + 1, seconds)
        await asyncio.sleep(1.0)
    ended = datetime.now(UTC)
    count = await hub.db.fetchval(_DELIVERED, ALIVE, began, ended)
    return float(count) / (ended - began).total_seconds()


async def _open(hub: BenchHub) -> int:
    found = await hub.db.fetchval(
        "select count(*) from effect where account = $1 and state < 10 and thread_key like $2",
        DEAD,
        f"order/{SHOP}/dead%",
    )
    return int(found)


def _with_budget(folder: Path) -> None:
    """The target has an address of its own, and a budget."""
    path = folder / "systems" / f"{DEAD}.yaml"
    system = yaml.safe_load(path.read_text())
    place, _, port = system["base_url"].rpartition(":")
    system |= {"base_url": f"{place}:{int(port) - 1}", "rate_per_second": BUDGET_PER_SECOND, "burst": BURST}
    path.write_text(yaml.safe_dump(system))


class _Target:
    """A sink that counts its calls by the second."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "crossdock.bench.sink", str(self._port), "count"], start_new_session=True
        )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def calls(self) -> list[int]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{TOLD}") as answer:
            counts: list[int] = json.load(answer)["calls"]
        return counts
