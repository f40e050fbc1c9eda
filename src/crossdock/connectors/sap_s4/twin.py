"""A small S/4HANA: the OData and SOAP services this connector uses, behind one gate (logon, CSRF, quirks).

PUT  /_twin/materials        {"SKU": {"price", "currency", "unit", "available", "bom"}}  the material master
GET  /_twin/materials        the same
PUT  /_twin/products         {"SKU": {what changes}}  creates or changes products, and sends SAP's event of it
GET  /_twin/products         all of them
PUT  /_twin/material_stock   stock by plant: see `twin_stock`
PUT  /_twin/purchase_orders  orders that goods are received and issued to: see `twin_movement`
PUT  /_twin/credit           {"blocked_references": ["…"]}   their next checks fail
POST /_twin/credit/release   {"reference": "…"}              its next checks pass (status D)
PUT  /_twin/periods          {"open_from": "2026-12-01"}     nothing is posted before that day
GET  /_twin/deliveries       all of them, with their material documents
POST /_twin/deliveries/{number}/reverse         {"on": "2026-12-01"}   somebody reverses the goods issue at a screen
POST /_twin/deliveries/{number}/cancel_billing                         somebody cancels the invoice
"""

import asyncio
import hmac
import json
import secrets
from base64 import b64encode
from collections.abc import Awaitable, Callable

from aiohttp import web

from crossdock.connect.twin import Twin, lose_answer
from crossdock.connectors.sap_s4 import (
    twin_change,
    twin_credit,
    twin_delivery,
    twin_finance,
    twin_movement,
    twin_product,
    twin_sales,
    twin_stock,
)
from crossdock.connectors.sap_s4.twin_odata import Asked, Handler, Problem, Reply, asked

_COOKIE = "SAP_SESSIONID_S4H_100"
_SALES = "API_SALES_ORDER_SRV"
_DELIVERY = "API_OUTBOUND_DELIVERY_SRV;v=0002"
_MOVEMENT = "API_MATERIAL_DOCUMENT_SRV"
_CREDIT = "API_CREDIT_MEMO_REQUEST_SRV"
_PRODUCT = "API_PRODUCT_SRV"
_PURCHASE = "API_PURCHASEORDER_PROCESS_SRV"
_STOCK = "API_MATERIAL_STOCK_SRV"
_SIMULATION = "API_SALES_ORDER_SIMULATION_SRV"
_V4 = "/sap/opu/odata4/sap/api_billingdocument/srvd_a2x/sap/billingdocument/0001"
_SOAP = "/sap/bc/srt/scs_ext/sap/journalentrycreaterequestconfi"
_HTML = (
    "<html><head><title>{0}</title></head><body><h1>{0}</h1><p>The load balancer says so.</p></body></html>"
)

