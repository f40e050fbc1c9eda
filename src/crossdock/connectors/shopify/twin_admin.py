"""The twin's GraphQL Admin API: the root fields the connector uses, validated as Shopify does."""

import time
from collections.abc import Mapping
from typing import Any, Final

from crossdock.connectors.shopify.twin_graphql import Connection, Problem, Resolver
from crossdock.connectors.shopify.twin_shop import Shop, now

OFFSET: Final = 10**15
"""Fulfilment order ids are their order's plus this: near enough to follow, and never the same number."""
REASONS: Final = ("CUSTOMER", "DECLINED", "FRAUD", "INVENTORY", "OTHER", "STAFF")
SET_REASONS: Final = ("correction", "cycle_count_available", "other", "received", "restock", "safety_stock")
QUANTITY_MAX: Final = 1_000_000_000
PAGE_MAX: Final = 250
DEFAULT_LOCATION: Final = "gid://shopify/Location/1"
Arguments = Mapping[str, Any]
Tree = dict[str, Any]


def number_of(gid: str, kind: str) -> str:
    """`gid://shopify/Order/7` → `7`; anything else is an invalid id."""
    head, _, number = str(gid).rpartition("/")
    if head != f"gid://shopify/{kind}" or not number.isdigit():
        raise Problem(f"Invalid global id '{gid}'", "argumentLiteralsIncompatible")
    return number


