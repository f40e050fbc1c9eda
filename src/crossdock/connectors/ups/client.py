"""Talking to UPS: an OAuth2 token, shipping, voiding, subscribing, and finding a label by our reference."""

import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import msgspec

from crossdock.connect.bearer import Bearer, Grant, NoToken
from crossdock.connect.contract import (
    Absent,
    Account,
    Call,
    CannotTell,
    Done,
    LookUp,
    Outcome,
    Refused,
    RetryLater,
    Unknown,
)
from crossdock.connect.transport import Answer, NoAnswer, NotSent, Transport
from crossdock.connectors.ups.lookups import to_found_label, to_rate
from crossdock.connectors.ups.mapping import label_asked, rate_request, to_label
from crossdock.errors import Misconfigured
from crossdock.model.money import Money
from crossdock.model.shipment import LabelVoided, TrackingSubscribed

TOKEN_PATH: Final = "/security/v1/oauth/token"  # noqa: S105 — a path
SHIP_PATH: Final = "/api/shipments/v2409/ship"
VOID_PATH: Final = "/api/shipments/v2409/void/cancel/"
RATE_PATH: Final = "/api/rating/v2409/Rate"
REFERENCE_PATH: Final = "/api/track/v1/reference/details/"
SUBSCRIBE_PATH: Final = "/api/track/v1/subscription/standard/package"

SUBSCRIPTION_NUMBERS_MAX = 100
ALREADY_VOIDED: Final = "190117"
TOO_MANY_REQUESTS: Final = "10429"
TRANSIENT: Final = frozenset({"10004", "20001", "110001", "190001", "190002", "250050", "VSS100"})
"""UPS calls these transient: the request may have come through."""
CREDENTIALS: Final = frozenset({"UJ0001", "250002", "250003", "250004", "250005", "251004"})
_SHIP_TO: Final = re.compile(r"1202\d\d|120802")
"""What is wrong with a receiver's address (UPS Shipping API, error codes)."""
_THROTTLED = re.compile(r"too many|rate limit|quota|throttl", re.IGNORECASE)


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct):
    errors: tuple[_Error, ...] = ()


class _ErrorAnswer(msgspec.Struct):
    response: _Errors


class _TokenAnswer(msgspec.Struct):
    access_token: str
    expires_in: float
    """Seconds; UPS writes them as a string."""


class _Void(msgspec.Struct, rename="camel"):
    shipment_identification_number: str


class _Subscribed(msgspec.Struct, rename="camel"):
    valid_tracking_numbers: tuple[str, ...] = ()
    invalid_tracking_numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    path: str
    body: bytes | None = None
    books: bool = True
    """False for questions: a lost answer to one of them costs nothing."""


