"""The twin's shop: orders, stock and cancellations in its books, and the webhooks that tell of them."""

import base64
import hashlib
import hmac
import json
import random
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from crossdock.connect.twin import Twin

FIRST_ORDER_ID: Final = 2**53 + 1
"""The first number that a float cannot hold."""
FIRST_LINE_ID: Final = 14_000_000_000_001
FIRST_RETURN_ID: Final = 945_000_000
FIRST_CUSTOMER_ID: Final = 7_200_000_000_001
FIRST_ITEM_ID: Final = 45_000_000_000_001
STORM_COPIES: Final = 3
RETRIES_MAX: Final = 8
DELAY_SECONDS: Final = (0.4, 3.0)
PERSON: Final = {
    "first_name": "Toni",
    "last_name": "Muster",
    "email": "toni.muster@example.com",
    "phone": "+49 30 5550100",
    "address1": "Probeweg 1",
    "city": "Berlin",
    "zip": "10115",
    "country_code": "DE",
}


def now() -> str:
    """Shopify's times have whole seconds and an offset."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


class Shop:
    """One shop's behaviour. All it knows is in the books; whoever writes opens `books.change()` first."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.books = twin.books
        self._random = random.Random(twin.setup.seed)  # mischief that can be repeated
        twin.every_tick(self._repair_signatures)
        twin.every_tick(self._run_jobs)
        twin.every_tick(self._give_up)

    def reference(self, order: Mapping[str, Any]) -> str:
        return f"{self.twin.setup.system}/{order['id']}"

    def order(self, number: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.books.get("order", number)
        return found

    def product(self, sku: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.books.get("product", sku)
        return found

    def set_product(self, sku: str, price: str, title: str) -> dict[str, Any]:
        product = self.product(sku) or {"item": self.books.next_number("item", FIRST_ITEM_ID), "available": 0}
        product |= {"price": price, "title": title}
        self.books.put("product", sku, product)
        self.books.put("item", str(product["item"]), sku)
        return product

    def place(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Take an order; what is sold leaves `available` at once, because Shopify commits it."""
        number = self.books.next_number("order_number", 1001)
        customer = {**PERSON, **(wish.get("customer") or {})}
        customer.setdefault("id", self.books.next_number("customer", FIRST_CUSTOMER_ID))
        order = {
            "id": self.books.next_number("order", FIRST_ORDER_ID),
            "name": f"#{number}",
            "order_number": number,
            "currency": wish.get("currency", "EUR"),
            "customer": customer,
            "express": bool(wish.get("express")),
            "tags": wish.get("tags", ""),
            "attributes": dict(wish.get("attributes") or {}),
            "lines": [self._line(line) for line in wish["lines"]],
            "created_at": now(),
            "updated_at": now(),
            "cancelled_at": None,
            "cancel_reason": None,
            "fulfilments": [],
        }
        self.move_available(order, -1)
        self.save(order)
        self.books.journal("order.placed", self.reference(order), order["name"])
        self.announce(order, "orders/create", hold_seconds=float(wish.get("hold_seconds", 0)))
        return order

    def _line(self, line: Mapping[str, Any]) -> dict[str, Any]:
        sku = str(line["sku"])
        product = self.product(sku) or {}
        return {
            "id": self.books.next_number("line", FIRST_LINE_ID),
            "sku": sku,
            "quantity": int(line["quantity"]),
            "open": int(line["quantity"]),
            "price": str(line.get("price") or product.get("price") or "0.00"),
            "title": str(line.get("title") or product.get("title") or sku),
        }

    def move_available(self, order: Mapping[str, Any], sign: int) -> None:
        """Commit (-1) or restock (+1) what is still open of an order."""
        for line in order["lines"]:
            product = self.product(line["sku"])
            if product:
                product["available"] += sign * line["open"]
                self.books.put("product", line["sku"], product)

    def save(self, order: dict[str, Any]) -> None:
        self.books.put("order", str(order["id"]), order)

    def cancel(self, order: dict[str, Any], reason: str, *, effect: str) -> None:
        """Cancel and restock; `effect` says on whose wish, for the journal."""
        order |= {"cancelled_at": now(), "updated_at": now(), "cancel_reason": reason}
        self.move_available(order, +1)
        self.save(order)
        self.books.journal(effect, self.reference(order), order["name"], {"reason": reason})
        self.announce(order, "orders/cancelled")
        self.announce(order, "orders/updated")

    def edit(self, order: dict[str, Any], wish: Mapping[str, Any]) -> None:
        """Other quantities (0 takes a line off), more lines, another address; what is open of a line follows."""
        self.move_available(order, +1)
        for line in order["lines"]:
            if line["sku"] in wish.get("quantities", {}):
                wanted = int(wish["quantities"][line["sku"]])
                line.setdefault("first", line["quantity"])
                line["open"] += wanted - line.get("current", line["quantity"])
                line["current"] = wanted
                line["quantity"] = max(line["quantity"], wanted)
        added = [self._line(line) for line in wish.get("lines", [])]
        order["lines"] += [line | {"first": 0, "current": line["quantity"]} for line in added]
        order["customer"] |= wish.get("customer", {})
        order["updated_at"] = now()
        self.move_available(order, -1)
        self.save(order)
        self.books.journal("order.changed", self.reference(order), order["name"])
        self.announce(order, "orders/updated")

    def send_back(self, order: dict[str, Any], wish: Mapping[str, int]) -> dict[str, Any]:
        """The merchant approves that so much (SKU → pieces) comes back."""
        nth = self.books.next_number(f"returns of {order['id']}")
        made = {
            "id": self.books.next_number("return", FIRST_RETURN_ID), "order": order["id"], "name": f"{order['name']}-R{nth}",
            "lines": [
                {"id": self.books.next_number("return line", FIRST_RETURN_ID), "line": line["id"], "quantity": wish[line["sku"]]}
                for line in order["lines"] if line["sku"] in wish
            ],
        }  # fmt: skip
        self.books.put("return", str(made["id"]), made)
        self.books.journal("return.approved", self.reference(order), made["name"], dict(wish))
        self._queue_document(return_document(made, "open"), "returns/approve", self.reference(order))
        return made

    def keep_after_all(self, made: Mapping[str, Any]) -> None:
        """The return is cancelled."""
        order = self.order(str(made["order"]))
        self._queue_document(
            return_document(made, "canceled"), "returns/cancel", self.reference(order or made)
        )

    def announce(self, order: Mapping[str, Any], topic: str, *, hold_seconds: float = 0.0) -> None:
        """Queue the webhook of a change, with whatever mischief is switched on."""
        hits = self.twin.quirks.hits
        delay = hold_seconds + (self._random.uniform(*DELAY_SECONDS) if hits("reordered_webhook") else 0.0)
        copies = self._random.randint(2, 4) if hits("duplicate_webhook") else 1
        self._queue(order, topic, delay=delay, copies=copies, stale=hits("stale_signature"))
        if hits("update_storm"):
            for _ in range(STORM_COPIES):
                self._queue(order, "orders/updated", delay=hold_seconds)

    def _queue(
        self,
        order: Mapping[str, Any],
        topic: str,
        *,
        delay: float = 0.0,
        copies: int = 1,
        stale: bool = False,
    ) -> None:
        self._queue_document(
            order_document(order), topic, self.reference(order), delay=delay, copies=copies, stale=stale
        )

    def _queue_document(
        self, document: Mapping[str, Any], topic: str, reference: str, *, delay: float = 0.0, copies: int = 1, stale: bool = False
    ) -> None:  # fmt: skip
        """Copies are rows of their own: the outbox sends due rows at the same time."""
        body = json.dumps(document).encode()
        event = str(uuid.uuid4())
        setup = self.twin.setup
        headers = {
            "content-type": "application/json",
            "x-shopify-topic": topic,
            "x-shopify-event-id": event,
            "x-shopify-webhook-id": str(uuid.uuid4()),
            "x-shopify-shop-domain": f"{setup.system}.myshopify.com",
            "x-shopify-api-version": "2026-07",
            "x-shopify-triggered-at": datetime.now(UTC).isoformat(),
            "x-shopify-hmac-sha256": self._sign(body, stale=stale),
        }
        if stale:
            self.books.put("stale", event, {"signature": self._sign(body)})
        for _ in range(copies):
            self.books.call_back(
                topic=topic,
                reference=reference,
                source_id=event,
                url=f"{setup.hub_url}/v1/in/{setup.system}/webhooks",
                headers=headers,
                body=body,
                delay_seconds=delay,
            )

    def _sign(self, body: bytes, *, stale: bool = False) -> str:
        secret = self.twin.setup.secrets["webhook_secret"] + ("-before-last" if stale else "")
        return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()

    async def _repair_signatures(self) -> None:
        """After its first refusal a stale delivery is signed rightly, as a redelivery by Shopify would be."""
        for event, right in self.books.all("stale"):
            rows = self.books.rows("select id, headers from outbox where source_id = ? and tries > 0", event)
            if not rows:
                continue
            with self.books.change():
                for row, headers in self.books.rows(
                    "select id, headers from outbox where source_id = ?", event
                ):
                    repaired = json.loads(headers) | {"x-shopify-hmac-sha256": right["signature"]}
                    self.books.write("update outbox set headers = ? where id = ?", json.dumps(repaired), row)
                self.books.remove("stale", event)

    async def _give_up(self) -> None:
        """A delivery that failed nine times is never sent again."""
        rows = self.books.rows(
            "select id, source_id, topic from outbox where status is null and tries > ?",
            0 if self.twin.quirks.hits("gives_up") else RETRIES_MAX,
        )
        if not rows:
            return
        with self.books.change():
            for row, event, topic in rows:
                self.books.write("delete from outbox where id = ?", row)
                self.books.put("failed", f"{event}/{row}", {"topic": topic})

    async def _run_jobs(self) -> None:
        """Cancellations asked for over the API are carried out a little later, as in Shopify."""
        for key, job in self.books.all("job"):
            if job["due"] > time.time():
                continue
            with self.books.change():
                order = self.order(job["order"])
                if order and not order["cancelled_at"]:
                    self.cancel(order, job["reason"].lower(), effect="order.cancel")
                self.books.remove("job", key)


def order_document(order: Mapping[str, Any]) -> dict[str, Any]:
    """The order as webhooks carry it (a selection of the documented fields)."""
    customer = order["customer"]
    total = sum(
        (Decimal(line["price"]) * line.get("current", line["quantity"]) for line in order["lines"]),
        Decimal(0),
    )
    address = {
        "first_name": customer["first_name"],
        "last_name": customer["last_name"],
        "name": f"{customer['first_name']} {customer['last_name']}",
        "company": customer.get("company"),
        "address1": customer["address1"],
        "address2": customer.get("address2"),
        "city": customer["city"],
        "zip": customer["zip"],
        "country_code": customer["country_code"],
        "province_code": customer.get("province_code"),
        "phone": customer["phone"],
    }
    code = "Express" if order["express"] else "Standard"
    return {
        "id": order["id"],
        "admin_graphql_api_id": f"gid://shopify/Order/{order['id']}",
        "name": order["name"],
        "order_number": order["order_number"],
        "created_at": order["created_at"],
        "updated_at": order["updated_at"],
        "cancelled_at": order["cancelled_at"],
        "cancel_reason": order["cancel_reason"],
        "currency": order["currency"],
        "total_price": f"{total:f}",
        "financial_status": "paid",
        "fulfillment_status": None,
        "email": customer["email"],
        "phone": customer["phone"],
        "tags": order["tags"],
        "note_attributes": [
            {"name": name, "value": value} for name, value in order.get("attributes", {}).items()
        ],
        "test": True,
        "customer": {key: customer[key] for key in ("id", "email", "first_name", "last_name", "phone")},
        "shipping_address": address,
        "billing_address": address,
        "shipping_lines": [{"code": code, "title": code, "price": "0.00", "source": "shopify"}],
        "line_items": [_line_document(line) for line in order["lines"]],
    }


def _line_document(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": line["id"],
        "sku": line["sku"],
        "quantity": line["quantity"],
        "current_quantity": line.get("current", line["quantity"]),
        "fulfillable_quantity": line["open"],
        "price": line["price"],
        "title": line["title"],
        "name": line["title"],
        "requires_shipping": True,
        "gift_card": False,
        "taxable": True,
    }


def return_document(made: Mapping[str, Any], status: str) -> dict[str, Any]:
    """What the webhooks of a return carry."""
    lines = [
        {
            "id": line["id"], "admin_graphql_api_id": f"gid://shopify/ReturnLineItem/{line['id']}", "quantity": line["quantity"],
            "return_reason": "SIZE_TOO_SMALL", "return_reason_note": "", "customer_note": None,
            "fulfillment_line_item": {"id": line["line"], "line_item": {"id": line["line"]}},
        }
        for line in made["lines"]
    ]  # fmt: skip
    return {
        "id": made["id"], "admin_graphql_api_id": f"gid://shopify/Return/{made['id']}", "status": status, "name": made["name"],
        "total_return_line_items": len(lines), "order": {"id": made["order"]}, "return_line_items": lines,
    }  # fmt: skip
