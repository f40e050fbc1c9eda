"""The twin's shop: orders in its books, and webhooks tried once; five failures in a row disable them."""

import json
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import aiohttp
from aiohttp import web

from crossdock.connect.twin import Twin
from crossdock.connectors.woocommerce.signing import SIGNATURE_HEADER, signature

FAILURES_MAX: Final = 5
NEVER: Final = 10.0**9
"""The kit's own outbox repeats until it is answered; WooCommerce does not: our rows are never due for it."""
STORM_COPIES: Final = 3
HOLD_SECONDS: Final = 0.6
WEBHOOK_ID: Final = 535
SHOP_OFFSET: Final = timedelta(hours=-5)
PERSON: Final = {
    "first_name": "Toni", "last_name": "Muster", "email": "toni.muster@example.com",
    "phone": "+49 30 5550100", "address_1": "Probeweg 1", "city": "Berlin", "postcode": "10115", "country": "DE",
}  # fmt: skip


class Shop:
    """One shop's behaviour. All it knows is in the books; whoever writes opens `books.change()` first."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.books = twin.books
        self._random = random.Random(twin.setup.seed)  # mischief that can be repeated
        self._session: aiohttp.ClientSession | None = None
        twin.app.cleanup_ctx.insert(0, self._opened)
        twin.every_tick(self._deliver)

    async def _opened(self, _: web.Application) -> Any:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5, sock_connect=1))
        yield
        await self._session.close()

    def webhook(self) -> dict[str, Any]:
        found: dict[str, Any] = self.books.get("webhook", "orders") or {"status": "active", "failures": 0}
        return found

    def set_webhook(self, state: Mapping[str, Any]) -> None:
        self.books.put("webhook", "orders", state)

    def order(self, number: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.books.get("order", number)
        return found

    def place(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        number = self.books.next_number("order", 2001)
        order = {
            "id": number,
            "number": str(number),
            "status": wish.get("status", "processing"),
            "currency": wish.get("currency", "EUR"),
            "customer_id": int(wish.get("customer_id", 0)),
            "person": {**PERSON, **(wish.get("customer") or {})},
            "express": bool(wish.get("express")),
            "meta": dict(wish.get("meta") or {}),
            "lines": [
                {
                    "id": self.books.next_number("line", 1),
                    "sku": str(line["sku"]),
                    "name": str(line.get("title", line["sku"])),
                    "quantity": int(line["quantity"]),
                    "price": str(line.get("price", "0.00")),
                }
                for line in wish["lines"]
            ],
            "created": _now(),
            "modified": _now(),
        }  # fmt: skip
        self.books.put("order", str(number), order)
        self.books.journal("order.placed", self.reference(order), order["number"])
        first = self.twin.quirks.hits("updated_first")
        self._announce(order, "order.created", hold_seconds=HOLD_SECONDS if first else 0.0)
        if first:
            self._announce(order, "order.updated")
        return order

    def cancel(self, order: dict[str, Any]) -> None:
        self.books.journal("order.cancelRequested", self.reference(order), order["number"])
        self.update(order, "cancelled")

    def update(self, order: dict[str, Any], status: str) -> None:
        order |= {"status": status, "modified": _now()}
        self.books.put("order", str(order["id"]), order)
        self._announce(order, "order.updated")

    def set_product(self, sku: str, *, variation: bool) -> dict[str, Any]:
        """A product of its own, or the variation of one."""
        product = self.books.get("product", sku) or {
            "id": self.books.next_number("product", 301), "sku": sku, "stock_quantity": None,
            "type": "variation" if variation else "simple",
            "parent_id": self.books.next_number("product", 301) if variation else 0,
        }  # fmt: skip
        self.books.put("product", sku, product)
        found: dict[str, Any] = product
        return found

    def delete(self, order: dict[str, Any]) -> None:
        self.books.remove("order", str(order["id"]))
        self.books.journal("order.cancelRequested", self.reference(order), order["number"], {"deleted": True})
        self._announce(order, "order.deleted")

    def reference(self, order: Mapping[str, Any]) -> str:
        return f"{self.twin.setup.system}/{order['id']}"

    def _announce(self, order: Mapping[str, Any], topic: str, *, hold_seconds: float = 0.0) -> None:
        """A disabled webhook queues nothing: what happens meanwhile the hub never hears."""
        if self.webhook()["status"] != "active":
            return
        hits = self.twin.quirks.hits
        if hits("lost_delivery"):
            return
        self._queue(order, topic, hold_seconds=hold_seconds, stale=hits("stale_signature"))
        if topic != "order.deleted" and hits("update_storm"):
            for _ in range(STORM_COPIES):
                self._queue(order, "order.updated")

    def _queue(
        self, order: Mapping[str, Any], topic: str, *, hold_seconds: float = 0.0, stale: bool = False
    ) -> None:
        document = {"id": order["id"]} if topic == "order.deleted" else order_document(order)
        body = json.dumps(document).encode()
        setup = self.twin.setup
        delivery = f"{self.books.next_number('delivery', 1)}-{self._random.randrange(2**32):08x}"
        secret = setup.secrets["webhook_secret"] + ("-before-last" if stale else "")
        self.books.call_back(
            topic=topic, reference=self.reference(order), source_id=delivery,
            url=f"{setup.hub_url}/v1/in/{setup.system}/webhooks",
            headers={
                "content-type": "application/json", "x-wc-webhook-source": f"https://{setup.system}.example/",
                "x-wc-webhook-topic": topic, "x-wc-webhook-resource": "order",
                "x-wc-webhook-event": topic.partition(".")[2], "x-wc-webhook-id": str(WEBHOOK_ID),
                "x-wc-webhook-delivery-id": delivery, SIGNATURE_HEADER: signature(secret, body),
            },
            body=body, delay_seconds=NEVER + hold_seconds,
        )  # fmt: skip

    async def _deliver(self) -> None:
        """Each due row goes out once. Success is 2xx, 301 or 302; five failures in a row disable it."""
        rows = self.books.rows(
            "select id, topic, url, headers, body, source_id from outbox where status is null and due <= ?"
            " order by due limit 8",
            time.time() + NEVER,
        )
        for row, topic, url, headers, body, delivery in rows:
            status = await self._post(url, json.loads(headers), body)
            good = 200 <= status < 300 or status in (301, 302)
            with self.books.change():
                if good:
                    self.books.write("update outbox set status = ?, tries = 1 where id = ?", status, row)
                else:
                    self.books.write("delete from outbox where id = ?", row)
                    self.books.put("failed", delivery, {"topic": topic, "status": status})
                failures = 0 if good else self.webhook()["failures"] + 1
                before = self.webhook()["status"]
                state = "disabled" if failures >= FAILURES_MAX else before
                self.set_webhook({"status": state, "failures": failures})
                if state != before:
                    self.books.journal("webhook.disabled", str(WEBHOOK_ID), str(WEBHOOK_ID))

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        assert self._session is not None
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0


def _now() -> str:
    """`_gmt` fields have whole seconds and no offset."""
    return datetime.now(UTC).replace(microsecond=0, tzinfo=None).isoformat()


def _local(gmt: str) -> str:
    """The same moment by the shop's own clock, in the form that does not say so."""
    return (datetime.fromisoformat(gmt) + SHOP_OFFSET).isoformat()


def order_document(order: Mapping[str, Any]) -> dict[str, Any]:
    """The order as webhooks carry it (a selection of the documented fields)."""
    total = sum((Decimal(line["price"]) * line["quantity"] for line in order["lines"]), Decimal(0))
    person = order["person"]
    return {
        "id": order["id"],
        "number": order["number"],
        "order_key": f"wc_order_{order['id']}",
        "status": order["status"],
        "currency": order["currency"],
        "total": str(total),
        "customer_id": order["customer_id"],
        "date_created_gmt": order["created"],
        "date_modified": _local(order["modified"]),
        "date_modified_gmt": order["modified"],
        "billing": person,
        "shipping": {key: value for key, value in person.items() if key not in ("email", "phone")},
        "payment_method": "bacs",
        "meta_data": [{"key": key, "value": value} for key, value in order.get("meta", {}).items()],
        "line_items": [{**line, "price": float(line["price"])} for line in order["lines"]],
        "shipping_lines": [
            {"method_id": "flat_rate", "method_title": "Express" if order["express"] else "Flat rate"}
        ],
    }
