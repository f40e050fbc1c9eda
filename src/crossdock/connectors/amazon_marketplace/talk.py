"""The exchanges with one seller's account: tokens, usage plans, and what an answer means; trouble is raised as `Ended`.

`Line` lives as long as the client and keeps tokens and plans; a `Talk` is one call's time on it.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from crossdock.connect.bearer import Bearer, Grant, NoToken
from crossdock.connect.contract import Account, Refused, RetryLater, Unknown
from crossdock.connect.transport import Answer, NoAnswer, NotSent, Transport
from crossdock.connectors.amazon_marketplace.plans import cautious

RDT_PATH: Final = "/tokens/2021-03-01/restrictedDataToken"
ORDERS_PATH: Final = "/orders/v0/orders"
PERSONAL: Final = ("buyerInfo", "shippingAddress")
LEAST_SECONDS: Final = 0.5
"""A change that is begun with less time left would only end as unknown."""
PERSON_SECONDS: Final = 60.0
"""Refused credentials and missing roles are a person's work; until then effects wait, none is at fault."""
REASON_LENGTH_MAX: Final = 300
THROTTLED: Final = "QuotaExceeded"
EXPIRED: Final = "Unauthorized"
T = TypeVar("T")


class Ended(Exception):  # an early end of a conversation, not an error
    """The conversation ends here, with this outcome."""

    def __init__(self, outcome: Refused | RetryLater | Unknown) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`personal`: names and addresses are wanted, under a restricted token."""

    operation: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    personal: bool = False

    @property
    def writes(self) -> bool:
        return self.method != "GET"


class _Token(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float


class _Restricted(msgspec.Struct, frozen=True, rename="camel"):
    restricted_data_token: str
    expires_in: float


class _Error(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct, frozen=True):
    errors: tuple[_Error, ...] = ()


class Line:
    """What all calls of one account share."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self.account = account
        self.transport = transport
        self.base = account.base_url.rstrip("/")
        self.plans = cautious()
        self.bearer = Bearer(self._fetch_token)
        self.restricted = Bearer(self._fetch_restricted)

    async def _fetch_token(self) -> Grant:
        """Login with Amazon: the seller's refresh token for an hour's access token."""
        secrets = self.account.secrets
        form = {
            "grant_type": "refresh_token",
            "refresh_token": secrets.get("refresh_token", ""),
            "client_id": secrets.get("client_id", ""),
            "client_secret": secrets.get("client_secret", ""),
        }
        try:
            answer = await self.transport.request(
                "POST",
                self.account.settings.get("token_url", ""),
                headers={"content-type": "application/x-www-form-urlencoded"},
                body=urlencode(form).encode(),
            )
        except (NotSent, NoAnswer) as error:
            raise NoToken(f"no token: {error}") from None
        if answer.status in (400, 401, 403):
            told = answer.json()
            code = str(told.get("error", "")) if isinstance(told, dict) else ""
            raise NoToken(f"no token: Login with Amazon says {code or answer.status}", denied=True)
        given = _decoded(_Token, answer)
        if given is None:
            raise NoToken(f"no token: HTTP {answer.status} without one", after_seconds=answer.retry_after())
        return Grant(token=given.access_token, lives_seconds=given.expires_in)

    async def _fetch_restricted(self) -> Grant:
        """One for the list of orders serves all orders: it shows their buyers and addresses."""
        resource = {"method": "GET", "path": ORDERS_PATH, "dataElements": list(PERSONAL)}
        body = msgspec.json.encode({"restrictedResources": [resource]})
        answer = await self._ask_for_restricted(body)
        if _is_stale(answer):
            answer = await self._ask_for_restricted(body)
        if answer.status == 403:
            reason = (
                "no restricted token: the application lacks the role Direct-to-Consumer Delivery (Restricted)"
            )
            raise NoToken(reason, denied=True)
        given = _decoded(_Restricted, answer)
        if given is None:
            reason = f"no restricted token: HTTP {answer.status} without one"
            raise NoToken(reason, after_seconds=answer.retry_after())
        return Grant(token=given.restricted_data_token, lives_seconds=given.expires_in)

    async def _ask_for_restricted(self, body: bytes) -> Answer:
        token = await self.bearer.token()
        try:
            answer = await self.transport.request(
                "POST",
                self.base + RDT_PATH,
                headers={"x-amz-access-token": token, "content-type": "application/json"},
                body=body,
            )
        except (NotSent, NoAnswer) as error:
            raise NoToken(f"no restricted token: {error}") from None
        if _is_stale(answer):
            self.bearer.reject(token)
        return answer


