"""HTTP towards partners: one pool, total time-outs, no redirects, and the one distinction that matters:
was the request certainly not processed, or may it have been?

All connectors know its answers, and who sends nothing needs no more: the HTTP library is imported where requests are made.
"""

import copy
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

ANSWER_BYTES_MAX = 4 * 1024 * 1024
RETRY_AFTER_SECONDS_MAX = 86_400.0
"""No quota that we know of counts over more than a day."""


class NotSent(Exception):
    """The target was not reached (refused, unresolvable, connect time-out): certainly nothing was done."""


class NoAnswer(Exception):
    """The request went out and no whole answer came back: it may have been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer; header names in lower case. `cookies` are `name=value` pairs of all Set-Cookie headers."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()

    def json(self) -> object:
        """The decoded body, or None where it is not JSON (an HTML error page, say)."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError):
            return None

    def retry_after(self) -> float | None:
        """Seconds of a Retry-After header, given as a number or as a date (RFC 9110 §10.2.3), capped at a day."""
        value = self.headers.get("retry-after", "")
        if value.replace(".", "", 1).isdigit():
            return min(float(value), RETRY_AFTER_SECONDS_MAX)
        until = _date(value)
        if until is None:
            return None
        # Both by the partner's own clock, where it tells it.
        left = (until - (_date(self.headers.get("date", "")) or datetime.now(UTC))).total_seconds()
        return min(max(left, 0.0), RETRY_AFTER_SECONDS_MAX)


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Transport:
    """Shared by all accounts of a delivery process; cookies are the connectors' own business."""

    _turn: Callable[[float], Awaitable[None]] | None = None

    def __init__(self, *, connections_max: int = 256, resolver: "AbstractResolver | None" = None) -> None:
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections_max, keepalive_timeout=30, resolver=resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            trust_env=False,
        )
        # Left on, a PUT or DELETE whose answer was lost is sent a second time behind our back, and so done twice.
        self._session._retry_connection = False

    def paced(self, turn: Callable[[float], Awaitable[None]]) -> "Transport":
        """The same connections for one account: each of its requests waits for `turn` first, which is told how long it may
        wait (seconds), and raises `NotSent` where that is not long enough. Not to be closed.
        """
        made = copy.copy(self)
        made._turn = turn
        return made

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_seconds: float = 15.0,
    ) -> Answer:
        """One exchange. Raises `NotSent` or `NoAnswer`, nothing else."""
        import aiohttp

        if self._turn is not None:
            await self._turn(timeout_seconds)
        timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=min(5.0, timeout_seconds))
        try:
            async with self._session.request(
                method, url, headers=headers, data=body, timeout=timeout, allow_redirects=False
            ) as response:
                payload = await _whole(response.content)
                return Answer(
                    status=response.status,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=payload,
                    cookies=tuple(f"{name}={morsel.value}" for name, morsel in response.cookies.items()),
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise NotSent(unreached(url, str(error))) from None
        except TimeoutError:
            raise NoAnswer(f"no answer within {timeout_seconds:g} s") from None
        except (aiohttp.ServerDisconnectedError, ConnectionError):
            raise NoAnswer("the connection broke before an answer came") from None
        except aiohttp.ClientError as error:
            raise NoAnswer(f"the answer broke off: {error}") from None

    async def close(self) -> None:
        await self._session.close()


async def _whole(content: "aiohttp.StreamReader") -> bytes:
    """All of it, however many pieces it comes in. Raises `NoAnswer` beyond the bound."""
    payload = bytearray()
    async for piece in content.iter_any():
        payload += piece
        if len(payload) > ANSWER_BYTES_MAX:
            raise NoAnswer(f"answer longer than {ANSWER_BYTES_MAX} bytes")
    return bytes(payload)


def unreached(url: str, error: str) -> str:
    """Whom nobody reached, and why. The library's words hold the reason in brackets, where there is more to say than that
    nobody listens.
    """
    place = urlsplit(url).netloc.rpartition("@")[2]
    why = error.rpartition(" [")[2].rstrip("]") if error.endswith("]") else error
    return f"{place} was not reached" if "Connect call failed" in why else f"{place} was not reached: {why}"
