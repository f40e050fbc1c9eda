"""What SAP answers, as typed structs, and the receipts made of it. Pure."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import msgspec

from crossdock.connectors.sap_s4.plans import CheckPlan
from crossdock.model.money import Money
from crossdock.model.order import LineCheck, OrderChecked
from crossdock.model.quantity import ZERO, Quantity


class Metadata(msgspec.Struct, frozen=True):
    etag: str = ""


class SimulatedItem(msgspec.Struct, frozen=True, rename="pascal"):
    sales_order_item: str
    transaction_currency: str = ""
    confd_deliv_qty_in_order_qty_unit: Decimal | None = None
    """Absent where SAP could not make an item of the line: the material is unknown."""
    net_amount: Decimal | None = None


class SimulatedItems(msgspec.Struct, frozen=True):
    results: tuple[SimulatedItem, ...] = ()


class Pricing(msgspec.Struct, frozen=True, rename="pascal"):
    total_net_amount: Decimal | None = None
    transaction_currency: str = ""


class Credit(msgspec.Struct, frozen=True, rename="pascal"):
    total_credit_check_status: str = ""


class Simulation(msgspec.Struct, frozen=True):
    items: SimulatedItems = msgspec.field(default=SimulatedItems(), name="to_Item")
    pricing: Pricing | None = msgspec.field(default=None, name="to_Pricing")
    credit: Credit | None = msgspec.field(default=None, name="to_Credit")


class ScheduleLine(msgspec.Struct, frozen=True, rename="pascal"):
    schedule_line: str
    confd_order_qty_by_matl_avail_check: Decimal = ZERO
    metadata: Metadata = msgspec.field(default=Metadata(), name="__metadata")


class ScheduleLines(msgspec.Struct, frozen=True):
    results: tuple[ScheduleLine, ...] = ()


class SalesOrderItem(msgspec.Struct, frozen=True, rename="pascal"):
    sales_order_item: str
    material: str = ""
    requested_quantity: Decimal = ZERO
    external_item_id: str = msgspec.field(default="", name="ExternalItemID")
    sales_document_rjcn_reason: str = ""
    production_plant: str = ""
    storage_location: str = ""
    schedule: ScheduleLines = msgspec.field(default=ScheduleLines(), name="to_ScheduleLine")
    metadata: Metadata = msgspec.field(default=Metadata(), name="__metadata")


class SalesOrder(msgspec.Struct, frozen=True, rename="pascal"):
    sales_order: str


class Delivery(msgspec.Struct, frozen=True, rename="pascal"):
    """Statuses: A not begun, B partly, C complete, blank not relevant."""

    delivery_document: str
    overall_goods_movement_status: str = ""
    overall_picking_status: str = ""
    actual_goods_movement_date: str | None = None
    """As OData writes it; before the goods issue the day on which it is to be posted."""
    metadata: Metadata = msgspec.field(default=Metadata(), name="__metadata")


class DocumentFlow(msgspec.Struct, frozen=True, rename="pascal"):
    subsequent_document: str


class MaterialDocument(msgspec.Struct, frozen=True, rename="pascal"):
    material_document: str


class CreditMemoRequest(msgspec.Struct, frozen=True, rename="pascal"):
    credit_memo_request: str


class HeaderText(msgspec.Struct, frozen=True, rename="pascal"):
    text_element_text: str = ""
    metadata: Metadata = msgspec.field(default=Metadata(), name="__metadata")


class JournalItem(msgspec.Struct, frozen=True, rename="pascal"):
    accounting_document: str


class BillingItem(msgspec.Struct, frozen=True, rename="pascal"):
    billing_document: str


class BillingDocuments(msgspec.Struct, frozen=True):
    """OData V4: the rows stand under `value`."""

    value: tuple[BillingItem, ...]


_CREDIT: dict[str, Literal["ok", "blocked"]] = {"A": "ok", "D": "ok", "B": "blocked", "C": "blocked"}
"""TotalCreditCheckStatus: A passed, B and C failed, D released by a person; blank is not checked."""


def to_order_checked(plan: CheckPlan, simulation: Simulation) -> OrderChecked:
    items = {item.sales_order_item.lstrip("0"): item for item in simulation.items.results}
    lines = tuple(_to_line_check(x.line, x.unit, items.get(x.item)) for x in plan.lines)
    pricing = simulation.pricing or Pricing()
    credit = simulation.credit or Credit()
    total = pricing.total_net_amount
    return OrderChecked(
        credit=_CREDIT.get(credit.total_credit_check_status, "not_checked"),
        lines=lines,
        net_total=None if total is None else Money(total, pricing.transaction_currency),
    )


def _to_line_check(line: str, unit: str, item: SimulatedItem | None) -> LineCheck:
    """`net_price` is the net amount of the whole line, as SAP calculates it."""
    if item is None or item.confd_deliv_qty_in_order_qty_unit is None:
        return LineCheck(line, known_item=False, confirmed=Quantity(ZERO, unit))
    price = None if item.net_amount is None else Money(item.net_amount, item.transaction_currency)
    confirmed = Quantity(item.confd_deliv_qty_in_order_qty_unit, unit)
    return LineCheck(line, known_item=True, confirmed=confirmed, net_price=price)


def item_of(
    items: Iterable[SalesOrderItem], line: str, *, plant: str = "", materials: tuple[str, ...] = ()
) -> SalesOrderItem | None:
    """The item of our line id, which SAP keeps as ExternalItemID. A line that is split over plants or was
    substituted has several: an open one, of this material, at this plant goes before the others.
    """
    return min(
        (item for item in items if item.external_item_id == line),
        key=lambda x: (
            bool(x.sales_document_rjcn_reason),
            bool(materials) and x.material not in materials,
            bool(plant) and x.production_plant != plant,
        ),
        default=None,
    )
