"""The twin's credit memo requests: of invoices that it knows, and of no more than they billed.

A billed material with a sales bill of material ("bom" of the material: component → quantity) is credited by its components.
"""

from decimal import Decimal
from typing import Final

from crossdock.connect.twin import Books, Twin
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

FIRST_REQUEST: Final = 60_000_000
PRICING_UNIT_MAX: Final = 99_999
_INDEX: Final = "credit_memo_request"


def note_billed(books: Books, number: str, quantities: dict[str, str]) -> None:
    """What an invoice billed, by material: no more of it is credited."""
    books.put("billed", number, {"quantities": quantities, "credited": {}})


def create_request(twin: Twin, request: Asked) -> Reply:
    """All items or none."""
    header = request.document()
    required(header, "CreditMemoRequestType", "SalesOrganization", "SoldToParty", "TransactionCurrency")
    reference = text(header, "PurchaseOrderByCustomer", 35)
    rows = results(header.get("to_Item") or [])
    if not rows:
        raise Problem(400, "V1/045", "Enter at least one item")
    books = twin.books
    with books.change():
        amount = sum((_credit(books, row, str(header["TransactionCurrency"])) for row in rows), Decimal(0))
        number = str(books.next_number(_INDEX, FIRST_REQUEST))
        books.put(_INDEX, number, {"number": number, "reference": reference})
        add_to_index(books, _INDEX, reference, number)
        detail = {
            "amount": f"{amount:f}", "currency": header["TransactionCurrency"], "reason": header.get("SDDocumentReason", ""),
            "invoices": sorted({row["ReferenceSDDocument"] for row in rows}), "quantities": _totals(rows),
        }  # fmt: skip
        books.journal("credit.post", reference, number, detail)
    return one(_request(number, reference), 201)


def _credit(books: Books, row: Fields, currency: str) -> Decimal:
    """The amount of one item; raises `Problem` where the invoice is unknown or billed less."""
    required(row, "Material", "RequestedQuantity", "RequestedQuantityUnit", "ReferenceSDDocument")
    invoice, material = str(row["ReferenceSDDocument"]), row["Material"]
    wanted = quantity(row, "RequestedQuantity")
    billed = books.get("billed", invoice)
    if billed is None:
        raise Problem(400, "VF/004", f"Billing document {invoice} does not exist")
    so_far = Decimal(billed["credited"].get(material, "0")) + wanted
    if so_far > _billed(books, billed["quantities"], material):
        raise Problem(400, "V1/348", f"Quantity {so_far:f} of {material} is more than {invoice} billed")
    books.put("billed", invoice, billed | {"credited": billed["credited"] | {material: f"{so_far:f}"}})
    prices = results(row.get("to_PricingElement") or [])
    if len(prices) != 1 or prices[0].get("ConditionCurrency") != currency:
        raise Problem(400, "V1/801", "An item needs one price, in the currency of the document")
    per = quantity(prices[0], "ConditionQuantity")
    if per != int(per) or per > PRICING_UNIT_MAX:
        raise Problem(400, "VK/088", f"Pricing unit {per:f} is not a number of up to five digits")
    return wanted * quantity(prices[0], "ConditionRateValue") / per


def _billed(books: Books, quantities: dict[str, str], material: str) -> Decimal:
    """By itself, and in materials that were billed with their components."""
    found = Decimal(quantities.get(material, "0"))
    for name, count in quantities.items():
        found += Decimal(count) * Decimal(
            (books.get("material", name) or {}).get("bom", {}).get(material, "0")
        )
    return found


def _totals(rows: list[Fields]) -> Fields:
    totals: dict[str, Decimal] = {}
    for row in rows:
        totals[row["Material"]] = totals.get(row["Material"], Decimal(0)) + Decimal(row["RequestedQuantity"])
    return {material: f"{total:f}" for material, total in totals.items()}


def read_requests(twin: Twin, request: Asked) -> Reply:
    reference = conditions(request.query).get("PurchaseOrderByCustomer", "")
    return many([_request(number, reference) for number in search(twin, _INDEX, reference)])


def _request(number: str, reference: str) -> Fields:
    named = metadata("A_CreditMemoRequest", f"'{number}'")
    return named | {"CreditMemoRequest": number, "PurchaseOrderByCustomer": reference}
