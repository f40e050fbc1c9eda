"""Taking a goods issue back: ReverseGoodsIssue of the delivery, which is then open again and can be posted anew."""

from crossdock.connect.contract import Absent, Call, Done, LookUp, Refused, RetryLater, Unknown
from crossdock.connect.reading import read
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.answers import Delivery
from crossdock.connectors.sap_s4.delivery import PAUSE_SECONDS, REVERSAL, SERVICE, header, standing
from crossdock.connectors.sap_s4.sales import CONFLICTS_MAX
from crossdock.connectors.sap_s4.session import Ask, Errand, Session, Stop, literal
from crossdock.model.shipment import GoodsIssueReversed


async def reverse_goods_issue(session: Session, errand: Errand, call: Call) -> Done:
    """Once: whoever finds that the document does not stand any more has nothing to do."""
    plan = read(plans.ReversalPlan, call.body)
    for _ in range(CONFLICTS_MAX):
        delivery = await header(session, errand, plan.delivery)
        if not await _stands(session, errand, delivery, plan):
            return await _done(session, errand, plan)
        if await _act(session, errand, delivery, plan):
            errand.effective = True
            return await _done(session, errand, plan)
    raise Stop(RetryLater(reason="the delivery keeps changing in SAP", after_seconds=PAUSE_SECONDS))


async def find_reversal(session: Session, errand: Errand, call: Call) -> LookUp:
    plan = read(plans.ReversalPlan, call.body)
    delivery = await header(session, errand, plan.delivery)
    if await _stands(session, errand, delivery, plan):
        return Absent()
    return await _done(session, errand, plan)


async def _stands(session: Session, errand: Errand, delivery: Delivery, plan: plans.ReversalPlan) -> bool:
    """Whether the goods issue is still posted by the document that is to be taken back, and not by a later one."""
    if delivery.overall_goods_movement_status != "C":
        return False
    return await standing(session, errand, plan.delivery) == plan.document


async def _act(session: Session, errand: Errand, delivery: Delivery, plan: plans.ReversalPlan) -> bool:
    """False where the delivery was changed since it was read."""
    query = {
        "DeliveryDocument": literal(plan.delivery),
        "ActualGoodsMovementDate": f"datetime'{plan.posting_on.isoformat()}T00:00:00'",
    }
    ask = Ask(
        service=SERVICE, path="ReverseGoodsIssue", query=query, method="POST", if_match=delivery.metadata.etag, expect=(412,)
    )  # fmt: skip
    return (await session.ask(errand, ask)).status != 412


async def _done(session: Session, errand: Errand, plan: plans.ReversalPlan) -> Done:
    """The receipt, with the document of the reversal."""
    document = await standing(session, errand, plan.delivery, REVERSAL)
    if not document:
        if errand.effective:
            raise Stop(Unknown(reason=f"delivery {plan.delivery} names no document of the reversal yet"))
        reason = f"delivery {plan.delivery} has no goods issue {plan.document} to reverse"
        raise Stop(Refused(code="not_posted", reason=reason))
    receipt = GoodsIssueReversed(document, plan.delivery, plan.shipment, plan.document)
    return Done(document=document, receipt=receipt)