class UpsClient:
    """One UPS account."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._account = account
        self._transport = transport
        self._base = account.base_url.rstrip("/")
        self._bearer = Bearer(self._fetch_token)

    async def send(self, call: Call) -> Outcome:
        match call.kind:
            case "label.create":
                return await self._create_label(call)
            case "label.void":
                return await self._void_label(call)
            case "tracking.subscribe":
                return await self._subscribe(call)
        return Refused(code="unsupported", reason=f"the UPS connector does not carry {call.kind}")

    async def look_up(self, call: Call) -> LookUp:
        """Find a label by our shipment reference and its packages' SSCCs, and ask again for its price."""
        if call.kind != "label.create":
            return CannotTell(reason=f"{call.kind} is repeated instead of looked up", for_ever=True)
        asked = label_asked(call.body)
        path = f"{REFERENCE_PATH}{quote(asked.reference, safe='')}?refNumType=SmallPackage"
        answer = await self._exchange(call, _Request(method="GET", path=path, books=False))
        if not isinstance(answer, Answer):
            return CannotTell(reason=answer.reason)
        if answer.status == 404 and _error(answer).code:
            return Absent()
        if answer.status >= 300:
            return CannotTell(reason=_trouble(answer, books=False).reason)
        try:
            found = to_found_label(answer.body, asked)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return CannotTell(reason="the answer is no tracking answer")
        if found is None:
            return Absent()
        price = await self._price(call)
        if isinstance(price, CannotTell):
            return price
        return Done(document=found.shipment_id, receipt=msgspec.structs.replace(found, freight=price))

    async def check(self) -> str:
        try:
            await self._bearer.token()
        except NoToken as error:
            setting = "client_id, client_secret" if error.denied else "base_url"
            raise Misconfigured(f"{self._account.name}: {setting}", error.reason) from None
        return f"UPS gave a token for account {self._account.settings.get('account_number', '')}."

    async def _create_label(self, call: Call) -> Outcome:
        asked = label_asked(call.body)
        if asked.defect:
            return Refused(
                code="not_sent",
                reason=asked.defect,
                cause="address" if asked.defect.startswith("address") else "",
            )
        answer = await self._exchange(call, _Request(method="POST", path=SHIP_PATH, body=call.body))
        if not isinstance(answer, Answer):
            return answer
        if answer.status >= 300:
            return _trouble(answer, books=True)
        label = to_label(answer.body, asked.ssccs)
        if label is None:
            return Unknown(reason="the answer does not name a tracking number for each package")
        return Done(document=label.shipment_id, receipt=label)

    async def _void_label(self, call: Call) -> Outcome:
        number = msgspec.json.decode(call.body, type=_Void).shipment_identification_number
        answer = await self._exchange(
            call, _Request(method="DELETE", path=VOID_PATH + quote(number, safe=""))
        )
        if not isinstance(answer, Answer):
            return answer
        if answer.status >= 300 and _error(answer).code != ALREADY_VOIDED:
            return _trouble(answer, books=True)
        if answer.status < 300 and not isinstance(answer.json(), dict):
            return Unknown(reason="HTTP 200 with a body that is not UPS's")
        return Done(document=number, receipt=LabelVoided(number), answer=answer.body)

    async def _subscribe(self, call: Call) -> Outcome:
        """UPS takes 100 numbers at a time; repeating a part that went through changes nothing."""
        document = msgspec.json.decode(call.body)
        numbers: list[str] = document["trackingNumberList"]
        for start in range(0, max(len(numbers), 1), SUBSCRIPTION_NUMBERS_MAX):
            part = numbers[start : start + SUBSCRIPTION_NUMBERS_MAX]
            # The credential joins here and not in `render`, so that no stored effect holds it.
            body = {**document, "trackingNumberList": part, "destination": self._destination()}
            request = _Request(method="POST", path=SUBSCRIBE_PATH, body=msgspec.json.encode(body))
            answer = await self._exchange(call, request)
            if not isinstance(answer, Answer):
                return answer
            if answer.status >= 300:
                return _trouble(answer, books=True)
            try:
                said = msgspec.json.decode(answer.body, type=_Subscribed)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return Unknown(reason="HTTP 200 with a body that is not UPS's")
            if missing := sorted(set(part) - set(said.valid_tracking_numbers)):
                return Refused(
                    code="VSS210", reason=f"UPS does not follow {', '.join(missing)}", answer=answer.body
                )
        return Done(document=",".join(numbers[:1]), receipt=TrackingSubscribed(tracking=tuple(numbers)))

    def _destination(self) -> dict[str, str]:
        return {
            "url": self._account.settings.get("webhook_url", ""),
            "credentialType": "ClientCredential",
            "credential": self._account.secrets.get("webhook_credential", ""),
        }

    async def _price(self, call: Call) -> Money | CannotTell | None:
        """Tracking answers hold no charges: the price is asked for anew. None where UPS will not name one."""
        request = _Request(method="POST", path=RATE_PATH, body=rate_request(call.body), books=False)
        answer = await self._exchange(call, request)
        if not isinstance(answer, Answer):
            return CannotTell(reason=answer.reason)
        if answer.status >= 300:
            trouble = _trouble(answer, books=False)
            return None if isinstance(trouble, Refused) else CannotTell(reason=trouble.reason)
        try:
            return to_rate(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    async def _exchange(self, call: Call, request: _Request) -> Answer | RetryLater | Unknown:
        """One exchange, repeated once with a new token where the old one was refused."""
        for _ in range(2):
            try:
                token = await self._bearer.token()
                answer = await self._transport.request(
                    request.method,
                    self._base + request.path,
                    headers={
                        "authorization": f"Bearer {token}",
                        "content-type": "application/json",
                        "transId": call.effect.replace("-", "")[:32],
                        "transactionSrc": "crossdock",
                    },
                    body=request.body,
                    timeout_seconds=call.timeout_seconds,
                )
            except NoToken as error:
                throttled = error.after_seconds is not None
                return RetryLater(reason=error.reason, after_seconds=error.after_seconds, throttled=throttled)
            except NotSent as error:
                return RetryLater(reason=str(error))
            except NoAnswer as error:
                return Unknown(reason=str(error)) if request.books else RetryLater(reason=str(error))
            if answer.status != 401:
                return answer
            self._bearer.reject(token)
        return RetryLater(reason="HTTP 401 with a new token: the application lacks this UPS product")

    async def _fetch_token(self) -> Grant:
        secrets = self._account.secrets
        basic = b64encode(f"{secrets.get('client_id', '')}:{secrets.get('client_secret', '')}".encode())
        try:
            answer = await self._transport.request(
                "POST",
                self._base + TOKEN_PATH,
                headers={
                    "authorization": f"Basic {basic.decode()}",
                    "content-type": "application/x-www-form-urlencoded",
                    "x-merchant-id": self._account.settings.get("account_number", ""),
                },
                body=b"grant_type=client_credentials",
            )
        except (NotSent, NoAnswer) as error:
            raise NoToken(f"no token: {error}") from None
        if _is_throttling(answer):
            raise NoToken(
                "no token: UPS's token quota is used up", after_seconds=answer.retry_after() or 60.0
            )
        if answer.status in (400, 401, 403):
            raise NoToken(f"no token: UPS rejected the credentials (HTTP {answer.status})", denied=True)
        try:
            given = msgspec.json.decode(answer.body, type=_TokenAnswer, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise NoToken(f"no token: HTTP {answer.status} without one") from None
        return Grant(token=given.access_token, lives_seconds=given.expires_in)


def _error(answer: Answer) -> _Error:
    """The first of UPS's errors; an empty one where the body is not UPS's."""
    try:
        errors = msgspec.json.decode(answer.body, type=_ErrorAnswer).response.errors
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Error()
    return errors[0] if errors else _Error()


def _is_throttling(answer: Answer) -> bool:
    """429 with or without Retry-After; 503 with it; 403 and 503 where UPS says so in words."""
    if answer.status == 429 or (answer.status == 503 and answer.retry_after() is not None):
        return True
    error = _error(answer)
    return error.code == TOO_MANY_REQUESTS or (
        answer.status in (403, 503) and bool(_THROTTLED.search(error.message))
    )


def _trouble(answer: Answer, *, books: bool) -> Refused | RetryLater | Unknown:
    """What an answer that is no success means."""
    if _is_throttling(answer):
        after = answer.retry_after()
        return RetryLater(reason=f"throttled (HTTP {answer.status})", after_seconds=after, throttled=True)
    error = _error(answer)
    if answer.status >= 500 or answer.status == 408 or error.code in TRANSIENT:
        reason = f"HTTP {answer.status} {error.code}".strip()
        return Unknown(reason=reason) if books else RetryLater(reason=reason)
    if error.code in CREDENTIALS or not error.code:
        who = "UPS's gate" if error.code else "something in front of UPS"
        return RetryLater(reason=f"HTTP {answer.status} {error.code}".strip() + f" from {who}")
    cause = "address" if _SHIP_TO.fullmatch(error.code) else ""
    return Refused(
        code=error.code, reason=error.message or "no reason given", answer=answer.body, cause=cause
    )
