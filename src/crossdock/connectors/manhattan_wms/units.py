"""Units of measure: the WMS writes its own codes, the hub UN/ECE Recommendation 20."""

from decimal import Decimal

from crossdock.errors import Rejected
from crossdock.model.quantity import Quantity

TO_CANONICAL = {"UNIT": "EA", "EACH": "EA", "EA": "EA", "KG": "KGM", "KGM": "KGM"}
FROM_CANONICAL = {"EA": "UNIT", "KGM": "KGM"}

DIGITS_MAX = 12
"""More digits before the point are a broken message, not a stock level."""


def to_quantity(
    value: Decimal, unit: str, *, value_path: str, unit_path: str, signed: bool = False
) -> Quantity:
    """Raises `Rejected`. A case has no fixed content here: counting it as pieces would invent stock."""
    canonical = TO_CANONICAL.get(unit.strip().upper())
    if canonical is None:
        raise Rejected(unit_path, f"unit {unit!r} has no exact counterpart (UNIT, EACH, EA, KG, KGM)", "unit")
    if not value.is_finite() or value.adjusted() >= DIGITS_MAX:
        raise Rejected(value_path, "not a quantity")
    if value == 0 or (value < 0 and not signed):
        raise Rejected(value_path, f"quantity {value:f} must be {'other than' if signed else 'above'} zero")
    return Quantity(value, canonical)


def from_unit(unit: str, path: str) -> str:
    """The WMS code of a canonical unit. Raises `Rejected`."""
    if unit not in FROM_CANONICAL:
        raise Rejected(path, f"the WMS has no unit for {unit!r}", "unit")
    return FROM_CANONICAL[unit]
