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


class WantedLine(msgspec.Struct, frozen=True):
    """`plant` is empty where it shall stay as it is."""

    line: str
    material: str
    quantity: Decimal
    unit: str
    plant: str


class ChangePlan(msgspec.Struct, frozen=True):
    """What the document shall say; every other item is rejected."""

    document: str
    lines: tuple[WantedLine, ...]
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
    material: str = ""
    """Empty in bodies of before: then whatever the sales order has."""
    also: tuple[str, ...] = ()
    """Other numbers of the same material."""


class GoodsIssuePlan(msgspec.Struct, frozen=True):
    """`key` is what the delivery is found by again; `header` are the delivery's own header fields."""

    key: str
    sales_order: str
    header: Document
    lines: tuple[IssuedLine, ...]
    plant: str = ""
    reversed: tuple[str, ...] = ()
    """Material documents that stand for it no more."""


class ReversalPlan(msgspec.Struct, frozen=True):
    """Takes back the goods issue `document` of a delivery. `shipment` is what it is of."""

    delivery: str
    document: str
    shipment: str
    posting_on: date


class MovementPlan(msgspec.Struct, frozen=True):
    """A material document. `reference` is what it is found by again; `about` is the receipt or truck it books."""

    reference: str
    about: str
    document: Document


class CreditPlan(msgspec.Struct, frozen=True):
    """A credit memo request, found again by `reference`; `inspection` is what it credits."""

    reference: str
    inspection: str
    document: Document


class Share(msgspec.Struct, frozen=True):
    """What one order bears of a shipment's freight."""

    order: str
    amount: Decimal


class FreightPlan(msgspec.Struct, frozen=True, omit_defaults=True):
    """Freight cost against accrued freight; a negative amount the other way round."""

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
    shares: tuple[Share, ...] = ()


class AdjustmentPlan(msgspec.Struct, frozen=True):
    """`key` tells the bill of one shipment from all others: the entry is found by it."""

    key: str
    accrual: str
    entry: FreightPlan


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
    cancelled: tuple[str, ...] = ()
    """Billing documents of it that do not count any more."""


class ItemPlan(msgspec.Struct, frozen=True):
    """`plants` are ours (none: all count); a cross-plant status of `discontinued` ends the item."""

    product: str
    plants: tuple[str, ...]
    discontinued: tuple[str, ...]


class PurchasePlan(msgspec.Struct, frozen=True):
    """`locations` by plant; None where every plant is its own location."""

    order: str
    locations: dict[str, str] | None
