"""Event messages of the WMS → canonical events. Pure; the WMS is the authority for what it says here."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from crossdock.connect.contract import Account, Inbound, Numbered, Translation
from crossdock.connect.reading import parse, read, unmapped
from crossdock.connectors.manhattan_wms import mapping_dock, mapping_returns, messages
from crossdock.connectors.manhattan_wms.gs1 import is_sscc
from crossdock.connectors.manhattan_wms.units import to_quantity
from crossdock.errors import Malformed, Rejected, Unsupported
from crossdock.model.envelope import NewEvent
from crossdock.model.order import LineAllocation, LineShipped, LinesShort, OrderAllocated
from crossdock.model.party import Party, People, Place
from crossdock.model.shipment import Package, ShipmentCancelled, ShipmentDeparted, ShipmentPacked
from crossdock.model.stock import StockAdjusted, StockPlace, StockReceived
from crossdock.model.thread import ThreadKey, shipment_thread, stock_thread

CHANNEL = "events"
MESSAGE_ID_HEADER = "x-message-id"
_RELEASE = re.compile(r"~(\d+)$")
M = TypeVar("M", bound=messages.Message)


def to_events(inbound: Inbound, account: Account) -> Translation:
    """One message → one event, or two where a slip came with goods."""
    if inbound.channel != CHANNEL:
        raise Unsupported(inbound.channel)
    source_id = inbound.headers.get(MESSAGE_ID_HEADER, "").strip()
    if not source_id:
        raise Malformed("the message has no id", f"header {MESSAGE_ID_HEADER}")
    kind = read(messages.Head, inbound.body).message_type
    translate = _MESSAGES.get(kind)
    if translate is None:
        raise Unsupported(kind)
    return translate(inbound, source_id, account)


def to_number(inbound: Inbound) -> Numbered | None:
    """`Sequence` counts the event messages of a facility up by one, whatever they tell of."""
    try:
        envelope = read(messages.Envelope, inbound.body)
    except (Malformed, Rejected):
        return None
    return Numbered(series=envelope.facility, number=envelope.sequence)


def order_reference(hub_reference: str) -> str:
    """Our order, whichever of its releases (`~n`) the WMS speaks of."""
    return _RELEASE.sub("", hub_reference)


def release_of(hub_reference: str) -> int:
    """The number of the release it speaks of; the first bears no mark."""
    found = _RELEASE.search(hub_reference)
    return int(found[1]) if found else 0


Translate = Callable[[Inbound, str, Account], Translation]


def _translator(
    shape: type[M], to_event: Callable[[M, Account], NewEvent | tuple[NewEvent, ...]]
) -> Translate:
    def translate(inbound: Inbound, source_id: str, account: Account) -> Translation:
        message = read(shape, inbound.body)
        left = unmapped(shape, parse(inbound.body))
        made = to_event(message, account)
        events = made if isinstance(made, tuple) else (made,)
        return Translation(source_id=source_id, events=events, unmapped=left)

    return translate


def _to_order_allocated(message: messages.OrderAllocatedMessage, _: Account) -> NewEvent:
    payload = message.payload
    lines = tuple(
        LineAllocation(
            line=line.original_order_line_id,
            item=line.item_id,
            quantity=to_quantity(
                line.quantity,
                line.quantity_uom_id,
                value_path=f"/Payload/Lines/{index}/Quantity",
                unit_path=f"/Payload/Lines/{index}/QuantityUomId",
            ),
            location=line.location_id or message.facility,
            lot=line.lot_number or "",
            release=release_of(payload.extended.hub_reference),
        )
        for index, line in enumerate(payload.lines)
    )
    return NewEvent(
        thread=ThreadKey("order/" + order_reference(payload.extended.hub_reference)),
        data=OrderAllocated(lines=lines),
        occurred_at=message.event_timestamp,
        sequence=message.sequence,
    )


def _to_short_picked(message: messages.OrderShortPickedMessage, _: Account) -> NewEvent:
    payload = message.payload
    order = order_reference(payload.extended.hub_reference)
    lines = tuple(
        LineShipped(
            order=order,
            line=line.original_order_line_id,
            item=line.item_id,
            quantity=to_quantity(
                line.quantity,
                line.quantity_uom_id,
                value_path=f"/Payload/Lines/{index}/Quantity",
                unit_path=f"/Payload/Lines/{index}/QuantityUomId",
            ),
            lot=line.lot_number or "",
            release=release_of(payload.extended.hub_reference),
        )
        for index, line in enumerate(payload.lines)
    )
    return NewEvent(
        thread=ThreadKey("order/" + order),
        data=LinesShort(lines=lines, location=message.facility, reason=payload.reason_code or ""),
        occurred_at=message.event_timestamp,
        sequence=message.sequence,
    )


def _to_shipment_packed(message: messages.ShipmentPackedMessage, account: Account) -> NewEvent:
    payload = message.payload
    first = payload.olpns[0].lines[0].extended
    ship_to = payload.ship_to
    return NewEvent(
        thread=shipment_thread(account.name, payload.shipment_id),
        data=ShipmentPacked(
            shipment=payload.shipment_id,
            location=message.facility,
            packages=_to_packages(payload.olpns),
            service=payload.service_level_id or "standard",
            destination=_to_place(ship_to),
            people=People(ship_to=_to_party(ship_to)) if ship_to else None,
            subject=first.subject or f"customer/{order_reference(first.hub_reference)}",
        ),
        occurred_at=message.event_timestamp,
        sequence=message.sequence,
    )


def _to_shipment_departed(message: messages.ShipmentDepartedMessage, account: Account) -> NewEvent:
    payload = message.payload
    return NewEvent(
        thread=shipment_thread(account.name, payload.shipment_id),
        data=ShipmentDeparted(
            shipment=payload.shipment_id,
            location=message.facility,
            packages=_to_packages(payload.olpns),
            carrier=payload.carrier_id or "",
        ),
        occurred_at=message.event_timestamp,
        sequence=message.sequence,
    )


def _to_shipment_cancelled(message: messages.ShipmentCancelledMessage, account: Account) -> NewEvent:
    payload = message.payload
    return NewEvent(
        thread=shipment_thread(account.name, payload.shipment_id),
        data=ShipmentCancelled(shipment=payload.shipment_id, reason=payload.reason_text or ""),
        occurred_at=message.event_timestamp,
        sequence=message.sequence,
    )


def _to_packages(olpns: tuple[messages.Olpn, ...]) -> tuple[Package, ...]:
    seen: set[str] = set()
    packages = []
    for index, olpn in enumerate(olpns):
        path = f"/Payload/Olpns/{index}"
        if not is_sscc(olpn.olpn_id):
            raise Rejected(f"{path}/OlpnId", "not an SSCC of 18 digits with a right check digit")
        if olpn.olpn_id in seen:
            raise Rejected(f"{path}/OlpnId", "the SSCC stands twice in one shipment")
        seen.add(olpn.olpn_id)
        weight = to_quantity(
            olpn.weight, olpn.weight_uom_id, value_path=f"{path}/Weight", unit_path=f"{path}/WeightUomId"
        )
        if weight.unit != "KGM":
            raise Rejected(f"{path}/WeightUomId", f"a weight in {olpn.weight_uom_id!r}", "unit")
        lines = tuple(_to_line(line, f"{path}/Lines/{place}") for place, line in enumerate(olpn.lines))
        packages.append(Package(sscc=olpn.olpn_id, weight=weight, lines=lines))
    return tuple(packages)


def _to_line(line: messages.PackedLine, path: str) -> LineShipped:
    return LineShipped(
        order=order_reference(line.extended.hub_reference),
        line=line.original_order_line_id,
        item=line.item_id,
        quantity=to_quantity(
            line.quantity,
            line.quantity_uom_id,
            value_path=f"{path}/Quantity",
            unit_path=f"{path}/QuantityUomId",
        ),
        lot=line.lot_number or "",
        release=release_of(line.extended.hub_reference),
        serials=line.serial_numbers,
    )


def _to_place(address: messages.Address | None) -> Place:
    return Place(country=address.country or "", region=address.state or "") if address else Place()


def _to_party(address: messages.Address) -> Party:
    lines = (address.address1, address.address2, address.address3)
    return Party(
        name=f"{address.first_name or ''} {address.last_name or ''}".strip(),
        company=address.company or "",
        lines=tuple(line for line in lines if line),
        city=address.city or "",
        region=address.state or "",
        postal_code=address.postal_code or "",
        country=address.country or "",
        email=address.email or "",
        phone=address.phone or "",
    )


def _to_stock_received(message: messages.StockReceivedMessage, _: Account) -> NewEvent:
    payload = message.payload
    quantity = to_quantity(
        payload.quantity,
        payload.quantity_uom_id,
        value_path="/Payload/Quantity",
        unit_path="/Payload/QuantityUomId",
    )
    place = StockPlace(
        item=payload.item_id,
        location=message.facility,
        lot=payload.lot_number or "",
        owner=payload.owner_id or "",
    )
    return NewEvent(
        thread=stock_thread(message.facility, payload.item_id),
        data=StockReceived(
            place=place,
            quantity=quantity,
            document=payload.receipt_id or "",
            serials=payload.serial_numbers,
        ),
        occurred_at=message.event_timestamp,
        sequence=message.sequence,
    )


def _to_stock_adjusted(message: messages.StockAdjustedMessage, _: Account) -> NewEvent:
    payload = message.payload
    change = to_quantity(
        payload.quantity_change,
        payload.quantity_uom_id,
        value_path="/Payload/QuantityChange",
        unit_path="/Payload/QuantityUomId",
        signed=True,
    )
    place = StockPlace(
        item=payload.item_id,
        location=message.facility,
        lot=payload.lot_number or "",
        owner=payload.owner_id or "",
    )
    return NewEvent(
        thread=stock_thread(message.facility, payload.item_id),
        data=StockAdjusted(
            place=place, change=change, reason=payload.reason_code, serials=payload.serial_numbers
        ),
        occurred_at=message.event_timestamp,
        sequence=message.sequence,
    )


_MESSAGES: Final[dict[str, Translate]] = {
    "OrderAllocated": _translator(messages.OrderAllocatedMessage, _to_order_allocated),
    "OrderShortPicked": _translator(messages.OrderShortPickedMessage, _to_short_picked),
    "ShipmentPacked": _translator(messages.ShipmentPackedMessage, _to_shipment_packed),
    "ShipmentDeparted": _translator(messages.ShipmentDepartedMessage, _to_shipment_departed),
    "ShipmentCancelled": _translator(messages.ShipmentCancelledMessage, _to_shipment_cancelled),
    "StockReceived": _translator(messages.StockReceivedMessage, _to_stock_received),
    "StockAdjusted": _translator(messages.StockAdjustedMessage, _to_stock_adjusted),
    "AsnReceived": _translator(messages.AsnReceivedMessage, mapping_dock.to_received),
    "AsnPutaway": _translator(messages.AsnPutawayMessage, mapping_dock.to_stored),
    "AsnVerified": _translator(messages.AsnVerifiedMessage, mapping_dock.to_closed),
    "ReturnReceived": _translator(messages.ReturnReceivedMessage, mapping_returns.to_received),
    "ReturnInspected": _translator(messages.ReturnInspectedMessage, mapping_returns.to_dispositioned),
    "TransferShipped": _translator(messages.TransferShippedMessage, mapping_dock.to_transfer_shipped),
}
