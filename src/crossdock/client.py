"""The way to a hub from outside it, for CLI, demo and proofs: HTTP with the operator token of the hub's directory.

The HTTP library is imported where requests are made: the hub's own processes come through here without one.
"""

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from crossdock.errors import CrossdockError

TOKEN = "CROSSDOCK_TOKEN"  # noqa: S105 — a name, not a secret
URL = "CROSSDOCK_URL"


def read_status(hub: Path) -> dict[str, object] | None:
    """What the running supervisor wrote, or None where none runs."""
    private = hub / ".crossdock"
    try:
        found = json.loads((private / "status.json").read_text())
        with (private / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        assert isinstance(found, dict)
        return found  # its supervisor holds the lock; a pid alone may be another program's by now
    except (OSError, ValueError):
        return None
    return None


class Unreachable(CrossdockError):
    """The hub does not answer."""


class Refused(CrossdockError):
    """The hub said no."""

    def __init__(self, status: int, problem: Any) -> None:
        detail = problem.get("detail", "") if isinstance(problem, dict) else str(problem)[:200]
        super().__init__(f"{detail or 'refused'} (HTTP {status})")
        self.status = status
        self.problem = problem


class Client:
    """`async with Client(hub)`; the address comes from CROSSDOCK_URL or the running hub's status file."""

    def __init__(self, hub: Path, *, url: str = "") -> None:
        self._hub = hub
        self.url = url or os.environ.get(URL, "") or self._local_url()
        self._token = os.environ.get(TOKEN, "") or self._local_token()

    def _local_url(self) -> str:
        status = read_status(self._hub)
        if status is None:
            raise Unreachable(
                f"no hub runs in {self._hub.resolve()}: start it with `crossdock up`, or set {URL}"
            )
        return f"http://{status['bind']}:{status['port']}"

    def _local_token(self) -> str:
        try:
            return (self._hub / ".crossdock" / "operator.token").read_text().strip()
        except OSError:
            return ""

    async def __aenter__(self) -> Self:
        import aiohttp

        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        self._session = aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str, *, accept: tuple[int, ...] = (200,), **query: str) -> Any:
        return await self.request("GET", path, accept=accept, query=query)

    async def post(self, path: str, body: Any, *, accept: tuple[int, ...] = (200, 201, 202)) -> Any:
        return await self.request("POST", path, accept=accept, body=json.dumps(body).encode())

    async def request(
        self, method: str, path: str, *, accept: tuple[int, ...] = (200,), body: bytes | None = None,
        query: dict[str, str] | None = None, headers: dict[str, str] | None = None,
    ) -> Any:  # fmt: skip
        """JSON answer; raises `Refused` with the problem's own words, `Unreachable` when nobody answers."""
        import aiohttp

        try:
            async with self._session.request(
                method,
                self.url + path,
                data=body,
                params=query,
                headers={"Content-Type": "application/json", **(headers or {})},
            ) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"{self.url} does not answer: {_plainly(error)}") from None
        found = _json(text)
        if answer.status == 401 and not path.startswith("/v1/in/"):
            found = {
                "detail": f"the hub knows no such token: {TOKEN} gives one, or its .crossdock/operator.token"
            }
        if answer.status not in accept:
            raise Refused(answer.status, found)
        return found


async def read_story(client: Client, thread: str, **query: object) -> Any:
    """The story of a thread, or None where nobody has heard of it (yet)."""
    values = {name: str(value) for name, value in query.items()}
    try:
        return await client.request("GET", f"/v1/threads/story/{quote(thread)}", query=values)
    except Refused as error:
        if error.status == 404:
            return None
        raise


def _plainly(error: Exception) -> str:
    """Why, without the library's own words around it."""
    cause = getattr(error, "os_error", None)
    if cause is not None:
        return "nobody listens there" if isinstance(cause, ConnectionRefusedError) else str(cause)
    return str(error) or "no answer in time"


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")
