"""The twin's changes of sales orders: items changed, added and rejected, one by one or as a change set."""

import json
from decimal import Decimal
from email import message_from_bytes, policy
from urllib.parse import unquote

from crossdock.connect.twin import Twin
from crossdock.connectors.sap_s4.twin_odata import (
    Asked,
    Fields,
    Problem,
    Reply,
    asked,
    guard_etag,
    quantity,
    text,
    touch,
)
from crossdock.connectors.sap_s4.twin_sales import error_v2, etag, new_item, order_of

_RESERVED = ("ProductionPlant", "StorageLocation")
_SAID = ("Material", "RequestedQuantity", "SalesDocumentRjcnReason")


def patch_item(twin: Twin, request: Asked) -> Reply:
    _change(twin, [request])
    return Reply(status=204)


def batch(twin: Twin, request: Asked) -> Reply:
    """One change set on one sales order: all or nothing, and one answer for a refusal."""
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
    """Apply changes of items and schedule lines of one order; the journal tells what they amounted to."""
    numbers = {(request.keys.get("SalesOrder") or request.key).zfill(10) for request in requests}
    if len(numbers) != 1 or any(request.method not in ("PATCH", "POST") for request in requests):
        raise Problem(400, "SLS_LORD/900", "A change set may change one sales order only")
    order = order_of(twin, numbers.pop())
    before = json.loads(json.dumps(order["items"]))
    moved = 0
    for request in requests:
        if request.method == "POST":
            _add(twin, order, request)
        else:
            guard_etag(twin, "order", order, etag, request.headers.get("if-match", ""))
            moved += _apply(twin, order, request)
    if order["items"] == before:
        return
    touch(order)
    books, reference, number = twin.books, order["reference"], order["number"]
    with books.change():
        books.put("order", number, order)
        if _rejected(order["items"]) and not _rejected(before):
            books.journal("sales_order.cancel", reference, number)
        elif _said(order["items"]) != _said(before):
            books.journal("sales_order.change", reference, number, {"items": _said(order["items"])})
        elif moved:
            books.journal("reservation.update", reference, number, {"changes": moved})


def _rejected(items: Fields) -> bool:
    return all(item["SalesDocumentRjcnReason"] for item in items.values())


def _said(items: Fields) -> Fields:
    """What was ordered, without where it comes from."""
    return {key: {name: item[name] for name in _SAID} for key, item in items.items()}


def _add(twin: Twin, order: Fields, request: Asked) -> None:
    if request.entity_set != "A_SalesOrder" or request.navigation != "to_Item":
        raise Problem(405, "/IWFND/CM_MGW/405", f"POST is not supported for {request.entity_set}")
    number = str(max(int(key) for key in order["items"]) + 10)
    order["items"][number] = new_item(twin, request.document())


def _apply(twin: Twin, order: Fields, request: Asked) -> int:
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
    if (new or "RequestedQuantity" in fields) and item["SalesDocumentRjcnReason"]:
        raise Problem(400, "V1/498", "The item is rejected and cannot be changed")
    if "RequestedQuantity" in fields:
        _reorder(twin, item, quantity(fields, "RequestedQuantity"))
    moved = len([name for name, value in new.items() if item[name] != value])
    item.update(new)
    return moved


def _reorder(twin: Twin, item: Fields, wanted: Decimal) -> None:
    """Another quantity; never less than was delivered, and none at all once the item is completely delivered."""
    delivered = Decimal(item["delivered"])
    if delivered and (wanted < delivered or delivered >= Decimal(item["RequestedQuantity"])):
        message = f"The item is already delivered ({delivered:f}) and its quantity cannot become {wanted:f}"
        raise Problem(400, "V1/497", message)
    if not wanted:
        raise Problem(400, "V1/046", "Enter a quantity, or reject the item")
    material = twin.books.get("material", item["Material"])
    item["RequestedQuantity"] = f"{wanted:.3f}"
    item["NetAmount"] = f"{wanted * Decimal(material['price']):.2f}"
    item["confirmed"] = f"{min(wanted, Decimal(material['available'])):.3f}"


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
