"""The twin's REST API v3: the routes that the connector uses, with WooCommerce's own refusals."""

import asyncio
import hmac
from base64 import b64encode
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from crossdock.connect.twin import Twin, lose_answer
from crossdock.connectors.woocommerce.requests import SHIPMENT_KEY
from crossdock.connectors.woocommerce.twin_shop import Shop, order_document

API: Final = "/wp-json/wc/v3"
SLOW_SECONDS: Final = 2.0
STATUSES: Final = (
    "pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "trash",
)  # fmt: skip
Tree = dict[str, Any]
Change = Callable[[web.Request, Tree], Tree]


class Refusal(Exception):
    """An error of the API, in its form."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "data": {"status": status}}


def routes(twin: Twin, shop: Shop) -> list[web.RouteDef]:
    rest = _Rest(shop)
    return [
        web.get(f"{API}/orders", _question(twin, rest.orders)),
        web.get(f"{API}/orders/{{id}}", _question(twin, rest.order)),
        web.put(f"{API}/orders/{{id}}", _change(twin, rest.change_order)),
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
        count = int(request.query.get("per_page", "10"))
        return [order_document(order) for _, order in self._shop.books.all("order")][:count]

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