class Talk:
    """Asks and tells within one call's time."""

    def __init__(self, line: Line, *, seconds: float) -> None:
        self.line = line
        self._until = asyncio.get_running_loop().time() + seconds

    @property
    def left_seconds(self) -> float:
        return self._until - asyncio.get_running_loop().time()

    def spare(self, operation: str) -> int:
        """Calls that the operation's plan allows at once."""
        return self.line.plans.spare(operation, asyncio.get_running_loop().time())

    async def ask(self, shape: type[T], request: Request) -> T:
        """A question, read into a shape: an answer of another shape ends the conversation."""
        answer = await self.exchange(request)
        try:
            return msgspec.json.decode(answer.body, type=shape, strict=False)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            reason = f"an answer that is not the API's: {error}"[:REASON_LENGTH_MAX]
            raise Ended(_unclear(reason, writes=request.writes)) from None

    async def exchange(self, request: Request) -> Answer:
        """One exchange within the operation's plan, repeated once with a new token where the old one was refused."""
        for _ in range(2):
            await self._turn(request.operation)
            bearer = self.line.restricted if request.personal else self.line.bearer
            try:
                token = await bearer.token()
                answer = await self._send(request, token)
            except NoToken as error:
                after = PERSON_SECONDS if error.denied else error.after_seconds
                raise Ended(RetryLater(reason=error.reason, after_seconds=after)) from None
            except NotSent as error:
                raise Ended(RetryLater(reason=str(error))) from None
            except NoAnswer as error:
                raise Ended(_unclear(str(error), writes=request.writes)) from None
            if not _is_stale(answer):
                return self._judged(request, answer)
            bearer.reject(token)
        reason = "403 with a new token: the application is not authorised, or lacks the role for this"
        raise Ended(RetryLater(reason=reason, after_seconds=PERSON_SECONDS))

    async def _turn(self, operation: str) -> None:
        """Wait until the plan allows a call; ends where that is too late for this one."""
        plans, loop = self.line.plans, asyncio.get_running_loop()
        wait = plans.wait_seconds(operation, loop.time())
        if self.left_seconds - wait < LEAST_SECONDS:
            reason = f"the plan of {operation} allows the next call in {wait:.0f} s"
            raise Ended(RetryLater(reason=reason, after_seconds=wait, throttled=wait > 0))
        plans.spend(operation, loop.time())
        if wait > 0:
            await asyncio.sleep(wait)

    async def _send(self, request: Request, token: str) -> Answer:
        query = f"?{urlencode(request.query)}" if request.query else ""
        headers = {"x-amz-access-token": token, "accept": "application/json"}
        body = None
        if request.body is not None:
            headers["content-type"] = "application/json"
            body = msgspec.json.encode(request.body)
        answer = await self.line.transport.request(
            request.method,
            self.line.base + request.path + query,
            headers=headers,
            body=body,
            timeout_seconds=max(self.left_seconds, LEAST_SECONDS),
        )
        now = asyncio.get_running_loop().time()
        self.line.plans.heard(request.operation, answer.headers.get("x-amzn-ratelimit-limit", ""), now)
        return answer

    def _judged(self, request: Request, answer: Answer) -> Answer:
        if 200 <= answer.status < 300:
            return answer
        if answer.status == 429:
            plans, now = self.line.plans, asyncio.get_running_loop().time()
            plans.refused(request.operation, now)
            wait = answer.retry_after() or plans.wait_seconds(request.operation, now)
            reason = f"{THROTTLED}: {request.operation}"
            raise Ended(RetryLater(reason=reason, after_seconds=wait, throttled=True))
        raise Ended(_trouble(answer, writes=request.writes))


def _decoded(shape: type[T], answer: Answer) -> T | None:
    try:
        return msgspec.json.decode(answer.body, type=shape, strict=False)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _error(answer: Answer) -> _Error:
    """The first of the API's errors; an empty one where the body is not the API's."""
    told = _decoded(_Errors, answer)
    return told.errors[0] if told and told.errors else _Error()


def _is_stale(answer: Answer) -> bool:
    """An expired token gets 403 with the code that missing roles get too."""
    return answer.status in (401, 403) and _error(answer).code in (EXPIRED, "")


def _unclear(reason: str, *, writes: bool) -> RetryLater | Unknown:
    return Unknown(reason=reason) if writes else RetryLater(reason=reason)


def _trouble(answer: Answer, *, writes: bool) -> Refused | RetryLater | Unknown:
    error = _error(answer)
    said = f"{error.code}: {error.message}".strip(": ")[:REASON_LENGTH_MAX]
    match answer.status:
        case 401 | 403:
            return RetryLater(reason=f"{answer.status}: {said}", after_seconds=PERSON_SECONDS)
        case 408:
            return _unclear("408", writes=writes)
        case status if status >= 500:
            after = answer.retry_after()
            if status == 503 and after is not None:
                return RetryLater(reason="503 unavailable", after_seconds=after, throttled=True)
            return _unclear(f"{status} without a clear word", writes=writes)
        case status if not error.code:
            return RetryLater(
                reason=f"{status} from something in front of the API", after_seconds=PERSON_SECONDS
            )
        case status:
            return Refused(code=error.code, reason=said or f"HTTP {status}", answer=answer.body)
