"""Money: an exact amount in one ISO 4217 currency."""

from decimal import Decimal
from typing import ClassVar

import msgspec

from crossdock.model.classes import DataClass


class Money(msgspec.Struct, frozen=True, gc=False):
    """`amount` in major units; the currency's minor digits are the sender's business."""

    data_class: ClassVar[DataClass] = "commercial"

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.currency} {self.amount:f}"
