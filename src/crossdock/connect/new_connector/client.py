"""The only code that talks to the partner: every answer becomes an outcome, and nothing is raised."""

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
from crossdock.errors import Misconfigured
from crossdock.model.shipment import MilestoneRecorded

CHECK_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 5.0
PERSON_SECONDS: Final = 60.0
"""Until a person has corrected the account, its effects wait; none of them is at fault."""
REASON_LENGTH_MAX: Final = 300


class SystemClient:
    """One account; see `connect.contract.Client`."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._account = account
        self._transport = transport
        self._url = account.base_url.rstrip("/")
        self._door = {"authorization": f"Bearer {account.secrets['secret']}"}

    # todo: Call what the partner documents; send our effect id along wherever it can keep one.
    async def send(self, call: Call) -> Outcome:
        headers = {**self._door, "content-type": "application/json", "idempotency-key": call.effect}
        try:
            answer = await self._transport.request(
                "POST",
                f"{self._url}/milestones",
                headers=headers,
                body=call.body,
                timeout_seconds=call.timeout_seconds,
            )
        except NotSent as error:
            return RetryLater(reason=str(error))
        except NoAnswer as error:
            return Unknown(reason=str(error))
        return _outcome(answer, call)

    async def look_up(self, _call: Call) -> LookUp:
        return CannotTell(reason="the partner knows our effect id, so sending it again is harmless")

    async def check(self) -> str:
        try:
            answer = await self._transport.request(
                "GET", f"{self._url}/account", headers=self._door, timeout_seconds=CHECK_SECONDS
            )
        except (NotSent, NoAnswer) as error:
            raise Misconfigured(f"account {self._account.name}: base_url", str(error)) from None
        if answer.status != 200:
            reason = f"{self._url}/account answers {answer.status}; see base_url and the secret"
            raise Misconfigured(f"account {self._account.name}", reason)
        return f"{self._url} knows us"


def _outcome(answer: Answer, call: Call) -> Outcome:
    told: Any = answer.json()
    match answer.status:
        case 200 | 201 if isinstance(told, dict) and isinstance(told.get("id"), str):
            state = msgspec.json.decode(call.body)["state"]
            return Done(document=told["id"], receipt=MilestoneRecorded(state, told["id"]))
        case 401 | 403:
            reason = f"{answer.status}: the secret is not accepted"
            return RetryLater(reason=reason, after_seconds=PERSON_SECONDS)
        case 429 | 503:
            after = answer.retry_after() or RETRY_SECONDS
            return RetryLater(reason=f"{answer.status} from the partner", after_seconds=after, throttled=True)
        case status if status >= 500 or status < 300:
            return Unknown(reason=f"{status} without a clear word")
        case status:
            message = told.get("message") if isinstance(told, dict) else None
            return Refused(code=str(status), reason=str(message or f"HTTP {status}")[:REASON_LENGTH_MAX])
