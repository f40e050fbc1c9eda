"""Another posting date for what SAP refused, as a person decided it: the same plan, booked on another day. Pure."""

from collections.abc import Callable
from datetime import date
from typing import Any, Final

import msgspec

from crossdock.connect.reading import read
from crossdock.connectors.sap_s4 import plans
from crossdock.connectors.sap_s4.edm import odata_date
from crossdock.errors import Unsupported

replace = msgspec.structs.replace


def _issue(plan: plans.GoodsIssuePlan, on: date) -> plans.GoodsIssuePlan:
    return replace(plan, header=plan.header | {"ActualGoodsMovementDate": odata_date(on)})


def _movement(plan: plans.MovementPlan, on: date) -> plans.MovementPlan:
    """The document's own date stays that of what happened."""
    return replace(plan, document=plan.document | {"PostingDate": odata_date(on)})


def _freight(plan: plans.FreightPlan, on: date) -> plans.FreightPlan:
    return replace(plan, posting_on=on)


def _adjustment(plan: plans.AdjustmentPlan, on: date) -> plans.AdjustmentPlan:
    return replace(plan, entry=_freight(plan.entry, on))


def _reversal(plan: plans.ReversalPlan, on: date) -> plans.ReversalPlan:
    return replace(plan, posting_on=on)


_OF: Final[dict[str, tuple[type[msgspec.Struct], Callable[[Any, date], msgspec.Struct]]]] = {
    "goods_issue.post": (plans.GoodsIssuePlan, _issue),
    "goods_issue.reverse": (plans.ReversalPlan, _reversal),
    "goods_receipt.post": (plans.MovementPlan, _movement),
    "transfer_issue.post": (plans.MovementPlan, _movement),
    "consignment.withdraw": (plans.MovementPlan, _movement),
    "stock_adjustment.post": (plans.MovementPlan, _movement),
    "freight.accrue": (plans.FreightPlan, _freight),
    "freight.adjust": (plans.AdjustmentPlan, _adjustment),
}


def redate(kind: str, body: bytes, on: date) -> bytes:
    """Raises `Unsupported` for a kind that SAP does not book on a day of ours."""
    if kind not in _OF:
        raise Unsupported(kind)
    shape, dated = _OF[kind]
    return msgspec.json.encode(dated(read(shape, body), on))
