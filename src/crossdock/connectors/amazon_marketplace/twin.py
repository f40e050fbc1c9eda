"""Amazon as a server of its own: buyers order, notifications tell the hub, the Selling Partner API answers and takes changes.

POST /_twin/orders                {"orders": [{"lines": [{"sku", "quantity", "price"}], "pending", "afn"}]} → [{"id"}]
POST /_twin/orders/{id}/pay       a pending order is settled → {"id"}
POST /_twin/orders/{id}/cancel    Amazon cancels it for its buyer → {"id"}
POST /_twin/orders/{id}/dispatch  Amazon ships an order of its own warehouse (afn) → {"id"}
POST /_twin/orders/{id}/ask       the buyer asks the seller to cancel → {"id"}
GET  /_twin/orders                [{"id", "status", "lines", "packages"}]
PUT  /_twin/listings              {"SKU": {"quantity": 5}}  quantity null: never told, sells whatever is asked for
GET  /_twin/listings              {"SKU": quantity shown to buyers}
PUT  /_twin/plans                 {"getOrders": [rate per second, burst]}  a seller's own plan
"""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from crossdock.connect.twin import Twin
from crossdock.connectors.amazon_marketplace.twin_api import Api
from crossdock.connectors.amazon_marketplace.twin_market import Market, OutOfStock


def build(twin: Twin) -> None:
    market = Market(twin)
    api = Api(twin, market)
    twin.every_tick(market.process_listings)
    twin.app.add_routes([*_buyers_routes(market), *_sellers_routes(market, api), *api.routes()])


def _buyers_routes(market: Market) -> list[web.RouteDef]:
    """What buyers do."""
    books = market.books

    async def place(request: web.Request) -> web.Response:
        wishes = (await request.json()).get("orders", [])
        if not all(wish.get("lines") for wish in wishes):
            raise web.HTTPUnprocessableEntity(text="every order needs lines")
        try:
            with books.change():
                orders = [market.place(wish) for wish in wishes]
        except OutOfStock as error:
            raise web.HTTPConflict(text=str(error)) from None
        return web.json_response([{"id": order["id"]} for order in orders])

    def moved(step: Callable[[dict[str, Any]], None]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            with books.change():
                order = market.order(request.match_info["id"])
                if order is None:
                    raise web.HTTPNotFound(text="no such order")
                step(order)
            return web.json_response({"id": order["id"]})

        return handle

    async def orders(_: web.Request) -> web.Response:
        names = ("id", "status", "lines", "packages")
        return web.json_response([{name: order[name] for name in names} for _, order in books.all("order")])

    return [
        web.post("/_twin/orders", place), web.get("/_twin/orders", orders),
        web.post("/_twin/orders/{id}/pay", moved(market.pay)),
        web.post("/_twin/orders/{id}/cancel", moved(market.cancel)),
        web.post("/_twin/orders/{id}/ask", moved(market.ask_to_cancel)),
        web.post("/_twin/orders/{id}/dispatch", moved(market.dispatch)),
    ]  # fmt: skip


def _sellers_routes(market: Market, api: Api) -> list[web.RouteDef]:
    """What the seller's staff do in Seller Central, and what Amazon grants him."""

    async def set_listings(request: web.Request) -> web.Response:
        wished = await request.json()
        with market.books.change():
            for sku, wish in wished.items():
                market.set_listing(sku, wish.get("quantity"))
        return await listings(request)

    async def listings(_: web.Request) -> web.Response:
        return web.json_response({sku: x["quantity"] for sku, x in market.books.all("listing")})

    async def set_plans(request: web.Request) -> web.Response:
        for operation, (rate, burst) in (await request.json()).items():
            api.set_plan(operation, float(rate), int(burst))
        return web.json_response({})

    return [
        web.put("/_twin/listings", set_listings), web.get("/_twin/listings", listings), web.put("/_twin/plans", set_plans),
    ]  # fmt: skip
