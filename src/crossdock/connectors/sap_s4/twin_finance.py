"""The twin's accounting: journal entries over SOAP, their line items over OData, and billing documents."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from crossdock.connect.twin import Books, Twin
from crossdock.connectors.sap_s4.journal_entry import ADJUSTS
from crossdock.connectors.sap_s4.twin_credit import note_billed
from crossdock.connectors.sap_s4.twin_delivery import delivery_of, quantities_of, reference_of
from crossdock.connectors.sap_s4.twin_odata import (
    Asked,
    Fields,
    Problem,
    Reply,
    add_to_index,
    conditions,
    many,
    metadata,
    search,
)

FIRST_JOURNAL_ENTRY = 100_000_000
FIRST_BILLING_DOCUMENT = 90_000_000
THIRD_PARTY = "TAS"
_SFIN = "http://sap.com/xi/SAPSCORE/SFIN"
_ACCOUNT = re.compile(r"^\d{1,10}$")

_CONFIRMATION = """\
<soap-env:Envelope xmlns:soap-env="http://schemas.xmlsoap.org/soap/envelope/"><soap-env:Body>\
<n0:JournalEntryBulkCreateConfirmation xmlns:n0="{sfin}">\
<MessageHeader><CreationDateTime>{now}</CreationDateTime></MessageHeader><JournalEntryCreateConfirmation><MessageHeader><CreationDateTime>{now}</CreationDateTime>\
</MessageHeader><JournalEntryCreateConfirmation><AccountingDocument>{document}</AccountingDocument>\
<CompanyCode>{company}</CompanyCode><FiscalYear>{year}</FiscalYear></JournalEntryCreateConfirmation><Log>\
<MaximumLogItemSeverityCode>{severity}</MaximumLogItemSeverityCode>{items}</Log></JournalEntryCreateConfirmation>\
</n0:JournalEntryBulkCreateConfirmation></soap-env:Body></soap-env:Envelope>"""
_LOG = "<Item><TypeID>{}</TypeID><SeverityCode>{}</SeverityCode><Note>{}</Note></Item>"


def post_journal_entry(twin: Twin, request: Asked) -> Reply:
    entry = _entry(request.body)
    company = entry.findtext("CompanyCode", "")
    reference = entry.findtext("DocumentReferenceID", "")
    items = entry.findall("Item")
    _validate(twin, entry, items)
    books = twin.books
    with books.change():
        number = f"{books.next_number('journal_entry', FIRST_JOURNAL_ENTRY):010d}"
        year = entry.findtext("PostingDate", "")[:4]
        document = {
            "number": number, "company": company, "year": year, "reference": reference,
            "accounts": [item.findtext("GLAccount", "") for item in items],
        }  # fmt: skip
        books.put("journal_entry", number, document)
        add_to_index(books, "journal_entry", reference, number)
        _journal(books, entry, items, number)
    note = _LOG.format("605(RW)", "1", f"Document posted successfully: BKPFF {number}{company}{year}")
    return _confirmation(number, company, year, "1", note)


def _journal(books: Books, entry: ET.Element, items: list[ET.Element], number: str) -> None:
    """The last item is the accrual; the others are the cost, one for each order that bears a share of it."""
    *costs, accrual = items
    effect = (
        "freight.adjust" if entry.findtext("DocumentHeaderText", "").startswith(ADJUSTS) else "freight.accrue"
    )
    key = accrual.findtext("DocumentItemText", "")
    detail: dict[str, Any] = {
        "amount": f"{-_amount(accrual):f}",
        "reference": entry.findtext("DocumentReferenceID", ""),
        "posted_on": entry.findtext("PostingDate", ""),
    }
    shares = {item.findtext("DocumentItemText", ""): f"{_amount(item):f}" for item in costs}
    if set(shares) != {key}:
        detail["shares"] = shares
    books.journal(effect, key, number, detail)


def _amount(item: ET.Element) -> Decimal:
    return Decimal(item.findtext("AmountInTransactionCurrency", ""))


def refused(problem: Problem) -> Reply:
    """A business error comes with status 200, an empty document and two log items."""
    general = _LOG.format("609(RW)", "3", "Error in document: BKPFF $")
    cause = _LOG.format(escape(problem.code), "3", escape(problem.message))
    return _confirmation(" ", " ", "0000", "3", general + cause)


def _confirmation(document: str, company: str, year: str, severity: str, items: str) -> Reply:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    body = _CONFIRMATION.format(
        sfin=_SFIN,
        now=now,
        document=document,
        company=escape(company),
        year=year,
        severity=severity,
        items=items,
    )
    return Reply(body=body.encode(), content_type="text/xml")


def _entry(body: bytes) -> ET.Element:
    if b"<!DOCTYPE" in body:
        raise Problem(500, "soap", "DTD is not allowed")
    try:
        root = ET.fromstring(body)  # noqa: S314 — refused above where there is a DTD
    except ET.ParseError:
        raise Problem(500, "soap", "Deserialisation failed") from None
    entry = root.find(f".//{{{_SFIN}}}JournalEntryBulkCreateRequest/JournalEntryCreateRequest/JournalEntry")
    if entry is None:
        raise Problem(500, "soap", "No JournalEntryCreateRequest")
    return entry


def _validate(twin: Twin, entry: ET.Element, items: list[ET.Element]) -> None:
    company = entry.findtext("CompanyCode", "")
    known = twin.setup.settings.get("company_code")
    if not company or (known and company != known):
        raise Problem(200, "014(F5)", f"Company code {company} does not exist")
    if len(entry.findtext("DocumentReferenceID", "")) > 16:
        raise Problem(200, "021(SRT)", "DocumentReferenceID is longer than 16 characters")
    balance = Decimal(0)
    for item in items:
        account = item.findtext("GLAccount", "")
        if not _ACCOUNT.match(account):
            raise Problem(200, "506(F5)", f"G/L account {account} is not defined in the chart of accounts")
        try:
            amount = _amount(item)
        except InvalidOperation:
            raise Problem(200, "021(SRT)", "AmountInTransactionCurrency is no number") from None
        if item.findtext("DebitCreditCode") != ("S" if amount > 0 else "H"):
            raise Problem(200, "016(F5)", "Amount and debit/credit code contradict each other")
        balance += amount
    if len(items) < 2 or balance != 0:
        raise Problem(200, "702(F5)", "Balance in transaction currency")


def read_journal(twin: Twin, request: Asked) -> Reply:
    wanted = conditions(request.query)
    numbers = search(twin, "journal_entry", wanted.get("DocumentReferenceID", ""))
    found = [twin.books.get("journal_entry", number) for number in numbers]
    company = wanted.get("CompanyCode")
    rows = [
        metadata("A_OperationalAcctgDocItemCube", f"'{entry['number']}','{account}'")
        | {
            "CompanyCode": entry["company"], "FiscalYear": entry["year"], "GLAccount": account,
            "AccountingDocument": entry["number"], "DocumentReferenceID": entry["reference"],
        }
        for entry in found if company in (None, entry["company"])
        for account in entry["accounts"]
    ]  # fmt: skip
    return many(rows)


def bill(twin: Twin, request: Asked) -> Reply:
    """CreateFromSDDocument (OData V4) for one delivery."""
    references: Any = request.document().get("_Reference")
    if not isinstance(references, list) or len(references) != 1 or not references[0].get("SDDocument"):
        raise Problem(400, "VF/041", "Exactly one reference document is needed")
    order = twin.books.get("order", str(references[0]["SDDocument"]).zfill(10))
    if order is not None:
        return _bill_order(twin, order)
    delivery = delivery_of(twin, str(references[0]["SDDocument"]))
    if delivery["movement"] != "C":
        raise Problem(400, "VF/045", f"Goods issue has not been posted for document {delivery['number']}")
    if delivery["billing_document"]:
        raise Problem(400, "VF/032", f"Document {delivery['number']} has already been billed completely")
    books = twin.books
    with books.change():
        number = str(books.next_number("billing_document", FIRST_BILLING_DOCUMENT))
        delivery["billing_document"] = number
        books.put("delivery", delivery["number"], delivery)
        add_to_index(books, "billing", delivery["number"], number)
        note_billed(books, number, quantities_of(delivery))
        detail = {"delivery": delivery["number"], "quantities": quantities_of(delivery)}
        books.journal("invoice.release", reference_of(delivery), number, detail)
    row = {"BillingDocument": number, "BillingDocumentType": "F2", "AccountingPostingStatus": "C"}
    return Reply(body=json.dumps({"@odata.context": "$metadata#BillingDocument", "value": [row]}).encode())


def _bill_order(twin: Twin, order: Fields) -> Reply:
    """What suppliers sent of it, once; what has a delivery is billed by that."""
    books = twin.books
    totals: dict[str, Decimal] = {}
    for item in order["items"].values():
        if item.get("SalesOrderItemCategory") == THIRD_PARTY and not item["SalesDocumentRjcnReason"]:
            quantity = Decimal(item["RequestedQuantity"])
            totals[item["Material"]] = totals.get(item["Material"], Decimal(0)) + quantity
    if not totals:
        raise Problem(400, "VF/016", f"Document {order['number']} is not relevant for billing")
    if books.get("index.billing", order["number"].lstrip("0")):
        raise Problem(400, "VF/032", f"Document {order['number']} has already been billed completely")
    quantities = {material: f"{total:f}" for material, total in totals.items()}
    with books.change():
        number = str(books.next_number("billing_document", FIRST_BILLING_DOCUMENT))
        add_to_index(books, "billing", order["number"].lstrip("0"), number)
        note_billed(books, number, quantities)
        detail = {"order": order["number"], "quantities": quantities}
        books.journal("invoice.release", f"|{order['reference']}", number, detail)
    row = {"BillingDocument": number, "BillingDocumentType": "F2", "AccountingPostingStatus": "C"}
    return Reply(body=json.dumps({"@odata.context": "$metadata#BillingDocument", "value": [row]}).encode())


def read_billing_items(twin: Twin, request: Asked) -> Reply:
    delivery = conditions(request.query).get("ReferenceSDDocument", "")
    rows = [
        metadata("A_BillingDocumentItem", f"'{number}','10'")
        | {"BillingDocument": number, "BillingDocumentItem": "10", "ReferenceSDDocument": delivery}
        for number in search(twin, "billing", delivery.lstrip("0"))
    ]
    return many(rows)
