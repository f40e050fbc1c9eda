"""What a thread hears when a person says that it was done is what the target would have told."""

from decimal import Decimal

import pytest

from crossdock.errors import Rejected
from crossdock.model.money import Money
from crossdock.model.receipts import asked, by_hand
from crossdock.model.registry import EFFECTS
from crossdock.model.returning import CreditPosted
from crossdock.model.shipment import FreightAccrued, GoodsIssuePosted


def test_the_document_and_the_object_are_known() -> None:
    """A goods receipt by its receipt, an invoice by its shipment; what else is needed is asked for."""
    assert asked("invoice.release", "invoice.released.v1") == ()
    assert asked("goods_receipt.post", "goodsReceipt.posted.v1") == ()
    assert by_hand("credit.post", "credit.posted.v1", "RT-1", "90-1", {}) == CreditPosted("90-1", "")


def test_a_goods_issue_asks_for_its_delivery() -> None:
    """Which the invoice refers to; goods between own sites have none."""
    assert asked("goods_issue.post", "goodsIssue.posted.v1") == ("delivery",)
    assert by_hand("transfer_issue.post", "goodsIssue.posted.v1", "S-1", "49-1", {}) == GoodsIssuePosted(
        "", "49-1"
    )
    with pytest.raises(Rejected, match="asks for: delivery"):
        by_hand("goods_issue.post", "goodsIssue.posted.v1", "S-1", "49-1", {})


def test_money_may_be_text() -> None:
    """As people write it, or as the API does."""
    wanted = FreightAccrued("10-1", Money(Decimal("12.50"), "EUR"))

    for amount in ("EUR 12.50", {"currency": "EUR", "amount": "12.50"}):
        assert by_hand("freight.accrue", "freight.accrued.v1", "S-1", "10-1", {"amount": amount}) == wanted
    with pytest.raises(Rejected):
        by_hand("freight.accrue", "freight.accrued.v1", "S-1", "10-1", {"amount": "much"})


def test_kinds_are_kinds() -> None:
    """The exception names an effect that exists."""
    assert "transfer_issue.post" in EFFECTS
