"""What the simulated carriers charge: the agreed freight, sometimes accessorials, and the price of more weight."""

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

CENT = Decimal("0.01")
ACCESSORIAL_SHARE = 0.25
LIFT_GATE: Final = ("LGD", "Lift gate at delivery", Decimal("35.00"))
FUEL: Final = ("FUE", "Fuel surcharge", Decimal("0.12"))
"""The fuel surcharge is a share of the freight."""
REWEIGH_FACTOR = Decimal("1.18")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One line of a bill; `code` is empty for the freight itself, `weight` is set on a reweigh only."""

    amount: Decimal
    description: str
    code: str = ""
    weight: Decimal | None = None


def charges_of(
    load: dict[str, Any], *, per_kg: Decimal, dice: random.Random, reweighed: bool, reweigh_code: str
) -> list[Charge]:
    """The lines of one load's bill; they add up to its total."""
    freight = Decimal(load["prices"][load["carrier"]])
    lines = [Charge(amount=freight, description="Freight")]
    if reweighed:
        declared = Decimal(load["weight"])
        found = (declared * REWEIGH_FACTOR).quantize(CENT) + CENT
        more = ((found - declared) * per_kg).quantize(CENT)
        lines.append(Charge(amount=more, description="Reweigh", code=reweigh_code, weight=found))
    if dice.random() < ACCESSORIAL_SHARE:
        code, words, amount = LIFT_GATE
        lines.append(Charge(amount=amount, description=words, code=code))
    if dice.random() < ACCESSORIAL_SHARE:
        code, words, share = FUEL
        lines.append(Charge(amount=(freight * share).quantize(CENT), description=words, code=code))
    return lines
