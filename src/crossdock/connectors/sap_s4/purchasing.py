"""Purchase orders: what SAP answers to `inbound.fetch`, and what shall come by it."""

from decimal import Decimal

import msgspec

from crossdock.connect.contract import Call, Done, Refused
from crossdock.connect.reading import read
from crossdock.connectors.sap_s4.edm import day_of, milliseconds
from crossdock.connectors.sap_s4.plans import PurchasePlan
from crossdock.connectors.sap_s4.session import Ask, Errand, Session, Stop, in_path
from crossdock.connectors.sap_s4.units import to_unit
from crossdock.errors import Rejected
from crossdock.model.movement import ExpectedLine, InboundExpected
from crossdock.model.quantity import ZERO, Quantity

SERVICE = "/sap/opu/odata/sap/API_PURCHASEORDER_PROCESS_SRV"
EXPAND = "to_PurchaseOrderItem,to_PurchaseOrderItem/to_ScheduleLine"
CONSIGNMENT = "K"
Text = str | None


class ScheduleLine(msgspec.Struct, frozen=True, rename="pascal"):
    schedule_line_delivery_date: Text = ""


class ScheduleLines(msgspec.Struct, frozen=True):
    results: tuple[ScheduleLine, ...] = ()


class Item(msgspec.Struct, frozen=True, rename="pascal"):
    """`purchasing_document_deletion_code`: L deleted, S blocked."""

    purchase_order_item: str
    material: Text = ""
    plant: Text = ""
    order_quantity: Decimal = ZERO
    purchase_order_quantity_unit: str = "EA"
    purchasing_document_deletion_code: Text = ""
    inventory_special_stock_type: Text = ""
    schedule: ScheduleLines = msgspec.field(default=ScheduleLines(), name="to_ScheduleLine")


class Items(msgspec.Struct, frozen=True):
    results: tuple[Item, ...] = ()


class PurchaseOrder(msgspec.Struct, frozen=True, rename="pascal"):
    purchase_order: str
    supplier: Text = ""
    supplying_plant: Text = ""
    last_change_date_time: Text = ""
    incoterms_classification: Text = ""
    items: Items = msgspec.field(default=Items(), name="to_PurchaseOrderItem")


async def fetch(session: Session, errand: Errand, call: Call) -> Done:
    plan = read(PurchasePlan, call.body)
    ask = Ask(service=SERVICE, path=f"A_PurchaseOrder({in_path(plan.order)})", query={"$expand": EXPAND})
    answer = await session.ask(errand, ask)
    order = session.entity(errand, ask, answer, PurchaseOrder)
    try:
        expected = to_expected(order, plan)
    except Rejected as error:
        raise Stop(
            Refused(code="purchase_order", reason=f"purchase order {order.purchase_order}: {error}")
        ) from None
    sequence = milliseconds(order.last_change_date_time)
    return Done(document=order.purchase_order, receipt=expected, answer=answer.body, sequence=sequence)


def to_expected(order: PurchaseOrder, plan: PurchasePlan) -> InboundExpected:
    """Raises `Rejected` where it is for several sites, or for a plant that is none of ours.

    A stock transport order brings nothing from outside: it is a transfer's.
    """
    rows = (
        ()
        if order.supplying_plant
        else tuple(x for x in order.items.results if x.material and not x.purchasing_document_deletion_code)
    )
    plants = sorted({x.plant or "" for x in rows})
    if len(plants) > 1:
        raise Rejected(
            "/to_PurchaseOrderItem",
            f"its items are for several plants ({', '.join(plants)}): say each site's share by itself",
        )
    lines = tuple(_to_line(x, order.supplier or "") for x in rows)
    due = min((x.due_on for x in lines if x.due_on), default=None)
    location = _location(plants[0], plan) if plants else ""
    return InboundExpected(
        order.purchase_order, location, lines, order.purchase_order, order.supplier or "", due,
        order.incoterms_classification or "",
    )  # fmt: skip


def _location(plant: str, plan: PurchasePlan) -> str:
    location = plant if plan.locations is None else plan.locations.get(plant, "")
    if not location:
        raise Rejected(
            "/to_PurchaseOrderItem/Plant",
            f"plant {plant} is none of the account's: name each location's plant (SITE1=1010)",
        )
    return location


def _to_line(row: Item, supplier: str) -> ExpectedLine:
    """Consigned goods are the supplier's until they are used."""
    return ExpectedLine(
        row.purchase_order_item.lstrip("0"),
        row.material or "",
        Quantity(row.order_quantity, to_unit(row.purchase_order_quantity_unit)),
        supplier if row.inventory_special_stock_type == CONSIGNMENT else "",
        min(
            (day for x in row.schedule.results if (day := day_of(x.schedule_line_delivery_date))),
            default=None,
        ),
    )
