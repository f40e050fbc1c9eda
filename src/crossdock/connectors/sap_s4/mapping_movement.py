"""Goods receipts and transfer issues → material documents. Pure."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from crossdock.connect.contract import Account
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.configured import at_location, locations_by_plant, plant_of, setting
from crossdock.connectors.sap_s4.edm import odata_date
from crossdock.connectors.sap_s4.journal_entry import reference_id
from crossdock.connectors.sap_s4.units import sap_unit
from crossdock.model import requests
from crossdock.model.movement import LineTerms
from crossdock.model.party import People
from crossdock.model.stock import Condition

HEADER_TEXT_LENGTH_MAX: Final = 25
ITEM_TEXT_LENGTH_MAX: Final = 50
RECEIPT_CODE: Final = "01"
"""GoodsMovementCode of a receipt to a purchase order."""
TRANSFER_CODE: Final = "04"
CONSIGNMENT: Final = "K"
OTHER_CODE: Final = "05"
"""GoodsMovementCode of a receipt to no purchase order."""
_USABILITY: Final[dict[Condition, str]] = {"good": "", "quarantine": "X", "damaged": "S"}
"""InventoryUsabilityCode: unrestricted, in quality inspection, blocked."""
_RETURN: Final[dict[Condition, str]] = {"good": "653", "quarantine": "655", "damaged": "657"}
"""Movement types of customers' returns: into unrestricted, quality inspection and blocked stock."""
_Key = tuple[str, str, str, str]
"""(order item, material, unit, usability)"""


def from_goods_receipt(
    payload: requests.PostGoodsReceipt, _people: People, account: Account
) -> plans.MovementPlan:
    """Lots of an order item are added up, conditions are not."""
    told = (
        ((x.line, x.item, x.quantity.unit, _USABILITY[x.condition]), x.quantity.value) for x in payload.lines
    )
    if payload.of == "return":
        return _from_return(payload, account)
    common = _place(payload, account) | {"GoodsMovementType": setting(account, "receipt_movement")}
    said = _texts(payload.terms)
    items = [
        _item(payload.order, key, quantity)
        | common
        | ({"InventoryUsabilityCode": key[3]} if key[3] else {})
        | said.get(key[0], {})
        for key, quantity in _added_up(told)
    ]
    return _plan(payload.reference, payload.receipt, RECEIPT_CODE, payload.received_at, items)


def _from_return(payload: requests.PostGoodsReceipt, account: Account) -> plans.MovementPlan:
    """Goods of a sales order that a customer sent back: no purchase order, and a movement type for each condition."""
    told = (
        ((x.line, x.item, x.quantity.unit, _RETURN[x.condition]), x.quantity.value) for x in payload.lines
    )
    common = _place(payload, account) | {"Customer": setting(account, "sold_to_party")}
    items = [
        {
            "Material": material,
            "GoodsMovementType": movement,
            "SalesOrder": payload.order,
            "MaterialDocumentItemText": line[:ITEM_TEXT_LENGTH_MAX],
        }
        | {"QuantityInEntryUnit": f"{quantity:f}", "EntryUnit": sap_unit(unit)}
        | common
        for (line, material, unit, movement), quantity in _added_up(told)
    ]
    return _plan(payload.reference, payload.receipt, OTHER_CODE, payload.received_at, items)


def _place(payload: requests.PostGoodsReceipt, account: Account) -> dict[str, object]:
    store = at_location("storage_location", payload.location, account)
    place: dict[str, object] = {"Plant": plant_of(payload.location, account)}
    return place | ({"StorageLocation": store} if store else {})


