"""Talks to one shop's REST API v3, and turns every answer into an outcome.

Keeps nothing but a cache of product addresses: what was done is asked of the shop, never remembered here.
"""

from decimal import Decimal
from typing import Any, Final
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
from crossdock.connectors.woocommerce import listing
from crossdock.connectors.woocommerce.mapping import STOPPED
from crossdock.connectors.woocommerce.requests import (
    CANCELLED_KEY,
    SHIPMENT_KEY,
    Availability,
    Cancellation,
    Fulfilment,
    Shipped,
)
from crossdock.connectors.woocommerce.talk import Ended, Talk
from crossdock.errors import Misconfigured
from crossdock.model.order import FulfilmentCancelled, FulfilmentCreated
from crossdock.model.quantity import Quantity
from crossdock.model.stock import AvailabilityPublished

ADDRESSES_MAX: Final = 100_000
CHECK_SECONDS: Final = 10.0


class Meta(msgspec.Struct, frozen=True):
    key: str = ""
    value: Any = None


class Line(msgspec.Struct, frozen=True):
    id: int
    quantity: Decimal


class Order(msgspec.Struct, frozen=True):
    """What we read of an order."""

    id: int
    status: str
    number: str = ""
    line_items: tuple[Line, ...] = ()
    meta_data: tuple[Meta, ...] = ()

    def shipped(self) -> dict[str, Shipped]:
        """Shipments told before, by the name of their custom field; what somebody else wrote there counts as nothing."""
        found = {}
        for meta in self.meta_data:
            if meta.key.startswith(SHIPMENT_KEY):
                try:
                    found[meta.key] = msgspec.convert(meta.value, Shipped, strict=False)
                except msgspec.ValidationError:
                    found[meta.key] = Shipped("", (), ())
        return found


class Product(msgspec.Struct, frozen=True):
    """A product, or a variation of one (`parent_id`)."""

    id: int
    sku: str = ""
    parent_id: int = 0
    type: str = ""
    stock_quantity: Decimal | None = None

    @property
    def path(self) -> str:
        return (
            f"products/{self.parent_id}/variations/{self.id}"
            if self.type == "variation"
            else f"products/{self.id}"
        )


