"""The twin's sales side: material master, credit, order simulation, sales orders and their changes."""

import json
from decimal import Decimal
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import unquote

from crossdock.connect.twin import Twin
from crossdock.connectors.sap_s4.twin_odata import (
    Asked,
    Fields,
    Problem,
    Reply,
    add_to_index,
    asked,
    conditions,
    edm_now,
    guard_etag,
    many,
    metadata,
    one,
    quantity,
    required,
    results,
    search,
    text,
    timestamp,
    touch,
)

_HEADER = (
    "SalesOrderType",
    "SalesOrganization",
    "DistributionChannel",
    "OrganizationDivision",
    "SoldToParty",
)
_RESERVED = ("ProductionPlant", "StorageLocation")


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
        if material is None:
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
            "items": {key: _new_item(twin, row) for key, row in items.items()},
        }  # fmt: skip
        books.put("order", number, document)
        add_to_index(books, "order", reference, number)
        books.journal("sales_order.create", reference, number, {"items": len(items)})
    return one(_order(document), 201)


def _new_item(twin: Twin, row: Fields) -> Fields:
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


def _etag(order: Fields) -> str:
    return f"W/\"datetimeoffset'{order['changed']}'\""


def _order(order: Fields) -> Fields:
    rejected = [bool(item["SalesDocumentRjcnReason"]) for item in order["items"].values()]
    status = "C" if all(rejected) else "B" if any(rejected) else "A"
    return metadata("A_SalesOrder", f"'{order['number']}'", _etag(order)) | {
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
    schedule = metadata("A_SalesOrderScheduleLine", f"'{number}','{key}','1'", _etag(order)) | {
        "SalesOrder": number, "SalesOrderItem": key, "ScheduleLine": "1",
        "ConfdOrderQtyByMatlAvailCheck": item["confirmed"],
    }  # fmt: skip
    shown = {name: value for name, value in item.items() if name[0].isupper()}
    keys = {"SalesOrder": number, "SalesOrderItem": key, "to_ScheduleLine": {"results": [schedule]}}
    return metadata("A_SalesOrderItem", f"'{number}','{key}'", _etag(order)) | keys | shown


def patch_item(twin: Twin, request: Asked) -> Reply:
    _change(twin, [request])
    return Reply(status=204)


def batch(twin: Twin, request: Asked) -> Reply:
    """One change set of PATCHes on one sales order: all or nothing, and one answer for a refusal."""
    changes = _parts(request)
    try:
        _change(twin, changes)
    except Problem as problem:
        return _batch_reply([_inner(problem.status, error_v2(problem))], failed=True)
    return _batch_reply([_inner(204, b"")] * len(changes), failed=False)


def _parts(request: Asked) -> list[Asked]:
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    found = []
    for part in message_from_bytes(head + request.body, policy=policy.HTTP).walk():
        payload = part.get_payload(decode=True) if part.get_content_type() == "application/http" else None
        if not isinstance(payload, bytes):
            continue
        top, _, body = payload.partition(b"\r\n\r\n")
        line, *fields = top.decode().split("\r\n")
        method, path, _ = line.split(" ")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in fields)
        }
        found.append(asked(method, unquote(path), {}, headers, body.strip()))
    if not found:
        raise Problem(400, "/IWFND/CM_MGW/005", "Malformed batch request")
    return found


def _change(twin: Twin, requests: list[Asked]) -> None:
    """Apply PATCHes of items and schedule lines of one order; the journal tells what they amounted to."""
    numbers = {request.keys.get("SalesOrder", "").zfill(10) for request in requests}
    if len(numbers) != 1 or any(request.method != "PATCH" for request in requests):
        raise Problem(400, "SLS_LORD/900", "A change set may change one sales order only")
    order = order_of(twin, numbers.pop())
    for request in requests:
        guard_etag(twin, "order", order, _etag, request.headers.get("if-match", ""))
    before = json.dumps(order["items"], sort_keys=True)
    cancelled_before = _rejected(order)
    moved = sum(_apply(order, request) for request in requests)
    if json.dumps(order["items"], sort_keys=True) == before:
        return
    touch(order)
    with twin.books.change():
        twin.books.put("order", order["number"], order)
        if _rejected(order) and not cancelled_before:
            twin.books.journal("sales_order.cancel", order["reference"], order["number"])
        if moved:
            twin.books.journal("reservation.update", order["reference"], order["number"], {"changes": moved})


def _rejected(order: Fields) -> bool:
    return all(item["SalesDocumentRjcnReason"] for item in order["items"].values())


def _apply(order: Fields, request: Asked) -> int:
    """Change one item in memory; returns how many reservation values it moved."""
    item = order["items"].get(request.keys.get("SalesOrderItem", "").lstrip("0"))
    if item is None:
        raise Problem(404, "V1/303", f"Item {request.keys.get('SalesOrderItem')} does not exist")
    fields = request.document()
    reason = text(fields, "SalesDocumentRjcnReason", 2)
    if reason and Decimal(item["delivered"]):
        raise Problem(400, "V1/499", "The item has a delivery and cannot be rejected any more")
    item["SalesDocumentRjcnReason"] = reason or item["SalesDocumentRjcnReason"]
    new = {name: str(fields[name]) for name in _RESERVED if name in fields}
    if request.entity_set == "A_SalesOrderScheduleLine" and "ConfdOrderQtyByMatlAvailCheck" in fields:
        confirmed = quantity(fields, "ConfdOrderQtyByMatlAvailCheck")
        if confirmed > Decimal(item["RequestedQuantity"]):
            raise Problem(400, "V1/114", "More would be confirmed than was ordered")
        new["confirmed"] = f"{confirmed:.3f}"
    if new and item["SalesDocumentRjcnReason"]:
        raise Problem(400, "V1/498", "The item is rejected and cannot be changed")
    moved = len([name for name, value in new.items() if item[name] != value])
    item.update(new)
    return moved


def error_v2(problem: Problem) -> bytes:
    message = {"lang": "en", "value": problem.message}
    inner = {"errordetails": [{"code": problem.code, "message": problem.message, "severity": "error"}]}
    return json.dumps({"error": {"code": problem.code, "message": message, "innererror": inner}}).encode()


def _inner(status: int, body: bytes) -> bytes:
    words = {204: "No Content", 400: "Bad Request", 404: "Not Found", 412: "Precondition Failed"}
    head = f"HTTP/1.1 {status} {words.get(status, 'Error')}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n"


def _batch_reply(answers: list[bytes], *, failed: bool) -> Reply:
    """A failed change set is answered by a single part instead of a nested multipart."""
    part = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    if failed:
        body = f"--ejjeeffe0\r\n{part}".encode() + answers[0] + b"\r\n--ejjeeffe0--\r\n"
    else:
        inner = b"".join(f"--ejjeeffe1\r\n{part}".encode() + answer + b"\r\n" for answer in answers)
        head = b"--ejjeeffe0\r\nContent-Type: multipart/mixed; boundary=ejjeeffe1\r\n\r\n"
        body = head + inner + b"--ejjeeffe1--\r\n\r\n--ejjeeffe0--\r\n"
    return Reply(status=202, body=body, content_type="multipart/mixed; boundary=ejjeeffe0")
