"""Steps on credit memo requests: post one once, and find it again by our reference."""

import msgspec

from crossdock.connect.contract import Absent, Call, Done, LookUp
from crossdock.connect.reading import read
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.answers import CreditMemoRequest
from crossdock.connectors.sap_s4.session import Ask, Errand, Session, literal
from crossdock.model.returning import CreditPosted

SERVICE = "/sap/opu/odata/sap/API_CREDIT_MEMO_REQUEST_SRV"
PATH = "A_CreditMemoRequest"


async def post(session: Session, errand: Errand, call: Call) -> Done:
    """Even a first attempt looks: the same goods may have been credited under another effect."""
    plan = read(plans.CreditPlan, call.body)
    number = await _find(session, errand, plan)
    if not number:
        ask = Ask(service=SERVICE, path=PATH, method="POST", body=msgspec.json.encode(plan.document))
        answer = await session.ask(errand, ask)
        number = session.entity(errand, ask, answer, CreditMemoRequest).credit_memo_request
    return Done(document=number, receipt=CreditPosted(number, plan.inspection))


async def find(session: Session, errand: Errand, call: Call) -> LookUp:
    plan = read(plans.CreditPlan, call.body)
    number = await _find(session, errand, plan)
    return Done(document=number, receipt=CreditPosted(number, plan.inspection)) if number else Absent()


async def _find(session: Session, errand: Errand, plan: plans.CreditPlan) -> str:
    query = {
        "$filter": f"PurchaseOrderByCustomer eq {literal(plan.reference)}",
        "$select": "CreditMemoRequest",
    }
    found = await session.many(errand, Ask(service=SERVICE, path=PATH, query=query), CreditMemoRequest)
    return min((x.credit_memo_request for x in found), default="")
