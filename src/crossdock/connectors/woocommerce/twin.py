"""A WooCommerce shop as a server of its own: customers order, signed webhooks tell the hub, the REST API takes changes.

POST   /_twin/orders              {"orders": [{"lines": [{"sku", "quantity", "price"}]}]} → [{"id", "number"}]
POST   /_twin/orders/{id}/cancel  → {"id", "number"}
DELETE /_twin/orders/{id}         → {"id", "number"}
GET    /_twin/orders              [{"id", "number", "status", "lines", "fields"}]
PUT    /_twin/products            {"SKU": {"variation": false}}
GET    /_twin/products            {"SKU": stock or null}
GET    /_twin/webhook             {"status": "active" | "disabled", "failures": n}
PUT    /_twin/webhook             {"status": "active"}  what an administrator does after five failures
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from crossdock.connect.twin import Twin
from crossdock.connectors.woocommerce.twin_rest import routes
from crossdock.connectors.woocommerce.twin_shop import Shop


def build(twin: Twin) -> None:
    shop = Shop(twin)
    twin.app.add_routes([*_order_routes(shop), *_settings_routes(shop), *routes(twin, shop)])


def _order_routes(shop: Shop) -> list[web.RouteDef]:
    """What customers do."""
    books = shop.books

    async def place(request: web.Request) -> web.Response:
        wishes = (await request.json()).get("orders", [])
        if not all(wish.get("lines") for wish in wishes):
            raise web.HTTPUnprocessableEntity(text="every order needs lines")
        with books.change():
            orders = [shop.place(wish) for wish in wishes]
        return web.json_response([_named(order) for order in orders])

    async def cancel(request: web.Request) -> web.Response:
        with books.change():
            order = _known(shop, request)
            if order["status"] != "cancelled":
                shop.cancel(order)
        return web.json_response(_named(order))

    async def delete(request: web.Request) -> web.Response:
        with books.change():
            order = _known(shop, request)
            shop.delete(order)
        return web.json_response(_named(order))

    async def orders(_: web.Request) -> web.Response:
        shown = [
            {
                **_named(order),
                "status": order["status"],
                "lines": order["lines"],
                "fields": order.get("meta", {}),
            }
            for _, order in books.all("order")
        ]
        return web.json_response(shown)

    return [
        web.post("/_twin/orders", place), web.get("/_twin/orders", orders),
        web.post("/_twin/orders/{id}/cancel", cancel), web.delete("/_twin/orders/{id}", delete),
    ]  # fmt: skip


def _settings_routes(shop: Shop) -> list[web.RouteDef]:
    """What the shop's staff do."""
    books = shop.books

    async def set_products(request: web.Request) -> web.Response:
        wished = await request.json()
        with books.change():
            for sku, wish in wished.items():
                shop.set_product(sku, variation=bool(wish.get("variation")))
        return await products(request)

    async def products(_: web.Request) -> web.Response:
        return web.json_response({sku: product["stock_quantity"] for sku, product in books.all("product")})

    async def webhook(_: web.Request) -> web.Response:
        return web.json_response(shop.webhook())

    async def set_webhook(request: web.Request) -> web.Response:
        wished = (await request.json()).get("status")
        if wished not in ("active", "disabled"):
            raise web.HTTPUnprocessableEntity(text="status is active or disabled")
        with books.change():
            shop.set_webhook({"status": wished, "failures": 0})
        return web.json_response(shop.webhook())

    return [
        web.put("/_twin/products", set_products), web.get("/_twin/products", products),
        web.get("/_twin/webhook", webhook), web.put("/_twin/webhook", set_webhook),
    ]  # fmt: skip


def _known(shop: Shop, request: web.Request) -> dict[str, Any]:
    order = shop.order(request.match_info["id"])
    if order is None:
        raise web.HTTPNotFound(text="no such order")
    return order


def _named(order: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": order["id"], "number": order["number"]}
