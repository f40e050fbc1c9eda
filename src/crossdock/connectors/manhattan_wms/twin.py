"""The simulated WMS's services and control surface; the warehouse work is in `twin_floor`, the dock in `twin_dock`.

GET /_twin/orders       [{"reference", "status", "shipment", "shipments", "lines", "picked"}]
GET /_twin/shipments    [{"shipment", "status", "lines": [{"reference", "line", "item", "quantity"}]}]
GET /_twin/stock        {"SKU": {"quantity", "allocated", "lot", "unit"}}
PUT /_twin/stock        {"SKU": {"quantity": "1000", "lot": "", "unit": "UNIT", "serials": []}}  the difference becomes an event
PUT /_twin/recount      {"SKU": {"quantity": "95", "held": "0"}}  the books change and nobody is told
PUT /_twin/substitutes  {"SKU": "OTHER-SKU"}  what the quirk `substitute` packs instead
"""

import asyncio
import json
import re
import secrets
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from crossdock.connect.twin import Twin, lose_answer
from crossdock.connectors.manhattan_wms.client import SERVICES, UNKNOWN_ORDER
from crossdock.connectors.manhattan_wms.inventory import SERVICE as INVENTORY
from crossdock.connectors.manhattan_wms.twin_answers import No, decimal, reply, required
from crossdock.connectors.manhattan_wms.twin_dock import Dock
from crossdock.connectors.manhattan_wms.twin_floor import Floor
from crossdock.connectors.manhattan_wms.twin_returns import ReturnsDesk
from crossdock.connectors.manhattan_wms.units import TO_CANONICAL

Service = Callable[[dict[str, Any]], web.Response]
SLOW_SECONDS = 2.0
NOTHING = {"quantity": "0", "allocated": "0", "lot": "", "unit": "UNIT"}
_BEHIND = re.compile(r"ItemId > '([^']*)'")


def build(twin: Twin) -> None:
    """Add the WMS's routes and its warehouse floor to the twin."""
    floor = Floor(twin)
    services = Services(twin, floor)
    dock = Dock(floor)
    twin.every_tick(floor.work)
    twin.app.add_routes(
        [
            web.post("/oauth/token", services.token),
            web.post(SERVICES["warehouse_order.release"], services.guarded(services.save_order)),
            web.post(SERVICES["warehouse_order.cancel"], services.guarded(services.cancel_order)),
            web.post(SERVICES["label.attach"], services.guarded(services.attach_labels)),
            web.post(SERVICES["inbound.announce"], services.guarded(dock.save_asn)),
            web.post(SERVICES["transfer.release"], services.guarded(dock.save_transfer)),
            web.post(INVENTORY, services.guarded(services.search_inventory)),
            web.put("/_twin/recount", services.recount),
            web.get("/_twin/orders", services.show_orders),
            web.get("/_twin/shipments", services.show_shipments),
            web.get("/_twin/stock", services.show_stock),
            web.put("/_twin/stock", services.put_stock),
            web.put("/_twin/substitutes", services.put_substitutes),
            *dock.routes(),
            *ReturnsDesk(floor).routes(),
        ]
    )


