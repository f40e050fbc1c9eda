"""The twin's purchase and stock transport orders, and the material documents that are posted to them.

PUT /_twin/purchase_orders   {"4500000017": {"supplier": "SUP-1", "incoterms": "", "supplying_plant": "", "items": {"10": {"material", "plant", "quantity",
                             "unit", "due_on", "deleted", "consigned"}}}}; SAP's notice of it follows
GET /_twin/purchase_orders   the same, with what was "received" and "issued" of each item
"""

import json
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from crossdock.connect.twin import Twin
from crossdock.connectors.sap_s4 import twin_adjustment
from crossdock.connectors.sap_s4.edm import day_of, odata_date
from crossdock.connectors.sap_s4.events import ORDER_CHANGED, ORDER_CREATED
from crossdock.connectors.sap_s4.twin_delivery import (
    FIRST_MATERIAL_DOCUMENT,
    OVERDELIVERY_TOLERANCE,
    guard_period,
)
from crossdock.connectors.sap_s4.twin_odata import (
    Asked,
    Fields,
    Problem,
    Reply,
    add_to_index,
    conditions,
    many,
    metadata,
    one,
    quantity,
    required,
    results,
    search,
    text,
)
from crossdock.connectors.sap_s4.twin_product import Broker
from crossdock.connectors.sap_s4.twin_stock import move

FIRST_RECEIPT: Final = 5_000_000_000
RECEIPT: Final = "01"
TRANSFER: Final = "04"
OTHER: Final = "05"
CONSIGNMENT: Final = "K"
_EFFECTS: Final = {
    RECEIPT: "goods_receipt.post",
    TRANSFER: "transfer_issue.post",
    OTHER: "goods_receipt.post",
    twin_adjustment.ISSUE: "stock_adjustment.post",
    twin_adjustment.OTHER: "stock_adjustment.post",
}
_RETURNS: Final = {"653": "unrestricted", "655": "quality", "657": "blocked"}
"""Movement types of customers' returns, and the stock they go to."""
_TYPES: Final = {"": "unrestricted", "X": "quality", "S": "blocked"}


def create_document(twin: Twin, request: Asked) -> Reply:
    """All items or none. A reference that was posted before is refused, as companies have their system do."""
    header = request.document()
    required(header, "GoodsMovementCode", "PostingDate", "DocumentDate")
    code, reference = str(header["GoodsMovementCode"]), text(header, "ReferenceDocument", 16)
    about = text(header, "MaterialDocumentHeaderText", 25)
    rows = results(header.get("to_MaterialDocumentItem") or [])
    if code not in _EFFECTS or not rows:
        raise Problem(
            400, "M7/001", "Check table T158G: the movement code does not exist, or there are no items"
        )
    guard_period(twin, day_of(str(header["PostingDate"])) or datetime.now(UTC).date())
    books = twin.books
    with books.change():
        if reference and books.get("index.material_document", reference):
            raise Problem(400, "M7/445", f"Reference {reference} has already been posted")
        orders: dict[str, Fields] = {}
        for row in rows:
            text(row, "MaterialDocumentItemText", 50)
            if code == OTHER:
                _book_return(twin, row)
            elif twin_adjustment.adjusts(code, row):
                twin_adjustment.book(twin, code, row)
            elif row.get("InventorySpecialStockType") == CONSIGNMENT:
                _withdraw(twin, row)
            else:
                _book(twin, orders, code, row)
        for number, order in orders.items():
            books.put("purchase_order", number, order)
        counter, first = (
            ("receipt_document", FIRST_RECEIPT)
            if code in (RECEIPT, OTHER)
            else ("material_document", FIRST_MATERIAL_DOCUMENT)
        )
        document = str(books.next_number(counter, first))
        books.put("goods_movement", document, {"number": document, "reference": reference, "text": about})
        add_to_index(books, "material_document", reference, document)
        books.journal(_effect(code, rows), about, document, _detail(rows, header))
    return one(_header(document, reference), 201)


def _effect(code: str, rows: list[Fields]) -> str:
    if any(twin_adjustment.adjusts(code, row) for row in rows):
        return "stock_adjustment.post"
    consigned = any(row.get("InventorySpecialStockType") == CONSIGNMENT for row in rows)
    return "consignment.withdraw" if consigned else _EFFECTS[code]


