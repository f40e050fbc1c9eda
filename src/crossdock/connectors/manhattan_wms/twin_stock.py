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

    def bring(self, item: str, unit: str, quantity: Decimal, held: Decimal) -> None:
        """More of it is there; `held` of that cannot be picked."""
        if self._books.get("stock", item) is None:
            self._books.put("stock", item, {"quantity": "0", "allocated": "0", "lot": "", "unit": unit})
        self._move(item, quantity=quantity)
        self.hold(item, held)

    def hold(self, item: str, change: Decimal) -> None:
        """So much more of what is there cannot be picked; below zero, less."""
        stock = self._books.get("stock", item)
        held = Decimal(stock.get("held", "0")) + change
        self._books.put("stock", item, stock | {"held": str(held)})

    def send(self, item: str, quantity: Decimal, allocated: Decimal) -> None:
        """It left for another site; `allocated` of it had been set aside for that."""
        self._move(item, quantity=-quantity, allocated=-allocated)

    def free_of(self, item: str) -> Decimal:
        stock = self._books.get("stock", item)
        if stock is None:
            return Decimal(0)
        return Decimal(stock["quantity"]) - Decimal(stock["allocated"]) - Decimal(stock.get("held", "0"))

    def serials_in(self, item: str, serials: Iterable[str]) -> None:
        """These pieces are in the house now, each with its number."""
        stock = self._books.get("stock", item)
        if new := [x for x in serials if x not in stock.get("serials", ())]:
            self._books.put("stock", item, stock | {"serials": [*stock.get("serials", ()), *new]})

    def serials_out(self, item: str, quantity: Decimal, *, stays: bool = False) -> list[str]:
        """The numbers of so many pieces that are taken; empty for an item without. `stays`: the books forget to cross them off."""
        stock = self._books.get("stock", item) or {}
        there = stock.get("serials", [])
        taken = there[: int(quantity)]
        if taken and not stays:
            self._books.put("stock", item, stock | {"serials": there[len(taken) :]})
        return list(taken)

    def recount_serials(self, item: str, counted: list[str]) -> tuple[list[str], list[str]]:
        """(those that were not in the books, those that are gone); the books say what was counted from now on."""
        stock = self._books.get("stock", item)
        before = stock.get("serials", [])
        self._books.put("stock", item, stock | {"serials": counted})
        return [x for x in counted if x not in before], [x for x in before if x not in counted]

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
