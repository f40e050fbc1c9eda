"""The conversation with one SAP system: basic authentication, CSRF tokens with their cookies, and what an
answer means for the effect. It knows nothing of orders or deliveries.
"""

import asyncio
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

import msgspec

from crossdock.connect.contract import Account, Refused, RetryLater, Unknown
from crossdock.connect.reading import read
from crossdock.connect.transport import Answer, NoAnswer, NotSent, Transport
from crossdock.connectors.sap_s4.configured import setting
from crossdock.errors import Malformed, Rejected

S = TypeVar("S", bound=msgspec.Struct)

_LOCKED = re.compile(
    r"currently being processed|is (currently )?locked|locked by|blocked by user", re.IGNORECASE
)
_XML_ERROR = re.compile(
    r"<code>(?P<code>[^<]*)</code>.*?<message[^>]*>(?P<message>[^<]*)</message>", re.DOTALL
)
LOCK_WAIT_SECONDS = 5.0
THROTTLE_WAIT_SECONDS = 5.0
LOGON_WAIT_SECONDS = 60.0
SHORTEST_SECONDS = 0.05


class Stop(Exception):  # it ends an errand with its outcome; it is no error of ours
    """An errand ends here, with this outcome."""

    def __init__(self, outcome: Refused | RetryLater | Unknown) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(slots=True, kw_only=True)
class Errand:
    """One attempt of one effect. `effective`: the effect itself is booked, so no failure after that may say
    that nothing was done. `pause_seconds`: a first step was booked, the next attempt must be able to find it.
    """

    deadline: float
    effective: bool = False
    pause_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One HTTP request. `books` is false for a POST that only asks; statuses in `expect` are handed back."""

    service: str
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: bytes | None = None
    content_type: str = "application/json"
    if_match: str = ""
    books: bool = True
    csrf: bool = True
    expect: tuple[int, ...] = ()

    @property
    def may_book(self) -> bool:
        return self.books and self.method != "GET"


@dataclass(frozen=True, slots=True)
class Csrf:
    """A token is worth nothing without the cookies of the session it was given in."""

    token: str
    cookies: str


class _Envelope(msgspec.Struct):
    d: msgspec.Raw


class _Results(msgspec.Struct):
    results: msgspec.Raw


class Session:
    """All requests of one account. Each service keeps its token until SAP refuses it; one fetch at a time."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._transport = transport
        self._base_url = account.base_url.rstrip("/")
        credentials = f"{account.secrets.get('user', '')}:{account.secrets.get('password', '')}"
        self._headers = {
            "authorization": "Basic " + b64encode(credentials.encode()).decode(),
            "accept": "application/json",
            "accept-language": "en",
        }
        client = setting(account, "sap_client")
        self._fixed_query = {"sap-client": client} if client else {}
        self.search_lag_seconds = float(setting(account, "search_lag_seconds"))
        self.journal_entry_path = setting(account, "journal_entry_path")
        self._tokens: dict[str, Csrf] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def ask(self, errand: Errand, ask: Ask) -> Answer:
        """One exchange that succeeded (2xx or a status in `expect`). Raises `Stop` where it did not."""
        answer = await self._guarded(errand, ask)
        if answer.status < 300 or answer.status in ask.expect:
            return answer
        raise Stop(self.verdict(errand, ask, answer))

    async def one(self, errand: Errand, ask: Ask, shape: type[S]) -> S:
        """A single OData V2 entity, below `d`."""
        return self.entity(errand, ask, await self.ask(errand, ask), shape)

    def entity(self, errand: Errand, ask: Ask, answer: Answer, shape: type[S]) -> S:
        envelope = self.decode(errand, ask, answer.body, _Envelope)
        return self.decode(errand, ask, bytes(envelope.d), shape)

    async def many(self, errand: Errand, ask: Ask, shape: type[S]) -> list[S]:
        """An OData V2 collection, below `d.results`."""
        found = await self.one(errand, ask, _Results)
        try:
            return msgspec.json.decode(bytes(found.results), type=list[shape])  # type: ignore[valid-type]
        except msgspec.DecodeError as error:
            raise Stop(
                _failed(errand, f"SAP's answer makes no sense: {error}", booked=ask.may_book)
            ) from None

    def decode(self, errand: Errand, ask: Ask, body: bytes, shape: type[S]) -> S:
        try:
            return read(shape, body)
        except (Rejected, Malformed) as error:
            reason = f"SAP's answer makes no sense: {error}"
            raise Stop(_failed(errand, reason, booked=ask.may_book)) from None

    def verdict(self, errand: Errand, ask: Ask, answer: Answer) -> Refused | RetryLater | Unknown:
        """What an answer that is no success says about the effect."""
        code, reason = _error_of(answer)
        if answer.status == 423 or _LOCKED.search(reason):
            return _failed(errand, "another user is processing the document in SAP", after=LOCK_WAIT_SECONDS)
        if answer.status == 429 or (answer.status == 503 and "retry-after" in answer.headers):
            wait = answer.retry_after() or THROTTLE_WAIT_SECONDS
            return _failed(errand, f"SAP is busy (HTTP {answer.status})", after=wait, throttled=True)
        if answer.status == 401:
            return _failed(errand, "SAP refuses the user or password", after=LOGON_WAIT_SECONDS)
        if _wants_token(answer):
            return _failed(errand, "SAP refused a fresh CSRF token")
        if answer.status == 412:
            return _failed(errand, "the document changed in SAP meanwhile")
        if answer.status >= 500 or answer.status in (408, 425):
            return _failed(errand, f"SAP answered HTTP {answer.status}", booked=ask.may_book)
        if answer.status < 400:
            return _failed(errand, f"SAP answered HTTP {answer.status} instead of the resource")
        return Unknown(reason=reason) if errand.effective else _refused(code, reason, answer.status)

    def refusal(self, errand: Errand, code: str, reason: str) -> Refused | RetryLater | Unknown:
        """A business error that came in an answer of status 200."""
        if _LOCKED.search(reason):
            return _failed(errand, "another user is processing the document in SAP", after=LOCK_WAIT_SECONDS)
        return _refused(code, reason)

    async def _guarded(self, errand: Errand, ask: Ask) -> Answer:
        """Writes carry token and cookies; a refused token is fetched again once."""
        if ask.method == "GET" or not ask.csrf:
            return await self._exchange(errand, ask, {})
        token = await self._token(errand, ask.service, refused=None)
        answer = await self._exchange(errand, ask, {"x-csrf-token": token.token, "cookie": token.cookies})
        if _wants_token(answer) or answer.status == 401:
            token = await self._token(errand, ask.service, refused=token)
            answer = await self._exchange(errand, ask, {"x-csrf-token": token.token, "cookie": token.cookies})
        return answer

    async def _token(self, errand: Errand, service: str, refused: Csrf | None) -> Csrf:
        async with self._locks.setdefault(service, asyncio.Lock()):
            known = self._tokens.get(service)
            if known is not None and known is not refused:
                return known
            # The trailing slash matters: some systems redirect the bare service root and lose the header.
            ask = Ask(service=service + "/", books=False)
            answer = await self._exchange(errand, ask, {"x-csrf-token": "Fetch"})
            token = answer.headers.get("x-csrf-token", "")
            if answer.status >= 300:
                raise Stop(self.verdict(errand, ask, answer))
            if not token or token.lower() == "required":
                raise Stop(_failed(errand, "SAP gave no CSRF token"))
            fetched = self._tokens[service] = Csrf(token, "; ".join(answer.cookies))
            return fetched

    async def _exchange(self, errand: Errand, ask: Ask, extra: Mapping[str, str]) -> Answer:
        headers = self._headers | dict(extra)
        if ask.body is not None:
            headers["content-type"] = ask.content_type
        if ask.if_match:
            headers["if-match"] = ask.if_match
        seconds = errand.deadline - asyncio.get_running_loop().time()
        if seconds < SHORTEST_SECONDS:
            raise Stop(_failed(errand, "no time was left for the next step"))
        try:
            return await self._transport.request(
                ask.method, self._url(ask), headers=headers, body=ask.body, timeout_seconds=seconds
            )
        except NotSent:
            raise Stop(_failed(errand, "SAP was not reached")) from None
        except NoAnswer:
            raise Stop(_failed(errand, "SAP did not answer", booked=ask.may_book)) from None

    def _url(self, ask: Ask) -> str:
        parts = [
            f"{name}={quote(value, safe='')}" for name, value in (self._fixed_query | dict(ask.query)).items()
        ]
        path = ask.service + (f"/{ask.path}" if ask.path else "")
        return self._base_url + path + ("?" + "&".join(parts) if parts else "")


