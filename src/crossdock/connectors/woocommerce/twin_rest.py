"""The twin's REST API v3: the routes that the connector uses, with WooCommerce's own refusals."""

import asyncio
import hmac
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from crossdock.connect.twin import Twin, lose_answer
from crossdock.connectors.woocommerce.requests import SHIPMENT_KEY
from crossdock.connectors.woocommerce.twin_shop import WEBHOOK_ID, Shop, order_document

API: Final = "/wp-json/wc/v3"
SLOW_SECONDS: Final = 2.0
STATUSES: Final = (
    "pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "trash",
)  # fmt: skip
WEBHOOK_STATUSES: Final = ("active", "paused", "disabled")
PAGE_MAX: Final = 100
NUMBER_MAX: Final = 10**6
Tree = dict[str, Any]
Change = Callable[[web.Request, Tree], Tree]


class Refusal(Exception):
    """An error of the API, in its form."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "data": {"status": status}}


def _invalid(name: str) -> Refusal:
    return Refusal(400, "rest_invalid_param", f"Invalid parameter(s): {name}")


def _number(asked: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = asked.get(name, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise _invalid(name)
    return int(text)


def _instant(text: str, name: str) -> str:
    """As the shop writes times: without offset."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None, microsecond=0).isoformat()
    except ValueError:
        raise _invalid(name) from None


def routes(twin: Twin, shop: Shop) -> list[web.RouteDef]:
    rest = _Rest(shop)
    return [
        web.get(f"{API}/orders", _question(twin, rest.orders)),
        web.get(f"{API}/orders/{{id}}", _question(twin, rest.order)),
        web.put(f"{API}/orders/{{id}}", _change(twin, rest.change_order)),
        web.get(f"{API}/webhooks", _question(twin, rest.webhooks)),
        web.put(f"{API}/webhooks/{{id}}", _change(twin, rest.change_webhook)),
        web.get(f"{API}/products", _question(twin, rest.products)),
        web.put(f"{API}/products/{{id}}", _change(twin, rest.change_product)),
        web.put(f"{API}/products/{{parent}}/variations/{{id}}", _change(twin, rest.change_product)),
    ]


def _question(
    twin: Twin, answer: Callable[[web.Request], Any]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def respond(request: web.Request) -> web.StreamResponse:
        stopped = _stopped(twin, request)
        if stopped is not None:
            return stopped
        try:
            return web.json_response(answer(request))
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)

    return respond


def _change(twin: Twin, change: Change) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def respond(request: web.Request) -> web.StreamResponse:
        stopped = _stopped(twin, request)
        if stopped is not None:
            return stopped
        try:
            given = await request.json()
            with twin.books.change():
                found = change(request, given)
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        hits = twin.quirks.hits
        if hits("answer_lost"):
            return await lose_answer(request)
        if hits("slow"):
            await asyncio.sleep(SLOW_SECONDS)
        if hits("chatty_plugin"):
            return web.Response(
                text="<b>Warning</b>: Undefined array key in a plugin", content_type="text/html"
            )
        return web.json_response(found)

    return respond