_SERVICES: dict[tuple[str, str, str], Handler] = {
    ("POST", _SIMULATION, "A_SalesOrderSimulation"): twin_sales.simulate,
    ("POST", _SALES, "A_SalesOrder"): twin_sales.create_order,
    ("GET", _SALES, "A_SalesOrder"): twin_sales.read_orders,
    ("GET", _SALES, "A_SalesOrder/to_Item"): twin_sales.read_orders,
    ("PATCH", _SALES, "A_SalesOrderItem"): twin_change.patch_item,
    ("PATCH", _SALES, "A_SalesOrderScheduleLine"): twin_change.patch_item,
    ("POST", _SALES, "$batch"): twin_change.batch,
    ("POST", _DELIVERY, "A_OutbDeliveryHeader"): twin_delivery.create_delivery,
    ("GET", _DELIVERY, "A_OutbDeliveryHeader"): twin_delivery.read_deliveries,
    ("PATCH", _DELIVERY, "A_OutbDeliveryHeader"): twin_delivery.patch_header,
    ("POST", _DELIVERY, "PickAllItems"): twin_delivery.pick_all,
    ("POST", _DELIVERY, "PostGoodsIssue"): twin_delivery.post_goods_issue,
    ("POST", _DELIVERY, "ReverseGoodsIssue"): twin_delivery.reverse_goods_issue,
    ("GET", _DELIVERY, "A_OutbDeliveryDocFlow"): twin_delivery.read_flow,
    ("GET", _DELIVERY, "A_OutbDeliveryHeaderText"): twin_delivery.read_text,
    ("PATCH", _DELIVERY, "A_OutbDeliveryHeaderText"): twin_delivery.patch_text,
    ("POST", _DELIVERY, "A_OutbDeliveryHeader/to_DeliveryDocumentText"): twin_delivery.add_text,
    ("POST", _MOVEMENT, "A_MaterialDocumentHeader"): twin_movement.create_document,
    ("GET", _MOVEMENT, "A_MaterialDocumentHeader"): twin_movement.read_documents,
    ("POST", _CREDIT, "A_CreditMemoRequest"): twin_credit.create_request,
    ("GET", _CREDIT, "A_CreditMemoRequest"): twin_credit.read_requests,
    ("GET", _PRODUCT, "A_Product"): twin_product.read_product,
    ("GET", _PURCHASE, "A_PurchaseOrder"): twin_movement.read_order,
    ("GET", _STOCK, "A_MatlStkInAcctMod"): twin_stock.read_stock,
    ("GET", "API_BILLING_DOCUMENT_SRV", "A_BillingDocumentItem"): twin_finance.read_billing_items,
    ("GET", "API_OPLACCTGDOCITEMCUBE_SRV", "A_OperationalAcctgDocItemCube"): twin_finance.read_journal,
}
_KNOWN_SERVICES = frozenset(service for _, service, _ in _SERVICES)
_Act = Callable[[], Reply]
_Show = Callable[[Problem], Reply]
_Route = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build(twin: Twin) -> None:
    """Add SAP's services and the control surface to the twin."""
    gate, broker = Gate(twin), twin_product.Broker(twin)

    async def v2(request: web.Request) -> web.StreamResponse:
        service, tail = request.match_info["service"], request.match_info["tail"]
        if service not in _KNOWN_SERVICES:
            return _response(
                _error_v2(Problem(403, "/IWFND/MED/170", f"No service found for name '{service}'"))
            )
        query = dict(request.query)
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()

        def act() -> Reply:
            if not tail:
                return Reply(body=b'{"d":{"EntitySets":[]}}')
            return _serve(twin, service, asked(request.method, tail, query, headers, body))

        if service in (_PRODUCT, _PURCHASE, _STOCK) and tail:
            return await gate.let_in(request, act, _error_v2, csrf=False, books=False, effect=True)
        return await gate.let_in(request, act, _error_v2, books=service != _SIMULATION)

    async def v4(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = Asked(method=request.method, entity_set="BillingDocument", body=body)
        act: _Act = (
            (lambda: Reply(body=b"{}"))
            if request.method == "GET"
            else (lambda: twin_finance.bill(twin, call))
        )
        return await gate.let_in(request, act, _error_v4)

    async def soap(request: web.Request) -> web.StreamResponse:
        call = Asked(method="POST", entity_set="JournalEntry", body=await request.read())
        return await gate.let_in(
            request, lambda: twin_finance.post_journal_entry(twin, call), _error_soap, csrf=False
        )

    twin.app.add_routes([
        web.route("*", "/sap/opu/odata/sap/{service}/{tail:.*}", v2),
        web.get(_V4 + "/", v4),
        web.post(_V4 + "/BillingDocument/SAP__self.CreateFromSDDocument", v4),
        web.post(_SOAP, soap),
        *_control_routes(twin), *broker.routes(), *twin_movement.routes(twin, broker), *twin_delivery.routes(twin),
    ])  # fmt: skip


def _serve(twin: Twin, service: str, call: Asked) -> Reply:
    place = f"{call.entity_set}/{call.navigation}" if call.navigation else call.entity_set
    handler = _SERVICES.get((call.method, service, place))
    if handler is None:
        raise Problem(405, "/IWFND/CM_MGW/405", f"{call.method} is not supported for {place}")
    return handler(twin, call)


class Gate:
    """Logon, CSRF protection and the quirks of any request. Sessions die with the process, as SAP's do."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._seal = secrets.token_bytes(32)
        given = twin.setup.secrets
        credentials = f"{given.get('user', '')}:{given.get('password', '')}"
        self._basic = "Basic " + b64encode(credentials.encode()).decode()

    async def let_in(
        self,
        request: web.Request,
        act: _Act,
        show: _Show,
        *,
        csrf: bool = True,
        books: bool = True,
        effect: bool = False,
    ) -> web.StreamResponse:
        """`effect`: a GET that is an effect of its own, not a step of one, and so has its share of the quirks."""
        if not self._knows(request):
            return _page(401, "Unauthorized", {"www-authenticate": 'Basic realm="SAP NetWeaver"'})
        if request.method in ("GET", "HEAD") and not effect:
            return self._with_token(request, _response(_try(act, show)))
        hits = self._twin.quirks.hits
        if hits("unavailable"):
            return _page(503, "Service Unavailable", {})
        if hits("throttle_429"):
            return _page(429, "Too Many Requests", {"retry-after": "1"})
        if csrf and (hits("csrf_stale") or not self._token_is_good(request)):
            return web.Response(
                status=403, headers={"x-csrf-token": "Required"}, text="CSRF token validation failed"
            )
        if books and hits("locked"):
            return _response(
                show(Problem(400, "V1/042", "The document is currently being processed by another user"))
            )
        broken = hits("gateway_html_502")
        if broken and self._toss():
            return _page(502, "Bad Gateway", {})
        reply = _try(act, show)
        if hits("slow"):
            await asyncio.sleep(2)
        if hits("answer_lost"):
            return await lose_answer(request)
        return _page(502, "Bad Gateway", {}) if broken else _response(reply)

    def _toss(self) -> bool:
        """Heads and tails by turns, counted in the books, so that a run can be repeated."""
        with self._twin.books.change():
            return self._twin.books.next_number("gateway_html_502") % 2 == 1

    def _knows(self, request: web.Request) -> bool:
        client = self._twin.setup.settings.get("sap_client")
        right_client = not client or request.query.get("sap-client", client) == client
        given = request.headers.get("authorization", "")
        return right_client and hmac.compare_digest(given.encode(), self._basic.encode())

    def _token_of(self, session: str) -> str:
        return hmac.new(self._seal, session.encode(), "sha256").hexdigest()[:24] + "=="

    def _token_is_good(self, request: web.Request) -> bool:
        session = request.cookies.get(_COOKIE, "")
        given = request.headers.get("x-csrf-token", "")
        return bool(session) and hmac.compare_digest(given.encode(), self._token_of(session).encode())

    def _with_token(self, request: web.Request, response: web.Response) -> web.Response:
        if request.headers.get("x-csrf-token", "").lower() == "fetch":
            session = request.cookies.get(_COOKIE) or secrets.token_urlsafe(24)
            response.headers["x-csrf-token"] = self._token_of(session)
            response.set_cookie(_COOKIE, session, path="/", httponly=True)
            response.set_cookie("sap-usercontext", "sap-client=100", path="/")
        return response


def _try(act: _Act, show: _Show) -> Reply:
    try:
        return act()
    except Problem as problem:
        return show(problem)


def _error_v2(problem: Problem) -> Reply:
    return Reply(status=problem.status, body=twin_sales.error_v2(problem))


def _error_v4(problem: Problem) -> Reply:
    """V4 writes the message as plain text."""
    error = {"code": problem.code, "message": problem.message, "details": []}
    return Reply(status=problem.status, body=json.dumps({"error": error}).encode())


def _error_soap(problem: Problem) -> Reply:
    if problem.status != 500:
        return twin_finance.refused(problem)
    fault = f"<faultcode>soap-env:Server</faultcode><faultstring>{problem.message}</faultstring>"
    envelope = "http://schemas.xmlsoap.org/soap/envelope/"
    body = (
        f'<soap-env:Envelope xmlns:soap-env="{envelope}"><soap-env:Body><soap-env:Fault>{fault}'
        "</soap-env:Fault></soap-env:Body></soap-env:Envelope>"
    )
    return Reply(status=500, body=body.encode(), content_type="text/xml")


def _response(reply: Reply) -> web.Response:
    headers = dict(reply.headers)
    if reply.body:
        headers["content-type"] = reply.content_type
    return web.Response(status=reply.status, body=reply.body, headers=headers)


def _page(status: int, title: str, headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, headers=headers, text=_HTML.format(title), content_type="text/html")


def _control_routes(twin: Twin) -> list[web.RouteDef]:
    books = twin.books

    async def put_materials(request: web.Request) -> web.Response:
        materials = await request.json()
        with books.change():
            for sku, material in materials.items():
                books.put("material", sku, twin_product.DEFAULTS | material)
        return web.json_response({"materials": len(materials)})

    async def get_materials(_: web.Request) -> web.Response:
        return web.json_response(dict(books.all("material")))

    async def put_credit(request: web.Request) -> web.Response:
        blocked = (await request.json()).get("blocked_references", [])
        with books.change():
            for reference in blocked:
                books.put("credit", reference, "B")
        return web.json_response({"blocked": len(blocked)})

    async def release_credit(request: web.Request) -> web.Response:
        reference = (await request.json())["reference"]
        with books.change():
            books.put("credit", reference, "D")
        return web.json_response({"released": reference})

    return [
        web.put("/_twin/materials", put_materials),
        web.get("/_twin/materials", get_materials),
        *twin_stock.routes(twin),
        web.put("/_twin/credit", put_credit),
        web.post("/_twin/credit/release", release_credit),
    ]