def from_transfer_issue(
    payload: requests.PostTransferIssue, _people: People, account: Account
) -> plans.MovementPlan:
    """Into stock in transit, to the stock transport order."""
    told = (((x.line, x.item, x.quantity.unit, ""), x.quantity.value) for x in payload.lines)
    store = at_location("storage_location", payload.location, account)
    common = {
        "Plant": plant_of(payload.location, account), "GoodsMovementType": setting(account, "transfer_issue_movement"),
        "IssuingOrReceivingPlant": plant_of(payload.destination, account),
    } | ({"StorageLocation": store} if store else {})  # fmt: skip
    said = _texts(payload.terms)
    items = [
        _item(payload.order, key, quantity) | common | said.get(key[0], {})
        for key, quantity in _added_up(told)
    ]
    return _plan(payload.reference, payload.shipment, TRANSFER_CODE, payload.shipped_at, items)


def _texts(terms: Iterable[LineTerms]) -> dict[str, dict[str, object]]:
    """Order item → its text. Each company's SAP values goods by its own order and cost: an amount would overrule that.

    What does not fit is left out whole: half a number is another number.
    """
    found: dict[str, dict[str, object]] = {}
    for x in terms:
        said = ""
        for part in (f"{x.price.amount:f} {x.price.currency}" if x.price else "", x.cost_layer):
            longer = f"{said} {part}".strip()
            said = longer if len(longer) <= ITEM_TEXT_LENGTH_MAX else said
        if said:
            found[x.line] = {"MaterialDocumentItemText": said}
    return found


def from_withdrawal(
    payload: requests.WithdrawConsigned, _people: People, account: Account
) -> plans.MovementPlan:
    """Out of the supplier's consignment stock (special stock K) into our own, for the goods issue to take it from there."""
    told = (((x.line, x.item, x.quantity.unit, ""), x.quantity.value) for x in payload.lines)
    store = at_location("storage_location", payload.location, account)
    common: dict[str, object] = {
        "Plant": plant_of(payload.location, account), "GoodsMovementType": setting(account, "withdrawal_movement"),
        "InventorySpecialStockType": CONSIGNMENT, "Supplier": payload.supplier,
    }  # fmt: skip
    if store:
        common["StorageLocation"] = store
    items = [
        {"Material": material, "QuantityInEntryUnit": f"{quantity:f}", "EntryUnit": sap_unit(unit)}
        | {"MaterialDocumentItemText": line}
        | common
        for (line, material, unit, _), quantity in _added_up(told)
    ]
    found_by = f"{payload.reference}|{payload.supplier}"
    return _plan(found_by, payload.shipment, TRANSFER_CODE, payload.withdrawn_at, items)


def from_question(payload: requests.FetchInbound, _people: People, account: Account) -> plans.PurchasePlan:
    configured = setting(account, "plant")
    return plans.PurchasePlan(payload.number, locations_by_plant(configured) if configured else None)


def _added_up(told: Iterable[tuple[_Key, Decimal]]) -> list[tuple[_Key, Decimal]]:
    quantities: dict[_Key, Decimal] = {}
    for key, quantity in told:
        quantities[key] = quantities.get(key, Decimal(0)) + quantity
    return list(quantities.items())


def _item(order: str, key: _Key, quantity: Decimal) -> dict[str, object]:
    line, material, unit, _ = key
    return {
        "Material": material, "GoodsMovementRefDocType": "B", "PurchaseOrder": order, "PurchaseOrderItem": line,
        "QuantityInEntryUnit": f"{quantity:f}", "EntryUnit": sap_unit(unit),
    }  # fmt: skip


def _plan(
    reference: str, about: str, code: str, at: datetime, items: list[dict[str, object]]
) -> plans.MovementPlan:
    """ReferenceDocument holds 16 characters: a hash, the same for whatever books the same receipt."""
    found_by = reference_id(f"{reference}|{about}")
    document: plans.Document = {
        "GoodsMovementCode": code, "PostingDate": odata_date(at), "DocumentDate": odata_date(at), "ReferenceDocument": found_by,
        "MaterialDocumentHeaderText": about[-HEADER_TEXT_LENGTH_MAX:], "to_MaterialDocumentItem": {"results": items},
    }  # fmt: skip
    return plans.MovementPlan(found_by, about, document)
