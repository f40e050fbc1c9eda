"""What the WMS says of goods that come in and go to other sites → canonical events. Pure."""

from typing import Final

from crossdock.connect.contract import Account
from crossdock.connectors.manhattan_wms import messages
from crossdock.connectors.manhattan_wms.units import to_quantity
from crossdock.errors import Rejected
from crossdock.model.envelope import NewEvent
from crossdock.model.movement import (
    InboundClosed,
    InboundReceived,
    InboundStored,
    MovedLine,
    ReceivedLine,
    TransferShipped,
)
from crossdock.model.stock import Condition
from crossdock.model.thread import ThreadKey

_CONDITIONS: Final[dict[str, Condition]] = {
    "": "good",
    "GOOD": "good",
    "HOLD": "quarantine",
    "DAMAGED": "damaged",
}


def to_received(message: messages.AsnReceivedMessage, _: Account) -> NewEvent:
    payload = message.payload
    data = InboundReceived(
        receipt=payload.receipt_id,
        location=message.facility,
        lines=_to_lines(payload.lines, on_dock=bool(payload.on_dock)),
        delivery=payload.extended.delivery or "",
    )
    return _event(message, payload.extended, data)


def to_stored(message: messages.AsnPutawayMessage, _: Account) -> NewEvent:
    payload = message.payload
    data = InboundStored(payload.receipt_id, message.facility, _to_lines(payload.lines, on_dock=False))
    return _event(message, payload.extended, data)


def to_closed(message: messages.AsnVerifiedMessage, _: Account) -> NewEvent:
    extended = message.payload.extended
    reason = message.payload.reason_text or ""
    return _event(message, extended, InboundClosed(message.facility, extended.delivery or "", reason))


def to_transfer_shipped(message: messages.TransferShippedMessage, _: Account) -> NewEvent:
    payload = message.payload
    data = TransferShipped(
        shipment=payload.shipment_id,
        location=message.facility,
        lines=tuple(
            MovedLine(
                line=line.transfer_order_line_id,
                item=line.item_id,
                quantity=to_quantity(
                    line.quantity,
                    line.quantity_uom_id,
                    value_path=f"/Payload/Lines/{index}/Quantity",
                    unit_path=f"/Payload/Lines/{index}/QuantityUomId",
                ),
                serials=line.serial_numbers,
            )
            for index, line in enumerate(payload.lines)
        ),
        carrier=payload.carrier_id or "",
        complete=payload.last_shipment is not False,
    )
    return _event(message, payload.extended, data)


def _to_lines(lines: tuple[messages.AsnLine, ...], *, on_dock: bool) -> tuple[ReceivedLine, ...]:
    """A condition that has no name here is refused: taking it for good would sell what nobody looked at."""
    found = []
    for index, line in enumerate(lines):
        path = f"/Payload/Lines/{index}"
        condition = _CONDITIONS.get((line.condition_code or "").strip().upper())
        if condition is None:
            raise Rejected(
                f"{path}/ConditionCode",
                f"condition {line.condition_code!r} is none of GOOD, HOLD, DAMAGED",
                "code",
            )
        quantity = to_quantity(
            line.quantity,
            line.quantity_uom_id,
            value_path=f"{path}/Quantity",
            unit_path=f"{path}/QuantityUomId",
        )
        found.append(
            ReceivedLine(
                line.asn_line_id, line.item_id, quantity, condition, line.lot_number or "", line.expiry_date, on_dock,
                line.owner_id or "", line.serial_numbers,
            )
        )  # fmt: skip
    return tuple(found)


def _event(
    message: messages.Message, extended: messages.AsnExtended, data: InboundReceived | InboundStored | InboundClosed | TransferShipped
) -> NewEvent:  # fmt: skip
    """The WMS echoes the thread that the notice or transfer was sent for."""
    return NewEvent(
        thread=ThreadKey(extended.hub_reference),
        data=data,
        occurred_at=message.event_timestamp,
        sequence=message.sequence,
    )
