"""The twin's sales side: material master, credit, order simulation, and sales orders as they are made and read."""

import json
from decimal import Decimal
from typing import Any

from crossdock.connect.twin import Twin
from crossdock.connectors.sap_s4.twin_odata import (
    Asked,
    Fields,
    Problem,
    Reply,
    add_to_index,
    conditions,
    edm_now,
    many,
    metadata,
    one,
    quantity,
    required,
    results,
    search,
    text,
    timestamp,
)

_HEADER = (
    "SalesOrderType",
    "SalesOrganization",
    "DistributionChannel",
    "OrganizationDivision",
    "SoldToParty",
)


def simulate(twin: Twin, request: Asked) -> Reply:
    """Nothing is booked. An unknown material leaves its item without quantities, and a header message."""
    order = request.document()
    _check_organisation(twin, order)
    rows: list[Fields] = []
    messages: list[Fields] = []
    total = Decimal(0)
    currency = str(order.get("TransactionCurrency") or "")
    for item in results(order.get("to_Item") or []):
        required(item, "SalesOrderItem", "Material", "RequestedQuantity")
        wanted = quantity(item, "RequestedQuantity")
        row = {name: item[name] for name in ("SalesOrderItem", "Material", "RequestedQuantity")}
        row["RequestedQuantityUnit"] = item.get("RequestedQuantityUnit", "")
        material = twin.books.get("material", str(item["Material"]))
        if material is None or material.get("deleted"):  # flagged for deletion: sold nowhere any more
            row |= {"ConfdDelivQtyInOrderQtyUnit": None, "NetAmount": None}
            messages.append(_unknown_material(item, order))
        else:
            net = wanted * Decimal(material["price"])
            total += net
            currency = material["currency"]
            confirmed = min(wanted, Decimal(material["available"]))
            row |= {"ConfdDelivQtyInOrderQtyUnit": f"{confirmed:.3f}", "NetAmount": f"{net:.2f}"}
        rows.append(row | {"TransactionCurrency": currency} | metadata("A_SalesOrderItemSimulation", "''"))
    answer = metadata("A_SalesOrderSimulation", "''") | {
        "SalesOrder": "",
        "PurchaseOrderByCustomer": order.get("PurchaseOrderByCustomer", ""),
        "to_Pricing": {"TotalNetAmount": f"{total:.2f}", "TransactionCurrency": currency},
        "to_Credit": {
            "TotalCreditCheckStatus": _credit(twin, str(order.get("PurchaseOrderByCustomer") or ""))
        },
        "to_Item": {"results": rows},
    }
    reply = one(answer, 201)
    if not messages:
        return reply
    warning = messages[0] | {"details": messages[1:]}
    return Reply(status=201, body=reply.body, headers={"sap-message": json.dumps(warning)})


def _unknown_material(item: Fields, order: Fields) -> Fields:
    area = f"{order['SalesOrganization']}, {order['DistributionChannel']}, {order['OrganizationDivision']}"
    return {
        "code": "V1/382",
        "message": f"Material {item['Material']} is not defined for sales org. {area}",
        "target": f"/to_Item(SalesOrder='',SalesOrderItem='{item['SalesOrderItem']}')",
        "severity": "error",
    }


def _credit(twin: Twin, reference: str) -> str:
    """A passed, B failed, D released. A reference that failed once stays so until it is released."""
    known = twin.books.get("credit", reference)
    if known is None and twin.quirks.hits("credit_blocked"):
        known = "B"
        with twin.books.change():
            twin.books.put("credit", reference, known)
    return known or "A"


def _check_organisation(twin: Twin, order: Fields) -> None:
    required(order, *_HEADER)
    for field, setting, what in (
        ("SalesOrganization", "sales_organization", "Sales organization"),
        ("SoldToParty", "sold_to_party", "Customer"),
    ):
        known = twin.setup.settings.get(setting)
        if known and order[field] != known:
            raise Problem(400, "VP/199", f"{what} {order[field]} does not exist")


