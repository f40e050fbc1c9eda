"""Canonical payloads → UPS requests, and UPS's answers → receipts. Pure."""

import re
from decimal import ROUND_UP, Decimal
from textwrap import wrap
from typing import Any

import msgspec

from crossdock.connect.contract import Account
from crossdock.connectors.ups.scans import CARRIER
from crossdock.errors import Rejected, Unsupported
from crossdock.model.money import Money
from crossdock.model.party import Party, People
from crossdock.model.requests import CreateLabel, SubscribeTracking, VoidLabel
from crossdock.model.shipment import LabelGenerated, LabelledPackage, Package

LINE_CHARACTERS_MAX = 35
LINES_MAX = 3
REFERENCE_CHARACTERS_MAX = 35
STATE_COUNTRIES = ("US", "CA", "PR")
WEIGHT_UNITS = {"KGM": "KGS", "LBR": "LBS"}
TENTH = Decimal("0.1")
_ENCODER = msgspec.json.Encoder(decimal_format="string")


def from_payload(kind: str, payload: msgspec.Struct, people: People, account: Account) -> bytes:
    """The body of one effect. Voiding has none on the wire: there it holds what the path needs."""
    document: dict[str, Any]
    match kind, payload:
        case "label.create", CreateLabel():
            document = _from_label(payload, people.ship_to, account)
        case "label.void", VoidLabel():
            document = {"shipment": payload.shipment, "shipmentIdentificationNumber": payload.shipment_id}
        case "tracking.subscribe", SubscribeTracking():
            document = {
                "locale": "en_US",
                "countryCode": account.settings.get("shipper_country", "US"),
                "trackingNumberList": list(payload.tracking),
            }
        case _:
            raise Unsupported(kind)
    return _ENCODER.encode(document)


def _from_label(payload: CreateLabel, ship_to: Party, account: Account) -> dict[str, Any]:
    settings = account.settings
    number = settings.get("account_number", "")
    shipment = {
        "Description": "Goods",
        "Shipper": _from_shipper(settings, number),
        "ShipTo": _from_party(ship_to, payload.destination.country),
        "ShipmentRatingOptions": {"NegotiatedRatesIndicator": "Y"},
        "PaymentInformation": {
            "ShipmentCharge": [{"Type": "01", "BillShipper": {"AccountNumber": number}}],
        },
        # A service nobody mapped goes out as it is: UPS refuses it by name, which beats a silent downgrade.
        "Service": {"Code": settings.get(f"service_{payload.service}", payload.service)},
        "ReferenceNumber": [{"Value": _reference(payload)}],
        "Package": [_from_package(package, index) for index, package in enumerate(payload.packages)],
    }
    return {
        "ShipmentRequest": {
            "Request": {
                "RequestOption": "nonvalidate",
                "TransactionReference": {"CustomerContext": _reference(payload)},
            },
            "Shipment": shipment,
            "LabelSpecification": {
                "LabelImageFormat": {"Code": settings.get("label_format", "ZPL")},
                "LabelStockSize": {"Height": "6", "Width": "4"},
            },
        }
    }


def _reference(payload: CreateLabel) -> str:
    """Of this label: another of the same shipment is not it, and is not found in its place."""
    return f"{payload.shipment}~{payload.again}" if payload.again else payload.shipment


def _from_shipper(settings: Any, number: str) -> dict[str, Any]:
    address = {
        "AddressLine": [settings.get("shipper_line", "")],
        "City": settings.get("shipper_city", ""),
        "StateProvinceCode": settings.get("shipper_state", ""),
        "PostalCode": settings.get("shipper_postal_code", ""),
        "CountryCode": settings.get("shipper_country", ""),
    }
    shipper: dict[str, Any] = {
        "Name": settings.get("shipper_name", ""),
        "ShipperNumber": number,
        "Address": {name: value for name, value in address.items() if value},
    }
    if settings.get("shipper_phone"):
        shipper["Phone"] = {"Number": settings["shipper_phone"]}
    return shipper


def _from_party(party: Party, country: str) -> dict[str, Any]:
    country = party.country or country
    address: dict[str, Any] = {"AddressLine": address_lines(party.lines), "City": party.city}
    if country in STATE_COUNTRIES and party.region:
        address["StateProvinceCode"] = party.region
    address |= {"PostalCode": party.postal_code.strip(), "CountryCode": country}
    ship_to: dict[str, Any] = {
        "Name": (party.company or party.name)[:LINE_CHARACTERS_MAX],
        "AttentionName": (party.name or party.company)[:LINE_CHARACTERS_MAX],
        "Address": address,
    }
    phone = re.sub(r"[^\d+]", "", party.phone)[:15]
    if phone:
        ship_to["Phone"] = {"Number": phone}
    return ship_to


def address_lines(lines: tuple[str, ...]) -> list[str]:
    """At most three lines of 35 characters, broken at words. What does not fit stays in the third: the client
    refuses such a label, because cutting an address off sends the parcel astray.
    """
    given = [line.strip() for line in lines if line.strip()]
    if len(given) <= LINES_MAX and all(len(line) <= LINE_CHARACTERS_MAX for line in given):
        return given
    apart = [part for line in given for part in wrap(line, LINE_CHARACTERS_MAX, break_on_hyphens=False)]
    if len(apart) <= LINES_MAX:
        return apart
    flowing = wrap(", ".join(given), LINE_CHARACTERS_MAX, break_on_hyphens=False)
    if len(flowing) <= LINES_MAX:
        return flowing
    return [*flowing[: LINES_MAX - 1], " ".join(flowing[LINES_MAX - 1 :])]


