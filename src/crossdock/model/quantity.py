"""Exact quantities. A unit is a UN/ECE Recommendation 20 code (`EA` each, `KGM` kilogram …)."""

from decimal import Decimal
from typing import ClassVar

import msgspec

from crossdock.model.classes import DataClass

ZERO = Decimal(0)


class Quantity(msgspec.Struct, frozen=True, gc=False):
    """An exact amount of one unit; quantities of different units never add."""

    data_class: ClassVar[DataClass] = "commercial"

    value: Decimal
    unit: str = "EA"

    def __add__(self, other: "Quantity") -> "Quantity":
        assert self.unit == other.unit, f"cannot add {other.unit} to {self.unit}"
        return Quantity(self.value + other.value, self.unit)

    def __sub__(self, other: "Quantity") -> "Quantity":
        assert self.unit == other.unit, f"cannot subtract {other.unit} from {self.unit}"
        return Quantity(self.value - other.value, self.unit)

    def __str__(self) -> str:
        return f"{self.value.normalize():f} {self.unit}"
