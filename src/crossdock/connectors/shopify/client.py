"""Talks to one shop's GraphQL Admin API, and turns every answer into an outcome.

Keeps nothing but a cache of inventory item ids: what was done is asked of Shopify, never remembered here.
"""

import asyncio
from decimal import Decimal
from typing import Final

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
from crossdock.connectors.shopify import listing, queries, replies
from crossdock.connectors.shopify.answers import Ended, refusal
from crossdock.connectors.shopify.fulfilling import SHIPPABLE, choose, shipped_with, untracked
from crossdock.connectors.shopify.requests import Availability, Cancellation, Fulfilment
from crossdock.connectors.shopify.talk import NOT_FOUND, Talk
from crossdock.errors import Misconfigured
from crossdock.model.order import FulfilmentCancelled, FulfilmentCreated
from crossdock.model.quantity import Quantity
from crossdock.model.stock import AvailabilityPublished

ITEMS_MAX: Final = 100_000
CHECK_SECONDS: Final = 10.0
POLL_SECONDS: Final = (0.1, 0.2, 0.3, 0.5, 0.9, 1.5, 1.5)


class ShopifyClient:
    """One account's conversation; see `connect.contract.Client`."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._account = account
        self._transport = transport
        self._items: dict[str, str] = {}

    async def send(self, call: Call) -> Outcome:
        """Do it, unless Shopify already shows it as done."""
        talk = Talk(self._account, self._transport, seconds=call.timeout_seconds)
        try:
            match call.kind:
                case "fulfilment.create":
                    return await self._fulfil(msgspec.json.decode(call.body, type=Fulfilment), talk)
                case "availability.publish":
                    wanted = msgspec.json.decode(call.body, type=Availability)
                    return await self._publish(wanted, call.effect, talk)
                case "order.cancel":
                    return await self._cancel(msgspec.json.decode(call.body, type=Cancellation), talk)
                case kind:
                    return Refused(code="unsupported", reason=f"Shopify has no {kind}")
        except Ended as ended:
            return ended.outcome

    async def look_up(self, call: Call) -> LookUp:
        """Whether Shopify shows it: a fulfilment by its tracking numbers, a cancellation by its date."""
        talk = Talk(self._account, self._transport, seconds=call.timeout_seconds)
        try:
            match call.kind:
                case "fulfilment.create":
                    return await self._find_fulfilment(msgspec.json.decode(call.body, type=Fulfilment), talk)
                case "order.cancel":
                    wanted = msgspec.json.decode(call.body, type=Cancellation)
                    order = await talk.order(queries.ORDER_STATE, wanted.order_id)
                    return _cancelled(order) if order.cancelled_at else Absent()
                case _:
                    return CannotTell(
                        reason="a quantity does not say who set it; setting it again is harmless"
                    )
        except Ended as ended:
            if isinstance(ended.outcome, Refused) and ended.outcome.code == NOT_FOUND:
                return Absent()
            return CannotTell(reason=ended.outcome.reason)

    async def changed(self, ask: Ask) -> Page | Refused | RetryLater:
        """Orders that changed; see `listing`."""
        return await listing.changed(ask, self._account, self._transport)

    async def check(self) -> str:
        """Ask for the shop and the location that we publish for."""
        talk = Talk(self._account, self._transport, seconds=CHECK_SECONDS)
        gid = self._account.settings.get("location_gid", "").split(",")[0].rpartition("=")[2].strip()
        try:
            told = await talk.ask(replies.ShopData, queries.SHOP, {"location": gid})
        except Ended as ended:
            raise Misconfigured(f"account {self._account.name}", ended.outcome.reason) from None
        if not told.location or not told.location.is_active:
            raise Misconfigured("location_gid", f"{gid} is no active location of this shop")
        return f"connected to {told.shop.name}, location {told.location.name}"

    async def _fulfil(self, wanted: Fulfilment, talk: Talk) -> Outcome:
        order = await talk.order(queries.ORDER_OPEN, wanted.order_id)
        if already := shipped_with(order, wanted.numbers):
            return _fulfilled(already)
        open_orders = [x for x in order.fulfillment_orders.nodes if x.status in SHIPPABLE]
        picked = choose([(x, await self._lines(x, talk)) for x in open_orders], wanted)
        if isinstance(picked, str):
            return Refused(code="fulfillment-order", reason=picked)
        fulfilment = {
            "lineItemsByFulfillmentOrder": picked,
            "notifyCustomer": False,
            "trackingInfo": {"company": wanted.company, "numbers": list(wanted.numbers)},
        }
        variables = {"fulfillment": fulfilment, "message": wanted.message}
        result = (await talk.tell(replies.FulfilData, queries.FULFIL, variables)).fulfillment_create
        if result.user_errors:
            return refusal(result.user_errors)
        if result.fulfillment is None:
            return Unknown(reason="Shopify names neither a fulfilment nor an error")
        return _fulfilled(result.fulfillment)

    async def _lines(self, order: replies.FulfilmentOrder, talk: Talk) -> tuple[replies.OpenLine, ...]:
        """All lines of a fulfilment order; the first page came with the order."""
        page = order.line_items
        lines = page.nodes
        while page.page_info.has_next_page and page.nodes:
            variables = {"id": order.id, "after": page.page_info.end_cursor}
            told = await talk.ask(replies.MoreLinesData, queries.MORE_LINES, variables)
            page = told.fulfillment_order.line_items
            lines += page.nodes
        return lines

    async def _find_fulfilment(self, wanted: Fulfilment, talk: Talk) -> LookUp:
        order = await talk.order(queries.ORDER_SHIPPED, wanted.order_id)
        if found := shipped_with(order, wanted.numbers):
            return _fulfilled(found)
        if not wanted.numbers and untracked(order):
            reason = "the order has a fulfilment without tracking number: it may be this shipment or another"
            return CannotTell(reason=reason, for_ever=True)
        return Absent()

    async def _publish(self, wanted: Availability, effect: str, talk: Talk) -> Outcome:
        item = self._items.get(wanted.sku) or await self._find_item(wanted.sku, talk)
        if not item:
            return Refused(
                code="unknown-sku",
                reason=f"Shopify has no inventory item with the SKU {wanted.sku}",
                cause="master data",
            )
        # An explicit null opts out of compare-and-swap; leaving the field out is an error since 2026-04.
        quantity = {
            "inventoryItemId": item,
            "locationId": wanted.location_id,
            "quantity": wanted.quantity,
            "changeFromQuantity": None,
        }
        given = {
            "name": wanted.name,
            "reason": wanted.reason,
            "referenceDocumentUri": wanted.reference_document_uri,
            "quantities": [quantity],
        }
        told = await talk.tell(replies.SetData, queries.SET_AVAILABLE, {"input": given, "key": effect})
        result = told.inventory_set_quantities
        if result.user_errors:
            self._items.pop(wanted.sku, None)
            return refusal(result.user_errors)
        group = result.inventory_adjustment_group
        available = Quantity(Decimal(wanted.quantity))
        receipt = AvailabilityPublished(wanted.sku, self._account.name, available)
        return Done(document=group.id if group else f"version {wanted.version}", receipt=receipt)

    async def _find_item(self, sku: str, talk: Talk) -> str:
        """Shopify's search ignores case and matches parts of words, so the exact SKU is picked here."""
        quoted = sku.replace("\\", "\\\\").replace('"', '\\"')
        told = await talk.ask(replies.ItemData, queries.ITEM, {"query": f'sku:"{quoted}"'})
        item = next((node.id for node in told.inventory_items.nodes if node.sku == sku), "")
        if item:
            if len(self._items) >= ITEMS_MAX:
                self._items.clear()
            self._items[sku] = item
        return item

    async def _cancel(self, wanted: Cancellation, talk: Talk) -> Outcome:
        order = await talk.order(queries.ORDER_STATE, wanted.order_id)
        if order.cancelled_at:
            return _cancelled(order)
        variables = {
            "id": wanted.order_id,
            "reason": wanted.reason,
            "refund": {"originalPaymentMethodsRefund": wanted.refund},
            "restock": True,
            "note": wanted.staff_note,
        }
        told = await talk.tell(replies.CancelData, queries.CANCEL, variables)
        errors = told.order_cancel.order_cancel_user_errors
        try:
            return await self._await_cancellation(wanted.order_id, talk, patient=not errors) or refusal(
                errors
            )
        except Ended as ended:
            return Unknown(
                reason=f"the cancellation was asked for, its end is not known: {ended.outcome.reason}"
            )

    async def _await_cancellation(self, order_id: str, talk: Talk, *, patient: bool) -> Outcome | None:
        """Shopify cancels in a job of its own; None where it said no and the order indeed stands."""
        for pause in (0.0, *POLL_SECONDS) if patient else (0.0,):
            await asyncio.sleep(pause)
            order = await talk.order(queries.ORDER_STATE, order_id)
            if order.cancelled_at:
                return _cancelled(order)
        return Unknown(reason="Shopify is still cancelling the order") if patient else None


def _fulfilled(shipped: replies.Shipped) -> Done:
    return Done(document=shipped.name, receipt=FulfilmentCreated(shipped.name))


def _cancelled(order: replies.Order) -> Done:
    return Done(document=order.name, receipt=FulfilmentCancelled(order.name))