def _from_package(package: Package, index: int) -> dict[str, Any]:
    unit = WEIGHT_UNITS.get(package.weight.unit)
    if unit is None:
        raise Rejected(f"/packages/{index}/weight/unit", f"UPS weighs no {package.weight.unit}", "unit")
    weight = max(package.weight.value.quantize(TENTH, ROUND_UP), TENTH)
    return {
        "Packaging": {"Code": "02"},
        "PackageWeight": {"UnitOfMeasurement": {"Code": unit}, "Weight": f"{weight:f}"},
        "ReferenceNumber": [{"Value": package.sscc}],
    }


class _Value(msgspec.Struct, rename="pascal"):
    value: str = ""


class _Lines(msgspec.Struct, rename="pascal"):
    address_line: tuple[str, ...] = ()


class _ShipTo(msgspec.Struct, rename="pascal"):
    address: _Lines = msgspec.field(default_factory=_Lines)


class _AskedPackage(msgspec.Struct, rename="pascal"):
    reference_number: tuple[_Value, ...] = ()


class _AskedShipment(msgspec.Struct, rename="pascal"):
    ship_to: _ShipTo
    reference_number: tuple[_Value, ...]
    package: tuple[_AskedPackage, ...]


class _AskedRequest(msgspec.Struct, rename="pascal"):
    shipment: _AskedShipment


class _Asked(msgspec.Struct, rename="pascal"):
    shipment_request: _AskedRequest


class LabelAsked(msgspec.Struct):
    """What a label request says about itself: enough to read the answer, and to look it up."""

    reference: str
    ssccs: tuple[str, ...]
    defect: str = ""
    """Why it must not be sent, without naming the person."""


def label_asked(body: bytes) -> LabelAsked:
    shipment = msgspec.json.decode(body, type=_Asked).shipment_request.shipment
    reference = shipment.reference_number[0].value
    defect = ""
    for place, line in enumerate(shipment.ship_to.address.address_line, 1):
        if len(line) > LINE_CHARACTERS_MAX:
            defect = f"address line {place} has {len(line)} characters, UPS prints {LINE_CHARACTERS_MAX}"
    if len(reference) > REFERENCE_CHARACTERS_MAX:
        defect = f"the shipment reference has more than {REFERENCE_CHARACTERS_MAX} characters"
    ssccs = tuple(package.reference_number[0].value for package in shipment.package)
    return LabelAsked(reference=reference, ssccs=ssccs, defect=defect)


def rate_request(body: bytes) -> bytes:
    """The price question for the shipment of a label request."""
    request = msgspec.json.decode(body)["ShipmentRequest"]
    question = {"RateRequest": {"Request": request["Request"], "Shipment": request["Shipment"]}}
    return msgspec.json.encode(question)


class Charge(msgspec.Struct, rename="pascal"):
    currency_code: str
    monetary_value: Decimal


class _Charges(msgspec.Struct, rename="pascal"):
    total_charges: Charge | None = None


class Negotiated(msgspec.Struct, rename="pascal"):
    total_charge: Charge | None = None


class _LabelledPackage(msgspec.Struct, rename="pascal"):
    tracking_number: str


class _Results(msgspec.Struct, rename="pascal"):
    shipment_identification_number: str
    package_results: list[_LabelledPackage] | _LabelledPackage
    shipment_charges: _Charges | None = None
    negotiated_rate_charges: Negotiated | None = None


class _ShipmentResponse(msgspec.Struct, rename="pascal"):
    shipment_results: _Results


class _ShipAnswer(msgspec.Struct, rename="pascal"):
    shipment_response: _ShipmentResponse


def to_label(answer: bytes, ssccs: tuple[str, ...]) -> LabelGenerated | None:
    """None where the answer does not name one tracking number for each package."""
    try:
        results = msgspec.json.decode(answer, type=_ShipAnswer).shipment_response.shipment_results
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    # Before v2403 a single package came as an object; some gateways still unwrap the list.
    found = results.package_results
    packages = found if isinstance(found, list) else [found]
    if len(packages) != len(ssccs):
        return None
    return LabelGenerated(
        carrier=CARRIER,
        shipment_id=results.shipment_identification_number,
        packages=tuple(
            LabelledPackage(sscc=sscc, tracking=package.tracking_number)
            for sscc, package in zip(ssccs, packages, strict=True)
        ),
        freight=freight(
            results.shipment_charges.total_charges if results.shipment_charges else None,
            results.negotiated_rate_charges,
        ),
    )


def freight(published: Charge | None, negotiated: Negotiated | None) -> Money | None:
    """What we pay: the negotiated total where the account has one."""
    charge = (negotiated.total_charge if negotiated else None) or published
    if charge is None or not charge.monetary_value.is_finite():
        return None
    return Money(charge.monetary_value, charge.currency_code)
