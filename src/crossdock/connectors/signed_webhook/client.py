"""Posts signed messages to one receiver, who tells repetitions apart by `webhook-id`, our effect id."""

import time
from typing import Any, Final

import msgspec

from crossdock.connect.contract import (
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
from crossdock.connectors.signed_webhook.signatures import signed_headers
from crossdock.errors import Misconfigured
from crossdock.model.order import CancellationAnswered, OrderReleased
from crossdock.model.shipment import MilestoneRecorded, Notified

CHECK_SECONDS: Final = 10.0
REASON_LENGTH_MAX: Final = 300
RETRY_SECONDS: Final = 5.0


class WebhookClient:
    """One receiver; see `connect.contract.Client`."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._account = account
        self._transport = transport
        path = account.settings.get("path") or "/webhooks"
        self._url = f"{account.base_url.rstrip('/')}/{path.lstrip('/')}"

    async def send(self, call: Call) -> Outcome:
        try:
            headers = signed_headers(self._account, call.effect, int(time.time()), call.body)
            answer = await self._transport.request(
                "POST", self._url, headers=headers, body=call.body, timeout_seconds=call.timeout_seconds
            )
        except Misconfigured as error:
            return RetryLater(reason=str(error), after_seconds=60.0)
        except NotSent as error:
            return RetryLater(reason=str(error))
        except NoAnswer as error:
            return Unknown(reason=str(error))
        return _outcome(answer, call)

    async def look_up(self, _call: Call) -> LookUp:
        return CannotTell(reason="receivers cannot be asked; sending the same webhook-id again is harmless")

    async def check(self) -> str:
        """Webhook endpoints take POST only, so any answer but 404 and 410 shows that somebody listens."""
        try:
            answer = await self._transport.request("GET", self._url, timeout_seconds=CHECK_SECONDS)
        except (NotSent, NoAnswer) as error:
            raise Misconfigured(f"account {self._account.name}", str(error)) from None
        if answer.status in (404, 410) or answer.status >= 500:
            raise Misconfigured(f"account {self._account.name}", f"{self._url} answers {answer.status}")
        signed_headers(self._account, "check", 0, b"")
        return f"{self._url} listens"


def _outcome(answer: Answer, call: Call) -> Outcome:
    after = answer.retry_after()
    match answer.status:
        case status if 200 <= status < 300:
            return _done(answer, call)
        case 429 | 503:
            reason = f"{answer.status} from the receiver"
            return RetryLater(reason=reason, after_seconds=after or RETRY_SECONDS, throttled=True)
        case 410:
            return Refused(code="410", reason="endpoint gone")
        case 408:
            return Unknown(reason="408: the receiver lost patience")
        case status if status >= 500:
            return Unknown(reason=f"{status} from the receiver")
        case 409 if call.kind == "warehouse_order.cancel":
            reason = _told(answer) or "it is on its way"
            return Done(document=call.effect, receipt=CancellationAnswered(accepted=False, reason=reason))
        case status if 300 <= status < 400:
            return Refused(code=str(status), reason="the receiver redirects, which is not followed")
        case status:
            return Refused(code=str(status), reason=_told(answer) or f"HTTP {status}")


def _done(answer: Answer, call: Call) -> Done:
    told = answer.json()
    given = told.get("id") if isinstance(told, dict) else None
    document = str(given) if isinstance(given, str | int) else call.effect
    data = msgspec.json.decode(call.body)["data"]
    receipt: msgspec.Struct
    match call.kind:
        case "customer.notify":
            receipt = Notified(data["about"], document)
        case "warehouse_order.release":
            receipt = OrderReleased(document)
        case "warehouse_order.cancel":
            receipt = CancellationAnswered(accepted=True)
        case _:
            receipt = MilestoneRecorded(data["milestone"], document)
    return Done(document=document, receipt=receipt)


def _told(answer: Answer) -> str:
    """The receiver's message; a body of another form is not repeated, it may echo personal data."""
    document: Any = answer.json()
    if not isinstance(document, dict):
        return ""
    told = document.get("message") or document.get("error") or ""
    return told[:REASON_LENGTH_MAX] if isinstance(told, str) else ""
