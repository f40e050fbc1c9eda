"""Starting the twins of a landscape as real servers on loopback, and looking into their books."""

import asyncio
import multiprocessing
import socket
from dataclasses import dataclass
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from crossdock.connect.discovery import installed
from crossdock.connect.twin_server import serve
from crossdock.errors import Misconfigured
from crossdock.runtime.hub import Hub


@cache
def _forks() -> ForkServerContext:
    """Twins are forked from a process which has imported, once, what all of them need."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", *(f"{found.package}.twin" for found in installed().values())])
    return context


@dataclass
class TwinProcess:
    """One running twin; `keep_alive` brings a killed one back with its books.

    `url` is where its control surface is: at the account's address, or beside it where that does not speak HTTP.
    """

    system: str
    connector: str
    url: str
    setup: dict[str, Any]
    log: Path
    process: ForkServerProcess | None = None

    def start(self) -> None:
        given = (self.connector, urlsplit(self.url).port, self.setup, self.log)
        self.process = _forks().Process(target=serve, args=given, name=self.system, daemon=True)
        self.process.start()

    def keep_alive(self) -> bool:
        """Start it again when it died; True when it had."""
        if self.process is None or not self.process.is_alive():
            self.start()
            return True
        return False

    def kill(self) -> None:
        """As a power cut would: its books hold what was committed."""
        if self.process is not None:
            self.process.kill()
            self.process.join()

    def stop(self) -> None:
        if self.process is not None and self.process.is_alive():
            self.process.terminate()
            self.process.join(5)
            self.kill()


class Twins:
    """All twins of a hub's landscape."""

    def __init__(self, hub: Hub, hub_url: str, *, seed: int, pace_seconds: float) -> None:
        folder = hub.private / "twins"
        folder.mkdir(parents=True, exist_ok=True)
        self.processes: dict[str, TwinProcess] = {}
        for name, system in hub.landscape.systems.items():
            account = hub.account(name)
            setup = {
                "name": system.connector, "system": name, "hub_url": hub_url, "books": str(folder / f"{name}.db"),
                "base_url": system.base_url, "seed": seed, "pace_seconds": pace_seconds, "settings": dict(account.settings), "secrets": dict(account.secrets),
            }  # fmt: skip
            self.processes[name] = TwinProcess(
                name, system.connector, _control_url(system.base_url), setup, folder / f"{name}.log"
            )
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        for process in self.processes.values():
            await _until_port_is_free(process.setup["base_url"])
            process.start()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        await asyncio.gather(*(self._until_up(name) for name in self.processes))

    async def _until_up(self, name: str) -> None:
        for _ in range(300):
            try:
                await self.get(name, "/_twin/health")
            except (aiohttp.ClientError, TimeoutError, OSError):
                await asyncio.sleep(0.1)
            else:
                return
        raise TimeoutError(f"the twin of {name} did not start: see {self.processes[name].log}")

    async def get(self, system: str, path: str) -> Any:
        assert self._session is not None
        async with self._session.get(self.processes[system].url + path) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def send(self, method: str, system: str, path: str, body: Any) -> Any:
        assert self._session is not None
        async with self._session.request(method, self.processes[system].url + path, json=body) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def send_surely(self, method: str, system: str, path: str, body: Any) -> Any:
        """As `send`, again until the twin is there (it may be restarting)."""
        while True:
            try:
                return await self.send(method, system, path, body)
            except (aiohttp.ClientConnectionError, TimeoutError, OSError):
                await asyncio.sleep(0.2)

    async def journal(self, system: str) -> list[dict[str, Any]]:
        """What really happened at this system, by its own books."""
        found = await self.get(system, "/_twin/journal")
        assert isinstance(found, list)
        return found

    async def quirks(self, rates: dict[str, dict[str, float]]) -> None:
        """Set quirks per connector; names a twin does not know are left out."""
        for name, process in self.processes.items():
            known = installed()[process.connector].manifest.quirks
            wanted = {q: rate for q, rate in rates.get(process.connector, {}).items() if q in known}
            if wanted:
                await self.send_surely("PUT", name, "/_twin/quirks", wanted)

    async def calm(self) -> None:
        """Switch every quirk off."""
        for name, process in self.processes.items():
            quirks = dict.fromkeys(installed()[process.connector].manifest.quirks, 0.0)
            await self.send_surely("PUT", name, "/_twin/quirks", quirks)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        for process in self.processes.values():
            process.stop()


def _control_url(base_url: str) -> str:
    """A free port for the control surface of a twin that speaks something else than HTTP at its address."""
    place = urlsplit(base_url)
    if place.scheme in ("http", "https"):
        return base_url
    with socket.socket() as probe:
        probe.bind((place.hostname, 0))
        return f"http://{place.hostname}:{probe.getsockname()[1]}"


async def _until_port_is_free(url: str) -> None:
    """The last run's twin needs a moment to end; whatever stays longer would answer in the twin's place."""
    place = urlsplit(url)
    for _ in range(30):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((place.hostname, place.port))
            except OSError:
                await asyncio.sleep(0.1)
            else:
                return
    raise Misconfigured("base_url", f"port {place.port} of the twin at {url} is taken by another program")
