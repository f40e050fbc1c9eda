"""Canonical payloads → documents of the WMS's REST services. Pure."""

import re
from hashlib import blake2b
from typing import Any

import msgspec

from crossdock.connect.contract import Account
from crossdock.connectors.manhattan_wms.units import from_unit
from crossdock.errors import Unsupported
from crossdock.model.party import Party, People
from crossdock.model.requests import (
    AnnounceInbound,
    AttachLabel,
    CancelRelease,
    ReleaseOrder,
    ReleaseTransfer,
)

_UNSAFE = re.compile(r"[^A-Za-z0-9-]+")
_READABLE_MAX = 40
_ENCODER = msgspec.json.Encoder(decimal_format="string")


def from_payload(kind: str, payload: msgspec.Struct, people: People, account: Account) -> bytes:
    """The final body of one effect."""
    match kind, payload:
        case "warehouse_order.release", ReleaseOrder():
            document = _from_release(payload, people.ship_to)
        case "warehouse_order.cancel", CancelRelease():
            document = _from_cancel(payload)
        case "label.attach", AttachLabel():
            document = _from_label(payload, account)
        case "inbound.announce", AnnounceInbound():
            document = _from_announcement(payload)
        case "transfer.release", ReleaseTransfer():
            document = _from_transfer(payload)
        case _:
            raise Unsupported(kind)
    return _ENCODER.encode(document)


def order_id(reference: str) -> str:
    """A name the WMS accepts. Replacing characters may make two references equal: the digest tells."""
    readable = _UNSAFE.sub("_", reference)[:_READABLE_MAX]
    return f"{readable}-{blake2b(reference.encode(), digest_size=4).hexdigest()}"


def hub_reference(reference: str, release: int) -> str:
    """What the WMS knows an order by: our reference, and `~n` behind it from the second release on."""
    return f"{reference}~{release}" if release else reference


def shipment_id(shipment: str, account: Account) -> str:
    """The WMS's own number, whether we name the shipment by it or by `<account>/<number>`."""
    return shipment.removeprefix(account.name + "/")


def _from_release(payload: ReleaseOrder, ship_to: Party) -> dict[str, Any]:
    named = hub_reference(payload.reference, payload.release)
    document: dict[str, Any] = {
        "OriginalOrderId": order_id(named),
        "Extended": {"HubReference": named},
        "CustomerOrderNumber": payload.number,
        "OriginFacilityId": payload.location,
        "OrderType": "CustomerOrder",
        "ServiceLevelId": payload.service,
        "DestinationAddress": _from_party(ship_to),
        "OriginalOrderLine": [
            {
                "OriginalOrderLineId": line.line,
                "ItemId": line.item,
                "Description": line.description,
                "OrderedQuantity": line.ordered.value,
                "QuantityUomId": from_unit(line.ordered.unit, f"/lines/{index}/ordered/unit"),
                **({"OwnerId": line.owner} if line.owner else {}),
            }
            for index, line in enumerate(payload.lines)
        ],
    }
    if payload.promised_on is not None:
        document["RequiredDeliveryDate"] = payload.promised_on.isoformat()
    if payload.ship_on is not None:
        document["PlannedShipDate"] = payload.ship_on.isoformat()
    return document


def _from_party(party: Party) -> dict[str, str]:
    first, _, last = party.name.partition(" ")
    address = {
        "FirstName": first,
        "LastName": last,
        "Company": party.company,
        "Address1": "".join(party.lines[:1]),
        "Address2": "".join(party.lines[1:2]),
        "Address3": ", ".join(party.lines[2:]),
        "City": party.city,
        "State": party.region,
        "PostalCode": party.postal_code,
        "Country": party.country,
        "Email": party.email,
        "Phone": party.phone,
    }
    return {name: value for name, value in address.items() if value}


def _from_cancel(payload: CancelRelease) -> dict[str, Any]:
    named = hub_reference(payload.reference, payload.release)
    return {
        "OriginalOrderId": order_id(named),
        "Extended": {"HubReference": named},
        "OriginFacilityId": payload.location,
        "ReasonText": payload.reason,
    }


def _from_label(payload: AttachLabel, account: Account) -> dict[str, Any]:
    return {
        "ShipmentId": shipment_id(payload.shipment, account),
        "Extended": {"HubReference": payload.shipment},
        "CarrierId": payload.carrier,
        "Olpns": [
            {"OlpnId": package.sscc, "TrackingNumber": package.tracking} for package in payload.packages
        ],
    }


def _from_announcement(payload: AnnounceInbound) -> dict[str, Any]:
    """An advance ship notice: one for each truck, or one for the whole order."""
    document: dict[str, Any] = {
        "AsnId": order_id(f"{payload.reference}/{payload.delivery}"),
        "Extended": {"HubReference": payload.reference, "Delivery": payload.delivery},
        "DestinationFacilityId": payload.location,
        "AsnStatus": "CANCELLED" if payload.cancelled else "IN_TRANSIT",
        "AsnLine": [
            {
                "AsnLineId": line.line,
                "ItemId": line.item,
                "ShippedQuantity": line.quantity.value,
                "QuantityUomId": from_unit(line.quantity.unit, f"/lines/{index}/quantity/unit"),
                **({"OwnerId": line.owner} if line.owner else {}),
            }
            for index, line in enumerate(payload.lines)
        ],
    }
    if payload.due_on is not None:
        document["EstimatedArrivalDate"] = payload.due_on.isoformat()
    return document


def _from_transfer(payload: ReleaseTransfer) -> dict[str, Any]:
    document: dict[str, Any] = {
        "TransferOrderId": order_id(payload.reference),
        "Extended": {"HubReference": payload.reference},
        "TransferNumber": payload.number,
        "OriginFacilityId": payload.location,
        "DestinationFacilityId": payload.destination,
        "TransferStatus": "CANCELLED" if payload.cancelled else "RELEASED",
        "TransferOrderLine": [
            {
                "TransferOrderLineId": line.line,
                "ItemId": line.item,
                "OrderedQuantity": line.quantity.value,
                "QuantityUomId": from_unit(line.quantity.unit, f"/lines/{index}/quantity/unit"),
            }
            for index, line in enumerate(payload.lines)
        ],
    }
    if payload.due_on is not None:
        document["RequiredDeliveryDate"] = payload.due_on.isoformat()
    return document
