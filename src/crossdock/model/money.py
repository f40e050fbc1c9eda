"""Money: an exact amount in one ISO 4217 currency."""

from decimal import Decimal
from typing import ClassVar, Final

import msgspec

from crossdock.model.classes import DataClass

_DIGITS: Final = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}  # fmt: skip
"""Currencies whose smallest coin is not a hundredth (ISO 4217, list one)."""


class Money(msgspec.Struct, frozen=True, gc=False):
    """`amount` in major units; the currency's minor digits are the sender's business."""

    data_class: ClassVar[DataClass] = "commercial"

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.currency} {self.amount:f}"


def smallest(currency: str) -> Decimal:
    """The smallest amount that can be paid: 0.01, but a whole yen."""
    return Decimal(1).scaleb(-_DIGITS.get(currency, 2))
