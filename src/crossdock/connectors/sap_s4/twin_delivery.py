"""The twin's deliveries: created from an order, picked, goods-issued, with texts and proof of delivery."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from crossdock.connect.twin import Twin
from crossdock.connectors.sap_s4.edm import day_of, odata_date
from crossdock.connectors.sap_s4.twin_odata import (
    Asked,
    Fields,
    Problem,
    Reply,
    add_to_index,
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
from crossdock.connectors.sap_s4.twin_sales import order_of
from crossdock.connectors.sap_s4.twin_stock import issue

FIRST_DELIVERY = 80_000_000
OVERDELIVERY_TOLERANCE = Decimal("0.10")
"""Share of the ordered quantity that may be delivered beyond it, over all deliveries of the item."""
FIRST_MATERIAL_DOCUMENT = 4_900_000_000
_DATE: Final = re.compile(r"datetime'(\d{4}-\d\d-\d\d)T00:00:00'")


def create_delivery(twin: Twin, request: Asked) -> Reply:
    header = request.document()
    rows = results(header.get("to_DeliveryDocumentItem") or [])
    if not rows:
        raise Problem(400, "VL/019", "No delivery was created: there are no items")
    for row in rows:
        required(row, "ReferenceSDDocument", "ReferenceSDDocumentItem", "ActualDeliveryQuantity")
    orders = {str(row["ReferenceSDDocument"]) for row in rows}
    if len(orders) != 1:
        raise Problem(400, "VL/461", "The items belong to several orders; split the delivery")
    order = order_of(twin, orders.pop())
    items = [_deliver(order, row) for row in rows]
    books = twin.books
    with books.change():
        number = str(books.next_number("delivery", FIRST_DELIVERY))
        document = {
            "number": number, "version": 1, "changed": timestamp(), "order": order["number"],
            "order_reference": order["reference"], "picking": "A", "movement": "A", "items": items,
            "shipment": text(header, "DeliveryDocumentBySupplier", 35),
            "bill_of_lading": text(header, "BillOfLading", 35),
            "issue_date": header.get("ActualGoodsMovementDate"), "proof": None, "texts": {},
            "material_document": "", "billing_document": "", "documents": [], "reversals": [],
        }  # fmt: skip
        books.put("delivery", number, document)
        books.put("order", order["number"], order)
        add_to_index(books, "delivery", document["bill_of_lading"], number)
        books.journal("delivery.create", reference_of(document), number, {"order": order["number"]})
    return one(_delivery(document), 201)


def reference_of(delivery: Fields) -> str:
    """What the hub calls the goods issue and the invoice of this delivery."""
    return f"{delivery['shipment']}|{delivery['order_reference']}"


def _deliver(order: Fields, row: Fields) -> Fields:
    """Take the quantity from the order's open quantity (in memory)."""
    key = str(row["ReferenceSDDocumentItem"]).lstrip("0")
    item = order["items"].get(key)
    if item is None:
        raise Problem(400, "VL/367", f"Item {key} of document {order['number']} does not exist")
    if item["SalesDocumentRjcnReason"]:
        raise Problem(400, "VL/371", f"Item {key} of document {order['number']} is rejected")
    wanted = quantity(row, "ActualDeliveryQuantity")
    ordered = Decimal(item["RequestedQuantity"])
    open_quantity = ordered - Decimal(item["delivered"])
    if not wanted or wanted > open_quantity + ordered * OVERDELIVERY_TOLERANCE:
        message = f"Only {open_quantity:f} of item {key} of document {order['number']} are open for delivery"
        raise Problem(400, "VL/363", message)
    item["delivered"] = f"{Decimal(item['delivered']) + wanted:.3f}"
    unit = row.get("DeliveryQuantityUnit") or item["RequestedQuantityUnit"]
    return {"item": key, "Material": item["Material"], "quantity": f"{wanted:.3f}", "unit": unit}


def quantities_of(delivery: Fields) -> dict[str, str]:
    """By material; for the journal, so that the books can be compared by quantity."""
    totals: dict[str, Decimal] = {}
    for item in delivery["items"]:
        totals[item["Material"]] = totals.get(item["Material"], Decimal(0)) + Decimal(item["quantity"])
    return {material: f"{total:f}" for material, total in totals.items()}


