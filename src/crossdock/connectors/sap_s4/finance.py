"""Steps in accounting: accrue freight, and bill a delivery."""

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
    envelope,
    reference_id,
    to_confirmation,
)
from crossdock.connectors.sap_s4.session import Ask, Errand, Session, Stop, literal
from crossdock.model.order import InvoiceReleased
from crossdock.model.shipment import FreightAccrued

BILLING = "/sap/opu/odata4/sap/api_billingdocument/srvd_a2x/sap/billingdocument/0001"
BILLING_READ = "/sap/opu/odata/sap/API_BILLING_DOCUMENT_SRV"
JOURNAL_READ = "/sap/opu/odata/sap/API_OPLACCTGDOCITEMCUBE_SRV"
_ALREADY_BILLED = re.compile(r"already (been )?(completely |fully )?(billed|invoiced)", re.IGNORECASE)


async def accrue(session: Session, errand: Errand, call: Call) -> Done:
    plan = read(plans.AccrualPlan, call.body)
    body = envelope(plan, call.effect, datetime.now(UTC))
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
    return _accrued(plan, confirmation.document)


async def find_accrual(session: Session, errand: Errand, call: Call) -> LookUp:
    plan = read(plans.AccrualPlan, call.body)
    reference = literal(reference_id(call.effect))
    condition = f"DocumentReferenceID eq {reference} and CompanyCode eq {literal(plan.company_code)}"
    query = {"$filter": condition, "$select": "AccountingDocument"}
    ask = Ask(service=JOURNAL_READ, path="A_OperationalAcctgDocItemCube", query=query)
    found = await session.many(errand, ask, JournalItem)
    return _accrued(plan, min(item.accounting_document for item in found)) if found else Absent()


def _accrued(plan: plans.AccrualPlan, document: str) -> Done:
    return Done(document=document, receipt=FreightAccrued(document, plan.amount))


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
    return _released(plan, min(item.billing_document for item in found)) if found else None


def _released(plan: plans.InvoicePlan, document: str) -> Done:
    return Done(document=document, receipt=InvoiceReleased(document, plan.shipment))
