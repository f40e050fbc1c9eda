"""Talking to the WMS: an OAuth2 token, its services, and outcomes."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

import msgspec

from crossdock.connect.bearer import Bearer, Grant, NoToken
from crossdock.connect.contract import (
    Account,
    Call,
    CannotTell,
    Done,
    LookUp,
    Outcome,
    Refused,
    RetryLater,
    StockPage,
    Unknown,
)
from crossdock.connect.transport import Answer, NoAnswer, NotSent, Transport
from crossdock.connectors.manhattan_wms.inventory import SERVICE as INVENTORY
from crossdock.connectors.manhattan_wms.inventory import from_cursor, to_page
from crossdock.connectors.manhattan_wms.messages import Saved, ServiceAnswer
from crossdock.errors import Misconfigured
from crossdock.model.movement import InboundAnnounced, TransferReleased
from crossdock.model.order import CancellationAnswered, OrderReleased
from crossdock.model.shipment import LabelAttached

SERVICES: Final = {
    "warehouse_order.release": "/dcorder/api/dcorder/originalOrder/save",
    "warehouse_order.cancel": "/dcorder/api/dcorder/originalOrder/cancel",
    "label.attach": "/dcshipping/api/dcshipping/olpn/attachLabels",
    "inbound.announce": "/dcinbound/api/dcinbound/asn/save",
    "transfer.release": "/dcorder/api/dcorder/transferOrder/save",
}
UNKNOWN_ORDER: Final = "ORDER_NOT_FOUND"
_CAUSES: Final = {
    "ADDRESS_INVALID": "address", "ITEM_UNKNOWN": "master data", "UOM_INVALID": "unit", "FACILITY_UNKNOWN": "master data",
    "ORG_UNKNOWN": "authorisation",
}  # fmt: skip
"""Which business cause a refusal has, by the WMS's message code."""
TOKEN_SECONDS_DEFAULT = 3600.0
STOCK_SECONDS: Final = 30.0


class _TokenAnswer(msgspec.Struct):
    access_token: str
    expires_in: float = TOKEN_SECONDS_DEFAULT


class _Reference(msgspec.Struct, rename="pascal"):
    hub_reference: str = ""


class _Sent(msgspec.Struct, rename="pascal"):
    extended: _Reference = msgspec.field(default_factory=_Reference)


