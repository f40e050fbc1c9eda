"""A Shopify shop as a server of its own: GraphQL Admin API in, signed webhooks out, and what demos do to it.

POST /_twin/orders               {"orders": [{"lines": [{"sku", "quantity", "price"}]}]} → [{"id", "name"}]
POST /_twin/orders/{id}/cancel   the customer cancels → {"id", "name"}
POST /_twin/orders/{id}/edit     {"quantities": {"SKU": n}, "lines": [...], "customer": {...}}  the customer changes it
POST /_twin/orders/{id}/return   {"quantities": {"SKU": n}}  the merchant approves a return → {"id", "name"}
POST /_twin/returns/{id}/cancel  it is cancelled → {"id", "name"}
GET  /_twin/orders               [{"id", "name", "fulfilment_status", "cancelled", "lines", "fulfilments"}]
PUT  /_twin/products             {"SKU": {"price", "title"}} → {"SKU": inventory item id}
GET  /_twin/inventory            {"SKU": available}
"""

import asyncio
import hmac
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from crossdock.connect.twin import Twin, lose_answer
from crossdock.connectors.shopify.queries import API_VERSION
from crossdock.connectors.shopify.twin_admin import Admin, status_of
from crossdock.connectors.shopify.twin_graphql import Problem, execute, parse
from crossdock.connectors.shopify.twin_orders import PATH, orders
from crossdock.connectors.shopify.twin_shop import Shop

SLOW_SECONDS: Final = 2.0
BUCKET: Final = {"maximumAvailable": 2000.0, "currentlyAvailable": 1988, "restoreRate": 100.0}


def build(twin: Twin) -> None:
    shop = Shop(twin)
    graphql = _graphql(twin, Admin(shop))

    async def listed(request: web.Request) -> web.StreamResponse:
        return _edge(twin) or orders(shop, request)

    twin.app.add_routes([
        web.post(f"/admin/api/{API_VERSION}/graphql.json", graphql), web.get(PATH, listed), *_demo_routes(shop),
    ])  # fmt: skip


def _graphql(twin: Twin, admin: Admin) -> Any:
    token = twin.setup.secrets["access_token"].encode()

    async def answer(request: web.Request) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get("x-shopify-access-token", "").encode(), token):
            return web.json_response({"errors": "[API] Invalid API key or access token"}, status=401)
        refused = _edge(twin)
        if refused is not None:
            return refused
        try:
            given = await request.json()
            operation = parse(str(given["query"]))
        except (ValueError, KeyError, TypeError) as error:
            return web.json_response(
                {"errors": {"query": f"Required parameter missing: {error}"}}, status=400
            )
        except Problem as problem:
            return _told({"errors": [problem.answer()]})
        writes = operation.kind == "mutation"
        try:
            with twin.books.change():
                data = execute(operation, given.get("variables") or {}, admin.resolvers())
        except Problem as problem:
            return _told({"errors": [problem.answer()]})
        if writes and twin.quirks.hits("answer_lost"):
            return await lose_answer(request)
        if writes and twin.quirks.hits("slow"):
            await asyncio.sleep(SLOW_SECONDS)
        return _told({"data": data})

    return answer


def _edge(twin: Twin) -> web.Response | None:
    """What stops a request before anything is done."""
    if twin.quirks.hits("unavailable"):
        return web.Response(status=503, text="Service Unavailable", headers={"Retry-After": "1"})
    if twin.quirks.hits("throttle_429"):
        return web.json_response({"errors": "Too many requests"}, status=429, headers={"Retry-After": "2.0"})
    if twin.quirks.hits("throttled"):
        error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
        return _told({"errors": [error]}, cost=112, bucket={**BUCKET, "currentlyAvailable": 12})
    return None


def _told(body: Mapping[str, Any], *, cost: int = 12, bucket: Mapping[str, Any] = BUCKET) -> web.Response:
    actual = cost if "data" in body else None
    costs = {"requestedQueryCost": cost, "actualQueryCost": actual, "throttleStatus": bucket}
    return web.json_response({**body, "extensions": {"cost": costs}})