def read_deliveries(twin: Twin, request: Asked) -> Reply:
    if request.key:
        return one(_delivery(delivery_of(twin, request.key)))
    wanted = conditions(request.query)
    if set(wanted) != {"BillOfLading"}:
        raise Problem(400, "/IWBEP/CM_MGW_RT/022", "This filter is not supported")
    numbers = search(twin, "delivery", wanted["BillOfLading"])
    return many([_delivery(delivery_of(twin, number)) for number in numbers])


def delivery_of(twin: Twin, number: str) -> Fields:
    delivery: Any = twin.books.get("delivery", number.lstrip("0"))
    if delivery is None:
        raise Problem(404, "VL/559", f"Delivery {number} does not exist")
    return dict(delivery)


def _etag(delivery: Fields) -> str:
    return f"W/\"'{delivery['version']:04d}'\""


def _delivery(delivery: Fields) -> Fields:
    return metadata("A_OutbDeliveryHeader", f"'{delivery['number']}'", _etag(delivery)) | {
        "DeliveryDocument": delivery["number"],
        "DeliveryDocumentBySupplier": delivery["shipment"],
        "BillOfLading": delivery["bill_of_lading"],
        "OverallPickingStatus": delivery["picking"],
        "OverallGoodsMovementStatus": delivery["movement"],
        "OverallDelivReltdBillgStatus": "C" if delivery["billing_document"] else "A",
        "ActualGoodsMovementDate": delivery["issue_date"],
        "ProofOfDeliveryDate": delivery["proof"],
        "LastChangeDate": edm_now(),
    }


def pick_all(twin: Twin, request: Asked) -> Reply:
    delivery = delivery_of(twin, request.parameter("DeliveryDocument"))
    guard_etag(twin, "delivery", delivery, _etag, request.headers.get("if-match", ""))
    if delivery["movement"] == "C":
        raise Problem(400, "VL/608", f"Delivery {delivery['number']}: goods issue has already been posted")
    if delivery["picking"] != "C":
        delivery["picking"] = "C"
        touch(delivery)
        with twin.books.change():
            twin.books.put("delivery", delivery["number"], delivery)
    return many([])


def post_goods_issue(twin: Twin, request: Asked) -> Reply:
    delivery = delivery_of(twin, request.parameter("DeliveryDocument"))
    guard_etag(twin, "delivery", delivery, _etag, request.headers.get("if-match", ""))
    if delivery["movement"] == "C":
        raise Problem(400, "VL/609", f"Goods issue has already been posted for delivery {delivery['number']}")
    if delivery["picking"] != "C":
        raise Problem(
            400, "VL/319", f"Delivery {delivery['number']} has not yet been put away / picked (completely)"
        )
    on = day_of(delivery["issue_date"]) or datetime.now(UTC).date()
    guard_period(twin, on)
    books = twin.books
    with books.change():
        document = str(books.next_number("material_document", FIRST_MATERIAL_DOCUMENT))
        delivery["movement"] = "C"
        delivery["material_document"] = document
        delivery["issue_date"] = odata_date(on)
        delivery["documents"].append(document)
        touch(delivery)
        books.put("delivery", delivery["number"], delivery)
        issue(twin, delivery, order_of(twin, delivery["order"]))
        detail = {
            "delivery": delivery["number"],
            "quantities": quantities_of(delivery),
            "posted_on": on.isoformat(),
        }
        books.journal("goods_issue.post", reference_of(delivery), document, detail)
    return one({"DeliveryDocument": delivery["number"], "ReturnCode": "0", "ReturnMessage": ""})


def reverse_goods_issue(twin: Twin, request: Asked) -> Reply:
    """Movement 602: the delivery is picked and open again. What was billed must be cancelled first."""
    delivery = delivery_of(twin, request.parameter("DeliveryDocument"))
    guard_etag(twin, "delivery", delivery, _etag, request.headers.get("if-match", ""))
    found = _DATE.fullmatch(request.query.get("ActualGoodsMovementDate", ""))
    if found is None:
        raise Problem(400, "/IWBEP/CM_MGW_RT/004", "Parameter ActualGoodsMovementDate is missing or no date")
    take_back(twin, delivery, date.fromisoformat(found[1]))
    return one({"DeliveryDocument": delivery["number"], "ReturnCode": "0", "ReturnMessage": ""})


