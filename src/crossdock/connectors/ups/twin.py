"""The simulated UPS: tokens, labels, voids, rates, search, subscriptions. Scans are in `twin_parcels`.

GET /_twin/parcels  [{"tracking", "reference", "status", "voided", "subscribed"}]
"""

import asyncio
import secrets
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from crossdock.connect.twin import Twin, lose_answer
from crossdock.connectors.ups import client
from crossdock.connectors.ups.twin_parcels import SHIPPED, Parcels, tracking_number

SLOW_SECONDS = 2.0
SERVICES = ("01", "02", "03", "07", "08", "11", "12", "13", "14", "54", "65", "70", "74")
POSTAL_DIGITS = {"US": 5, "DE": 5, "FR": 5, "IT": 5, "ES": 5, "AT": 4, "BE": 4, "CH": 4}
ONE_PIXEL = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
Service = Callable[[web.Request, Any], web.Response]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build(twin: Twin) -> None:
    """Add UPS's routes and the parcels' way to the twin."""
    parcels = Parcels(twin)
    api = Api(twin, parcels)
    twin.every_tick(parcels.work)
    twin.app.add_routes(
        [
            web.post(client.TOKEN_PATH, api.token),
            web.post(client.SHIP_PATH, api.guarded(api.ship)),
            web.delete(client.VOID_PATH + "{number}", api.guarded(api.void)),
            web.post(client.SUBSCRIBE_PATH, api.guarded(api.subscribe)),
            web.post(client.RATE_PATH, api.guarded(api.rate, writes=False)),
            web.get(client.REFERENCE_PATH + "{reference:.+}", api.guarded(api.search, writes=False)),
            web.get("/_twin/parcels", api.show_parcels),
        ]
    )


