"""Talks to Amazon for one seller in one marketplace, and turns every answer into an outcome.

Keeps tokens, plans and what was read lately; what was done is asked of Amazon, never remembered here.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from urllib.parse import quote

import msgspec

from crossdock.connect.contract import (
    Absent,
    Account,
    Ask,
    Call,
    CannotTell,
    Done,
    LookUp,
    Outcome,
    Page,
    Refused,
    RetryLater,
    Unknown,
)
from crossdock.connect.transport import Transport
from crossdock.connectors.amazon_marketplace.listing import Listing, items_of
from crossdock.connectors.amazon_marketplace.mapping import CANCELED
from crossdock.connectors.amazon_marketplace.requests import Availability, Cancellation, Confirmation
from crossdock.connectors.amazon_marketplace.talk import ORDERS_PATH, Ended, Line, Request, Talk
from crossdock.errors import Misconfigured
from crossdock.model.order import FulfilmentCancelled, FulfilmentCreated
from crossdock.model.quantity import Quantity
from crossdock.model.stock import AvailabilityPublished

CHECK_SECONDS: Final = 10.0
LISTINGS_PATH: Final = "/listings/2021-08-01/items"
OWN_STOCK: Final = "DEFAULT"
"""The fulfilment channel of what the seller ships himself."""
ACCEPTED: Final = "ACCEPTED"


class _Item(msgspec.Struct, frozen=True, rename="pascal"):
    order_item_id: str = ""
    quantity_ordered: int = 0
    quantity_shipped: int = 0


class _Status(msgspec.Struct, frozen=True, rename="pascal"):
    order_status: str = ""


class _OrderAnswer(msgspec.Struct, frozen=True):
    payload: _Status


class _Issue(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Submission(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a change of a listing: accepted, which is not yet shown, or invalid."""

    status: str
    submission_id: str = ""
    issues: tuple[_Issue, ...] = ()


class _Shown(msgspec.Struct, frozen=True, rename="camel"):
    fulfillment_channel_code: str = ""
    quantity: int | None = None


class _Listing(msgspec.Struct, frozen=True, rename="camel"):
    fulfillment_availability: tuple[_Shown, ...] = ()


class _Marketplace(msgspec.Struct, frozen=True):
    id: str
    name: str = ""


class _Participation(msgspec.Struct, frozen=True):
    marketplace: _Marketplace


class _Participations(msgspec.Struct, frozen=True):
    payload: tuple[_Participation, ...]