class ManhattanClient:
    """One account at one facility."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._account = account
        self._transport = transport
        self._base = account.base_url.rstrip("/")
        self._bearer = Bearer(self._fetch_token)

    async def send(self, call: Call) -> Outcome:
        service = SERVICES.get(call.kind)
        if service is None:
            return Refused(code="unsupported", reason=f"the WMS connector does not carry {call.kind}")
        answer = await self._post(service, call)
        if not isinstance(answer, Answer):
            return answer
        return _outcome(call, answer)

    async def look_up(self, call: Call) -> LookUp:
        """No service needs one: saving, cancelling and attaching again change nothing."""
        return CannotTell(reason=f"{call.kind} is repeated instead of looked up", for_ever=True)

    async def stock_page(self, after: str) -> StockPage | RetryLater | Refused:
        """A page of the facility's inventory, behind this item."""
        call = Call(effect="", attempt=1, kind="", body=from_cursor(after), timeout_seconds=STOCK_SECONDS)
        answer = await self._post(INVENTORY, call)
        match answer:
            case Answer():
                facility = self._account.settings.get("facility", "")
                return to_page(answer, facility, datetime.now(UTC))
            case Unknown():
                return RetryLater(reason=answer.reason)
            case _:
                return answer

    async def check(self) -> str:
        try:
            await self._bearer.token()
        except NoToken as error:
            setting = "client_id, client_secret" if error.denied else "base_url"
            raise Misconfigured(f"{self._account.name}: {setting}", error.reason) from None
        facility = self._account.settings.get("facility", "")
        return f"The WMS gave a token; orders go to facility {facility}."

    async def _post(self, service: str, call: Call) -> Answer | RetryLater | Unknown:
        """One exchange, repeated once with a new token where the old one was refused."""
        for _ in range(2):
            try:
                token = await self._bearer.token()
                answer = await self._transport.request(
                    "POST",
                    self._base + service,
                    headers=self._headers(token),
                    body=call.body,
                    timeout_seconds=call.timeout_seconds,
                )
            except NoToken as error:
                return RetryLater(
                    reason=error.reason,
                    after_seconds=error.after_seconds,
                    throttled=error.after_seconds is not None,
                )
            except NotSent as error:
                return RetryLater(reason=str(error))
            except NoAnswer as error:
                return Unknown(reason=str(error))
            if answer.status != 401:
                return answer
            self._bearer.reject(token)
        return RetryLater(reason="HTTP 401 with a new token: the user has no right to this service")

    def _headers(self, token: str) -> dict[str, str]:
        settings = self._account.settings
        return {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "organization": settings.get("organisation", ""),
            "location": settings.get("facility", ""),
        }

    async def _fetch_token(self) -> Grant:
        secrets = self._account.secrets
        form = {"grant_type": "client_credentials"}
        if secrets.get("username"):
            form = {
                "grant_type": "password",
                "username": secrets["username"],
                "password": secrets.get("password", ""),
            }
        basic = b64encode(f"{secrets.get('client_id', '')}:{secrets.get('client_secret', '')}".encode())
        try:
            answer = await self._transport.request(
                "POST",
                f"{self._base}/oauth/token",
                headers={
                    "authorization": f"Basic {basic.decode()}",
                    "content-type": "application/x-www-form-urlencoded",
                },
                body=urlencode(form).encode(),
            )
        except (NotSent, NoAnswer) as error:
            raise NoToken(f"no token: {error}") from None
        if answer.status in (400, 401, 403):
            raise NoToken(f"no token: the WMS rejected the credentials (HTTP {answer.status})", denied=True)
        try:
            given = msgspec.json.decode(answer.body, type=_TokenAnswer, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise NoToken(
                f"no token: HTTP {answer.status} without one", after_seconds=answer.retry_after()
            ) from None
        return Grant(token=given.access_token, lives_seconds=given.expires_in)


def _outcome(call: Call, answer: Answer) -> Outcome:
    after = answer.retry_after()
    if answer.status == 429 or (answer.status == 503 and after is not None):
        return RetryLater(reason=f"throttled (HTTP {answer.status})", after_seconds=after, throttled=True)
    if answer.status >= 500 or answer.status == 408:
        return Unknown(reason=f"HTTP {answer.status}")
    try:
        said = msgspec.json.decode(answer.body, type=ServiceAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if answer.status < 300:
            return Unknown(reason=f"HTTP {answer.status} with a body that is not the service's")
        return RetryLater(reason=f"HTTP {answer.status} from something in front of the WMS")
    if said.success and answer.status < 300:
        return _done(call, said.data or Saved(), answer)
    complaint = said.messages.message[0] if said.messages.message else None
    code = (complaint.code if complaint else None) or f"HTTP {answer.status}"
    if call.kind == "warehouse_order.cancel" and code == UNKNOWN_ORDER:
        receipt = CancellationAnswered(accepted=True, reason="never received")
        return Done(document=_reference(call), receipt=receipt, answer=answer.body)
    reason = (complaint.description if complaint else None) or "no reason given"
    return Refused(code=code, reason=reason, answer=answer.body, cause=_CAUSES.get(code, ""))


def _done(call: Call, data: Saved, answer: Answer) -> Done | Unknown:
    match call.kind:
        case "warehouse_order.release" if data.original_order_id:
            released = OrderReleased(warehouse_order=data.original_order_id, tasks=data.task_ids)
            return Done(document=data.original_order_id, receipt=released, answer=answer.body)
        case "warehouse_order.cancel" if data.cancelled is not None:
            answered = CancellationAnswered(accepted=data.cancelled, reason=data.reason or "")
            return Done(document=data.original_order_id or "", receipt=answered, answer=answer.body)
        case "label.attach" if data.shipment_id:
            attached = LabelAttached(shipment=_reference(call))
            return Done(document=data.shipment_id, receipt=attached, answer=answer.body)
        case "inbound.announce" if data.asn_id:
            return Done(document=data.asn_id, receipt=InboundAnnounced(data.asn_id), answer=answer.body)
        case "transfer.release" if data.transfer_order_id:
            released_as = TransferReleased(data.transfer_order_id)
            return Done(document=data.transfer_order_id, receipt=released_as, answer=answer.body)
    return Unknown(reason="the service says success and names no document")


def _reference(call: Call) -> str:
    """Our reference as it stands in the body that was sent."""
    return msgspec.json.decode(call.body, type=_Sent).extended.hub_reference
