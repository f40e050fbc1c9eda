"""An OAuth2 access token of one account: fetched once for all who wait, renewed before it expires."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

MARGIN_SECONDS_MAX = 60.0


class NoToken(Exception):  # an outcome, turned into one at once
    """The partner gave no token; nothing was booked. `denied` is true when it rejected the credentials."""

    def __init__(self, reason: str, *, after_seconds: float | None = None, denied: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_seconds = after_seconds
        self.denied = denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    token: str
    lives_seconds: float


class Bearer:
    """All who need a token while one is being fetched wait for that one, and share its failure too."""

    def __init__(self, fetch: Callable[[], Awaitable[Grant]]) -> None:
        self._fetch = fetch
        self._fetching: asyncio.Task[str] | None = None
        self._token = ""
        self._renew_at = 0.0

    async def token(self) -> str:
        """A token that is valid as far as we know. Raises `NoToken`."""
        if self._token and time.monotonic() < self._renew_at:
            return self._token
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._renew())
        return await asyncio.shield(self._fetching)

    def reject(self, token: str) -> None:
        """The partner refused `token`. A newer one that came in meanwhile stays."""
        if token == self._token:
            self._token = ""

    async def _renew(self) -> str:
        grant = await self._fetch()
        margin = min(MARGIN_SECONDS_MAX, grant.lives_seconds / 10)
        self._token = grant.token
        self._renew_at = time.monotonic() + grant.lives_seconds - margin
        return grant.token