class Services:
    """The request handlers; each write is one change of the books."""

    def __init__(self, twin: Twin, floor: Floor) -> None:
        self.twin = twin
        self.books = twin.books
        self.floor = floor

    async def token(self, request: web.Request) -> web.Response:
        given = self.twin.setup.secrets
        form = await request.post()
        known = _basic(request) == (given.get("client_id", ""), given.get("client_secret", ""))
        if form.get("grant_type") == "password":
            user = (given.get("username", ""), given.get("password", ""))
            known = known and (form.get("username"), form.get("password")) == user
        elif form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        if not known:
            return web.json_response({"error": "invalid_client"}, status=401)
        lives = float(self.twin.setup.settings.get("token_seconds", "3600"))
        token = secrets.token_urlsafe(24)
        with self.books.change():
            self.books.put("token", token, {"until": time.time() + lives, "uses": 0})
        return web.json_response({"access_token": token, "token_type": "bearer", "expires_in": lives})

    def guarded(self, service: Service) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Misbehave as told, check who calls, and run `service` in one change of the books."""

        async def handle(request: web.Request) -> web.StreamResponse:
            hits = self.twin.quirks.hits
            if hits("unavailable"):
                return web.Response(status=503, text="Service Unavailable")
            if not self._knows(request):
                return web.json_response({"error": "invalid_token"}, status=401)
            if hits("throttle_429"):
                return web.json_response({"message": "slow down"}, status=429, headers={"Retry-After": "1"})
            try:
                body = await request.json()
            except ValueError:
                return reply(None, ("JSON_INVALID", "the body is not JSON"), 400)
            try:
                self._check_scope(request)
                with self.books.change():
                    answer = service(body)
            except No as no:
                answer = no.answer
            if hits("answer_lost"):
                return await lose_answer(request)
            if hits("slow"):
                await asyncio.sleep(SLOW_SECONDS)
            return answer

        return handle

    def _knows(self, request: web.Request) -> bool:
        value = request.headers.get("Authorization", "").removeprefix("Bearer ")
        with self.books.change():
            known = self.books.get("token", value)
            if known is None or known["until"] < time.time():
                return False
            # The first use of a token always works: otherwise nothing could ever get through at rate 1.
            if known["uses"] and self.twin.quirks.hits("token_expired"):
                self.books.remove("token", value)
                return False
            self.books.put("token", value, {**known, "uses": known["uses"] + 1})
        return True

    def _check_scope(self, request: web.Request) -> None:
        settings = self.twin.setup.settings
        if request.headers.get("organization") != settings.get("organisation"):
            raise No("ORG_UNKNOWN", "the organization is unknown or not yours", 403)
        if request.headers.get("location") != settings.get("facility"):
            raise No("FACILITY_UNKNOWN", "the location is unknown")

    def save_order(self, body: dict[str, Any]) -> web.Response:
        number = required(body, "OriginalOrderId")
        order = self.books.get("order", number)
        if order is None:
            order = self._new_order(number, body)
            self.floor.take(number, order)
        return reply(
            {"OriginalOrderId": number, "OrderStatus": order["status"], "TaskIds": order["tasks"]},
        )

    def _new_order(self, number: str, body: dict[str, Any]) -> dict[str, Any]:
        reference = required(body.get("Extended") or {}, "HubReference")
        if body.get("OriginFacilityId") != self.twin.setup.settings.get("facility"):
            raise No("FACILITY_UNKNOWN", f"facility {body.get('OriginFacilityId')!r} is unknown")
        address = body.get("DestinationAddress") or {}
        if len(str(address.get("Country", ""))) != 2:
            raise No("ADDRESS_INVALID", "DestinationAddress.Country must be a two-letter code")
        given = body.get("OriginalOrderLine") or []
        if not given:
            raise No("NO_LINES", "an order needs lines")
        lines = [self._new_line(line) for line in given]
        if len({line["line"] for line in lines}) < len(lines):
            raise No("LINE_DUPLICATE", "two lines have one OriginalOrderLineId")
        return {
            "number": number,
            "reference": reference,
            "service": body.get("ServiceLevelId") or "standard",
            "ship_to": address,
            "lines": lines,
            "status": "released",
            "shipment": "",
            "shipments": [],
            "picked": [],
            "merging": False,
            "tasks": [f"T-{self.books.next_number('task')}" for _ in lines],
        }

    def _new_line(self, line: dict[str, Any]) -> dict[str, Any]:
        item = required(line, "ItemId")
        unit = required(line, "QuantityUomId")
        stock = self.books.get("stock", item)
        master = [name for name in self.twin.setup.settings.get("items", "").split(",") if name]
        if master and item not in master and stock is None:
            raise No("ITEM_UNKNOWN", f"item {item} is unknown")
        if unit not in TO_CANONICAL or (stock and stock["unit"] != unit):
            raise No("UOM_INVALID", f"unit {unit} is not a unit of item {item}")
        quantity = decimal(line.get("OrderedQuantity"))
        if quantity <= 0:
            raise No("QUANTITY_INVALID", "OrderedQuantity must be above zero")
        number = required(line, "OriginalOrderLineId")
        return {"line": number, "item": item, "quantity": str(quantity), "unit": unit}

    def cancel_order(self, body: dict[str, Any]) -> web.Response:
        number = required(body, "OriginalOrderId")
        order = self.books.get("order", number)
        if order is None:
            raise No(UNKNOWN_ORDER, f"order {number} does not exist", 404)
        said = self.books.get("cancel_answer", number)
        if said is None:
            why_not = self.floor.may_cancel(order)
            said = {"Cancelled": not why_not, "Reason": why_not}
            self.books.put("cancel_answer", number, said)
            if not why_not:
                self.floor.cancel(order, str(body.get("ReasonText") or ""))
        return reply({"OriginalOrderId": number, **said})

    def attach_labels(self, body: dict[str, Any]) -> web.Response:
        number = required(body, "ShipmentId")
        shipment = self.books.get("shipment", number)
        if shipment is None:
            raise No("SHIPMENT_NOT_FOUND", f"shipment {number} does not exist", 404)
        labels = {olpn.get("OlpnId"): olpn.get("TrackingNumber") for olpn in body.get("Olpns") or []}
        packed = {olpn["OlpnId"] for olpn in shipment["olpns"]}
        if set(labels) != packed or not all(labels.values()):
            raise No("OLPN_MISMATCH", "every oLPN of the shipment needs exactly one tracking number")
        if labels != shipment["labels"]:
            if shipment["status"] in ("departed", "cancelled"):
                raise No("SHIPMENT_CLOSED", f"shipment {number} is {shipment['status']}")
            reference = (body.get("Extended") or {}).get("HubReference") or number
            self.floor.attach(shipment, labels, carrier=required(body, "CarrierId"), reference=reference)
        return reply({"ShipmentId": number})

    def search_inventory(self, body: dict[str, Any]) -> web.Response:
        """In the order of items, behind the one the query names; with the last event told so far."""
        named = _BEHIND.fullmatch(str(body.get("Query") or ""))
        after = named[1] if named else ""
        found = self.books.rows(
            "select key, body from document where kind = 'stock' and key > ? order by key limit ?", after, int(body.get("Size") or 100)
        )  # fmt: skip
        told = self.books.rows("select value from counter where name = 'event'")
        rows = [row for item, stock in found for row in _inventory(item, json.loads(stock))]
        return reply(rows, more={"eventSequence": told[0][0] if told else 0})

    async def recount(self, request: web.Request) -> web.Response:
        with self.books.change():
            for item, given in (await request.json()).items():
                stock = self.books.get("stock", item) or NOTHING
                told = {name: x if name == "owners" else str(x) for name, x in given.items()}
                self.books.put("stock", item, stock | told)
        return web.json_response(dict(self.books.all("stock")))

    async def show_orders(self, _: web.Request) -> web.Response:
        names = ("reference", "status", "shipment", "shipments", "lines", "picked")
        orders = [{name: order[name] for name in names} for _, order in self.books.all("order")]
        return web.json_response(orders)

    async def show_shipments(self, _: web.Request) -> web.Response:
        shipments = [
            {"shipment": number, "status": row["status"], "lines": self.floor.contents(row)}
            for number, row in self.books.all("shipment")
        ]
        return web.json_response(shipments)

    async def show_stock(self, _: web.Request) -> web.Response:
        return web.json_response(dict(self.books.all("stock")))

    async def put_stock(self, request: web.Request) -> web.Response:
        counted = await request.json()
        with self.books.change():
            for item, given in counted.items():
                try:
                    quantity = Decimal(str(given["quantity"]))
                except (KeyError, InvalidOperation):
                    raise web.HTTPUnprocessableEntity(text=f"{item}: no quantity") from None
                self.floor.count(
                    item,
                    quantity,
                    lot=str(given.get("lot", "")),
                    unit=str(given.get("unit", "UNIT")),
                    serials=given.get("serials"),
                )
        return web.json_response(dict(self.books.all("stock")))

    async def put_substitutes(self, request: web.Request) -> web.Response:
        given = await request.json()
        with self.books.change():
            for item, other in given.items():
                self.books.put("substitute", item, str(other))
        return web.json_response(dict(self.books.all("substitute")))


def _inventory(item: str, stock: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for the site's own company, and one for each other owner; of those only the number is kept."""
    owners: dict[str, str] = stock.get("owners", {})
    of_others = sum((Decimal(x) for x in owners.values()), Decimal(0))
    own = {
        "ItemId": item, "OnHand": stock["quantity"], "Allocated": stock["allocated"], "OnHold": stock.get("held", "0"),
        "LotNumber": stock["lot"], "QuantityUomId": stock["unit"], "LastEventSequence": stock.get("sequence"),
    }  # fmt: skip
    own["OnHand"] = str(Decimal(own["OnHand"]) - of_others)
    nothing = {"Allocated": "0", "OnHold": "0"}
    return [
        own,
        *(own | nothing | {"OwnerId": name, "OnHand": quantity} for name, quantity in owners.items()),
    ]


def _basic(request: web.Request) -> tuple[str, str]:
    encoded = request.headers.get("Authorization", "").removeprefix("Basic ")
    name, _, secret = b64decode(encoded + "==").decode(errors="replace").partition(":")
    return name, secret