def _withdraw(twin: Twin, row: Fields) -> None:
    """A supplier's goods into own unrestricted stock. How many he has here is his business: the twin keeps no such stock."""
    required(
        row, "Material", "Plant", "GoodsMovementType", "Supplier", "QuantityInEntryUnit", "EntryUnit"
    )  # fmt: skip
    if row["GoodsMovementType"] != "411":
        raise Problem(
            400, "M7/001", f"Movement type {row['GoodsMovementType']} takes nothing out of consignment"
        )
    move(twin, row["Material"], row["Plant"], "unrestricted", quantity(row, "QuantityInEntryUnit"))


def _detail(rows: list[Fields], header: Fields) -> Fields:
    totals: dict[str, Decimal] = {}
    for row in rows:
        totals[row["Material"]] = totals.get(row["Material"], Decimal(0)) + Decimal(
            row["QuantityInEntryUnit"]
        )
    kinds = {
        _RETURNS.get(row["GoodsMovementType"]) or _TYPES[row.get("InventoryUsabilityCode") or ""]
        for row in rows
    }
    return {
        "order": rows[0].get("PurchaseOrder") or rows[0].get("SalesOrder", ""), "movement": rows[0]["GoodsMovementType"], "plant": rows[0]["Plant"], "posted_on": header["PostingDate"],
        "quantities": {material: f"{total:f}" for material, total in totals.items()},
        "types": sorted(kinds), "supplier": rows[0].get("Supplier", ""),
        "texts": sorted({row["MaterialDocumentItemText"] for row in rows if row.get("MaterialDocumentItemText")}),
    }  # fmt: skip


def _book(twin: Twin, orders: dict[str, Fields], code: str, row: Fields) -> None:
    """One item: against its order, and in the stock of its plant."""
    required(
        row,
        "Material",
        "Plant",
        "GoodsMovementType",
        "PurchaseOrder",
        "PurchaseOrderItem",
        "QuantityInEntryUnit",
        "EntryUnit",
    )
    if row.get("GoodsMovementRefDocType") != "B":
        raise Problem(400, "M7/018", "Enter GoodsMovementRefDocType B for a movement to a purchase order")
    number, wanted = str(row["PurchaseOrder"]), quantity(row, "QuantityInEntryUnit")
    order = orders.setdefault(number, twin.books.get("purchase_order", number))
    item = (order or {}).get("items", {}).get(str(row["PurchaseOrderItem"]).lstrip("0"))
    if item is None:
        raise Problem(400, "M7/036", f"Purchase order {number} has no item {row['PurchaseOrderItem']}")
    if item["material"] != row["Material"] or item["unit"] != row["EntryUnit"]:
        raise Problem(
            400,
            "M7/062",
            f"Item {row['PurchaseOrderItem']} of {number} is of material {item['material']} in {item['unit']}",
        )
    at = order["supplying_plant"] if code == TRANSFER else item["plant"]
    if row["Plant"] != at:
        raise Problem(400, "M7/064", f"Purchase order {number} is for plant {at}")
    done = "issued" if code == TRANSFER else "received"
    so_far, ordered = Decimal(item.get(done, "0")) + wanted, Decimal(item["quantity"])
    if so_far > ordered * (1 + OVERDELIVERY_TOLERANCE):
        over = so_far - ordered
        raise Problem(
            400,
            "M7/022",
            f"PU ordered quantity exceeded by {over:f} {item['unit']}: {row['Material']} {row['Plant']}",
        )
    item[done] = f"{so_far:f}"
    if code == TRANSFER:
        move(twin, row["Material"], row["Plant"], "unrestricted", -wanted)
    else:
        move(twin, row["Material"], row["Plant"], _TYPES[row.get("InventoryUsabilityCode") or ""], wanted)


