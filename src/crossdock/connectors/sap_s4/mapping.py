"""Canonical payloads → SAP documents and plans. Pure; what SAP answers is read in `answers.py`."""

from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec

from crossdock.connect.contract import Account
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.configured import at_location, listed, plant_of, plants_of, setting
from crossdock.connectors.sap_s4.edm import odata_date
from crossdock.connectors.sap_s4.mapping_adjustment import from_stock_adjustment
from crossdock.connectors.sap_s4.mapping_credit import from_credit
from crossdock.connectors.sap_s4.mapping_freight import from_accrual, from_adjustment
from crossdock.connectors.sap_s4.mapping_movement import (
    from_goods_receipt,
    from_question,
    from_transfer_issue,
    from_withdrawal,
)
from crossdock.connectors.sap_s4.units import sap_unit
from crossdock.errors import Unsupported
from crossdock.model import requests
from crossdock.model.master import FetchItem
from crossdock.model.order import OrderLine
from crossdock.model.party import Party, People

REFERENCE_LENGTH_MAX = 35
"""PurchaseOrderByCustomer, BillOfLading and DeliveryDocumentBySupplier all hold 35 characters."""


def _decimal(value: Decimal) -> str:
    return f"{value:f}"


def _organisation(account: Account) -> plans.Document:
    return {
        "SalesOrderType": setting(account, "sales_order_type"),
        "SalesOrganization": setting(account, "sales_organization"),
        "DistributionChannel": setting(account, "distribution_channel"),
        "OrganizationDivision": setting(account, "division"),
        "SoldToParty": setting(account, "sold_to_party"),
    }


def _item(number: int, line: OrderLine, location: str, account: Account) -> plans.Document:
    """A line that names no node of its own ships from the order's `location`."""
    at = line.location or location
    third_party = at in listed(setting(account, "third_party"))
    item: plans.Document = {
        "SalesOrderItem": str(number),
        "Material": line.item,
        "RequestedQuantity": _decimal(line.ordered.value),
        "RequestedQuantityUnit": sap_unit(line.ordered.unit),
        "ProductionPlant": plant_of(at, account),
    }
    return item | (
        {"SalesOrderItemCategory": setting(account, "third_party_category")} if third_party else {}
    )


def _numbered(lines: tuple[OrderLine, ...]) -> list[tuple[int, OrderLine]]:
    """SAP counts items in tens."""
    return [(10 * position, line) for position, line in enumerate(lines, start=1)]


def from_check(payload: requests.CheckOrder, _people: People, account: Account) -> plans.CheckPlan:
    numbered = _numbered(payload.lines)
    currencies = [line.unit_price.currency for line in payload.lines if line.unit_price.currency]
    document = _organisation(account) | {
        "PurchaseOrderByCustomer": payload.reference,
        "TransactionCurrency": currencies[0] if currencies else setting(account, "currency"),
        "to_Pricing": {},
        "to_Credit": {},
        "to_Item": {"results": [_item(number, line, payload.location, account) for number, line in numbered]},
    }
    lines = tuple(plans.CheckedLine(str(number), line.line, line.ordered.unit) for number, line in numbered)
    return plans.CheckPlan(lines, document)


def from_sales_order(payload: requests.CreateSalesOrder, people: People, account: Account) -> plans.Document:
    items = [
        _item(number, line, payload.location, account) | {"ExternalItemID": line.line}
        for number, line in _numbered(payload.lines)
    ]  # fmt: skip
    document = _organisation(account) | {
        "PurchaseOrderByCustomer": payload.reference,
        "TransactionCurrency": payload.total.currency,
        "to_Item": {"results": items},
    }
    if payload.requested_on is not None:
        document["RequestedDeliveryDate"] = odata_date(payload.requested_on)
    if people.ship_to != Party():
        document["to_Partner"] = {"results": [_ship_to(people.ship_to, account)]}
    return document


def _ship_to(party: Party, account: Account) -> plans.Document:
    """A one-time address under partner function SH; empty fields are left out."""
    address = {
        "CorrespondenceLanguage": "EN",
        "AddresseeFullName": party.name,
        "OrganizationName1": party.company or party.name,
        "StreetName": party.lines[0] if party.lines else "",
        "StreetPrefixName": party.lines[1] if len(party.lines) > 1 else "",
        "AdditionalStreetPrefixName": ", ".join(party.lines[2:]),
        "CityName": party.city,
        "Region": party.region,
        "PostalCode": party.postal_code,
        "Country": party.country,
        "EmailAddress": party.email,
        "PhoneNumber": party.phone,
    }
    filled = {name: value for name, value in address.items() if value}
    customer = setting(account, "sold_to_party")
    return {"PartnerFunction": "SH", "Customer": customer, "to_Address": {"results": [filled]}}


def from_cancel(payload: requests.CancelSalesOrder, _people: People, account: Account) -> plans.CancelPlan:
    return plans.CancelPlan(payload.document, setting(account, "rejection_reason"))


def from_change(payload: requests.ChangeSalesOrder, _people: People, account: Account) -> plans.ChangePlan:
    """A line without a node of its own stays at the plant where SAP has it."""
    lines = tuple(
        plans.WantedLine(
            line=line.line,
            material=line.item,
            quantity=line.ordered.value,
            unit=sap_unit(line.ordered.unit),
            plant=plant_of(line.location, account) if line.location else "",
        )
        for line in payload.lines
    )
    return plans.ChangePlan(payload.document, lines, setting(account, "rejection_reason"))