def _demo_routes(shop: Shop) -> list[web.RouteDef]:
    books = shop.books

    async def place(request: web.Request) -> web.Response:
        wishes = (await request.json()).get("orders", [])
        if not all(wish.get("lines") for wish in wishes):
            raise web.HTTPUnprocessableEntity(text="every order needs lines")
        with books.change():
            orders = [shop.place(wish) for wish in wishes]
        return web.json_response([{"id": order["id"], "name": order["name"]} for order in orders])

    async def cancel(request: web.Request) -> web.Response:
        with books.change():
            order = shop.order(request.match_info["id"])
            if order is None:
                raise web.HTTPNotFound(text="no such order")
            if not order["cancelled_at"]:
                shop.cancel(order, "customer", effect="order.cancelRequested")
        return web.json_response({"id": order["id"], "name": order["name"]})

    async def edit(request: web.Request) -> web.Response:
        with books.change():
            order = shop.order(request.match_info["id"])
            if order is None:
                raise web.HTTPNotFound(text="no such order")
            shop.edit(order, await request.json())
        return web.json_response({"id": order["id"], "name": order["name"]})

    async def all_orders(_: web.Request) -> web.Response:
        return web.json_response([_shown(order) for _, order in books.all("order")])

    async def products(request: web.Request) -> web.Response:
        wished = await request.json()
        with books.change():
            made = {
                sku: shop.set_product(sku, str(wish.get("price", "0.00")), str(wish.get("title", sku)))
                for sku, wish in wished.items()
            }
        return web.json_response({sku: product["item"] for sku, product in made.items()})

    async def inventory(_: web.Request) -> web.Response:
        return web.json_response({sku: product["available"] for sku, product in books.all("product")})

    return [
        web.post("/_twin/orders", place),
        web.get("/_twin/orders", all_orders),
        web.post("/_twin/orders/{id}/cancel", cancel),
        web.post("/_twin/orders/{id}/edit", edit),
        *_return_routes(shop),
        web.put("/_twin/products", products),
        web.get("/_twin/inventory", inventory),
    ]


def _return_routes(shop: Shop) -> list[web.RouteDef]:
    books = shop.books

    async def send_back(request: web.Request) -> web.Response:
        with books.change():
            order = shop.order(request.match_info["id"])
            if order is None:
                raise web.HTTPNotFound(text="no such order")
            made = shop.send_back(order, (await request.json())["quantities"])
        return web.json_response({"id": made["id"], "name": made["name"]})

    async def keep_after_all(request: web.Request) -> web.Response:
        with books.change():
            made = books.get("return", request.match_info["id"])
            if made is None:
                raise web.HTTPNotFound(text="no such return")
            shop.keep_after_all(made)
        return web.json_response({"id": made["id"], "name": made["name"]})

    return [
        web.post("/_twin/orders/{id}/return", send_back),
        web.post("/_twin/returns/{id}/cancel", keep_after_all),
    ]


SHOWN: Final = ("id", "sku", "quantity", "open", "price", "first", "current")
"""Of a line; `first` and `current` where the customer edited the order."""


def _shown(order: Mapping[str, Any]) -> dict[str, Any]:
    skus = {line["id"]: line["sku"] for line in order["lines"]}
    fulfilments = [
        {
            "id": fulfilment["id"],
            "name": fulfilment["name"],
            "shipment": fulfilment["shipment"],
            "company": fulfilment["company"],
            "tracking": fulfilment["tracking"],
            "lines": [{**line, "sku": skus[line["line"]]} for line in fulfilment["lines"]],
        }
        for fulfilment in order["fulfilments"]
    ]
    return {
        "id": order["id"],
        "name": order["name"],
        "fulfilment_status": status_of(order).lower(),
        "cancelled": bool(order["cancelled_at"]),
        "cancel_reason": order["cancel_reason"],
        "lines": [{key: line[key] for key in SHOWN if key in line} for line in order["lines"]],
        "fulfilments": fulfilments,
    }
