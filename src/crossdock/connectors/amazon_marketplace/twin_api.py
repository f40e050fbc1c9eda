"""The twin's Selling Partner API: tokens, usage plans, and the operations that the connector calls, with Amazon's refusals."""

import asyncio
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from crossdock.connect.twin import Twin, lose_answer
from crossdock.connectors.amazon_marketplace.plans import Bucket, Plans
from crossdock.connectors.amazon_marketplace.twin_market import (
    CANCELED,
    PENDING,
    Market,
    Tree,
    item_document,
    order_document,
)

TOKEN_SECONDS: Final = 3600
SLOW_SECONDS: Final = 2.0
ORDERS: Final = "/orders/v0/orders"
LISTING: Final = "/listings/2021-08-01/items/{seller}/{sku:.+}"
PACKAGE_FIELDS: Final = ("packageReferenceId", "carrierCode", "trackingNumber", "shipDate", "orderItems")
PAGE_MAX: Final = 100
Answer = Callable[[web.Request, Any], Tree | None]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refusal(Exception):  # an answer, not an error of ours
    """An error of the API, in its form."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"errors": [{"code": code, "message": message, "details": ""}]}


def _invalid(message: str) -> Refusal:
    return Refusal(400, "InvalidInput", message)


class Api:
    """The request handlers; each write is one change of the books."""

    def __init__(self, twin: Twin, market: Market) -> None:
        self.twin = twin
        self.market = market
        self.books = twin.books
        self._plans = Plans()
        self._settings = twin.setup.settings
        for operation, (rate, burst) in self.books.all("plan"):
            self._plans.buckets[operation] = Bucket(rate, burst, burst)

    def set_plan(self, operation: str, rate: float, burst: int) -> None:
        with self.books.change():
            self.books.put("plan", operation, [rate, burst])
        self._plans.buckets[operation] = Bucket(rate, burst, burst)

    def routes(self) -> list[web.RouteDef]:
        of, confirm = self._operation, f"{ORDERS}/{{id}}/shipmentConfirmation"
        return [
            web.post("/auth/o2/token", self.token),
            web.post("/tokens/2021-03-01/restrictedDataToken", self.restricted_token),
            web.get(ORDERS, of("getOrders", self.orders)),
            web.get(f"{ORDERS}/{{id}}", of("getOrder", self.one_order)),
            web.get(f"{ORDERS}/{{id}}/orderItems", of("getOrderItems", self.items)),
            web.post(confirm, of("confirmShipment", self.confirm)),
            web.patch(LISTING, of("patchListingsItem", self.patch_listing)),
            web.get(LISTING, of("getListingsItem", self.listing)),
            web.get(
                "/sellers/v1/marketplaceParticipations", of("getMarketplaceParticipations", self.marketplaces)
            ),
        ]

    async def token(self, request: web.Request) -> web.Response:
        """Login with Amazon."""
        given, known = await request.post(), self.twin.setup.secrets
        if (given.get("client_id"), given.get("client_secret")) != (
            known["client_id"],
            known["client_secret"],
        ):
            return web.json_response({"error": "invalid_client"}, status=401)
        if given.get("grant_type") != "refresh_token" or given.get("refresh_token") != known["refresh_token"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        told = {
            "access_token": self._new_token(personal=False),
            "token_type": "bearer",
            "expires_in": TOKEN_SECONDS,
        }
        return web.json_response(told)

    def _new_token(self, *, personal: bool) -> str:
        token = f"Atza|{secrets.token_urlsafe(24)}"
        with self.books.change():
            self.books.put(
                "token", token, {"until": time.time() + TOKEN_SECONDS, "personal": personal, "uses": 0}
            )
        return token

    async def restricted_token(self, request: web.Request) -> web.Response:
        if self._caller(request) is None:
            return _refused(Refusal(403, "Unauthorized", "Access to requested resource is denied."))
        asked = (await request.json()).get("restrictedResources") or [{}]
        wanted = {"method": "GET", "path": ORDERS}
        if any({name: x.get(name) for name in wanted} != wanted for x in asked):
            return _refused(
                _invalid("Application does not have access to one or more requested data elements")
            )
        token = self._new_token(personal=True)
        return web.json_response({"restrictedDataToken": token, "expiresIn": TOKEN_SECONDS})

    def _caller(self, request: web.Request) -> Tree | None:
        """The token's entry, while it is good. Its first use always works: else nothing could ever get through."""
        value = request.headers.get("x-amz-access-token", "")
        with self.books.change():
            known: Tree | None = self.books.get("token", value)
            if known is None or known["until"] < time.time():
                return None
            if known["uses"] and self.twin.quirks.hits("token_expired"):
                self.books.remove("token", value)
                return None
            self.books.put("token", value, known | {"uses": known["uses"] + 1})
        return known

    def _operation(self, operation: str, answer: Answer) -> Handler:
        """Misbehave as told, look at token and plan, and run `answer`; what it changes is one change of the books."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if self.twin.quirks.hits("unavailable"):
                return web.Response(status=503, text="Service Unavailable")
            if self._caller(request) is None:
                return _refused(Refusal(403, "Unauthorized", "Access to requested resource is denied."))
            now, bucket = time.monotonic(), self._plans.buckets[operation]
            rate = {"x-amzn-RateLimit-Limit": str(bucket.rate)}
            if not self._plans.spare(operation, now) or self.twin.quirks.hits("throttle_429"):
                return _refused(
                    Refusal(429, "QuotaExceeded", "You exceeded your quota for the requested resource."), rate
                )
            self._plans.spend(operation, now)
            try:
                given = await request.json() if request.can_read_body else None
                with self.books.change():
                    told = answer(request, given)
            except (Refusal, ValueError, KeyError, TypeError) as error:
                return _refused(error if isinstance(error, Refusal) else _invalid(f"{error!r}"), rate)
            if request.method != "GET":
                if self.twin.quirks.hits("answer_lost"):
                    return await lose_answer(request)
                if self.twin.quirks.hits("slow"):
                    await asyncio.sleep(SLOW_SECONDS)
            if told is None:
                return web.Response(status=204, headers=rate)
            return web.json_response(told, headers=rate)

        return handle

    def orders(self, request: web.Request, _: Any) -> Tree:
        """In the order of their ids, not of change. An order that changes meanwhile moves behind `before`, into the next list."""
        asked = request.query
        if asked.get("MarketplaceIds") != self._settings["marketplace_id"]:
            raise _invalid("MarketplaceIds")
        if token := asked.get("NextToken"):
            since, before, after = json.loads(urlsafe_b64decode(token))
        else:
            since, before, after = asked["LastUpdatedAfter"], "9999", ""
        channels = asked.get("FulfillmentChannels", "MFN,AFN").split(",")
        found = sorted(
            (
                order for _, order in self.books.all("order")
                if order["channel"] in channels and since <= order["updated"] <= before
                and order.get("listed_at", 0.0) <= time.time()
            ),
            key=lambda x: x["id"],
        )  # fmt: skip
        before = max((x["updated"] for x in found), default=before) if before == "9999" else before
        left = [x for x in found if x["id"] > after]
        size = min(int(asked.get("MaxResultsPerPage", PAGE_MAX)), PAGE_MAX, self._page_size())
        shown = left[:size]
        personal = self.books.get("token", request.headers["x-amz-access-token"])["personal"]
        payload: Tree = {"Orders": [order_document(x, personal=personal) for x in shown]}
        if len(left) > len(shown):
            place = [since, before, shown[-1]["id"]]
            payload["NextToken"] = urlsafe_b64encode(json.dumps(place).encode()).decode()
        return {"payload": payload}

    def _page_size(self) -> int:
        """Amazon may give fewer than were asked for."""
        return int(self.books.get("setting", "page_size") or PAGE_MAX)

    def _known(self, request: web.Request) -> Tree:
        order = self.market.order(request.match_info["id"])
        if order is None:
            raise Refusal(404, "NotFound", "The order does not exist.")
        return order

    def one_order(self, request: web.Request, _: Any) -> Tree:
        return {"payload": order_document(self._known(request), personal=False)}

    def items(self, request: web.Request, _: Any) -> Tree:
        order = self._known(request)
        items = [item_document(line, order) for line in order["lines"]]
        return {"payload": {"AmazonOrderId": order["id"], "OrderItems": items}}

    def confirm(self, request: web.Request, given: Any) -> None:
        order, package = self._known(request), given["packageDetail"]
        if given.get("marketplaceId") != self._settings["marketplace_id"]:
            raise _invalid("marketplaceId")
        missing = [name for name in PACKAGE_FIELDS if not package.get(name)]
        if missing:
            raise _invalid(f"Please check the fields [packageDetail.{missing[0]}].")
        reference = package["packageReferenceId"]
        if not isinstance(reference, str) or not reference.isdecimal() or not int(reference):
            raise _invalid("PackageReferenceId: is invalid, must be a positive numeric value.")
        if order["status"] in (PENDING, CANCELED):
            raise _invalid(f"The order is {order['status']}.")
        if reference not in order["packages"]:
            self._fits(order, package)
        self.market.pack(order, package)

    def _fits(self, order: Tree, package: Tree) -> None:
        left = {line["id"]: line["quantity"] - line["shipped"] for line in order["lines"]}
        for item in package["orderItems"]:
            if item["orderItemId"] not in left:
                raise _invalid(f"The order has no item {item['orderItemId']}.")
            if not 0 < item["quantity"] <= left[item["orderItemId"]]:
                raise _invalid("PackageToUpdateNotFound: no matching package, or order already fulfilled.")

    def _listed(self, request: web.Request) -> tuple[str, Tree]:
        sku = request.match_info["sku"]
        listing = self.books.get("listing", sku)
        if request.match_info["seller"] != self._settings["seller_id"]:
            raise Refusal(403, "Forbidden", "Access to requested resource is denied.")
        if listing is None:
            raise Refusal(404, "NotFound", f"SKU '{sku}' not found in marketplace.")
        return sku, listing

    def patch_listing(self, request: web.Request, given: Any) -> Tree:
        """Only what the connector sends: a merge of the quantity that the seller ships himself."""
        sku, _ = self._listed(request)
        [patch] = given["patches"]
        [value] = patch["value"]
        issue = ""
        if (
            patch["op"] != "merge"
            or patch["path"] != "/attributes/fulfillment_availability"
            or not given["productType"]
        ):
            issue = "The attributes are invalid."
        elif value.get("fulfillment_channel_code") != "DEFAULT":
            issue = "The field 'fulfillment_channel_code' does not have enough values."
        elif not isinstance(value.get("quantity"), int) or value["quantity"] < 0:
            issue = "The field 'quantity' is out of range."
        if issue:
            return {
                "sku": sku,
                "status": "INVALID",
                "submissionId": "",
                "issues": [{"code": "90000900", "message": issue, "severity": "ERROR"}],
            }
        return {
            "sku": sku,
            "status": "ACCEPTED",
            "submissionId": self.market.accept(sku, value["quantity"]),
            "issues": [],
        }

    def listing(self, request: web.Request, _: Any) -> Tree:
        sku, listing = self._listed(request)
        shown = {"fulfillmentChannelCode": "DEFAULT", "quantity": listing["quantity"] or 0}
        return {"sku": sku, "fulfillmentAvailability": [shown]}

    def marketplaces(self, _request: web.Request, _: Any) -> Tree:
        marketplace = {"id": self._settings["marketplace_id"], "name": "Amazon.de", "countryCode": "DE"}
        return {"payload": [{"marketplace": marketplace, "participation": {"isParticipating": True}}]}


def _refused(refusal: Refusal, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(refusal.body, status=refusal.status, headers=headers)
