"""A hub that runs as processes, and HTTP to it: what the end-to-end tests speak to."""

import asyncio
import http.client
import io
import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from crossdock.connect.contract import Account, Inbound
from crossdock.runtime.hub import Hub, load_hub
from crossdock.runtime.postgres import place_for

READY_SECONDS = 60.0
SETTLED_SECONDS = 90.0


@dataclass
class RunningHub:
    """A hub that serves: where it is, who may speak to it, and how its systems sign."""

    directory: Path
    url: str
    process: subprocess.Popen[bytes]

    @property
    def token(self) -> str:
        return (self.directory / ".crossdock" / "operator.token").read_text().strip()

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def configured(self) -> Hub:
        return load_hub(self.directory)

    @property
    def dsn(self) -> str:
        return self.configured.dsn

    def account(self, system: str) -> Account:
        """With the system's secrets in clear."""
        return self.configured.account(system)

    def signed(self, system: str, channel: str, body: bytes, topic: str = "", **more: str) -> dict[str, str]:
        """The headers with which this system would send this body."""
        message = Inbound(channel=channel, headers={}, body=body, received_at=datetime.now(UTC))
        sign = self.configured.connector(system).sign
        assert sign is not None
        return {**sign(message, self.account(system), topic), **more}

    def crossdock(self, *arguments: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command of ours against this hub, as a person would."""
        command = [sys.executable, "-m", "crossdock.cli.main", *arguments, "--hub", str(self.directory)]
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)

    def logs(self) -> str:
        """Everything its processes wrote."""
        folder = self.directory / ".crossdock" / "log"
        return "".join(path.read_text(errors="replace") for path in sorted(folder.glob("*.log")))


@dataclass
class Answer:
    """What came back over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> dict[str, Any]:
        """The body of an error, which must be a problem document."""
        assert self.headers["content-type"].startswith("application/problem+json"), self.body[:500]
        found = self.json()
        assert found["status"] == self.status
        return found  # type: ignore[no-any-return]


class NotThere(AssertionError):
    """The hub knows nothing by that name."""


@dataclass
class Api:
    """HTTP to a hub, with the operator token unless told otherwise."""

    hub: RunningHub
    session: aiohttp.ClientSession

    async def call(
        self, method: str, path: str, body: bytes | None = None, *, headers: dict[str, str] | None = None,
        anonymous: bool = False, **query: str,
    ) -> Answer:  # fmt: skip
        sent = {"Content-Type": "application/json"} | ({} if anonymous else self.hub.bearer) | (headers or {})
        async with self.session.request(
            method,
            self.hub.url + path,
            data=body and io.BytesIO(body),
            params=query,
            headers=sent,
            allow_redirects=False,
        ) as answer:
            return Answer(
                answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.read()
            )

    async def get(self, path: str, **query: str) -> Any:
        """What is there; raises `NotThere` when the hub has not heard of it, which may be a matter of waiting."""
        answer = await self.call("GET", path, **query)
        if answer.status == 404:
            raise NotThere(answer.body[:500])
        assert answer.status == 200, answer.body[:500]
        return answer.json()

    async def post(self, path: str, body: Any) -> Answer:
        return await self.call("POST", path, json.dumps(body).encode())

    async def deliver(self, system: str, channel: str, body: bytes, topic: str = "", **more: str) -> Answer:
        """A signed message, as the system would send it."""
        headers = self.hub.signed(system, channel, body, topic, **more)
        return await self.call("POST", f"/v1/in/{system}/{channel}", body, headers=headers, anonymous=True)

    async def phase(self, thread: str) -> str:
        """Where a thread stands; empty when nobody has heard of it."""
        answer = await self.call("GET", f"/v1/threads/story/{thread}")
        return answer.json()["phase"] if answer.status == 200 else ""


async def rows(hub: RunningHub, sql: str, *arguments: Any) -> list[Any]:
    """What stands in the hub's database, where no page shows it."""
    connection = await asyncpg.connect(hub.dsn)
    try:
        return list(await connection.fetch(sql, *arguments))
    finally:
        await connection.close()


async def eventually(
    look: Callable[[], Awaitable[Any]], *, what: str, seconds: float = SETTLED_SECONDS
) -> Any:
    """Look until there is something (404 is nothing yet); a deadline for hope, not a measurement."""
    end, pause = time.monotonic() + seconds, 0.05
    while True:
        missing: NotThere | None = None
        try:
            if found := await look():
                return found
        except NotThere as not_yet:
            missing = not_yet
        assert time.monotonic() < end, f"still not so: {what} {missing or ''}"
        await asyncio.sleep(pause)
        pause = min(pause * 1.4, 0.4)  # whoever waits long leaves the processors to what is waited for


def start(directory: Path) -> RunningHub:
    settings = load_hub(directory).settings
    log = directory / ".crossdock" / "log"
    log.mkdir(parents=True, exist_ok=True)
    with (log / "supervisor.log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "crossdock.cli.main", "up", "--hub", str(directory)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    hub = RunningHub(directory, f"http://{settings.bind}:{settings.port}", process)
    end = time.monotonic() + READY_SECONDS
    while not _ready(hub):
        assert process.poll() is None, f"the hub ended: {hub.logs()[-2000:]}"
        assert time.monotonic() < end, f"the hub did not get ready: {hub.logs()[-2000:]}"
        time.sleep(0.1)
    return hub


def _ready(hub: RunningHub) -> bool:
    try:
        with urllib.request.urlopen(hub.url + "/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (http.client.HTTPException, OSError):  # a port nobody listens on yet may connect to itself
        return False


def stop(hub: RunningHub) -> None:
    hub.process.terminate()
    try:
        hub.process.wait(40)
    except subprocess.TimeoutExpired:
        hub.process.kill()
        hub.process.wait()
        pytest.fail("the hub did not stop within 40 s of SIGTERM")
    finally:
        logs = hub.logs()
        shutil.rmtree(place_for(hub.directory, None).data.parent, ignore_errors=True)
    assert "Traceback (most recent call last)" not in logs, logs[-6000:]
    assert hub.process.returncode == 0, f"the hub ended with {hub.process.returncode}: {logs[-2000:]}"
