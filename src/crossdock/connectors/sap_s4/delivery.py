"""Steps on outbound deliveries: create, pick, post goods issue, and keep the carrier's milestones."""

import re
from collections.abc import Awaitable, Callable

import msgspec

from crossdock.connect.contract import Absent, Call, Done, LookUp, Refused, RetryLater, Unknown
from crossdock.connect.reading import read
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.answers import Delivery, DocumentFlow, HeaderText, SalesOrderItem, item_of
from crossdock.connectors.sap_s4.sales import CONFLICTS_MAX, items_of, known
from crossdock.connectors.sap_s4.session import Ask, Errand, Session, Stop, in_path, literal
from crossdock.model.shipment import GoodsIssuePosted, MilestoneRecorded

SERVICE = "/sap/opu/odata/sap/API_OUTBOUND_DELIVERY_SRV;v=0002"
STEPS_MAX = 6
PAUSE_SECONDS = 1.0
LANGUAGE = "EN"
GOODS_MOVEMENT = "R"
"""Categories of subsequent documents: a goods movement, and one that takes it back."""
REVERSAL = "h"
_ALREADY_POSTED = re.compile(r"goods (issue|movement).*already|already.*(goods issue|posted)", re.IGNORECASE)


_Step = Callable[[Session, Errand, plans.MilestonePlan], Awaitable[bool]]
"""True when SAP has it; False when somebody else changed the delivery after it was read."""


async def post_goods_issue(session: Session, errand: Errand, call: Call) -> Done:
    """Find or create our delivery, pick and post it, read the material document. Any step may be met done."""
    plan = read(plans.GoodsIssuePlan, call.body)
    # Even a first attempt looks: an operator may have had the same shipment sent before under another effect.
    delivery = await _find(session, errand, plan.key) or await _create(session, errand, plan)
    errand.pause_seconds = max(PAUSE_SECONDS, session.search_lag_seconds)
    await _pick_and_post(session, errand, delivery, plan)
    errand.effective = True
    return await _posted(session, errand, delivery.delivery_document, plan)


async def find_goods_issue(session: Session, errand: Errand, call: Call) -> LookUp:
    plan = read(plans.GoodsIssuePlan, call.body)
    delivery = await _find(session, errand, plan.key)
    if delivery is None or not await _stands(session, errand, delivery, plan):
        # Whoever picks and posts a delivery that is there names its ETag: SAP lets one of two attempts through.
        return Absent(half_done=delivery is not None)
    return await _posted(session, errand, delivery.delivery_document, plan)


async def _stands(session: Session, errand: Errand, delivery: Delivery, plan: plans.GoodsIssuePlan) -> bool:
    """Whether it is goods-issued, by a document that was not reversed since."""
    if delivery.overall_goods_movement_status != "C":
        return False
    return await standing(session, errand, delivery.delivery_document) not in ("", *plan.reversed)


async def _find(session: Session, errand: Errand, key: str) -> Delivery | None:
    """Our delivery; a posted one before an open one, should there ever be two."""
    query = {"$filter": f"BillOfLading eq {literal(key)}"}
    found = await session.many(
        errand, Ask(service=SERVICE, path="A_OutbDeliveryHeader", query=query), Delivery
    )
    return min(
        found, key=lambda x: (x.overall_goods_movement_status != "C", x.delivery_document), default=None
    )


async def _create(session: Session, errand: Errand, plan: plans.GoodsIssuePlan) -> Delivery:
    items = await items_of(session, errand, plan.sales_order)
    rows = [
        {
            "ReferenceSDDocument": plan.sales_order,
            "ReferenceSDDocumentItem": _issued(items, plan, line).sales_order_item,
            "ActualDeliveryQuantity": f"{line.quantity:f}",
            "DeliveryQuantityUnit": line.unit,
        }
        for line in plan.lines
    ]
    body = msgspec.json.encode(plan.header | {"to_DeliveryDocumentItem": {"results": rows}})
    ask = Ask(service=SERVICE, path="A_OutbDeliveryHeader", method="POST", body=body)
    return session.entity(errand, ask, await session.ask(errand, ask), Delivery)


def _issued(
    items: list[SalesOrderItem], plan: plans.GoodsIssuePlan, line: plans.IssuedLine
) -> SalesOrderItem:
    """A delivery takes its material from the sales order: what was substituted must stand there first."""
    names = (line.material, *line.also) if line.material else ()
    item = known(item_of(items, line.line, plant=plan.plant, materials=names), plan.sales_order, line.line)
    if item.material and names and item.material not in names:
        reason = (
            f"sales order {plan.sales_order} has {item.material} for line {line.line}, {line.material} was shipped;"
            " change the sales order first"
        )
        raise Stop(Refused(code="other_material", reason=reason))
    return item


async def header(session: Session, errand: Errand, document: str) -> Delivery:
    return await session.one(errand, Ask(service=SERVICE, path=_header_path(document)), Delivery)


async def _pick_and_post(
    session: Session, errand: Errand, delivery: Delivery, plan: plans.GoodsIssuePlan
) -> None:
    document, day = delivery.delivery_document, str(plan.header["ActualGoodsMovementDate"])
    dated = False
    for _ in range(STEPS_MAX):
        if delivery.overall_goods_movement_status == "C":
            return
        if not delivery.metadata.etag:
            delivery = await header(session, errand, document)
            continue
        if delivery.actual_goods_movement_date != day and not dated:
            # It was begun for another day, or posted before and reversed.
            fields = {"ActualGoodsMovementDate": day}
            dated = await _patch(session, errand, _header_path(document), delivery.metadata.etag, fields)
            delivery = await header(session, errand, document)
            continue
        picked = delivery.overall_picking_status in ("C", "")
        action = "PostGoodsIssue" if picked else "PickAllItems"
        if await _act(session, errand, delivery, action) and picked:
            return
        # Picked now, changed by somebody else, or posted already: only the header can tell.
        delivery = await header(session, errand, document)
    raise Stop(RetryLater(reason="the delivery keeps changing in SAP", after_seconds=errand.pause_seconds))