def take_back(twin: Twin, delivery: Fields, on: date) -> str:
    """The document of the reversal, whoever asks for it: an interface, or somebody at a screen."""
    if delivery["movement"] != "C":
        raise Problem(400, "VL/602", f"Goods issue has not been posted for delivery {delivery['number']}")
    if delivery["billing_document"]:
        message = f"Delivery {delivery['number']} has been billed: cancel billing document {delivery['billing_document']} first"
        raise Problem(400, "VL/604", message)
    guard_period(twin, on)
    books, reverses = twin.books, delivery["material_document"]
    with books.change():
        document = str(books.next_number("material_document", FIRST_MATERIAL_DOCUMENT))
        delivery |= {"movement": "A", "material_document": "", "issue_date": None}
        delivery["reversals"].append(document)
        touch(delivery)
        books.put("delivery", delivery["number"], delivery)
        issue(twin, delivery, order_of(twin, delivery["order"]), back=True)
        detail = {
            "delivery": delivery["number"], "quantities": quantities_of(delivery), "posted_on": on.isoformat(),
            "reverses": reverses,
        }  # fmt: skip
        books.journal("goods_issue.reverse", reference_of(delivery), document, detail)
    return document


def guard_period(twin: Twin, on: date) -> None:
    """Material cannot be posted in this period: it is closed in the books, or the quirk says so."""
    opened = twin.books.get("period", "open_from")
    if twin.quirks.hits("period_closed") or (opened and on < date.fromisoformat(opened)):
        message = f"Posting period {on.month:03d} {on.year} is not open for account type M"
        raise Problem(400, "F5/201", message)


def routes(twin: Twin) -> list[web.RouteDef]:
    """What people do at SAP's own screens, and what its books say."""

    async def periods(request: web.Request) -> web.Response:
        opened = (await request.json())["open_from"]
        with twin.books.change():
            twin.books.put("period", "open_from", opened)
        return web.json_response({"open_from": opened})

    async def deliveries(_: web.Request) -> web.Response:
        return web.json_response(dict(twin.books.all("delivery")))

    async def reverse(request: web.Request) -> web.Response:
        on = date.fromisoformat((await request.json())["on"])
        try:
            document = take_back(twin, delivery_of(twin, request.match_info["number"]), on)
        except Problem as problem:
            return web.json_response({"error": problem.message}, status=problem.status)
        return web.json_response({"document": document})

    async def cancel_billing(request: web.Request) -> web.Response:
        delivery = delivery_of(twin, request.match_info["number"])
        with twin.books.change():
            cancelled = delivery["billing_document"]
            twin.books.put("delivery", delivery["number"], delivery | {"billing_document": ""})
            twin.books.journal("invoice.cancel", reference_of(delivery), cancelled, {})
        return web.json_response({"cancelled": cancelled})

    return [
        web.put("/_twin/periods", periods), web.get("/_twin/deliveries", deliveries),
        web.post("/_twin/deliveries/{number}/reverse", reverse),
        web.post("/_twin/deliveries/{number}/cancel_billing", cancel_billing),
    ]  # fmt: skip


def read_flow(twin: Twin, request: Asked) -> Reply:
    """Category R: the goods movements, reversed ones too; h: their reversals; M: the invoice."""
    wanted = conditions(request.query)
    delivery = delivery_of(twin, wanted.get("PrecedingDocument", ""))
    billed = [delivery["billing_document"]] if delivery["billing_document"] else []
    known: dict[str, list[str]] = {"R": delivery["documents"], "h": delivery["reversals"], "M": billed}
    categories = (
        [wanted["SubsequentDocumentCategory"]] if "SubsequentDocumentCategory" in wanted else list(known)
    )
    rows = [
        metadata("A_OutbDeliveryDocFlow", f"'{delivery['number']}','{category}'")
        | {
            "PrecedingDocument": delivery["number"], "PrecedingDocumentItem": item["item"],
            "SubsequentDocument": document, "SubsequentDocumentCategory": category,
            "QuantityInBaseUnit": item["quantity"],
        }
        for category in categories
        for document in known.get(category, [])
        for item in delivery["items"]
    ]  # fmt: skip
    return many(rows)


