"""The bodies that wait sealed until they are sent: what the client needs to carry out one effect.

Where SAP needs one document only (`sales_order.create`) that document itself is the body.
"""

from datetime import date
from decimal import Decimal

import msgspec

from crossdock.model.money import Money
from crossdock.model.shipment import Milestone

Document = dict[str, object]


class CheckedLine(msgspec.Struct, frozen=True):
    """`item` is the item number in the simulation that stands for the order's `line`."""

    item: str
    line: str
    unit: str


class CheckPlan(msgspec.Struct, frozen=True):
    lines: tuple[CheckedLine, ...]
    document: Document


class SalesOrderBody(msgspec.Struct, frozen=True, rename="pascal"):
    """The one field of a rendered sales order that the client itself looks at."""

    purchase_order_by_customer: str


class CancelPlan(msgspec.Struct, frozen=True):
    document: str
    rejection_reason: str


class ReservedLine(msgspec.Struct, frozen=True):
    line: str
    quantity: Decimal
    plant: str
    storage_location: str


class ReservationPlan(msgspec.Struct, frozen=True):
    document: str
    lines: tuple[ReservedLine, ...]


class IssuedLine(msgspec.Struct, frozen=True):
    line: str
    quantity: Decimal
    unit: str


class GoodsIssuePlan(msgspec.Struct, frozen=True):
    """`key` is what the delivery is found by again; `header` are the delivery's own header fields."""

    key: str
    sales_order: str
    header: Document
    lines: tuple[IssuedLine, ...]


class AccrualPlan(msgspec.Struct, frozen=True):
    shipment: str
    carrier: str
    amount: Money
    posting_on: date
    company_code: str
    document_type: str
    user: str
    expense_account: str
    accrual_account: str
    cost_center: str


class MilestonePlan(msgspec.Struct, frozen=True):
    """`entry` replaces the line of the header text that starts with `mark`, or is added to it."""

    delivery: str
    milestone: Milestone
    text_element: str
    mark: str
    entry: str
    proof_of_delivery: str = ""


class InvoicePlan(msgspec.Struct, frozen=True):
    delivery: str
    shipment: str
    document: Document