def from_reservation(
    payload: requests.UpdateReservation, _people: People, account: Account
) -> plans.ReservationPlan:
    """One entry per order line and plant, as the sales order has one item for each; its lots are added up."""
    lines: dict[tuple[str, str], plans.ReservedLine] = {}
    for allocation in payload.lines:
        plant = plant_of(allocation.location, account)
        before = lines.get((allocation.line, plant))
        lines[allocation.line, plant] = plans.ReservedLine(
            allocation.line,
            allocation.quantity.value + (before.quantity if before else 0),
            plant,
            at_location("storage_location", allocation.location, account),
        )
    return plans.ReservationPlan(payload.document, tuple(lines.values()))


def delivery_key(shipment: str, reference: str) -> str:
    """What a delivery is found by: readable where it fits into BillOfLading, a hash where it does not."""
    key = f"{shipment}|{reference}"
    return (
        key if len(key) <= REFERENCE_LENGTH_MAX else sha256(key.encode()).hexdigest()[:REFERENCE_LENGTH_MAX]
    )


def from_goods_issue(
    payload: requests.PostGoodsIssue, _people: People, account: Account
) -> plans.GoodsIssuePlan:
    """Packages and lots of one order line are added up: a delivery has one item per sales order item."""
    quantities: dict[tuple[str, str, str], Decimal] = {}
    for shipped in payload.lines:
        key = (shipped.line, shipped.item, shipped.quantity.unit)
        quantities[key] = quantities.get(key, Decimal(0)) + shipped.quantity.value
    header: plans.Document = {
        "BillOfLading": delivery_key(payload.shipment, payload.reference),
        "DeliveryDocumentBySupplier": payload.shipment[:REFERENCE_LENGTH_MAX],
        "ActualGoodsMovementDate": odata_date(payload.posting_on or payload.departed_at),
    }
    if point := at_location("shipping_point", payload.location, account):
        header["ShippingPoint"] = point
    lines = tuple(
        plans.IssuedLine(line, value, sap_unit(unit), item, payload.also_called.get(item, ()))
        for (line, item, unit), value in quantities.items()
    )
    plant = plant_of(payload.location, account)
    found_by = str(header["BillOfLading"])
    return plans.GoodsIssuePlan(found_by, payload.sales_order, header, lines, plant, payload.reversed)


def from_reversal(
    payload: requests.ReverseGoodsIssue, _people: People, _account: Account
) -> plans.ReversalPlan:
    return plans.ReversalPlan(payload.delivery, payload.document, payload.shipment, payload.posting_on)


def from_milestone(
    payload: requests.RecordMilestone, _people: People, account: Account
) -> plans.MilestonePlan:
    """One text line per milestone and tracking number, so that a late repetition overwrites nothing newer."""
    mark = f"{payload.milestone} {payload.tracking or '-'}"
    at = payload.at.isoformat() if payload.at else "time unknown"
    entry = f"{mark} {payload.classifier} {payload.carrier} {at}"
    delivered = payload.milestone == "delivered" and payload.classifier == "ACT" and payload.at is not None
    return plans.MilestonePlan(
        delivery=payload.delivery,
        milestone=payload.milestone,
        text_element=setting(account, "text_element"),
        mark=mark,
        entry=" ".join(entry.split()),
        proof_of_delivery=odata_date(payload.at) if delivered and payload.at else "",
    )


def from_invoice(payload: requests.ReleaseInvoice, _people: People, account: Account) -> plans.InvoicePlan:
    """By the delivery; what a supplier sent has none, and is billed by its sales order."""
    control: plans.Document = {"AutomPostingToAcctgIsDisabled": False}
    if kind := setting(account, "billing_type"):
        control["DefaultBillingDocumentType"] = kind
    billed = payload.delivery or payload.sales_order
    document: plans.Document = {"_Control": control, "_Reference": [{"SDDocument": billed}]}
    return plans.InvoicePlan(billed, payload.shipment, document, payload.cancelled)


def from_fetch(payload: FetchItem, _people: People, account: Account) -> plans.ItemPlan:
    return plans.ItemPlan(payload.item, plants_of(account), listed(setting(account, "discontinued_statuses")))


_FROM: dict[str, Callable[[Any, People, Account], object]] = {
    "order.check": from_check,
    "sales_order.create": from_sales_order,
    "sales_order.change": from_change,
    "sales_order.cancel": from_cancel,
    "reservation.update": from_reservation,
    "goods_issue.post": from_goods_issue,
    "goods_issue.reverse": from_reversal,
    "inbound.fetch": from_question,
    "goods_receipt.post": from_goods_receipt,
    "transfer_issue.post": from_transfer_issue,
    "consignment.withdraw": from_withdrawal,
    "stock_adjustment.post": from_stock_adjustment,
    "credit.post": from_credit,
    "freight.accrue": from_accrual,
    "freight.adjust": from_adjustment,
    "milestone.record": from_milestone,
    "invoice.release": from_invoice,
    "item.fetch": from_fetch,
}


def render(kind: str, payload: msgspec.Struct, people: People, account: Account) -> bytes:
    """The body of an effect. Raises `Unsupported` for a kind that is not in the manifest."""
    if kind not in _FROM:
        raise Unsupported(kind)
    return msgspec.json.encode(_FROM[kind](payload, people, account))
