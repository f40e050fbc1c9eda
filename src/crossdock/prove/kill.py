"""`prove kill`: while orders run, every process is killed and some are stopped; then the twins' books are compared."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from time import monotonic

import asyncpg

from crossdock.bench.lifecycle import _event
from crossdock.client import Refused, Unreachable
from crossdock.demo import goods, trade
from crossdock.demo.books import Findings
from crossdock.demo.day import drain, open_stage, place_all, prepare, report
from crossdock.demo.stage import Stage
from crossdock.model.quantity import Quantity
from crossdock.model.stock import StockAdjusted, StockPlace
from crossdock.model.thread import stock_thread
from crossdock.prove import mail
from crossdock.store.pool import LOST, connect

STOP_SECONDS = 60.0
PACE_SECONDS = 0.3
RESUME_SECONDS_MAX = 60.0
DRAIN_SECONDS = 900.0
"""A mail account takes 10 a second, and 2,000 orders make some 5,000 mails."""
WORKERS = 2
FAULT_SHARE = 0.3
GOODS_SECONDS_MAX = 3600.0
Progress = Callable[[str, int, int], None]


@dataclass
class Proof:
    """What `prove kill` prints."""

    orders: int = 0
    kills: int = 0
    stops: int = 0
    seed: int = 0
    completed: int = 0
    cancelled: int = 0
    rejected: int = 0
    open: int = 0
    unclear_mail: int = 0
    """Mails of which nobody can tell whether they went out: SMTP cannot be asked, so each is a case and not sent again."""
    lost_events: int = 0
    duplicated_effects: int = 0
    order_violations: int = 0
    worker_resume_s_max: float = 0.0
    postgres_resume_s_max: float = 0.0
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost_events or self.duplicated_effects or self.order_violations or self.differences)

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def schedule(kills: int, stops: int, twins: list[str], seed: int) -> list[tuple[str, str]]:
    """(what, whom) in a seeded order: `kills` of every role and twin, `stops` of worker and delivery."""
    whom = ["worker", "api", "delivery", "supervisor", "postgres", *(f"twin {name}" for name in twins)]
    steps = [("kill", target) for target in whom for _ in range(kills)]
    steps += [("stop", target) for target in ("worker", "delivery") for _ in range(stops)]
    random.Random(seed).shuffle(steps)
    return steps


class Breaker:
    """Kills and stops processes of a stage, and measures how long work rests."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._random = random.Random(seed + 1)
        self._probes = 0
        self.last_refusal = ""
        self.worker_resume: list[float] = [0.0]
        self.postgres_resume: list[float] = [0.0]
        self._stopped: list[asyncio.Task[None]] = []

    async def step(self, what: str, whom: str) -> None:
        match what, whom:
            case "stop", role:
                self._stopped.append(asyncio.create_task(self._stop(role)))
            case _, "supervisor":
                await self._kill_supervisor()
            case _, "postgres":
                await self._kill_postgres()
            case _, "worker":
                await self._kill_worker()
            case _, role if role.startswith("twin "):
                process = self._stage.twins.processes[role.removeprefix("twin ")]
                process.kill()
                process.start()
            case _, role:
                self._kill(self._pid(role))

    def _pids(self) -> dict[str, int]:
        try:
            found = json.loads((self._stage.hub.private / "status.json").read_text())
        except (OSError, ValueError):
            return {}
        pids: dict[str, int] = found["pids"]
        return pids

    def _pid(self, role: str) -> int | None:
        pids = [pid for name, pid in self._pids().items() if name.partition("-")[0] == role]
        return self._random.choice(pids) if pids else None

    def _kill(self, pid: int | None) -> None:
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def _stop(self, role: str) -> None:
        """SIGSTOP for a minute, then SIGCONT; the process may have been killed meanwhile."""
        pid = self._pid(role)
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(STOP_SECONDS)
            os.kill(pid, signal.SIGCONT)

    async def all_running(self) -> None:
        await asyncio.gather(*self._stopped)

    async def _kill_supervisor(self) -> None:
        supervisor = self._stage.supervisor
        assert supervisor is not None
        supervisor.kill()
        supervisor.wait()
        # The prover stands in for the service manager: it starts the hub again at once.
        for _ in range(100):
            self._stage.start_hub()
            assert self._stage.supervisor is not None
            try:
                await asyncio.to_thread(self._stage.supervisor.wait, 1.5)
            except subprocess.TimeoutExpired:
                break  # it runs
        await self._stage.until_ready()

    async def _kill_worker(self) -> None:
        """Killed → every partition it owned has a living owner that is not it."""
        pid = self._pid("worker")
        connection = await self._connected()
        if pid is None or connection is None:
            return
        rows = await connection.fetch("select id from process where role = 'worker' and pid = $1", pid)
        owners = [row["id"] for row in rows]
        mine = [
            r["p"] for r in await connection.fetch("select p from partition where owner = any($1)", owners)
        ]
        began = monotonic()
        self._kill(pid)
        while mine and monotonic() - began < RESUME_SECONDS_MAX:
            left = await connection.fetchval(
                "select count(*) from partition where p = any($1) and (owner is null or owner = any($2) or lease_until < clock_timestamp())",
                mine, owners,
            )  # fmt: skip
            if left == 0:
                break
            await asyncio.sleep(0.05)
        self.worker_resume.append(monotonic() - began)
        await connection.close()

    async def _connected(self) -> asyncpg.Connection | None:
        with contextlib.suppress(*LOST):
            return await connect(self._stage.hub.dsn)
        return None

    async def _kill_postgres(self) -> None:
        """Killed → an event is durably taken again."""
        pid = self._pids().get("postgres")
        if pid is None:
            return
        began = monotonic()
        self._kill(pid)
        while monotonic() - began < RESUME_SECONDS_MAX:
            self._probes += 1
            place = StockPlace("PROBE", "NOWHERE")
            event = _event(
                "prover",
                f"probe-{self._probes}-{began}",
                stock_thread("NOWHERE", "PROBE"),
                StockAdjusted(place, Quantity(Decimal(0)), "probe"),
            )
            try:
                await self._stage.client.request("POST", "/v1/events", accept=(202,), body=event)
            except (Unreachable, Refused) as error:
                self.last_refusal = str(error)
                await asyncio.sleep(0.03)
            else:
                break
        self.postgres_resume.append(monotonic() - began)
        if self.postgres_resume[-1] > RESUME_SECONDS_MAX / 2:
            sys.stderr.write(f"PostgreSQL was killed and the hub still says: {self.last_refusal}\n")


