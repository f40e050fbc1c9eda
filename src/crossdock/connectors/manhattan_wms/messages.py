"""The WMS's documents on the wire: its event messages, and the answer envelope of its services."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

import msgspec

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Zoned = Annotated[datetime, msgspec.Meta(tz=True)]
Maybe = str | None
"""Optional fields arrive left out, empty or null, depending on the facility's extension pack."""


class Document(msgspec.Struct, rename="pascal"):
    """All fields are written in PascalCase."""


class Head(Document):
    """Enough of a message to know which shape the rest has."""

    message_type: Text


class Envelope(Document):
    """What numbers a message, whatever it tells of."""

    facility: Text
    sequence: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Extended(Document):
    """Extension fields the WMS keeps for us and sends back with everything about the order."""

    hub_reference: Annotated[str, msgspec.Meta(pattern="^[^/]+/.+$", max_length=150)]
    subject: Maybe = None


class Address(Document):
    first_name: Maybe = None
    last_name: Maybe = None
    company: Maybe = None
    address1: Maybe = None
    address2: Maybe = None
    address3: Maybe = None
    city: Maybe = None
    state: Maybe = None
    postal_code: Maybe = None
    country: Maybe = None
    email: Maybe = None
    phone: Maybe = None


class AllocatedLine(Document):
    original_order_line_id: Text
    item_id: Text
    quantity: Decimal
    quantity_uom_id: Text
    location_id: Maybe = None
    lot_number: Maybe = None


class Allocation(Document):
    original_order_id: Text
    extended: Extended
    lines: Annotated[tuple[AllocatedLine, ...], msgspec.Meta(min_length=1)]


class ShortLine(Document):
    """`quantity` is what is missing."""

    original_order_line_id: Text
    item_id: Text
    quantity: Decimal
    quantity_uom_id: Text
    lot_number: Maybe = None


class ShortPick(Document):
    original_order_id: Text
    extended: Extended
    lines: Annotated[tuple[ShortLine, ...], msgspec.Meta(min_length=1)]
    reason_code: Maybe = None


class PackedLine(Document):
    original_order_id: Text
    extended: Extended
    original_order_line_id: Text
    item_id: Text
    quantity: Decimal
    quantity_uom_id: Text
    lot_number: Maybe = None
    serial_numbers: tuple[Text, ...] = ()


class Olpn(Document):
    """An outbound licence plate: one package, named by its SSCC."""

    olpn_id: str
    weight: Decimal
    weight_uom_id: Text
    lines: Annotated[tuple[PackedLine, ...], msgspec.Meta(min_length=1)]


class Packing(Document):
    shipment_id: Text
    olpns: Annotated[tuple[Olpn, ...], msgspec.Meta(min_length=1)]
    service_level_id: Maybe = None
    ship_to: Address | None = None


class Departure(Document):
    shipment_id: Text
    olpns: Annotated[tuple[Olpn, ...], msgspec.Meta(min_length=1)]
    carrier_id: Maybe = None


class Cancellation(Document):
    shipment_id: Text
    reason_text: Maybe = None


class StockReceipt(Document):
    item_id: Text
    quantity: Decimal
    quantity_uom_id: Text
    lot_number: Maybe = None
    owner_id: Maybe = None
    receipt_id: Maybe = None
    serial_numbers: tuple[Text, ...] = ()


class StockChange(Document):
    item_id: Text
    quantity_change: Decimal
    quantity_uom_id: Text
    reason_code: Text
    lot_number: Maybe = None
    owner_id: Maybe = None
    serial_numbers: tuple[Text, ...] = ()


class AsnExtended(Document):
    """What the WMS keeps for us of an advance ship notice or transfer: the hub's thread, and the truck where there are several."""

    hub_reference: Annotated[
        str, msgspec.Meta(pattern="^(inbound|transfer|return)/[^/]+/.+$", max_length=190)
    ]
    delivery: Maybe = None


class AsnLine(Document):
    """`condition_code`: GOOD (or nothing), HOLD for inspection, DAMAGED."""

    asn_line_id: Text
    item_id: Text
    quantity: Decimal
    quantity_uom_id: Text
    condition_code: Maybe = None
    lot_number: Maybe = None
    expiry_date: date | None = None
    owner_id: Maybe = None
    serial_numbers: tuple[Text, ...] = ()


class AsnReceipt(Document):
    """`on_dock`: received, and not yet where it can be picked."""

    asn_id: Text
    extended: AsnExtended
    receipt_id: Text
    lines: Annotated[tuple[AsnLine, ...], msgspec.Meta(min_length=1)]
    on_dock: bool | None = None


