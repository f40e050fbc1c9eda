"""Steps in accounting: accrue freight, adjust it to the carrier's bill, and bill a delivery."""

import re
from datetime import UTC, datetime

import msgspec

from crossdock.connect.contract import Absent, Call, Done, LookUp, Refused, Unknown
from crossdock.connect.reading import read
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.answers import BillingDocuments, BillingItem, JournalItem
from crossdock.connectors.sap_s4.journal_entry import (
    CONTENT_TYPE,
    Unreadable,
    Wording,
    accrual_wording,
    adjustment_wording,
    envelope,
    to_confirmation,
)
from crossdock.connectors.sap_s4.session import Ask, Errand, Session, Stop, literal
from crossdock.model.order import InvoiceReleased
from crossdock.model.shipment import FreightAccrued, FreightAdjusted

BILLING = "/sap/opu/odata4/sap/api_billingdocument/srvd_a2x/sap/billingdocument/0001"
BILLING_READ = "/sap/opu/odata/sap/API_BILLING_DOCUMENT_SRV"
JOURNAL_READ = "/sap/opu/odata/sap/API_OPLACCTGDOCITEMCUBE_SRV"
_ALREADY_BILLED = re.compile(r"already (been )?(completely |fully )?(billed|invoiced)", re.IGNORECASE)


async def accrue(session: Session, errand: Errand, call: Call) -> Done:
    plan = read(plans.FreightPlan, call.body)
    document = await _post(session, errand, plan, accrual_wording(plan, call.effect))
    return Done(document=document, receipt=FreightAccrued(document, plan.amount))


async def find_accrual(session: Session, errand: Errand, call: Call) -> LookUp:
    plan = read(plans.FreightPlan, call.body)
    document = await _find_entry(session, errand, plan, accrual_wording(plan, call.effect))
    return Done(document=document, receipt=FreightAccrued(document, plan.amount)) if document else Absent()


async def adjust(session: Session, errand: Errand, call: Call) -> Done:
    """Even a first attempt looks: the bill may have been entered under another effect."""
    plan = read(plans.AdjustmentPlan, call.body)
    wording = adjustment_wording(plan, call.effect)
    document = await _find_entry(session, errand, plan.entry, wording)
    document = document or await _post(session, errand, plan.entry, wording)
    return Done(document=document, receipt=FreightAdjusted(document, plan.entry.amount))


async def find_adjustment(session: Session, errand: Errand, call: Call) -> LookUp:
    plan = read(plans.AdjustmentPlan, call.body)
    document = await _find_entry(session, errand, plan.entry, adjustment_wording(plan, call.effect))
    adjusted = FreightAdjusted(document, plan.entry.amount)
    return Done(document=document, receipt=adjusted) if document else Absent()


async def _post(session: Session, errand: Errand, plan: plans.FreightPlan, wording: Wording) -> str:
    """The number of a new journal entry."""
    body = envelope(plan, wording, datetime.now(UTC))
    ask = Ask(
        service=session.journal_entry_path, method="POST", body=body, content_type=CONTENT_TYPE, csrf=False
    )
    answer = await session.ask(errand, ask)
    try:
        confirmation = to_confirmation(answer.body)
    except Unreadable as error:
        raise Stop(Unknown(reason=f"SAP's confirmation makes no sense: {error}")) from None
    if not confirmation.document:
        raise Stop(session.refusal(errand, confirmation.code, confirmation.reason))
    return confirmation.document


async def _find_entry(session: Session, errand: Errand, plan: plans.FreightPlan, wording: Wording) -> str:
    """The number of the journal entry with this reference, or nothing."""
    reference, company = literal(wording.reference), literal(plan.company_code)
    condition = f"DocumentReferenceID eq {reference} and CompanyCode eq {company}"
    query = {"$filter": condition, "$select": "AccountingDocument"}
    ask = Ask(service=JOURNAL_READ, path="A_OperationalAcctgDocItemCube", query=query)
    found = await session.many(errand, ask, JournalItem)
    return min((item.accounting_document for item in found), default="")


async def bill(session: Session, errand: Errand, call: Call) -> Done:
    plan = read(plans.InvoicePlan, call.body)
    body = msgspec.json.encode(plan.document)
    ask = Ask(
        service=BILLING, path="BillingDocument/SAP__self.CreateFromSDDocument", method="POST", body=body
    )
    try:
        answer = await session.ask(errand, ask)
    except Stop as stop:
        if not isinstance(stop.outcome, Refused) or not _ALREADY_BILLED.search(stop.outcome.reason):
            raise
        found = await _billed(session, errand, plan)
        if found is None:
            raise
        return found
    created = session.decode(errand, ask, answer.body, BillingDocuments).value
    if not created:
        raise Stop(Unknown(reason="SAP created no billing document and gave no reason"))
    return _released(plan, created[0].billing_document)


async def find_invoice(session: Session, errand: Errand, call: Call) -> LookUp:
    return await _billed(session, errand, read(plans.InvoicePlan, call.body)) or Absent()


async def _billed(session: Session, errand: Errand, plan: plans.InvoicePlan) -> Done | None:
    query = {"$filter": f"ReferenceSDDocument eq {literal(plan.delivery)}", "$select": "BillingDocument"}
    ask = Ask(service=BILLING_READ, path="A_BillingDocumentItem", query=query)
    found = await session.many(errand, ask, BillingItem)
    documents = {item.billing_document for item in found} - set(plan.cancelled)
    return _released(plan, min(documents)) if documents else None


def _released(plan: plans.InvoicePlan, document: str) -> Done:
    return Done(document=document, receipt=InvoiceReleased(document, plan.shipment))