class WooCommerceClient:
    """One account's conversation; see `connect.contract.Client`."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._account = account
        self._transport = transport
        self._addresses: dict[str, str] = {}

    async def send(self, call: Call) -> Outcome:
        """Do it, unless the shop already shows it as done."""
        talk = Talk(self._account, self._transport, seconds=call.timeout_seconds)
        try:
            match call.kind:
                case "fulfilment.create":
                    return await self._fulfil(msgspec.json.decode(call.body, type=Fulfilment), talk)
                case "availability.publish":
                    return await self._publish(msgspec.json.decode(call.body, type=Availability), talk)
                case "order.cancel":
                    return await self._cancel(msgspec.json.decode(call.body, type=Cancellation), talk)
                case kind:
                    return Refused(code="unsupported", reason=f"WooCommerce has no {kind}")
        except Ended as ended:
            return ended.outcome

    async def look_up(self, call: Call) -> LookUp:
        """Whether the shop shows it: a shipment by its custom field, a cancellation by the order's status."""
        talk = Talk(self._account, self._transport, seconds=call.timeout_seconds)
        try:
            match call.kind:
                case "fulfilment.create":
                    wanted = msgspec.json.decode(call.body, type=Fulfilment)
                    order = await talk.get(Order, f"orders/{wanted.order}")
                    return _fulfilled(order, wanted) if wanted.key in order.shipped() else Absent()
                case "order.cancel":
                    number = msgspec.json.decode(call.body, type=Cancellation).order
                    order = await talk.get(Order, f"orders/{number}")
                    return _cancelled(order.number) if order.status in STOPPED else Absent()
                case _:
                    return CannotTell(
                        reason="a quantity does not say who set it; setting it again is harmless"
                    )
        except Ended as ended:
            if ended.is_absence:
                return _cancelled("") if call.kind == "order.cancel" else Absent()
            return CannotTell(reason=ended.outcome.reason)

    async def changed(self, ask: Ask) -> Page | Refused | RetryLater:
        """Orders that changed; see `listing`."""
        talk = Talk(self._account, self._transport, seconds=ask.timeout_seconds)
        try:
            return await listing.changed(ask, talk)
        except Ended as ended:
            return _later(ended)

    async def revive(self, timeout_seconds: float) -> str | Refused | RetryLater:
        """Switch on what the shop switched off after five failures."""
        talk = Talk(self._account, self._transport, seconds=timeout_seconds)
        try:
            return await listing.revive(self._account.name, talk)
        except Ended as ended:
            return _later(ended)

    async def check(self) -> str:
        """Ask for an order: the key must be there, and be allowed to see orders."""
        talk = Talk(self._account, self._transport, seconds=CHECK_SECONDS)
        try:
            await talk.get(list[Order], "orders?per_page=1")
        except Ended as ended:
            raise Misconfigured(f"account {self._account.name}", ended.outcome.reason) from None
        return f"connected to {self._account.base_url}"

    async def _fulfil(self, wanted: Fulfilment, talk: Talk) -> Outcome:
        """One change tells of the shipment and, with the last open piece, completes the order."""
        order = await talk.get(Order, f"orders/{wanted.order}")
        before = order.shipped()
        if wanted.key in before:
            return _fulfilled(order, wanted)
        if order.status in STOPPED:
            return Refused(code="stopped", reason=f"the order is {order.status} in the shop")
        strangers = {x.line for x in wanted.shipped.lines} - {x.id for x in order.line_items}
        if strangers:
            return Refused(code="unknown-line", reason=f"the order has no line {min(strangers)}")
        change: dict[str, Any] = {"meta_data": [{"key": wanted.key, "value": wanted.shipped}]}
        if _is_whole(order, [*before.values(), wanted.shipped]):
            change["status"] = "completed"
        after = await talk.put(Order, f"orders/{wanted.order}", change)
        if wanted.key not in after.shipped():
            return Unknown(reason="the shop's answer does not show the shipment")
        return _fulfilled(after, wanted)

    async def _cancel(self, wanted: Cancellation, talk: Talk) -> Outcome:
        path = f"orders/{wanted.order}"
        try:
            order = await talk.get(Order, path)
        except Ended as ended:
            if ended.is_absence:  # deleted in the shop: there is nothing left that could show it
                return _cancelled("")
            raise
        if order.status in STOPPED:
            return _cancelled(order.number)
        if order.status == "completed":
            return Refused(code="completed", reason="the order is completed in the shop")
        note = {"key": CANCELLED_KEY, "value": wanted.reason}
        after = await talk.put(Order, path, {"status": "cancelled", "meta_data": [note]})
        if after.status not in STOPPED:
            return Unknown(reason=f"the shop's answer shows the order as {after.status}")
        return _cancelled(after.number)

    async def _publish(self, wanted: Availability, talk: Talk) -> Outcome:
        path = self._addresses.get(wanted.sku) or await self._find(wanted.sku, talk)
        if not path:
            reason = f"the shop has no product with the SKU {wanted.sku}"
            return Refused(code="unknown-sku", reason=reason, cause="master data")
        try:
            after = await talk.put(Product, path, {"manage_stock": True, "stock_quantity": wanted.quantity})
        except Ended as ended:
            if isinstance(ended.outcome, Refused):
                self._addresses.pop(wanted.sku, None)
            raise
        if after.stock_quantity != wanted.quantity:
            return Unknown(reason=f"the shop's answer shows {after.stock_quantity} in stock")
        receipt = AvailabilityPublished(wanted.sku, self._account.name, Quantity(Decimal(wanted.quantity)))
        return Done(document=f"{after.id} version {wanted.version}", receipt=receipt)

    async def _find(self, sku: str, talk: Talk) -> str:
        """The API takes a comma for a list of SKUs and finds variations too; the exact one is picked here."""
        found = await talk.get(list[Product], f"products?sku={quote(sku, safe='')}")
        path = next((product.path for product in found if product.sku == sku), "")
        if path:
            if len(self._addresses) >= ADDRESSES_MAX:
                self._addresses.clear()
            self._addresses[sku] = path
        return path


def _later(ended: Ended) -> Refused | RetryLater:
    """Setting a webhook active twice harms nobody, so what is unclear is simply done again."""
    outcome = ended.outcome
    return RetryLater(reason=outcome.reason) if isinstance(outcome, Unknown) else outcome


def _is_whole(order: Order, shipments: list[Shipped]) -> bool:
    left = {line.id: line.quantity for line in order.line_items}
    for shipped in shipments:
        for x in shipped.lines:
            left[x.line] = left.get(x.line, Decimal(0)) - x.quantity
    return all(quantity <= 0 for quantity in left.values())


def _fulfilled(order: Order, wanted: Fulfilment) -> Done:
    document = f"{order.number or order.id}-{wanted.key.removeprefix(SHIPMENT_KEY)}"
    return Done(document=document, receipt=FulfilmentCreated(document))


def _cancelled(number: str) -> Done:
    return Done(document=number, receipt=FulfilmentCancelled(number))