class Admin:
    """Resolvers over one shop; mutations must run inside `books.change()`."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._books = shop.books
        setting = shop.twin.setup.settings.get("location_gid") or DEFAULT_LOCATION
        self._locations = [part.rpartition("=")[2].strip() for part in setting.split(",")]

    def resolvers(self) -> dict[str, Resolver]:
        return {
            "shop": lambda _a, _d: {"name": f"{self._shop.twin.setup.system} (twin)"},
            "location": self._location,
            "order": lambda a, _d: self._order_tree(self._shop.order(number_of(a["id"], "Order"))),
            "fulfillmentOrder": self._fulfilment_order,
            "inventoryItems": self._inventory_items,
            "fulfillmentCreate": self._fulfil,
            "inventorySetQuantities": self._set_quantities,
            "orderCancel": self._cancel,
        }

    def _location(self, arguments: Arguments, _: Arguments) -> Tree | None:
        gid = arguments["id"]
        return (
            {"id": gid, "name": f"Location {gid[-4:]}", "isActive": True} if gid in self._locations else None
        )

    def _order_tree(self, order: Tree | None) -> Tree | None:
        if order is None:
            return None
        return {
            "id": f"gid://shopify/Order/{order['id']}",
            "name": order["name"],
            "cancelledAt": order["cancelled_at"],
            "displayFulfillmentStatus": status_of(order),
            "fulfillments": [_fulfilment_tree(fulfilment) for fulfilment in order["fulfilments"]],
            "fulfillmentOrders": Connection([self._open_tree(order)]),
        }

    def _open_tree(self, order: Tree) -> Tree:
        is_open = not order["cancelled_at"] and any(line["open"] for line in order["lines"])
        lines = [
            {
                "id": f"gid://shopify/FulfillmentOrderLineItem/{line['id'] + OFFSET}",
                "remainingQuantity": line["open"],
                "totalQuantity": line["quantity"],
                "lineItem": {"id": f"gid://shopify/LineItem/{line['id']}", "sku": line["sku"]},
            }
            for line in order["lines"]
        ]
        return {
            "id": f"gid://shopify/FulfillmentOrder/{order['id'] + OFFSET}",
            "status": "OPEN" if is_open else "CLOSED",
            "assignedLocation": {"location": {"id": self._locations[0]}},
            "lineItems": Connection(lines),
        }

    def _fulfilment_order(self, arguments: Arguments, _: Arguments) -> Tree | None:
        order = self._shop.order(str(int(number_of(arguments["id"], "FulfillmentOrder")) - OFFSET))
        return self._open_tree(order) if order else None

    def _inventory_items(self, arguments: Arguments, _: Arguments) -> Connection:
        """Like Shopify's search: ignores case, and finds SKUs that begin with the words asked for."""
        wanted = str(arguments.get("query") or "").removeprefix("sku:").strip('"').replace('\\"', '"')
        found = self._books.rows(
            "select key from document where kind = 'product' and substr(key, 1, ?) = ? collate nocase",
            len(wanted),
            wanted,
        )
        items = [(sku, self._shop.product(sku) or {}) for (sku,) in found[:PAGE_MAX]]
        return Connection([
            {"id": f"gid://shopify/InventoryItem/{product['item']}", "sku": sku} for sku, product in items
        ])  # fmt: skip

    def _fulfil(self, arguments: Arguments, _: Arguments) -> Tree:
        given = arguments["fulfillment"]
        groups = given.get("lineItemsByFulfillmentOrder") or []
        if len(groups) != 1:
            return _fulfil_error("lineItemsByFulfillmentOrder", "Fulfillment orders must share one order.")
        number = str(int(number_of(groups[0]["fulfillmentOrderId"], "FulfillmentOrder")) - OFFSET)
        order = self._shop.order(number)
        if order is None:
            return _fulfil_error("lineItemsByFulfillmentOrder", "Fulfillment order does not exist.")
        if self._open_tree(order)["status"] != "OPEN":
            return _fulfil_error("", f"Fulfillment order {number} has an unfulfillable status= closed.")
        asked = {
            int(number_of(line["id"], "FulfillmentOrderLineItem")) - OFFSET: int(line["quantity"])
            for line in groups[0].get("fulfillmentOrderLineItems") or []
        } or {line["id"]: line["open"] for line in order["lines"] if line["open"]}
        open_lines = {line["id"]: line["open"] for line in order["lines"]}
        if any(quantity < 1 or quantity > open_lines.get(line, 0) for line, quantity in asked.items()):
            return _fulfil_error("", "Invalid fulfillment order line item quantity requested.")
        fulfilment = self._book_fulfilment(order, asked, given, str(arguments.get("message") or ""))
        return {"fulfillment": _fulfilment_tree(fulfilment), "userErrors": []}

    def _book_fulfilment(
        self, order: Tree, asked: Mapping[int, int], given: Arguments, shipment: str
    ) -> Tree:
        info = given.get("trackingInfo") or {}
        fulfilment = {
            "id": self._books.next_number("fulfilment", 5_100_000_000_001),
            "name": f"{order['name']}-F{len(order['fulfilments']) + 1}",
            "status": "SUCCESS",
            "created_at": now(),
            "company": info.get("company", ""),
            "tracking": [*(info.get("numbers") or ([info["number"]] if info.get("number") else []))],
            "shipment": shipment,
            "lines": [{"line": line, "quantity": quantity} for line, quantity in asked.items()],
        }
        for line in order["lines"]:
            line["open"] -= asked.get(line["id"], 0)
        order["fulfilments"].append(fulfilment)
        order["updated_at"] = now()
        self._shop.save(order)
        reference = f"{shipment}|{self._shop.reference(order)}"
        self._books.journal(
            "fulfilment.create", reference, fulfilment["name"], {"tracking": fulfilment["tracking"]}
        )
        self._shop.announce(order, "orders/updated")
        return fulfilment

    def _set_quantities(self, arguments: Arguments, directives: Arguments) -> Tree:
        """Absolute quantities. A repeated idempotency key gives the first answer again and sets nothing."""
        key = (directives.get("idempotent") or {}).get("key")
        if not key:
            raise Problem("The @idempotent directive is required for this mutation", "BAD_REQUEST")
        if earlier := self._books.get("idempotent", str(key)):
            return dict(earlier)
        given = arguments["input"]
        error = self._quantities_error(given)
        if error:
            return {"inventoryAdjustmentGroup": None, "userErrors": [error]}
        for quantity in given["quantities"]:
            self._set_one(quantity, given)
        group = self._books.next_number("adjustment", 900_001)
        answer = {
            "inventoryAdjustmentGroup": {
                "id": f"gid://shopify/InventoryAdjustmentGroup/{group}",
                "referenceDocumentUri": given.get("referenceDocumentUri"),
            },
            "userErrors": [],
        }
        self._books.put("idempotent", str(key), answer)
        return answer

    def _quantities_error(self, given: Arguments) -> Tree | None:
        if given.get("name") not in ("available", "on_hand"):
            return _error(
                "INVALID_NAME", ["input", "name"], "The quantity name must be available or on_hand."
            )
        if given.get("reason") not in SET_REASONS:
            return _error("INVALID_REASON", ["input", "reason"], "The reason is invalid.")
        for at, quantity in enumerate(given["quantities"]):
            path = ["input", "quantities", str(at)]
            if "changeFromQuantity" not in quantity:
                raise Problem(
                    "changeFromQuantity must be given, null opts out of the comparison", "BAD_REQUEST"
                )
            if not 0 <= quantity["quantity"] <= QUANTITY_MAX:
                return _error(
                    "INVALID_QUANTITY_NEGATIVE", [*path, "quantity"], "The quantity can't be negative."
                )
            if quantity["locationId"] not in self._locations:
                return _error(
                    "INVALID_LOCATION", [*path, "locationId"], "The specified location was not found."
                )
            sku, product = self._item(quantity["inventoryItemId"])
            if not sku:
                return _error(
                    "INVALID_INVENTORY_ITEM", [*path, "inventoryItemId"], "The inventory item was not found."
                )
            if quantity["changeFromQuantity"] not in (None, product["available"]):
                return _error("CHANGE_FROM_QUANTITY_STALE", path, "The quantity has changed meanwhile.")
        return None

    def _item(self, gid: str) -> tuple[str, Tree]:
        sku = str(self._books.get("item", number_of(gid, "InventoryItem")) or "")
        return sku, self._shop.product(sku) or {}

    def _set_one(self, quantity: Arguments, given: Arguments) -> None:
        sku, product = self._item(quantity["inventoryItemId"])
        product["available"] = quantity["quantity"]
        self._books.put("product", sku, product)
        detail = {"available": quantity["quantity"], "document": given.get("referenceDocumentUri")}
        self._books.journal("availability.publish", sku, quantity["inventoryItemId"], detail)

    def _cancel(self, arguments: Arguments, _: Arguments) -> Tree:
        """Only takes the wish; the shop's job carries it out."""
        order = self._shop.order(number_of(arguments["orderId"], "Order"))
        if arguments.get("reason") not in REASONS:
            raise Problem(f"Expected {arguments.get('reason')!r} to be one of: {', '.join(REASONS)}")
        if order is None:
            return _cancel_error("NOT_FOUND", ["orderId"], "Order does not exist")
        if order["cancelled_at"]:
            return _cancel_error("INVALID", ["orderId"], "Order has already been cancelled")
        if order["fulfilments"]:
            return _cancel_error("INVALID", ["orderId"], "Cannot cancel an order with fulfilled line items")
        key = str(order["id"])
        job = self._books.get("job", key)
        if job is None:
            job = {"id": self._books.next_number("job", 1), "order": key, "reason": arguments["reason"]}
            job["due"] = time.time() + self._shop.twin.setup.pace_seconds
            self._books.put("job", key, job)
        return {"job": {"id": f"gid://shopify/Job/{job['id']}", "done": False}, "orderCancelUserErrors": []}


def status_of(order: Mapping[str, Any]) -> str:
    if not order["fulfilments"]:
        return "UNFULFILLED"
    return "PARTIALLY_FULFILLED" if any(line["open"] for line in order["lines"]) else "FULFILLED"


def _fulfilment_tree(fulfilment: Mapping[str, Any]) -> Tree:
    infos = [{"number": number, "company": fulfilment["company"]} for number in fulfilment["tracking"]]
    gid = f"gid://shopify/Fulfillment/{fulfilment['id']}"
    return {"id": gid, "name": fulfilment["name"], "status": fulfilment["status"], "trackingInfo": infos}


def _error(code: str, field: list[str], message: str) -> Tree:
    return {"code": code, "field": field, "message": message}


def _fulfil_error(field: str, message: str) -> Tree:
    path = ["fulfillment", field] if field else ["fulfillment"]
    return {"fulfillment": None, "userErrors": [{"field": path, "message": message}]}


def _cancel_error(code: str, field: list[str], message: str) -> Tree:
    return {"job": None, "orderCancelUserErrors": [_error(code, field, message)]}