class _No(Exception):  # an answer, not an error of ours
    """A refusal in UPS's form."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.answer = _errors(code, message, status)


class Api:
    """The request handlers; each write is one change of the books."""

    def __init__(self, twin: Twin, parcels: Parcels) -> None:
        self.twin = twin
        self.books = twin.books
        self.parcels = parcels
        self.settings = twin.setup.settings

    async def token(self, request: web.Request) -> web.Response:
        given = self.twin.setup.secrets
        if _basic(request) != (given.get("client_id", ""), given.get("client_secret", "")):
            return _errors("10401", "ClientId is Invalid", 401)
        if (await request.post()).get("grant_type") != "client_credentials":
            return _errors("10400", "Invalid/Missing grant_type", 400)
        lives = self.settings.get("token_seconds", "14399")
        token = secrets.token_urlsafe(24)
        with self.books.change():
            self.books.put("token", token, {"until": time.time() + float(lives), "uses": 0})
        return web.json_response(
            {"token_type": "Bearer", "access_token": token, "expires_in": lives, "status": "approved"}
        )

    def guarded(self, service: Service, *, writes: bool = True) -> Handler:
        """Misbehave as told, check who calls, and run `service` in one change of the books."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if writes and self.twin.quirks.hits("unavailable"):
                return web.Response(status=503, text="Service Unavailable")
            if not self._knows(request, writes=writes):
                return _errors("250002", "Invalid Authentication Information.", 401)
            if writes and self.twin.quirks.hits("throttle_429"):
                return self._throttled()
            try:
                body = await request.json() if request.can_read_body else None
            except ValueError:
                return _errors("10007", "Requested Content Type is not supported", 400)
            try:
                with self.books.change():
                    answer = service(request, body)
            except _No as no:
                answer = no.answer
            if writes and self.twin.quirks.hits("answer_lost"):
                return await lose_answer(request)
            if writes and self.twin.quirks.hits("slow"):
                await asyncio.sleep(SLOW_SECONDS)
            return answer

        return handle

    def _knows(self, request: web.Request, *, writes: bool) -> bool:
        value = request.headers.get("Authorization", "").removeprefix("Bearer ")
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

    def _throttled(self) -> web.Response:
        with self.books.change():
            turn = self.books.next_number("throttled")
        answer = _errors(client.TOO_MANY_REQUESTS, "Too Many Requests", 429)
        if turn % 2:
            answer.headers["Retry-After"] = "1"
        return answer

    def ship(self, _: web.Request, body: Any) -> web.Response:
        shipment = body["ShipmentRequest"]["Shipment"]
        self._check_shipment(shipment)
        reference = shipment["ReferenceNumber"][0]["Value"]
        packages = [
            {"tracking": self._tracking(shipment), "sscc": package["ReferenceNumber"][0]["Value"]}
            for package in shipment["Package"]
        ]
        number = packages[0]["tracking"]
        price = self._price(shipment)
        self.books.put(
            "label",
            number,
            {"reference": reference, "at": time.time(), "packages": packages, "voided": False},
        )
        numbers = self.books.get("reference", reference) or []
        self.books.put("reference", reference, [*numbers, number])
        self.parcels.label(number, reference, packages)
        self.books.journal("label.create", reference, number)
        results = [
            {
                "TrackingNumber": package["tracking"],
                "ShippingLabel": {"ImageFormat": {"Code": "GIF"}, "GraphicImage": ONE_PIXEL},
            }
            for package in packages
        ]
        return web.json_response(
            {
                "ShipmentResponse": {
                    "Response": {"ResponseStatus": {"Code": "1", "Description": "Success"}},
                    "ShipmentResults": {
                        "ShipmentCharges": {"TotalCharges": price},
                        "ShipmentIdentificationNumber": number,
                        # The old dialect for one package: an object instead of a list.
                        "PackageResults": results if len(results) > 1 else results[0],
                    },
                }
            }
        )

    def _tracking(self, shipment: dict[str, Any]) -> str:
        account = self.settings.get("account_number", "")
        return tracking_number(account, shipment["Service"]["Code"], self.books.next_number("parcel"))

    def _check_shipment(self, shipment: dict[str, Any]) -> None:
        if shipment.get("Shipper", {}).get("ShipperNumber") != self.settings.get("account_number", ""):
            raise _No("120100", "Missing or invalid shipper number")
        if shipment.get("Service", {}).get("Code") not in SERVICES:
            raise _No("120500", "Missing or invalid service code")
        if not 1 <= len(shipment["ReferenceNumber"][0].get("Value", "")) <= 35:
            raise _No("120501", "Invalid shipment reference number value")
        _check_address(shipment.get("ShipTo", {}))
        for package in shipment.get("Package") or [{}]:
            try:
                weight = Decimal(package["PackageWeight"]["Weight"])
            except (KeyError, InvalidOperation):
                raise _No("120608", "Package weight is required") from None
            if weight <= 0:
                raise _No("120601", "Missing or invalid package weight")

    def _price(self, shipment: dict[str, Any]) -> dict[str, str]:
        weights = [Decimal(package["PackageWeight"]["Weight"]) for package in shipment["Package"]]
        total = sum((Decimal("6.50") + Decimal("1.10") * weight for weight in weights), Decimal(0))
        total *= 2 if shipment["Service"]["Code"] != "11" else 1
        return {"CurrencyCode": self.settings.get("currency", "EUR"), "MonetaryValue": f"{total:.2f}"}

    def rate(self, _: web.Request, body: Any) -> web.Response:
        shipment = body["RateRequest"]["Shipment"]
        self._check_shipment(shipment)
        return web.json_response(
            {"RateResponse": {"RatedShipment": [{"TotalCharges": self._price(shipment)}]}}
        )

    def void(self, request: web.Request, _: Any) -> web.Response:
        number = request.match_info["number"]
        label = self.books.get("label", number)
        if label is None:
            raise _No("190100", "The shipment identification number is invalid")
        if label["voided"]:
            raise _No(client.ALREADY_VOIDED, "The shipment was voided before")
        trackings = [package["tracking"] for package in label["packages"]]
        if any(self.books.get("parcel", tracking)["status"] in SHIPPED for tracking in trackings):
            raise _No("190102", "No shipment found within the allowed void period")
        self.books.put("label", number, {**label, "voided": True})
        self.parcels.void(trackings)
        self.books.journal("label.void", label["reference"], number)
        success = {"Status": {"Code": "1", "Description": "Success"}}
        return web.json_response({"VoidShipmentResponse": {"SummaryResult": success}})

    def subscribe(self, request: web.Request, body: Any) -> web.Response:
        destination = body.get("destination") or {}
        numbers = body.get("trackingNumberList") or []
        checks = (
            (request.headers.get("transId"), "VSS002", "transId is missing"),
            (request.headers.get("transactionSrc"), "VSS004", "transactionSrc is missing"),
            (numbers, "VSS200", "a list of tracking numbers is required"),
            (len(numbers) <= client.SUBSCRIPTION_NUMBERS_MAX, "VSS220", "more than 100 tracking numbers"),
            (body.get("locale"), "VSS300", "a locale is required"),
            (destination, "VSS500", "a destination is required"),
            (destination.get("url"), "VSS600", "the URL is empty"),
            (destination.get("credential"), "VSS700", "the credential is empty"),
            (destination.get("credentialType"), "VSS800", "the credential type is empty"),
        )
        for good, code, message in checks:
            if not good:
                raise _No(code, message)
        known = [number for number in numbers if self.books.get("parcel", number)]
        if not known:
            raise _No("VSS210", "no valid tracking number in the request")
        for number in dict.fromkeys(self.parcels.subscribe(known)):
            self.books.journal("tracking.subscribe", self.books.get("label", number)["reference"], number)
        answer = {"validTrackingNumbers": known}
        if unknown := [number for number in numbers if number not in known]:
            answer["invalidTrackingNumbers"] = unknown
        return web.json_response(answer)

    def search(self, request: web.Request, _: Any) -> web.Response:
        """By shipment reference; what is younger than the lag is not in the index yet."""
        seen = time.time() - float(self.settings.get("search_lag_seconds", "1"))
        numbers = self.books.get("reference", request.match_info["reference"]) or []
        labels = [(number, self.books.get("label", number)) for number in numbers]
        found = [self._tracked(number, label) for number, label in labels if label["at"] <= seen]
        nothing = {"warnings": [{"code": "TW0001", "message": "Tracking Information Not Found"}]}
        return web.json_response({"trackResponse": {"shipment": found or [nothing]}})

    def _tracked(self, number: str, label: dict[str, Any]) -> dict[str, Any]:
        status = {"type": "M", "code": "VP" if label["voided"] else "MP", "description": ""}
        packages = [
            {
                "trackingNumber": package["tracking"],
                "currentStatus": status,
                "referenceNumber": [
                    {"type": "SHIPMENT", "number": label["reference"]},
                    {"type": "PACKAGE", "number": package["sscc"]},
                ],
            }
            for package in label["packages"]
        ]
        return {"inquiryNumber": number, "package": packages}

    async def show_parcels(self, _: web.Request) -> web.Response:
        names = ("tracking", "reference", "status", "voided", "subscribed")
        return web.json_response(
            [{name: parcel[name] for name in names} for _, parcel in self.books.all("parcel")]
        )


