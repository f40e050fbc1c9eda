"""Inventory of the facility, page by page in the order of items: the request, and the answer in the hub's words. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from crossdock.connect.contract import Refused, RetryLater, StockPage
from crossdock.connect.transport import Answer
from crossdock.connectors.manhattan_wms.messages import InventoryAnswer, InventoryRow
from crossdock.connectors.manhattan_wms.units import TO_CANONICAL
from crossdock.model.drift import Counted
from crossdock.model.stock import StockPlace

SERVICE: Final = "/dcinventory/api/dcinventory/inventory/search"
PAGE_ROWS: Final = 1000


def from_cursor(after: str) -> bytes:
    """The search for the items behind this one."""
    query = {
        "Query": f"ItemId > '{after}'" if after else "",
        "Sort": [{"attribute": "ItemId", "direction": "asc"}],
        "Size": PAGE_ROWS,
    }
    return msgspec.json.encode(query)


def to_page(answer: Answer, facility: str, read_at: datetime) -> StockPage | RetryLater | Refused:
    """A row in a unit without an exact counterpart keeps the WMS's own: it can only be reported, never settled."""
    if answer.status == 429 or answer.status >= 500 or answer.status == 408:
        return RetryLater(
            reason=f"HTTP {answer.status}", after_seconds=answer.retry_after(), throttled=answer.status == 429
        )
    try:
        said = msgspec.json.decode(answer.body, type=InventoryAnswer, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return RetryLater(reason=f"HTTP {answer.status} with a body that is not the inventory's")
    if not said.success or answer.status >= 300:
        complaint = said.messages.message[0] if said.messages.message else None
        return Refused(
            code=(complaint.code if complaint else None) or f"HTTP {answer.status}",
            reason=(complaint.description if complaint else None) or "no reason given",
        )
    given = said.data or ()
    rows = tuple(_row(row, facility, read_at, said.event_sequence) for row in given)
    after = given[-1].item_id if len(given) >= PAGE_ROWS else ""
    return StockPage(rows=rows, locations=(facility,), after=after, watermark=said.event_sequence)


def _row(row: InventoryRow, facility: str, read_at: datetime, watermark: int | None) -> Counted:
    place = StockPlace(row.item_id, facility, row.lot_number or "", row.owner_id or "")
    unit = TO_CANONICAL.get(row.quantity_uom_id.strip().upper(), row.quantity_uom_id)
    held = max(row.on_hold, Decimal(0))
    return Counted(
        place, unit, row.on_hand - held, held, read_at, watermark, row.last_event_sequence, row.allocated
    )