def create_order(twin: Twin, request: Asked) -> Reply:
    order = request.document()
    _check_organisation(twin, order)
    reference = text(order, "PurchaseOrderByCustomer", 35)
    rows = results(order.get("to_Item") or [])
    if not rows:
        raise Problem(400, "SLS_LORD/009", "Document is incomplete: it has no items")
    books = twin.books
    items = {str(row.get("SalesOrderItem") or 10 * n).lstrip("0"): row for n, row in enumerate(rows, start=1)}
    with books.change():
        number = f"{books.next_number('sales_order'):010d}"
        document = {
            "number": number, "reference": reference, "version": 1, "changed": timestamp(),
            "currency": order.get("TransactionCurrency", ""),
            "items": {key: new_item(twin, row) for key, row in items.items()},
        }  # fmt: skip
        books.put("order", number, document)
        add_to_index(books, "order", reference, number)
        books.journal("sales_order.create", reference, number, {"items": len(items)})
    return one(_order(document), 201)


def new_item(twin: Twin, row: Fields) -> Fields:
    required(row, "Material", "RequestedQuantity")
    wanted = quantity(row, "RequestedQuantity")
    material = twin.books.get("material", str(row["Material"]))
    if material is None:
        raise Problem(400, "V1/382", f"Material {row['Material']} is not defined for the sales organization")
    return {
        "Material": row["Material"],
        "RequestedQuantity": f"{wanted:.3f}",
        "RequestedQuantityUnit": row.get("RequestedQuantityUnit") or material["unit"],
        "ExternalItemID": text(row, "ExternalItemID", 40),
        "NetAmount": f"{wanted * Decimal(material['price']):.2f}",
        "SalesDocumentRjcnReason": "",
        "ProductionPlant": row.get("ProductionPlant", ""),
        "SalesOrderItemCategory": row.get("SalesOrderItemCategory", "TAN"),
        "StorageLocation": "",
        "confirmed": f"{min(wanted, Decimal(material['available'])):.3f}",
        "delivered": "0.000",
    }


def read_orders(twin: Twin, request: Asked) -> Reply:
    if request.key:
        order = order_of(twin, request.key)
        if request.navigation == "to_Item":
            return many([_item(order, key) for key in order["items"]])
        return one(_order(order))
    wanted = conditions(request.query)
    if not wanted:
        return many([])
    if set(wanted) != {"PurchaseOrderByCustomer"}:
        raise Problem(400, "/IWBEP/CM_MGW_RT/022", "This filter is not supported")
    numbers = search(twin, "order", wanted["PurchaseOrderByCustomer"])
    return many([_order(order_of(twin, number)) for number in numbers])


def order_of(twin: Twin, number: str) -> Fields:
    order: Any = twin.books.get("order", number.zfill(10))
    if order is None:
        raise Problem(404, "V1/302", f"Sales document {number} does not exist")
    return dict(order)


def etag(order: Fields) -> str:
    return f"W/\"datetimeoffset'{order['changed']}'\""


def _order(order: Fields) -> Fields:
    rejected = [bool(item["SalesDocumentRjcnReason"]) for item in order["items"].values()]
    status = "C" if all(rejected) else "B" if any(rejected) else "A"
    return metadata("A_SalesOrder", f"'{order['number']}'", etag(order)) | {
        "SalesOrder": order["number"],
        "PurchaseOrderByCustomer": order["reference"],
        "TransactionCurrency": order["currency"],
        "OverallSDDocumentRejectionSts": status,
        "TotalCreditCheckStatus": "A",
        "LastChangeDateTime": edm_now(),
    }


def _item(order: Fields, key: str) -> Fields:
    item = order["items"][key]
    number = order["number"]
    schedule = metadata("A_SalesOrderScheduleLine", f"'{number}','{key}','1'", etag(order)) | {
        "SalesOrder": number, "SalesOrderItem": key, "ScheduleLine": "1",
        "ConfdOrderQtyByMatlAvailCheck": item["confirmed"],
    }  # fmt: skip
    shown = {name: value for name, value in item.items() if name[0].isupper()}
    keys = {"SalesOrder": number, "SalesOrderItem": key, "to_ScheduleLine": {"results": [schedule]}}
    return metadata("A_SalesOrderItem", f"'{number}','{key}'", etag(order)) | keys | shown


def error_v2(problem: Problem) -> bytes:
    message = {"lang": "en", "value": problem.message}
    inner = {"errordetails": [{"code": problem.code, "message": problem.message, "severity": "error"}]}
    return json.dumps({"error": {"code": problem.code, "message": message, "innererror": inner}}).encode()
