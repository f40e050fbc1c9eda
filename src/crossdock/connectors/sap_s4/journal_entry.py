"""The journal entry SOAP service: our envelope out, its confirmation in. Pure."""

import re
from base64 import b32encode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from crossdock.connectors.sap_s4.plans import AdjustmentPlan, FreightPlan

CONTENT_TYPE = "text/xml; charset=utf-8"
REFERENCE_LENGTH = 16
ADJUSTS = "Adjusts"
"""How the header text of an adjustment begins."""
_HEADER_TEXT_LENGTH_MAX = 25
_ITEM_TEXT_LENGTH_MAX = 50
_NO_DOCUMENT = re.compile(r"^[0\s]*$")
_SFIN = "{http://sap.com/xi/SAPSCORE/SFIN}"
_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"

_ENVELOPE = """\
<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" \
xmlns:sfin="http://sap.com/xi/SAPSCORE/SFIN">
<soapenv:Header/>
<soapenv:Body>
<sfin:JournalEntryBulkCreateRequest>
<MessageHeader><ID>{message}</ID><CreationDateTime>{created}</CreationDateTime></MessageHeader>
<JournalEntryCreateRequest>
<MessageHeader><ID>{message}</ID><CreationDateTime>{created}</CreationDateTime></MessageHeader>
<JournalEntry>
<OriginalReferenceDocumentType>BKPFF</OriginalReferenceDocumentType>
<BusinessTransactionType>RFBU</BusinessTransactionType>
<AccountingDocumentType>{document_type}</AccountingDocumentType>
<DocumentReferenceID>{reference}</DocumentReferenceID>
<DocumentHeaderText>{header_text}</DocumentHeaderText>
<CreatedByUser>{user}</CreatedByUser>
<CompanyCode>{company_code}</CompanyCode>
<DocumentDate>{posting_on}</DocumentDate>
<PostingDate>{posting_on}</PostingDate>
{items}
</JournalEntry>
</JournalEntryCreateRequest>
</sfin:JournalEntryBulkCreateRequest>
</soapenv:Body>
</soapenv:Envelope>
"""
_ITEM = """\
<Item>
<ReferenceDocumentItem>{number}</ReferenceDocumentItem>
<GLAccount>{account}</GLAccount>
<AmountInTransactionCurrency currencyCode="{currency}">{amount}</AmountInTransactionCurrency>
<DebitCreditCode>{side}</DebitCreditCode>
<DocumentItemText>{text}</DocumentItemText>{assignment}
</Item>"""
_COST_CENTER = "<AccountAssignment><CostCenter>{}</CostCenter></AccountAssignment>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """`document` is empty where SAP posted nothing; then `code` and `reason` say why."""

    document: str = ""
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What tells one journal entry from another. `reference` is what it is found by."""

    message: str
    reference: str
    header: str
    text: str


class Unreadable(Exception):  # named for the reader, as in errors.py
    """An answer that is not the promised confirmation."""


def reference_id(key: str) -> str:
    """16 characters, the same for every attempt; upper case, because SAP would turn lower case into it."""
    return b32encode(sha256(key.encode()).digest()[:10]).decode()


def accrual_wording(plan: FreightPlan, effect: str) -> Wording:
    reference = reference_id(effect)
    return Wording(message=effect, reference=reference, header=f"Freight {plan.carrier}", text=plan.shipment)


def adjustment_wording(plan: AdjustmentPlan, effect: str) -> Wording:
    """The header names the document that is adjusted."""
    header = f"{ADJUSTS} {plan.accrual} {plan.entry.carrier}"
    return Wording(message=effect, reference=reference_id(plan.key), header=header, text=plan.key)


def envelope(plan: FreightPlan, wording: Wording, now: datetime) -> bytes:
    """Freight cost in one item, or in one per share, against accrued freight in the last."""
    assignment = _COST_CENTER.format(escape(plan.cost_center)) if plan.cost_center else ""
    parts = [(share.order, share.amount) for share in plan.shares] or [(wording.text, plan.amount.amount)]
    rows = [(plan.expense_account, text, amount, assignment) for text, amount in parts]
    rows.append((plan.accrual_account, wording.text, -plan.amount.amount, ""))
    items = [
        _ITEM.format(
            number=number,
            account=escape(account),
            currency=escape(plan.amount.currency, {'"': "&quot;"}),
            amount=f"{amount:f}",
            # The sign and the side say the same: S is debit.
            side="S" if amount > 0 else "H",
            text=escape(text[:_ITEM_TEXT_LENGTH_MAX]),
            assignment=assigned,
        )
        for number, (account, text, amount, assigned) in enumerate(rows, start=1)
    ]
    return _ENVELOPE.format(
        message=escape(wording.message),
        created=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        document_type=escape(plan.document_type),
        reference=wording.reference,
        header_text=escape(wording.header[:_HEADER_TEXT_LENGTH_MAX]),
        user=escape(plan.user),
        company_code=escape(plan.company_code),
        posting_on=plan.posting_on.isoformat(),
        items="\n".join(items),
    ).encode()


def to_confirmation(body: bytes) -> Confirmation:
    """Raises `Unreadable`. A document type declaration is refused before anything is parsed."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body or body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unreadable("a document type declaration or a foreign encoding")
    try:
        root = ET.fromstring(body)  # noqa: S314 — without a DOCTYPE there are no entities to expand
    except ET.ParseError as error:
        raise Unreadable(str(error)) from None
    fault = root.find(f"{_SOAP}Body/{_SOAP}Fault")
    if fault is not None:
        raise Unreadable(f"SOAP fault {fault.findtext('faultcode', '')}".strip())
    found = root.find(f"{_SOAP}Body/{_SFIN}JournalEntryBulkCreateConfirmation/JournalEntryCreateConfirmation")
    if found is None:
        raise Unreadable("no JournalEntryCreateConfirmation")
    document = found.findtext("JournalEntryCreateConfirmation/AccountingDocument", "").strip()
    if not _NO_DOCUMENT.match(document):
        return Confirmation(document=document)
    errors = [item for item in found.iterfind("Log/Item") if item.findtext("SeverityCode", "") == "3"]
    notes = [item.findtext("Note", "").strip() for item in errors]
    # SAP's first entry only says that there was an error; the cause follows.
    code = errors[-1].findtext("TypeID", "") if errors else ""
    return Confirmation(code=code or "journal_entry", reason="; ".join(notes) or "SAP posted no document")