def literal(value: str) -> str:
    """An OData string literal: quotes inside are doubled."""
    return "'" + value.replace("'", "''") + "'"


def in_path(value: str) -> str:
    """An OData string literal as it may stand in a path."""
    return quote(literal(value), safe="'")


def error_code(answer: Answer) -> str:
    """SAP's own code of an error; empty where the answer is no error of an OData service, say a page of a proxy."""
    fallback, _ = _fallback(answer)
    code, _ = _error_of(answer)
    return "" if code == fallback else code


def _failed(
    errand: Errand, reason: str, *, booked: bool = False, after: float = 0.0, throttled: bool = False
) -> RetryLater | Unknown:
    if booked or errand.effective:
        return Unknown(reason=reason)
    wait = max(after, errand.pause_seconds)
    return RetryLater(reason=reason, after_seconds=wait or None, throttled=throttled)


def _wants_token(answer: Answer) -> bool:
    return answer.status == 403 and answer.headers.get("x-csrf-token", "").lower() == "required"


_CAUSES = (
    (
        re.compile(
            r"posting period|only possible in periods|period .* (is )?(not open|closed)", re.IGNORECASE
        ),
        "period closed",
    ),
    (re.compile(r"\bcredit (limit|check|block)", re.IGNORECASE), "credit"),
    (re.compile(r"authori[sz]ation", re.IGNORECASE), "authorisation"),
    (re.compile(r"\bdeficit of\b", re.IGNORECASE), "stock difference"),
    (re.compile(r"\bunit of measure\b.* is not defined", re.IGNORECASE), "unit"),
    (
        re.compile(
            r"\b(material|customer|supplier|plant)\b.* (does not exist|is not defined|unknown)", re.IGNORECASE
        ),
        "master data",
    ),
)
"""What SAP's messages say in words; its message numbers differ by release and by customer."""


def _refused(code: str, reason: str, status: int = 200) -> Refused:
    cause = next((cause for pattern, cause in _CAUSES if pattern.search(reason)), "")
    return Refused(code=code, reason=reason, cause=cause or ("authorisation" if status == 403 else ""))


def _error_of(answer: Answer) -> tuple[str, str]:
    """Code and message of a SAP error: V2 nests the text as `message.value`, V4 and XML do not."""
    fallback = _fallback(answer)
    document = answer.json()
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict):
        message = error.get("message")
        text = message.get("value") if isinstance(message, dict) else message
        return str(error.get("code") or fallback[0]), str(text or fallback[1])
    found = _XML_ERROR.search(answer.body[:20_000].decode(errors="replace"))
    return (found["code"].strip(), found["message"].strip()) if found else fallback


def _fallback(answer: Answer) -> tuple[str, str]:
    return f"HTTP {answer.status}", f"SAP answered HTTP {answer.status} without saying why"
