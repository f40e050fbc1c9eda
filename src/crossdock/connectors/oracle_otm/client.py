"""What the hub asks of OTM: to create an order release, to find it, to cancel it."""

from typing import Any, Final
from urllib.parse import quote

import msgspec

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
from crossdock.connect.transport import Answer, Transport
from crossdock.connectors.oracle_otm.mapping import (
    CANCELLED_VALUE,
    cancellation,
    gid,
    refnum_qualifier,
    release_xid,
)
from crossdock.connectors.oracle_otm.talk import Request, Talk, is_otms, trouble
from crossdock.errors import Misconfigured
from crossdock.model.shipment import LoadCancelled, LoadTendered

RELEASES_PATH: Final = "/logisticsRestApi/resources-int/v2/orderReleases"
READS_MAX = 3
"""How often a release that changes under our hands is read again within one attempt."""


class _Asked(msgspec.Struct, rename="camel"):
    """What a stored tender or cancellation says about itself."""

    order_release_name: str = ""
    order_release_gid: str = ""


class _Refnum(msgspec.Struct, rename="camel"):
    order_release_refnum_qual_gid: str
    order_release_refnum_value: str


class _Refnums(msgspec.Struct):
    items: tuple[_Refnum, ...] = ()


class _Status(msgspec.Struct, rename="camel"):
    status_value_gid: str


class _Statuses(msgspec.Struct):
    items: tuple[_Status, ...] = ()


class _Release(msgspec.Struct, rename="camel"):
    order_release_gid: str
    refnums: _Refnums = msgspec.field(default_factory=_Refnums)
    statuses: _Statuses = msgspec.field(default_factory=_Statuses)


class OtmClient:
    """One integration user in one domain."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._account = account
        self._talk = Talk(account, transport)

    async def send(self, call: Call) -> Outcome:
        match call.kind:
            case "load.tender":
                return await self._tender(call)
            case "load.cancel":
                return await self._cancel(call)
        return Refused(code="unsupported", reason=f"the OTM connector does not carry {call.kind}")

    async def look_up(self, call: Call) -> LookUp:
        """An order release is read by the id we gave it: a read of the record, no search that lags behind."""
        if call.kind != "load.tender":
            return CannotTell(reason=f"{call.kind} is repeated instead of looked up", for_ever=True)
        load = gid(self._account, release_xid(_asked(call).order_release_name, call.effect))
        answer = await self._talk.exchange(call, Request(method="GET", path=_release_path(load)))
        if not isinstance(answer, Answer):
            return CannotTell(reason=answer.reason)
        if answer.status == 404 and is_otms(answer):
            return Absent()
        release = _release(answer)
        if release is None:
            return CannotTell(reason=f"HTTP {answer.status} instead of the order release")
        if not self._is_ours(release, call):
            return CannotTell(reason=f"{load} exists and does not name our shipment", for_ever=True)
        return Done(document=load, receipt=LoadTendered(load=load))

    async def check(self) -> str:
        """Read one order release, as the first look-up would."""
        call = Call(effect="", attempt=1, kind="", body=b"", timeout_seconds=10.0)
        answer = await self._talk.exchange(call, Request(method="GET", path=f"{RELEASES_PATH}?limit=1"))
        name = self._account.name
        if not isinstance(answer, Answer):
            raise Misconfigured(f"{name}: base_url, client_id, client_secret", answer.reason)
        if answer.status in (401, 403):
            raise Misconfigured(
                f"{name}: username, password", "OTM refuses them, or the user has no REST role"
            )
        if answer.status >= 300:
            raise Misconfigured(f"{name}: base_url", f"HTTP {answer.status} from {RELEASES_PATH}")
        domain = self._account.settings.get("domain", "")
        return f"OTM shows order releases; loads go to domain {domain}."

    async def _tender(self, call: Call) -> Outcome:
        """Create the order release under an id of the effect's own; OTM refuses the second one of that id."""
        xid = release_xid(_asked(call).order_release_name, call.effect)
        load = gid(self._account, xid)
        # The stored body is passed on as it is: weights must not become binary fractions on their way.
        stored = msgspec.json.decode(call.body, type=dict[str, msgspec.Raw])
        ids: dict[str, Any] = {"orderReleaseXid": xid, "orderReleaseGid": load}
        body = msgspec.json.encode(ids | stored)
        answer = await self._talk.exchange(call, Request(method="POST", path=RELEASES_PATH, body=body))
        if not isinstance(answer, Answer):
            return answer
        if answer.status in (400, 409) and is_otms(answer):
            found = await self.look_up(call)
            if isinstance(found, CannotTell) and not found.for_ever:
                return Unknown(reason=f"refused, perhaps because it is there already: {found.reason}")
            return found if isinstance(found, Done) else trouble(answer, books=True)
        if answer.status >= 300:
            return trouble(answer, books=True)
        release = _release(answer)
        if release is None or release.order_release_gid != load:
            return Unknown(reason=f"HTTP {answer.status} without the order release {load}")
        return Done(document=load, receipt=LoadTendered(load=load), answer=answer.body)

    async def _cancel(self, call: Call) -> Outcome:
        """Set the release's status to cancelled; one that says so already stays as it is."""
        load = _asked(call).order_release_gid
        done = Done(document=load, receipt=LoadCancelled(load=load))
        body = msgspec.json.encode(cancellation(self._account))
        for _ in range(READS_MAX):
            read = await self._talk.exchange(call, Request(method="GET", path=_release_path(load)))
            if not isinstance(read, Answer):
                return read
            release = _release(read)
            if release is None:
                return trouble(read, books=False)
            values = {status.status_value_gid for status in release.statuses.items}
            if gid(self._account, CANCELLED_VALUE) in values:
                return done
            change = Request(
                method="PATCH", path=_release_path(load), body=body, if_match=read.headers.get("etag", "*")
            )
            answer = await self._talk.exchange(call, change)
            if not isinstance(answer, Answer):
                return answer
            if answer.status < 300:
                return done
            if answer.status != 412:
                return trouble(answer, books=True)
        return RetryLater(reason="the order release changes in OTM faster than it can be read")

    def _is_ours(self, release: _Release, call: Call) -> bool:
        wanted = (refnum_qualifier(self._account), _asked(call).order_release_name)
        return wanted in [
            (ref.order_release_refnum_qual_gid, ref.order_release_refnum_value)
            for ref in release.refnums.items
        ]


def _asked(call: Call) -> _Asked:
    return msgspec.json.decode(call.body, type=_Asked)


def _release_path(load: str) -> str:
    return f"{RELEASES_PATH}/{quote(load, safe='')}"


def _release(answer: Answer) -> _Release | None:
    """None where the answer is no order release."""
    if answer.status >= 300:
        return None
    try:
        return msgspec.json.decode(answer.body, type=_Release)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
