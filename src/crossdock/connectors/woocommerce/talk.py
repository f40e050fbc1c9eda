"""The exchanges of one call with the shop's REST API, in its time; every trouble is raised as `Ended`."""

import asyncio
from base64 import b64encode
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from crossdock.connect.contract import Account, Refused, RetryLater, Unknown
from crossdock.connect.transport import Answer, NoAnswer, NotSent, Transport

LEAST_SECONDS: Final = 0.5
"""A change that is begun with less time left would only end as unknown."""
PERSON_SECONDS: Final = 60.0
"""A refused key or a wrong address is a person's work; until then the account's effects wait, none is at fault."""
REASON_LENGTH_MAX: Final = 300
NOT_FOUND: Final = ("woocommerce_rest_shop_order_invalid_id", "woocommerce_rest_product_invalid_id")
NO_API: Final = "rest_no_route"
T = TypeVar("T")


class Ended(Exception):  # an early end of a conversation, not an error
    """The conversation ends here, with this outcome."""

    def __init__(self, outcome: Refused | RetryLater | Unknown) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome

    @property
    def is_absence(self) -> bool:
        """The shop knows no such record."""
        return isinstance(self.outcome, Refused) and self.outcome.code in NOT_FOUND


class Talk:
    """Reads and changes records of one shop."""

    def __init__(self, account: Account, transport: Transport, *, seconds: float) -> None:
        self._transport = transport
        self._url = f"{account.base_url.rstrip('/')}/wp-json/wc/v3/"
        pair = f"{account.secrets['consumer_key']}:{account.secrets['consumer_secret']}"
        self._headers = {
            "authorization": "Basic " + b64encode(pair.encode()).decode(),
            "content-type": "application/json",
            "accept": "application/json",
        }
        self._until = asyncio.get_running_loop().time() + seconds

    async def get(self, shape: type[T], path: str) -> T:
        """A question: nothing is changed, whatever happens."""
        return self.shaped(shape, await self.get_raw(path))

    async def get_raw(self, path: str) -> bytes:
        """A question, with the answer as it came."""
        return await self._exchange("GET", path, None)

    async def put(self, shape: type[T], path: str, change: Any) -> T:
        """A change: without a readable answer it may have been made."""
        answer = await self._exchange("PUT", path, msgspec.json.encode(change))
        return self.shaped(shape, answer, writes=True)

    async def _exchange(self, method: str, path: str, body: bytes | None) -> bytes:
        writes = body is not None
        left = self._until - asyncio.get_running_loop().time()
        if left < LEAST_SECONDS:
            raise Ended(RetryLater(reason="no time left to ask the shop"))
        try:
            answer = await self._transport.request(
                method, self._url + path, headers=self._headers, body=body, timeout_seconds=left
            )
        except NotSent as error:
            raise Ended(RetryLater(reason=str(error))) from None
        except NoAnswer as error:
            raise Ended(_unclear(str(error), writes=writes)) from None
        if answer.status not in (200, 201):
            raise Ended(_outcome(answer, writes=writes))
        return answer.body

    def shaped(self, shape: type[T], body: bytes, *, writes: bool = False) -> T:
        """What an answer says; ends the conversation where that is nothing the API says."""
        try:
            return msgspec.json.decode(body, type=shape, strict=False)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            reason = f"an answer that is not the API's: {error}"  # plugins print warnings before the JSON
            raise Ended(_unclear(reason[:REASON_LENGTH_MAX], writes=writes)) from None


def _unclear(reason: str, *, writes: bool) -> RetryLater | Unknown:
    return Unknown(reason=reason) if writes else RetryLater(reason=reason)


def _outcome(answer: Answer, *, writes: bool) -> Refused | RetryLater | Unknown:
    document, after = answer.json(), answer.retry_after()
    told = document if isinstance(document, dict) else {}
    code, message = str(told.get("code", "")), str(told.get("message", ""))[:REASON_LENGTH_MAX]
    match answer.status:
        case 401 | 403:
            reason = f"{answer.status}: the API key is not accepted: {message}".rstrip(": ")
            return RetryLater(reason=reason, after_seconds=PERSON_SECONDS)
        case 404 if not code or code == NO_API:
            reason = "404: no REST API there (plain permalinks, or another address)"
            return RetryLater(reason=reason, after_seconds=PERSON_SECONDS)
        case 429:
            return RetryLater(reason="429 too many requests", after_seconds=after or 2.0, throttled=True)
        case 503 if after is not None:
            return RetryLater(reason="503 unavailable", after_seconds=after, throttled=True)
        case status if 300 <= status < 400:
            host = urlsplit(answer.headers.get("location", "")).netloc
            reason = f"{status}: the shop is at another address: {host}".rstrip(": ")
            return RetryLater(reason=reason, after_seconds=PERSON_SECONDS)
        case status if status >= 500:
            return _unclear(f"{status} without a clear word", writes=writes)
        case status:
            return Refused(code=code or str(status), reason=message or f"HTTP {status}")
