"""A hub of its own for one bench: temporary directory, chosen roles, sinks instead of partners."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import asyncpg
import yaml

from crossdock.bench.load import request
from crossdock.client import Client, Refused, Unreachable
from crossdock.demo import landscape
from crossdock.demo.day import free_block
from crossdock.runtime.hub import Hub, load_hub
from crossdock.store.pool import connect

SINKS = ("sap-1", "wms-1", "ups-1", "shopify-eu", "crm", "portal")


class BenchHub:
    """`async with BenchHub(("api", "worker")) as hub`."""

    def __init__(
        self,
        roles: Sequence[str],
        *,
        notify: Sequence[str] = ("crm", "portal"),
        sink: bool = False,
        judge: bool = False,
        workers: int = 1,
        settle: Callable[[Path], None] | None = None,
    ) -> None:
        """`sink` answers for all systems; as a `judge` it may refuse. `settle` changes the landscape before the start."""
        self._roles = ",".join(roles) + ","
        self._notify = list(notify)
        self._sink = ["judge"] if judge else [] if sink else None
        self._settle = settle
        self._workers = workers
        self._processes: list[subprocess.Popen[bytes]] = []
        self.keep = False
        """Whether its data stays when it ends."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._end)
            await self._start()
            undo.pop_all()
        self.db: asyncpg.Connection = await connect(self.hub.dsn)
        return self

    async def _start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="crossdock-bench-"))
        self.port = free_block(10)
        landscape.write(
            self.folder, hub_port=self.port, system_port=self.port + 1,
            settings={"workers": self._workers, "partner_requests_per_second": 1_000_000, "lag_events_max": 100_000_000},
        )  # fmt: skip
        self._point_to_sink()
        if self._settle is not None:
            self._settle(self.folder)
        self.hub: Hub = load_hub(self.folder)
        (self.hub.private / "log").mkdir(parents=True)
        log = (self.hub.private / "log" / "supervisor.log").open("ab")
        self._spawn(
            [
                sys.executable,
                "-m",
                "crossdock.cli.main",
                "up",
                "--hub",
                str(self.folder),
                "--role",
                self._roles,
            ],
            log,
        )
        if self._sink is not None:
            self._spawn([sys.executable, "-m", "crossdock.bench.sink", str(self.port + 9), *self._sink], log)
        log.close()
        await self._until_ready()
        self.token = (self.hub.private / "operator.token").read_text().strip()

    def _point_to_sink(self) -> None:
        """All systems answer from one sink, without limits: the hub is measured, not a partner's quota."""
        for path in sorted((self.folder / "systems").glob("*.yaml")):
            system = yaml.safe_load(path.read_text())
            system |= {
                "base_url": f"http://127.0.0.1:{self.port + 9}",
                "rate_per_second": 0.0,
                "concurrency": 64,
            }
            path.write_text(yaml.safe_dump(system))
        path = self.folder / "hub.yaml"
        hub = yaml.safe_load(path.read_text())
        hub["roles"]["notify"] = self._notify
        path.write_text(yaml.safe_dump(hub))

    def _spawn(self, command: list[str], log: Any) -> None:
        self._processes.append(
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        )

    async def _until_ready(self) -> None:
        for _ in range(600):
            try:
                async with Client(self.folder, url=f"http://127.0.0.1:{self.port}") as client:
                    await client.get("/health/startup" if "worker" not in self._roles else "/health/ready")
            except (Unreachable, Refused):
                await asyncio.sleep(0.05)
            else:
                return
        raise TimeoutError(f"the bench's hub did not start: see {self.hub.private / 'log'}")

    def request(self, path: str, body: bytes) -> bytes:
        return request(path, body, token=self.token)

    async def load(self, requests: list[bytes], **plan: Any) -> dict[str, Any]:
        """Drive the load from a process of its own."""
        given = {"port": self.port, "requests": [b64encode(r).decode() for r in requests], **plan}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "crossdock.bench.load", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            out, _ = await process.communicate(json.dumps(given).encode())
        finally:
            if process.returncode is None:
                process.kill()
        found = json.loads(out)
        assert isinstance(found, dict)
        return found

    async def __aexit__(self, *_: object) -> None:
        await self.db.close()
        await self._end()

    async def _end(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                await asyncio.to_thread(process.wait, 20)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
        if self.keep:
            return
        data = Path(self.hub.dsn.partition("host=")[2]).parent
        shutil.rmtree(self.folder, ignore_errors=True)
        if (data.name != "postgres" and "crossdock" in str(data)) or data.name == "postgres":
            shutil.rmtree(data, ignore_errors=True)
