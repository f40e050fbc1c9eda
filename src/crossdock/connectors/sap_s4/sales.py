"""Steps on sales orders: simulate, create, reject, and follow the warehouse's allocation."""

import msgspec

from crossdock.connect.contract import Absent, Call, Done, LookUp, Refused, RetryLater, Unknown
from crossdock.connect.reading import read
from crossdock.connectors.sap_s4 import changeset, plans
from crossdock.connectors.sap_s4.answers import (
    SalesOrder,
    SalesOrderItem,
    Simulation,
    item_of,
    to_order_checked,
)
from crossdock.connectors.sap_s4.changeset import Change
from crossdock.connectors.sap_s4.mapping import REFERENCE_LENGTH_MAX
from crossdock.connectors.sap_s4.session import Ask, Errand, Session, Stop, in_path, literal
from crossdock.model.order import ReservationUpdated, SalesOrderCancelled, SalesOrderPosted

SERVICE = "/sap/opu/odata/sap/API_SALES_ORDER_SRV"
SIMULATION = "/sap/opu/odata/sap/API_SALES_ORDER_SIMULATION_SRV"
CONFLICTS_MAX = 4


async def check(session: Session, errand: Errand, call: Call) -> Done:
    plan = read(plans.CheckPlan, call.body)
    body = msgspec.json.encode(plan.document)
    ask = Ask(service=SIMULATION, path="A_SalesOrderSimulation", method="POST", body=body, books=False)
    answer = await session.ask(errand, ask)
    simulation = session.entity(errand, ask, answer, Simulation)
    return Done(document="", receipt=to_order_checked(plan, simulation), answer=answer.body)


async def create(session: Session, errand: Errand, call: Call) -> Done:
    reference = read(plans.SalesOrderBody, call.body).purchase_order_by_customer
    if len(reference) > REFERENCE_LENGTH_MAX:
        reason = f"the order reference has {len(reference)} characters; SAP keeps {REFERENCE_LENGTH_MAX}"
        raise Stop(Refused(code="reference_too_long", reason=reason))
    ask = Ask(service=SERVICE, path="A_SalesOrder", method="POST", body=call.body)
    answer = await session.ask(errand, ask)
    # The answer echoes the ship-to address: it is not kept.
    return _posted(session.entity(errand, ask, answer, SalesOrder).sales_order)


async def find(session: Session, errand: Errand, call: Call) -> LookUp:
    reference = read(plans.SalesOrderBody, call.body).purchase_order_by_customer
    query = {"$filter": f"PurchaseOrderByCustomer eq {literal(reference)}", "$select": "SalesOrder"}
    found = await session.many(errand, Ask(service=SERVICE, path="A_SalesOrder", query=query), SalesOrder)
    return _posted(min(order.sales_order for order in found)) if found else Absent()


def _posted(document: str) -> Done:
    return Done(document=document, receipt=SalesOrderPosted(document))


async def cancel(session: Session, errand: Errand, call: Call) -> Done:
    plan = read(plans.CancelPlan, call.body)
    for _ in range(CONFLICTS_MAX):
        items = await items_of(session, errand, plan.document)
        fields = {"SalesDocumentRjcnReason": plan.rejection_reason}
        open_items = (item for item in items if not item.sales_document_rjcn_reason)
        changes = [Change(item_path(plan.document, item), item.metadata.etag, fields) for item in open_items]
        if await apply(session, errand, changes):
            return Done(document=plan.document, receipt=SalesOrderCancelled(plan.document))
    raise Stop(contended())


async def reserve(session: Session, errand: Errand, call: Call) -> Done:
    plan = read(plans.ReservationPlan, call.body)
    for _ in range(CONFLICTS_MAX):
        items = await items_of(session, errand, plan.document, expand="to_ScheduleLine")
        found = [(item_of(items, line.line, plant=line.plant), line) for line in plan.lines]
        changes = [
            change
            for item, line in found
            for change in _moves(plan.document, known(item, plan.document, line.line), line)
        ]
        if await apply(session, errand, changes):
            return Done(document=plan.document, receipt=ReservationUpdated(plan.document))
    raise Stop(contended())


def _moves(order: str, item: SalesOrderItem, wanted: plans.ReservedLine) -> list[Change]:
    """Only what differs: repeating a reservation that SAP already has changes nothing there."""
    changes = []
    fields = {}
    if wanted.plant and wanted.plant != item.production_plant:
        fields["ProductionPlant"] = wanted.plant
    if wanted.storage_location and wanted.storage_location != item.storage_location:
        fields["StorageLocation"] = wanted.storage_location
    if fields:
        changes.append(Change(item_path(order, item), item.metadata.etag, fields))
    schedule = item.schedule.results[0] if item.schedule.results else None
    if schedule is not None and schedule.confd_order_qty_by_matl_avail_check != wanted.quantity:
        keys = {
            "SalesOrder": order,
            "SalesOrderItem": item.sales_order_item,
            "ScheduleLine": schedule.schedule_line,
        }
        confirmed = {"ConfdOrderQtyByMatlAvailCheck": f"{wanted.quantity:f}"}
        changes.append(Change(_path("A_SalesOrderScheduleLine", keys), schedule.metadata.etag, confirmed))
    return changes


async def items_of(session: Session, errand: Errand, order: str, expand: str = "") -> list[SalesOrderItem]:
    path = f"A_SalesOrder({in_path(order)})/to_Item"
    query = {"$expand": expand} if expand else {}
    return await session.many(errand, Ask(service=SERVICE, path=path, query=query), SalesOrderItem)


def known(item: SalesOrderItem | None, order: str, line: str) -> SalesOrderItem:
    if item is None:
        raise Stop(Refused(code="unknown_line", reason=f"sales order {order} has no item for line {line}"))
    return item


async def apply(session: Session, errand: Errand, changes: list[Change]) -> bool:
    """True when all changes are in SAP; False when somebody else changed the order after it was read."""
    if not changes:
        return True
    ask = Ask(
        service=SERVICE, path="$batch", method="POST", body=changeset.encode(changes),
        content_type=changeset.CONTENT_TYPE, expect=(412,),
    )  # fmt: skip
    answer = await session.ask(errand, ask)
    inner = answer if answer.status == 412 else changeset.worst_answer(answer)
    if inner is None:
        raise Stop(Unknown(reason="SAP's batch answer makes no sense"))
    if inner.status == 412:
        return False
    if inner.status >= 300:
        raise Stop(session.verdict(errand, ask, inner))
    return True


def _path(entity_set: str, keys: dict[str, str]) -> str:
    return f"{entity_set}({','.join(f'{name}={in_path(value)}' for name, value in keys.items())})"


def item_path(order: str, item: SalesOrderItem) -> str:
    return _path("A_SalesOrderItem", {"SalesOrder": order, "SalesOrderItem": item.sales_order_item})


def contended() -> RetryLater:
    return RetryLater(reason="the sales order keeps changing in SAP while we change it", after_seconds=5.0)
