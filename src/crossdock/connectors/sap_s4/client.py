"""The client of one SAP account: which steps carry out and look up which effect kind."""

import asyncio
from collections.abc import Awaitable, Callable

from crossdock.connect.contract import Account, Call, CannotTell, Done, LookUp, Outcome, Refused, Unknown
from crossdock.connect.transport import Transport
from crossdock.connectors.sap_s4 import (
    credit,
    delivery,
    finance,
    movement,
    product,
    purchasing,
    reversal,
    sales,
    sales_change,
)
from crossdock.connectors.sap_s4.session import Ask, Errand, Session, Stop
from crossdock.errors import Malformed, Misconfigured, Rejected

_SEND: dict[str, Callable[[Session, Errand, Call], Awaitable[Done]]] = {
    "order.check": sales.check,
    "sales_order.create": sales.create,
    "sales_order.change": sales_change.change,
    "sales_order.cancel": sales.cancel,
    "reservation.update": sales.reserve,
    "goods_issue.post": delivery.post_goods_issue,
    "goods_issue.reverse": reversal.reverse_goods_issue,
    "inbound.fetch": purchasing.fetch,
    "goods_receipt.post": movement.post,
    "transfer_issue.post": movement.post,
    "consignment.withdraw": movement.post,
    "stock_adjustment.post": movement.post,
    "credit.post": credit.post,
    "freight.accrue": finance.accrue,
    "freight.adjust": finance.adjust,
    "milestone.record": delivery.record_milestone,
    "invoice.release": finance.bill,
    "item.fetch": product.fetch,
}
_LOOK_UP: dict[str, Callable[[Session, Errand, Call], Awaitable[LookUp]]] = {
    "sales_order.create": sales.find,
    "goods_issue.post": delivery.find_goods_issue,
    "goods_issue.reverse": reversal.find_reversal,
    "goods_receipt.post": movement.find,
    "transfer_issue.post": movement.find,
    "consignment.withdraw": movement.find,
    "stock_adjustment.post": movement.find,
    "credit.post": credit.find,
    "freight.accrue": finance.find_accrual,
    "freight.adjust": finance.find_adjustment,
    "invoice.release": finance.find_invoice,
}
CHECK_SECONDS = 10.0


class SapClient:
    """Keeps CSRF tokens; everything else is asked from SAP by our own references."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._session = Session(account, transport)

    async def send(self, call: Call) -> Outcome:
        steps = _SEND.get(call.kind)
        if steps is None:
            return Refused(code="unsupported", reason=f"SAP S/4HANA has no {call.kind}")
        try:
            return await steps(self._session, _errand(call), call)
        except Stop as stop:
            return stop.outcome
        except (Rejected, Malformed) as error:
            return Refused(code="body", reason=f"the stored body cannot be read: {error}")

    async def look_up(self, call: Call) -> LookUp:
        steps = _LOOK_UP.get(call.kind)
        if steps is None:
            return CannotTell(reason=f"{call.kind} needs no look-up: sending it again changes nothing")
        try:
            return await steps(self._session, _errand(call), call)
        except Stop as stop:
            return CannotTell(reason=stop.outcome.reason)
        except (Rejected, Malformed) as error:
            return CannotTell(reason=f"the stored body cannot be read: {error}", for_ever=True)

    async def check(self) -> str:
        """Log on and read the sales order service, as the first effect would."""
        errand = Errand(deadline=asyncio.get_running_loop().time() + CHECK_SECONDS)
        query = {"$top": "1", "$select": "SalesOrder"}
        try:
            await self._session.ask(errand, Ask(service=sales.SERVICE, path="A_SalesOrder", query=query))
        except Stop as stop:
            reason = stop.outcome.reason
            remedy = "check base_url, sap_client, user and password, and that the services are activated"
            unclear = "" if isinstance(stop.outcome, Unknown) else f" ({remedy})"
            raise Misconfigured("accounts.sap_s4", reason + unclear) from None
        return "Logged on to SAP and read the sales order service."


def _errand(call: Call) -> Errand:
    return Errand(deadline=asyncio.get_running_loop().time() + call.timeout_seconds)