def _check_address(ship_to: dict[str, Any]) -> None:
    address = ship_to.get("Address", {})
    lines = address.get("AddressLine") or []
    country = address.get("CountryCode", "")
    postal_code = address.get("PostalCode", "")
    if not ship_to.get("Name"):
        raise _No("120201", "Missing or invalid ship to company name")
    if not lines or len(lines) > 3 or any(len(line) > 35 for line in lines):
        raise _No("120203", "Missing or invalid ship to address line")
    if not address.get("City"):
        raise _No("120205", "Missing or invalid ship to city")
    if len(country) != 2:
        raise _No("120208", "Missing or invalid ship to country code")
    digits = POSTAL_DIGITS.get(country)
    if digits and not (postal_code[:digits].isdigit() and len(postal_code.split("-")[0]) == digits):
        raise _No("120207", "Missing or invalid ship to postal code")
    if address["City"].lower() == "nowhere":
        raise _No("120802", "Address Validation Error on ShipTo address")


def _errors(code: str, message: str, status: int) -> web.Response:
    return web.json_response({"response": {"errors": [{"code": code, "message": message}]}}, status=status)


def _basic(request: web.Request) -> tuple[str, str]:
    encoded = request.headers.get("Authorization", "").removeprefix("Basic ")
    name, _, secret = b64decode(encoded + "==").decode(errors="replace").partition(":")
    return name, secret
