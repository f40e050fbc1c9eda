"""Credits for goods that came back → credit memo requests (API_CREDIT_MEMO_REQUEST_SRV). Pure."""

from fractions import Fraction
from hashlib import sha256

from msgspec.structs import replace

from crossdock.connect.contract import Account
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.configured import setting
from crossdock.connectors.sap_s4.units import sap_unit
from crossdock.model.party import People
from crossdock.model.requests import PostCredit
from crossdock.model.returning import MatchedLine
from crossdock.model.thread import reference_of

REFERENCE_LENGTH_MAX = 35


def from_credit(payload: PostCredit, _people: People, account: Account) -> plans.CreditPlan:
    """One item for each line and invoice, at the price of the sale; SAP takes its cost from the invoice named.

    Of a kit's component the material is the component, the invoice the kit's.
    """
    reference = _reference(payload)
    items: list[plans.Document] = [
        {
            "CreditMemoRequestItem": str(10 * place),
            "Material": line.item,
            "RequestedQuantity": f"{line.quantity.value:f}",
            "RequestedQuantityUnit": sap_unit(line.quantity.unit),
            "ReferenceSDDocument": line.invoice,
            "ReferenceSDDocumentCategory": "M",
            "to_PricingElement": {"results": [_price(line, account)]},
        }
        for place, line in enumerate(payload.lines, start=1)
    ]  # fmt: skip
    document: plans.Document = {
        "CreditMemoRequestType": setting(account, "credit_type"),
        "SalesOrganization": setting(account, "sales_organization"),
        "DistributionChannel": setting(account, "distribution_channel"),
        "OrganizationDivision": setting(account, "division"),
        "SoldToParty": setting(account, "sold_to_party"),
        "PurchaseOrderByCustomer": reference,
        "TransactionCurrency": payload.lines[0].price.currency,
        "to_Item": {"results": items},
    }
    if reason := setting(account, "credit_reason"):
        document["SDDocumentReason"] = reason
    return plans.CreditPlan(reference, payload.inspection, document)


def _price(line: MatchedLine, account: Account) -> plans.Document:
    """Of one unit, or of as many as were sent back, where one unit's share is no whole number of coins.

    The pricing unit is a whole number: 1.5 kg for 10 are 3 kg for 20.
    """
    rate, per = line.price, Fraction(1)
    if line.amount is not None:
        per = Fraction(line.quantity.value)
        rate = replace(line.amount, amount=line.amount.amount * per.denominator)
    return {
        "ConditionType": setting(account, "credit_condition"), "ConditionRateValue": f"{rate.amount:f}",
        "ConditionCurrency": rate.currency, "ConditionQuantity": str(per.numerator),
        "ConditionQuantityUnit": sap_unit(line.quantity.unit),
    }  # fmt: skip


def _reference(payload: PostCredit) -> str:
    """What it is found by: readable where it fits, a hash where it does not."""
    key = f"{reference_of(payload.reference)}|{payload.inspection}"
    return (
        key if len(key) <= REFERENCE_LENGTH_MAX else sha256(key.encode()).hexdigest()[:REFERENCE_LENGTH_MAX]
    )