class AsnClosing(Document):
    asn_id: Text
    extended: AsnExtended
    reason_text: Maybe = None


class ReturnSlip(Document):
    """What the customer's slip says: the hub's order, and its lines by the names the shop gave them."""

    hub_reference: Text


class ReturnLine(Document):
    return_line_id: Text
    item_id: Text
    quantity: Decimal
    quantity_uom_id: Text
    original_order_line_id: Maybe = None
    lot_number: Maybe = None
    reason_code: Maybe = None
    serial_numbers: tuple[Text, ...] = ()


class ReturnReceipt(Document):
    """Goods that a customer sent back and nobody had announced. `slip` is left out where there was none."""

    receipt_id: Text
    lines: Annotated[tuple[ReturnLine, ...], msgspec.Meta(min_length=1)]
    slip: ReturnSlip | None = None


class InspectedLine(Document):
    """`disposition_code`: RESTOCK, REFURBISH, RTV (to the vendor) or SCRAP."""

    asn_line_id: Text
    item_id: Text
    quantity: Decimal
    quantity_uom_id: Text
    disposition_code: Text
    lot_number: Maybe = None
    reason_text: Maybe = None
    serial_numbers: tuple[Text, ...] = ()


class ReturnInspection(Document):
    """`extended` echoes the return that was announced; one that nobody announced goes by its receipt."""

    inspection_id: Text
    receipt_id: Text
    lines: Annotated[tuple[InspectedLine, ...], msgspec.Meta(min_length=1)]
    extended: AsnExtended | None = None


class TransferLine(Document):
    transfer_order_line_id: Text
    item_id: Text
    quantity: Decimal
    quantity_uom_id: Text
    serial_numbers: tuple[Text, ...] = ()


class TransferDeparture(Document):
    transfer_order_id: Text
    extended: AsnExtended
    shipment_id: Text
    lines: Annotated[tuple[TransferLine, ...], msgspec.Meta(min_length=1)]
    carrier_id: Maybe = None
    last_shipment: bool | None = None


class Message(Document):
    """The envelope of every event."""

    message_type: Text
    facility: Text
    event_timestamp: Zoned
    sequence: Annotated[int, msgspec.Meta(ge=0)]


class OrderAllocatedMessage(Message):
    payload: Allocation


class OrderShortPickedMessage(Message):
    payload: ShortPick


class ShipmentPackedMessage(Message):
    payload: Packing


class ShipmentDepartedMessage(Message):
    payload: Departure


class ShipmentCancelledMessage(Message):
    payload: Cancellation


class StockReceivedMessage(Message):
    payload: StockReceipt


class StockAdjustedMessage(Message):
    payload: StockChange


class AsnReceivedMessage(Message):
    payload: AsnReceipt


class AsnPutawayMessage(Message):
    payload: AsnReceipt


class AsnVerifiedMessage(Message):
    payload: AsnClosing


class ReturnReceivedMessage(Message):
    payload: ReturnReceipt


class ReturnInspectedMessage(Message):
    payload: ReturnInspection


class TransferShippedMessage(Message):
    payload: TransferDeparture


class Saved(Document):
    """What a service says about the order, shipment, notice or transfer it worked on."""

    original_order_id: Maybe = None
    order_status: Maybe = None
    task_ids: tuple[str, ...] = ()
    cancelled: bool | None = None
    reason: Maybe = None
    shipment_id: Maybe = None
    asn_id: Maybe = None
    transfer_order_id: Maybe = None


class Complaint(Document):
    code: Maybe = None
    description: Maybe = None


class Complaints(Document):
    message: tuple[Complaint, ...] = ()


class ServiceAnswer(msgspec.Struct):
    """`success` is what counts: the WMS also answers 200 with `success: false`."""

    success: bool
    data: Saved | None = None
    messages: Complaints = msgspec.field(default_factory=Complaints)


class InventoryRow(Document):
    """Stock of an item in one lot: all that is there, and what of it is allocated or held."""

    item_id: Text
    on_hand: Decimal
    quantity_uom_id: Text
    allocated: Decimal = Decimal(0)
    on_hold: Decimal = Decimal(0)
    lot_number: Maybe = None
    owner_id: Maybe = None
    last_event_sequence: int | None = None


class InventoryAnswer(msgspec.Struct):
    """A page of inventory, with the number of the last event message that the WMS had sent when it read it."""

    success: bool
    data: tuple[InventoryRow, ...] | None = None
    event_sequence: int | None = msgspec.field(default=None, name="eventSequence")
    messages: Complaints = msgspec.field(default_factory=Complaints)
