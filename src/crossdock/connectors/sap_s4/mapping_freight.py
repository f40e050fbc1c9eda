"""Freight payloads → journal entries: accrued when the goods leave, adjusted to the carrier's bill. Pure."""

from collections.abc import Sequence
from datetime import date

from crossdock.connect.contract import Account
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.configured import setting
from crossdock.errors import Rejected
from crossdock.model import requests
from crossdock.model.money import Money
from crossdock.model.party import People
from crossdock.model.shipment import FreightShare


def from_accrual(payload: requests.AccrueFreight, _people: People, account: Account) -> plans.FreightPlan:
    return _entry(payload, payload.amount, payload.posting_on or payload.departed_at.date(), account)


def from_adjustment(
    payload: requests.AdjustFreight, _people: People, account: Account
) -> plans.AdjustmentPlan:
    """Posted on the day of the bill, under a key that one bill of one shipment has alone."""
    entry = _entry(payload, payload.difference, payload.billed_on, account)
    return plans.AdjustmentPlan(f"{payload.shipment}/{payload.invoice}", payload.accrual, entry)


def _entry(
    payload: requests.AccrueFreight | requests.AdjustFreight,
    amount: Money,
    posting_on: date,
    account: Account,
) -> plans.FreightPlan:
    return plans.FreightPlan(
        shipment=payload.shipment,
        carrier=payload.carrier,
        amount=amount,
        posting_on=posting_on,
        company_code=setting(account, "company_code"),
        document_type=setting(account, "accrual_document_type"),
        user=setting(account, "accrual_user"),
        expense_account=setting(account, "freight_expense_account"),
        accrual_account=setting(account, "freight_accrual_account"),
        cost_center=setting(account, "cost_center"),
        shares=_shares(payload.shares, amount),
    )


def _shares(shares: Sequence[FreightShare], total: Money) -> tuple[plans.Share, ...]:
    """What each order bears; SAP posts no items of nothing."""
    if not shares:
        return ()
    if sum(share.amount.amount for share in shares) != total.amount:
        raise Rejected("/shares", f"the shares do not add up to {total}")
    if any(share.amount.currency != total.currency for share in shares):
        raise Rejected("/shares", f"a share is not in {total.currency}")
    return tuple(plans.Share(share.order, share.amount.amount) for share in shares if share.amount.amount)
