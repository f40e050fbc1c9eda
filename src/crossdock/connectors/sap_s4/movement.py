"""Steps on material documents: post a goods receipt, a transfer's issue, a withdrawal or an adjustment once, and find it again by its reference."""

import msgspec

from crossdock.connect.contract import Absent, Call, Done, LookUp
from crossdock.connect.reading import read
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.answers import MaterialDocument
from crossdock.connectors.sap_s4.session import Ask, Errand, Session, literal
from crossdock.model.movement import ConsignmentWithdrawn, GoodsReceiptPosted
from crossdock.model.shipment import GoodsIssuePosted
from crossdock.model.stock import StockAdjustmentPosted

SERVICE = "/sap/opu/odata/sap/API_MATERIAL_DOCUMENT_SRV"


async def post(session: Session, errand: Errand, call: Call) -> Done:
    """Even a first attempt looks: the same receipt may have been booked under another effect."""
    plan = read(plans.MovementPlan, call.body)
    number = await _find(session, errand, plan)
    if not number:
        ask = Ask(
            service=SERVICE,
            path="A_MaterialDocumentHeader",
            method="POST",
            body=msgspec.json.encode(plan.document),
        )
        answer = await session.ask(errand, ask)
        number = session.entity(errand, ask, answer, MaterialDocument).material_document
    return _booked(call, plan, number)


async def find(session: Session, errand: Errand, call: Call) -> LookUp:
    plan = read(plans.MovementPlan, call.body)
    number = await _find(session, errand, plan)
    return _booked(call, plan, number) if number else Absent()


async def _find(session: Session, errand: Errand, plan: plans.MovementPlan) -> str:
    """The number of the document with this reference, or nothing."""
    query = {"$filter": f"ReferenceDocument eq {literal(plan.reference)}", "$select": "MaterialDocument"}
    ask = Ask(service=SERVICE, path="A_MaterialDocumentHeader", query=query)
    found = await session.many(errand, ask, MaterialDocument)
    return min((x.material_document for x in found), default="")


def _booked(call: Call, plan: plans.MovementPlan, number: str) -> Done:
    if call.kind == "goods_receipt.post":
        return Done(document=number, receipt=GoodsReceiptPosted(number, plan.about))
    if call.kind == "consignment.withdraw":
        return Done(document=number, receipt=ConsignmentWithdrawn(number, plan.about))
    if call.kind == "stock_adjustment.post":
        return Done(document=number, receipt=StockAdjustmentPosted(number, plan.about))
    return Done(document=number, receipt=GoodsIssuePosted("", number, plan.about))
