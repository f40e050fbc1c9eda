"""The conversation with one OTM: who we are, one exchange at a time, and what an answer means."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import msgspec

from crossdock.connect.basic import basic
from crossdock.connect.bearer import Bearer, Grant, NoToken
from crossdock.connect.contract import Account, Call, Refused, RetryLater, Unknown
from crossdock.connect.transport import Answer, NoAnswer, NotSent, Transport

TOKEN_PATH: Final = "/oauth2/v1/token"  # noqa: S105 — a path
MEDIA_TYPE: Final = "application/vnd.oracle.resource+json;type=singular"


class _TokenAnswer(msgspec.Struct):
    access_token: str
    expires_in: float


class _Detail(msgspec.Struct):
    title: str = ""
    detail: str = ""
    code: str = msgspec.field(default="", name="o:errorCode")


class _ErrorAnswer(msgspec.Struct):
    title: str = ""
    detail: str = ""
    code: str = msgspec.field(default="", name="o:errorCode")
    details: tuple[_Detail, ...] = msgspec.field(default=(), name="o:errorDetails")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    body: bytes | None = None
    if_match: str = ""


class Talk:
    """Keeps the token; a user name, where one is set, goes before it."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._account = account
        self._transport = transport
        self._base = account.base_url.rstrip("/")
        self._bearer = Bearer(self._fetch_token)

    async def exchange(self, call: Call, request: Request) -> Answer | RetryLater | Unknown:
        """One exchange, repeated once with a new token where the old one was refused."""
        for _ in range(2):
            token = ""
            try:
                if not self._account.secrets.get("username"):
                    token = await self._bearer.token()
                answer = await self._transport.request(
                    request.method,
                    self._base + request.path,
                    headers=self._headers(token, request),
                    body=request.body,
                    timeout_seconds=call.timeout_seconds,
                )
            except NoToken as error:
                throttled = error.after_seconds is not None
                return RetryLater(reason=error.reason, after_seconds=error.after_seconds, throttled=throttled)
            except NotSent as error:
                return RetryLater(reason=str(error))
            except NoAnswer as error:
                return (
                    RetryLater(reason=str(error)) if request.method == "GET" else Unknown(reason=str(error))
                )
            if answer.status != 401 or not token:
                return answer
            self._bearer.reject(token)
        return RetryLater(reason="HTTP 401 with a new token: the application may not use OTM's REST API")

    def _headers(self, token: str, request: Request) -> dict[str, str]:
        secrets = self._account.secrets
        password = basic(secrets.get("username", ""), secrets.get("password", ""))
        headers = {"authorization": f"Bearer {token}" if token else password, "accept": MEDIA_TYPE}
        if request.body is not None:
            headers["content-type"] = MEDIA_TYPE
        if request.if_match:
            headers["if-match"] = request.if_match
        return headers

    async def _fetch_token(self) -> Grant:
        settings, secrets = self._account.settings, self._account.secrets
        form = {"grant_type": "client_credentials"}
        if settings.get("scope"):
            form["scope"] = settings["scope"]
        credentials = b64encode(f"{secrets.get('client_id', '')}:{secrets.get('client_secret', '')}".encode())
        try:
            answer = await self._transport.request(
                "POST",
                settings.get("token_url") or self._base + TOKEN_PATH,
                headers={
                    "authorization": f"Basic {credentials.decode()}",
                    "content-type": "application/x-www-form-urlencoded",
                },
                body=urlencode(form).encode(),
            )
        except (NotSent, NoAnswer) as error:
            raise NoToken(f"no token: {error}") from None
        if answer.status in (400, 401, 403):
            reason = (
                f"no token: the identity domain rejected client_id and client_secret (HTTP {answer.status})"
            )
            raise NoToken(reason, denied=True)
        try:
            given = msgspec.json.decode(answer.body, type=_TokenAnswer, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            after = answer.retry_after()
            raise NoToken(f"no token: HTTP {answer.status} without one", after_seconds=after) from None
        return Grant(token=given.access_token, lives_seconds=given.expires_in)


def _error(answer: Answer) -> _Detail:
    """Code and words of OTM's error, from its first detail where it has any."""
    try:
        error = msgspec.json.decode(answer.body, type=_ErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Detail()
    first = error.details[0] if error.details else _Detail()
    return _Detail(
        title=first.title or error.title,
        detail=first.detail or error.detail,
        code=first.code or error.code,
    )


def is_otms(answer: Answer) -> bool:
    """A proxy in front of OTM answers 404 too, and knows nothing."""
    error = _error(answer)
    return bool(error.title or error.detail or error.code)


_CAUSES: Final = {
    "LOCATION_INVALID": "address", "LOCATION_UNKNOWN": "master data", "WEIGHT_INVALID": "master data",
    "DOMAIN_UNKNOWN": "authorisation",
}  # fmt: skip
"""Which business cause a refusal has, by OTM's error code."""


def trouble(answer: Answer, *, books: bool) -> Refused | RetryLater | Unknown:
    """What an answer that is no success means."""
    after = answer.retry_after()
    if answer.status == 429 or (answer.status == 503 and after is not None):
        return RetryLater(reason=f"throttled (HTTP {answer.status})", after_seconds=after, throttled=True)
    if answer.status >= 500 or answer.status == 408:
        reason = f"HTTP {answer.status}"
        return Unknown(reason=reason) if books else RetryLater(reason=reason)
    if answer.status in (401, 403):
        return RetryLater(reason=f"HTTP {answer.status}: OTM refuses the user, or it lacks the REST role")
    error = _error(answer)
    if not is_otms(answer):
        return RetryLater(reason=f"HTTP {answer.status} from something in front of OTM")
    reason = ": ".join(part for part in (error.title, error.detail) if part)
    return Refused(
        code=error.code or f"HTTP {answer.status}", reason=reason or error.code, answer=answer.body,
        cause=_CAUSES.get(error.code, ""),
    )  # fmt: skip
