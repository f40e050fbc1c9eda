"""Track-by-reference and rating answers: how a label looks that was made unheard. Pure."""

import msgspec

from crossdock.connectors.ups.mapping import Charge, LabelAsked, Negotiated, freight
from crossdock.connectors.ups.scan_codes import meaning
from crossdock.connectors.ups.scans import CARRIER
from crossdock.model.money import Money
from crossdock.model.shipment import LabelGenerated, LabelledPackage


class _Reference(msgspec.Struct):
    number: str


class _Status(msgspec.Struct):
    type: str = ""
    code: str = ""


class _Package(msgspec.Struct, rename="camel"):
    tracking_number: str
    reference_number: tuple[_Reference, ...] = ()
    current_status: _Status | None = None


class _Shipment(msgspec.Struct, rename="camel"):
    inquiry_number: str = ""
    package: tuple[_Package, ...] = ()
    """Missing where UPS answers 200 with a warning instead of a shipment."""


class _TrackResponse(msgspec.Struct):
    shipment: tuple[_Shipment, ...] = ()


class _TrackAnswer(msgspec.Struct, rename="camel"):
    track_response: _TrackResponse


def to_found_label(answer: bytes, asked: LabelAsked) -> LabelGenerated | None:
    """The first live shipment with exactly the packages we asked for; others only share our reference.

    Raises `msgspec.DecodeError` where this is no tracking answer.
    """
    for shipment in msgspec.json.decode(answer, type=_TrackAnswer).track_response.shipment:
        live = [package for package in shipment.package if not _voided(package)]
        if not live or len(live) != len(asked.ssccs):
            continue
        numbers = {
            reference.number: package.tracking_number
            for package in live
            for reference in package.reference_number
        }
        if asked.reference in numbers and all(sscc in numbers for sscc in asked.ssccs):
            return LabelGenerated(
                carrier=CARRIER,
                # UPS names a shipment by the tracking number of its first package.
                shipment_id=shipment.inquiry_number or numbers[asked.ssccs[0]],
                packages=tuple(LabelledPackage(sscc=sscc, tracking=numbers[sscc]) for sscc in asked.ssccs),
            )
    return None


def _voided(package: _Package) -> bool:
    status = package.current_status
    return status is not None and meaning(status.type, status.code)[0] == "cancelled"


class _Rated(msgspec.Struct, rename="pascal"):
    total_charges: Charge | None = None
    negotiated_rate_charges: Negotiated | None = None


class _RateResponse(msgspec.Struct, rename="pascal"):
    rated_shipment: list[_Rated] | _Rated


class _RateAnswer(msgspec.Struct, rename="pascal"):
    rate_response: _RateResponse


def to_rate(answer: bytes) -> Money | None:
    """The price of the one service that was asked for. Raises `msgspec.DecodeError` where there is none."""
    rated = msgspec.json.decode(answer, type=_RateAnswer).rate_response.rated_shipment
    first = rated if isinstance(rated, _Rated) else next(iter(rated), _Rated())
    return freight(first.total_charges, first.negotiated_rate_charges)
