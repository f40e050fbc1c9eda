"""Credits for goods that came back → credit memo requests (API_CREDIT_MEMO_REQUEST_SRV). Pure."""

from hashlib import sha256

from crossdock.connect.contract import Account
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.configured import setting
from crossdock.connectors.sap_s4.units import sap_unit
from crossdock.model.party import People
from crossdock.model.requests import PostCredit
from crossdock.model.thread import reference_of

REFERENCE_LENGTH_MAX = 35


def from_credit(payload: PostCredit, _people: People, account: Account) -> plans.CreditPlan:
    """One item for each line and invoice, at the price of the sale; SAP takes its cost from the invoice named."""
    reference = _reference(payload)
    items: list[plans.Document] = [
        {
            "CreditMemoRequestItem": str(10 * place),
            "Material": line.item,
            "RequestedQuantity": f"{line.quantity.value:f}",
            "RequestedQuantityUnit": sap_unit(line.quantity.unit),
            "ReferenceSDDocument": line.invoice,
            "ReferenceSDDocumentCategory": "M",
            "to_PricingElement": {"results": [_price(line.price.amount, line.price.currency, sap_unit(line.quantity.unit), account)]},
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


def _price(amount: object, currency: str, unit: str, account: Account) -> plans.Document:
    return {
        "ConditionType": setting(account, "credit_condition"), "ConditionRateValue": f"{amount:f}", "ConditionCurrency": currency,
        "ConditionQuantity": "1", "ConditionQuantityUnit": unit,
    }  # fmt: skip


def _reference(payload: PostCredit) -> str:
    """What it is found by: readable where it fits, a hash where it does not."""
    key = f"{reference_of(payload.reference)}|{payload.inspection}"
    return (
        key if len(key) <= REFERENCE_LENGTH_MAX else sha256(key.encode()).hexdigest()[:REFERENCE_LENGTH_MAX]
    )