def _book_return(twin: Twin, row: Fields) -> None:
    """Goods that a customer sent back, of a sales order that is known."""
    required(
        row,
        "Material",
        "Plant",
        "GoodsMovementType",
        "SalesOrder",
        "Customer",
        "QuantityInEntryUnit",
        "EntryUnit",
    )
    kind = _RETURNS.get(str(row["GoodsMovementType"]))
    if kind is None:
        raise Problem(
            400, "M7/001", f"Movement type {row['GoodsMovementType']} takes nothing back from a customer"
        )
    if twin.books.get("order", str(row["SalesOrder"]).zfill(10)) is None:
        raise Problem(
            400, "V1/302", f"Sales document {row['SalesOrder']} is not in the database or has been archived"
        )
    move(twin, row["Material"], row["Plant"], kind, quantity(row, "QuantityInEntryUnit"))


def read_documents(twin: Twin, request: Asked) -> Reply:
    reference = conditions(request.query).get("ReferenceDocument", "")
    found = search(twin, "material_document", reference)
    return many([_header(number, reference) for number in found])


def _header(number: str, reference: str) -> Fields:
    named = metadata("A_MaterialDocumentHeader", f"MaterialDocument='{number}'")
    return named | {"MaterialDocument": number, "ReferenceDocument": reference}


def read_order(twin: Twin, request: Asked) -> Reply:
    """A purchase order with its items and their dates; every question is journaled."""
    order = twin.books.get("purchase_order", request.key)
    with twin.books.change():
        twin.books.journal(
            "inbound.fetch", request.key, request.key if order else "", {"found": order is not None}
        )
    if order is None:
        raise Problem(404, "/IWBEP/CM_MGW_RT/020", "Resource not found for segment 'A_PurchaseOrderType'")
    shown = metadata("A_PurchaseOrder", f"'{request.key}'") | {
        "PurchaseOrder": request.key, "Supplier": order.get("supplier", ""), "SupplyingPlant": order["supplying_plant"],
        "IncotermsClassification": order.get("incoterms", ""),
        "LastChangeDateTime": f"/Date({order['changed']}+0000)/",
        "to_PurchaseOrderItem": {"results": [_item(request.key, line, item) for line, item in order["items"].items()]},
    }  # fmt: skip
    return one(shown)


def _item(order: str, line: str, item: Fields) -> Fields:
    due = (
        [{"ScheduleLineDeliveryDate": odata_date(date.fromisoformat(item["due_on"]))}]
        if item.get("due_on")
        else []
    )
    return metadata("A_PurchaseOrderItem", f"'{order}','{line}'") | {
        "PurchaseOrder": order, "PurchaseOrderItem": line, "Material": item["material"], "Plant": item["plant"],
        "OrderQuantity": item["quantity"], "PurchaseOrderQuantityUnit": item["unit"],
        "PurchasingDocumentDeletionCode": "L" if item.get("deleted") else "",
        "InventorySpecialStockType": "K" if item.get("consigned") else "", "to_ScheduleLine": {"results": due},
    }  # fmt: skip


def routes(twin: Twin, broker: Broker) -> list[web.RouteDef]:
    async def put(request: web.Request) -> web.Response:
        given: dict[str, dict[str, Any]] = json.loads(await request.read())
        with twin.books.change():
            for number, order in given.items():
                before = twin.books.get("purchase_order", number)
                twin.books.put("purchase_order", number, _kept(before, order))
                broker.tell(ORDER_CREATED if before is None else ORDER_CHANGED, "PurchaseOrder", number)
        return web.json_response({"purchase_orders": len(given)})

    async def get(_: web.Request) -> web.Response:
        return web.json_response(dict(twin.books.all("purchase_order")))

    return [web.put("/_twin/purchase_orders", put), web.get("/_twin/purchase_orders", get)]


def _kept(before: Fields | None, order: Fields) -> Fields:
    """What was received and issued of an item stays; two changes never bear the same time."""
    known: Fields = (before or {}).get("items", {})
    done = {
        line: {name: item[name] for name in ("received", "issued") if name in item}
        for line, item in known.items()
    }
    items = {line: {"unit": "EA"} | done.get(line, {}) | item for line, item in order["items"].items()}
    changed = max(int(time.time() * 1000), (before or {}).get("changed", 0) + 1)
    return {"supplying_plant": ""} | order | {"items": items, "changed": changed}
