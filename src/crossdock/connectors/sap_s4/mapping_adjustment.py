"""Stock that changed without an order → material documents of inventory management. Pure.

Movement types: SAP Library, Inventory Management, "Description of Movement Types". 701/702 inventory difference of stock for
sale, 703/704 in inspection, 707/708 blocked; 322/321 for sale to inspection and back, 344/343 for sale to blocked and back;
551, 553, 555 scrapping from each. Movement codes (table T158G): 03 goods issue, 04 transfer posting, 06 any other movement.
"""

from typing import Final

from crossdock.connect.contract import Account
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.configured import at_location, plant_of, setting
from crossdock.connectors.sap_s4.edm import odata_date
from crossdock.connectors.sap_s4.journal_entry import reference_id
from crossdock.connectors.sap_s4.mapping_movement import HEADER_TEXT_LENGTH_MAX, ITEM_TEXT_LENGTH_MAX
from crossdock.connectors.sap_s4.units import sap_unit
from crossdock.errors import Rejected
from crossdock.model.party import People
from crossdock.model.requests import PostStockAdjustment
from crossdock.model.stock import Change, Condition

ISSUE: Final = "03"
TRANSFER: Final = "04"
ANY: Final = "06"
MOVEMENTS: Final[dict[tuple[Change, Condition], str]] = {
    ("gain", "good"): "701", ("gain", "quarantine"): "703", ("gain", "damaged"): "707",
    ("loss", "good"): "702", ("loss", "quarantine"): "704", ("loss", "damaged"): "708",
    ("hold", "quarantine"): "322", ("release", "quarantine"): "321",
    ("hold", "damaged"): "344", ("release", "damaged"): "343",
    ("scrap", "good"): "551", ("scrap", "quarantine"): "553", ("scrap", "damaged"): "555",
}  # fmt: skip
"""Goods in inspection stand where a receipt "in quarantine" puts them, damaged ones where it puts those: in blocked stock."""
_CODES: Final[dict[Change, str]] = {
    "gain": ANY, "loss": ANY, "hold": TRANSFER, "release": TRANSFER, "scrap": ISSUE
}  # fmt: skip
_BATCH_LENGTH_MAX: Final = 10
_YES: Final = "yes"


def from_stock_adjustment(
    payload: PostStockAdjustment, _people: People, account: Account
) -> plans.MovementPlan:
    """One item. Raises `Rejected` for a lot that is longer than a batch, where lots are batches."""
    movement = MOVEMENTS.get((payload.change, payload.condition))
    if movement is None:
        raise Rejected("/change", f"there is no {payload.change} of {payload.condition} goods")
    said = f"{payload.reason} {payload.lot}".strip()[:ITEM_TEXT_LENGTH_MAX]
    store = at_location("storage_location", payload.location, account)
    item: plans.Document = {
        "Material": payload.item, "Plant": plant_of(payload.location, account), "GoodsMovementType": movement,
        "QuantityInEntryUnit": f"{payload.quantity.value:f}", "EntryUnit": sap_unit(payload.quantity.unit),
    }  # fmt: skip
    item |= {"StorageLocation": store} if store else {}
    item |= {"MaterialDocumentItemText": said} if said else {}
    item |= _batch(payload, account) | _charged_to(payload, account)
    found_by = reference_id(f"{payload.reference}|{payload.adjustment}")
    document: plans.Document = {
        "GoodsMovementCode": _CODES[payload.change], "PostingDate": odata_date(payload.posting_on),
        "DocumentDate": odata_date(payload.posting_on), "ReferenceDocument": found_by,
        "MaterialDocumentHeaderText": payload.document[-HEADER_TEXT_LENGTH_MAX:], "to_MaterialDocumentItem": {"results": [item]},
    }  # fmt: skip
    return plans.MovementPlan(found_by, payload.adjustment, document)


def _batch(payload: PostStockAdjustment, account: Account) -> plans.Document:
    if not payload.lot or setting(account, "lots_are_batches") != _YES:
        return {}
    if len(payload.lot) > _BATCH_LENGTH_MAX:
        raise Rejected("/lot", f"{payload.lot} is longer than a batch ({_BATCH_LENGTH_MAX} characters)")
    return {"Batch": payload.lot}


def _charged_to(payload: PostStockAdjustment, account: Account) -> plans.Document:
    cost_center = setting(account, "scrap_cost_center")
    return {"CostCenter": cost_center} if payload.change == "scrap" and cost_center else {}