class AmazonClient:
    """One account's conversation; see `connect.contract.Client`."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._account = account
        self._line = Line(account, transport)
        self._listing = Listing()
        self._marketplace = account.settings.get("marketplace_id", "")

    async def send(self, call: Call) -> Outcome:
        """Do it; every kind may be done again without harm."""
        talk = Talk(self._line, seconds=call.timeout_seconds)
        try:
            match call.kind:
                case "fulfilment.create":
                    return await self._confirm(msgspec.json.decode(call.body, type=Confirmation), talk)
                case "availability.publish":
                    return await self._publish(msgspec.json.decode(call.body, type=Availability), talk)
                case "order.cancel":
                    return await self._cancel(msgspec.json.decode(call.body, type=Cancellation), talk)
                case kind:
                    return Refused(code="unsupported", reason=f"the Amazon connector does not carry {kind}")
        except Ended as ended:
            return ended.outcome

    async def look_up(self, call: Call) -> LookUp:
        """Whether Amazon shows it: a shipment by shipped quantities, an availability by the listing's quantity."""
        talk = Talk(self._line, seconds=call.timeout_seconds)
        try:
            match call.kind:
                case "fulfilment.create":
                    wanted = msgspec.json.decode(call.body, type=Confirmation)
                    return _found(wanted, await self._items(wanted.order, talk))
                case "availability.publish":
                    return await self._shown(msgspec.json.decode(call.body, type=Availability), talk)
                case "order.cancel":
                    order = msgspec.json.decode(call.body, type=Cancellation).order
                    return _cancelled(order) if await _is_cancelled(order, talk) else Absent()
                case kind:
                    return CannotTell(reason=f"{kind} is not carried", for_ever=True)
        except Ended as ended:
            return CannotTell(reason=ended.outcome.reason)

    async def changed(self, ask: Ask) -> Page | Refused | RetryLater:
        """Orders that changed; see `listing`."""
        talk = Talk(self._line, seconds=ask.timeout_seconds)
        try:
            return await self._listing.changed(ask, self._marketplace, talk)
        except Ended as ended:
            outcome = ended.outcome
            return RetryLater(reason=outcome.reason) if isinstance(outcome, Unknown) else outcome

    async def check(self) -> str:
        """Ask where the seller sells: the tokens must be good, and the marketplace among the answers."""
        talk = Talk(self._line, seconds=CHECK_SECONDS)
        request = Request(
            operation="getMarketplaceParticipations",
            method="GET",
            path="/sellers/v1/marketplaceParticipations",
        )
        try:
            told = await talk.ask(_Participations, request)
        except Ended as ended:
            raise Misconfigured(f"account {self._account.name}", ended.outcome.reason) from None
        names = {x.marketplace.id: x.marketplace.name for x in told.payload}
        if self._marketplace not in names:
            raise Misconfigured("marketplace_id", f"the seller sells in {', '.join(sorted(names)) or 'none'}")
        return f"connected to {names[self._marketplace] or self._marketplace}"

    async def _confirm(self, wanted: Confirmation, talk: Talk) -> Outcome:
        """A package with this reference that is there already is written over with the same."""
        package = msgspec.to_builtins(wanted.package) | {"shipDate": _now()}
        request = Request(
            operation="confirmShipment",
            method="POST",
            path=f"{ORDERS_PATH}/{wanted.order}/shipmentConfirmation",
            body={"marketplaceId": self._marketplace, "packageDetail": package},
        )
        try:
            await talk.exchange(request)
        except Ended as ended:
            if not isinstance(ended.outcome, Refused):
                raise
            # Confirmed by hand in Seller Central, say: then there is nothing left for us to tell.
            found = _found(wanted, await self._items(wanted.order, talk))
            return found if isinstance(found, Done) else ended.outcome
        return _confirmed(wanted)

    async def _items(self, order: str, talk: Talk) -> dict[str, _Item]:
        items = [_item(raw) for raw in await items_of(order, talk)]
        return {item.order_item_id: item for item in items}

    async def _publish(self, wanted: Availability, talk: Talk) -> Outcome:
        """Accepted is all there is to know now: the listing shows it minutes later."""
        value = {"fulfillment_channel_code": OWN_STOCK, "quantity": wanted.quantity}
        # `merge` leaves handling time and restock date as they are; `replace` would reset them.
        patch = {"op": "merge", "path": "/attributes/fulfillment_availability", "value": [value]}
        request = Request(
            operation="patchListingsItem",
            method="PATCH",
            path=self._listing_path(wanted.sku),
            query=(("marketplaceIds", self._marketplace),),
            body={"productType": self._account.settings.get("product_type") or "PRODUCT", "patches": [patch]},
        )
        told = await talk.ask(_Submission, request)
        if told.status != ACCEPTED:
            reason = "; ".join(f"{x.code} {x.message}".strip() for x in told.issues) or "no reason given"
            return Refused(code=told.status or "unknown-status", reason=reason[:500])
        return self._published(wanted, told.submission_id)

    async def _shown(self, wanted: Availability, talk: Talk) -> LookUp:
        query = (("marketplaceIds", self._marketplace), ("includedData", "fulfillmentAvailability"))
        request = Request(
            operation="getListingsItem", method="GET", path=self._listing_path(wanted.sku), query=query
        )
        told = await talk.ask(_Listing, request)
        ours = [x for x in told.fulfillment_availability if x.fulfillment_channel_code == OWN_STOCK]
        if any(x.quantity == wanted.quantity for x in ours):
            return self._published(wanted, f"version {wanted.version}")
        return CannotTell(reason="the listing shows another quantity: it is late, or Amazon sold meanwhile")

    async def _cancel(self, wanted: Cancellation, talk: Talk) -> Outcome:
        """Only a person can; until it is done the effect is refused, and its retry looks again."""
        if await _is_cancelled(wanted.order, talk):
            return _cancelled(wanted.order)
        reason = f"Amazon takes no cancellation from here: cancel order {wanted.order} in Seller Central"
        return Refused(code="seller-central", reason=f"{reason} ({wanted.reason or 'no reason given'})")

    def _listing_path(self, sku: str) -> str:
        return f"{LISTINGS_PATH}/{self._account.settings.get('seller_id', '')}/{quote(sku, safe='')}"

    def _published(self, wanted: Availability, document: str) -> Done:
        quantity = Quantity(Decimal(wanted.quantity))
        return Done(
            document=document, receipt=AvailabilityPublished(wanted.sku, self._account.name, quantity)
        )


async def _is_cancelled(order: str, talk: Talk) -> bool:
    request = Request(operation="getOrder", method="GET", path=f"{ORDERS_PATH}/{order}")
    return (await talk.ask(_OrderAnswer, request)).payload.order_status == CANCELED


def _cancelled(order: str) -> Done:
    return Done(document=order, receipt=FulfilmentCancelled(order))


def _item(raw: msgspec.Raw) -> _Item:
    try:
        return msgspec.json.decode(raw, type=_Item)
    except msgspec.ValidationError as error:
        raise Ended(RetryLater(reason=f"items that cannot be read: {error}")) from None


def _found(wanted: Confirmation, items: dict[str, _Item]) -> LookUp:
    """Amazon shows how much of an item was shipped, not in which packages.

    All of it: this shipment too. Less than is in this one: not this one. Between them nobody can tell.
    """
    pairs = [(items.get(x.order_item_id, _Item()), x.quantity) for x in wanted.package.order_items]
    if all(0 < item.quantity_ordered <= item.quantity_shipped for item, _ in pairs):
        return _confirmed(wanted)
    if any(item.quantity_shipped < quantity for item, quantity in pairs):
        return Absent()
    return CannotTell(
        reason="a part of each item is shipped; it may be this shipment or another", for_ever=True
    )


def _confirmed(wanted: Confirmation) -> Done:
    document = f"{wanted.order}-{wanted.package.package_reference_id}"
    return Done(document=document, receipt=FulfilmentCreated(document))


def _now() -> str:
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