def patch_header(twin: Twin, request: Asked) -> Reply:
    delivery = delivery_of(twin, request.key)
    guard_etag(twin, "delivery", delivery, _etag, request.headers.get("if-match", ""))
    fields = request.document()
    if set(fields) == {"ActualGoodsMovementDate"}:
        return _redate(twin, delivery, fields)
    if set(fields) - {"ProofOfDeliveryDate"}:
        raise Problem(
            400,
            "/IWFND/CM_MGW/021",
            "Only ProofOfDeliveryDate or ActualGoodsMovementDate can be changed here",
        )
    if delivery["movement"] != "C":
        raise Problem(400, "VLPOD/010", "Proof of delivery needs a posted goods issue")
    if delivery["proof"] != fields["ProofOfDeliveryDate"]:
        delivery["proof"] = fields["ProofOfDeliveryDate"]
        touch(delivery)
        with twin.books.change():
            twin.books.put("delivery", delivery["number"], delivery)
    return Reply(status=204)


def _redate(twin: Twin, delivery: Fields, fields: Fields) -> Reply:
    if delivery["movement"] == "C":
        raise Problem(400, "VL/609", f"Goods issue has already been posted for delivery {delivery['number']}")
    delivery["issue_date"] = fields["ActualGoodsMovementDate"]
    touch(delivery)
    with twin.books.change():
        twin.books.put("delivery", delivery["number"], delivery)
    return Reply(status=204)


def read_text(twin: Twin, request: Asked) -> Reply:
    delivery = delivery_of(twin, request.keys.get("DeliveryDocument", ""))
    return one(_text(delivery, request.keys.get("TextElement", "")))


def _text(delivery: Fields, element: str) -> Fields:
    if element not in delivery["texts"]:
        raise Problem(
            404, "/IWBEP/CM_MGW_RT/020", "Resource not found for segment 'A_OutbDeliveryHeaderTextType'"
        )
    return metadata("A_OutbDeliveryHeaderText", f"'{delivery['number']}','{element}'", _etag(delivery)) | {
        "DeliveryDocument": delivery["number"],
        "TextElement": element,
        "Language": "EN",
        "TextElementText": delivery["texts"][element],
    }


def add_text(twin: Twin, request: Asked) -> Reply:
    delivery = delivery_of(twin, request.key)
    fields = request.document()
    required(fields, "TextElement", "Language", "TextElementText")
    element = text(fields, "TextElement", 4)
    if element in delivery["texts"]:
        raise Problem(400, "TD/600", f"Text {element} exists already")
    _keep(twin, delivery, element, str(fields["TextElementText"]))
    return one(_text(delivery, element), 201)


def patch_text(twin: Twin, request: Asked) -> Reply:
    delivery = delivery_of(twin, request.keys.get("DeliveryDocument", ""))
    element = request.keys.get("TextElement", "")
    _text(delivery, element)
    guard_etag(twin, "delivery", delivery, _etag, request.headers.get("if-match", ""))
    _keep(twin, delivery, element, str(request.document().get("TextElementText") or ""))
    return Reply(status=204)


def _keep(twin: Twin, delivery: Fields, element: str, value: str) -> None:
    """Every line that is new in the text is a milestone that was recorded."""
    before = delivery["texts"].get(element, "").split("\n")
    new = [line for line in value.split("\n") if line and line not in before]
    if not new:
        return
    delivery["texts"][element] = value
    touch(delivery)
    with twin.books.change():
        twin.books.put("delivery", delivery["number"], delivery)
        for line in new:
            reference = f"{reference_of(delivery)}|{line.split(' ')[0]}"
            twin.books.journal("milestone.record", reference, delivery["number"], {"text": element})
