"""Changing a sales order until it says what the order says: compare, then one change set of the differences."""

from collections.abc import Sequence

from crossdock.connect.contract import Call, Done
from crossdock.connect.reading import read
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.answers import SalesOrderItem
from crossdock.connectors.sap_s4.changeset import Change
from crossdock.connectors.sap_s4.sales import CONFLICTS_MAX, apply, contended, item_path, items_of
from crossdock.connectors.sap_s4.session import Errand, Session, Stop, in_path
from crossdock.model.order import SalesOrderChanged

Pairs = list[tuple[plans.WantedLine, SalesOrderItem | None]]


async def change(session: Session, errand: Errand, call: Call) -> Done:
    """Repeating it finds nothing left to change."""
    plan = read(plans.ChangePlan, call.body)
    for _ in range(CONFLICTS_MAX):
        items = await items_of(session, errand, plan.document)
        if await apply(session, errand, differences(plan, items)):
            return Done(document=plan.document, receipt=SalesOrderChanged(plan.document))
    raise Stop(contended())


def differences(plan: plans.ChangePlan, items: Sequence[SalesOrderItem]) -> list[Change]:
    """Items are matched by line and material; one of another material is rejected and a new one added."""
    open_items = [item for item in items if not item.sales_document_rjcn_reason]
    pairs = _matched(plan.lines, open_items)
    kept = {item.sales_order_item for _, item in pairs if item is not None}
    changes = [
        change for line, item in pairs if item is not None for change in _corrected(plan.document, line, item)
    ]
    rejected = {"SalesDocumentRjcnReason": plan.rejection_reason}
    changes += [
        Change(item_path(plan.document, item), item.metadata.etag, rejected)
        for item in open_items
        if item.sales_order_item not in kept
    ]
    return changes + [_added(plan.document, line, items) for line, item in pairs if item is None]


def _matched(lines: Sequence[plans.WantedLine], items: Sequence[SalesOrderItem]) -> Pairs:
    """An item at the wanted plant goes first; what is left may move to another plant."""
    left = list(items)
    found: dict[int, SalesOrderItem] = {}
    for exact in (True, False):
        for number, line in enumerate(lines):
            fits = (item for item in left if _fits(line, item, exact=exact))
            item = next(fits, None) if number not in found else None
            if item is not None:
                found[number] = item
                left.remove(item)
    return [(line, found.get(number)) for number, line in enumerate(lines)]


def _fits(line: plans.WantedLine, item: SalesOrderItem, *, exact: bool) -> bool:
    same = item.external_item_id == line.line and item.material == line.material
    return same and (not exact or not line.plant or item.production_plant == line.plant)


def _corrected(order: str, line: plans.WantedLine, item: SalesOrderItem) -> list[Change]:
    fields = {}
    if item.requested_quantity != line.quantity:
        fields["RequestedQuantity"] = f"{line.quantity:f}"
    if line.plant and item.production_plant != line.plant:
        fields["ProductionPlant"] = line.plant
    return [Change(item_path(order, item), item.metadata.etag, fields)] if fields else []


def _added(order: str, line: plans.WantedLine, items: Sequence[SalesOrderItem]) -> Change:
    """A line that names no plant joins the item it replaces, or the first of the order."""
    before = [item for item in items if item.external_item_id == line.line] or list(items)
    fields = {
        "Material": line.material,
        "RequestedQuantity": f"{line.quantity:f}",
        "RequestedQuantityUnit": line.unit,
        "ExternalItemID": line.line,
        "ProductionPlant": line.plant or next((item.production_plant for item in before), ""),
    }
    filled = {name: value for name, value in fields.items() if value}
    return Change(f"A_SalesOrder({in_path(order)})/to_Item", "", filled)