def _stopped(twin: Twin, request: web.Request) -> web.Response | None:
    """What stops a request before anything is done."""
    if twin.quirks.hits("unavailable"):
        return web.Response(
            status=503, text="Briefly unavailable for maintenance.", headers={"Retry-After": "1"}
        )
    if twin.quirks.hits("throttle_429"):
        return web.Response(status=429, text="Too Many Requests", headers={"Retry-After": "2"})
    secrets = twin.setup.secrets
    pair = f"{secrets['consumer_key']}:{secrets['consumer_secret']}"
    wanted = "Basic " + b64encode(pair.encode()).decode()
    if not hmac.compare_digest(request.headers.get("authorization", "").encode(), wanted.encode()):
        refusal = Refusal(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
        return web.json_response(refusal.body, status=refusal.status)
    return None


class _Rest:
    """Questions and changes over one shop; changes run inside `books.change()`."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def orders(self, request: web.Request) -> list[Tree]:
        """`modified_after` is exclusive, and in the shop's own time unless `dates_are_gmt`; deleted ones are gone."""
        asked = request.query
        count, page = _number(asked, "per_page", 10, PAGE_MAX), _number(asked, "page", 1, NUMBER_MAX)
        found = [order_document(order) for _, order in self._shop.books.all("order")]
        if after := asked.get("modified_after"):
            field = "date_modified_gmt" if asked.get("dates_are_gmt") == "true" else "date_modified"
            found = [x for x in found if x[field] > _instant(after, "modified_after")]
        by = {"date": "date_created_gmt", "modified": "date_modified_gmt", "id": "id"}.get(
            asked.get("orderby", "date")
        )
        if by is None:
            raise _invalid("orderby")
        found.sort(key=lambda x: (x[by], x["id"]), reverse=asked.get("order", "desc") == "desc")
        return found[(page - 1) * count : page * count]

    def webhooks(self, request: web.Request) -> list[Tree]:
        wanted = request.query.get("status", "all")
        if wanted not in ("all", *WEBHOOK_STATUSES):
            raise _invalid("status")
        webhook = self._webhook()
        return [webhook] if wanted in ("all", webhook["status"]) else []

    def _webhook(self) -> Tree:
        setup = self._shop.twin.setup
        return {
            "id": WEBHOOK_ID, "name": "Crossdock", "status": self._shop.webhook()["status"], "topic": "order.updated",
            "delivery_url": f"{setup.hub_url}/v1/in/{setup.system}/webhooks",
        }  # fmt: skip

    def change_webhook(self, request: web.Request, given: Tree) -> Tree:
        """Setting it active begins a new count of failures."""
        if request.match_info["id"] != str(WEBHOOK_ID):
            raise Refusal(404, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.")
        if given.get("status") not in WEBHOOK_STATUSES:
            raise _invalid("status")
        was = self._shop.webhook()["status"]
        self._shop.set_webhook({"status": given["status"], "failures": 0})
        if was != given["status"]:
            self._shop.books.journal(f"webhook.{given['status']}", str(WEBHOOK_ID), str(WEBHOOK_ID))
        return self._webhook()

    def order(self, request: web.Request) -> Tree:
        order = self._shop.order(request.match_info["id"])
        if order is None:
            raise Refusal(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")
        return order_document(order)

    def change_order(self, request: web.Request, given: Tree) -> Tree:
        """A custom field of a known name is written over; the webhook goes out whatever was changed."""
        order = self._shop.order(request.match_info["id"])
        if order is None:
            raise Refusal(400, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")
        status = given.get("status", order["status"])
        if status not in STATUSES:
            raise Refusal(400, "rest_invalid_param", "Invalid parameter(s): status")
        fields = {meta["key"]: meta["value"] for meta in given.get("meta_data", [])}
        self._journal(order, status, fields)
        order["meta"] = order.get("meta", {}) | fields
        self._shop.update(order, status)
        return order_document(order)

    def _journal(self, order: Tree, status: str, fields: Tree) -> None:
        books, reference = self._shop.books, self._shop.reference(order)
        for key, value in fields.items():
            if key.startswith(SHIPMENT_KEY):
                shipment = key.removeprefix(SHIPMENT_KEY)
                detail = {"tracking": value["tracking"], "status": status}
                books.journal("fulfilment.create", f"{shipment}|{reference}", order["number"], detail)
        if status == "cancelled":
            books.journal("order.cancel", reference, order["number"])

    def products(self, request: web.Request) -> list[Tree]:
        """`sku` may be a list with commas; variations are found as well."""
        wanted = request.query.get("sku", "").split(",")
        known = (self._shop.books.get("product", sku) for sku in wanted)
        return [product for product in known if product is not None]

    def change_product(self, request: web.Request, given: Tree) -> Tree:
        number, parent = int(request.match_info["id"]), int(request.match_info.get("parent", "0"))
        for sku, product in self._shop.books.all("product"):
            if product["id"] != number or product["parent_id"] != parent:
                continue
            product["stock_quantity"] = int(Decimal(given["stock_quantity"]))
            self._shop.books.put("product", sku, product)
            self._shop.books.journal(
                "availability.publish", sku, str(number), {"available": product["stock_quantity"]}
            )
            return dict(product)
        raise Refusal(400, "woocommerce_rest_product_invalid_id", "Invalid ID.")
