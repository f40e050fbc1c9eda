"""Canonical payloads → OTM's REST resources. Pure.

A tender is an order release; its id is given when it is sent (`release_xid`), because it comes from the effect.
"""

import re
from hashlib import blake2b
from typing import Any

import msgspec

from crossdock.connect.contract import Account
from crossdock.connectors.oracle_otm.country_codes import ALPHA_3
from crossdock.errors import Rejected, Unsupported
from crossdock.model.party import Party, People
from crossdock.model.requests import CancelLoad, TenderLoad
from crossdock.model.shipment import Package

WEIGHT_UNITS = {"KGM": "KG", "LBR": "LB"}
CANCELLED_TYPE = "CANCELLED"
CANCELLED_VALUE = "CANCELLED_CANCELLED"
_UNSAFE = re.compile(r"[^A-Z0-9-]+")
_READABLE_MAX = 30
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def from_payload(kind: str, payload: msgspec.Struct, people: People, account: Account) -> bytes:
    """The body of one effect, but for ids and states that only the moment of sending knows."""
    match kind, payload:
        case "load.tender", TenderLoad():
            document = _from_tender(payload, people.ship_to, account)
        case "load.cancel", CancelLoad():
            document = {
                "shipment": payload.shipment,
                "orderReleaseGid": payload.load,
                "reason": payload.reason,
            }
        case _:
            raise Unsupported(kind)
    return _ENCODER.encode(document)


def release_xid(reference: str, effect: str) -> str:
    """Readable in front, the effect's digest behind: the same for every attempt, new for every new tender."""
    readable = _UNSAFE.sub("_", reference.upper())[:_READABLE_MAX]
    return f"{readable}-{blake2b(effect.encode(), digest_size=6).hexdigest().upper()}"


def gid(account: Account, xid: str) -> str:
    """OTM's global id: `DOMAIN.XID`."""
    return f"{account.settings.get('domain', '')}.{xid}"


def refnum_qualifier(account: Account) -> str:
    return gid(account, account.settings.get("refnum_qualifier") or "HUB_SHIPMENT")


def cancellation(account: Account) -> dict[str, Any]:
    """The order release status that lets OTM's automation withdraw the tender."""
    status = {"statusTypeGid": gid(account, CANCELLED_TYPE), "statusValueGid": gid(account, CANCELLED_VALUE)}
    return {"statuses": {"items": [status]}}


def _from_tender(payload: TenderLoad, ship_to: Party, account: Account) -> dict[str, Any]:
    document: dict[str, Any] = {
        "domainName": account.settings.get("domain", ""),
        "orderReleaseName": payload.shipment,
        "orderReleaseTypeGid": account.settings.get("order_release_type") or "SALES_ORDER",
        "releaseMethodGid": "SHIP_UNITS",
        "sourceLocationGid": gid(account, payload.location),
        "destinationLocation": _from_party(ship_to, payload.destination.country),
        "rateServiceGid": gid(account, payload.service.upper()),
        "refnums": {
            "items": [
                {
                    "orderReleaseRefnumQualGid": refnum_qualifier(account),
                    "orderReleaseRefnumValue": payload.shipment,
                }
            ]
        },
        "shipUnits": {"items": [_from_package(package, i) for i, package in enumerate(payload.packages)]},
    }
    if payload.ship_on is not None:
        document["earlyPickupDate"] = {"value": payload.ship_on.isoformat()}
    return document


def _from_party(party: Party, country: str) -> dict[str, Any]:
    code = party.country or country
    if code not in ALPHA_3:
        raise Rejected("/destination/country", f"OTM needs a country, {code!r} is none", "missing")
    address = {
        "locationName": party.company or party.name,
        "city": party.city,
        "provinceCode": party.region,
        "postalCode": party.postal_code,
        "countryCode3Gid": ALPHA_3[code],
    }
    lines = [{"sequenceNumber": i, "addressLine": line} for i, line in enumerate(party.lines, 1)]
    return {name: value for name, value in address.items() if value} | {"addressLines": {"items": lines}}


def _from_package(package: Package, index: int) -> dict[str, Any]:
    unit = WEIGHT_UNITS.get(package.weight.unit)
    if unit is None:
        raise Rejected(f"/packages/{index}/weight/unit", f"OTM weighs no {package.weight.unit}", "unit")
    return {
        "shipUnitXid": package.sscc,
        "shipUnitCount": 1,
        "weight": {"value": package.weight.value, "unit": unit},
    }
