"""The simulated WMS's stock per item: what is there, and what of it is allocated to orders."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from crossdock.connect.twin import Books

Line = dict[str, str]
"""`item`, `quantity`, `unit`, and `line`: the order's own line id."""


class Stock:
    """All methods are called inside a change of the books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def claim(self, lines: Iterable[Line]) -> bool:
        """Allocate all of these, or nothing."""
        wanted = _summed(lines)
        if any(self.free_of(item) < quantity for item, quantity in wanted.items()):
            return False
        for item, quantity in wanted.items():
            self._move(item, allocated=quantity)
        return True

    def release(self, lines: Iterable[Line]) -> None:
        """What was allocated can be had by others."""
        for item, quantity in _summed(lines).items():
            self._move(item, allocated=-quantity)

    def remove(self, lines: Iterable[Line]) -> None:
        """What was allocated is not there any more: it left, or was not found."""
        for item, quantity in _summed(lines).items():
            self._move(item, allocated=-quantity, quantity=-quantity)

    def free_of(self, item: str) -> Decimal:
        stock = self._books.get("stock", item)
        return Decimal(stock["quantity"]) - Decimal(stock["allocated"]) if stock else Decimal(0)

    def lot_of(self, item: str) -> str:
        stock = self._books.get("stock", item)
        return str(stock["lot"]) if stock else ""

    def _move(self, item: str, **changes: Decimal) -> None:
        stock: dict[str, Any] = self._books.get("stock", item)
        moved = {name: str(Decimal(stock[name]) + change) for name, change in changes.items()}
        self._books.put("stock", item, stock | moved)


def _summed(lines: Iterable[Line]) -> dict[str, Decimal]:
    summed: dict[str, Decimal] = {}
    for line in lines:
        summed[line["item"]] = summed.get(line["item"], Decimal(0)) + Decimal(line["quantity"])
    return summed