async def _act(session: Session, errand: Errand, delivery: Delivery, action: str) -> bool:
    """False where the header has to be read again: a stale ETag, or goods issue had been posted before."""
    query = {"DeliveryDocument": literal(delivery.delivery_document)}
    ask = Ask(
        service=SERVICE,
        path=action,
        query=query,
        method="POST",
        if_match=delivery.metadata.etag,
        expect=(412,),
    )
    try:
        return (await session.ask(errand, ask)).status != 412
    except Stop as stop:
        if not isinstance(stop.outcome, Refused) or not _ALREADY_POSTED.search(stop.outcome.reason):
            raise
        if (await header(session, errand, delivery.delivery_document)).overall_goods_movement_status != "C":
            raise
        return False


async def _posted(session: Session, errand: Errand, delivery: str, plan: plans.GoodsIssuePlan) -> Done:
    """The receipt, with the material document that stands."""
    document = await standing(session, errand, delivery)
    if document in ("", *plan.reversed):
        raise Stop(Unknown(reason=f"delivery {delivery} has no material document yet"))
    return Done(document=document, receipt=GoodsIssuePosted(delivery, document))


async def standing(session: Session, errand: Errand, delivery: str, category: str = GOODS_MOVEMENT) -> str:
    """The newest document of this category that the document flow of a delivery names; empty where there is none."""
    condition = (
        f"PrecedingDocument eq {literal(delivery)} and SubsequentDocumentCategory eq {literal(category)}"
    )
    ask = Ask(service=SERVICE, path="A_OutbDeliveryDocFlow", query={"$filter": condition})
    flow = await session.many(errand, ask, DocumentFlow)
    return max((step.subsequent_document for step in flow), default="")


async def record_milestone(session: Session, errand: Errand, call: Call) -> Done:
    plan = read(plans.MilestonePlan, call.body)
    if plan.proof_of_delivery:
        await _until_unchallenged(session, errand, plan, _prove_delivery)
    await _until_unchallenged(session, errand, plan, _keep_text)
    return Done(document=plan.delivery, receipt=MilestoneRecorded(plan.milestone, plan.delivery))


async def _until_unchallenged(
    session: Session, errand: Errand, plan: plans.MilestonePlan, step: _Step
) -> None:
    for _ in range(CONFLICTS_MAX):
        if await step(session, errand, plan):
            return
    raise Stop(RetryLater(reason="the delivery keeps changing in SAP", after_seconds=PAUSE_SECONDS))


async def _prove_delivery(session: Session, errand: Errand, plan: plans.MilestonePlan) -> bool:
    known = await header(session, errand, plan.delivery)
    fields = {"ProofOfDeliveryDate": plan.proof_of_delivery}
    return await _patch(session, errand, _header_path(plan.delivery), known.metadata.etag, fields)


async def _keep_text(session: Session, errand: Errand, plan: plans.MilestonePlan) -> bool:
    """The header text is a list of milestones: ours is added, or replaces an older word on the same one."""
    keys = {"DeliveryDocument": plan.delivery, "TextElement": plan.text_element, "Language": LANGUAGE}
    path = f"A_OutbDeliveryHeaderText({','.join(f'{name}={in_path(value)}' for name, value in keys.items())})"
    ask = Ask(service=SERVICE, path=path, expect=(404,))
    answer = await session.ask(errand, ask)
    if answer.status == 404:
        return await _first_text(session, errand, plan, ask)
    text = session.entity(errand, ask, answer, HeaderText)
    before = text.text_element_text.split("\n") if text.text_element_text else []
    if plan.entry in before:
        return True
    others = [entry for entry in before if not entry.startswith(plan.mark + " ")]
    fields = {"TextElementText": "\n".join([*others, plan.entry])}
    return await _patch(session, errand, path, text.metadata.etag, fields)


async def _first_text(session: Session, errand: Errand, plan: plans.MilestonePlan, read_text: Ask) -> bool:
    row = {"TextElement": plan.text_element, "Language": LANGUAGE, "TextElementText": plan.entry}
    path = f"{_header_path(plan.delivery)}/to_DeliveryDocumentText"
    ask = Ask(service=SERVICE, path=path, method="POST", body=msgspec.json.encode(row))
    try:
        await session.ask(errand, ask)
    except Stop as stop:
        # Refused because another milestone wrote the first text meanwhile: ours is a change of it then.
        appeared = isinstance(stop.outcome, Refused) and (await session.ask(errand, read_text)).status != 404
        if not appeared:
            raise
        return False
    return True


async def _patch(session: Session, errand: Errand, path: str, etag: str, fields: dict[str, str]) -> bool:
    body = msgspec.json.encode(fields)
    ask = Ask(service=SERVICE, path=path, method="PATCH", body=body, if_match=etag, expect=(412,))
    return (await session.ask(errand, ask)).status != 412


def _header_path(document: str) -> str:
    return f"A_OutbDeliveryHeader({in_path(document)})"
