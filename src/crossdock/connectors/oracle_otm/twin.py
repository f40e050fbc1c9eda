"""The simulated OTM's REST API and control surface; carriers, freight and bills are in `twin_network`.

GET /_twin/loads       [{"load", "reference", "status", "carrier", "pro"}]
PUT /_twin/departures  {"shipments": ["wms-1/S-77"]}  the goods are on the truck: their way begins
"""

import asyncio
import hmac
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from crossdock.connect.basic import basic
from crossdock.connect.twin import Twin, lose_answer
from crossdock.connectors.oracle_otm import talk
from crossdock.connectors.oracle_otm.client import RELEASES_PATH
from crossdock.connectors.oracle_otm.country_codes import ALPHA_3
from crossdock.connectors.oracle_otm.mapping import CANCELLED_VALUE
from crossdock.connectors.oracle_otm.twin_network import Load, Network

SLOW_SECONDS = 2.0
XID_LENGTH_MAX = 50
Service = Callable[[web.Request, Any], web.Response]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build(twin: Twin) -> None:
    """Add OTM's routes and its carriers to the twin."""
    network = Network(twin)
    api = Api(twin, network)
    twin.every_tick(network.work)
    twin.app.add_routes(
        [
            web.post(talk.TOKEN_PATH, api.token),
            web.post(RELEASES_PATH, api.guarded(api.create)),
            web.get(RELEASES_PATH, api.guarded(api.list_releases, writes=False)),
            web.get(RELEASES_PATH + "/{gid}", api.guarded(api.show, writes=False)),
            web.patch(RELEASES_PATH + "/{gid}", api.guarded(api.change)),
            web.get("/_twin/loads", api.show_loads),
            web.put("/_twin/departures", api.depart),
        ]
    )