async def run(
    folder: Path, *, orders: int, kills: int, stops: int, seed: int, progress: Progress
) -> tuple[Proof, Findings]:
    """The whole proof on a fresh hub in `folder`."""
    began = monotonic()
    hub = prepare(folder, settings={"business_clock_rate": 20.0, "workers": WORKERS}, group=True)
    stage = await open_stage(hub, seed=seed, pace_seconds=PACE_SECONDS)
    breaker = Breaker(stage, seed)
    try:
        steps = schedule(kills, stops, list(stage.twins.processes), seed)
        faults = {
            name: {q: rate * FAULT_SHARE for q, rate in rates.items()}
            for name, rates in trade.GROUP_FAULTS.items()
        }
        await stage.twins.quirks(faults)
        # Orders are spread over the time the mischief takes, so that every kill meets work under way.
        seconds = max(10.0, len(steps) * 3.0)
        wishes = [w for w in trade.group_wishes(orders * 2, seed) if not w.credit][:orders]
        placing = asyncio.create_task(
            place_all(stage, wishes, per_second=max(orders / seconds, 5.0), progress=progress)
        )
        others = asyncio.create_task(goods.move(stage, seed, GOODS_SECONDS_MAX))
        await asyncio.sleep(1.0)
        for number, (what, whom) in enumerate(steps):
            progress("kills and stops", number + 1, len(steps))
            await breaker.step(what, whom)
            await asyncio.sleep(breaker._random.uniform(0.5, 2.5))
        await placing
        progress("waiting for stopped processes", 0, 0)
        await breaker.all_running()
        await stage.until_ready()
        await stage.twins.calm()
        await others
        await drain(stage, progress, DRAIN_SECONDS, lambda: mail.behind_unclear(stage))
        differing = await goods.night(stage)
        made, findings = await report(stage, began, seed)
        unclear = await mail.unclear(stage)
        findings.lost = [x for x in findings.lost if x not in unclear]
        made.differences += differing
    finally:
        await stage.close()
    proof = Proof(
        orders=made.orders, kills=kills, stops=stops, seed=seed, completed=made.completed, cancelled=made.cancelled,
        rejected=made.rejected, open=made.open, unclear_mail=len(unclear),
        lost_events=len(findings.lost), duplicated_effects=made.duplicated_effects, order_violations=made.order_violations,
        worker_resume_s_max=round(max(breaker.worker_resume), 2), postgres_resume_s_max=round(max(breaker.postgres_resume), 2),
        seconds=round(monotonic() - began, 1), differences=made.differences,
    )  # fmt: skip
    return proof, findings
