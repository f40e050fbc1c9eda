"""The twin's goods movements without an order: inventory differences, stock put aside and back, scrapping.

It keeps the movement types by itself, as SAP's table T156 does, so that a connector that confuses them is found out.
"""

from decimal import Decimal
from typing import Final

from crossdock.connect.twin import Twin
from crossdock.connectors.sap_s4.twin_odata import Fields, Problem, quantity, required
from crossdock.connectors.sap_s4.twin_stock import move

ISSUE: Final = "03"
OTHER: Final = "06"
_FROM_TO: Final[dict[str, tuple[str, str]]] = {
    "701": ("", "unrestricted"), "702": ("unrestricted", ""), "703": ("", "quality"), "704": ("quality", ""),
    "707": ("", "blocked"), "708": ("blocked", ""),
    "321": ("quality", "unrestricted"), "322": ("unrestricted", "quality"),
    "343": ("blocked", "unrestricted"), "344": ("unrestricted", "blocked"),
    "551": ("unrestricted", ""), "553": ("quality", ""), "555": ("blocked", ""),
}  # fmt: skip
"""Movement type → the stock it is taken from, and the one it goes to."""
_ALLOWED: Final = {ISSUE: ("551", "553", "555"), "04": ("321", "322", "343", "344"), OTHER: tuple(_FROM_TO)}


def adjusts(code: str, row: Fields) -> bool:
    """Whether this movement has no order behind it."""
    return code in (ISSUE, OTHER) or (code == "04" and row.get("GoodsMovementType") in _FROM_TO)


def book(twin: Twin, code: str, row: Fields) -> None:
    """Inside a change of the books. The stock of what nobody set up is not kept, so nothing of it is moved."""
    required(row, "Material", "Plant", "GoodsMovementType", "QuantityInEntryUnit", "EntryUnit")
    movement, material, plant = row["GoodsMovementType"], row["Material"], row["Plant"]
    if movement not in _ALLOWED[code]:
        raise Problem(400, "M7/001", f"Movement type {movement} is not allowed with movement code {code}")
    known = twin.books.get("material", material)
    if known is None:
        raise Problem(400, "M3/305", f"Material {material} does not exist or is not activated")
    moved: Decimal = quantity(row, "QuantityInEntryUnit")
    stock = twin.books.get("matl_stock", f"{material}|{plant}")
    if stock is None:
        return
    if row["EntryUnit"] != stock["unit"]:
        raise Problem(
            400, "M3/351", f"Unit of measure {row['EntryUnit']} is not defined for material {material}"
        )
    out, into = _FROM_TO[movement]
    if out:
        move(twin, material, plant, out, -moved)
    if into:
        move(twin, material, plant, into, moved)