class _No(Exception):  # an answer, not an error of ours
    """A refusal in OTM's form."""

    def __init__(self, code: str, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.answer = _errors(code, detail, status)


class Api:
    """The request handlers; each write is one change of the books."""

    def __init__(self, twin: Twin, network: Network) -> None:
        self.twin = twin
        self.books = twin.books
        self.network = network
        self.domain = network.domain

    async def token(self, request: web.Request) -> web.Response:
        given = self.twin.setup.secrets
        known = basic(given.get("client_id", ""), given.get("client_secret", ""))
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), known.encode()):
            return web.json_response({"error": "invalid_client"}, status=401)
        if (await request.post()).get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        lives = float(self.twin.setup.settings.get("token_seconds", "3600"))
        token = secrets.token_urlsafe(24)
        with self.books.change():
            self.books.put("token", token, {"until": time.time() + lives, "uses": 0})
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": lives})

    def guarded(self, service: Service, *, writes: bool = True) -> Handler:
        """Misbehave as told, check who calls, and run `service` in one change of the books."""
        hits = self.twin.quirks.hits

        async def handle(request: web.Request) -> web.StreamResponse:
            if writes and hits("unavailable"):
                return web.Response(status=503, text="Service Unavailable")
            if not self._knows(request, writes=writes):
                return _errors("OTM-401", "Unauthorized", 401)
            if writes and hits("throttle_429"):
                return web.Response(status=429, text="Too Many Requests", headers={"Retry-After": "1"})
            try:
                body = await request.json(loads=_exact) if request.can_read_body else None
                with self.books.change():
                    answer = service(request, body)
            except ValueError:
                return _errors("OTM-JSON", "the body is not JSON", 400)
            except _No as no:
                answer = no.answer
            if writes and hits("answer_lost"):
                return await lose_answer(request)
            if writes and hits("slow"):
                await asyncio.sleep(SLOW_SECONDS)
            return answer

        return handle

    def _knows(self, request: web.Request, *, writes: bool) -> bool:
        given = request.headers.get("Authorization", "")
        ours = self.twin.setup.secrets
        if ours.get("username") and hmac.compare_digest(
            given.encode(), basic(ours["username"], ours.get("password", "")).encode()
        ):
            return True
        value = given.removeprefix("Bearer ")
        with self.books.change():
            known = self.books.get("token", value)
            if known is None or known["until"] < time.time():
                return False
            # The first use of a token always works: otherwise nothing could ever get through at rate 1.
            if writes and known["uses"] and self.twin.quirks.hits("token_expired"):
                self.books.remove("token", value)
                return False
            self.books.put("token", value, {**known, "uses": known["uses"] + 1})
        return True

    def create(self, request: web.Request, body: Any) -> web.Response:
        if request.headers.get("Content-Type", "").replace(" ", "") != talk.MEDIA_TYPE:
            raise _No("OTM-415", f"the content type must be {talk.MEDIA_TYPE}", 415)
        xid, reference = self._check(body)
        load = f"{self.domain}.{xid}"
        if self.books.get("load", load) is not None:
            raise _No("DUPLICATE_KEY", f"order release {load} already exists")
        units = body["shipUnits"]["items"]
        weight = sum((_weight(unit) for unit in units), Decimal(0))
        self.network.take(load, reference, weight, service=str(body.get("rateServiceGid", "")))
        return _resource(self._view(self.books.get("load", load)), 201)

    def _check(self, body: Any) -> tuple[str, str]:
        """Raises `_No`; returns the release's id and our reference."""
        if not isinstance(body, dict) or body.get("domainName") != self.domain:
            raise _No("DOMAIN_UNKNOWN", "domainName is missing or not yours")
        xid = str(body.get("orderReleaseXid") or "")
        if not 1 <= len(xid) <= XID_LENGTH_MAX or body.get("orderReleaseGid") != f"{self.domain}.{xid}":
            raise _No("XID_INVALID", "orderReleaseXid is missing, too long or not that of orderReleaseGid")
        if not str(body.get("sourceLocationGid") or "").startswith(f"{self.domain}."):
            raise _No("LOCATION_UNKNOWN", f"location {body.get('sourceLocationGid')!r} does not exist")
        destination = body.get("destinationLocation") or {}
        if not destination.get("city") or destination.get("countryCode3Gid") not in ALPHA_3.values():
            raise _No("LOCATION_INVALID", "destinationLocation needs city and countryCode3Gid")
        if not (body.get("shipUnits") or {}).get("items"):
            raise _No("NO_SHIP_UNITS", "an order release needs ship units")
        wanted = f"{self.domain}.{self.network.setting('refnum_qualifier', 'HUB_SHIPMENT')}"
        refnums = (body.get("refnums") or {}).get("items") or []
        references = [
            ref.get("orderReleaseRefnumValue")
            for ref in refnums
            if ref.get("orderReleaseRefnumQualGid") == wanted
        ]
        return xid, str(references[0]) if references else ""

    def list_releases(self, request: web.Request, _: Any) -> web.Response:
        found = [self._view(load) for _, load in self.books.all("load")]
        limit = int(request.query.get("limit", "25"))
        return web.json_response({"items": found[:limit], "hasMore": len(found) > limit})

    def show(self, request: web.Request, _: Any) -> web.Response:
        load = self._find(request)
        answer = _resource(self._view(load), 200)
        answer.headers["ETag"] = _etag(load)
        return answer

    def change(self, request: web.Request, body: Any) -> web.Response:
        load = self._find(request)
        if request.headers.get("If-Match", "*") not in ("*", _etag(load)):
            raise _No("PRECONDITION_FAILED", "the resource was changed meanwhile", 412)
        statuses = ((body or {}).get("statuses") or {}).get("items") or []
        if [status.get("statusValueGid") for status in statuses] != [f"{self.domain}.{CANCELLED_VALUE}"]:
            raise _No("STATUS_INVALID", "no such status value")
        if not self.network.cancel(load):
            raise _No("STATUS_CONFLICT", f"{load['gid']} is {load['status']}: it can no longer be cancelled")
        return _resource(self._view(self.books.get("load", load["gid"])), 200)

    def _find(self, request: web.Request) -> Load:
        gid = request.match_info["gid"]
        load: Load | None = self.books.get("load", gid)
        if load is None:
            raise _No("NOT_FOUND", f"order release {gid} does not exist", 404)
        return load

    def _view(self, load: Load) -> dict[str, Any]:
        value = CANCELLED_VALUE if load["status"] == "cancelled" else "CANCELLED_NOT CANCELLED"
        qualifier = self.network.setting("refnum_qualifier", "HUB_SHIPMENT")
        refnum = {
            "orderReleaseRefnumQualGid": f"{self.domain}.{qualifier}",
            "orderReleaseRefnumValue": load["reference"],
        }
        status = {"statusTypeGid": f"{self.domain}.CANCELLED", "statusValueGid": f"{self.domain}.{value}"}
        return {
            "orderReleaseGid": load["gid"],
            "orderReleaseXid": load["gid"].partition(".")[2],
            "domainName": self.domain,
            "refnums": {"items": [refnum] if load["reference"] else []},
            "statuses": {"items": [status]},
        }

    async def show_loads(self, _: web.Request) -> web.Response:
        names = ("reference", "status", "carrier", "pro")
        loads = [{"load": gid} | {name: load[name] for name in names} for gid, load in self.books.all("load")]
        return web.json_response(loads)

    async def depart(self, request: web.Request) -> web.Response:
        references = (await request.json()).get("shipments", [])
        with self.books.change():
            for reference in references:
                self.network.depart(str(reference))
        return web.json_response({"departed": len(references)})


def _exact(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _weight(unit: Any) -> Decimal:
    """Kilograms of one ship unit."""
    try:
        given = unit["weight"]
        weight = Decimal(str(given["value"])) * {"KG": Decimal(1), "LB": Decimal("0.45359237")}[given["unit"]]
    except (KeyError, TypeError, InvalidOperation):
        raise _No("WEIGHT_INVALID", "every ship unit needs a weight in KG or LB") from None
    if not weight.is_finite() or weight <= 0:
        raise _No("WEIGHT_INVALID", "a weight must be above zero")
    return weight


def _etag(load: Load) -> str:
    return f'"{load["version"]}"'


def _resource(document: dict[str, Any], status: int) -> web.Response:
    body = json.dumps(document)
    return web.Response(status=status, text=body, headers={"Content-Type": talk.MEDIA_TYPE})


def _errors(code: str, detail: str, status: int) -> web.Response:
    document = {
        "type": "about:blank",
        "title": detail,
        "status": str(status),
        "o:errorDetails": [{"title": detail, "o:errorCode": code}],
    }
    return web.json_response(document, status=status)
