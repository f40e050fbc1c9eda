"""What the WMS says of goods that customers sent back → canonical events. Pure."""

from typing import Final

from crossdock.connect.contract import Account
from crossdock.connectors.manhattan_wms import messages
from crossdock.connectors.manhattan_wms.units import to_quantity
from crossdock.errors import Rejected
from crossdock.model.envelope import NewEvent
from crossdock.model.movement import InboundReceived, ReceivedLine
from crossdock.model.quantity import Quantity
from crossdock.model.returning import (
    Disposition,
    JudgedLine,
    ReturnDispositioned,
    ReturnIdentified,
    ReturnLine,
)
from crossdock.model.thread import ThreadKey, thread_key

_DISPOSITIONS: Final[dict[str, Disposition]] = {
    "RESTOCK": "restock", "REFURBISH": "refurbish", "RTV": "vendor", "SCRAP": "scrap",
}  # fmt: skip


def to_received(message: messages.ReturnReceivedMessage, account: Account) -> tuple[NewEvent, ...]:
    """A return that nobody announced is a thread of its own, by its receipt."""
    payload = message.payload
    thread = thread_key("return", account.name, payload.receipt_id)
    lines = [(line, _quantity(line, index)) for index, line in enumerate(payload.lines)]
    received = InboundReceived(
        payload.receipt_id,
        message.facility,
        tuple(
            ReceivedLine(
                x.return_line_id, x.item_id, quantity, lot=x.lot_number or "", serials=x.serial_numbers
            )
            for x, quantity in lines
        ),
    )
    events = [_event(message, thread, received, "received")]
    if payload.slip is not None:
        told = tuple(
            ReturnLine(
                x.return_line_id, x.original_order_line_id or "", x.item_id, quantity, x.reason_code or ""
            )
            for x, quantity in lines
        )
        events.append(_event(message, thread, ReturnIdentified(payload.slip.hub_reference, told), "slip"))
    return tuple(events)


def to_dispositioned(message: messages.ReturnInspectedMessage, account: Account) -> NewEvent:
    """A disposition that has no name here is refused: goods that nobody placed must not be sold."""
    payload = message.payload
    named = payload.extended.hub_reference if payload.extended else ""
    thread = ThreadKey(named) if named else thread_key("return", account.name, payload.receipt_id)
    lines = []
    for index, line in enumerate(payload.lines):
        disposition = _DISPOSITIONS.get(line.disposition_code.strip().upper())
        if disposition is None:
            raise Rejected(
                f"/Payload/Lines/{index}/DispositionCode",
                f"{line.disposition_code!r} is none of {', '.join(_DISPOSITIONS)}", "code",
            )  # fmt: skip
        lines.append(
            JudgedLine(
                line.asn_line_id, line.item_id, _quantity(line, index), disposition, line.lot_number or "", line.reason_text or "",
                line.serial_numbers,
            )
        )  # fmt: skip
    data = ReturnDispositioned(payload.inspection_id, message.facility, tuple(lines))
    return _event(message, thread, data)


def _quantity(line: messages.ReturnLine | messages.InspectedLine, index: int) -> Quantity:
    return to_quantity(
        line.quantity,
        line.quantity_uom_id,
        value_path=f"/Payload/Lines/{index}/Quantity",
        unit_path=f"/Payload/Lines/{index}/QuantityUomId",
    )


def _event(
    message: messages.Message, thread: ThreadKey, data: InboundReceived | ReturnIdentified | ReturnDispositioned, part: str = ""
) -> NewEvent:  # fmt: skip
    return NewEvent(
        thread=thread,
        data=data,
        id=f"{message.facility}-{message.sequence}-{part}" if part else "",
        occurred_at=message.event_timestamp,
        sequence=message.sequence,
    )
